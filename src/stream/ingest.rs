//! One publisher's way in: its bytes become chunks in the ring.

use super::interleave::Interleaver;
use super::{ChunkKind, Limits, Stream};
use crate::protocol::framing::Framer;
use crate::webm::{Block, CLUSTER_HEAD_MAX, Event, Segmenter, WebmError};
use crate::work::{self, Work};
use bytes::Bytes;

/// Bytes after which a chunk is closed although more whole blocks are there, so that a large
/// message does not become one large step in the ring.
const CHUNK_BYTES_MAX: usize = 256 << 10;

/// The same for many small blocks.
const CHUNK_BLOCKS_MAX: usize = 1024;

/// Milliseconds of an audio-only stream in one Cluster. Any of its blocks is a join point; this
/// keeps Cluster heads rare, and gives a newcomer something to start from.
const AUDIO_GOP_MS: u64 = 1000;

/// Milliseconds of media from one chunk that begins with a keyframe to the next, at least. A chunk for
/// each of the 256 frames that a lace may have would be much for frames of one byte. Of 200 keyframes
/// a second each still begins a chunk, and is a join point; the others are in the middle of one.
const JOIN_POINT_MS_MIN: u64 = 5;

/// Bytes after which a keyframe begins a chunk in any case, so that the ring has join points also
/// where timestamps stand still.
const JOIN_POINT_BYTES_MIN: usize = 64 << 10;

/// Cuts a publisher's bytes and adds them to its stream.
///
/// All at once with [`Ingest::push`]; or a turn's work at a time: [`Ingest::give`], then
/// [`Ingest::work`] until nothing is left, with [`Ingest::close_chunk`] at the end of each turn.
#[derive(Debug)]
pub struct Ingest {
    segmenter: Segmenter,
    interleaver: Interleaver,
    /// Per track of the recording, the number that viewers know it by.
    track_numbers: Vec<u8>,
    /// The track whose keyframes are join points; `None` for sound alone.
    video: Option<usize>,
    /// Whether the recording's first keyframe has come.
    has_begun: bool,
    /// Timestamp of the open GOP; `None` before the first.
    gop_ms: Option<u64>,
    /// Timestamp of the newest keyframe that began a chunk for being one, and bytes since then.
    join_point_ms: Option<u64>,
    join_point_bytes: usize,
    /// Blocks that will be the next chunk: one allocation, used again for each.
    waiting: Vec<Placed>,
    /// Of these, and of the heads of Clusters that they open.
    waiting_bytes: usize,
}

#[derive(Debug)]
struct Placed {
    block: Block,
    timestamp_ms: u64,
    opens_gop: bool,
}

impl Ingest {
    pub fn new(limits: Limits) -> Ingest {
        Ingest {
            segmenter: Segmenter::new(limits.webm),
            interleaver: Interleaver::default(),
            track_numbers: Vec::new(),
            video: None,
            has_begun: false,
            gop_ms: None,
            join_point_ms: None,
            join_point_bytes: 0,
            waiting: Vec::new(),
            waiting_bytes: 0,
        }
    }

    /// Adds the publisher's next bytes to `stream`: every block whose last byte is there goes
    /// into the ring at once. On an error, all that was whole before it has gone in.
    pub fn push(&mut self, bytes: Bytes, stream: &mut Stream) -> Result<(), WebmError> {
        self.give(bytes);
        let result = self.work(stream, &mut Work::unlimited());
        self.close_chunk(stream);
        result
    }

    /// Takes the publisher's next bytes, to be worked on. There must be no input left.
    pub fn give(&mut self, bytes: Bytes) {
        self.segmenter.push(bytes);
    }

    /// Whether bytes that were given wait for more work.
    pub fn has_input(&self) -> bool {
        self.segmenter.has_input()
    }

    /// Works on the bytes that were given, until none are left or `work` is spent. Where it stops
    /// changes nothing but where chunks end. After an error nothing is left.
    pub fn work(&mut self, stream: &mut Stream, work: &mut Work) -> Result<(), WebmError> {
        while let Some(event) = self.segmenter.poll_within(work)? {
            self.take(event, stream, work);
        }
        Ok(())
    }

    /// No more bytes are coming. Viewers never see an element that is not whole; the publisher may
    /// want to know.
    pub fn finish(&self) -> Result<(), WebmError> {
        match self.segmenter.is_between_elements() {
            true => Ok(()),
            false => Err(WebmError::BrokenOff {
                offset: self.segmenter.received(),
            }),
        }
    }

