//! The place of a viewer that watches behind live: in a recording, then in the ring.
//!
//! ```text
//! recording  … [GOP][GOP][GOP][GOP]
//!                    │ Replay │
//! ring                   [GOP][GOP][newest GOP]
//!                             └─ `follows`: the same chunk, by its sequence
//! ```

use super::{Cursor, Next, Position};
use crate::stream::{Chunk, ChunkKind, Ring, Stream};
use std::collections::VecDeque;

/// Chunks of a recording that a viewer is given before it goes on in the ring.
#[derive(Debug)]
pub struct Replay {
    chunks: VecDeque<Chunk>,
    /// Number of the first in `chunks`.
    oldest: u64,
    /// The sequence of the chunk behind the last, where it is known.
    follows: Option<u64>,
    /// Whether media are missing before the first chunk.
    is_behind_gap: bool,
}

impl Replay {
    pub fn new(chunks: VecDeque<Chunk>, follows: Option<u64>, is_behind_gap: bool) -> Replay {
        Replay {
            chunks,
            oldest: 0,
            follows,
            is_behind_gap,
        }
    }

    /// Lets go of the chunks that the viewer has.
    pub fn shorten(&mut self, cursor: Cursor) {
        if let Position::Replaying { next, .. } = cursor.position {
            while self.oldest < next && self.chunks.pop_front().is_some() {
                self.oldest += 1;
                self.is_behind_gap = false;
            }
        }
    }

    /// Bytes of memory that it takes.
    pub fn memory(&self) -> usize {
        let chunks = self.chunks.iter();
        chunks
            .map(|chunk| chunk.framed.memory() + size_of::<Chunk>())
            .sum()
    }

    fn chunk(&self, number: u64) -> Option<&Chunk> {
        let index = usize::try_from(number.checked_sub(self.oldest)?).ok()?;
        self.chunks.get(index)
    }
}

/// Why a viewer behind live gets nothing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The next chunk is due at this time, by the catalog's clock.
    Paced { due_ms: u64 },
    /// The ring has lost this chunk: a recording may have it.
    Missing { sequence: u64 },
    /// The replay is over, and what follows is not in the ring.
    Replayed,
    /// The recording that it is to be given has another init segment than the stream.
    Outdated,
}

impl Cursor {
    /// A viewer that has nothing yet, and begins with this chunk of the ring.
    pub fn at(sequence: u64) -> Cursor {
        Cursor {
            position: Position::At {
                next: sequence,
                seen_ms: 0,
            },
            generation: 0,
        }
    }

    /// Goes on with the first chunk of a replay.
    pub fn replay(&mut self) {
        self.position = Position::Replaying {
            next: 0,
            seen_ms: self.seen_ms(),
        };
    }

    /// Whether it is given chunks of a recording.
    pub fn is_replaying(&self) -> bool {
        matches!(self.position, Position::Replaying { .. })
    }

    /// Whether the ring has its next chunk.
    pub fn is_in(&self, ring: &Ring) -> bool {
        matches!(self.position, Position::At { next, .. } if ring.chunk(next).is_some())
    }

    /// Whether it has had all that is in the ring.
    pub fn has_all(&self, ring: &Ring) -> bool {
        matches!(self.position, Position::At { next, .. } if next >= ring.live_edge())
    }

    /// What is next for it is lost: it skips to the newest join point.
    pub fn skip(&mut self) {
        self.lose(self.seen_ms());
    }

    pub(super) fn lose(&mut self, seen_ms: u64) {
        self.position = if self.has_begun() {
            Position::Overtaken {
                seen_ms,
                told_ms: None,
            }
        } else {
            Position::Joining { earliest: 0 }
        };
    }

    fn seen_ms(&self) -> u64 {
        match self.position {
            Position::Joining { .. } => 0,
            Position::Overtaken { seen_ms, .. }
            | Position::At { seen_ms, .. }
            | Position::Replaying { seen_ms, .. } => seen_ms,
        }
    }

    /// The chunk that is next for it, if it is there.
    pub fn ahead<'a>(&self, stream: &'a Stream, replay: Option<&'a Replay>) -> Option<&'a Chunk> {
        match self.position {
            Position::Joining { .. } | Position::Overtaken { .. } => None,
            Position::At { next, .. } => stream.ring().chunk(next),
            Position::Replaying { next, .. } => {
                let replay = replay?;
                let in_ring = || stream.ring().chunk(replay.follows?);
                replay.chunk(next).or_else(in_ring)
            }
        }
    }

    /// The next thing for a viewer behind live, which is not skipped for that.
    pub fn next_behind<'a>(
        &mut self,
        stream: &'a Stream,
        replay: Option<&'a Replay>,
    ) -> Result<Next<'a>, Held> {
        loop {
            match self.position {
                Position::Joining { .. } | Position::Overtaken { .. } => {
                    return Ok(self.next(stream));
                }
                Position::At { next, seen_ms } => {
                    let Some(chunk) = stream.ring().chunk(next) else {
                        if next < stream.ring().oldest() {
                            return Err(Held::Missing { sequence: next });
                        }
                        return Ok(Next::Wait);
                    };
                    if chunk.kind != ChunkKind::Init && chunk.generation != self.generation {
                        if let Some(init) = self.take_init(chunk, stream) {
                            return Ok(Next::Init(init));
                        }
                        // Of tracks that are gone: it begins with those that came after them.
                        self.position = Position::At {
                            next: next + 1,
                            seen_ms,
                        };
                        continue;
                    }
                    self.position = Position::At {
                        next: next + 1,
                        seen_ms: chunk.timestamp_ms,
                    };
                    if chunk.kind == ChunkKind::Init {
                        self.generation = chunk.generation;
                        return Ok(Next::Init(chunk));
                    }
                    return Ok(Next::Chunk(chunk));
                }
                Position::Replaying { next, seen_ms } => {
                    let Some(chunk) = replay.and_then(|replay| replay.chunk(next)) else {
                        let follows = replay.and_then(|replay| replay.follows);
                        let ring = stream.ring();
                        let is_there =
                            |sequence: &u64| (ring.oldest()..=ring.live_edge()).contains(sequence);
                        let sequence = follows.filter(is_there).ok_or(Held::Replayed)?;
                        self.position = Position::At {
                            next: sequence,
                            seen_ms,
                        };
                        continue;
                    };
                    let is_behind_gap = replay.is_some_and(|replay| replay.is_behind_gap);
                    // One that has been told has seen what comes before the first chunk.
                    let is_told = seen_ms == chunk.timestamp_ms;
                    if is_behind_gap && next == 0 && !is_told && self.has_begun() {
                        self.position = Position::Replaying {
                            next,
                            seen_ms: chunk.timestamp_ms,
                        };
                        return Ok(Next::Skip {
                            from_ms: seen_ms,
                            to_ms: chunk.timestamp_ms,
                        });
                    }
                    if chunk.generation != self.generation {
                        let init = self.take_init(chunk, stream).ok_or(Held::Outdated)?;
                        return Ok(Next::Init(init));
                    }
                    self.position = Position::Replaying {
                        next: next + 1,
                        seen_ms: chunk.timestamp_ms,
                    };
                    return Ok(Next::Chunk(chunk));
                }
            }
        }
    }

    /// The init segment that a chunk needs, if it is the stream's.
    fn take_init<'a>(&mut self, chunk: &Chunk, stream: &'a Stream) -> Option<&'a Chunk> {
        let init = &stream.init()?.chunk;
        let is_its = init.generation == chunk.generation;
        is_its.then(|| {
            self.generation = init.generation;
            init
        })
    }
}
