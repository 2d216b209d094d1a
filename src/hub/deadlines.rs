//! What must happen by when.
//!
//! Deadlines are looked at a few times a second, all of them: a pass over 10,000 connections
//! takes less time than one write, and nothing has to be kept in order.

use super::broadcast::Plea;
use crate::config::Limits;
use crate::net::reactor::Reactor;
use crate::protocol::control::{ToPublisher, ToViewer};
use crate::protocol::http::Method;
use crate::protocol::route::Refusal;
use crate::protocol::websocket::{CloseCode, ping_frame, text_frame};
use crate::session::{Connection, OUTBOX_SLICES_MAX, State};
use crate::stream::StreamId;
use crate::work::{self, Work};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// How often deadlines are looked at. The shortest is two seconds.
pub const TICK: Duration = Duration::from_millis(250);

/// How often viewers are told how many they are. Each time costs a write per viewer.
const VIEWERS_PAUSE: Duration = Duration::from_secs(5);

/// How many times `viewer_timeout` a whole answer may take: with the defaults, two minutes for a
/// poster of 256 KiB.
const ANSWER_TIMEOUTS: u32 = 4;

/// What a deadline asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// No whole request head in time.
    HeadTimeout,
    /// Kept alive, but nobody asked for anything.
    Idle,
    /// The hook has not decided.
    Undecided,
    /// It takes no bytes.
    Stalled,
    /// No media from it.
    SilentPublisher,
    /// Time to ask whether it is there.
    Ping,
    /// It did not answer.
    NoPong,
    /// It had time enough to hang up.
    Hangup,
}

impl<S> Connection<S> {
    /// What its deadlines ask for now, if anything.
    pub fn due(&self, limits: &Limits, now: Instant) -> Option<Due> {
        let elapsed = |since: Instant| now.saturating_duration_since(since);
        let is_stalled = self
            .blocked_since
            .is_some_and(|since| elapsed(since) >= limits.viewer_timeout);
        match &self.state {
            State::Requesting(bytes) if elapsed(self.since) >= limits.head_timeout => {
                // Who asked before and is between requests is not late, only idle.
                Some(match bytes.is_empty() && self.requests > 0 {
                    true => Due::Idle,
                    false => Due::HeadTimeout,
                })
            }
            State::Requesting(_) => None,
            // It has its turn soon.
            State::Asking(asking) if asking.said.is_some() => None,
            State::Asking(asking) => (now >= asking.deadline).then_some(Due::Undecided),
            State::Posting(_) if elapsed(self.since) >= limits.publisher_timeout => {
                Some(Due::SilentPublisher)
            }
            State::Responding { .. } | State::Draining(_)
                if elapsed(self.since) >= limits.viewer_timeout * ANSWER_TIMEOUTS =>
            {
                Some(Due::Stalled)
            }
            State::Draining(_) if elapsed(self.heard_at) >= limits.head_timeout => Some(Due::Idle),
            State::Responding { .. } | State::Draining(_) | State::Posting(_) => {
                is_stalled.then_some(Due::Stalled)
            }
            // It is we who do not read.
            State::Publishing(publisher) if publisher.is_resting(now) => None,
            State::Publishing(publisher) if publisher.is_websocket() => {
                // Its recorder may have nothing to record for a while: as long as it answers pings
                // it has twice the time.
                let is_silent = elapsed(self.heard_at) >= limits.publisher_timeout
                    || elapsed(publisher.fed_at) >= limits.publisher_timeout * 2;
                match is_silent {
                    true => Some(Due::SilentPublisher),
                    false => self.ping_due(publisher_ping_interval(limits), limits, now),
                }
            }
            State::Publishing(publisher) => {
                let is_silent = elapsed(publisher.fed_at) >= limits.publisher_timeout;
                is_silent.then_some(Due::SilentPublisher)
            }
            State::Viewing { .. } if is_stalled || self.is_trickling(limits, now) => {
                Some(Due::Stalled)
            }
            // A ping would wait behind the media that it does not take.
            State::Viewing { .. } if self.blocked_since.is_some() => None,
            State::Viewing { viewer, .. } if viewer.is_websocket() => {
                self.ping_due(limits.ping_interval, limits, now)
            }
            State::Viewing { .. } => None,
            State::Closing { deadline, .. } => (now >= *deadline).then_some(Due::Hangup),
            State::Gone => None,
        }
    }

