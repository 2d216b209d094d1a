//! A stream's ring and its viewers' cursors, beside a model that keeps everything for ever.

use super::recording::{Tracks, block, head};
use crate::protocol::control::OfflineReason;
use crate::stream::{Catalog, Chunk, ChunkKind, Cursor, Ingest, Limits, Next, Stream, StreamId};
use arbitrary::{Arbitrary, Result, Unstructured};
use std::time::Duration;

/// What a chunk costs beside its bytes: as `stream::ring` has it.
const CHUNK_OVERHEAD: usize = 256;

const VIEWERS_MAX: usize = 6;

/// Whatever comes into a ring, and whoever joins, reads, falls behind or goes back: the ring holds
/// what the model says, and everybody is given what the model says.
///
/// The input is a script: three bytes for the limits, then two bytes a step.
pub fn ring(input: &[u8]) {
    // Only a script that is over ends early.
    let _ = act(&mut Unstructured::new(input));
}

fn act(script: &mut Unstructured) -> Result<()> {
    let [bytes, ms, lag]: [u8; 3] = script.arbitrary()?;
    let limits = Limits {
        ring_bytes: 1 + (usize::from(bytes) << 6),
        ring_ms: u64::from(ms) * 16,
        lag_ms: u64::from(lag) * 16,
        ..Limits::default()
    };
    let mut pair = Pair::new(limits);
    while !script.is_empty() {
        pair.step(Step::arbitrary(script)?);
        pair.check_ring();
    }
    Ok(())
}

#[derive(Debug)]
enum Step {
    /// A block comes, this long.
    Block {
        is_keyframe: bool,
        length: usize,
    },
    /// Time passes in the media.
    Later(u16),
    /// Time passes.
    Wait(u64),
    Join,
    /// One viewer is given the next thing.
    Read(usize),
    ReadAll(usize),
    /// What the last reading gave was not written.
    TakeBack(usize),
    Leave,
    Come(Tracks),
    /// A new recording by the same publisher.
    Restart(Tracks),
    Forget,
}

impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(script: &mut Unstructured<'a>) -> Result<Step> {
        let [step, n]: [u8; 2] = script.arbitrary()?;
        let tracks = match n % 4 {
            0 => Tracks::Picture,
            _ => Tracks::Both,
        };
        Ok(match step % 16 {
            0..=3 => Step::Block {
                is_keyframe: false,
                length: usize::from(n) * 2,
            },
            4 | 5 => Step::Block {
                is_keyframe: true,
                length: usize::from(n) * 4,
            },
            6 => Step::Later(u16::from(n) * 8),
            7 => Step::Wait(u64::from(n) * 8),
            8 => Step::Join,
            9 | 10 => Step::Read(usize::from(n)),
            11 => Step::ReadAll(usize::from(n)),
            12 => Step::TakeBack(usize::from(n)),
            13 => Step::Leave,
            14 => Step::Come(tracks),
            _ => match n {
                0..=9 => Step::Forget,
                _ => Step::Restart(tracks),
            },
        })
    }
}

/// What a viewer is given, in words that both know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    Wait,
    /// By generation.
    Init(u32),
    /// By sequence.
    Chunk(u64),
    Skip {
        from_ms: u64,
        to_ms: u64,
    },
}

/// The stream, and the model of it.
struct Pair {
    catalog: Catalog,
    stream: StreamId,
    ingest: Option<Ingest>,
    media_ms: u16,
    model: Model,
    viewers: Vec<Viewer>,
}

/// A cursor, the model's idea of it, and both as they were before the last reading.
struct Viewer {
    cursor: Cursor,
    place: Place,
    before: (Cursor, Place),
}

impl Pair {
    fn new(limits: Limits) -> Pair {
        let mut catalog = Catalog::new(limits);
        let stream = catalog.open("demo");
        Pair {
            catalog,
            stream,
            ingest: None,
            media_ms: 0,
            model: Model::new(limits),
            viewers: Vec::new(),
        }
    }

