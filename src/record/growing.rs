//! Recordings that are being written, for viewers that watch behind live.
//!
//! ```text
//! file   head │ Cluster, block… │ Cluster, block… block… │ …        end
//!               ▲ join point      ▲ join point    ▲ chunk            ▲ what is written so far
//! marks         └─ sequence, offset, timestamp, when it came ─┘
//! ```
//!
//! The recording thread notes where each chunk of the stream begins in its file, and the archive thread
//! reads from there: the loop does neither. Sequences are those of the ring, so that a viewer goes on in
//! the ring, or comes from there, at exactly the next chunk.

use crate::stream::{Chunk, ChunkKind, Framer};
use crate::webm::file::{Element, Elements, Open};
use crate::webm::{CLUSTER_HEAD_MAX, write_cluster_head};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Chunks whose places are known, the newest: some minutes of them, and more than a ring has as a rule.
const RECENT_MARKS_MAX: usize = 8192;

/// Older join points whose places are known. Once there are more, each second one is forgotten, and of those
/// that follow as well: 24 h with a keyframe each two seconds are known by each second one.
const JOIN_MARKS_MAX: usize = 32_768;

/// The least that a file has of each of them, however many files share the memory.
const MARKS_LEAST: usize = 64;

/// Bytes of the file that one stretch is read from, unless a block is longer. Each viewer has its own, so
/// that is what it costs.
const STRETCH_BYTES: u64 = 64 << 10;

/// Media and bytes of one chunk of a stretch.
const CHUNK_MS: u64 = 200;
const CHUNK_BYTES: usize = 64 << 10;

/// A file that can be read while it is written.
pub trait ReadAt: Send + Sync {
    /// Reads some bytes at this position. 0 means that the file ends there.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;
}

#[cfg(any(test, feature = "testing"))]
impl ReadAt for crate::webm::file::memory::MemoryFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        crate::webm::file::Storage::read_at(&mut self.clone(), buffer, at)
    }
}

/// Where one chunk of the stream begins in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub sequence: u64,
    pub offset: u64,
    pub timestamp_ms: u64,
    pub came_ms: u64,
    pub is_join_point: bool,
}

/// A mark, and what was before it.
#[derive(Debug, Clone, Copy)]
struct Placed {
    mark: Mark,
    /// The sequence behind the chunk before. Another one than the mark's own where chunks are missing.
    follows: u64,
}

impl Placed {
    fn is_behind_gap(&self) -> bool {
        self.follows != self.mark.sequence
    }
}

#[derive(Default)]
struct Index {
    /// Join points older than `recent`, and chunks behind a gap. Both ascend.
    joins: Vec<Placed>,
    recent: VecDeque<Placed>,
    /// Each 2^`sparse`-th join point comes into `joins`, counted by `passed`.
    sparse: u32,
    passed: u64,
    /// Up to where the file is written, and the sequence of the chunk that comes there.
    end: u64,
    next: u64,
}

/// How many marks one file may have. Powers of two, as which tables grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MarksMax {
    recent: usize,
    joins: usize,
}

impl MarksMax {
    const ALL: MarksMax = MarksMax {
        recent: RECENT_MARKS_MAX,
        joins: JOIN_MARKS_MAX,
    };

    /// Those that fit in this memory.
    fn within(bytes: usize) -> MarksMax {
        // The largest power of two in a half of it.
        let half = bytes / size_of::<Placed>() / 2;
        let most = (half / 2 + 1).next_power_of_two().max(MARKS_LEAST);
        MarksMax {
            recent: most.min(RECENT_MARKS_MAX),
            joins: most.min(JOIN_MARKS_MAX),
        }
    }
}

impl Index {
    fn add(&mut self, mark: Mark, most: MarksMax) {
        let follows = if self.next == 0 {
            mark.sequence
        } else {
            self.next
        };
        self.next = mark.sequence + 1;
        while self.recent.len() >= most.recent
            && let Some(old) = self.recent.pop_front()
        {
            self.keep_join(old, most);
        }
        self.recent.push_back(Placed { mark, follows });
        // Others have come to share the memory.
        self.recent.shrink_to(most.recent);
        self.joins.shrink_to(most.joins);
    }

