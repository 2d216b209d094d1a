//! A stream's ring and its viewers' cursors, beside a model that keeps everything for ever.

use super::recording::{Tracks, block, frame_head, head, sound};
use super::segments::SegmentLog;
use crate::offline_reason::OfflineReason;
use crate::stream::{Catalog, Chunk, ChunkKind, Cursor, Ingest, Limits, Next, Stream, StreamId};
use crate::work::Work;
use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Buf;
use std::time::Duration;

/// What a chunk costs beside its bytes: the same as in `stream::ring`.
const CHUNK_OVERHEAD: usize = 256;

const VIEWERS_MAX: usize = 6;

/// For any input to a ring, and any viewers that join, read, fall behind or go back: the ring holds
/// what the model says, each viewer gets what the model says, and segments are parts of it.
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
    while !script.is_empty() && !pair.is_lost {
        pair.step(Step::arbitrary(script)?);
        pair.check_ring();
        pair.segments.look(pair.catalog.stream(pair.stream));
    }
    Ok(())
}

#[derive(Debug)]
enum Step {
    /// A block comes, this long, whose flag may lie.
    Block {
        is_keyframe: bool,
        is_flagged: bool,
        length: usize,
    },
    /// Time passes in the media.
    Later(u64),
    /// The media's time is anything from now on: see `WILD_MS`.
    Wild(usize),
    /// Time passes.
    Wait(u64),
    /// A block of sound comes.
    Sound,
    /// The server looks at what waits.
    Tick,
    Join,
    /// One viewer takes its next item.
    Read(usize),
    ReadAll(usize),
    /// What the last reading gave was not written.
    TakeBack(usize),
    Leave,
    Come(Begin),
    /// A new recording by the same publisher.
    Restart(Begin),
    Forget,
}

/// Times that a publisher's clock may jump to, in milliseconds.
const WILD_MS: [u64; 6] = [0, 500, 60_000, 86_400_000, 1_700_000_000_000, 1 << 42];

/// How a recording begins.
#[derive(Debug, Clone, Copy)]
struct Begin {
    tracks: Tracks,
    /// Tracks that are declared say nothing at first.
    is_silent: bool,
}

impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(script: &mut Unstructured<'a>) -> Result<Step> {
        let [step, n]: [u8; 2] = script.arbitrary()?;
        let begin = Begin {
            tracks: match n % 4 {
                0 => Tracks::Picture,
                _ => Tracks::Both,
            },
            is_silent: n % 4 == 3,
        };
        Ok(match step % 20 {
            0..=3 => Step::Block {
                is_keyframe: false,
                is_flagged: n % 7 == 6,
                length: usize::from(n) * 2,
            },
            4 | 5 => Step::Block {
                is_keyframe: true,
                is_flagged: n % 7 != 6,
                length: usize::from(n) * 4,
            },
            6 => Step::Later(u64::from(n) * 8),
            7 => Step::Wait(u64::from(n) * 8),
            8 => Step::Join,
            9 | 10 => Step::Read(usize::from(n)),
            11 => Step::ReadAll(usize::from(n)),
            12 => Step::TakeBack(usize::from(n)),
            13 => Step::Leave,
            14 => Step::Come(begin),
            15 => match n {
                0..=9 => Step::Forget,
                _ => Step::Restart(begin),
            },
            16 => Step::Wild(usize::from(n)),
            17 => Step::Sound,
            _ => Step::Tick,
        })
    }
}

/// What a viewer gets, in terms that the cursor and the model share.
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
    media_ms: u64,
    /// Whether the recording's first block has come.
    is_begun: bool,
    /// Where time began, at most; and blocks since.
    began_ms: u64,
    blocks: u64,
    model: Model,
    viewers: Vec<Viewer>,
    segments: SegmentLog,
    /// Several chunks came at once, and the ring dropped some before the model saw them.
    is_lost: bool,
}

