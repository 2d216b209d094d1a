//! The recording thread, with files in memory and a disk that is slow, stands still, is full or breaks.
//!
//! What a recording must hold is read from the rings, after each turn: see [`Disk::note_live`]. At the end
//! each file is compared with that, block by block ([`Disk::check`]).

use super::media::{Books, blocks};
use std::cell::RefCell;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::io;
use std::mem;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};
use videostream::hub::RecordSettings;
use videostream::record::{Event, Files, GrowingFiles, Ledger, News, Now, Order, ReadAt, Recorder};
use videostream::stream::{CHUNK_BYTES_MAX, ChunkKind, Stream};
use videostream::webm::DocType;
use videostream::webm::file::memory::{Faults, MemoryFile};
use videostream::webm::file::{CutOff, cut_off};

/// How long what comes first waits for more: as `record::thread` has it.
const COLLECT: Duration = Duration::from_millis(100);

/// The block that closes a chunk, as large as any that is simulated, and its framing.
const BLOCK_BYTES_MAX: u64 = 20_000 + 1000;

/// What a disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Quick,
    /// Bytes that it writes in a second.
    Slow(u64),
    /// It stands still for this long, every now and then.
    Stalling(Duration),
    /// Bytes that each file has room for.
    Full(u64),
    /// Calls of each file that succeed.
    Breaking(u64),
}

pub struct Disk {
    mood: Mood,
    recorder: Recorder<MemoryFiles>,
    files: MemoryFiles,
    ledger: Ledger,
    queue_bytes: u64,
    orders: VecDeque<(Instant, Order)>,
    busy_until: Instant,
    stalls_at: Instant,
    live: BTreeMap<String, Live>,
    /// Files that were open when the disk failed: their publishers were told.
    failed: BTreeSet<String>,
    /// Files that are finished, as the hub was told.
    ended: BTreeSet<String>,
    /// GOPs that the hub had lost after the turn before.
    gops_lost: u64,
    /// At most so many of them were of streams that went within the turn: what is not recorded does not keep a
    /// stream, and its last chunks were not seen.
    unseen: u64,
}

#[derive(Clone)]
struct MemoryFiles {
    files: Rc<RefCell<Vec<Recorded>>>,
    faults: Faults,
}

struct Recorded {
    stream: String,
    name: String,
    file: MemoryFile,
}

impl Files for MemoryFiles {
    type File = MemoryFile;

    fn create(
        &mut self,
        stream: &str,
        _: SystemTime,
        doc_type: DocType,
    ) -> io::Result<(MemoryFile, String)> {
        let file = MemoryFile::default();
        file.set_faults(self.faults);
        let mut files = self.files.borrow_mut();
        let name = format!("{stream}-{}.{}", files.len(), doc_type.as_str());
        files.push(Recorded {
            stream: stream.to_owned(),
            name: name.clone(),
            file: file.clone(),
        });
        Ok((file, name))
    }

    fn reader(&self, _: &str, name: &str) -> io::Result<Box<dyn ReadAt>> {
        let files = self.files.borrow();
        let found = files.iter().find(|file| file.name == name);
        let found = found.ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(found.file.clone()))
    }
}

/// What viewers of a stream got, or could have got.
#[derive(Default)]
struct Live {
    /// Sequence of the chunk to come; `None` while there is no such stream.
    next: Option<u64>,
    cluster_ms: u64,
    gop: u64,
    /// Whether it had a publisher after the turn before.
    is_on_air: bool,
    blocks: Vec<LiveBlock>,
    /// The ring was cut within a turn, so that chunks may have been recorded that were not seen.
    is_blind: bool,
}

#[derive(Clone, Copy)]
struct LiveBlock {
    hash: u64,
    cluster_ms: u64,
    gop: u64,
    /// Whether a join point begins with it.
    joins: bool,
}

impl Disk {
    pub fn new(mood: Mood, settings: &RecordSettings, now: Instant) -> Disk {
        let faults = Faults {
            room: match mood {
                Mood::Full(bytes) => Some(bytes),
                _ => None,
            },
            calls: match mood {
                Mood::Breaking(calls) => Some(calls),
                _ => None,
            },
            write_most: None,
        };
        let files = Rc::default();
        let files = MemoryFiles { files, faults };
        let ledger = settings.ledger.clone();
        Disk {
            mood,
            recorder: Recorder::new(files.clone(), settings.record.pace, ledger.clone()),
            files,
            ledger,
            queue_bytes: settings.record.queue_bytes,
            orders: VecDeque::new(),
            busy_until: now,
            stalls_at: now + Duration::from_secs(7),
            live: BTreeMap::new(),
            failed: BTreeSet::new(),
            ended: BTreeSet::new(),
            gops_lost: 0,
            unseen: 0,
        }
    }

