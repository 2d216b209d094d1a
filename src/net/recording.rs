//! The threads that record and read recordings, as the loop sees them.

use crate::hub::RecordSettings;
use crate::record::{Archive, ArchiveAnswer, Folder, Job, News, Order, RecordThread};
use mio::Waker;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long recordings may be finished for, beyond the time that peers have to close: in all less than
/// the 5 s that a server has to stop.
const FINISHING_TIMEOUT: Duration = Duration::from_millis(1700);

/// The threads, from outside.
pub struct Recording {
    thread: RecordThread,
    archive: Archive,
    sent_at: Instant,
}

/// Orders of many turns go out at once, so that a turn of the loop costs nothing more. The thread
/// collects for as long again.
const COLLECT: Duration = Duration::from_millis(50);

/// Orders that no other turn takes along wait no longer.
const COLLECT_MAX: Duration = Duration::from_millis(250);

impl Recording {
    /// `waker` is called when there is news.
    pub fn start(
        settings: &RecordSettings,
        folder: Folder,
        waker: Arc<Waker>,
    ) -> io::Result<Recording> {
        let record = &settings.record;
        let ledger = settings.ledger.clone();
        // It fails when the loop has ended.
        let wake = |waker: Arc<Waker>| {
            move || {
                let _ = waker.wake();
            }
        };
        let archive = Archive::start(folder.clone(), ledger.growing.clone(), wake(waker.clone()))?;
        let wake = wake(waker);
        let thread = RecordThread::start(folder, record.pace, record.retention, ledger, wake)?;
        Ok(Recording {
            thread,
            archive,
            sent_at: Instant::now(),
        })
    }

    /// The next news.
    pub fn poll(&self) -> Option<News> {
        self.thread.poll()
    }

    /// Whether orders go out in this turn.
    pub fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.sent_at) >= COLLECT
    }

    /// When orders that wait go out, if no turn is before.
    pub fn wake_at(&self) -> Instant {
        self.sent_at + COLLECT_MAX
    }

    /// Sends orders: one message, however many chunks.
    pub fn order(&mut self, orders: Vec<Order>, now: Instant) {
        self.sent_at = now;
        if !orders.is_empty() {
            self.thread.send(orders);
        }
    }

    /// What a client asks of recordings.
    pub fn ask(&self, jobs: Vec<Job>) {
        jobs.into_iter().for_each(|job| self.archive.send(job));
    }

    /// The next answer to that.
    pub fn poll_answer(&self) -> Option<ArchiveAnswer> {
        self.archive.poll()
    }

    /// No more orders come.
    pub fn finish(&mut self) {
        self.thread.finish();
    }

    /// Waits until all recordings are finished. `stopping` is when peers had to be gone.
    pub fn wait(&mut self, stopping: Option<Instant>) {
        let from = stopping.unwrap_or_else(Instant::now);
        if !self.thread.wait(from + FINISHING_TIMEOUT) {
            tracing::warn!("the disk is too slow: the next start finishes the recordings");
        }
    }
}