/// A cursor, the model's idea of it, and both as they were before the last reading.
struct Viewer {
    cursor: Cursor,
    place: Place,
    before: (Cursor, Place),
    /// Timestamp of the last chunk that it was given.
    latest_ms: u64,
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
            is_begun: true,
            began_ms: 0,
            blocks: 0,
            model: Model::new(limits),
            viewers: Vec::new(),
            segments: SegmentLog::default(),
            is_lost: false,
        }
    }

    fn stream(&mut self) -> &mut Stream {
        self.catalog.stream_mut(self.stream)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Block {
                is_keyframe,
                is_flagged,
                length,
            } => self.publish(&block(self.media_ms, is_keyframe, is_flagged, length)),
            Step::Later(ms) => self.media_ms = (self.media_ms + ms).min(1 << 42),
            Step::Wild(index) => self.media_ms = WILD_MS[index % WILD_MS.len()],
            Step::Sound => self.publish(&sound(self.media_ms)),
            Step::Tick => self.tick(),
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
                    latest_ms: 0,
                });
            }
            Step::Join => {}
            Step::Read(index) => drop(self.read(index)),
            Step::ReadAll(index) => while self.read(index).is_some_and(|it| it != Given::Wait) {},
            Step::TakeBack(index) => {
                if let Some(viewer) = pick(&mut self.viewers, index) {
                    (viewer.cursor, viewer.place) = viewer.before;
                    viewer.latest_ms = viewer.place.seen_ms;
                }
            }
            Step::Leave => {
                self.ingest = None;
                self.stream().go_offline(OfflineReason::Ended);
                self.model.is_live = false;
            }
            Step::Come(begin) => {
                self.stream().go_live();
                self.model.is_live = true;
                self.model.close_join_point();
                self.begin(begin);
            }
            Step::Restart(begin) if self.ingest.is_some() => self.begin(begin),
            Step::Restart(_) => {}
            Step::Forget => {
                self.stream().free_media();
                self.model.forget();
            }
        }
    }

    fn begin(&mut self, begin: Begin) {
        let limits = self.catalog.limits();
        self.media_ms = 0;
        self.ingest = Some(Ingest::new(limits));
        self.feed(&head(begin.tracks));
        self.is_begun = false;
        if begin.is_silent {
            return;
        }
        // No keyframe, and so no viewer gets it: it only shows that the tracks have blocks.
        self.publish(&block(0, false, false, 0));
        if begin.tracks == Tracks::Both {
            self.publish(&sound(0));
        }
    }

    fn publish(&mut self, bytes: &[u8]) {
        if self.ingest.is_none() {
            return;
        }
        // A recording begins, for the stream, with its first block.
        if !std::mem::replace(&mut self.is_begun, true) {
            self.model.close_join_point();
        }
        if self
            .model
            .chunks
            .iter()
            .all(|kept| kept.kind == ChunkKind::Init)
        {
            self.began_ms = self.began_ms.max(self.media_ms.min(1 << 41));
        }
        self.blocks += 1;
        self.feed(bytes);
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.ingest(|ingest, stream| {
            let pushed = ingest.push(bytes.to_vec().into(), stream);
            pushed.expect("a valid recording");
        });
    }

    fn tick(&mut self) {
        self.ingest(|ingest, stream| ingest.tick(stream, &mut Work::unlimited()));
        let now_ms = self.model.now_ms;
        let ingest = self.ingest.as_ref();
        let deadline_ms = ingest.and_then(Ingest::deadline_ms);
        assert!(
            deadline_ms.is_none_or(|until_ms| until_ms > now_ms),
            "nothing waits longer"
        );
    }

    fn ingest(&mut self, work: impl FnOnce(&mut Ingest, &mut Stream)) {
        let stream = self.catalog.stream_mut(self.stream);
        let before = stream.ring().live_edge();
        let Some(ingest) = &mut self.ingest else {
            return;
        };
        let waited = ingest.deadline_ms().is_some();
        work(ingest, stream);
        let ring = stream.ring();
        for sequence in before..ring.live_edge() {
            let Some(chunk) = ring.chunk(sequence) else {
                self.is_lost = true;
                return;
            };
            let is_alone = before + 1 == ring.live_edge();
            let is_new = ring
                .chunk(before)
                .is_some_and(|first| first.kind == ChunkKind::Init);
            assert!(is_alone || waited || is_new, "a block is a chunk, or none");
            check_chunk(chunk);
            // Ten seconds a block, and the time that has passed; no other clock moves it further.
            let most_ms = self.began_ms + self.blocks * 10_100 + self.model.now_ms;
            assert!(chunk.timestamp_ms <= most_ms, "time runs ahead");
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
            Next::Chunk(chunk) => {
                assert!(chunk.timestamp_ms >= viewer.latest_ms, "time goes back");
                viewer.latest_ms = chunk.timestamp_ms;
                Given::Chunk(self.model.sequence_of(chunk))
            }
            Next::Skip { from_ms, to_ms } => Given::Skip { from_ms, to_ms },
        };
        assert_eq!(given, self.model.next(&mut viewer.place));
        Some(given)
    }

    fn check_ring(&mut self) {
        if self.is_lost {
            return;
        }
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

/// A GOP begins with a Cluster, whose first block is a keyframe and says so. In no other chunk is one.
fn check_chunk(chunk: &Chunk) {
    if chunk.kind == ChunkKind::Init {
        return;
    }
    let mut bytes = chunk.framed.payload();
    let has_head = bytes.starts_with(&[0x1f, 0x43, 0xb6, 0x75]);
    if has_head {
        let timestamp_length = usize::from(bytes[13] & 0x7f);
        bytes.advance(14 + timestamp_length);
    }
    let [0xa3, _, _, _, _, track, _, _, flags, frame, ..] = bytes[..] else {
        panic!("a block as it was made: {bytes:x?}");
    };
    let is_sound = frame == 0xf8;
    let is_keyframe = frame == frame_head(true);
    assert!(
        is_sound || is_keyframe == (flags & 0x80 != 0),
        "a flag that lies"
    );
    let opens = chunk.kind == ChunkKind::JoinPoint;
    assert!(!opens || has_head);
    assert!(
        opens == is_keyframe || (is_sound && track == 0x81),
        "a GOP begins at a keyframe"
    );
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
    /// No viewer joins at what came before this sequence.
    joinable_from: u64,
    is_live: bool,
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
    /// Where it was when it was overtaken, until it goes on, and where it was told that it does.
    overtaken_ms: Option<u64>,
    told_ms: Option<u64>,
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
            earliest: if self.is_live { 0 } else { self.live_edge() },
            seen_ms: 0,
            overtaken_ms: None,
            told_ms: None,
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
            place.told_ms = None;
        }
        let Some(point) = self.join_point().filter(|&point| point >= place.earliest) else {
            return Given::Wait;
        };
        let to_ms = self.chunks[point as usize].timestamp_ms;
        if let Some(from_ms) = place.overtaken_ms
            && place.told_ms != Some(to_ms)
        {
            place.told_ms = Some(to_ms);
            return Given::Skip { from_ms, to_ms };
        }
        if place.generation != self.generation {
            place.generation = self.generation;
            return Given::Init(self.generation);
        }
        place.next = Some(point + 1);
        place.seen_ms = to_ms;
        place.overtaken_ms = None;
        Given::Chunk(point)
    }
}
