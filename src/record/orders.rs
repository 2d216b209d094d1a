//! What the hub says to the recording thread, and what it hears.

use crate::stream::Chunk;
use crate::webm::Recording;
use std::sync::Arc;

/// What is to be done for one stream.
#[derive(Debug, Clone)]
pub struct Order {
    pub stream: Arc<str>,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    /// The chunks that follow have these tracks. A recording with others ends.
    Tracks(Box<Recording>),
    /// The next chunk of the stream. Others may be missing before one that is a join point.
    Chunk(Chunk),
    /// The publisher is gone, and may come back.
    Left,
    /// The recording ends, and no more chunks follow.
    End,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    pub stream: Arc<str>,
    pub what: Event,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A file is being written. Its first chunk came at this time, and has this init segment.
    Began { came_ms: u64, generation: u32 },
    /// It is finished.
    Ended {
        file: String,
        duration_ms: u64,
        bytes: u64,
    },
    /// One that was cut off before this process started is finished.
    Recovered {
        file: String,
        duration_ms: u64,
        bytes: u64,
    },
    /// It cannot be written, for this reason. The next try is a minute later.
    Failed(String),
    /// The publisher left, and no file is open that it could come back to.
    Idle,
}
