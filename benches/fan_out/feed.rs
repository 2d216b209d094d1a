//! What a publisher sends, and what each viewer is given for it.

use super::workload::{recording, simple_block};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use videostream::fuzzing::{Given, drain};
use videostream::stream::{Cursor, Ingest, Limits, Stream};
use videostream::webm::{ClusterWriter, Placement};

/// 100 ms at 2.5 Mbit/s, but for the head of a Cluster once a second.
pub const CHUNK_BYTES: usize = 31_250;

/// Frames of a chunk, 33 ms each.
const FRAMES: u64 = 3;

/// Chunks from one keyframe to the next: about a second.
const GOP_CHUNKS: u64 = 10;

/// Endless VP8. A stream of the server's own kind tells what becomes of it.
pub struct Feed {
    clusters: ClusterWriter,
    chunks: u64,
    ingest: Ingest,
    stream: Stream,
    viewer: Cursor,
}

pub struct Chunk {
    /// The publisher's message.
    pub sent: Bytes,
    /// The WebSocket frame that becomes of it; two the first time, for the init segment.
    pub given: Bytes,
}

impl Feed {
    pub fn new() -> Feed {
        let mut stream = Stream::new(Arc::from("bench"), Limits::default());
        stream.go_live();
        Feed {
            clusters: ClusterWriter::new(),
            chunks: 0,
            ingest: Ingest::new(Limits::default()),
            stream,
            viewer: Cursor::join(),
        }
    }

    pub fn next(&mut self) -> Chunk {
        let mut bytes = BytesMut::new();
        if self.chunks == 0 {
            let recording = recording("chromium-vp8-only-100ms");
            bytes.extend_from_slice(&recording.init_segment());
        }
        let is_gop = self.chunks.is_multiple_of(GOP_CHUNKS);
        for frame in 0..FRAMES {
            let is_keyframe = is_gop && frame == 0;
            // Nine bytes are the element's and the block's heads.
            let length = CHUNK_BYTES / FRAMES as usize - 9;
            let payload = (0..=u8::MAX).cycle().take(length);
            let element = simple_block(is_keyframe, payload, length);
            let timestamp_ms = (self.chunks * FRAMES + frame) * 33;
            let placement = Placement {
                track_number: 1,
                timestamp_ms,
                opens_cluster: is_keyframe,
            };
            self.clusters.write(&mut bytes, &element, placement);
        }
        self.chunks += 1;
        let sent = bytes.freeze();
        let pushed = self.ingest.push(sent.clone(), &mut self.stream);
        pushed.expect("a good recording");
        let given = drain(&mut self.viewer, &self.stream);
        let frames = given.iter().map(|given| match given {
            Given::Init(chunk) | Given::Chunk(chunk) => chunk.framed.websocket(),
            Given::Skip { .. } => unreachable!("it takes each chunk at once"),
        });
        let given = Bytes::from(frames.collect::<Vec<_>>().concat());
        Chunk { sent, given }
    }
}