    fn keep_join(&mut self, old: Placed, most: MarksMax) {
        let is_due = old.mark.is_join_point && self.passed.is_multiple_of(1 << self.sparse);
        self.passed += u64::from(old.mark.is_join_point);
        if !is_due && !old.is_behind_gap() {
            return;
        }
        if self.joins.len() >= most.joins {
            self.thin_joins(most.joins);
        }
        self.joins.push(old);
    }

    /// Makes room for more. The oldest gaps are forgotten only where nearly all are gaps.
    fn thin_joins(&mut self, most: usize) {
        while self.joins.len() > most / 2 {
            let before = self.joins.len();
            let mut number = 0;
            self.joins.retain(|placed| {
                number += u32::from(!placed.is_behind_gap());
                number % 2 == 1 || placed.is_behind_gap()
            });
            let forgotten = before - self.joins.len();
            self.sparse += u32::from(forgotten > 0);
            if forgotten < most / 8 {
                self.joins
                    .drain(..self.joins.len().saturating_sub(most / 2));
            }
        }
    }

    fn joins(&self) -> impl DoubleEndedIterator<Item = &Mark> {
        let placed = self.joins.iter().chain(&self.recent);
        let marks = placed.map(|placed| &placed.mark);
        marks.filter(|mark| mark.is_join_point)
    }

    /// The newest join point that came at this time at the latest, or the oldest there is.
    fn came_by(&self, came_ms: u64) -> Option<Mark> {
        let newest = self.joins().rfind(|mark| mark.came_ms <= came_ms);
        newest.or_else(|| self.joins().next()).copied()
    }

    /// The chunk with this sequence, or the next join point behind it.
    fn from(&self, sequence: u64) -> Option<Mark> {
        let at = self
            .recent
            .binary_search_by_key(&sequence, |placed| placed.mark.sequence);
        if let Ok(at) = at {
            return Some(self.recent[at].mark);
        }
        self.joins().find(|mark| mark.sequence >= sequence).copied()
    }

    /// How many chunks are missing before the one at this place.
    fn missed_at(&self, offset: u64) -> u64 {
        let at = self
            .joins
            .binary_search_by_key(&offset, |placed| placed.mark.offset);
        let recent = self
            .recent
            .binary_search_by_key(&offset, |placed| placed.mark.offset);
        let placed = at.ok().map(|at| &self.joins[at]);
        let placed = placed.or_else(|| recent.ok().map(|at| &self.recent[at]));
        placed.map_or(0, |placed| placed.mark.sequence - placed.follows)
    }

    /// The newest mark up to this place.
    fn passed(&self, offset: u64) -> Option<Mark> {
        let is_passed = |placed: &Placed| placed.mark.offset <= offset;
        let recent = self.recent.partition_point(is_passed);
        let placed = match recent.checked_sub(1) {
            Some(at) => self.recent.get(at),
            None => self.joins[..self.joins.partition_point(is_passed)].last(),
        };
        placed.map(|placed| placed.mark)
    }

    /// The first mark in this part of the file at which a stretch ends: the ring has it, or chunks are
    /// missing before it.
    fn end_within(&self, from: u64, until: u64, ring_oldest: u64) -> Option<&Placed> {
        let is_before = |placed: &Placed| placed.mark.offset <= from;
        let joins = &self.joins[self.joins.partition_point(is_before)..];
        let recent = self.recent.range(self.recent.partition_point(is_before)..);
        let within = joins.iter().chain(recent);
        let mut within = within.take_while(|placed| placed.mark.offset <= until);
        within.find(|placed| placed.is_behind_gap() || placed.mark.sequence >= ring_oldest)
    }
}

/// A recording that is being written, or was when a viewer began to read it.
pub struct GrowingFile {
    file: Box<dyn ReadAt>,
    /// The stream's time at which the file's own is 0.
    base_ms: u64,
    generation: u32,
    index: Mutex<Index>,
}

impl GrowingFile {
    pub fn new(file: Box<dyn ReadAt>, base_ms: u64, generation: u32) -> GrowingFile {
        GrowingFile {
            file,
            base_ms,
            generation,
            index: Mutex::default(),
        }
    }

    /// These chunks are in the file, which is written up to `end`.
    fn wrote(&self, marks: impl IntoIterator<Item = Mark>, end: u64, most: MarksMax) {
        let mut index = self.index();
        marks.into_iter().for_each(|mark| index.add(mark, most));
        index.end = end;
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // Each change leaves it whole.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, at: u64, length: usize) -> io::Result<Bytes> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.file.read_at(&mut bytes[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes.into())
    }
}

