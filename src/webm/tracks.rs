//! What an init segment says: EBML header, Info and Tracks read, and ours written.
//!
//! ```text
//! EBML header | Segment (unknown size) | Info: TimestampScale 1 ms | Tracks: 1, 2, …
//! ```
//!
//! Ours is written anew rather than passed on, so that it says what our Clusters do: milliseconds
//! whatever the publisher's TimestampScale, track numbers from 1 (Chromium refuses one above 127),
//! a Segment of unknown size without a Duration, and only elements that players know.

use super::element::{Child, ElementId, children, write_element};
use super::error::WebmError;
use super::mime;
use super::vint::{read_float, read_uint, uint_bytes, write_size};
use bytes::{BufMut, Bytes, BytesMut};

/// TimestampScale that WebM recommends and we always write, in nanoseconds a tick.
pub const TIMESTAMP_SCALE_DEFAULT: u64 = 1_000_000;

/// Tracks in one recording. Browsers write two; each costs a comparison a block.
pub const TRACKS_MAX: usize = 32;

/// Bytes of a CodecID. The longest registered has about 30; it is repeated in every type that we
/// tell.
const CODEC_ID_BYTES_MAX: usize = 64;

/// The kinds of EBML document that we carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocType {
    Webm,
    /// What Chromium's recorder makes of H.264.
    Matroska,
}

impl DocType {
    pub fn as_str(self) -> &'static str {
        match self {
            DocType::Webm => "webm",
            DocType::Matroska => "matroska",
        }
    }

    /// The media type of a file or response body, without codecs.
    pub fn media_type(self) -> &'static str {
        match self {
            DocType::Webm => "video/webm",
            DocType::Matroska => "video/x-matroska",
        }
    }
}

/// TrackType (RFC 9559, section 5.1.4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackKind {
    Video,
    Audio,
    Subtitle,
    /// Metadata, buttons and the like.
    Other(u8),
}

impl TrackKind {
    fn from_type(track_type: u64) -> TrackKind {
        match track_type {
            1 => TrackKind::Video,
            2 => TrackKind::Audio,
            0x11 => TrackKind::Subtitle,
            other => TrackKind::Other(other.min(255) as u8),
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            TrackKind::Video => "video",
            TrackKind::Audio => "audio",
            TrackKind::Subtitle => "subtitle",
            TrackKind::Other(_) => "other",
        }
    }
}

/// One TrackEntry.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// As the publisher's blocks say it.
    pub number: u64,
    pub kind: TrackKind,
    pub codec_id: String,
    pub codec_private: Bytes,
    /// Nanoseconds a frame, if told.
    pub default_duration_ns: Option<u64>,
    /// Pixels; 0 when not told, as for all of sound.
    pub width: u64,
    pub height: u64,
    /// Hertz; 0 when there is no sound.
    pub sample_rate: f64,
    pub channels: u64,
    content_encodings: Bytes,
    /// The children players know, as they came in, but for TrackNumber. Clones share it.
    entry: Bytes,
    /// A DefaultDuration that its publisher did not write. Stands behind `entry`, which may be large.
    added: Bytes,
}