    fn stream(&mut self) -> &mut Stream {
        self.catalog.stream_mut(self.stream)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Block {
                is_keyframe,
                length,
            } => self.publish(&block(self.media_ms, is_keyframe, length)),
            Step::Later(ms) => self.media_ms = self.media_ms.saturating_add(ms),
            Step::Wait(ms) => {
                self.model.now_ms += ms;
                self.catalog
                    .set_clock(Duration::from_millis(self.model.now_ms));
            }
            Step::Join if self.viewers.len() < VIEWERS_MAX => {
                let cursor = Cursor::join_now(self.stream());
                let place = self.model.join();
                self.viewers.push(Viewer {
                    cursor,
                    place,
                    before: (cursor, place),
                });
            }
            Step::Join => {}
            Step::Read(index) => drop(self.read(index)),
            Step::ReadAll(index) => while self.read(index).is_some_and(|it| it != Given::Wait) {},
            Step::TakeBack(index) => {
                if let Some(viewer) = pick(&mut self.viewers, index) {
                    (viewer.cursor, viewer.place) = viewer.before;
                }
            }
            Step::Leave => {
                self.ingest = None;
                self.stream().go_offline(OfflineReason::Ended);
                self.model.is_live = false;
            }
            Step::Come(tracks) => {
                self.stream().go_live();
                self.model.is_live = true;
                self.model.close_join_point();
                self.begin(tracks);
            }
            Step::Restart(tracks) if self.ingest.is_some() => self.begin(tracks),
            Step::Restart(_) => {}
            Step::Forget => {
                self.stream().forget_media();
                self.model.forget();
            }
        }
    }

    fn begin(&mut self, tracks: Tracks) {
        let limits = self.catalog.limits();
        self.media_ms = 0;
        self.ingest = Some(Ingest::new(limits));
        self.publish(&head(tracks));
        // Told by its first block, which is no keyframe and so shown to nobody.
        self.publish(&block(0, false, 0));
        let is_other = self.model.tracks != Some(tracks);
        self.model.tracks = Some(tracks);
        if !is_other {
            self.model.close_join_point();
        }
    }

    fn publish(&mut self, bytes: &[u8]) {
        let stream = self.catalog.stream_mut(self.stream);
        let before = stream.ring().live_edge();
        let Some(ingest) = &mut self.ingest else {
            return;
        };
        ingest
            .push(bytes.to_vec().into(), stream)
            .expect("a valid recording");
        let ring = stream.ring();
        let new = before..ring.live_edge();
        assert!(new.end - new.start <= 1, "a block is a chunk, or none");
        for sequence in new {
            let chunk = ring.chunk(sequence).expect("the newest chunk stays");
            self.model.push(chunk);
        }
    }

    fn read(&mut self, index: usize) -> Option<Given> {
        let viewer = pick(&mut self.viewers, index)?;
        viewer.before = (viewer.cursor, viewer.place);
        let stream = self.catalog.stream_mut(self.stream);
        let given = match viewer.cursor.next(stream) {
            Next::Wait => Given::Wait,
            Next::Init(chunk) => Given::Init(chunk.generation),
            Next::Chunk(chunk) => Given::Chunk(self.model.sequence_of(chunk)),
            Next::Skip { from_ms, to_ms } => Given::Skip { from_ms, to_ms },
        };
        assert_eq!(given, self.model.next(&mut viewer.place));
        Some(given)
    }

    fn check_ring(&mut self) {
        let model = &self.model;
        let ring = self.catalog.stream(self.stream).ring();
        assert_eq!(ring.oldest(), model.oldest);
        assert_eq!(ring.live_edge(), model.chunks.len() as u64);
        assert_eq!(ring.join_point(), model.join_point());
        assert_eq!(ring.byte_len(), model.byte_len());
        assert_eq!(ring.span_ms(), model.span_ms());
        let is_alone = ring.live_edge() - ring.oldest() <= 1;
        assert!(ring.byte_len() <= model.limits.ring_bytes || is_alone);
    }
}

fn pick(viewers: &mut [Viewer], index: usize) -> Option<&mut Viewer> {
    let count = viewers.len();
    viewers.get_mut(index.checked_rem(count)?)
}

/// All chunks that ever were; the ring is those from `oldest` on.
struct Model {
    limits: Limits,
    chunks: Vec<Kept>,
    oldest: u64,
    /// Nobody joins at what came before this sequence.
    joinable_from: u64,
    is_live: bool,
    tracks: Option<Tracks>,
    generation: u32,
    now_ms: u64,
}

#[derive(Clone, Copy)]
struct Kept {
    kind: ChunkKind,
    generation: u32,
    timestamp_ms: u64,
    came_ms: u64,
    memory: usize,
    address: *const u8,
}

