//! `/api/events`: the last hour and what changes, as server-sent events.
//!
//! ```text
//! expire, once a second ─► sample ─► History
//!                             └────► followers whose outbox is empty ─► history, history, …, state
//! ```
//!
//! An event is made when the one before is written. So a follower holds one event at most, and one
//! that reads too slowly misses states, and nothing else. Followers that see the same share the
//! memory of an event. What making events costs comes from the budget for reports: what is left
//! waits for the next turn.

#[cfg(test)]
mod tests;

use super::Hub;
use super::renderings::Names;
use super::requests::Exchange;
use crate::access::Shown;
use crate::history::{self, History, Named, PROCESS, STREAM, Totals};
use crate::http::Method;
use crate::http::base_path::BasePath;
use crate::http::refusal::Refusal;
use crate::http::response::{Connection, ResponseHead};
use crate::metrics::StreamReport;
use crate::session::follower::Follower;
use crate::session::{SessionId, Socket, State};
use crate::stream::StreamId;
use crate::work;
use bytes::Bytes;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Clients that follow at the same time: each costs a write a second.
const FOLLOWERS_MAX: usize = 256;

/// States of one second that are kept for further followers. Each view of other streams has its own.
const STATES_MAX: usize = 16;

/// What the process has used since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub cpu: Duration,
    /// Resident.
    pub memory_bytes: u64,
}

/// The clients of `/api/events`, and what they get.
pub(super) struct Followers {
    ids: Vec<SessionId>,
    history: History,
    states: Vec<SharedState>,
    /// Reads what the process uses; `None` in tests.
    measure: Option<Box<dyn Fn() -> Usage>>,
    last: LastSample,
    /// The longest turn since then.
    longest_turn: Duration,
}

/// What was counted when the last sample was taken.
#[derive(Debug)]
struct LastSample {
    at: Instant,
    /// Seconds since the start.
    at_s: u32,
    totals: Totals,
    cpu: Duration,
}

/// The state as clients with the same view see it.
#[derive(Debug)]
struct SharedState {
    view: View,
    bytes: Bytes,
}

/// What a client sees.
#[derive(Debug, PartialEq, Eq)]
struct View {
    names: Names,
    /// Whether a key would show more.
    locked: bool,
    /// Of the links.
    prefix: BasePath,
}

/// The data of `event: state`.
#[derive(Serialize)]
struct StateJson<'a> {
    streams: Vec<StreamReport>,
    locked: bool,
    /// Seconds since the server started: rows of the history have the same.
    time_s: u32,
    /// `null` in the first second.
    process: Option<Named<{ PROCESS.len() }>>,
    /// The newest sample of each stream, by its name.
    samples: BTreeMap<&'a str, Named<{ STREAM.len() }>>,
}

impl Followers {
    pub fn new(now: Instant) -> Followers {
        Followers {
            ids: Vec::new(),
            history: History::default(),
            states: Vec::new(),
            measure: None,
            last: LastSample {
                at: now,
                at_s: 0,
                totals: Totals::default(),
                cpu: Duration::ZERO,
            },
            longest_turn: Duration::ZERO,
        }
    }

    #[cfg(feature = "testing")]
    pub fn history_bytes(&self) -> usize {
        let states = self.states.iter().map(|state| state.bytes.len());
        self.history.held_bytes() + states.sum::<usize>()
    }

    pub fn turn_took(&mut self, time: Duration) {
        self.longest_turn = self.longest_turn.max(time);
    }

    pub fn left(&mut self, id: SessionId) {
        self.ids.retain(|&other| other != id);
    }

    pub fn ids(&self) -> Vec<SessionId> {
        self.ids.clone()
    }
}

impl<S: Socket> Hub<S> {
    /// Reports what the process uses as well. `measure` is asked once a second.
    pub fn measure_with(&mut self, measure: impl Fn() -> Usage + 'static) {
        self.followers.last.cpu = measure().cpu;
        self.followers.measure = Some(Box::new(measure));
    }