    /// What the thread that reads recordings is shown of those that are written.
    pub fn growing(&self) -> GrowingFiles {
        self.ledger.growing.clone()
    }

    /// Stands still until then.
    pub fn stall(&mut self, until: Instant) {
        self.busy_until = self.busy_until.max(until);
    }

    /// Notes what this turn has brought to streams, after which the hub has lost so many GOPs.
    pub fn note_live(&mut self, streams: &[&Stream], gops_lost: u64) {
        let names: BTreeSet<&str> = streams.iter().map(|stream| &**stream.name()).collect();
        let mut has_gone = false;
        for (name, live) in &mut self.live {
            if !names.contains(&**name) {
                has_gone |= mem::take(&mut live.is_on_air);
                live.next = None;
            }
        }
        // Those that began in this turn, and of each stream the one before.
        let mut gops = 0;
        for stream in streams {
            let live = self.live.entry(stream.name().to_string()).or_default();
            let ring = stream.ring();
            // One that is gone and came again counts anew.
            let next = live.next.filter(|&next| next <= ring.live_edge());
            let next = next.unwrap_or(0);
            live.is_blind |= next < ring.oldest();
            live.is_on_air = stream.is_live();
            gops += 1;
            for sequence in next.max(ring.oldest())..ring.live_edge() {
                let Some(chunk) = ring.chunk(sequence) else {
                    continue;
                };
                if chunk.kind == ChunkKind::Init {
                    continue;
                }
                let mut joins = chunk.kind == ChunkKind::JoinPoint;
                live.gop += u64::from(joins);
                gops += u64::from(joins);
                for (cluster_ms, block) in blocks(&chunk.framed.payload(), live.cluster_ms) {
                    live.cluster_ms = cluster_ms;
                    live.blocks.push(LiveBlock {
                        hash: hash(block),
                        cluster_ms,
                        gop: live.gop,
                        joins: mem::take(&mut joins),
                    });
                }
            }
            live.next = Some(ring.live_edge());
        }
        let lost = gops_lost - mem::replace(&mut self.gops_lost, gops_lost);
        // Or it came and went within the turn.
        if has_gone || lost > gops {
            self.unseen += lost;
        }
    }

    pub fn order(&mut self, orders: Vec<Order>, now: Instant) {
        self.orders
            .extend(orders.into_iter().map(|order| (now, order)));
    }

    pub fn wake_at(&self) -> Option<Instant> {
        let orders = self.orders.front().map(|(came, _)| *came + COLLECT);
        let wake = orders.into_iter().chain(self.recorder.next_wake()).min();
        wake.map(|wake| wake.max(self.busy_until))
    }

    /// Works for as long as the thread does until it looks again. Returns what the hub is told.
    pub fn act(&mut self, now: Instant) -> Vec<News> {
        if self.wake_at().is_none_or(|wake| wake > now) {
            return Vec::new();
        }
        if let Mood::Stalling(time) = self.mood
            && now >= self.stalls_at
        {
            self.stalls_at = now + time + Duration::from_secs(5);
            self.busy_until = now + time;
            return Vec::new();
        }
        let rate = match self.mood {
            Mood::Slow(rate) => rate,
            _ => 100_000_000,
        };
        let cost = |bytes: u64| Duration::from_micros(bytes * 1_000_000 / rate);
        let before = self.ledger.gauge.written_bytes();
        while let Some((_, order)) = self.orders.pop_front() {
            self.recorder.take(order, at(now));
            self.recorder.tend(at(now));
            if cost(self.ledger.gauge.written_bytes() - before) > COLLECT {
                break;
            }
        }
        self.recorder.tend(at(now));
        self.busy_until = now + cost(self.ledger.gauge.written_bytes() - before);
        self.news()
    }

    /// The server ends: what waits is written, and all files are finished.
    pub fn finish(&mut self, now: Instant) -> Vec<News> {
        while let Some((_, order)) = self.orders.pop_front() {
            self.recorder.take(order, at(now));
        }
        self.recorder.tend(at(now));
        self.recorder.finish_all(at(now));
        self.news()
    }

    fn news(&mut self) -> Vec<News> {
        let recorder = &mut self.recorder;
        let news: Vec<News> = std::iter::from_fn(|| recorder.poll_news()).collect();
        for one in &news {
            match &one.what {
                Event::Ended { file, .. } => drop(self.ended.insert(file.clone())),
                Event::Failed(_) => {
                    let files = self.files.files.borrow();
                    let mut of_stream = files.iter().rev();
                    let last = of_stream.find(|file| file.stream == *one.stream);
                    self.failed.extend(last.map(|file| file.name.clone()));
                }
                Event::Began { .. } | Event::Recovered { .. } | Event::Idle => {}
            }
        }
        news
    }

