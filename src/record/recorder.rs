//! Which stream is recorded into which file, and when it is written, synced and finished.
//!
//! ```text
//! Waiting ── join point ──► Open ── grace over, other tracks, end ──► finished, Waiting
//!    ▲                       │
//!    └──── a minute later ───┴── the disk is full or broken ──► finished as far as it goes
//! ```
//!
//! It does no I/O of its own and reads no clock: see [`Files`].

use super::growing::{GrowingFile, GrowingFiles, Mark, ReadAt};
use super::orders::{Event, News, Order, What};
use super::{Gauge, Pace};
use crate::stream::{Chunk, ChunkKind};
use crate::webm::file::{CutOff, FileWriter, Finished, Storage, cut_off};
use crate::webm::{DocType, Recording};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// After this time a disk that was full or broken is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(60);

/// Bytes after which one recording is written, before all that waits has been looked at.
const PENDING_BYTES_MAX: usize = 1 << 20;

/// Where new files come from.
pub trait Files {
    type File: Storage;

    /// A new file for this stream, and its name.
    fn create(
        &mut self,
        stream: &str,
        began: SystemTime,
        doc_type: DocType,
    ) -> io::Result<(Self::File, String)>;

    /// Opens the file with this name again, for reading while it is written. It shares no lock with the
    /// other: viewers read it for as long as they like, and a finished file may go meanwhile.
    fn reader(&self, stream: &str, name: &str) -> io::Result<Box<dyn ReadAt>>;
}

/// Between the beginnings of two recordings.
const APART: Duration = Duration::from_millis(1);

/// So much may beginnings be ahead of the clock for it.
const CLOSE: Duration = Duration::from_secs(5);

/// The time, by the clock that cannot be set and by the one on the wall.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub now: Instant,
    pub wall: SystemTime,
}

/// What the recording thread keeps up to date for others: how full its queue is, and the files that are
/// being written.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub gauge: Gauge,
    pub growing: GrowingFiles,
}

/// All recordings that are being written.
pub struct Recorder<F: Files> {
    files: F,
    pace: Pace,
    ledger: Ledger,
    sources: BTreeMap<Arc<str>, Source<F::File>>,
    news: VecDeque<News>,
    /// When the newest recording began.
    last_began: SystemTime,
}

/// One stream.
struct Source<S> {
    recording: Recording,
    state: State<S>,
}

enum State<S> {
    /// For the next join point, and for this time.
    Waiting {
        until: Option<Instant>,
    },
    Open(Box<Open<S>>),
}

/// A file that is being written.
struct Open<S> {
    writer: FileWriter<S>,
    name: String,
    /// When the oldest bytes were written that may not be on disk. `None`: all are.
    unsynced_since: Option<Instant>,
    /// When the publisher left.
    left_at: Option<Instant>,
    /// For viewers behind live. `None` where the file cannot be read.
    growing: Option<Arc<GrowingFile>>,
    /// Chunks that are not in the file.
    marks: Vec<Mark>,
}

impl<F: Files> Recorder<F> {
    pub fn new(files: F, pace: Pace, ledger: Ledger) -> Recorder<F> {
        Recorder {
            files,
            pace,
            ledger,
            sources: BTreeMap::new(),
            news: VecDeque::new(),
            last_began: SystemTime::UNIX_EPOCH,
        }
    }

    /// The next thing that the hub should hear.
    pub fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    pub fn take(&mut self, order: Order, now: Now) {
        let stream = order.stream;
        match order.what {
            What::Tracks(recording) => {
                self.close(&stream, now);
                let until = match self.sources.get(&stream).map(|source| &source.state) {
                    Some(State::Waiting { until }) => *until,
                    Some(State::Open(_)) | None => None,
                };
                let source = Source {
                    recording: *recording,
                    state: State::Waiting { until },
                };
                self.sources.insert(stream, source);
            }
            What::Chunk(chunk) => {
                self.ledger.gauge.unqueue(chunk.framed.memory() as u64);
                self.record(&stream, &chunk, now);
            }
            What::Left => match self.open(&stream) {
                Some(open) => open.left_at = Some(now.now),
                None => self.tell(&stream, Event::Idle),
            },
            What::End => {
                self.close(&stream, now);
                self.sources.remove(&stream);
            }
        }
    }

    fn open(&mut self, stream: &str) -> Option<&mut Open<F::File>> {
        match &mut self.sources.get_mut(stream)?.state {
            State::Open(open) => Some(open),
            State::Waiting { .. } => None,
        }
    }

