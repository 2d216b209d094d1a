//! What a test sees of a hub between two turns: the simulation checks its promises against this.

use super::Hub;
use crate::session::body::ReadBuffer;
use crate::session::{Session, SessionId, Socket, State};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longer than any deadline: a session that is not due by then has none.
const FOREVER: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub struct Audit {
    pub sessions: Vec<SessionAudit>,
    pub streams: Vec<StreamAudit>,
    /// Whether any session is in a queue of those that have a turn next.
    pub has_queued: bool,
    /// Publishers that are not read until their bucket refills.
    pub throttled: usize,
    /// Publishers whose blocks wait for other tracks, or for the clock to pass.
    pub waiting_media: usize,
    /// Connections that count for a client.
    pub counted: usize,
    /// Questions that the web hook has not answered.
    pub questions: usize,
    /// Work of the last turn for publishers, and for reports: see [`work`](crate::work).
    pub publishers_work: u64,
    pub reports_work: u64,
    /// Whether the last turn stopped writing while an audience waited for new chunks, and more could have
    /// been written.
    pub has_idled: bool,
    /// Requests that `--max-memory` refused, and sessions that it closed.
    pub refused_for_memory: u64,
    pub closed_for_memory: u64,
    /// GOPs that recordings have lost, and recordings that failed.
    pub gops_lost: u64,
    pub recordings_failed: u64,
    /// Bytes that wait for the disk.
    pub recording_queue_bytes: u64,
    /// Bytes kept for listeners of the old protocol.
    pub compat_kept_bytes: u64,
    /// Bytes of the last hour's figures.
    pub history_bytes: usize,
    /// Bytes of what stays as large as it once was: the tables of sessions and streams and of messages for old
    /// listeners, and the buffer that all sockets are read into.
    pub table_bytes: usize,
}

#[derive(Debug)]
pub struct SessionAudit {
    pub id: SessionId,
    pub state: &'static str,
    pub wait: Wait,
    /// The address that it counts for, and whether it does.
    pub client: IpAddr,
    pub is_counted: bool,
    /// The stream that it publishes or watches.
    pub stream: Option<Arc<str>>,
    /// Bytes in its outbox.
    pub outbox_bytes: usize,
    /// Replies and parts of chunks in its outbox.
    pub outbox_slices: usize,
    /// Bytes that have come in and are not processed yet.
    pub coming_bytes: usize,
    /// The hub's view of its socket.
    pub can_read: bool,
    pub can_write: bool,
    /// Whether it has a turn next, by itself or in a sweep.
    pub is_read_queued: bool,
    pub is_write_queued: bool,
    /// Whether something could be written to it now.
    pub has_output: bool,
    /// Whether the hub reads a socket in this state at all.
    pub is_read: bool,
    pub is_throttled: bool,
    /// Whether blocks of it wait for other tracks, or for the clock.
    pub has_waiting_media: bool,
}

/// What a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Something happens by itself in the end.
    Deadline,
    /// An event that has to come from elsewhere.
    Event(&'static str),
    /// A fault: it stays for ever.
    Nothing,
}

#[derive(Debug)]
pub struct StreamAudit {
    pub name: String,
    pub has_publisher: bool,
    pub candidates: usize,
    pub viewers: usize,
    /// Bytes of memory that the ring takes.
    pub ring_bytes: usize,
    pub init_bytes: usize,
    pub skips: u64,
    /// Whether it stays without a publisher and viewers, for its recording or its segments.
    pub is_kept: bool,
}

impl<S: Socket> Hub<S> {
    /// Looks at what the writing half of a turn left undone.
    pub(super) fn audit_write(&mut self, budget_left: usize) {
        let now = self.clock.now();
        let is_due = self.streams.sweep_at(now).is_some_and(|at| at <= now);
        let waits = is_due || !self.streams.fresh().is_empty();
        self.turn.has_idled = waits && budget_left > 0;
    }

    pub fn audit(&self) -> Audit {
        let recordings = self.recording_figures();
        let compat = self.compat.as_ref();
        Audit {
            sessions: self
                .sessions
                .iter()
                .map(|one| self.audit_one(one))
                .collect(),
            streams: self.audit_streams(),
            has_queued: !self.queues.is_empty(),
            throttled: self.queues.throttled(),
            waiting_media: self.queues.waiting_media().len(),
            counted: self.clients.counted(),
            questions: self.authorizer.as_ref().map_or(0, |one| one.questions()),
            publishers_work: self.turn.budget.done(),
            reports_work: self.turn.reads.done(),
            has_idled: self.turn.has_idled,
            refused_for_memory: self.books.counters.refused_for_memory,
            closed_for_memory: self.books.counters.closed_for_memory,
            gops_lost: recordings.gops_lost,
            recordings_failed: recordings.failed,
            recording_queue_bytes: recordings.queued_bytes,
            compat_kept_bytes: self.compat_figures().1,
            history_bytes: self.followers.history_bytes(),
            table_bytes: self.sessions.table_bytes()
                + self.streams.table_bytes()
                + compat.map_or(0, |compat| compat.kept().spare_bytes())
                + ReadBuffer::PIECE_BYTES,
        }
    }

