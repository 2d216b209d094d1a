//! Writes a recording's file, and finishes it.

use super::cues::{CUES_BYTES_DEFAULT, Cue, Cues, known_size};
use super::head::{Places, RESERVE_BYTES, duration, head, seek, void_head};
use super::{Storage, write_all_at};
use crate::webm::block::{RawBlock, read_block_group, read_simple_block};
use crate::webm::cluster::{UNKNOWN_SIZE, write_cluster_head};
use crate::webm::element::{ElementId, HeadParse, read_head};
use crate::webm::tracks::{Recording, Track};
use crate::webm::vint::read_uint;
use bytes::{Buf, Bytes, BytesMut};
use std::io;
use std::mem;

/// Bytes of a Cluster's head, up to its Timestamp.
pub const CLUSTER_HEAD: u64 = 12;

/// Bytes of memory that a file keeps for what is to be written next.
const PENDING_KEPT: usize = 256 << 10;

/// Writes one recording. Elements wait in memory until [`FileWriter::flush`].
#[derive(Debug)]
pub struct FileWriter<S> {
    storage: S,
    places: Places,
    tracks: Tracks,
    /// Taken off the timestamps of Clusters.
    base_ms: u64,
    /// Whole elements that are not in the file. Invariant: `written` is where they will begin.
    pending: BytesMut,
    written: u64,
    open: Option<OpenCluster>,
    /// Clusters that have ended, with the bytes of their payload. The sizes are written after what is
    /// pending, so that no Cluster in the file ends behind the file.
    ended: Vec<(u64, u64)>,
    cues: Cues,
}

#[derive(Debug, Clone, Copy)]
struct OpenCluster {
    at: u64,
    timestamp_ms: u64,
}

/// What a finished recording came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    pub duration_ms: u64,
    pub bytes: u64,
}

impl<S: Storage> FileWriter<S> {
    /// Writes the head. The recording's time begins at `base_ms` of the chunks that follow.
    pub fn create(
        storage: S,
        recording: &Recording,
        base_ms: u64,
        began_unix_ms: Option<u64>,
    ) -> io::Result<FileWriter<S>> {
        let head = head(recording, began_unix_ms, RESERVE_BYTES);
        FileWriter::begin(storage, recording, base_ms, head)
    }

    fn begin(
        mut storage: S,
        recording: &Recording,
        base_ms: u64,
        (head, places): (Bytes, Places),
    ) -> io::Result<FileWriter<S>> {
        write_all_at(&mut storage, &head, 0)?;
        Ok(FileWriter {
            tracks: Tracks::new(&recording.tracks),
            base_ms,
            written: head.len() as u64,
            ..FileWriter::resume(storage, places, Tracks::new(&recording.tracks))
        })
    }

    /// A file with a reserve of so many bytes, so that tests meet a full one.
    #[cfg(any(test, feature = "testing"))]
    pub fn with_reserve(
        storage: S,
        recording: &Recording,
        base_ms: u64,
        reserve_bytes: u64,
    ) -> io::Result<FileWriter<S>> {
        let head = head(recording, None, reserve_bytes);
        FileWriter::begin(storage, recording, base_ms, head)
    }

    /// Goes on behind a head that is there.
    pub(super) fn resume(storage: S, places: Places, tracks: Tracks) -> FileWriter<S> {
        FileWriter {
            storage,
            places,
            tracks,
            base_ms: 0,
            pending: BytesMut::new(),
            written: places.clusters_at(),
            open: None,
            ended: Vec::new(),
            cues: Cues::new(CUES_BYTES_DEFAULT),
        }
    }

    /// The same, with what is there.
    pub(super) fn resume_with(
        storage: S,
        places: Places,
        tracks: Tracks,
        cues: Cues,
        end: u64,
    ) -> FileWriter<S> {
        FileWriter {
            written: end,
            cues,
            ..FileWriter::resume(storage, places, tracks)
        }
    }

    /// Adds the elements of a chunk: Clusters of unknown size that begin with their Timestamp, and
    /// blocks. Only the heads of Clusters change.
    pub fn push(&mut self, chunk: &Bytes) -> io::Result<()> {
        let mut rest = chunk.clone();
        while !rest.is_empty() {
            let HeadParse::Complete(head) = read_head(&rest) else {
                return Err(malformed());
            };
            match (head.id, head.size) {
                (ElementId::CLUSTER, None) => {
                    rest.advance(head.length);
                    let timestamp_ms = take_timestamp(&mut rest).ok_or_else(malformed)?;
                    let is_cue = first_block(&rest).is_some_and(|block| self.tracks.is_cue(&block));
                    self.open_cluster(timestamp_ms.saturating_sub(self.base_ms), is_cue);
                }
                (id, Some(size)) => {
                    let whole = usize::try_from(size)
                        .ok()
                        .and_then(|size| size.checked_add(head.length))
                        .filter(|&whole| whole <= rest.len())
                        .ok_or_else(malformed)?;
                    let element = rest.split_to(whole);
                    let block = read_block(id, &element, head.length).ok_or_else(malformed)?;
                    let cluster = self.open.ok_or_else(malformed)?;
                    self.tracks.note(&block, cluster.timestamp_ms);
                    self.pending.extend_from_slice(&element);
                }
                (_, None) => return Err(malformed()),
            }
        }
        Ok(())
    }

