//! What the hub keeps for one stream beside its media: its publisher, its viewers, its counters.

use super::candidate::Candidates;
use super::stall::Arrivals;
use super::sweep::Sweep;
use super::unsent::Unsent;
use crate::session::SessionId;
use crate::session::plea::Plea;
use crate::stream::Stream;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Milliseconds of backlog beyond which a new viewer is worth a new keyframe: the whole backlog has
/// to be sent and decoded before the first picture.
const BACKLOG_MS_MAX: u64 = 3000;

/// Without a keyframe for this long, the publisher is warned.
const KEYFRAME_WAIT: Duration = Duration::from_secs(10);

/// Least time between two requests for a new recording to one publisher: each costs viewers a
/// little.
const RESTART_PAUSE: Duration = Duration::from_secs(10);

/// How long a bit rate is counted over.
const BITRATE_WINDOW: Duration = Duration::from_secs(2);

/// After this long without a publisher the ring's memory is given back.
const MEDIA_KEPT_OFFLINE: Duration = Duration::from_secs(10);

/// A picture of the stream, from the publisher.
#[derive(Debug, Clone)]
pub struct Poster {
    pub jpeg: Bytes,
    pub etag: String,
}

/// One stream's publisher, viewers and counters.
#[derive(Debug)]
pub struct Broadcast {
    /// The publisher's connection: of the one that is on air.
    pub publisher: Option<SessionId>,
    /// Publishers that have sent no media yet.
    pub candidates: Candidates,
    /// When the publisher's media came.
    pub arrivals: Arrivals,
    /// The viewers' connections, in no order.
    pub audience: Vec<SessionId>,
    pub sweep: Sweep,
    /// Whether it is on the list of streams to sweep.
    pub is_sweeping: bool,
    /// What the kernel may hold for each viewer.
    pub unsent: Unsent,
    /// Whether chunks have come since the last sweep was ordered.
    pub is_fresh: bool,
    /// The ring's live edge at the last look.
    live_edge: u64,
    pub viewers_ws: u64,
    pub viewers_http: u64,
    pub viewers_peak: u64,
    /// Viewers whose sockets were full at the last look at the deadlines.
    pub viewers_behind: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    pub skips: u64,
    /// The publisher's. Invariant: `None` while there is no publisher.
    pub poster: Option<Poster>,
    /// Whether the stream stays without a publisher and viewers: its recording may go on.
    pub is_kept: bool,
    /// Counts publishers: an upload that began under one publisher does not end under the next.
    pub publication: u64,
    pub bitrate_bps: u64,
    /// When the publisher came.
    live_since: Option<Instant>,
    offline_since: Option<Instant>,
    counted: (Instant, u64),
    keyframe: (Instant, u64),
    has_warned: bool,
    restart_asked_at: Option<Instant>,
    wants_keyframe: bool,
    /// The viewer count that the publisher and the viewers got last.
    pub told_publisher: Option<u64>,
    pub told_viewers: Option<u64>,
}

impl Broadcast {
    pub fn new(unsent: Unsent, now: Instant) -> Broadcast {
        Broadcast {
            publisher: None,
            candidates: Candidates::default(),
            arrivals: Arrivals::new(now),
            audience: Vec::new(),
            sweep: Sweep::default(),
            is_sweeping: false,
            unsent,
            is_fresh: false,
            live_edge: 0,
            viewers_ws: 0,
            viewers_http: 0,
            viewers_peak: 0,
            viewers_behind: 0,
            received_bytes: 0,
            sent_bytes: 0,
            skips: 0,
            poster: None,
            is_kept: false,
            publication: 0,
            bitrate_bps: 0,
            live_since: None,
            offline_since: None,
            counted: (now, 0),
            keyframe: (now, 0),
            has_warned: false,
            restart_asked_at: None,
            wants_keyframe: false,
            told_publisher: None,
            told_viewers: None,
        }
    }

    pub fn viewers(&self) -> u64 {
        self.audience.len() as u64
    }

    /// Whether a publisher is on air, or may be soon.
    pub fn has_publisher(&self) -> bool {
        self.publisher.is_some() || !self.candidates.is_empty()
    }

    /// A publisher has its first media.
    pub fn publisher_came(&mut self, connection: SessionId, now: Instant) {
        if self.publisher.is_some() {
            self.drop_poster();
        }
        self.publisher = Some(connection);
        self.arrivals = Arrivals::new(now);
        self.live_since = Some(now);
        self.offline_since = None;
        self.keyframe.0 = now;
        self.has_warned = false;
        self.told_publisher = None;
    }

    /// The poster shows what a publisher that is replaced or gone has sent.
    fn drop_poster(&mut self) {
        self.poster = None;
        self.publication += 1;
    }

    pub fn publisher_left(&mut self, now: Instant) {
        self.publisher = None;
        self.drop_poster();
        self.live_since = None;
        self.offline_since = Some(now);
        self.bitrate_bps = 0;
        self.wants_keyframe = false;
    }