    fn audit_one(&self, session: &Session<S>) -> SessionAudit {
        let now = self.clock.now();
        let has_output = match session.state() {
            State::Viewing { viewer, .. } => {
                // Text messages for a viewer go out with the media: a write of their own would cost
                // as much.
                viewer.has_output(self.streams.stream(viewer.stream()))
            }
            State::Gone => false,
            State::Fetching(fetching) => {
                !session.outbox().is_empty()
                    || fetching.has_output(self.streams.stream(fetching.stream()))
                    || !self.waits_for_segment(fetching)
            }
            State::Relaying(relaying) => {
                let compat = self.compat.as_ref();
                compat.is_some_and(|compat| relaying.has_news(compat.kept()))
            }
            _ => !session.outbox().is_empty(),
        };
        let is_sweeping = match session.state() {
            State::Viewing { viewer, .. } => self
                .streams
                .broadcast(viewer.stream())
                .is_some_and(|broadcast| broadcast.audience().is_sweeping()),
            _ => false,
        };
        let is_throttled = matches!(
            session.state(),
            State::Publishing(publisher) if publisher.is_throttled(now)
        );
        SessionAudit {
            is_throttled,
            has_waiting_media: matches!(
                session.state(),
                State::Publishing(publisher) if publisher.media_deadline_ms().is_some()
            ),
            id: session.id(),
            state: session.state().name(),
            wait: self.wait(session, now),
            client: session.address(),
            is_counted: session.client().is_counted(),
            stream: match session.state() {
                State::Publishing(publisher) => Some(publisher.stream()),
                State::Relaying(relaying) => relaying.publisher().map(|one| one.stream()),
                State::Viewing { viewer, .. } => Some(viewer.stream()),
                _ => None,
            }
            .map(|id| self.streams.stream(id).name().clone()),
            outbox_bytes: session.outbox().byte_len(),
            outbox_slices: session.outbox().len(),
            coming_bytes: session.coming_bytes(),
            can_read: session.readiness().can_read(),
            can_write: session.readiness().can_write(),
            is_read_queued: session.readiness().is_read_queued(),
            is_write_queued: session.readiness().is_write_queued() || is_sweeping,
            has_output,
            is_read: match session.state() {
                State::Publishing(_) => !is_throttled,
                State::Responding { .. } | State::Recalling(_) | State::Gone => false,
                State::Closing { is_shut, .. } => *is_shut,
                // It only looks whether the peer has left.
                State::Pending(_) | State::Fetching(_) => false,
                State::Requesting(_)
                | State::Draining(_)
                | State::Posting(_)
                | State::Following(_)
                | State::Viewing { .. }
                | State::Relaying(_) => true,
            },
        }
    }

    fn wait(&self, session: &Session<S>, now: Instant) -> Wait {
        let is_level = session.readiness().blocked_since().is_none();
        // A peer that takes nothing has to be noticed as one.
        let is_forgotten =
            is_level && !session.readiness().can_write() && !session.outbox().is_empty();
        if is_forgotten
            && matches!(
                session.state(),
                State::Viewing { .. } | State::Responding { .. }
            )
        {
            return Wait::Nothing;
        }
        if session.due(&self.settings.limits, now + FOREVER).is_some() {
            return Wait::Deadline;
        }
        match session.state() {
            State::Pending(pending)
                if pending.is_decided() && session.readiness().is_read_queued() =>
            {
                Wait::Event("its turn")
            }
            State::Viewing { viewer, .. }
                if viewer.time_shift().is_some_and(|one| one.is_awaited()) =>
            {
                Wait::Event("the archive")
            }
            State::Viewing { viewer, .. } if !viewer.is_websocket() && is_level => {
                Wait::Event("media")
            }
            // Its last bytes are on their way to a peer that takes them.
            State::Responding { .. } if session.readiness().is_write_queued() => {
                Wait::Event("its turn")
            }
            State::Recalling(_) => Wait::Event("the archive"),
            State::Fetching(_) if is_level => Wait::Event("media"),
            State::Following(_) if is_level => Wait::Event("the next second"),
            State::Gone if self.sessions.has_gone() => Wait::Event("its slot to be freed"),
            _ => Wait::Nothing,
        }
    }

    fn audit_streams(&self) -> Vec<StreamAudit> {
        let streams = self.streams.iter();
        let streams = streams.map(|(id, stream)| {
            let broadcast = self.streams.broadcast(id);
            StreamAudit {
                name: stream.name().to_string(),
                has_publisher: broadcast.is_some_and(|one| one.publisher().is_some()),
                candidates: broadcast.map_or(0, |one| one.candidates().iter().count()),
                viewers: broadcast.map_or(0, |one| one.audience().viewers().len()),
                ring_bytes: stream.ring().byte_len(),
                init_bytes: stream.init_bytes(),
                skips: broadcast.map_or(0, |one| one.traffic().skips()),
                is_kept: broadcast
                    .is_some_and(|one| one.is_kept() || one.segment_readers().keep_stream()),
            }
        });
        streams.collect()
    }
}
