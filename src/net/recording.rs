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
}

impl Recording {
    /// `waker` is called when there is news.
    pub fn start(
        settings: &RecordSettings,
        folder: Folder,
        waker: Arc<Waker>,
    ) -> io::Result<Recording> {
        let (record, gauge) = (&settings.record, settings.gauge.clone());
        // It fails when the loop has ended.
        let wake = |waker: Arc<Waker>| {
            move || {
                let _ = waker.wake();
            }
        };
        let archive = Archive::start(folder.clone(), wake(waker.clone()))?;
        let wake = wake(waker);
        let thread = RecordThread::start(folder, record.pace, record.retention, gauge, wake)?;
        Ok(Recording { thread, archive })
    }

    /// The next news.
    pub fn poll(&self) -> Option<News> {
        self.thread.poll()
    }

    /// Sends a turn's orders at once: one message, however many chunks.
    pub fn order(&self, orders: Vec<Order>) {
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
    pub fn wait(self, stopping: Option<Instant>) {
        let from = stopping.unwrap_or_else(Instant::now);
        if !self.thread.wait(from + FINISHING_TIMEOUT) {
            tracing::warn!("the disk is too slow: the next start finishes the recordings");
        }
    }
}
