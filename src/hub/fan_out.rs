//! The writing half of a turn: audiences are swept in slices, and whoever else has something to be
//! told is told it.
//!
//! A turn writes for a few milliseconds at most, so that publishers' next bytes are read soon. Of
//! these, those who are written to for themselves (room in a full socket, a join, a reply) get a
//! quarter when sweeps want the rest; sweeps share theirs in slices, stream by stream, so that a
//! small stream is through at once beside a large one, and a crowd that joins holds up nobody.

use crate::net::reactor::Reactor;
use crate::session::State;
use crate::session::outbox::Outbox;
use crate::session::viewer::{Sent, Wrote};
use crate::stream::StreamId;
use std::mem;
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

impl Reactor {
    /// Has every audience swept whose stream has new chunks.
    pub(crate) fn fan_out(&mut self) {
        let max_delay = self.limits.max_delay;
        for (&stream_id, broadcast) in &mut self.broadcasts {
            if mem::take(&mut broadcast.is_fresh) && !broadcast.audience.is_empty() {
                if !mem::replace(&mut broadcast.is_sweeping, true) {
                    self.sweeping.push_back(stream_id);
                }
                broadcast.sweep.chunks_came(self.now, max_delay);
            }
        }
    }

    /// Has every viewer of a stream visited soon, because there may be something to tell.
    pub(crate) fn queue_audience(&mut self, stream_id: StreamId) {
        if let Some(broadcast) = self.broadcasts.get_mut(&stream_id) {
            if !mem::replace(&mut broadcast.is_sweeping, true) {
                self.sweeping.push_back(stream_id);
            }
            broadcast.sweep.hurry(self.now);
        }
    }

    /// When the next sweep wants to go on or set out.
    pub(crate) fn sweep_at(&self) -> Option<Instant> {
        let broadcasts = self
            .sweeping
            .iter()
            .filter_map(|id| self.broadcasts.get(id));
        broadcasts
            .filter_map(|broadcast| broadcast.sweep.due(self.now))
            .min()
    }

    pub(crate) fn write(&mut self) {
        let mut budget = TURN_BYTES;
        let for_sweeps = match self.set_out() {
            true => TURN_BYTES / 4 * 3,
            false => 0,
        };
        self.write_queued(&mut budget, for_sweeps);
        self.write_sweeps(&mut budget);
        self.write_queued(&mut budget, 0);
    }

    /// Sends sweeps on their way whose time has come. Returns whether any is under way.
    fn set_out(&mut self) -> bool {
        let mut any = false;
        for id in &self.sweeping {
            if let Some(broadcast) = self.broadcasts.get_mut(id) {
                broadcast.sweep.set_out(broadcast.audience.len(), self.now);
                any |= broadcast.sweep.is_under_way();
            }
        }
        any
    }

    /// Writes to those on the list, once each at most, until no more than `floor` is left of the
    /// budget.
    fn write_queued(&mut self, budget: &mut usize, floor: usize) {
        for _ in 0..self.writable.len() {
            if *budget <= floor {
                return;
            }
            let Some(id) = self.writable.pop() else {
                return;
            };
            if let Some(connection) = self.connections.get_mut(id) {
                connection.is_write_queued = false;
                self.write_to(id, budget);
            }
        }
    }

    /// Visits audiences in turn, a slice of each, until none is under way or the budget is spent.
    fn write_sweeps(&mut self, budget: &mut usize) {
        let mut is_under_way = true;
        while is_under_way && *budget > 0 {
            is_under_way = false;
            for _ in 0..self.sweeping.len() {
                let Some(stream_id) = self.sweeping.pop_front() else {
                    return;
                };
                is_under_way |= self.write_slice(stream_id, budget);
                let Some(broadcast) = self.broadcasts.get_mut(&stream_id) else {
                    continue;
                };
                let ended = broadcast.sweep.poll_end();
                // Under way, or waiting for --max-delay.
                broadcast.is_sweeping = broadcast.sweep.due(self.now).is_some();
                if broadcast.is_sweeping {
                    self.sweeping.push_back(stream_id);
                }
                if let Some(swept) = ended {
                    let took = self.clock().saturating_duration_since(swept.began);
                    self.counters.sweeps.record(took);
                    self.counters.sweep_visits += swept.visits;
                }
            }
        }
    }

    /// Visits the next few viewers of a stream. Returns whether there may be more to visit.
    fn write_slice(&mut self, stream_id: StreamId, budget: &mut usize) -> bool {
        for _ in 0..SLICE_VIEWERS {
            if *budget == 0 {
                return true;
            }
            let next = self
                .broadcasts
                .get_mut(&stream_id)
                .and_then(|broadcast| broadcast.next_in_sweep(self.now));
            let Some(id) = next else {
                return false;
            };
            self.write_to(id, budget);
        }
        true
    }