    /// Adds a viewer's connection; returns its index in the audience.
    pub fn join(&mut self, connection: SessionId, is_websocket: bool, stream: &Stream) -> usize {
        match is_websocket {
            true => self.viewers_ws += 1,
            false => self.viewers_http += 1,
        }
        // A new keyframe helps a viewer that waits for one or would get a long backlog.
        self.wants_keyframe |= stream
            .backlog_ms()
            .is_none_or(|backlog_ms| backlog_ms > BACKLOG_MS_MAX);
        self.audience.push(connection);
        self.sweep.joined();
        self.viewers_peak = self.viewers_peak.max(self.viewers());
        self.audience.len() - 1
    }

    /// Takes the viewer at `index` out. Returns the connection that has its index now, if any.
    pub fn leave(&mut self, index: usize, is_websocket: bool) -> Option<SessionId> {
        match is_websocket {
            true => self.viewers_ws -= 1,
            false => self.viewers_http -= 1,
        }
        self.audience.swap_remove(index);
        self.audience.get(index).copied()
    }

    /// The connection that is next in the sweep over the audience.
    pub fn next_in_sweep(&mut self, now: Instant) -> Option<SessionId> {
        let index = self.sweep.next(self.audience.len(), now)?;
        Some(self.audience[index])
    }

    /// Whether the stream has neither a publisher nor viewers, and is not kept for its recording.
    pub fn is_deserted(&self) -> bool {
        !self.has_publisher() && self.audience.is_empty() && !self.is_kept
    }

    pub fn uptime(&self, now: Instant) -> Duration {
        self.live_since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Whether the media of a stream that went offline are no longer worth their memory.
    pub fn is_stale(&self, now: Instant) -> bool {
        self.offline_since
            .is_some_and(|since| now.saturating_duration_since(since) > MEDIA_KEPT_OFFLINE)
    }

    /// Notes what the publisher's last bytes brought.
    pub fn note_media(&mut self, stream: &Stream, now: Instant) {
        let live_edge = stream.ring().live_edge();
        if live_edge != self.live_edge {
            self.is_fresh = true;
            self.live_edge = live_edge;
            self.arrivals.chunk_came(now);
        }
        if stream.gops() != self.keyframe.1 {
            self.keyframe = (now, stream.gops());
            self.has_warned = false;
            self.wants_keyframe = false;
        }
    }

    /// Brings the bit rate up to date, about every two seconds.
    pub fn count_bitrate(&mut self, now: Instant) {
        let (since, bytes) = self.counted;
        let window = now.saturating_duration_since(since);
        if window >= BITRATE_WINDOW {
            let bits = (self.received_bytes - bytes) * 8;
            self.bitrate_bps = (bits as f64 / window.as_secs_f64()) as u64;
            self.counted = (now, self.received_bytes);
        }
    }

    /// The message about keyframes that the publisher should get now, if any.
    pub fn plea(&mut self, now: Instant) -> Option<Plea> {
        self.publisher?;
        let since_keyframe = now.saturating_duration_since(self.keyframe.0);
        let is_patient = self
            .restart_asked_at
            .is_some_and(|at| now.saturating_duration_since(at) < RESTART_PAUSE);
        // A recording that has only just begun sends its first keyframe by itself.
        if self.wants_keyframe && !is_patient && since_keyframe > Duration::from_secs(3) {
            self.wants_keyframe = false;
            self.restart_asked_at = Some(now);
            return Some(Plea::Restart);
        }
        if since_keyframe >= KEYFRAME_WAIT && !self.has_warned {
            self.has_warned = true;
            return Some(Plea::KeyframeWarning);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Limits;

    fn session(slot: usize) -> SessionId {
        SessionId::new(slot, 0)
    }

    fn stream() -> Stream {
        Stream::new("demo".into(), Limits::default())
    }

    #[test]
    fn last_viewer_takes_the_index_of_a_leaving_viewer() {
        let mut broadcast = Broadcast::new(Unsent::new(None), Instant::now());
        let stream = stream();
        for connection in [10, 11, 12] {
            broadcast.join(session(connection), true, &stream);
        }
        assert_eq!(broadcast.leave(0, true), Some(session(12)));
        assert_eq!(broadcast.leave(1, true), None);
        assert_eq!((broadcast.viewers(), broadcast.viewers_peak), (1, 3));
    }

    #[test]
    fn waiting_viewer_causes_a_restart_request_then_a_keyframe_warning() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut broadcast = Broadcast::new(Unsent::new(None), start);
        broadcast.publisher_came(session(1), start);
        assert_eq!(broadcast.plea(after(5)), None);
        broadcast.join(session(2), true, &stream());
        assert_eq!(broadcast.plea(after(6)), Some(Plea::Restart));
        broadcast.join(session(3), true, &stream());
        assert_eq!(broadcast.plea(after(7)), None);
        assert_eq!(broadcast.plea(after(12)), Some(Plea::KeyframeWarning));
        assert_eq!(broadcast.plea(after(13)), None);
        assert_eq!(broadcast.plea(after(17)), Some(Plea::Restart));
    }

    #[test]
    fn the_bit_rate_is_that_of_the_last_two_seconds() {
        let start = Instant::now();
        let mut broadcast = Broadcast::new(Unsent::new(None), start);
        broadcast.received_bytes = 250_000;
        broadcast.count_bitrate(start + Duration::from_secs(1));
        assert_eq!(broadcast.bitrate_bps, 0);
        broadcast.count_bitrate(start + Duration::from_secs(2));
        assert_eq!(broadcast.bitrate_bps, 1_000_000);
    }
}
