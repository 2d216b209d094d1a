//! One publisher's way in: its bytes become chunks in the ring.

use super::interleave::Interleaver;
use super::{ChunkKind, Limits, Stream};
use crate::protocol::framing::Framer;
use crate::webm::{Block, CLUSTER_HEAD_MAX, Event, Recording, Segmenter, WebmError};
use bytes::Bytes;

/// Bytes after which a chunk is closed although more whole blocks are there, so that a large
/// message does not become one large step in the ring.
const CHUNK_BYTES_MAX: usize = 256 << 10;

/// Milliseconds of an audio-only stream in one Cluster. Any of its blocks is a join point; this
/// keeps Cluster heads rare, and gives a newcomer something to start from.
const AUDIO_GOP_MS: u64 = 1000;

/// Cuts a publisher's bytes and adds them to its stream.
///
/// That of a candidate leaves the stream alone until [`Ingest::is_ready`]: then
/// [`Ingest::go_on_air`] adds what it has, and all that follows.
#[derive(Debug)]
pub struct Ingest {
    /// Of a candidate, what it will begin with; `None` on air.
    opening: Option<Opening>,
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
    /// Blocks that will be the next chunk: one allocation, used again for each.
    waiting: Vec<Placed>,
    waiting_bytes: usize,
}

/// What a candidate has so far. Holds one recording's head and one block, each within its limit:
/// nothing can be decoded before the first keyframe, and nothing behind it is read yet.
#[derive(Debug, Default)]
struct Opening {
    recording: Option<Recording>,
    /// Whether blocks came that nothing can be decoded from.
    has_passed_over: bool,
    /// The first that is passed on.
    block: Option<Block>,
}

#[derive(Debug)]
struct Placed {
    block: Block,
    timestamp_ms: u64,
    opens_gop: bool,
}

impl Ingest {
    /// Adds to its stream from the first byte.
    pub fn new(limits: Limits) -> Ingest {
        Ingest {
            opening: None,
            segmenter: Segmenter::new(limits.webm),
            interleaver: Interleaver::default(),
            track_numbers: Vec::new(),
            video: None,
            has_begun: false,
            gop_ms: None,
            waiting: Vec::new(),
            waiting_bytes: 0,
        }
    }

    /// Leaves its stream alone until it goes on air.
    pub fn candidate(limits: Limits) -> Ingest {
        Ingest {
            opening: Some(Opening::default()),
            ..Ingest::new(limits)
        }
    }

    /// Whether it has not gone on air.
    pub fn is_candidate(&self) -> bool {
        self.opening.is_some()
    }

    /// Whether a candidate has its first media: an init segment and one block that is passed on.
    pub fn is_ready(&self) -> bool {
        let opening = self.opening.as_ref();
        opening.is_some_and(|opening| opening.block.is_some())
    }

    /// Whether a candidate's blocks come, but no keyframe is among them.
    pub fn wants_keyframe(&self) -> bool {
        let opening = self.opening.as_ref();
        opening.is_some_and(|opening| opening.has_passed_over && opening.block.is_none())
    }

    /// A candidate that is ready adds what it has to `stream`, which is live with it by now.
    pub fn go_on_air(&mut self, stream: &mut Stream) -> Result<(), WebmError> {
        let Some(opening) = self.opening.take() else {
            return Ok(());
        };
        if let Some(recording) = &opening.recording {
            self.begin(recording, stream);
        }
        if let Some(block) = opening.block {
            self.take(block, stream);
        }
        let result = self.drain(stream);
        self.close_chunk(stream);
        result
    }

