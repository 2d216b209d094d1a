//! One viewer's place in a stream: join, next, skip.

mod behind;

pub use behind::{Held, Replay};

use super::{Chunk, ChunkKind, Stream};

/// Where a viewer stands. Small and `Copy`, so that what was not written can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    position: Position,
    /// The init segment it has; 0 for none.
    generation: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// Waits for a join point, of sequence `earliest` at least.
    Joining { earliest: u64 },
    /// The same, since the ring overtook it at `seen_ms`. The last `Skip` that it was given leads to `told_ms`.
    /// If a newer join point comes before the next chunk goes out, it is given another `Skip`.
    Overtaken { seen_ms: u64, told_ms: Option<u64> },
    /// `next` is the sequence of the chunk to come, `seen_ms` the timestamp of the last one.
    At { next: u64, seen_ms: u64 },
    /// Is given chunks of a recording, `next` by number.
    Replaying { next: u64, seen_ms: u64 },
}

/// What a viewer is to be given now. Asking moves the cursor past it.
#[derive(Debug)]
pub enum Next<'a> {
    /// Nothing new.
    Wait,
    /// An init segment, other than the one it has.
    Init(&'a Chunk),
    Chunk(&'a Chunk),
    /// It was overtaken: the next chunk is of a newer GOP.
    Skip {
        from_ms: u64,
        to_ms: u64,
    },
}

impl Cursor {
    /// A viewer that has nothing yet begins with the newest GOP.
    #[cfg(any(test, feature = "testing"))]
    pub fn join() -> Cursor {
        Cursor {
            position: Position::Joining { earliest: 0 },
            generation: 0,
        }
    }

    /// A new viewer. While the publisher is gone, what is in the ring is over: the viewer
    /// waits for what comes after it.
    pub fn join_now(stream: &Stream) -> Cursor {
        let earliest = if stream.is_live() {
            0
        } else {
            stream.ring().live_edge()
        };
        Cursor {
            position: Position::Joining { earliest },
            generation: 0,
        }
    }

    /// The init segment that it has; 0 for none.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether it has been given an init segment.
    pub fn has_begun(&self) -> bool {
        self.generation != 0
    }

    /// Whether it waits for a keyframe, although the stream is live.
    #[cfg(any(test, feature = "testing"))]
    pub fn is_joining(&self) -> bool {
        matches!(
            self.position,
            Position::Joining { .. } | Position::Overtaken { .. }
        )
    }

    /// Chunks between it and the live edge; 0 while it joins.
    #[cfg(any(test, feature = "testing"))]
    pub fn behind(&self, stream: &Stream) -> u64 {
        match self.position {
            Position::Joining { .. } | Position::Overtaken { .. } | Position::Replaying { .. } => 0,
            Position::At { next, .. } => stream.ring().live_edge().saturating_sub(next),
        }
    }

    /// The number of chunks from here to the live edge, which a viewer gets without a wait; `None` where some
    /// of them are in a recording.
    pub fn backlog(&self, stream: &Stream) -> Option<u64> {
        let ring = stream.ring();
        let next = match self.position {
            Position::Joining { .. } | Position::Overtaken { .. } => ring.join_point()?,
            Position::At { next, .. } => next,
            Position::Replaying { .. } => return None,
        };
        Some(ring.live_edge().saturating_sub(next))
    }

    /// The sequence of the chunk that it was given last; `None` while it joins.
    pub fn taken(&self) -> Option<u64> {
        match self.position {
            Position::Joining { .. } | Position::Overtaken { .. } | Position::Replaying { .. } => {
                None
            }
            Position::At { next, .. } => next.checked_sub(1),
        }
    }

    /// The next thing for this viewer, in order.
    pub fn next<'a>(&mut self, stream: &'a Stream) -> Next<'a> {
        loop {
            match self.position {
                Position::Joining { .. } | Position::Overtaken { .. } => {
                    let earliest = match self.position {
                        Position::Joining { earliest } => earliest,
                        _ => 0,
                    };
                    let ring = stream.ring();
                    let join_point = ring.join_point().filter(|&point| point >= earliest);
                    let (Some(join_point), Some(init)) = (join_point, stream.init()) else {
                        return Next::Wait;
                    };
                    let to_ms = ring.chunk(join_point).map_or(0, |chunk| chunk.timestamp_ms);
                    if let Position::Overtaken { seen_ms, told_ms } = self.position
                        && told_ms != Some(to_ms)
                    {
                        self.position = Position::Overtaken {
                            seen_ms,
                            told_ms: Some(to_ms),
                        };
                        return Next::Skip {
                            from_ms: seen_ms,
                            to_ms,
                        };
                    }
                    if self.generation != init.chunk.generation {
                        self.generation = init.chunk.generation;
                        return Next::Init(&init.chunk);
                    }
                    self.position = Position::At {
                        next: join_point,
                        seen_ms: to_ms,
                    };
                }
                Position::At { next, seen_ms } => {
                    if stream.has_overtaken(next) {
                        self.position = Position::Overtaken {
                            seen_ms,
                            told_ms: None,
                        };
                        continue;
                    }
                    let Some(chunk) = stream.ring().chunk(next) else {
                        return Next::Wait;
                    };
                    self.position = Position::At {
                        next: next + 1,
                        seen_ms: chunk.timestamp_ms,
                    };
                    if chunk.kind == ChunkKind::Init {
                        self.generation = chunk.generation;
                        return Next::Init(chunk);
                    }
                    return Next::Chunk(chunk);
                }
                // Only of a viewer behind live: see `next_behind`.
                Position::Replaying { seen_ms, .. } => self.lose(seen_ms),
            }
        }
    }
}