    fn record(&mut self, stream: &Arc<str>, chunk: &Chunk, now: Now) {
        let Some(source) = self.sources.get_mut(stream) else {
            return;
        };
        if let State::Waiting { until } = source.state {
            let now = Now {
                wall: apart(self.last_began, now.wall),
                ..now
            };
            let is_time = until.is_none_or(|until| now.now >= until);
            if chunk.kind != ChunkKind::JoinPoint || !is_time {
                return;
            }
            match begin(&mut self.files, stream, &source.recording, chunk, now) {
                Ok(open) => {
                    self.last_began = now.wall;
                    tracing::info!(stream = %stream, file = open.name, "recording");
                    if let Some(file) = &open.growing {
                        self.ledger.growing.add(stream, file.clone());
                    }
                    let (came_ms, generation) = (chunk.came_ms, chunk.generation);
                    source.state = State::Open(Box::new(open));
                    self.tell(
                        stream,
                        Event::Began {
                            came_ms,
                            generation,
                        },
                    );
                }
                Err(error) => return self.fail(stream, &error, now),
            }
        }
        let ledger = self.ledger.clone();
        let Some(open) = self.open(stream) else {
            return;
        };
        open.left_at = None;
        open.mark(chunk);
        let mut result = open.writer.push(&chunk.framed.payload());
        if result.is_ok() && open.writer.pending_bytes() > PENDING_BYTES_MAX {
            result = open.flush(&ledger, now.now);
        }
        if let Err(error) = result {
            self.fail(stream, &error, now);
        }
    }

    /// Writes all that waits, and does what is due. To be called after orders, and when
    /// [`Recorder::next_wake`] says so.
    pub fn tend(&mut self, now: Now) {
        let (pace, ledger) = (self.pace, self.ledger.clone());
        let mut over = Vec::new();
        let mut failed = Vec::new();
        for (stream, source) in &mut self.sources {
            let State::Open(open) = &mut source.state else {
                continue;
            };
            let result =
                open.flush(&ledger, now.now)
                    .and_then(|()| match open.sync_at(pace.sync) {
                        Some(at) if now.now >= at => open.sync(),
                        _ => Ok(()),
                    });
            if let Err(error) = result {
                failed.push((stream.clone(), error));
            } else if open
                .left_at
                .is_some_and(|left_at| now.now >= left_at + pace.grace)
            {
                over.push(stream.clone());
            }
        }
        for (stream, error) in failed {
            self.fail(&stream, &error, now);
        }
        for stream in over {
            self.close(&stream, now);
        }
    }

    /// When there is something to do, if no order comes before.
    pub fn next_wake(&self) -> Option<Instant> {
        let opens = self.sources.values().filter_map(|source| {
            let State::Open(open) = &source.state else {
                return None;
            };
            let grace_at = open.left_at.map(|left_at| left_at + self.pace.grace);
            let wakes = [open.sync_at(self.pace.sync), grace_at];
            wakes.into_iter().flatten().min()
        });
        opens.min()
    }

    /// Finishes all: the server stops.
    pub fn finish_all(&mut self, now: Now) {
        let streams: Vec<_> = self.sources.keys().cloned().collect();
        for stream in streams {
            self.close(&stream, now);
        }
    }

    /// Finishes the file of a stream, if one is open.
    fn close(&mut self, stream: &Arc<str>, now: Now) {
        // Before viewers behind live lose sight of it: they read what is written. Where that fails,
        // finishing does.
        let ledger = self.ledger.clone();
        let _ = self.open(stream).map(|open| open.flush(&ledger, now.now));
        let Some(open) = self.take_open(stream, None) else {
            return;
        };
        let name = open.name;
        let before = open.writer.bytes() - open.writer.pending_bytes() as u64;
        match open.writer.finish() {
            Ok(finished) => {
                self.ledger.gauge.wrote(finished.bytes - before);
                self.report_finished(stream, name, finished);
            }
            Err(error) => self.report(stream, &error, now),
        }
    }