impl std::fmt::Debug for GrowingFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GrowingFile(generation {})", self.generation)
    }
}

/// The recordings that are being written, by stream. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct GrowingFiles {
    files: Arc<Mutex<BTreeMap<Arc<str>, Arc<GrowingFile>>>>,
    /// Bytes of marks of all of them. `None`: as many as each can use.
    marks_bytes: Option<usize>,
}

impl GrowingFiles {
    /// Their marks share this memory.
    pub fn with_marks_within(bytes: usize) -> GrowingFiles {
        GrowingFiles {
            files: Arc::default(),
            marks_bytes: Some(bytes),
        }
    }

    /// These chunks are in the file, which is written up to `end`.
    pub fn wrote(&self, file: &GrowingFile, marks: impl IntoIterator<Item = Mark>, end: u64) {
        let most = match self.marks_bytes {
            Some(bytes) => MarksMax::within(bytes / self.files().len().max(1)),
            None => MarksMax::ALL,
        };
        file.wrote(marks, end, most);
    }

    pub fn add(&self, stream: &Arc<str>, file: Arc<GrowingFile>) {
        self.files().insert(stream.clone(), file);
    }

    pub fn remove(&self, stream: &str) {
        self.files().remove(stream);
    }

    fn find(&self, stream: &str) -> Option<Arc<GrowingFile>> {
        self.files().get(stream).cloned()
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<GrowingFile>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a stretch of a stream's recording. It ends before `ring_oldest`, which is in the ring.
    pub fn read(&self, stream: &str, from: &From, ring_oldest: u64) -> Reach {
        match from {
            From::Came(came_ms) => {
                let file = self.find(stream);
                let found = file.and_then(|file| {
                    let mark = file.index().came_by(*came_ms)?;
                    Some(Place::at(file, mark))
                });
                found.map_or(Reach::Gone, |place| place.read_on(ring_oldest, 0))
            }
            From::Sequence(sequence) => self.read_from(stream, *sequence, ring_oldest),
            From::Place(place) => {
                let (end, next) = {
                    let index = place.file.index();
                    (index.end, index.next)
                };
                if place.offset < end {
                    let missed = place.file.index().missed_at(place.offset);
                    return place.clone().read_on(ring_oldest, missed);
                }
                // It has ended, or another has followed it.
                self.read_from(stream, next, ring_oldest)
            }
        }
    }

    fn read_from(&self, stream: &str, sequence: u64, ring_oldest: u64) -> Reach {
        let Some(file) = self.find(stream) else {
            return Reach::Gone;
        };
        let mark = file.index().from(sequence);
        match mark {
            Some(mark) => Place::at(file, mark).read_on(ring_oldest, mark.sequence - sequence),
            None => Reach::NotYet,
        }
    }
}

/// Where to read.
#[derive(Debug, Clone)]
pub enum From {
    /// At the newest join point that came at this time at the latest, or the oldest there is.
    Came(u64),
    /// At this chunk, or the next join point behind it.
    Sequence(u64),
    Place(Place),
}

/// A place in a file between two elements.
#[derive(Debug, Clone)]
pub struct Place {
    file: Arc<GrowingFile>,
    offset: u64,
    open: Open,
    /// The mark that was passed last before this stretch: what comes later came so much later by the
    /// clock.
    mark: Mark,
}

impl Place {
    fn at(file: Arc<GrowingFile>, mark: Mark) -> Place {
        Place {
            file,
            offset: mark.offset,
            open: Open::FirstBlock(mark.timestamp_ms),
            mark,
        }
    }
}

/// What reading came to.
#[derive(Debug)]
pub enum Reach {
    Stretch(Stretch),
    /// The file will have it, and has it not yet.
    NotYet,
    /// The stream is not recorded, or its file cannot be read.
    Gone,
}

/// Some chunks in a row, as the ring had them, but for where they are cut.
#[derive(Debug)]
pub struct Stretch {
    pub chunks: VecDeque<Chunk>,
    pub generation: u32,
    /// Chunks that are missing before the first.
    pub missed: u64,
    /// Of the chunk behind the last, where that is known: the ring may have it.
    pub follows: Option<u64>,
    pub rest: Place,
}

impl Place {
    fn read_on(mut self, ring_oldest: u64, missed: u64) -> Reach {
        let (until, follows) = {
            let index = self.file.index();
            self.mark = index.passed(self.offset).unwrap_or(self.mark);
            let until = index.end.min(self.offset + STRETCH_BYTES);
            match index.end_within(self.offset, until, ring_oldest) {
                Some(placed) => (placed.mark.offset, Some(placed.follows)),
                None if until == index.end => (until, Some(index.next)),
                None => (until, None),
            }
        };
        match read_until(&self, until) {
            Ok((chunks, rest)) => Reach::Stretch(Stretch {
                chunks,
                generation: self.file.generation,
                missed,
                follows: follows.filter(|_| rest.offset == until),
                rest,
            }),
            Err(error) => {
                tracing::warn!(%error, "a recording cannot be read for viewers that are behind live");
                Reach::Gone
            }
        }
    }
}

fn read_until(place: &Place, until: u64) -> io::Result<(VecDeque<Chunk>, Place)> {
    let file = &place.file;
    let mut length = (until - place.offset) as usize;
    let mut chunks = VecDeque::new();
    loop {
        let bytes = file.read(place.offset, length)?;
        if bytes.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut elements = Elements::new(bytes, file.base_ms, place.open);
        let mut assembly = Assembly::new(place.mark, file.generation);
        let mut rest = place.clone();
        while let Some(element) = elements.next() {
            let is_block = matches!(element, Element::Block { .. });
            assembly.add(element, &mut chunks);
            // The head of a Cluster is read again, with its first block.
            if is_block {
                rest.offset = place.offset + (length - elements.left()) as u64;
                rest.open = elements.open();
            }
        }
        assembly.close(&mut chunks);
        if length == 0 || !chunks.is_empty() {
            return Ok((chunks, rest));
        }
        // A block that is longer than a stretch.
        let whole = elements.next_length().and_then(|whole| {
            let read = (length - elements.left()) as u64;
            usize::try_from(read.checked_add(whole)?).ok()
        });
        let is_longer = |&whole: &usize| whole > length && whole <= BLOCK_BYTES_MAX;
        length = whole.filter(is_longer).ok_or(io::ErrorKind::InvalidData)?;
    }
}

/// Bytes of a block that are read: more than `--max-block` may say.
const BLOCK_BYTES_MAX: usize = 1 << 30;

/// Elements that become chunks.
struct Assembly {
    mark: Mark,
    generation: u32,
    /// The time of the Cluster that the chunk begins with.
    cluster_ms: Option<u64>,
    blocks: Vec<Bytes>,
    /// Of `blocks`.
    byte_len: usize,
    /// Of the first of them.
    timestamp_ms: u64,
}

impl Assembly {
    fn new(mark: Mark, generation: u32) -> Assembly {
        Assembly {
            mark,
            generation,
            cluster_ms: None,
            blocks: Vec::new(),
            byte_len: 0,
            timestamp_ms: 0,
        }
    }

