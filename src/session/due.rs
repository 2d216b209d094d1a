//! What a session's deadlines ask for.

use super::fetching::SEGMENT_WAIT;
use super::publisher::Publisher;
use super::{Session, State};
use crate::config::Limits;
use std::time::{Duration, Instant};

/// How many times `viewer_timeout` a whole answer may take: with the defaults, two minutes for a
/// poster of 256 KiB.
const ANSWER_TIMEOUTS: u32 = 4;

/// What a deadline asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// No whole request head in time.
    HeadTimeout,
    /// Kept alive, but no further request came.
    Idle,
    /// The hook has not decided.
    Undecided,
    /// The peer takes no bytes.
    Stalled,
    /// No media from the publisher.
    SilentPublisher,
    /// The segment that it waits for did not come.
    NoSegment,
    /// Media of a viewer behind live are due, or it may ask for them again.
    Media,
    /// Time to send a ping.
    Ping,
    /// The peer did not answer the ping.
    NoPong,
    /// The peer had enough time to hang up.
    Hangup,
}

impl<S> Session<S> {
    /// What its deadlines ask for now, if anything.
    pub fn due(&self, limits: &Limits, now: Instant) -> Option<Due> {
        let is_over = |since: Instant, time| now.saturating_duration_since(since) >= time;
        let is_blocked_for = |time| {
            let since = self.readiness.blocked_since();
            since.is_some_and(|since| is_over(since, time))
        };
        let is_stalled = is_blocked_for(limits.viewer_timeout);
        match &self.state {
            State::Requesting(head) if is_over(self.since, limits.head_timeout) => {
                // A client between two requests is not late, only idle.
                Some(if head.is_between_requests() {
                    Due::Idle
                } else {
                    Due::HeadTimeout
                })
            }
            State::Requesting(_) => None,
            // A decided request has its turn soon.
            State::Pending(pending) if pending.is_decided() => None,
            State::Pending(pending) => (now >= pending.deadline).then_some(Due::Undecided),
            State::Posting(_) if is_over(self.since, limits.publisher_timeout) => {
                Some(Due::SilentPublisher)
            }
            State::Responding { .. } | State::Draining(_)
                if is_over(self.since, limits.viewer_timeout * ANSWER_TIMEOUTS) =>
            {
                Some(Due::Stalled)
            }
            State::Draining(draining) if is_over(draining.active_at, limits.head_timeout) => {
                Some(Due::Idle)
            }
            State::Responding { .. }
            | State::Draining(_)
            | State::Recalling(_)
            | State::Posting(_) => is_stalled.then_some(Due::Stalled),
            State::Fetching(fetching) if !fetching.is_sending() => {
                is_over(self.since, SEGMENT_WAIT).then_some(Due::NoSegment)
            }
            State::Fetching(fetching) => {
                let is_trickling = self.readiness.blocked_since().is_some()
                    && !self.outbox.is_empty()
                    && fetching.has_stood_still(limits.viewer_timeout, now);
                (is_stalled || is_trickling).then_some(Due::Stalled)
            }
            State::Following(_) if is_stalled => Some(Due::Stalled),
            State::Following(follower) => {
                let is_trickling =
                    !self.outbox.is_empty() && follower.has_stood_still(limits.viewer_timeout, now);
                is_trickling.then_some(Due::Stalled)
            }
            State::Publishing(publisher) => publisher_due(publisher, limits, now),
            State::Viewing { .. } if is_stalled => Some(Due::Stalled),
            State::Viewing { viewer, .. } if self.readiness.blocked_since().is_some() => {
                // A viewer that has been taking one chunk for so long may be the last to hold that
                // memory. So all viewers together hold no more beyond the ring than what came in that
                // time. A ping would wait behind the media that it does not take.
                let is_trickling =
                    !self.outbox.is_empty() && viewer.has_stood_still(limits.viewer_timeout, now);
                is_trickling.then_some(Due::Stalled)
            }
            State::Viewing { viewer, .. } => {
                let liveness = viewer.liveness();
                let due = liveness.due(limits.ping_interval, limits.ping_timeout, now);
                let media_are_due = viewer.time_shift().is_some_and(|one| one.is_due(now));
                due.filter(|_| viewer.is_websocket())
                    .or(media_are_due.then_some(Due::Media))
            }
            State::Relaying(_) if is_stalled => Some(Due::Stalled),
            State::Relaying(relaying) if self.readiness.blocked_since().is_some() => {
                let is_trickling =
                    !self.outbox.is_empty() && relaying.has_stood_still(limits.viewer_timeout, now);
                is_trickling.then_some(Due::Stalled)
            }
            State::Relaying(relaying) => {
                let is_silent = relaying.publisher().is_some_and(|publisher| {
                    let silence = now.saturating_duration_since(publisher.fed_at());
                    silence >= limits.publisher_timeout * 2
                });
                if is_silent {
                    return Some(Due::SilentPublisher);
                }
                let liveness = relaying.liveness();
                liveness.due(limits.ping_interval, limits.ping_timeout, now)
            }
            State::Closing { deadline, .. } => (now >= *deadline).then_some(Due::Hangup),
            State::Gone => None,
        }
    }
}

