//! One publisher's way in: its bytes become chunks in the ring.

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
    /// Per track of the recording, the number that viewers know it by.
    track_numbers: Vec<u8>,
    /// The track whose keyframes are join points; `None` for sound alone.
    video: Option<usize>,
    /// Timestamp of the open GOP; `None` until the recording's first keyframe.
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
            track_numbers: Vec::new(),
            video: None,
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
        while let Some(event) = self.segmenter.poll()? {
            match event {
                Event::Recording(recording) => {
                    self.close_chunk(stream);
                    self.video = recording.video();
                    self.track_numbers = stream.begin_recording(&recording);
                    self.gop_ms = None;
                }
                Event::Block(block) => self.add(block, stream),
                Event::Cluster(_) | Event::Stray { .. } => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, block: Block, stream: &mut Stream) {
        let is_keyframe = match self.video {
            Some(video) => block.track == video && block.keyframe,
            None => true,
        };
        if self.gop_ms.is_none() && !is_keyframe {
            // Nothing can be decoded before the first keyframe.
            return;
        }
        let track_number = self.track_numbers[block.track];
        let timestamp_ms = stream.timeline.place(track_number, block.timestamp_ms);
        let opens_gop = is_keyframe
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