    fn open_cluster(&mut self, timestamp_ms: u64, is_cue: bool) {
        self.end_cluster();
        let at = self.written + self.pending.len() as u64;
        write_cluster_head(&mut self.pending, timestamp_ms);
        self.open = Some(OpenCluster { at, timestamp_ms });
        if is_cue {
            let offset = at;
            self.cues.push(Cue {
                timestamp_ms,
                offset,
            });
        }
    }

    fn end_cluster(&mut self) {
        let end = self.written + self.pending.len() as u64;
        if let Some(cluster) = self.open.take() {
            self.ended
                .push((cluster.at, end - cluster.at - CLUSTER_HEAD));
        }
    }

    /// Bytes that wait for [`FileWriter::flush`].
    pub fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Bytes of the file, with what waits.
    pub fn bytes(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// Milliseconds from the first block to the end of the last.
    pub fn duration_ms(&self) -> u64 {
        self.tracks.end_ms()
    }

    /// Writes what waits. After an error the file may end with a part of it: see
    /// [`FileWriter::into_storage`].
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.pending.is_empty() {
            write_all_at(&mut self.storage, &self.pending, self.written)?;
            self.written += self.pending.len() as u64;
            self.pending.clear();
            // What a slow disk let come together is rare.
            if self.pending.capacity() > PENDING_KEPT {
                self.pending = BytesMut::new();
            }
        }
        for (at, size) in mem::take(&mut self.ended) {
            write_all_at(&mut self.storage, &known_size(size), at + 4)?;
        }
        Ok(())
    }

    /// Returns once all is on disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.storage.sync()
    }

    /// Gives the file up as it is. [`super::cut_off()`] finds what of it is whole.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Makes the file seekable. A crash at any moment leaves it whole but unfinished.
    pub fn finish(mut self) -> io::Result<Finished> {
        self.end_cluster();
        self.flush()?;
        let cues_at = self.write_cues()?;
        let segment_at = self.places.segment_at();
        if let Some(cues_at) = cues_at {
            let entry = seek(ElementId::CUES, cues_at - segment_at);
            write_all_at(&mut self.storage, &entry, self.places.seek_cues_at)?;
        }
        // A Duration must be above zero (RFC 9559, section 5.1.2.3).
        let duration_ms = self.duration_ms().max(1);
        let element = duration(duration_ms);
        write_all_at(&mut self.storage, &element, self.places.duration_at)?;
        self.storage.sync()?;
        let segment_size = known_size(self.written - segment_at);
        write_all_at(
            &mut self.storage,
            &segment_size,
            self.places.segment_size_at,
        )?;
        self.storage.sync()?;
        Ok(Finished {
            duration_ms,
            bytes: self.written,
        })
    }

    /// Writes Cues into the reserve, or at the end where they do not fit. Where there is no room
    /// either, into the reserve as many as fit. Returns where they are.
    fn write_cues(&mut self) -> io::Result<Option<u64>> {
        if self.cues.is_empty() {
            return Ok(None);
        }
        if !self.fits_reserve() {
            match self.append_cues() {
                Ok(cues_at) => return Ok(Some(cues_at)),
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    self.storage.truncate(self.written)?;
                    while !self.fits_reserve() {
                        self.cues.thin_out();
                    }
                }
                Err(error) => return Err(error),
            }
        }
        self.write_cues_at(self.places.reserve_at)?;
        let length = self.cues.element_length(self.places.segment_at());
        let left = self.places.reserve_bytes - length;
        if left > 0 {
            let void_at = self.places.reserve_at + length;
            write_all_at(&mut self.storage, &void_head(left), void_at)?;
        }
        Ok(Some(self.places.reserve_at))
    }

    /// A Void takes two bytes at least, so one byte cannot be left over.
    fn fits_reserve(&self) -> bool {
        let length = self.cues.element_length(self.places.segment_at());
        length == self.places.reserve_bytes || length + 2 <= self.places.reserve_bytes
    }

    fn append_cues(&mut self) -> io::Result<u64> {
        let cues_at = self.written;
        self.written = self.write_cues_at(cues_at).inspect_err(|_| {
            self.written = cues_at;
        })?;
        Ok(cues_at)
    }

    /// Returns where they end.
    fn write_cues_at(&mut self, mut at: u64) -> io::Result<u64> {
        let segment_at = self.places.segment_at();
        let (cues, storage) = (&self.cues, &mut self.storage);
        cues.write(segment_at, self.tracks.cue_track, |piece| {
            write_all_at(storage, piece, at)?;
            at += piece.len() as u64;
            io::Result::Ok(())
        })?;
        Ok(at)
    }
}

fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "a chunk is not made of Clusters and blocks",
    )
}

/// Takes a Timestamp element from the front.
pub(super) fn take_timestamp(bytes: &mut Bytes) -> Option<u64> {
    let HeadParse::Complete(head) = read_head(bytes) else {
        return None;
    };
    let end = usize::try_from(head.size?).ok()?.checked_add(head.length)?;
    let payload = bytes.get(head.length..end)?;
    let timestamp_ms = read_uint(payload).filter(|_| head.id == ElementId::TIMESTAMP)?;
    bytes.advance(end);
    Some(timestamp_ms)
}

/// The block that a Cluster begins with.
fn first_block(bytes: &Bytes) -> Option<RawBlock> {
    let HeadParse::Complete(head) = read_head(bytes) else {
        return None;
    };
    let end = usize::try_from(head.size?).ok()?.checked_add(head.length)?;
    (end <= bytes.len()).then(|| read_block(head.id, &bytes.slice(..end), head.length))?
}

/// A whole element, if it is a block.
pub(super) fn read_block(id: ElementId, element: &Bytes, head_length: usize) -> Option<RawBlock> {
    match id {
        ElementId::SIMPLE_BLOCK => read_simple_block(element.clone(), head_length),
        ElementId::BLOCK_GROUP => read_block_group(element.clone(), head_length),
        _ => None,
    }
}

/// How far each track has come.
#[derive(Debug)]
pub struct Tracks {
    ends: Vec<TrackEnd>,
    /// The number of the track whose keyframes are cues: of the first picture, or sound.
    pub cue_track: u8,
    has_video: bool,
}

#[derive(Debug, Clone, Copy)]
struct TrackEnd {
    default_duration_ms: Option<u64>,
    /// `None` before the first block.
    latest_ms: Option<i64>,
    /// The last distance between two blocks.
    step_ms: u64,
}

impl Tracks {
    /// Numbered from 1, as our own files have them.
    pub fn new(tracks: &[Track]) -> Tracks {
        let ends = tracks.iter().map(|track| TrackEnd {
            default_duration_ms: track.default_duration_ns.map(|ns| ns.div_ceil(1_000_000)),
            latest_ms: None,
            step_ms: 0,
        });
        let video = crate::webm::tracks::first_video(tracks);
        Tracks {
            ends: ends.collect(),
            cue_track: video.map_or(1, |index| index as u8 + 1),
            has_video: video.is_some(),
        }
    }

    pub fn is_known(&self, track_number: u64) -> bool {
        (1..=self.ends.len() as u64).contains(&track_number)
    }

    /// Whether a Cluster that begins with this block is a place to seek to.
    pub fn is_cue(&self, block: &RawBlock) -> bool {
        !self.has_video || (block.keyframe && block.track_number == u64::from(self.cue_track))
    }

    pub fn note(&mut self, block: &RawBlock, cluster_ms: u64) {
        let index = block.track_number.wrapping_sub(1);
        let end = usize::try_from(index)
            .ok()
            .and_then(|index| self.ends.get_mut(index));
        let Some(end) = end else { return };
        let cluster_ms = i64::try_from(cluster_ms).unwrap_or(i64::MAX);
        let at_ms = cluster_ms.saturating_add(block.relative.into());
        match end.latest_ms {
            Some(latest_ms) if at_ms <= latest_ms => {}
            latest_ms => {
                end.step_ms = latest_ms.map_or(0, |latest_ms| at_ms.abs_diff(latest_ms));
                end.latest_ms = Some(at_ms);
            }
        }
    }

    /// Where the last block ends. Its own length is that of its track, or what the one before had.
    fn end_ms(&self) -> u64 {
        let ends = self.ends.iter().filter_map(|end| {
            let latest_ms = u64::try_from(end.latest_ms?).unwrap_or(0);
            /// A pause before the last block says nothing about its length.
            const STEP_MS_MAX: u64 = 1000;
            let step_ms = end.default_duration_ms.unwrap_or(end.step_ms);
            Some(latest_ms.saturating_add(step_ms.min(STEP_MS_MAX)))
        });
        ends.max().unwrap_or(0)
    }
}

const _: () = assert!(UNKNOWN_SIZE.len() as u64 + 4 == CLUSTER_HEAD);
