//! The threads that send events to `--event-url`, because an answer may take seconds and the loop must
//! not.
//!
//! The loop and the threads share an [`Outbox`]. Each holds it for some microseconds and never while it
//! sends, so that neither waits for a receiver.

use super::web_hook::WebHook;
use crate::config;
use crate::events::signature;
use crate::events::{Event, Letter, Next, Outbox, SIGNATURE, Stamps, THREADS, TRY_TIMEOUT, Tally};
use crate::secret::Secret;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How long events may be sent for when all else is over, if the time for stopping allows.
const FINISHING_TIMEOUT: Duration = Duration::from_secs(1);

/// Beyond the time that peers have to close: in all less than the 5 s that a server has to stop.
const FINISHING_END: Duration = Duration::from_millis(1800);

/// The threads, from outside.
pub struct EventThreads {
    shared: Arc<Shared>,
}

struct Shared {
    outbox: Mutex<Outbox>,
    changed: Condvar,
    hook: WebHook,
    secret: Option<Secret>,
}

impl EventThreads {
    /// `node` is this node's name, where there are several.
    pub fn start(
        options: &config::Events,
        tally: &Tally,
        node: Option<String>,
    ) -> io::Result<EventThreads> {
        let mut random = [0; 12];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let shared = Arc::new(Shared {
            outbox: Mutex::new(Outbox::new(Stamps::new(random, node), tally.clone())),
            changed: Condvar::new(),
            hook: WebHook::new(&options.url, THREADS),
            secret: options.secret.clone(),
        });
        for _ in 0..THREADS {
            let shared = shared.clone();
            thread::Builder::new()
                .name("events".to_owned())
                .spawn(move || shared.work())?;
        }
        Ok(EventThreads { shared })
    }

    /// Queues events. `now` is the loop's time, by which they happened.
    pub fn send(&self, events: &[Event], now: Instant) {
        if events.is_empty() {
            return;
        }
        let wall = SystemTime::now();
        let mut outbox = self.shared.outbox();
        for event in events {
            let ago = now.saturating_duration_since(event.at);
            outbox.push(event, wall - ago, Instant::now());
        }
        drop(outbox);
        self.shared.changed.notify_all();
    }

    /// Waits until all events are delivered, but not for long. `stopping` is when peers had to be gone.
    pub fn wait(self, stopping: Option<Instant>) {
        let now = Instant::now();
        let soon = now + FINISHING_TIMEOUT;
        let deadline = stopping.map_or(soon, |stopping| soon.min(stopping + FINISHING_END));
        let mut outbox = self.shared.outbox();
        outbox.hurry(now);
        self.shared.changed.notify_all();
        let left = deadline.saturating_duration_since(now);
        let waited = self
            .shared
            .changed
            .wait_timeout_while(outbox, left, |outbox| !outbox.is_empty());
        let (mut outbox, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let events = outbox.abandon();
        if events > 0 {
            tracing::warn!(
                events,
                "events are lost: --event-url did not take them before the end"
            );
        }
    }
}

impl Shared {
    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what is due, for ever.
    fn work(&self) {
        loop {
            let letter = self.take();
            let result = self.post(&letter);
            let mut outbox = self.outbox();
            let now = Instant::now();
            outbox.done(&letter.stream, result.is_ok(), now);
            if let Err(trouble) = result
                && let Some(tries) = outbox.poll_failures(now)
            {
                tracing::warn!(stream = %letter.stream, trouble, tries, "--event-url does not take events: they are sent again");
            }
            drop(outbox);
            self.changed.notify_all();
        }
    }

    /// Waits for the next letter.
    fn take(&self) -> Letter {
        let mut outbox = self.outbox();
        loop {
            let now = Instant::now();
            let next = outbox.next(now);
            if let Some(events) = outbox.poll_drops(now) {
                tracing::warn!(
                    events,
                    "events are lost: --event-url did not take them in time, or too many wait"
                );
            }
            outbox = match next {
                Next::Send(letter) => return letter,
                Next::Wait(None) => {
                    let waited = self.changed.wait(outbox);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
                Next::Wait(Some(until)) => {
                    let left = until.saturating_duration_since(now);
                    let waited = self.changed.wait_timeout(outbox, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn post(&self, letter: &Letter) -> Result<(), String> {
        let signature = self
            .secret
            .as_ref()
            .map(|secret| signature(secret, &letter.body));
        let field = signature.as_deref().map(|signature| (SIGNATURE, signature));
        let deadline = Instant::now() + TRY_TIMEOUT;
        match self.hook.post(&letter.body, deadline, field.as_slice())? {
            200..=299 => Ok(()),
            other => Err(format!("it answered {other}")),
        }
    }
}
