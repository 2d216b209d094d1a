//! The writing half of a turn: audiences are swept in slices, and all other sessions with output
//! are written to.
//!
//! A turn writes for a few milliseconds at most, so that publishers' next bytes are read soon.
//! Single writes (after room in a full socket, a join, a reply) get a quarter of that time when
//! sweeps want the rest. Sweeps share theirs in slices, stream by stream, so that a small stream is
//! through at once beside a large one, and a crowd that joins delays no other viewer.

use super::Hub;
use crate::session::turn::AfterOutput;
use crate::session::viewer::WriteProgress;
use crate::session::{SessionId, Socket, State};
use crate::stream::StreamId;
use std::time::Instant;

/// What one turn writes, counted in bytes: 24 MiB take about 4 ms.
const TURN_BYTES: usize = 24 << 20;

/// What a write costs beside its bytes, counted in bytes. Measured: 5 us a call, 0.14 ns a byte.
const WRITE_COST: usize = 32 << 10;

/// What an encrypted byte costs, counted in plain ones.
const ENCRYPTED_COST: usize = 2;

/// What it costs to see that there is nothing to write, counted in bytes.
const LOOK_COST: usize = 512;

/// Viewers visited in one stream's sweep before the next stream has its turn.
const SLICE_VIEWERS: usize = 64;

impl<S: Socket> Hub<S> {
    /// Starts a sweep for each stream that has new chunks.
    pub(super) fn fan_out(&mut self) {
        let max_delay = self.settings.limits.max_delay;
        self.streams.sweep_fresh(max_delay, self.clock.now());
    }

    /// Schedules a visit to every viewer of a stream, because there may be a message for it.
    pub(super) fn queue_audience(&mut self, stream_id: StreamId) {
        self.streams.sweep_soon(stream_id, self.clock.now());
    }

    /// Returns what is left of the turn's budget.
    pub(super) fn write(&mut self, clock: &dyn Fn() -> Instant) -> usize {
        let mut budget = TURN_BYTES;
        let for_sweeps = if self.streams.set_out(self.clock.now()) {
            TURN_BYTES / 4 * 3
        } else {
            0
        };
        budget = self.write_queued(budget, for_sweeps);
        budget = self.write_sweeps(budget, clock);
        self.write_queued(budget, 0)
    }

    /// Writes to the sessions in the queue, once each at most, until no more than `floor` is left of the
    /// budget. Returns what is left.
    fn write_queued(&mut self, mut budget: usize, floor: usize) -> usize {
        for _ in 0..self.queues.writers() {
            if budget <= floor {
                break;
            }
            let Some(id) = self.queues.pop_writer() else {
                break;
            };
            if let Some(session) = self.sessions.get_mut(id) {
                session.readiness_mut().write_turn();
                budget = budget.saturating_sub(self.write_to(id));
            }
        }
        budget
    }

    /// Visits audiences in turn, a slice of each, until none is under way or the budget is spent. Returns
    /// what is left of it.
    fn write_sweeps(&mut self, mut budget: usize, clock: &dyn Fn() -> Instant) -> usize {
        let mut is_under_way = true;
        while is_under_way && budget > 0 {
            is_under_way = false;
            for _ in 0..self.streams.sweeps() {
                let Some(stream_id) = self.streams.next_sweep() else {
                    return budget;
                };
                let more;
                (more, budget) = self.write_slice(stream_id, budget);
                is_under_way |= more;
                if let Some(swept) = self.streams.end_slice(stream_id, self.clock.now()) {
                    let took = clock().saturating_duration_since(swept.began);
                    self.books.counters.sweeps.record(took);
                    if let Some(broadcast) = self.streams.broadcast_mut(stream_id) {
                        broadcast.traffic_mut().swept(took);
                    }
                    self.books.counters.sweep_visits += swept.visits;
                }
            }
        }
        budget
    }

    /// Visits the next few viewers of a stream. Returns whether there may be more to visit, and what is
    /// left of the budget.
    fn write_slice(&mut self, stream_id: StreamId, mut budget: usize) -> (bool, usize) {
        for _ in 0..SLICE_VIEWERS {
            if budget == 0 {
                return (true, 0);
            }
            let Some(id) = self.streams.next_viewer(stream_id, self.clock.now()) else {
                return (false, budget);
            };
            budget = budget.saturating_sub(self.write_to(id));
        }
        (true, budget)
    }