/// Where a viewer is.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The chunk that comes next; `None` while it waits for a join point.
    next: Option<u64>,
    earliest: u64,
    seen_ms: u64,
    /// Where it was when it was overtaken, until it is told.
    overtaken_ms: Option<u64>,
    generation: u32,
}

impl Model {
    fn new(limits: Limits) -> Model {
        Model {
            limits,
            chunks: Vec::new(),
            oldest: 0,
            joinable_from: 0,
            is_live: false,
            tracks: None,
            generation: 0,
            now_ms: 0,
        }
    }

    fn live_edge(&self) -> u64 {
        self.chunks.len() as u64
    }

    fn held(&self) -> &[Kept] {
        &self.chunks[self.oldest as usize..]
    }

    fn kept(&self, sequence: u64) -> Option<&Kept> {
        self.chunks
            .get(sequence as usize)
            .filter(|_| sequence >= self.oldest)
    }

    fn byte_len(&self) -> usize {
        self.held().iter().map(|kept| kept.memory).sum()
    }

    fn span_ms(&self) -> u64 {
        let ends = self.held().first().zip(self.held().last());
        ends.map_or(0, |(first, last)| last.timestamp_ms - first.timestamp_ms)
    }

    fn join_point(&self) -> Option<u64> {
        let from = self.oldest.max(self.joinable_from);
        (from..self.live_edge())
            .rev()
            .find(|&sequence| self.chunks[sequence as usize].kind == ChunkKind::JoinPoint)
    }

    fn close_join_point(&mut self) {
        self.joinable_from = self.live_edge();
    }

    fn forget(&mut self) {
        self.oldest = self.live_edge();
    }

    fn push(&mut self, chunk: &Chunk) {
        self.chunks.push(Kept {
            kind: chunk.kind,
            generation: chunk.generation,
            timestamp_ms: chunk.timestamp_ms,
            came_ms: self.now_ms,
            memory: chunk.framed.memory() + CHUNK_OVERHEAD,
            address: chunk.framed.payload().as_ptr(),
        });
        if chunk.kind == ChunkKind::Init {
            self.generation = chunk.generation;
            self.close_join_point();
        }
        while self.byte_len() > self.limits.ring_bytes && self.held().len() > 1 {
            self.oldest += 1;
        }
        // The newest GOP outlives the bound in time.
        while self.span_ms() > self.limits.ring_ms
            && self.join_point().is_some_and(|point| point > self.oldest)
        {
            self.oldest += 1;
        }
    }

    fn sequence_of(&self, chunk: &Chunk) -> u64 {
        let address = chunk.framed.payload().as_ptr();
        let held = self.held().iter();
        let index = held.rev().position(|kept| kept.address == address);
        self.live_edge() - 1 - index.expect("a chunk of the ring") as u64
    }

    fn join(&self) -> Place {
        Place {
            next: None,
            earliest: match self.is_live {
                true => 0,
                false => self.live_edge(),
            },
            seen_ms: 0,
            overtaken_ms: None,
            generation: 0,
        }
    }

    /// What a viewer is given, and where it is then.
    fn next(&self, place: &mut Place) -> Given {
        if let Some(next) = place.next {
            let is_late = |kept: &Kept| self.now_ms - kept.came_ms > self.limits.lag_ms;
            let is_newer = self.join_point().is_some_and(|point| point > next);
            let is_overtaken = match self.kept(next) {
                Some(kept) => is_late(kept) && is_newer,
                None => next < self.oldest,
            };
            if !is_overtaken {
                let Some(kept) = self.kept(next) else {
                    return Given::Wait;
                };
                place.next = Some(next + 1);
                place.seen_ms = kept.timestamp_ms;
                if kept.kind == ChunkKind::Init {
                    place.generation = kept.generation;
                    return Given::Init(kept.generation);
                }
                return Given::Chunk(next);
            }
            place.next = None;
            place.earliest = 0;
            place.overtaken_ms = Some(place.seen_ms);
        }
        let Some(point) = self.join_point().filter(|&point| point >= place.earliest) else {
            return Given::Wait;
        };
        let to_ms = self.chunks[point as usize].timestamp_ms;
        if let Some(from_ms) = place.overtaken_ms.take() {
            return Given::Skip { from_ms, to_ms };
        }
        if place.generation != self.generation {
            place.generation = self.generation;
            return Given::Init(self.generation);
        }
        place.next = Some(point + 1);
        place.seen_ms = to_ms;
        Given::Chunk(point)
    }
}