    fn take(&mut self, event: Event, stream: &mut Stream, work: &mut Work) {
        match event {
            Event::Recording(recording) => {
                let tracks = recording.tracks.iter();
                let private: usize = tracks.map(|track| track.codec_private.len()).sum();
                work.spend(work::RECORDING + private as u64 * work::BYTE_OF_CHILDREN);
                self.flush(stream);
                self.interleaver.begin(&recording);
                self.track_numbers = stream.begin_recording(&recording);
                self.video = self.viewed_video(stream);
                self.has_begun = false;
                self.gop_ms = None;
                self.join_point_ms = None;
            }
            // Nothing can be decoded before the first keyframe.
            Event::Block(block) if !self.has_begun && !self.is_keyframe(&block) => {}
            Event::Block(block) => {
                work.spend(work::BLOCK);
                self.has_begun = true;
                if let Some(block) = self.interleaver.push(block) {
                    self.add(block, stream, work);
                }
                while let Some(block) = self.interleaver.poll() {
                    self.add(block, stream, work);
                }
            }
            Event::Cluster(_) | Event::Stray { .. } => {}
        }
    }

    /// The recording is over, or its publisher gone: what waited for other tracks goes out.
    pub fn flush(&mut self, stream: &mut Stream) {
        while let Some(block) = self.interleaver.poll_rest() {
            self.add(block, stream, &mut Work::unlimited());
        }
        self.close_chunk(stream);
    }

    /// The track that viewers know as their first of video. Of two, this recording may name the
    /// other one first.
    fn viewed_video(&self, stream: &Stream) -> Option<usize> {
        let viewed = stream.init()?.recording.video()?;
        self.track_numbers
            .iter()
            .position(|&number| usize::from(number) == viewed + 1)
    }

    /// Whether a decoder can start with this block. Of sound, with any.
    fn is_keyframe(&self, block: &Block) -> bool {
        self.video
            .is_none_or(|video| block.track == video && block.keyframe)
    }

    fn add(&mut self, block: Block, stream: &mut Stream, work: &mut Work) {
        let track_number = self.track_numbers[block.track];
        let timestamp_ms = stream.timeline.place(track_number, block.timestamp_ms);
        let opens_gop = self.is_keyframe(&block)
            && match (self.video, self.gop_ms) {
                (Some(_), _) | (None, None) => true,
                (None, Some(gop_ms)) => timestamp_ms >= gop_ms + AUDIO_GOP_MS,
            };
        let begins_chunk = opens_gop && self.is_join_point_due(timestamp_ms);
        let is_full =
            self.waiting_bytes >= CHUNK_BYTES_MAX || self.waiting.len() >= CHUNK_BLOCKS_MAX;
        if begins_chunk || is_full {
            work.spend(work::CHUNK);
            self.close_chunk(stream);
        }
        if begins_chunk {
            self.join_point_ms = Some(timestamp_ms);
            self.join_point_bytes = 0;
        }
        if opens_gop {
            self.gop_ms = Some(timestamp_ms);
            self.waiting_bytes += CLUSTER_HEAD_MAX;
        }
        self.waiting_bytes += block.element.bytes.len();
        self.join_point_bytes += block.element.bytes.len();
        self.waiting.push(Placed {
            block,
            timestamp_ms,
            opens_gop,
        });
    }

    /// Whether a keyframe is to begin a chunk, or may stand in the middle of one.
    fn is_join_point_due(&self, timestamp_ms: u64) -> bool {
        self.join_point_bytes >= JOIN_POINT_BYTES_MIN
            || self
                .join_point_ms
                .is_none_or(|before_ms| timestamp_ms.abs_diff(before_ms) >= JOIN_POINT_MS_MIN)
    }