    /// Whether it has been taking one chunk for so long that it may be the last to hold its memory.
    /// So all viewers together hold no more beyond the ring than what came in that time.
    fn is_trickling(&self, limits: &Limits, now: Instant) -> bool {
        self.blocked_since.is_some()
            && !self.outbox.is_empty()
            && now.saturating_duration_since(self.since) >= limits.viewer_timeout
    }

    fn ping_due(&self, interval: Duration, limits: &Limits, now: Instant) -> Option<Due> {
        match self.pinged_at {
            Some(at) => {
                (now.saturating_duration_since(at) >= limits.ping_timeout).then_some(Due::NoPong)
            }
            None => (now.saturating_duration_since(self.heard_at) >= interval).then_some(Due::Ping),
        }
    }
}

/// A silent publisher is asked early enough to answer before it is given up.
fn publisher_ping_interval(limits: &Limits) -> Duration {
    limits.ping_interval.min(limits.publisher_timeout * 2 / 3)
}

impl Reactor {
    pub(crate) fn expire(&mut self) {
        let mut id = match self.expiring {
            Some(id) => id,
            None if self.now.saturating_duration_since(self.ticked_at) < TICK => return,
            None => {
                self.ticked_at = self.now;
                self.tend_memory();
                0
            }
        };
        // Thousands may be due at once: all who came at once, and say nothing.
        let mut work = Work::new(work::DEADLINES_WORK);
        while id < self.connections.capacity() {
            if work.is_spent() {
                self.expiring = Some(id);
                return;
            }
            work.spend(work::LOOK);
            let due = self
                .connections
                .get(id)
                .and_then(|connection| connection.due(&self.limits, self.now));
            if let Some(due) = due {
                work.spend(work::DEADLINE + self.ring_price(id));
                self.expire_one(id, due);
            }
            id += 1;
        }
        self.expiring = None;
        self.tend_broadcasts(&mut work);
    }

    /// What it costs to let go of a publisher's ring.
    pub(crate) fn ring_price(&self, id: usize) -> u64 {
        match &self.connections[id].state {
            State::Publishing(publisher) => self.catalog.stream(publisher.stream).ring_price(),
            _ => 0,
        }
    }

    fn expire_one(&mut self, id: usize, due: Due) {
        match due {
            // It could not be told.
            Due::HeadTimeout if self.connections[id].socket.is_handshaking() => {
                self.drop_connection(id);
            }
            Due::HeadTimeout => {
                let refusal = Refusal::new(408, "no whole request head came in time");
                self.refuse(id, &refusal, Method::Other);
            }
            Due::Undecided => self.give_up_asking(id),
            Due::SilentPublisher => {
                self.close_publisher(id, CloseCode::Policy, 408, "no media came for too long");
            }
            Due::Ping => {
                let connection = &mut self.connections[id];
                connection.pinged_at = Some(self.now);
                connection.outbox.push(ping_frame(b""));
                self.queue_write(id);
            }
            Due::Stalled => {
                self.counters.viewers_timed_out += 1;
                self.drop_connection(id);
            }
            // It was answered, so it is told the end as well.
            Due::Idle => self.close_when_written(id),
            Due::NoPong | Due::Hangup => self.drop_connection(id),
        }
    }

    /// What is done for streams now and then.
    fn tend_broadcasts(&mut self, work: &mut Work) {
        let tells_viewers =
            self.now.saturating_duration_since(self.told_viewers_at) >= VIEWERS_PAUSE;
        if tells_viewers {
            self.told_viewers_at = self.now;
        }
        let ids: Vec<StreamId> = self.broadcasts.keys().copied().collect();
        for stream_id in ids {
            self.count_viewers_behind(stream_id);
            let Some(broadcast) = self.broadcasts.get_mut(&stream_id) else {
                continue;
            };
            broadcast.count_bitrate(self.now);
            if broadcast.unsent.follow(broadcast.bitrate_bps) {
                for &id in &broadcast.audience {
                    broadcast.unsent.apply(self.connections[id].socket.tcp());
                }
            }
            if broadcast.is_stale(self.now) && !work.is_spent() {
                let stream = self.catalog.stream_mut(stream_id);
                work.spend(stream.ring_price());
                stream.forget_media();
            }
            let count = broadcast.viewers();
            let mut pleas = Vec::new();
            pleas.extend(broadcast.plea(self.now).map(Plea::message));
            if broadcast.told_publisher.replace(count) != Some(count) {
                pleas.push(ToPublisher::Viewers { count });
            }
            let publisher = broadcast.publisher;
            let candidates: Vec<usize> = broadcast.candidates.iter().collect();
            if let Some(id) = publisher {
                self.tell_publisher(id, &pleas);
                self.look_for_stall(stream_id, id);
            }
            let counts = pleas
                .iter()
                .filter(|plea| matches!(plea, ToPublisher::Viewers { .. }));
            let counts: Vec<ToPublisher> = counts.cloned().collect();
            for id in candidates {
                self.tell_publisher(id, &counts);
                self.plead_for_first_keyframe(id);
            }
            if tells_viewers {
                self.tell_count(stream_id);
            }
        }
    }