    /// The queue is within its bound: one chunk of the largest size may be over it.
    pub fn check_queue(&self, books: &Books) {
        let queued = self.ledger.gauge.queued_bytes();
        if queued > self.queue_bytes + CHUNK_BYTES_MAX as u64 + BLOCK_BYTES_MAX {
            books.fault(format!(
                "{queued} bytes wait for the disk, limit {}",
                self.queue_bytes
            ));
        }
    }

    /// Each file holds what viewers got, and what it does not hold was counted, or told.
    pub fn check(&self, books: &Books, gops_lost: u64, failures: u64) {
        if self.ledger.gauge.queued_bytes() > 0 {
            books.fault(format!(
                "{} bytes wait for ever",
                self.ledger.gauge.queued_bytes()
            ));
        }
        let mut missing = 0;
        let mut is_blind = false;
        for (stream, live) in &self.live {
            is_blind |= live.is_blind;
            match self.compare(books, stream, live) {
                Ok(gops) => missing += gops,
                Err(_) if live.is_blind => {}
                Err(fault) => books.fault(format!("a recording of {stream}: {fault}")),
            }
        }
        let is_explained = failures > 0 || gops_lost <= missing + self.unseen;
        let is_counted = missing <= gops_lost && is_explained;
        if !is_counted && !is_blind {
            books.fault(format!(
                "{missing} GOPs are missing in recordings, {gops_lost} are counted, up to {} of them unseen; \
                 {failures} failures",
                self.unseen
            ));
        }
        if (failures > 0) == self.failed.is_empty() {
            let failed = &self.failed;
            books.fault(format!(
                "{failures} failures are counted, {failed:?} failed"
            ));
        }
        books.count(|counts| {
            counts.gops_lost += gops_lost;
            counts.recordings_failed += failures;
        });
    }

    /// Returns how many GOPs are missing, or in part, that no failure of the disk explains.
    fn compare(&self, books: &Books, stream: &str, live: &Live) -> Result<u64, String> {
        let files = self.files.files.borrow();
        let mut missing = BTreeSet::new();
        let mut at = 0;
        let mut has_failed = false;
        for recorded in files.iter().filter(|file| file.stream == stream) {
            let name = &recorded.name;
            let bytes = self.whole(recorded)?;
            let mut shift = None;
            for (number, (cluster_ms, block)) in blocks(&bytes, 0).into_iter().enumerate() {
                let hash = hash(block);
                let expected = live.blocks.get(at);
                if expected.is_none_or(|expected| expected.hash != hash) {
                    let rest = live.blocks[at..].iter();
                    let mut rest = rest.skip(1).filter(|one| one.joins || number > 0);
                    let Some(_) = rest.find(|one| one.joins && one.hash == hash) else {
                        return Err(format!("block {number} of {name} is not what viewers got"));
                    };
                    let rest = live.blocks[at..].iter();
                    let skipped = rest.take_while(|one| !(one.joins && one.hash == hash));
                    let skipped: Vec<_> = skipped.collect();
                    at += skipped.len();
                    // Between two files the disk may have failed.
                    if number > 0 || !has_failed {
                        missing.extend(skipped.iter().map(|one| one.gop));
                    }
                }
                let live_ms = live.blocks[at].cluster_ms;
                if *shift.get_or_insert(live_ms) != live_ms - cluster_ms {
                    return Err(format!("block {number} of {name} is moved in time"));
                }
                at += 1;
                books.count(|counts| counts.recorded += 1);
            }
            has_failed = self.failed.contains(name);
        }
        if !has_failed {
            missing.extend(live.blocks[at..].iter().map(|one| one.gop));
        }
        Ok(missing.len() as u64)
    }

    /// The bytes of a file: finished, or as the next start finishes it.
    fn whole(&self, recorded: &Recorded) -> Result<Vec<u8>, String> {
        let Recorded { name, file, .. } = recorded;
        file.set_faults(Faults::default());
        let found = cut_off(file.clone()).map_err(|error| error.to_string())?;
        match found {
            CutOff::Finished => {}
            _ if self.ended.contains(name) => return Err(format!("{name} is not finished")),
            CutOff::Unfinished { writer, .. } if self.failed.contains(name) => {
                writer.finish().map_err(|error| error.to_string())?;
            }
            CutOff::Empty if self.failed.contains(name) => return Ok(Vec::new()),
            CutOff::Unfinished { .. } | CutOff::Empty | CutOff::Foreign => {
                return Err(format!("{name} is left open"));
            }
        }
        Ok(file.bytes())
    }
}

fn at(now: Instant) -> Now {
    Now {
        now,
        wall: SystemTime::UNIX_EPOCH,
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
