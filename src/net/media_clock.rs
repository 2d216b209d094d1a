//! What the clock does to media, and what publishers hear about theirs.
//!
//! Blocks that wait for other tracks go out in time although their publisher is silent. Publishers
//! whose blocks wait are on a list; as a rule it is empty.

use super::connection::State;
use super::reactor::Reactor;
use crate::protocol::control::ToPublisher;
use std::mem;
use std::time::{Duration, Instant};

impl Reactor {
    /// A publisher's bytes were taken in: looks at what they left to be done.
    pub(super) fn note_ingest(&mut self, id: usize) {
        let State::Publishing(publisher) = &mut self.connections[id].state else {
            return;
        };
        if publisher.media_deadline_ms().is_some() && !mem::replace(&mut publisher.is_waiting, true)
        {
            self.waiting_media.push(id);
        }
        self.counters.timestamp_steps += publisher.take_time_steps();
        let Some(warning) = publisher.poll_warning() else {
            return;
        };
        let rest = std::iter::from_fn(|| publisher.poll_warning());
        let warnings: Vec<_> = std::iter::once(warning).chain(rest).collect();
        let stream = publisher.stream;
        let client = self.connections[id].client;
        let name = self.catalog.stream(stream).name();
        for warning in &warnings {
            let (code, message) = (warning.code, &warning.message);
            tracing::warn!(stream = %name, %client, code, "publisher is warned: {message}");
        }
        let messages: Vec<_> = warnings
            .into_iter()
            .map(|warning| ToPublisher::Warning {
                code: warning.code.into(),
                message: warning.message,
            })
            .collect();
        self.tell_publisher(id, &messages);
    }

    /// When blocks that wait are due.
    pub(super) fn media_at(&self) -> Option<Instant> {
        let deadlines = self.waiting_media.iter().filter_map(|&id| {
            let State::Publishing(publisher) = &self.connections.get(id)?.state else {
                return None;
            };
            publisher.media_deadline_ms()
        });
        Some(self.started_at + Duration::from_millis(deadlines.min()?))
    }

    /// Lets blocks out that have waited for long enough.
    pub(super) fn tick_media(&mut self) {
        for id in mem::take(&mut self.waiting_media) {
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
                publisher.tick(self.catalog.stream_mut(stream_id));
                self.note_media(stream_id, 0);
            }
            self.note_ingest(id);
        }
    }
}