    /// Adds the publisher's next bytes to `stream`: every block whose last byte is there goes
    /// into the ring at once. On an error, all that was whole before it has gone in.
    pub fn push(&mut self, bytes: Bytes, stream: &mut Stream) -> Result<(), WebmError> {
        self.segmenter.push(bytes);
        let result = self.drain(stream);
        self.close_chunk(stream);
        result
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

    fn drain(&mut self, stream: &mut Stream) -> Result<(), WebmError> {
        while !self.is_ready()
            && let Some(event) = self.segmenter.poll()?
        {
            match (event, &mut self.opening) {
                (Event::Recording(recording), None) => self.begin(&recording, stream),
                (Event::Recording(recording), Some(opening)) => {
                    self.video = viewed_video(&recording, stream);
                    opening.has_passed_over = false;
                    opening.recording = Some(recording);
                }
                (Event::Block(block), None) => self.take(block, stream),
                (Event::Block(block), Some(opening)) => match is_keyframe(&block, self.video) {
                    true => opening.block = Some(block),
                    false => opening.has_passed_over = true,
                },
                (Event::Cluster(_) | Event::Stray { .. }, _) => {}
            }
        }
        Ok(())
    }

    /// A recording begins.
    fn begin(&mut self, recording: &Recording, stream: &mut Stream) {
        self.flush(stream);
        self.interleaver.begin(recording);
        self.video = viewed_video(recording, stream);
        self.track_numbers = stream.begin_recording(recording);
        self.has_begun = false;
        self.gop_ms = None;
    }

    /// Takes the next block.
    fn take(&mut self, block: Block, stream: &mut Stream) {
        // Nothing can be decoded before the first keyframe.
        if !self.has_begun && !self.is_keyframe(&block) {
            return;
        }
        self.has_begun = true;
        if let Some(block) = self.interleaver.push(block) {
            self.add(block, stream);
        }
        while let Some(block) = self.interleaver.poll() {
            self.add(block, stream);
        }
    }

    /// The recording is over, or its publisher gone: what waited for other tracks goes out.
    pub fn flush(&mut self, stream: &mut Stream) {
        while let Some(block) = self.interleaver.poll_rest() {
            self.add(block, stream);
        }
        self.close_chunk(stream);
    }

    fn is_keyframe(&self, block: &Block) -> bool {
        is_keyframe(block, self.video)
    }

    fn add(&mut self, block: Block, stream: &mut Stream) {
        let track_number = self.track_numbers[block.track];
        let timestamp_ms = stream.timeline.place(track_number, block.timestamp_ms);
        let opens_gop = self.is_keyframe(&block)
            && match (self.video, self.gop_ms) {
                (Some(_), _) | (None, None) => true,
                (None, Some(gop_ms)) => timestamp_ms >= gop_ms + AUDIO_GOP_MS,
            };
        if opens_gop || self.waiting_bytes >= CHUNK_BYTES_MAX {
            self.close_chunk(stream);
        }
        if opens_gop {
            self.gop_ms = Some(timestamp_ms);
        }
        self.waiting_bytes += block.element.bytes.len();
        self.waiting.push(Placed {
            block,
            timestamp_ms,
            opens_gop,
        });
    }

    /// Puts the waiting blocks into the ring as one chunk: the only copy of media there is.
    fn close_chunk(&mut self, stream: &mut Stream) {
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

/// The track of a recording that viewers know as their first of video, or will know. Of two, one
/// that goes on with a stream may name the other first.
fn viewed_video(recording: &Recording, stream: &Stream) -> Option<usize> {
    let (Some(init), Some(numbers)) = (stream.init(), stream.continued_by(recording)) else {
        return recording.video();
    };
    let viewed = init.recording.video()?;
    numbers
        .iter()
        .position(|&number| usize::from(number) == viewed + 1)
}

/// Whether a decoder can start with this block. Of sound, with any.
fn is_keyframe(block: &Block, video: Option<usize>) -> bool {
    video.is_none_or(|video| block.track == video && block.keyframe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Cursor, Next};
    use crate::webm::ElementId;
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

    /// All that is in the ring, and the state of the stream.
    fn aired(stream: &Stream) -> Vec<u8> {
        let ring = stream.ring();
        let chunks = (ring.oldest()..ring.live_edge()).filter_map(|sequence| ring.chunk(sequence));
        let payloads: Vec<Bytes> = chunks.map(|chunk| chunk.framed.payload()).collect();
        payloads.concat()
    }

    #[test]
    fn candidate_leaves_its_stream_alone_until_its_first_block() {
        let limits = Limits::default();
        let both = [track(1, b"V_VP8"), track(2, b"A_PCM")];
        let whole = recording(both);
        let mut straight = Stream::new(Arc::from("demo"), limits);
        straight.go_live();
        Ingest::new(limits)
            .push(whole.clone(), &mut straight)
            .unwrap();

        let mut stream = Stream::new(Arc::from("demo"), limits);
        let mut ingest = Ingest::candidate(limits);
        let mut ready_at = None;
        for at in 0..whole.len() {
            ingest.push(whole.slice(at..=at), &mut stream).unwrap();
            if ready_at.is_none() {
                assert!(aired(&stream).is_empty() && stream.init().is_none());
            }
            if ingest.is_ready() {
                ready_at = Some(at);
                stream.go_live();
                ingest.go_on_air(&mut stream).unwrap();
                assert!(!ingest.is_candidate());
            }
        }
        // The last byte of the first block: another of 7 bytes follows.
        assert_eq!(ready_at, Some(whole.len() - 8));
        assert_eq!(aired(&stream), aired(&straight));

        // All at once, what is behind the first block comes with it.
        let mut stream = Stream::new(Arc::from("demo"), limits);
        let mut ingest = Ingest::candidate(limits);
        ingest.push(whole, &mut stream).unwrap();
        assert!(ingest.is_ready() && aired(&stream).is_empty());
        stream.go_live();
        ingest.go_on_air(&mut stream).unwrap();
        assert_eq!(aired(&stream), aired(&straight));
    }

    #[test]
    fn only_the_init_segment_of_a_takeover_says_so() {
        let limits = Limits::default();
        let mut stream = Stream::new(Arc::from("demo"), limits);
        let vp8 = || track(1, b"V_VP8");
        for second in [b"V_VP9", b"A_PCM", b"A_PCM"] {
            let mut ingest = Ingest::candidate(limits);
            let tracks = [vp8(), track(2, second)];
            ingest.push(recording(tracks), &mut stream).unwrap();
            stream.go_live();
            ingest.go_on_air(&mut stream).unwrap();
        }
        let ring = stream.ring();
        let chunks = (0..ring.live_edge()).filter_map(|sequence| ring.chunk(sequence));
        let inits: Vec<bool> = chunks
            .filter(|chunk| chunk.kind == ChunkKind::Init)
            .map(|chunk| chunk.takes_over)
            .collect();
        // The third goes on with the tracks of the second.
        assert_eq!(inits, [false, true]);
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
}