    /// A candidate whose blocks nothing can be decoded from is told so.
    fn plead_for_first_keyframe(&mut self, id: usize) {
        let State::Publishing(publisher) = &mut self.connections[id].state else {
            return;
        };
        let wants_keyframe = publisher.wants_keyframe();
        if let Some(plea) = publisher.keyframes.due(wants_keyframe, self.now) {
            self.tell_publisher(id, &[plea.message()]);
        }
    }

    /// Tells viewers when nothing has come from their publisher for too long.
    fn look_for_stall(&mut self, stream_id: StreamId, publisher: usize) {
        // It is we who do not read.
        if let State::Publishing(publisher) = &self.connections[publisher].state
            && publisher.is_resting(self.now)
        {
            return;
        }
        let silence = self
            .broadcasts
            .get(&stream_id)
            .and_then(|broadcast| broadcast.arrivals.silence(self.now));
        if let Some(silence) = silence {
            let since_ms = silence.as_millis() as u64;
            if self.catalog.stream_mut(stream_id).stall(since_ms) {
                self.queue_audience(stream_id);
            }
        }
    }

    /// The publisher's media come, as they should, or again.
    pub(crate) fn media_came(&mut self, stream_id: StreamId) {
        if let Some(broadcast) = self.broadcasts.get_mut(&stream_id) {
            broadcast.arrivals.bytes_came(self.now);
        }
        if self.catalog.stream_mut(stream_id).resume() {
            self.queue_audience(stream_id);
        }
    }

    pub(crate) fn tell_publisher(&mut self, id: usize, messages: &[ToPublisher]) {
        let connection = &mut self.connections[id];
        if let State::Publishing(publisher) = &connection.state
            && connection.outbox.len() < OUTBOX_SLICES_MAX
        {
            for message in messages {
                publisher.tell(&mut connection.outbox, message);
            }
            self.queue_write(id);
        }
    }

    fn tell_count(&mut self, stream_id: StreamId) {
        let Some(broadcast) = self.broadcasts.get_mut(&stream_id) else {
            return;
        };
        let count = broadcast.viewers();
        if broadcast.told_viewers.replace(count) != Some(count) {
            self.tell_viewers(stream_id, &ToViewer::Viewers { count });
        }
    }

