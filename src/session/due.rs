//! What a session's deadlines ask for.

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
        let elapsed = |since: Instant| now.saturating_duration_since(since);
        let is_stalled = self
            .blocked_since
            .is_some_and(|since| elapsed(since) >= limits.viewer_timeout);
        match &self.state {
            State::Requesting(bytes) if elapsed(self.since) >= limits.head_timeout => {
                // A client between two requests is not late, only idle.
                Some(match bytes.is_empty() && self.requests > 0 {
                    true => Due::Idle,
                    false => Due::HeadTimeout,
                })
            }
            State::Requesting(_) => None,
            // A decided request has its turn soon.
            State::Pending(pending) if pending.is_decided() => None,
            State::Pending(pending) => (now >= pending.deadline).then_some(Due::Undecided),
            State::Posting(_) if elapsed(self.since) >= limits.publisher_timeout => {
                Some(Due::SilentPublisher)
            }
            State::Responding { .. } | State::Draining(_)
                if elapsed(self.since) >= limits.viewer_timeout * ANSWER_TIMEOUTS =>
            {
                Some(Due::Stalled)
            }
            State::Draining(_) if elapsed(self.heard_at) >= limits.head_timeout => Some(Due::Idle),
            State::Responding { .. }
            | State::Draining(_)
            | State::Posting(_)
            | State::Recalling => is_stalled.then_some(Due::Stalled),
            // A throttled publisher is silent because the server does not read it.
            State::Publishing(publisher) if publisher.is_throttled(now) => None,
            State::Publishing(publisher) if publisher.is_websocket() => {
                // Its recorder may have nothing to record for a while: a publisher that answers
                // pings has twice the time.
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

    /// Whether the viewer has been taking one chunk for so long that it may be the last to hold
    /// that memory. So all viewers together hold no more beyond the ring than what came in that
    /// time.
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

/// A silent publisher gets its ping early enough to answer before it is given up.
fn publisher_ping_interval(limits: &Limits) -> Duration {
    limits.ping_interval.min(limits.publisher_timeout * 2 / 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::http::Body;
    use crate::session::SessionId;
    use crate::session::body::BodyReader;
    use crate::session::inbound::Inbound;
    use crate::session::publisher::Publisher;
    use crate::session::viewer::{Told, Transport, Viewer};
    use crate::stream::{self, Catalog, Cursor, Ingest};
    use std::net::Ipv4Addr;

    fn connection(now: Instant) -> Session<()> {
        Session::new(SessionId::new(0, 0), (), Ipv4Addr::LOCALHOST.into(), now)
    }

    #[test]
    fn trickled_response_has_a_total_deadline() {
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

    fn publishing(publisher: Publisher, now: Instant) -> Session<()> {
        let mut connection = connection(now);
        connection.state = State::Publishing(Box::new(publisher));
        connection
    }

    fn fed_at(connection: &mut Session<()>, now: Instant) {
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
        // An HTTP body has no pings.
        let body = BodyReader::new(Body::Chunked);
        let connection = publishing(Publisher::body(stream, ingest(), body, start), start);
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
        // The ping is behind media that the peer does not take, so the ping cannot have arrived.
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