fn publisher_due(publisher: &Publisher, limits: &Limits, now: Instant) -> Option<Due> {
    let is_silent = |time| now.saturating_duration_since(publisher.fed_at()) >= time;
    // A throttled publisher is silent because the server does not read it.
    if publisher.is_throttled(now) {
        return None;
    }
    if !publisher.is_websocket() {
        return is_silent(limits.publisher_timeout).then_some(Due::SilentPublisher);
    }
    // Its recorder may have nothing to record for a while: a publisher that answers pings has twice
    // the time.
    let liveness = publisher.liveness();
    if liveness.is_silent(limits.publisher_timeout, now) || is_silent(limits.publisher_timeout * 2)
    {
        return Some(Due::SilentPublisher);
    }
    liveness.due(publisher_ping_interval(limits), limits.ping_timeout, now)
}

/// A silent publisher gets its ping early enough to answer before it is given up.
fn publisher_ping_interval(limits: &Limits) -> Duration {
    limits.ping_interval.min(limits.publisher_timeout * 2 / 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Body;
    use crate::http::response::Stamp;
    use crate::session::SessionId;
    use crate::session::inbound::Inbound;
    use crate::session::publisher::Upload;
    use crate::session::viewer::Viewer;
    use crate::session::{Client, IncomingHead};
    use crate::stream::{self, Catalog, Ingest};
    use bytes::Bytes;
    use std::net::Ipv4Addr;

    fn connection(now: Instant) -> Session<()> {
        let client = Client::new(Ipv4Addr::LOCALHOST.into());
        let head = IncomingHead::first(false, None);
        Session::new(SessionId::new(0, 0), (), client, head, now)
    }

    fn block_since(connection: &mut Session<()>, since: Instant) {
        connection.readiness.unblock();
        connection.readiness.write_blocked(since);
    }

    #[test]
    fn trickled_response_has_a_total_deadline() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut connection = connection(start);
        let rest = bytes::BytesMut::new();
        let state = State::Responding {
            keep_alive: true,
            rest,
        };
        connection.enter(state, start);
        let limits = Limits::default();
        // It takes a byte now and then.
        block_since(&mut connection, after(110));
        assert_eq!(connection.due(&limits, after(119)), None);
        assert_eq!(connection.due(&limits, after(120)), Some(Due::Stalled));
        // It takes none.
        block_since(&mut connection, after(10));
        assert_eq!(connection.due(&limits, after(39)), None);
        assert_eq!(connection.due(&limits, after(40)), Some(Due::Stalled));
    }

    fn pinged(connection: &mut Session<()>, now: Instant) {
        match &mut connection.state {
            State::Publishing(publisher) => publisher.liveness_mut().pinged(now),
            State::Viewing { viewer, .. } => viewer.liveness_mut().pinged(now),
            other => panic!("{other:?}"),
        }
    }

    fn publishing(publisher: Publisher, now: Instant) -> Session<()> {
        let mut connection = connection(now);
        connection.enter(State::Publishing(Box::new(publisher)), now);
        connection
    }

    fn fed_at(connection: &mut Session<()>, now: Instant) {
        if let State::Publishing(publisher) = &mut connection.state {
            publisher.feed_at(now);
        }
        connection.peer_active(now);
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
            pinged(&mut connection, after(asked));
            assert_eq!(connection.due(&limits, after(asked)), None);
            connection.peer_active(after(asked + 1));
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
        pinged(&mut connection, after(20));
        assert_eq!(connection.due(&limits, after(29)), None);
        assert_eq!(
            connection.due(&limits, after(30)),
            Some(Due::SilentPublisher)
        );
        // An HTTP body has no pings.
        let upload = Upload::new(Body::Chunked, Bytes::new(), Stamp::default(), false);
        let connection = publishing(Publisher::upload(stream, ingest(), upload, start), start);
        assert_eq!(connection.due(&limits, after(29)), None);
        assert_eq!(
            connection.due(&limits, after(30)),
            Some(Due::SilentPublisher)
        );
    }

    #[test]
    fn publisher_ping_interval_is_at_most_two_thirds_of_the_timeout() {
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
        let mut catalog = Catalog::new(stream::Limits::default());
        let id = catalog.open("demo");
        let state = State::Viewing {
            viewer: Viewer::websocket(id, catalog.stream(id), false, start),
            inbound: None,
        };
        connection.enter(state, start);
        let limits = Limits::default();
        assert_eq!(connection.due(&limits, after(20)), Some(Due::Ping));
        pinged(&mut connection, after(20));
        assert_eq!(connection.due(&limits, after(40)), Some(Due::NoPong));
        // The ping is behind media that the peer does not take, so the ping cannot have arrived.
        block_since(&mut connection, after(15));
        assert_eq!(connection.due(&limits, after(44)), None);
        assert_eq!(connection.due(&limits, after(45)), Some(Due::Stalled));
        // It takes a byte now and then, but no whole chunk.
        connection.outbox.push(vec![0; 1000]);
        if let Some(viewer) = connection.viewer_mut() {
            viewer.cursor_moved(after(50));
        }
        block_since(&mut connection, after(79));
        assert_eq!(connection.due(&limits, after(79)), None);
        block_since(&mut connection, after(80));
        assert_eq!(connection.due(&limits, after(80)), Some(Due::Stalled));
        // Level with the stream, it holds nothing.
        connection.readiness.unblock();
        assert_eq!(connection.due(&limits, after(80)), Some(Due::NoPong));
    }
}
