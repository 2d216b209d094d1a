//! What must happen by when.
//!
//! Deadlines are looked at a few times a second, all of them: a pass over 10,000 connections
//! takes less time than one write, and nothing has to be kept in order.

use super::Hub;
use crate::http::Method;
use crate::http::refusal::Refusal;
use crate::offline_reason::OfflineReason;
use crate::session::publisher::PublisherEnd;
use crate::session::{Due, SessionId, Socket};
use crate::stream::StreamId;
use crate::websocket::messages::{ToPublisher, ToViewer};
use crate::websocket::{CloseCode, text_frame};
use crate::work::{self, Work};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// How often deadlines are looked at. The shortest is two seconds.
const TICK: Duration = Duration::from_millis(250);

/// Least time between two viewer counts to the viewers. Each count costs a write per viewer.
const VIEWERS_PAUSE: Duration = Duration::from_secs(5);

/// When deadlines are looked at, and how far a look has come.
#[derive(Debug)]
pub struct Ticks {
    ticked_at: Instant,
    /// The next slot to look at. `None`: the look is over.
    slot: Option<usize>,
    counts_sent_at: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    Anew,
    /// One turn was too short for all.
    Again,
}

impl Ticks {
    pub fn new(now: Instant) -> Ticks {
        Ticks {
            ticked_at: now,
            slot: None,
            counts_sent_at: now,
        }
    }

    /// When the next look is due.
    pub fn next(&self) -> Instant {
        self.ticked_at + TICK
    }

    /// Whether a look goes on in the next turn.
    pub fn is_interrupted(&self) -> bool {
        self.slot.is_some()
    }

    /// Begins a look if it is time, or goes on with one.
    fn begin(&mut self, now: Instant) -> Option<Begun> {
        if self.slot.is_some() {
            return Some(Begun::Again);
        }
        if now < self.next() {
            return None;
        }
        self.ticked_at = now;
        self.slot = Some(0);
        Some(Begun::Anew)
    }

    /// The slot to look at. `None`: all of `slots` have been looked at, and the look is over.
    fn next_slot(&mut self, slots: usize) -> Option<usize> {
        let slot = self.slot.filter(|&slot| slot < slots);
        self.slot = slot.map(|slot| slot + 1);
        slot
    }

    /// The look goes on here in the next turn.
    fn interrupt(&mut self, slot: usize) {
        self.slot = Some(slot);
    }

    /// Whether the viewers get the viewer count now.
    fn sends_counts(&mut self, now: Instant) -> bool {
        let is_time = now.saturating_duration_since(self.counts_sent_at) >= VIEWERS_PAUSE;
        if is_time {
            self.counts_sent_at = now;
        }
        is_time
    }
}

impl<S: Socket> Hub<S> {
    pub(super) fn expire(&mut self) {
        let now = self.clock.now();
        let Some(begun) = self.ticks.begin(now) else {
            return;
        };
        if begun == Begun::Anew {
            self.check_memory();
            self.sample();
        }
        // Thousands of sessions may be due at once: those that came at once and send nothing.
        let mut work = Work::new(work::DEADLINES_WORK);
        while let Some(slot) = self.ticks.next_slot(self.sessions.slots()) {
            if work.is_spent() {
                self.ticks.interrupt(slot);
                return;
            }
            work.spend(work::LOOK);
            let Some(id) = self.sessions.at_slot(slot) else {
                continue;
            };
            if let Some(due) = self.sessions[id].due(&self.settings.limits, now) {
                work.spend(work::DEADLINE + self.ring_price(id));
                self.expire_one(id, due);
            }
        }
        self.expire_streams(work);
        self.close_overtaken_listeners();
    }

    /// What it costs to free a publisher's ring.
    pub(super) fn ring_price(&self, id: SessionId) -> u64 {
        self.sessions[id].publisher().map_or(0, |publisher| {
            self.streams.stream(publisher.stream()).ring_price()
        })
    }

    fn expire_one(&mut self, id: SessionId, due: Due) {
        match due {
            // During a TLS handshake the client cannot get a refusal.
            Due::HeadTimeout if self.sessions[id].socket().is_handshaking() => {
                self.drop_session(id);
            }
            Due::HeadTimeout => {
                let refusal = Refusal::new(408, "the request head did not arrive in time");
                self.refuse(id, &refusal, Method::Other);
            }
            Due::Undecided => self.time_out_pending(id),
            Due::SilentPublisher if self.sessions[id].is_relaying() => {
                self.detach_publisher(id, OfflineReason::Lost);
                self.return_to_ordinary();
            }
            Due::SilentPublisher => {
                let end = PublisherEnd {
                    code: CloseCode::Policy,
                    status: 408,
                    reason: "no media arrived for too long",
                };
                self.close_publisher(id, end);
            }
            Due::Ping => {
                self.sessions[id].ping(self.clock.now());
                self.queue_write(id);
            }
            Due::NoSegment => self.give_up_segment(id),
            Due::Media => self.queue_write(id),
            Due::Stalled => {
                self.books.counters.viewers_timed_out += 1;
                self.drop_session(id);
            }
            // The client got its answer, so it gets a clean end as well.
            Due::Idle => self.close_when_written(id),
            Due::NoPong | Due::Hangup => self.drop_session(id),
        }
    }

