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

mod marks;

#[cfg(test)]
mod tests;

use crate::stream::{Chunk, ChunkKind, Framer};
use crate::webm::file::{Element, Elements, Open};
use crate::webm::{CLUSTER_HEAD_MAX, write_cluster_head};
use bytes::Bytes;
pub use marks::Mark;
use marks::{Index, MarksMax};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
