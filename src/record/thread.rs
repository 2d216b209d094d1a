//! The recording thread.
//!
//! It takes what has come about ten times a second, so that the loop wakes it rarely, and a file gets
//! few large writes.

use super::growing::ReadAt;
use super::orders::{Event, News, Order};
use super::recorder::{Files, Ledger, Now, Recorder};
use super::upkeep::Upkeep;
use super::{Folder, Pace, Retention, file_name::FileName};
use crate::webm::DocType;
use std::fs::File;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

/// How long what comes first waits for more. Media that are lost when the process is killed are younger
/// than that.
const COLLECT: Duration = Duration::from_millis(100);

/// The recording thread, from outside.
pub struct RecordThread {
    /// `None` once the server stops.
    orders: Option<Sender<Vec<Order>>>,
    news: Receiver<News>,
    thread: Option<JoinHandle<()>>,
}

impl RecordThread {
    /// `ledger.gauge` shows how full the queue is; the hub keeps it within its limit. `wake` is called when
    /// there is news.
    pub fn start(
        folder: Folder,
        pace: Pace,
        retention: Retention,
        ledger: Ledger,
        wake: impl Fn() + Clone + Send + 'static,
    ) -> io::Result<RecordThread> {
        let (orders, incoming) = mpsc::channel();
        let (outgoing, news) = mpsc::channel();
        let recovered = {
            let (outgoing, wake) = (outgoing.clone(), wake.clone());
            move |news| {
                // The receiver is gone when the server has ended.
                if outgoing.send(news).is_ok() {
                    wake();
                }
            }
        };
        let upkeep = Upkeep::start(folder.clone(), retention, recovered)?;
        let mut desk = Desk {
            recorder: Recorder::new(DiskFiles(folder), pace, ledger),
            incoming,
            outgoing,
            wake,
            upkeep,
        };
        let thread = thread::Builder::new()
            .name("recording".to_owned())
            .spawn(move || desk.run())?;
        Ok(RecordThread {
            orders: Some(orders),
            news,
            thread: Some(thread),
        })
    }

    /// Queues orders, in their order.
    pub fn send(&self, orders: Vec<Order>) {
        if let Some(sender) = &self.orders {
            // The thread lives as long as this sender.
            let _ = sender.send(orders);
        }
    }

    /// The next news.
    pub fn poll(&self) -> Option<News> {
        self.news.try_recv().ok()
    }

    /// No more orders come: all recordings are finished now.
    pub fn finish(&mut self) {
        self.orders = None;
    }

    /// Waits until all recordings are finished, at most until `deadline`. Returns whether they are. Those
    /// that are not, the next start finishes.
    pub fn wait(&mut self, deadline: Instant) -> bool {
        self.finish();
        let Some(thread) = self.thread.take() else {
            return true;
        };
        while !thread.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        thread.is_finished()
    }
}

struct Desk<W> {
    recorder: Recorder<DiskFiles>,
    incoming: Receiver<Vec<Order>>,
    outgoing: Sender<News>,
    wake: W,
    upkeep: Upkeep,
}

impl<W: Fn()> Desk<W> {
    fn run(&mut self) {
        while self.turn() {}
        self.recorder.finish_all(now());
        self.pass_news();
    }

    /// Returns whether more may come.
    fn turn(&mut self) -> bool {
        let mut more = true;
        match self.wait() {
            Ok(orders) => {
                self.take(orders);
                thread::sleep(COLLECT);
                loop {
                    match self.incoming.try_recv() {
                        Ok(orders) => self.take(orders),
                        Err(TryRecvError::Empty) => break,
                        Err(TryRecvError::Disconnected) => {
                            more = false;
                            break;
                        }
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => more = false,
        }
        self.recorder.tend(now());
        self.pass_news();
        more
    }

    fn wait(&self) -> Result<Vec<Order>, RecvTimeoutError> {
        match self.recorder.next_wake() {
            Some(at) => self
                .incoming
                .recv_timeout(at.saturating_duration_since(Instant::now())),
            None => self
                .incoming
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn take(&mut self, orders: Vec<Order>) {
        for order in orders {
            self.recorder.take(order, now());
        }
    }

    fn pass_news(&mut self) {
        let mut any = false;
        while let Some(news) = self.recorder.poll_news() {
            if matches!(news.what, Event::Ended { .. }) {
                self.upkeep.recording_ended();
            }
            // The receiver is gone when the server has ended.
            any |= self.outgoing.send(news).is_ok();
        }
        if any {
            (self.wake)();
        }
    }
}

fn now() -> Now {
    Now {
        now: Instant::now(),
        wall: SystemTime::now(),
    }
}

struct DiskFiles(Folder);

impl Files for DiskFiles {
    type File = File;

    fn create(
        &mut self,
        stream: &str,
        began: SystemTime,
        doc_type: DocType,
    ) -> io::Result<(File, String)> {
        let (file, name) = self.0.create(stream, FileName::new(began, doc_type))?;
        Ok((file, name.to_string()))
    }

    fn reader(&self, stream: &str, name: &str) -> io::Result<Box<dyn ReadAt>> {
        Ok(Box::new(self.0.open_own(stream, name)?))
    }
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, at)
    }
}