    /// What the process has used by now; `None` in tests.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.followers.measure.as_ref().map(|measure| measure())
    }

    /// Takes the sample of this second, unless there is one.
    pub(super) fn sample(&mut self) {
        let now = self.clock.now();
        let at_s = u32::try_from(self.clock.since_start().as_secs()).unwrap_or(u32::MAX);
        if at_s <= self.followers.last.at_s {
            return;
        }
        let elapsed = now.saturating_duration_since(self.followers.last.at);
        for stream_id in self.streams.ids() {
            self.sample_stream(stream_id, at_s, elapsed);
        }
        self.sample_process(at_s, elapsed);
        self.followers.history.forget(at_s);
        self.followers.states.clear();
        (self.followers.last.at, self.followers.last.at_s) = (now, at_s);
        for id in self.followers.ids() {
            if self.sessions[id].outbox().is_empty() {
                self.queue_write(id);
            }
        }
    }

    fn sample_stream(&mut self, stream_id: StreamId, at_s: u32, elapsed: Duration) {
        let stream = self.streams.stream(stream_id);
        let (name, is_live) = (stream.name().clone(), stream.is_live());
        let ring_ms = stream.ring().span_ms();
        let Some(broadcast) = self.streams.broadcast_mut(stream_id) else {
            return;
        };
        let delay = broadcast.traffic_mut().take_longest_sweep();
        if !is_live {
            return;
        }
        let traffic = broadcast.traffic();
        let totals = Totals {
            received_bytes: traffic.received_bytes(),
            sent_bytes: traffic.sent_bytes(),
            skips: traffic.skips(),
        };
        let viewers = broadcast.audience().len();
        let came = self.followers.history.count(&name, totals);
        let figures = [
            viewers as f32,
            bits_per_second(came.received_bytes, elapsed),
            bits_per_second(came.sent_bytes, elapsed),
            delay.map_or(f32::NAN, milliseconds),
            came.skips as f32 / elapsed.as_secs_f32(),
            ring_ms as f32,
        ];
        let history = &mut self.followers.history;
        history.push_stream(&name, at_s, totals, figures);
    }

    fn sample_process(&mut self, at_s: u32, elapsed: Duration) {
        let viewers = self.streams.broadcasts().map(|one| one.audience().len());
        let viewers: u64 = viewers.sum();
        let counters = &self.books.counters;
        let totals = Totals {
            received_bytes: counters.received_bytes,
            sent_bytes: counters.sent_bytes,
            skips: counters.skips,
        };
        let usage = self.usage();
        let followers = &mut self.followers;
        let came = totals.since(followers.last.totals);
        let cpu = usage.map_or(f32::NAN, |usage| {
            let used = usage.cpu.saturating_sub(followers.last.cpu);
            100.0 * used.as_secs_f32() / elapsed.as_secs_f32()
        });
        let figures = [
            viewers as f32,
            self.sessions.len() as f32,
            bits_per_second(came.received_bytes, elapsed),
            bits_per_second(came.sent_bytes, elapsed),
            cpu,
            usage.map_or(f32::NAN, |usage| usage.memory_bytes as f32),
            milliseconds(followers.longest_turn),
        ];
        followers.history.process().push(at_s, figures);
        followers.longest_turn = Duration::ZERO;
        followers.last.totals = totals;
        followers.last.cpu = usage.map_or(Duration::ZERO, |usage| usage.cpu);
    }

    /// Answers with events until the client leaves. `is_admitted`: whether the web hook lets it see
    /// streams.
    pub(super) fn follow(
        &mut self,
        exchange: Exchange<'_>,
        is_admitted: bool,
    ) -> Result<(), Refusal> {
        let Exchange { id, head, .. } = exchange;
        let is_head = head.method == Method::Head;
        if !is_head && self.followers.ids.len() >= FOLLOWERS_MAX {
            return Err(Refusal::full());
        }
        let stamp = self.stamp(head);
        let answer = ResponseHead::new(200)
            .header("Content-Type", "text/event-stream")
            .header("Cache-Control", "no-store")
            // nginx would gather events.
            .header("X-Accel-Buffering", "no")
            .connection(Connection::Close)
            .stamp(&stamp);
        self.sessions[id].send(answer.into_bytes());
        if is_head {
            self.close_when_written(id);
            return Ok(());
        }
        let follower = Follower::new(head.clone(), is_admitted, self.clock.now());
        self.followers.ids.push(id);
        self.enter(id, State::Following(Box::new(follower)));
        self.queue_read(id);
        self.queue_write(id);
        Ok(())
    }

    /// The event before is written: the next one, if there is one.
    pub(super) fn follow_on(&mut self, id: SessionId) {
        if self.turn.reads.is_spent() {
            self.queue_write(id);
            return;
        }
        let Some(event) = self.next_event(id) else {
            return;
        };
        let session = &mut self.sessions[id];
        if let Some(follower) = session.follower_mut() {
            follower.sent(self.clock.now());
        }
        session.send(event);
        self.queue_write(id);
    }

    fn next_event(&mut self, id: SessionId) -> Option<Bytes> {
        let follower = self.sessions[id].follower_mut()?;
        if follower.takes_process() {
            let series = self.followers.history.process();
            let work = &mut self.turn.reads;
            work.spend(work::HISTORY * u64::from(!series.is_rendered()));
            return Some(series.event(None));
        }
        let (names, locked) = self.seen_by(self.sessions[id].follower()?);
        let follower = self.sessions[id].follower_mut()?;
        self.turn.reads.spend(work::LOOK * names.len() as u64);
        while let Some(name) = follower.next_stream(&names) {
            // A stream of just now has none.
            if let Some(series) = self.followers.history.stream(&name) {
                let work = &mut self.turn.reads;
                work.spend(work::HISTORY * u64::from(!series.is_rendered()));
                return Some(series.event(Some(&name)));
            }
        }
        if !follower.takes_state(self.followers.last.at_s) {
            return None;
        }
        let prefix = self.link_prefix(id, self.sessions[id].follower()?.head());
        let view = View {
            names,
            locked,
            prefix,
        };
        Some(self.state(view))
    }

    /// The streams that a follower may see now, and whether a key would show more.
    fn seen_by(&self, follower: &Follower) -> (Names, bool) {
        if !follower.is_admitted() {
            return (Vec::new(), true);
        }
        self.listed_for(&self.shown(follower.head()))
    }

    pub(super) fn listed_for(&self, shown: &Shown<'_>) -> (Names, bool) {
        let locked = self.settings.access.hides_streams(shown);
        (self.visible(shown), locked)
    }

    fn state(&mut self, view: View) -> Bytes {
        let kept = self.followers.states.iter().find(|kept| kept.view == view);
        if let Some(kept) = kept {
            return kept.bytes.clone();
        }
        let work = view.names.len() as u64 * work::REPORT;
        self.turn.reads.spend(work);
        let streams = self.reports(&view.names, &view.prefix);
        let history = &mut self.followers.history;
        let named = |name: &'_ Arc<str>| history.stream(name).and_then(|series| series.named());
        let samples: Vec<_> = view.names.iter().map(named).collect();
        let samples = view.names.iter().zip(samples);
        let json = StateJson {
            streams,
            locked: view.locked,
            time_s: self.followers.last.at_s,
            process: history.process().named(),
            samples: samples
                .filter_map(|(name, sample)| Some((&**name, sample?)))
                .collect(),
        };
        let bytes = history::event("state", &json);
        if self.followers.states.len() < STATES_MAX {
            let bytes = bytes.clone();
            self.followers.states.push(SharedState { view, bytes });
        }
        bytes
    }

    /// Another process answers from now on: clients come again, and find it.
    pub(super) fn end_followers(&mut self) {
        for id in self.followers.ids() {
            self.close_when_written(id);
        }
    }
}

fn bits_per_second(bytes: u64, elapsed: Duration) -> f32 {
    (bytes * 8) as f32 / elapsed.as_secs_f32()
}

fn milliseconds(time: Duration) -> f32 {
    time.as_secs_f32() * 1000.0
}