impl Track {
    pub(super) fn read(payload: &[u8]) -> Option<Track> {
        let mut track = Track {
            number: 0,
            kind: TrackKind::Other(0),
            codec_id: String::new(),
            codec_private: Bytes::new(),
            default_duration_ns: None,
            width: 0,
            height: 0,
            sample_rate: 0.0,
            channels: 0,
            content_encodings: Bytes::new(),
            entry: Bytes::new(),
            added: Bytes::new(),
        };
        let mut entry = BytesMut::with_capacity(payload.len());
        // Where the large ones of its children are in the entry, whose memory they share.
        let (mut codec_private, mut content_encodings) = (0..0, 0..0);
        let in_entry = |child: &Child<'_>, entry: &BytesMut| {
            let end = entry.len() + child.whole.len();
            end - child.payload.len()..end
        };
        for child in children(payload) {
            let child = child.ok()?;
            match child.id {
                ElementId::TRACK_NUMBER => {
                    track.number = read_uint(child.payload)?;
                    continue;
                }
                ElementId::TRACK_TYPE => {
                    track.kind = TrackKind::from_type(read_uint(child.payload)?);
                }
                ElementId::CODEC_ID => track.codec_id = text(child.payload),
                ElementId::CODEC_PRIVATE => codec_private = in_entry(&child, &entry),
                ElementId::CONTENT_ENCODINGS => content_encodings = in_entry(&child, &entry),
                ElementId::DEFAULT_DURATION => {
                    // Zero says nothing, and is not allowed (RFC 9559, section 5.1.4.1.13).
                    match read_uint(child.payload)? {
                        0 => continue,
                        nanoseconds => track.default_duration_ns = Some(nanoseconds),
                    }
                }
                ElementId::VIDEO => {
                    for child in children(child.payload) {
                        let child = child.ok()?;
                        match child.id {
                            ElementId::PIXEL_WIDTH => track.width = read_uint(child.payload)?,
                            ElementId::PIXEL_HEIGHT => track.height = read_uint(child.payload)?,
                            _ => {}
                        }
                    }
                }
                ElementId::AUDIO => {
                    // The defaults of RFC 9559, sections 5.1.4.1.29.1 and .3.
                    (track.sample_rate, track.channels) = (8000.0, 1);
                    for child in children(child.payload) {
                        let child = child.ok()?;
                        match child.id {
                            ElementId::SAMPLING_FREQUENCY => {
                                track.sample_rate = read_float(child.payload)?;
                            }
                            ElementId::CHANNELS => track.channels = read_uint(child.payload)?,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
            if is_kept_in_entry(child.id) {
                entry.put_slice(child.whole);
            }
        }
        // What is not passed on may be most of it; then its room is not kept.
        track.entry = if entry.len() < payload.len() / 4 * 3 {
            Bytes::copy_from_slice(&entry)
        } else {
            entry.freeze()
        };
        track.codec_private = track.entry.slice(codec_private);
        track.content_encodings = track.entry.slice(content_encodings);
        let has_codec = (1..=CODEC_ID_BYTES_MAX).contains(&track.codec_id.len());
        (track.number > 0 && has_codec).then_some(track)
    }

    /// Bytes of memory that it takes, beside itself.
    pub fn memory(&self) -> usize {
        self.codec_id.len() + self.entry.len()
    }

    /// The codec as `mime::codec` names it.
    pub fn codec(&self) -> String {
        mime::codec(&self.codec_id, &self.codec_private)
    }

    /// Whether its frames are compressed or encrypted by the container.
    pub fn has_content_encodings(&self) -> bool {
        !self.content_encodings.is_empty()
    }

    /// Says how long a frame lasts, for a track whose publisher did not.
    pub fn set_default_duration(&mut self, nanoseconds: u64) {
        let (bytes, length) = uint_bytes(nanoseconds);
        let mut added = BytesMut::new();
        write_element(&mut added, ElementId::DEFAULT_DURATION, &bytes[..length]);
        self.added = added.freeze();
        self.default_duration_ns = Some(nanoseconds);
    }

    /// Whether a player decodes it: sound or picture.
    pub fn is_played(&self) -> bool {
        matches!(self.kind, TrackKind::Video | TrackKind::Audio)
    }

    /// Whether block timestamps of this track may go back, because they are presentation times
    /// in decoding order: the codecs with B-frames. None of WebM's own codecs does so.
    pub fn reorders(&self) -> bool {
        self.kind == TrackKind::Video
            && !matches!(self.codec_id.as_str(), "V_VP8" | "V_VP9" | "V_AV1")
    }

    /// Whether a decoder set up for `other` can go on with this track's frames. UIDs, names,
    /// numbers and picture size do not count.
    pub fn continues(&self, other: &Track) -> bool {
        self.kind == other.kind
            && self.codec_id == other.codec_id
            && self.codec_private == other.codec_private
            && self.sample_rate.to_bits() == other.sample_rate.to_bits()
            && self.channels == other.channels
            && self.content_encodings == other.content_encodings
    }
}

/// The children of a TrackEntry that are passed on.
fn is_kept_in_entry(id: ElementId) -> bool {
    matches!(
        id,
        ElementId::TRACK_UID
            | ElementId::TRACK_TYPE
            | ElementId::FLAG_ENABLED
            | ElementId::FLAG_DEFAULT
            | ElementId::FLAG_FORCED
            | ElementId::FLAG_LACING
            | ElementId::DEFAULT_DURATION
            | ElementId::MAX_BLOCK_ADDITION_ID
            | ElementId::BLOCK_ADDITION_MAPPING
            | ElementId::NAME
            | ElementId::LANGUAGE
            | ElementId::LANGUAGE_BCP47
            | ElementId::CODEC_ID
            | ElementId::CODEC_PRIVATE
            | ElementId::CODEC_NAME
            | ElementId::CODEC_DELAY
            | ElementId::SEEK_PRE_ROLL
            | ElementId::VIDEO
            | ElementId::AUDIO
            | ElementId::CONTENT_ENCODINGS
    )
}

/// What a recording says of itself before its first Cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Where its EBML header begins, and how many bytes precede its first Cluster.
    pub offset: u64,
    pub init_length: u64,
    pub doc_type: DocType,
    /// Nanoseconds a tick.
    pub timestamp_scale: u64,
    /// From Info, when told and not zero.
    pub duration_ms: Option<f64>,
    pub tracks: Vec<Track>,
}

impl Recording {
    /// The track whose keyframes are join points: the first video track.
    pub fn video(&self) -> Option<usize> {
        first_video(&self.tracks)
    }

    /// Bytes of memory that it takes: clones share most of it.
    pub fn memory(&self) -> usize {
        let tracks = self.tracks.iter().map(Track::memory);
        tracks.sum()
    }

    /// See `mime::mime`.
    pub fn mime(&self) -> String {
        mime::mime(self.doc_type, &self.tracks)
    }

    /// See `mime::codecs`.
    pub fn codecs(&self) -> String {
        mime::codecs(&self.tracks)
    }

    /// The number in `viewed`'s init segment (1, 2, …) that each of our tracks continues, or
    /// `None` when the two do not have the same tracks.
    pub fn track_numbers_in(&self, viewed: &Recording) -> Option<Vec<u8>> {
        if self.doc_type != viewed.doc_type || self.tracks.len() != viewed.tracks.len() {
            return None;
        }
        let mut taken = [false; TRACKS_MAX];
        self.tracks
            .iter()
            .map(|track| {
                let index = (0..viewed.tracks.len())
                    .find(|&index| !taken[index] && track.continues(&viewed.tracks[index]))?;
                taken[index] = true;
                Some(index as u8 + 1)
            })
            .collect()
    }

    /// Our own init segment for these tracks, numbered from 1.
    pub fn init_segment(&self) -> Bytes {
        let mut info = BytesMut::new();
        write_info(&mut info);
        let (header, tracks) = (self.ebml_header(), self.tracks_element());
        let mut out = BytesMut::with_capacity(header.len() + info.len() + tracks.len() + 64);
        out.put_slice(&header);
        ElementId::SEGMENT.write(&mut out);
        out.put_slice(&super::cluster::UNKNOWN_SIZE);
        write_element(&mut out, ElementId::INFO, &info);
        out.put_slice(&tracks);
        out.freeze()
    }

    /// The EBML header that our init segments and files begin with.
    pub(super) fn ebml_header(&self) -> BytesMut {
        let mut header = BytesMut::new();
        write_element(&mut header, ElementId(0x4286), &[1]); // EBMLVersion
        write_element(&mut header, ElementId(0x42F7), &[1]); // EBMLReadVersion
        write_element(&mut header, ElementId(0x42F2), &[4]); // EBMLMaxIDLength
        write_element(&mut header, ElementId(0x42F3), &[8]); // EBMLMaxSizeLength
        write_element(
            &mut header,
            ElementId::DOC_TYPE,
            self.doc_type.as_str().as_bytes(),
        );
        write_element(&mut header, ElementId(0x4287), &[4]); // DocTypeVersion
        write_element(&mut header, ElementId(0x4285), &[2]); // DocTypeReadVersion
        let mut out = BytesMut::with_capacity(header.len() + 8);
        write_element(&mut out, ElementId::EBML, &header);
        out
    }

    /// Tracks, numbered from 1.
    pub(super) fn tracks_element(&self) -> BytesMut {
        let entries = self.tracks.iter().map(|track| track.entry.len() + 32);
        let mut tracks = BytesMut::with_capacity(entries.sum());
        for (track, number) in self.tracks.iter().zip(1u8..) {
            ElementId::TRACK_ENTRY.write(&mut tracks);
            let length = track.entry.len() + track.added.len();
            write_size(&mut tracks, 3 + length as u64);
            write_element(&mut tracks, ElementId::TRACK_NUMBER, &[number]);
            tracks.put_slice(&track.entry);
            tracks.put_slice(&track.added);
        }
        let mut out = BytesMut::with_capacity(tracks.len() + 12);
        write_element(&mut out, ElementId::TRACKS, &tracks);
        out
    }
}

pub(super) fn first_video(tracks: &[Track]) -> Option<usize> {
    tracks
        .iter()
        .position(|track| track.kind == TrackKind::Video)
}

/// What Info says whatever the recording: our TimestampScale and our name.
pub(super) fn write_info(info: &mut BytesMut) {
    let scale = &(TIMESTAMP_SCALE_DEFAULT as u32).to_be_bytes()[1..];
    write_element(info, ElementId::TIMESTAMP_SCALE, scale);
    write_element(info, ElementId(0x4D80), b"videostream"); // MuxingApp
    write_element(info, ElementId(0x5741), b"videostream"); // WritingApp
}

/// Reads an EBML header's payload.
pub(super) fn read_doc_type(payload: &[u8], offset: u64) -> Result<DocType, WebmError> {
    let malformed = WebmError::Malformed {
        offset,
        id: ElementId::EBML,
    };
    // RFC 8794, section 11.2.6, knows no default DocType, but Matroska readers take "matroska".
    let mut doc_type = DocType::Matroska;
    for child in children(payload) {
        let child = child.map_err(|_| malformed.clone())?;
        if child.id == ElementId::DOC_TYPE {
            doc_type = match text(child.payload).as_str() {
                "webm" => DocType::Webm,
                "matroska" => DocType::Matroska,
                other => {
                    return Err(WebmError::DocType {
                        offset,
                        doc_type: other.chars().take(32).collect(),
                    });
                }
            };
        }
    }
    Ok(doc_type)
}

/// What Info's payload says: TimestampScale and Duration in ticks.
pub(super) fn read_info(payload: &[u8]) -> Option<(u64, f64)> {
    let mut scale = TIMESTAMP_SCALE_DEFAULT;
    let mut duration = 0.0;
    for child in children(payload) {
        let child = child.ok()?;
        match child.id {
            ElementId::TIMESTAMP_SCALE => scale = read_uint(child.payload)?,
            ElementId::DURATION => duration = read_float(child.payload)?,
            _ => {}
        }
    }
    (scale > 0).then_some((scale, duration))
}

/// Reads Tracks' payload, which begins at `offset`.
pub(super) fn read_tracks(payload: &[u8], offset: u64) -> Result<Vec<Track>, WebmError> {
    let malformed = |at: usize, id| WebmError::Malformed {
        offset: offset + at as u64,
        id,
    };
    let mut tracks: Vec<Track> = Vec::new();
    for child in children(payload) {
        let child = child.map_err(|at| malformed(at, ElementId::TRACKS))?;
        if child.id != ElementId::TRACK_ENTRY {
            continue;
        }
        let track = Track::read(child.payload)
            .filter(|track| tracks.iter().all(|other| other.number != track.number))
            .ok_or_else(|| malformed(child.at, ElementId::TRACK_ENTRY))?;
        tracks.push(track);
        if tracks.len() > TRACKS_MAX {
            return Err(WebmError::TooManyTracks {
                offset: offset + child.at as u64,
                tracks: tracks.len(),
                limit: TRACKS_MAX,
            });
        }
    }
    if tracks.is_empty() {
        return Err(malformed(0, ElementId::TRACKS));
    }
    Ok(tracks)
}

/// A string element's payload, which may be padded with zeros (RFC 8794, section 7.4).
fn text(payload: &[u8]) -> String {
    let end = payload
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(payload.len());
    String::from_utf8_lossy(&payload[..end]).into_owned()
}