    /// The file cannot be written: what of it is whole is finished, and another is tried later.
    fn fail(&mut self, stream: &Arc<str>, error: &io::Error, now: Now) {
        let open = self.take_open(stream, Some(now.now + RETRY_PAUSE));
        self.report(stream, error, now);
        let Some(open) = open else { return };
        let finished = match cut_off(open.writer.into_storage()) {
            Ok(CutOff::Unfinished { writer, .. }) => writer.finish().map(Some),
            Ok(CutOff::Finished | CutOff::Foreign | CutOff::Empty) => Ok(None),
            Err(error) => Err(error),
        };
        match finished {
            Ok(Some(finished)) => self.report_finished(stream, open.name, finished),
            // The next start of the server finishes it, or removes it.
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(stream = %stream, file = open.name, %error, "this recording is not finished");
            }
        }
    }

    fn take_open(&mut self, stream: &str, until: Option<Instant>) -> Option<Open<F::File>> {
        let source = self.sources.get_mut(stream)?;
        match std::mem::replace(&mut source.state, State::Waiting { until }) {
            State::Open(open) => {
                self.ledger.growing.remove(stream);
                Some(*open)
            }
            State::Waiting { until: before } => {
                let until = until.max(before);
                source.state = State::Waiting { until };
                None
            }
        }
    }

    fn report(&mut self, stream: &Arc<str>, error: &io::Error, now: Now) {
        if let Some(source) = self.sources.get_mut(stream)
            && let State::Waiting { until } = &mut source.state
        {
            *until = Some(now.now + RETRY_PAUSE);
        }
        tracing::error!(stream = %stream, %error, "recording failed");
        self.tell(stream, Event::Failed(reason(error)));
    }

    fn report_finished(&mut self, stream: &Arc<str>, file: String, finished: Finished) {
        let Finished { duration_ms, bytes } = finished;
        tracing::info!(stream = %stream, file, duration_ms, bytes, "recording finished");
        self.tell(
            stream,
            Event::Ended {
                file,
                duration_ms,
                bytes,
            },
        );
    }

    fn tell(&mut self, stream: &Arc<str>, what: Event) {
        self.news.push_back(News {
            stream: stream.clone(),
            what,
        });
    }
}

/// Lists of recordings go on by the time at which one began, in milliseconds: of those that come together
/// each has its own.
pub(super) fn apart(last: SystemTime, wall: SystemTime) -> SystemTime {
    let ahead = last.duration_since(wall).unwrap_or_default();
    let since = wall.duration_since(last).unwrap_or_default();
    // A clock that was set back is followed.
    if ahead < CLOSE && since < APART {
        last + APART
    } else {
        wall
    }
}

fn begin<F: Files>(
    files: &mut F,
    stream: &str,
    recording: &Recording,
    chunk: &Chunk,
    now: Now,
) -> io::Result<Open<F::File>> {
    let (file, name) = files.create(stream, now.wall, recording.doc_type)?;
    let unix = now.wall.duration_since(SystemTime::UNIX_EPOCH);
    let unix_ms = unix
        .ok()
        .and_then(|since| since.as_millis().try_into().ok());
    let base_ms = chunk.timestamp_ms;
    let reader = files.reader(stream, &name).ok();
    let growing = reader.map(|reader| GrowingFile::new(reader, base_ms, chunk.generation));
    Ok(Open {
        writer: FileWriter::create(file, recording, base_ms, unix_ms)?,
        name,
        unsynced_since: Some(now.now),
        left_at: None,
        growing: growing.map(Arc::new),
        marks: Vec::new(),
    })
}

/// The reason in the publisher's warning: never a path.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full".to_owned(),
        kind => kind.to_string(),
    }
}

impl<S: Storage> Open<S> {
    /// Notes where a chunk will be.
    fn mark(&mut self, chunk: &Chunk) {
        if self.growing.is_some() {
            self.marks.push(Mark {
                sequence: chunk.sequence,
                offset: self.writer.bytes(),
                timestamp_ms: chunk.timestamp_ms,
                came_ms: chunk.came_ms,
                is_join_point: chunk.kind == ChunkKind::JoinPoint,
            });
        }
    }

    fn flush(&mut self, ledger: &Ledger, now: Instant) -> io::Result<()> {
        let bytes = self.writer.pending_bytes() as u64;
        if bytes == 0 {
            return Ok(());
        }
        self.writer.flush()?;
        ledger.gauge.wrote(bytes);
        if let Some(file) = &self.growing {
            let end = self.writer.bytes();
            ledger.growing.wrote(file, self.marks.drain(..), end);
        }
        self.unsynced_since.get_or_insert(now);
        Ok(())
    }

    /// When the file is to be synced.
    fn sync_at(&self, sync: Duration) -> Option<Instant> {
        if sync.is_zero() {
            None
        } else {
            self.unsynced_since.map(|since| since + sync)
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.writer.sync()?;
        self.unsynced_since = None;
        Ok(())
    }
}