    /// Writes to one connection, if it has room: who is full is written to as soon as it has some.
    fn write_to(&mut self, id: usize, budget: &mut usize) {
        let written = match self.connections[id].can_write {
            true => self.write_one(id),
            false => 0,
        };
        let cost = match written {
            0 if matches!(self.connections[id].state, State::Gone) => WRITE_COST,
            0 => LOOK_COST,
            written if self.connections[id].socket.is_encrypted() => {
                written * ENCRYPTED_COST + WRITE_COST
            }
            written => written + WRITE_COST,
        };
        self.keep_within_memory();
        *budget = budget.saturating_sub(cost);
    }

    /// Writes what one connection is to be given now. Returns the number of bytes.
    fn write_one(&mut self, id: usize) -> usize {
        if matches!(self.connections[id].state, State::Gone) || !self.flush_unsent(id) {
            return 0;
        }
        let written = match self.connections[id].state {
            State::Gone => 0,
            State::Viewing { .. } => self.write_viewer(id),
            _ => self.write_outbox(id),
        };
        let connection = &mut self.connections[id];
        if connection.socket.has_unsent() {
            // Taken by TLS, not by the kernel, which is full.
            connection.can_write = false;
            connection.blocked_since.get_or_insert(self.now);
        }
        written
    }

    /// Sends what TLS still holds. Returns whether all of it has gone.
    fn flush_unsent(&mut self, id: usize) -> bool {
        let connection = &mut self.connections[id];
        if !connection.socket.has_unsent() {
            return true;
        }
        let Ok(sent) = connection.socket.flush_unsent() else {
            self.drop_connection(id);
            return false;
        };
        if sent > 0 && connection.blocked_since.take().is_some() {
            connection.heard(self.now);
        }
        if connection.socket.has_unsent() {
            connection.can_write = false;
            connection.blocked_since.get_or_insert(self.now);
            return false;
        }
        true
    }

    fn write_viewer(&mut self, id: usize) -> usize {
        let connection = &mut self.connections[id];
        let State::Viewing { viewer, .. } = &connection.state else {
            return 0;
        };
        let stream_id = viewer.stream;
        let mut sent = Sent::default();
        // Its answer may begin now, long after it asked.
        if viewer.stamp.is_some() {
            let date = Some(self.date());
            if let State::Viewing { viewer, .. } = &mut self.connections[id].state
                && let Some(stamp) = &mut viewer.stamp
            {
                match viewer.cursor.has_begun() {
                    true => viewer.stamp = None,
                    false => stamp.date = date,
                }
            }
        }
        let connection = &mut self.connections[id];
        let stream = self.catalog.stream(stream_id);
        let result = connection.write_viewer(stream, &mut self.items, &mut sent, self.now);
        if let Some(broadcast) = self.broadcasts.get_mut(&stream_id) {
            broadcast.sent_bytes += sent.bytes as u64;
            broadcast.skips += sent.skips;
        }
        self.counters.skips += sent.skips;
        if sent.bytes > 0 {
            self.counters.sent_bytes += sent.bytes as u64;
            self.counters.write_bytes.record(sent.bytes as u64);
        }
        match result {
            Ok(Wrote::Level | Wrote::Blocked) => {}
            Ok(Wrote::More) => self.queue_write(id),
            Ok(Wrote::Ended) => self.close_when_written(id),
            Err(_) => self.drop_connection(id),
        }
        sent.bytes
    }

    fn write_outbox(&mut self, id: usize) -> usize {
        let mut written = 0;
        match self.connections[id].write_outbox(&mut written, self.now) {
            // Its last bytes wait for room: then it is written to again.
            Ok(true) if self.connections[id].socket.has_unsent() => {}
            Ok(true) => self.outbox_written(id),
            Ok(false) => {}
            Err(_) => self.cannot_write(id),
        }
        written
    }

    /// The peer takes nothing any more. What a publisher sent before still counts: once that is read,
    /// its end is seen as well.
    fn cannot_write(&mut self, id: usize) {
        let connection = &mut self.connections[id];
        match connection.state {
            State::Publishing(_) if connection.wants_turn() => {
                connection.outbox = Outbox::default();
                self.queue_read(id);
            }
            _ => self.drop_connection(id),
        }
    }

    /// All that was to be said has been written.
    pub(crate) fn outbox_written(&mut self, id: usize) {
        let connection = &mut self.connections[id];
        match &mut connection.state {
            State::Responding { keep_alive, rest } => {
                if !*keep_alive {
                    self.close_when_written(id);
                    return;
                }
                connection.state = State::Requesting(mem::take(rest));
                connection.since = self.now;
                self.queue_read(id);
            }
            State::Closing { is_shut, .. } if !*is_shut => {
                // Half-closed, so that what was written last is not lost to a reset when the peer
                // is still sending. The peer may be gone already.
                *is_shut = connection.socket.shut().unwrap_or(true);
                if *is_shut {
                    self.queue_read(id);
                }
            }
            _ => {}
        }
    }
}