    /// Puts the waiting blocks into the ring as one chunk: the only copy of media there is.
    pub fn close_chunk(&mut self, stream: &mut Stream) {
        let Some(first) = self.waiting.first() else {
            return;
        };
        let timestamp_ms = first.timestamp_ms;
        let kind = match first.opens_gop {
            true => ChunkKind::JoinPoint,
            false => ChunkKind::Continuation,
        };
        let mut framer = Framer::with_capacity(self.waiting_bytes + CLUSTER_HEAD_MAX);
        for placed in self.waiting.drain(..) {
            stream.clusters.write(
                framer.payload(),
                &placed.block.element,
                self.track_numbers[placed.block.track],
                placed.timestamp_ms,
                placed.opens_gop,
            );
        }
        self.waiting_bytes = 0;
        stream.push_chunk(framer, kind, timestamp_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Cursor, Next};
    use crate::webm::ElementId;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn track(number: u8, codec_id: &[u8; 5]) -> Vec<u8> {
        let head = [0xae, 0x8d, 0xd7, 0x81, number, 0x83, 0x81, 1, 0x86, 0x85];
        [&head, &codec_id[..]].concat()
    }

    /// A recording of two tracks, in this order, with a keyframe of each, VP8 first.
    fn recording(tracks: [Vec<u8>; 2]) -> Bytes {
        [
            b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\xff\x16\x54\xae\x6b\x9e",
            &tracks.concat()[..],
            b"\x1f\x43\xb6\x75\xff\xe7\x81\x00",
            b"\xa3\x85\x81\0\0\x808",
            b"\xa3\x85\x82\0\x05\x809",
        ]
        .concat()
        .into()
    }

    #[test]
    fn two_pictures_that_change_places_keep_the_join_points_that_viewers_know() {
        let (vp8, vp9) = (track(1, b"V_VP8"), track(2, b"V_VP9"));
        let limits = Limits::default();
        let mut stream = Stream::new(Arc::from("demo"), limits);
        stream.go_live();
        for tracks in [[vp8.clone(), vp9.clone()], [vp9, vp8]] {
            let mut ingest = Ingest::new(limits);
            ingest.push(recording(tracks), &mut stream).unwrap();
        }
        let mut cursor = Cursor::join();
        let mut payloads = Vec::new();
        while let Next::Init(chunk) | Next::Chunk(chunk) = cursor.next(&stream) {
            payloads.push(chunk.framed.payload());
        }
        // The init segment, and one Cluster that opens on the VP8 keyframe of track 1.
        assert_eq!((stream.generation(), payloads.len()), (1, 2));
        let mut cluster = Vec::new();
        ElementId::CLUSTER.write(&mut cluster);
        assert!(payloads[1].starts_with(&cluster));
        assert!(payloads[1].ends_with(b"\xa3\x85\x81\0\0\x808\xa3\x85\x82\0\x05\x809"));
    }

    /// All chunks, one after another, and how many they are.
    fn ring(stream: &Stream) -> (Vec<u8>, usize) {
        let ring = stream.ring();
        let chunks = (ring.oldest()..ring.live_edge()).filter_map(|sequence| ring.chunk(sequence));
        let payloads: Vec<Bytes> = chunks.map(|chunk| chunk.framed.payload()).collect();
        (payloads.concat(), payloads.len())
    }

    fn on_air() -> Stream {
        let mut stream = Stream::new(Arc::from("demo"), Limits::default());
        stream.go_live();
        stream
    }

    /// A recording of two tracks, and laces of 256 keyframes of one byte.
    fn laces(count: usize) -> Bytes {
        let tracks = [track(1, b"V_VP8"), track(2, b"V_VP9")];
        let lace = [b"\xa3\x41\x05\x81\0\0\x84\xff", &[b'x'; 256][..]].concat();
        [&recording(tracks)[..], &lace.repeat(count)]
            .concat()
            .into()
    }

    proptest! {
        #[test]
        fn ring_is_the_same_wherever_work_stops(
            shares in prop::collection::vec(1..100_000_u64, 1..20),
            length in 0..laces(20).len(),
        ) {
            let bytes = laces(20).slice(..length);
            let mut whole = on_air();
            Ingest::new(Limits::default()).push(bytes.clone(), &mut whole).unwrap();

            let (mut stream, mut ingest) = (on_air(), Ingest::new(Limits::default()));
            ingest.give(bytes);
            for share in shares.into_iter().cycle() {
                let mut work = Work::new(share);
                ingest.work(&mut stream, &mut work).unwrap();
                ingest.close_chunk(&mut stream);
                prop_assert!(work.done() <= share + work::RECORDING + 300 * work::CHUNK);
                if !ingest.has_input() {
                    break;
                }
            }
            prop_assert_eq!(ring(&stream).0, ring(&whole).0);
        }
    }

    #[test]
    fn frames_of_a_lace_share_a_chunk_and_each_opens_a_cluster() {
        let mut stream = on_air();
        let mut ingest = Ingest::new(Limits::default());
        ingest.push(laces(4), &mut stream).unwrap();
        let (bytes, chunks) = ring(&stream);
        // Init segment, and one chunk each 1024 blocks: they are all at the same time.
        assert_eq!((chunks, stream.gops()), (3, 2));
        let clusters = bytes.windows(4).filter(|id| *id == b"\x1f\x43\xb6\x75");
        assert_eq!(clusters.count(), 4 * 256 + 1);
    }

    #[test]
    fn keyframes_of_every_frame_rate_are_join_points() {
        let mut stream = on_air();
        let mut ingest = Ingest::new(Limits::default());
        let tracks = [track(1, b"V_VP8"), track(2, b"V_VP9")];
        let mut bytes = recording(tracks).to_vec();
        // 200 keyframes a second.
        for ms in (5..505_u16).step_by(5) {
            let [high, low] = ms.to_be_bytes();
            bytes.extend([0xa3, 0x85, 0x81, high, low, 0x80, b'x']);
        }
        ingest.push(bytes.into(), &mut stream).unwrap();
        assert_eq!(stream.gops(), 101);
    }
}
