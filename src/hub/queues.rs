//! Which sessions have a turn next.
//!
//! A session is in each queue at most once: its own flags record where. An entry whose session is
//! gone costs one look.

use super::write_queue::WriteQueue;
use crate::session::{Session, SessionId, State};
use std::collections::VecDeque;
use std::mem;
use std::time::Instant;

#[derive(Debug, Default)]
pub struct Queues {
    /// Publishers to be read.
    feeding: VecDeque<SessionId>,
    /// Others to be read.
    readable: VecDeque<SessionId>,
    /// Sessions to be written to by themselves, rather than in a sweep.
    writable: WriteQueue,
    /// Publishers over their rate limit, and when each is read again.
    throttled: Vec<(Instant, SessionId)>,
    /// Publishers whose blocks wait for other tracks, or for the clock to pass.
    waiting_media: Vec<SessionId>,
}

impl Queues {
    /// Edge-triggered: a socket left before "would block" gets no second event, so while any is in a
    /// queue the next wait must not sleep.
    pub fn is_empty(&self) -> bool {
        self.feeding.is_empty() && self.readable.is_empty() && self.writable.is_empty()
    }

    pub fn push_read<S>(&mut self, session: &mut Session<S>) {
        if session.readiness_mut().queue_read() {
            match session.state() {
                State::Relaying(relaying) if relaying.publishes() => {
                    self.feeding.push_back(session.id())
                }
                State::Publishing(_) => self.feeding.push_back(session.id()),
                _ => self.readable.push_back(session.id()),
            }
        }
    }

    pub fn push_write<S>(&mut self, session: &mut Session<S>) {
        if session.readiness_mut().queue_write() {
            let waiting_bytes = session.outbox().byte_len();
            self.writable.push(session.id(), waiting_bytes);
        }
    }

    pub fn publishers(&self) -> usize {
        self.feeding.len()
    }

    pub fn pop_publisher(&mut self) -> Option<SessionId> {
        self.feeding.pop_front()
    }

    pub fn readers(&self) -> usize {
        self.readable.len()
    }

    pub fn pop_reader(&mut self) -> Option<SessionId> {
        self.readable.pop_front()
    }

    pub fn writers(&self) -> usize {
        self.writable.len()
    }

    pub fn pop_writer(&mut self) -> Option<SessionId> {
        self.writable.pop()
    }

    /// Has a publisher read again at `until`.
    pub fn throttle(&mut self, id: SessionId, until: Instant) {
        self.throttled.push((until, id));
    }

    /// Takes out the publishers that may be read again.
    pub fn unthrottle(&mut self, now: Instant) -> Vec<SessionId> {
        let is_over = |entry: &mut (Instant, SessionId)| entry.0 <= now;
        let over = self.throttled.extract_if(.., is_over);
        over.map(|(_, id)| id).collect()
    }

    #[cfg(feature = "testing")]
    pub fn throttled(&self) -> usize {
        self.throttled.len()
    }

    pub fn unthrottle_at(&self) -> Option<Instant> {
        self.throttled.iter().map(|&(until, _)| until).min()
    }

    pub fn push_waiting_media(&mut self, id: SessionId) {
        self.waiting_media.push(id);
    }

    pub fn waiting_media(&self) -> &[SessionId] {
        &self.waiting_media
    }

    pub fn take_waiting_media(&mut self) -> Vec<SessionId> {
        mem::take(&mut self.waiting_media)
    }

    /// Puts back the sessions that were not reached.
    pub fn return_waiting_media(&mut self, mut rest: Vec<SessionId>) {
        self.waiting_media.append(&mut rest);
    }
}
