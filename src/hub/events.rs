//! Makes the events for `--event-url`: publishers come and go, recordings end, viewers come and go.
//!
//! The end of a publisher is held back for the grace: one that comes back in time has not ended. Events
//! are polled each turn ([`Hub::poll_events`]), and nothing waits for them here.

use super::Hub;
use super::Lifecycle;
use super::settings::EventSettings;
use crate::events::{Event, What};
use crate::metrics;
use crate::offline_reason::OfflineReason;
use crate::session::Socket;
use crate::stream::StreamId;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Instant;

#[derive(Debug)]
pub struct Events {
    settings: EventSettings,
    /// Ends that are held back. More than streams at once.
    held_max: usize,
    held: BTreeMap<Arc<str>, Left>,
    /// Streams that have had `first-viewer`, and no `last-viewer-left` since.
    watched: BTreeSet<Arc<str>>,
    news: Vec<Event>,
}

/// A publisher that may come back.
#[derive(Debug, Clone, Copy)]
struct Left {
    at: Instant,
    reason: OfflineReason,
}

impl Events {
    pub fn new(settings: EventSettings, held_max: usize) -> Events {
        Events {
            settings,
            held_max,
            held: BTreeMap::new(),
            watched: BTreeSet::new(),
            news: Vec::new(),
        }
    }

    fn tell(&mut self, stream: &Arc<str>, what: What, at: Instant) {
        let stream = stream.clone();
        self.news.push(Event { stream, at, what });
    }

    fn publisher_came(&mut self, stream: &Arc<str>, now: Instant) {
        if self.held.remove(stream).is_none() {
            self.tell(stream, What::PublishStarted, now);
        }
    }

    fn publisher_left(&mut self, stream: &Arc<str>, reason: OfflineReason, now: Instant) {
        self.held.insert(stream.clone(), Left { at: now, reason });
        if self.held.len() > self.held_max {
            let first = self.held.iter().min_by_key(|(_, left)| left.at);
            if let Some(first) = first.map(|(stream, _)| stream.clone()) {
                self.release(&first);
            }
        }
    }

    fn watched(&mut self, stream: &Arc<str>, now: Instant) {
        if self.watched.insert(stream.clone()) {
            self.tell(stream, What::FirstViewer, now);
        }
    }

    fn unwatched(&mut self, stream: &Arc<str>, now: Instant) {
        if self.watched.remove(stream) {
            self.tell(stream, What::LastViewerLeft, now);
        }
    }

    /// A publisher that left has ended.
    fn release(&mut self, stream: &str) {
        if let Some((stream, Left { at, reason })) = self.held.remove_entry(stream) {
            self.tell(&stream, What::PublishEnded { reason }, at);
        }
    }

    /// All that left before this time, in their order.
    fn release_until(&mut self, until: Option<Instant>) {
        let held = self.held.iter();
        let over = held.filter(|(_, left)| until.is_none_or(|until| left.at <= until));
        let mut over: Vec<_> = over
            .map(|(stream, left)| (left.at, stream.clone()))
            .collect();
        over.sort();
        for (_, stream) in over {
            self.release(&stream);
        }
    }

    fn expire(&mut self, now: Instant) {
        if self.wake_at().is_some_and(|at| at <= now) {
            self.release_until(now.checked_sub(self.settings.grace));
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        let first = self.held.values().map(|left| left.at).min();
        first.map(|at| at + self.settings.grace)
    }
}

impl<S: Socket> Hub<S> {
    /// The events since the last poll, each stream's in their order.
    pub fn poll_events(&mut self) -> Vec<Event> {
        match &mut self.events {
            Some(events) => mem::take(&mut events.news),
            None => Vec::new(),
        }
    }

    /// Publishers that left, and may not come back to this process, have ended.
    pub fn release_events(&mut self) {
        if let Some(events) = &mut self.events {
            events.release_until(None);
        }
    }

    pub(super) fn expire_events(&mut self) {
        if let Some(events) = &mut self.events {
            events.expire(self.clock.now());
        }
    }

    pub(super) fn events_at(&self) -> Option<Instant> {
        self.events.as_ref().and_then(Events::wake_at)
    }

    /// A publisher came on air, with no other on air before.
    pub(super) fn tell_publisher_came(&mut self, id: StreamId) {
        // Only the publisher's own node sends this event, and a move between nodes sends none.
        if self.is_from_elsewhere(id) || self.is_published_elsewhere(self.streams.stream(id).name())
        {
            return;
        }
        if let Some(events) = &mut self.events {
            let (name, now) = (self.streams.stream(id).name(), self.clock.now());
            events.publisher_came(name, now);
            let broadcast = self.streams.broadcast(id);
            if broadcast.is_some_and(|one| one.audience().count() > 0) {
                events.watched(name, now);
            }
        }
    }

