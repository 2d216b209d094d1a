//! What the clock does to media, and what publishers hear about theirs.
//!
//! Blocks that wait for other tracks go out in time although their publisher is silent. Publishers
//! whose blocks wait are on a list; as a rule it is empty.

use crate::net::reactor::Reactor;
use crate::protocol::control::ToPublisher;
use crate::session::State;
use crate::session::publisher::Publisher;
use crate::stream::{StreamId, Warning};
use crate::work::{self, Work};
use std::mem;
use std::net::IpAddr;
use std::time::{Duration, Instant};

impl Reactor {
    /// A publisher's bytes were taken in: looks at what they left to be done.
    pub(crate) fn note_ingest(&mut self, id: usize) {
        let State::Publishing(publisher) = &mut self.connections[id].state else {
            return;
        };
        if publisher.media_deadline_ms().is_some() && !mem::replace(&mut publisher.is_waiting, true)
        {
            self.waiting_media.push(id);
        }
        let stream = publisher.stream;
        let (steps, warnings) = publisher.take_remarks();
        self.counters.timestamp_steps += steps;
        if warnings.is_empty() {
            return;
        }
        self.log_warnings(stream, self.connections[id].client, &warnings);
        let messages: Vec<_> = warnings
            .into_iter()
            .map(|warning| ToPublisher::Warning {
                code: warning.code.into(),
                message: warning.message,
            })
            .collect();
        self.tell_publisher(id, &messages);
    }

    /// A publisher has left: what its last blocks gave reason to say goes to the log alone.
    pub(crate) fn note_last_ingest(&mut self, id: usize, publisher: &mut Publisher) {
        let (steps, warnings) = publisher.take_remarks();
        self.counters.timestamp_steps += steps;
        if let Some(connection) = self.connections.get(id) {
            self.log_warnings(publisher.stream, connection.client, &warnings);
        }
    }

    fn log_warnings(&self, stream: StreamId, client: IpAddr, warnings: &[Warning]) {
        let name = self.catalog.stream(stream).name();
        for Warning { code, message } in warnings {
            tracing::warn!(stream = %name, %client, code, "publisher is warned: {message}");
        }
    }

    /// When blocks that wait are due.
    pub(crate) fn media_at(&self) -> Option<Instant> {
        let deadlines = self.waiting_media.iter().filter_map(|&id| {
            let State::Publishing(publisher) = &self.connections.get(id)?.state else {
                return None;
            };
            publisher.media_deadline_ms()
        });
        Some(self.started_at + Duration::from_millis(deadlines.min()?))
    }

    /// Lets blocks out that have waited for long enough.
    pub(crate) fn tick_media(&mut self) {
        // All may be due at once: those that are not reached are in the next turn.
        let mut work = Work::new(work::MEDIA_CLOCK_WORK);
        let mut waiting = mem::take(&mut self.waiting_media);
        while let Some(id) = waiting.pop() {
            if work.is_spent() {
                waiting.push(id);
                break;
            }
            let Some(connection) = self.connections.get_mut(id) else {
                continue;
            };
            let State::Publishing(publisher) = &mut connection.state else {
                continue;
            };
            publisher.is_waiting = false;
            let stream_id = publisher.stream;
            let now_ms = self
                .now
                .saturating_duration_since(self.started_at)
                .as_millis() as u64;
            if publisher
                .media_deadline_ms()
                .is_some_and(|until_ms| until_ms <= now_ms)
            {
                publisher.tick(self.catalog.stream_mut(stream_id), &mut work);
                self.note_media(stream_id, 0);
            }
            self.note_ingest(id);
        }
        self.waiting_media.append(&mut waiting);
    }
}
