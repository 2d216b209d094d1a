//! One publisher's way in: its bytes become chunks in the ring.

use super::interleave::Interleaver;
use super::{ChunkKind, Limits, Stream};
use crate::protocol::framing::Framer;
use crate::webm::{Block, CLUSTER_HEAD_MAX, Event, Segmenter, WebmError};
use bytes::Bytes;

/// Bytes after which a chunk is closed although more whole blocks are there, so that a large
/// message does not become one large step in the ring.
const CHUNK_BYTES_MAX: usize = 256 << 10;

/// Milliseconds of an audio-only stream in one Cluster. Any of its blocks is a join point; this
/// keeps Cluster heads rare, and gives a newcomer something to start from.
const AUDIO_GOP_MS: u64 = 1000;

/// Cuts a publisher's bytes and adds them to its stream.
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
    /// Blocks that will be the next chunk: one allocation, used again for each.
    waiting: Vec<Placed>,
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
            waiting: Vec::new(),
            waiting_bytes: 0,
        }
    }

    /// Adds the publisher's next bytes to `stream`: every block whose last byte is there goes
    /// into the ring at once. On an error, all that was whole before it has gone in.
    pub fn push(&mut self, bytes: Bytes, stream: &mut Stream) -> Result<(), WebmError> {
        self.segmenter.push(bytes);
        let result = self.drain(stream);
        self.close_chunk(stream);
        result
    }

    /// No more bytes are coming. Viewers never see a block that is not whole; the publisher may want to
    /// know. A publisher that stops in the middle of a file, behind a whole block, has ended well.
    pub fn finish(&self) -> Result<(), WebmError> {
        match self.segmenter.is_between_blocks() {
            true => Ok(()),
            false => Err(WebmError::BrokenOff {
                offset: self.segmenter.received(),
            }),
        }
    }

    fn drain(&mut self, stream: &mut Stream) -> Result<(), WebmError> {
        while let Some(event) = self.segmenter.poll()? {
            match event {
                Event::Recording(recording) => {
                    self.flush(stream);
                    self.interleaver.begin(&recording);
                    self.track_numbers = stream.begin_recording(&recording);
                    self.video = self.viewed_video(stream);
                    self.has_begun = false;
                    self.gop_ms = None;
                }
                // Nothing can be decoded before the first keyframe.
                Event::Block(block) if !self.has_begun && !self.is_keyframe(&block) => {}
                Event::Block(block) => {
                    self.has_begun = true;
                    if let Some(block) = self.interleaver.push(block) {
                        self.add(block, stream);
                    }
                    while let Some(block) = self.interleaver.poll() {
                        self.add(block, stream);
                    }
                }
                Event::Cluster(_) | Event::Stray { .. } => {}
            }
        }
        Ok(())
    }

    /// The recording is over, or its publisher gone: what waited for other tracks goes out.
    pub fn flush(&mut self, stream: &mut Stream) {
        while let Some(block) = self.interleaver.poll_rest() {
            self.add(block, stream);
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