    /// A publisher went off air, with no other on air behind it.
    pub(super) fn tell_publisher_left(&mut self, id: StreamId, reason: OfflineReason) {
        if self.is_published_elsewhere(self.streams.stream(id).name()) {
            return;
        }
        if let Some(events) = &mut self.events {
            let name = self.streams.stream(id).name();
            events.publisher_left(name, reason, self.clock.now());
            // Its next connection is to another process.
            if self.lifecycle != Lifecycle::Serving {
                events.release(name);
            }
        }
    }

    /// The owner of a stream ended its publisher.
    pub(super) fn tell_publisher_ended(&mut self, name: &str) {
        if let Some(events) = &mut self.events {
            events.release(name);
        }
    }

    /// A viewer came or left. Makes `first-viewer` or `last-viewer-left`, if it was the first or the last.
    pub(super) fn tell_viewers(&mut self, id: StreamId) {
        self.note_viewers(id);
        if self.is_from_elsewhere(id) {
            return;
        }
        let Some(events) = &mut self.events else {
            return;
        };
        // Any visitor can make up a name. Only names that have had a publisher cause events.
        let (stream, now) = (self.streams.stream(id), self.clock.now());
        let viewers = self.streams.broadcast(id).map(|one| one.audience().count());
        if viewers == Some(0) {
            events.unwatched(stream.name(), now);
        } else if stream.generation() > 0 {
            events.watched(stream.name(), now);
        }
    }

    pub(super) fn tell_recording(
        &mut self,
        stream: &Arc<str>,
        file: &str,
        duration_ms: u64,
        bytes: u64,
    ) {
        if let Some(events) = &mut self.events {
            let base_path = &self.settings.base_path;
            let finished = What::RecordingFinished {
                file: file.to_owned(),
                url: format!("{base_path}/recordings/{stream}/{file}"),
                duration_ms,
                bytes,
            };
            events.tell(stream, finished, self.clock.now());
        }
    }

    pub(super) fn event_figures(&self) -> metrics::Events {
        let Some(events) = &self.events else {
            return metrics::Events::default();
        };
        let tally = &events.settings.tally;
        metrics::Events {
            delivered: tally.delivered(),
            dropped: tally.dropped(),
            failed_tries: tally.failed_tries(),
            waiting: tally.waiting(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Tally;
    use std::time::Duration;

    const GRACE: Duration = Duration::from_secs(30);
    const LOST: OfflineReason = OfflineReason::Lost;

    struct Bench {
        events: Events,
        start: Instant,
    }

    impl Bench {
        fn new() -> Bench {
            let settings = EventSettings {
                grace: GRACE,
                tally: Tally::default(),
            };
            Bench {
                events: Events::new(settings, 3),
                start: Instant::now(),
            }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        fn came(&mut self, stream: &str, seconds: u64) {
            let at = self.at(seconds);
            self.events.publisher_came(&stream.into(), at);
        }

        fn left(&mut self, stream: &str, seconds: u64) {
            let at = self.at(seconds);
            self.events.publisher_left(&stream.into(), LOST, at);
        }

        fn news(&mut self, seconds: u64) -> Vec<(String, &'static str, u64)> {
            let at = self.at(seconds);
            self.events.expire(at);
            let news = mem::take(&mut self.events.news).into_iter();
            let told = news.map(|event| {
                let since = event.at.duration_since(self.start).as_secs();
                (event.stream.to_string(), event.what.name(), since)
            });
            told.collect()
        }
    }

    fn told(stream: &str, name: &'static str, at: u64) -> (String, &'static str, u64) {
        (stream.to_owned(), name, at)
    }

    #[test]
    fn publisher_that_comes_back_within_the_grace_has_not_ended() {
        let mut bench = Bench::new();
        bench.came("a", 0);
        assert_eq!(bench.news(0), [told("a", "publish-started", 0)]);
        bench.left("a", 5);
        bench.came("a", 34);
        assert_eq!((bench.news(40), bench.events.wake_at()), (vec![], None));
        bench.left("a", 50);
        assert_eq!(bench.news(79), []);
        assert_eq!(bench.events.wake_at(), Some(bench.at(80)));
        // It ended when it left.
        assert_eq!(bench.news(80), [told("a", "publish-ended", 50)]);
        bench.came("a", 81);
        assert_eq!(bench.news(81), [told("a", "publish-started", 81)]);
    }

    #[test]
    fn ends_are_told_in_their_order_and_no_more_are_held_than_streams() {
        let mut bench = Bench::new();
        for (seconds, stream) in [(1, "d"), (2, "c"), (3, "b"), (4, "a")] {
            bench.left(stream, seconds);
        }
        assert_eq!(bench.news(4), [told("d", "publish-ended", 1)]);
        let rest = [("c", 2), ("b", 3)].map(|(stream, at)| told(stream, "publish-ended", at));
        assert_eq!(bench.news(33), rest);
        bench.events.release_until(None);
        assert_eq!(bench.news(33), [told("a", "publish-ended", 4)]);
    }
}
