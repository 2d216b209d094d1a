//! The recording thread and the archive thread, with files in memory: they take what the hub has for them
//! when their time comes, and answer later.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant, SystemTime};
use videostream::hub::Hub;
use videostream::record::{
    ArchiveAnswer, Deletion, Files, Found, GrowingFiles, Job, Now, Order, ReadAt, Recorder, Task,
};
use videostream::session::Socket;
use videostream::webm::DocType;
use videostream::webm::file::memory::MemoryFile;

/// How long orders are collected for, as `net` and the recording thread do together.
const COLLECT: Duration = Duration::from_millis(150);

struct Memory;

impl Files for Memory {
    type File = MemoryFile;

    fn create(
        &mut self,
        stream: &str,
        _: SystemTime,
        _: DocType,
    ) -> io::Result<(MemoryFile, String)> {
        Ok((MemoryFile::default(), stream.to_owned()))
    }

    fn reader(&self, file: &MemoryFile) -> io::Result<Box<dyn ReadAt>> {
        Ok(Box::new(file.clone()))
    }
}

pub struct Disk {
    recorder: Recorder<Memory>,
    growing: GrowingFiles,
    orders: VecDeque<Order>,
    /// When orders are taken. A disk that stalls takes none for a while.
    takes_at: Option<Instant>,
    stalls_until: Option<Instant>,
    jobs: VecDeque<(Instant, Job)>,
    /// How long the archive thread takes at most.
    pub delay: Duration,
    chance: fastrand::Rng,
    pub reads: u64,
}

impl Disk {
    pub fn new(settings: &videostream::hub::RecordSettings, seed: u64) -> Disk {
        let growing = GrowingFiles::default();
        let (pace, gauge) = (settings.record.pace, settings.gauge.clone());
        Disk {
            recorder: Recorder::new(Memory, pace, gauge, growing.clone()),
            growing,
            orders: VecDeque::new(),
            takes_at: None,
            stalls_until: None,
            jobs: VecDeque::new(),
            delay: Duration::from_millis(30),
            chance: fastrand::Rng::with_seed(seed),
            reads: 0,
        }
    }

    /// Takes nothing until then.
    pub fn stall(&mut self, until: Instant) {
        self.stalls_until = Some(until);
    }

    /// What the hub has for the threads.
    pub fn take<S: Socket>(&mut self, hub: &mut Hub<S>, now: Instant) {
        self.orders.extend(hub.poll_orders());
        if !self.orders.is_empty() {
            self.takes_at.get_or_insert(now + COLLECT);
        }
        let most = u64::try_from(self.delay.as_micros()).unwrap_or(u64::MAX);
        for job in hub.poll_jobs() {
            let delay = Duration::from_micros(self.chance.u64(..=most));
            self.jobs.push_back((now + delay, job));
        }
    }

    pub fn wake_at(&self) -> Option<Instant> {
        let recorder = self.takes_at.into_iter().chain(self.recorder.next_wake());
        let recorder = recorder.min().max(self.stalls_until);
        let jobs = self.jobs.iter().map(|&(at, _)| at).min();
        recorder.into_iter().chain(jobs).min()
    }

    /// Does what is due. Returns whether the hub has news.
    pub fn act<S: Socket>(&mut self, hub: &mut Hub<S>, now: Instant) -> bool {
        if self.stalls_until.is_some_and(|until| now >= until) {
            self.stalls_until = None;
        }
        let time = Now {
            now,
            wall: SystemTime::UNIX_EPOCH,
        };
        let is_time = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        if self.stalls_until.is_none() {
            if is_time(self.takes_at) {
                self.takes_at = None;
                for order in std::mem::take(&mut self.orders) {
                    self.recorder.take(order, time);
                }
                self.recorder.tend(time);
            } else if is_time(self.recorder.next_wake()) {
                self.recorder.tend(time);
            }
        }
        let mut has_news = false;
        while let Some(news) = self.recorder.poll_news() {
            has_news = true;
            hub.recording_changed(news);
        }
        while let Some(place) = self.jobs.iter().position(|&(at, _)| at <= now) {
            if let Some((_, job)) = self.jobs.remove(place) {
                has_news = true;
                hub.archive_answered(self.perform(job));
            }
        }
        has_news
    }

    fn perform(&mut self, job: Job) -> ArchiveAnswer {
        let what = match job.what {
            Task::Stretch {
                stream,
                from,
                ring_oldest,
            } => {
                self.reads += 1;
                Found::Reached(self.growing.read(&stream, &from, ring_oldest))
            }
            Task::List(_) => Found::List(Vec::new()),
            Task::Open { .. } => Found::Opened(None),
            Task::Read { .. } => Found::Piece(Err(io::ErrorKind::NotFound.into())),
            Task::Delete { .. } => Found::Deleted(Deletion::Missing),
            Task::Picture { .. } => Found::Picture(None),
        };
        ArchiveAnswer {
            ticket: job.ticket,
            what,
        }
    }
}
