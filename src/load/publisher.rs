//! The load's own publishers: one thread and one connection for each stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::clip::Playback;
use super::stamp;
use crate::client::Address;
use crate::client::uplink::{self, Uplink, UplinkError};
use crate::secret::Secret;

/// A publisher at work.
#[derive(Debug)]
pub(super) struct Publisher {
    address: String,
    thread: JoinHandle<Result<(), UplinkError>>,
    stop: Arc<AtomicBool>,
    sent_bytes: Arc<AtomicU64>,
    late_us: Arc<AtomicU64>,
}

#[derive(Debug, thiserror::Error)]
#[error("{address}: {error}")]
pub struct PublishError {
    address: String,
    error: UplinkError,
}

/// What a publisher sends, and when.
#[derive(Debug)]
pub struct Program {
    pub playback: Playback,
    /// Media sent at once.
    pub chunk: Duration,
    /// How long to wait first: several publishers should not all send at once.
    pub delay: Duration,
}

impl Publisher {
    /// Connects, and begins after the delay.
    pub fn start(
        address: &Address,
        tls: Option<&Arc<ClientConfig>>,
        key: Option<&Secret>,
        program: Program,
    ) -> Result<Publisher, PublishError> {
        let Program {
            playback,
            chunk,
            delay,
        } = program;
        let name = address.to_string();
        let opened = address
            .open(tls)
            .map_err(UplinkError::from)
            .and_then(|stream| uplink::open(stream, address, key));
        let uplink = match opened {
            Ok(uplink) => uplink,
            Err(error) => {
                return Err(PublishError {
                    address: name,
                    error,
                });
            }
        };
        let stop = Arc::<AtomicBool>::default();
        let (sent_bytes, late_us) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let play = Play {
            uplink,
            playback,
            chunk,
            stop: stop.clone(),
            sent_bytes: sent_bytes.clone(),
            late_us: late_us.clone(),
        };
        let thread = std::thread::spawn(move || play.run(delay));
        Ok(Publisher {
            address: name,
            thread,
            stop,
            sent_bytes,
            late_us,
        })
    }

    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    /// How much later than due a chunk was taken up, at most, since this was last asked. That the
    /// server did not take the one before does not count.
    pub fn take_late(&self) -> Duration {
        Duration::from_micros(self.late_us.swap(0, Ordering::Relaxed))
    }

    /// Whether it ended without an order to do so.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends the stream, and tells what went wrong with it.
    pub fn stop(self) -> Result<(), PublishError> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join().expect("a publisher does not panic");
        ended.map_err(|error| PublishError {
            address: self.address,
            error,
        })
    }
}

struct Play {
    uplink: Box<dyn Uplink + Send>,
    playback: Playback,
    chunk: Duration,
    stop: Arc<AtomicBool>,
    sent_bytes: Arc<AtomicU64>,
    late_us: Arc<AtomicU64>,
}

impl Play {
    fn run(mut self, delay: Duration) -> Result<(), UplinkError> {
        self.uplink.listen(Instant::now() + delay, &mut |_| {})?;
        let started = Instant::now();
        let mut due = Duration::ZERO;
        // When it had nothing to do but to wait for the next chunk's time.
        let mut free = started;
        while !self.stop.load(Ordering::Relaxed) {
            let late = Instant::now().saturating_duration_since(free.max(started + due));
            self.late_us
                .fetch_max(late.as_micros() as u64, Ordering::Relaxed);
            let bytes = self.playback.take(due.as_millis() as u64, stamp::now_ns());
            let length = bytes.len() as u64;
            if length > 0 {
                self.uplink.send(bytes)?;
                self.sent_bytes.fetch_add(length, Ordering::Relaxed);
            }
            free = Instant::now();
            // One that was held up sends what it missed at once, as a recorder does.
            due = (due + self.chunk).max(started.elapsed().saturating_sub(self.chunk));
            self.uplink.listen(started + due, &mut |_| {})?;
        }
        self.uplink.finish()
    }
}