    /// Tells all viewers that understand text messages, but for those who are behind anyway.
    fn tell_viewers(&mut self, stream_id: StreamId, message: &ToViewer) {
        let Some(broadcast) = self.broadcasts.get(&stream_id) else {
            return;
        };
        let frame = Bytes::from(text_frame(&message.to_json()));
        for &id in &broadcast.audience {
            let connection = &mut self.connections[id];
            if let State::Viewing { viewer, .. } = &connection.state
                && viewer.is_v1()
                && connection.outbox.len() < OUTBOX_SLICES_MAX
            {
                connection.outbox.push(frame.clone());
            }
        }
        // While media come, it goes out with them: a write of its own would cost as much.
        if !self.catalog.stream(stream_id).is_live() {
            self.queue_audience(stream_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::http::Body;
    use crate::session::body::BodyReader;
    use crate::session::inbound::Inbound;
    use crate::session::publisher::Publisher;
    use crate::session::viewer::{Told, Transport, Viewer};
    use crate::stream::{self, Catalog, Cursor, Ingest};
    use mio::net::TcpStream;

    fn connection(now: Instant) -> Connection {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        Connection::new(TcpStream::connect(peer).unwrap().into(), peer.ip(), now)
    }

    #[test]
    fn a_whole_answer_has_to_be_taken_in_the_end() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut connection = connection(start);
        connection.state = State::Responding {
            keep_alive: true,
            rest: bytes::BytesMut::new(),
        };
        let limits = Limits::default();
        // It takes a byte now and then.
        connection.blocked_since = Some(after(110));
        assert_eq!(connection.due(&limits, after(119)), None);
        assert_eq!(connection.due(&limits, after(120)), Some(Due::Stalled));
        // It takes none.
        connection.blocked_since = Some(after(10));
        assert_eq!(connection.due(&limits, after(39)), None);
        assert_eq!(connection.due(&limits, after(40)), Some(Due::Stalled));
    }

    fn publishing(publisher: Publisher, now: Instant) -> Connection {
        let mut connection = connection(now);
        connection.state = State::Publishing(Box::new(publisher));
        connection
    }

    fn fed_at(connection: &mut Connection, now: Instant) {
        if let State::Publishing(publisher) = &mut connection.state {
            publisher.fed_at = now;
        }
        connection.heard(now);
    }

    #[test]
    fn publisher_that_answers_pings_has_a_minute_and_another_half_of_it() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let limits = Limits::default();
        let stream = Catalog::new(stream::Limits::default()).open("demo");
        let ingest = || Ingest::candidate(stream::Limits::default());
        let websocket = || {
            let inbound = Inbound::publisher(&[], 1000);
            publishing(
                Publisher::websocket(stream, ingest(), inbound, true, start),
                start,
            )
        };
        // It answers.
        let mut connection = websocket();
        assert_eq!(connection.due(&limits, after(19)), None);
        for asked in [20, 41] {
            assert_eq!(connection.due(&limits, after(asked)), Some(Due::Ping));
            connection.pinged_at = Some(after(asked));
            assert_eq!(connection.due(&limits, after(asked)), None);
            connection.heard(after(asked + 1));
        }
        assert_eq!(connection.due(&limits, after(59)), None);
        assert_eq!(
            connection.due(&limits, after(60)),
            Some(Due::SilentPublisher)
        );
        fed_at(&mut connection, after(59));
        assert_eq!(connection.due(&limits, after(78)), None);
        // It does not.
        let mut connection = websocket();
        connection.pinged_at = Some(after(20));
        assert_eq!(connection.due(&limits, after(29)), None);
        assert_eq!(
            connection.due(&limits, after(30)),
            Some(Due::SilentPublisher)
        );
        // A body cannot be asked.
        let body = BodyReader::new(Body::Chunked);
        let connection = publishing(Publisher::body(stream, ingest(), body, start), start);
        assert_eq!(connection.due(&limits, after(29)), None);
        assert_eq!(
            connection.due(&limits, after(30)),
            Some(Due::SilentPublisher)
        );
    }

    #[test]
    fn publisher_is_asked_in_time_whatever_the_timeout() {
        let limits = Limits {
            publisher_timeout: Duration::from_secs(6),
            ..Limits::default()
        };
        assert_eq!(publisher_ping_interval(&limits), Duration::from_secs(4));
        let default = publisher_ping_interval(&Limits::default());
        assert_eq!(default, Limits::default().ping_interval);
    }

    #[test]
    fn a_viewer_that_takes_nothing_has_until_its_own_deadline() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut connection = connection(start);
        connection.state = State::Viewing {
            viewer: Viewer {
                stream: Catalog::new(stream::Limits::default()).open("demo"),
                transport: Transport::WebSocket { v1: false },
                cursor: Cursor::join(),
                told: Told::Offline,
                audience_index: 0,
                ignored_reads: 0,
                stamp: None,
            },
            inbound: None,
        };
        let limits = Limits::default();
        assert_eq!(connection.due(&limits, after(20)), Some(Due::Ping));
        connection.pinged_at = Some(after(20));
        assert_eq!(connection.due(&limits, after(40)), Some(Due::NoPong));
        // The ping is behind media that it does not take: it cannot have been heard.
        connection.blocked_since = Some(after(15));
        assert_eq!(connection.due(&limits, after(44)), None);
        assert_eq!(connection.due(&limits, after(45)), Some(Due::Stalled));
        // It takes a byte now and then, but no whole chunk.
        connection.outbox.push(vec![0; 1000]);
        connection.since = after(50);
        connection.blocked_since = Some(after(79));
        assert_eq!(connection.due(&limits, after(79)), None);
        connection.blocked_since = Some(after(80));
        assert_eq!(connection.due(&limits, after(80)), Some(Due::Stalled));
        // Level with the stream, it holds nothing.
        connection.blocked_since = None;
        assert_eq!(connection.due(&limits, after(80)), Some(Due::NoPong));
    }
}