    /// Writes to one session, if its socket has room; a full one is written to as soon as it has some.
    /// Returns what that cost, counted in bytes.
    fn write_to(&mut self, id: SessionId) -> usize {
        let written = if self.sessions[id].readiness().can_write() {
            self.write_one(id)
        } else {
            0
        };
        let cost = match written {
            0 if self.sessions[id].is_gone() => WRITE_COST,
            0 => LOOK_COST,
            written if self.sessions[id].socket().is_encrypted() => {
                written * ENCRYPTED_COST + WRITE_COST
            }
            written => written + WRITE_COST,
        };
        self.keep_within_memory();
        cost
    }

    /// Writes what one session is due now. Returns the number of bytes.
    fn write_one(&mut self, id: SessionId) -> usize {
        if self.sessions[id].is_gone() || !self.flush_unsent(id) {
            return 0;
        }
        let written = match self.sessions[id].state() {
            State::Gone => 0,
            State::Viewing { .. } => self.write_viewer(id),
            State::Relaying(_) => self.write_old(id),
            State::Fetching(_) => self.write_segment(id),
            _ => self.write_outbox(id),
        };
        self.sessions[id].note_unsent(self.clock.now());
        written
    }

    /// Sends what TLS still holds. Returns whether all of it has gone.
    fn flush_unsent(&mut self, id: SessionId) -> bool {
        let flushed = self.sessions[id].flush_unsent(self.clock.now());
        flushed.unwrap_or_else(|_| {
            self.drop_session(id);
            false
        })
    }

    fn write_viewer(&mut self, id: SessionId) -> usize {
        let session = &mut self.sessions[id];
        let Some(viewer) = session.viewer_mut() else {
            return 0;
        };
        let stream_id = viewer.stream();
        // The answer may begin now, long after the request.
        if viewer.needs_date() {
            viewer.set_date(self.clock.date());
        }
        let stream = self.streams.stream(stream_id);
        let sent = session.write_viewer(stream, &mut self.turn.batch, self.clock.now());
        let sent = match sent {
            Ok(sent) => sent,
            Err(_) => {
                self.drop_session(id);
                return 0;
            }
        };
        if let Some(broadcast) = self.streams.broadcast_mut(stream_id) {
            broadcast.traffic_mut().sent(sent.bytes as u64, sent.skips);
        }
        let counters = &mut self.books.counters;
        counters.skips += sent.skips;
        if sent.bytes > 0 {
            counters.sent_bytes += sent.bytes as u64;
            counters.write_bytes.record(sent.bytes as u64);
        }
        match sent.progress {
            WriteProgress::Level | WriteProgress::Blocked => {}
            WriteProgress::More => self.queue_write(id),
            WriteProgress::Held(held) => self.hold_viewer(id, held),
            WriteProgress::Ended => self.close_when_written(id),
        }
        sent.bytes
    }

    fn write_outbox(&mut self, id: SessionId) -> usize {
        let (written, result) = self.sessions[id].write_outbox(self.clock.now());
        match result {
            // The last bytes wait for room: the session is written to again then.
            Ok(true) if self.sessions[id].socket().has_unsent() => {}
            Ok(true) => self.outbox_written(id),
            Ok(false) => {}
            Err(_) => self.cannot_write(id),
        }
        written
    }

    /// The peer takes nothing any more. What a publisher sent before still counts: once that is read,
    /// its end is seen as well.
    pub(super) fn cannot_write(&mut self, id: SessionId) {
        let session = &mut self.sessions[id];
        if session.publisher().is_some() && session.wants_turn() {
            session.discard_output();
            self.queue_read(id);
        } else {
            self.drop_session(id);
        }
    }

    /// The whole outbox has been written.
    pub(super) fn outbox_written(&mut self, id: SessionId) {
        match self.sessions[id].outbox_written(self.clock.now()) {
            AfterOutput::Stays => {}
            AfterOutput::Reads => self.queue_read(id),
            AfterOutput::Closes => self.close_when_written(id),
            AfterOutput::Recalls => self.recall_more(id),
            AfterOutput::Follows => self.follow_on(id),
        }
    }
}