    fn add(&mut self, element: Element, chunks: &mut VecDeque<Chunk>) {
        match element {
            Element::ClusterHead { timestamp_ms } => {
                self.close(chunks);
                self.cluster_ms = Some(timestamp_ms);
            }
            Element::Block {
                bytes,
                timestamp_ms,
            } => {
                if timestamp_ms >= self.timestamp_ms + CHUNK_MS
                    || self.byte_len + bytes.len() > CHUNK_BYTES
                {
                    self.close(chunks);
                }
                if self.blocks.is_empty() {
                    self.timestamp_ms = timestamp_ms;
                }
                self.byte_len += bytes.len();
                self.blocks.push(bytes);
            }
        }
    }

    fn close(&mut self, chunks: &mut VecDeque<Chunk>) {
        if self.blocks.is_empty() {
            return;
        }
        let mut framer = Framer::with_capacity(self.byte_len + CLUSTER_HEAD_MAX);
        let kind = match self.cluster_ms.take() {
            Some(cluster_ms) => {
                write_cluster_head(framer.payload(), cluster_ms);
                ChunkKind::JoinPoint
            }
            None => ChunkKind::Continuation,
        };
        for block in self.blocks.drain(..) {
            framer.payload().extend_from_slice(&block);
        }
        self.byte_len = 0;
        let later_ms = self.timestamp_ms.saturating_sub(self.mark.timestamp_ms);
        chunks.push_back(Chunk {
            sequence: 0,
            framed: framer.finish(),
            kind,
            timestamp_ms: self.timestamp_ms,
            came_ms: self.mark.came_ms + later_ms,
            generation: self.generation,
            mime: None,
            takes_over: false,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places of these chunks, each tenth a join point.
    fn marks(sequences: std::ops::Range<u64>) -> impl Iterator<Item = Mark> {
        sequences.map(|sequence| Mark {
            sequence,
            offset: 100 + sequence * 10,
            timestamp_ms: sequence * 40,
            came_ms: sequence * 40,
            is_join_point: sequence % 10 == 0,
        })
    }

    struct Nothing;

    impl ReadAt for Nothing {
        fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
            Ok(0)
        }
    }

    fn file() -> Arc<GrowingFile> {
        Arc::new(GrowingFile::new(Box::new(Nothing), 0, 1))
    }

    fn held(file: &GrowingFile) -> usize {
        let index = file.index();
        (index.recent.capacity() + index.joins.capacity()) * size_of::<Placed>()
    }

    #[test]
    fn marks_of_all_files_stay_within_their_memory() {
        const WITHIN: usize = 96 << 10;
        let files = GrowingFiles::with_marks_within(WITHIN);
        let mut open: Vec<Arc<GrowingFile>> = Vec::new();
        for (name, from) in [("a", 0), ("b", 100_000), ("c", 200_000)] {
            open.push(file());
            files.add(&name.into(), open[open.len() - 1].clone());
            // Those that were there before give way with what they write next.
            for file in &open {
                files.wrote(file, marks(from..from + 100_000), 0);
            }
            let held: usize = open.iter().map(|file| held(file)).sum();
            assert!((WITHIN / 4..=WITHIN).contains(&held), "{name}: {held}");
        }
        let first = open[0].index();
        // The newest chunk is known, and join points reach back to the beginning.
        assert_eq!(first.from(299_999).map(|mark| mark.sequence), Some(299_999));
        assert_eq!(first.came_by(0).map(|mark| mark.sequence), Some(0));
        let middle = first.came_by(150_000 * 40).expect("a join point");
        assert!((140_000..=150_000).contains(&middle.sequence), "{middle:?}");
    }

    #[test]
    fn marks_of_one_file_are_limited_without_a_limit_of_memory() {
        let (files, file) = (GrowingFiles::default(), file());
        files.wrote(&file, marks(0..1_000_000), 0);
        let index = file.index();
        assert_eq!(index.recent.len(), RECENT_MARKS_MAX);
        assert!((JOIN_MARKS_MAX / 2..=JOIN_MARKS_MAX).contains(&index.joins.len()));
        drop(index);
        assert!(held(&file) <= 2 << 20, "{}", held(&file));
    }

    #[test]
    fn join_points_of_a_long_recording_are_known_evenly() {
        let (files, file) = (GrowingFiles::with_marks_within(96 << 10), file());
        files.wrote(&file, marks(0..1_000_000), 0);
        let index = file.index();
        let gaps = index.joins.windows(2).map(|pair| {
            let [one, next] = pair else { unreachable!() };
            next.mark.sequence - one.mark.sequence
        });
        let gaps: std::collections::BTreeSet<u64> = gaps.collect();
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        assert!(gaps.first().is_some_and(|gap| *gap <= 4000), "{gaps:?}");
    }

    #[test]
    fn many_gaps_are_limited_too_and_the_newest_stay() {
        let (files, file) = (GrowingFiles::with_marks_within(96 << 10), file());
        // Of each ten chunks a slow disk has lost nine.
        files.wrote(
            &file,
            marks(0..1_000_000).filter(|mark| mark.is_join_point),
            0,
        );
        let index = file.index();
        assert!(index.joins.len() <= 1024, "{}", index.joins.len());
        let newest = index.joins.last().expect("there are some");
        assert!(
            newest.is_behind_gap() && newest.mark.sequence > 980_000,
            "{newest:?}"
        );
    }

    #[test]
    fn a_small_share_of_memory_still_knows_some_chunks() {
        let (files, file) = (GrowingFiles::with_marks_within(0), file());
        files.wrote(&file, marks(0..10_000), 0);
        assert_eq!(file.index().recent.len(), MARKS_LEAST);
        assert!(file.index().joins.len() <= MARKS_LEAST);
    }
}
