//! What the passing of time does to media, and the messages that publishers get about theirs.
//!
//! Blocks that wait for other tracks go out in time although their publisher is silent. Publishers
//! whose blocks wait are on a list; as a rule it is empty.

use super::Hub;
use crate::session::publisher::Publisher;
use crate::session::{SessionId, Socket};
use crate::stream::{StreamId, Warning};
use crate::websocket::messages::ToPublisher;
use crate::work::{self, Work};
use std::net::IpAddr;
use std::time::Instant;

impl<S: Socket> Hub<S> {
    /// A publisher's bytes were taken in: looks at what they left to be done.
    pub(super) fn note_ingest(&mut self, id: SessionId) {
        let Some(publisher) = self.sessions[id].publisher_mut() else {
            return;
        };
        if publisher.media_deadline_ms().is_some() && !publisher.set_waiting(true) {
            self.queues.push_waiting_media(id);
        }
        let stream = publisher.stream();
        let (steps, warnings) = publisher.take_remarks();
        self.books.counters.timestamp_steps += steps;
        if warnings.is_empty() {
            return;
        }
        self.log_warnings(stream, self.sessions[id].address(), &warnings);
        let messages: Vec<_> = warnings
            .into_iter()
            .map(|warning| ToPublisher::Warning {
                code: warning.code.into(),
                message: warning.message,
            })
            .collect();
        self.send_to_publisher(id, &messages);
    }

    /// A publisher has left: the warnings about its last blocks go to the log alone.
    pub(super) fn note_last_ingest(&mut self, id: SessionId, publisher: &mut Publisher) {
        let (steps, warnings) = publisher.take_remarks();
        self.books.counters.timestamp_steps += steps;
        if let Some(session) = self.sessions.get(id) {
            self.log_warnings(publisher.stream(), session.address(), &warnings);
        }
    }

    fn log_warnings(&self, stream: StreamId, client: IpAddr, warnings: &[Warning]) {
        let name = self.streams.stream(stream).name();
        for Warning { code, message } in warnings {
            tracing::warn!(stream = %name, %client, code, "publisher warned: {message}");
        }
    }

    /// When blocks that wait are due.
    pub(super) fn media_at(&self) -> Option<Instant> {
        let deadlines = self
            .queues
            .waiting_media()
            .iter()
            .filter_map(|&id| self.sessions.get(id)?.publisher()?.media_deadline_ms());
        Some(self.clock.after_start(deadlines.min()?))
    }

    /// Passes on blocks that have waited for long enough.
    pub(super) fn tick_media(&mut self) {
        // All may be due at once: publishers that are not reached have their turn next.
        let mut work = Work::new(work::MEDIA_CLOCK_WORK);
        let mut waiting = self.queues.take_waiting_media();
        while let Some(id) = waiting.pop() {
            if work.is_spent() {
                waiting.push(id);
                break;
            }
            let session = self.sessions.get_mut(id);
            let Some(publisher) = session.and_then(|session| session.publisher_mut()) else {
                continue;
            };
            publisher.set_waiting(false);
            let stream_id = publisher.stream();
            let now_ms = self.clock.since_start().as_millis() as u64;
            if publisher
                .media_deadline_ms()
                .is_some_and(|until_ms| until_ms <= now_ms)
            {
                publisher.tick(self.streams.stream_mut(stream_id), &mut work);
                self.note_media(stream_id, 0);
            }
            self.note_ingest(id);
        }
        self.queues.return_waiting_media(waiting);
    }
}