    /// What is done for streams now and then.
    fn expire_streams(&mut self, mut work: Work) {
        let sends_counts = self.ticks.sends_counts(self.clock.now());
        for stream_id in self.streams.ids() {
            self.count_viewers_behind(stream_id);
            let needs_media = self.needs_media(stream_id);
            let Some((broadcast, stream)) = self.streams.both_mut(stream_id) else {
                continue;
            };
            broadcast.traffic_mut().count_bitrate(self.clock.now());
            let bitrate_bps = broadcast.traffic().bitrate_bps();
            if let Some(bytes) = broadcast.audience_mut().follow_bitrate(bitrate_bps) {
                for &id in broadcast.audience().viewers() {
                    self.sessions[id].socket_mut().limit_unsent(bytes);
                }
            }
            let is_stale = broadcast.is_stale(self.clock.now());
            if is_stale && !needs_media && !work.is_spent() {
                work.spend(stream.ring_price());
                stream.free_media();
            }
            if is_stale {
                broadcast.segment_readers_mut().forget_asking();
            }
            let count = broadcast.audience_mut().count_for_publishers();
            let count = count.map(|count| ToPublisher::Viewers { count });
            let keyframes = broadcast.keyframe_message(self.clock.now());
            let publisher = broadcast.publisher();
            let candidates: Vec<SessionId> = broadcast.candidates().iter().collect();
            if let Some(id) = publisher {
                self.send_keyframe_message(stream_id, id, keyframes);
                self.send_to_publisher(id, count.as_slice());
                self.look_for_stall(stream_id, id);
            }
            for id in candidates {
                self.send_to_publisher(id, count.as_slice());
                self.send_to_candidate(id);
            }
            if sends_counts {
                self.send_count(stream_id);
            }
            if is_stale {
                self.remove_if_unused(stream_id);
            }
        }
    }

    /// Sends a message to a candidate whose blocks cannot be decoded without a keyframe.
    fn send_to_candidate(&mut self, id: SessionId) {
        let publisher = self.sessions[id].publisher_mut();
        let message = publisher.and_then(|it| it.candidate_message(self.clock.now()));
        if let Some(message) = message {
            self.send_to_publisher(id, &[message.to_publisher()]);
        }
    }

    /// Tells viewers when nothing has come from their publisher for too long.
    fn look_for_stall(&mut self, stream_id: StreamId, publisher: SessionId) {
        // A throttled publisher is silent because the server does not read it.
        let publisher = self.sessions[publisher].publisher();
        if publisher.is_some_and(|publisher| publisher.is_throttled(self.clock.now())) {
            return;
        }
        let silence = self
            .streams
            .broadcast(stream_id)
            .and_then(|broadcast| broadcast.silence(self.clock.now()));
        if let Some(silence) = silence {
            let since_ms = silence.as_millis() as u64;
            if self.streams.stream_mut(stream_id).stall(since_ms) {
                self.queue_audience(stream_id);
            }
        }
    }

    /// The publisher's media come, as they should, or again.
    pub(super) fn media_came(&mut self, stream_id: StreamId) {
        if let Some(broadcast) = self.streams.broadcast_mut(stream_id) {
            broadcast.bytes_came(self.clock.now());
        }
        if self.streams.stream_mut(stream_id).resume() {
            self.queue_audience(stream_id);
        }
    }

    pub(super) fn send_to_publisher(&mut self, id: SessionId, messages: &[ToPublisher]) {
        if self.sessions[id].send_to_publisher(messages) {
            self.queue_write(id);
        }
    }

    fn send_count(&mut self, stream_id: StreamId) {
        let Some(broadcast) = self.streams.broadcast_mut(stream_id) else {
            return;
        };
        if let Some(count) = broadcast.audience_mut().count_for_viewers() {
            self.send_to_viewers(stream_id, &ToViewer::Viewers { count });
        }
    }

    /// Sends a message to all viewers that understand text messages, except viewers that are
    /// behind.
    pub(super) fn send_to_viewers(&mut self, stream_id: StreamId, message: &ToViewer) {
        let Some(broadcast) = self.streams.broadcast(stream_id) else {
            return;
        };
        let frame = Bytes::from(text_frame(&message.to_json()));
        for &id in broadcast.audience().viewers() {
            self.sessions[id].send_to_viewer(&frame);
        }
        // While media come, it goes out with them: a write of its own would cost as much.
        if !self.streams.stream(stream_id).is_live() {
            self.queue_audience(stream_id);
        }
    }
}
