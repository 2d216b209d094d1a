//! What the hub keeps for one stream beside its media: its publisher, its viewers, its counters.

use super::audience::Audience;
use super::candidate::Candidates;
use super::keyframe_requests::KeyframeRequests;
use super::segments::SegmentReaders;
use super::stall::Arrivals;
use super::traffic::Traffic;
use super::unsent::Unsent;
use crate::picture::Picture;
use crate::session::SessionId;
use crate::session::keyframes::KeyframeMessage;
use crate::stream::Stream;
use std::time::{Duration, Instant};

/// Milliseconds of backlog beyond which a new viewer is worth a new keyframe: the whole backlog has
/// to be sent and decoded before the first picture.
const BACKLOG_MS_MAX: u64 = 3000;

/// After this long without a publisher the ring's memory is given back, unless a viewer behind live needs
/// it.
const MEDIA_KEPT_OFFLINE: Duration = Duration::from_secs(10);

/// One stream's publisher, viewers and counters.
#[derive(Debug)]
pub struct Broadcast {
    last_publisher: LastPublisher,
    /// Counts publishers: an upload that began under one publisher does not end under the next.
    publication: u64,
    /// Publishers that have sent no media yet.
    candidates: Candidates,
    audience: Audience,
    segment_readers: SegmentReaders,
    traffic: Traffic,
    keyframes: KeyframeRequests,
    /// Whether the stream stays without a publisher and viewers: its recording may go on.
    is_kept: bool,
    /// The ring's live edge at the last look.
    live_edge: u64,
}

/// The newest publisher with media.
#[derive(Debug)]
enum LastPublisher {
    None,
    LeftAt(Instant),
    OnAir(Publication),
}

/// What belongs to the publisher on air.
#[derive(Debug)]
struct Publication {
    session: SessionId,
    /// When its first media came.
    since: Instant,
    /// When its media came.
    arrivals: Arrivals,
    poster: Option<Picture>,
    /// The newest keyframe that was asked for as a picture, and the sequence of its chunk.
    keyframe: Option<Box<(u64, Picture)>>,
}

impl Broadcast {
    pub fn new(unsent: Unsent, now: Instant) -> Broadcast {
        Broadcast {
            last_publisher: LastPublisher::None,
            publication: 0,
            candidates: Candidates::default(),
            audience: Audience::new(unsent),
            segment_readers: SegmentReaders::default(),
            traffic: Traffic::new(now),
            keyframes: KeyframeRequests::new(now),
            is_kept: false,
            live_edge: 0,
        }
    }

    pub fn candidates(&self) -> &Candidates {
        &self.candidates
    }

    pub fn candidates_mut(&mut self) -> &mut Candidates {
        &mut self.candidates
    }

    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    pub fn audience_mut(&mut self) -> &mut Audience {
        &mut self.audience
    }

    pub fn segment_readers(&self) -> &SegmentReaders {
        &self.segment_readers
    }

    pub fn segment_readers_mut(&mut self) -> &mut SegmentReaders {
        &mut self.segment_readers
    }

    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    pub fn traffic_mut(&mut self) -> &mut Traffic {
        &mut self.traffic
    }

    /// Whether the stream stays without a publisher and viewers.
    pub fn set_kept(&mut self, is_kept: bool) {
        self.is_kept = is_kept;
    }

    #[cfg(feature = "testing")]
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    fn published(&self) -> Option<&Publication> {
        match &self.last_publisher {
            LastPublisher::OnAir(publication) => Some(publication),
            LastPublisher::None | LastPublisher::LeftAt(_) => None,
        }
    }

    fn published_mut(&mut self) -> Option<&mut Publication> {
        match &mut self.last_publisher {
            LastPublisher::OnAir(publication) => Some(publication),
            LastPublisher::None | LastPublisher::LeftAt(_) => None,
        }
    }

    /// The session of the publisher that is on air.
    pub fn publisher(&self) -> Option<SessionId> {
        self.published().map(|publication| publication.session)
    }

    /// Whether a publisher is on air, or may be soon.
    pub fn has_publisher(&self) -> bool {
        self.publisher().is_some() || !self.candidates.is_empty()
    }

    /// A publisher has its first media. What the one before has sent is no longer shown.
    pub fn publisher_came(&mut self, session: SessionId, now: Instant) {
        self.leave_publication();
        self.last_publisher = LastPublisher::OnAir(Publication {
            session,
            since: now,
            arrivals: Arrivals::new(now),
            poster: None,
            keyframe: None,
        });
        self.keyframes.publisher_came(now);
        self.audience.repeat_count();
    }

    pub fn publisher_left(&mut self, now: Instant) {
        self.leave_publication();
        self.last_publisher = LastPublisher::LeftAt(now);
        self.traffic.reset_bitrate();
        self.keyframes.publisher_left();
    }

    fn leave_publication(&mut self) {
        if self.publisher().is_some() {
            self.publication += 1;
        }
    }

    /// The poster of the publisher on air.
    pub fn poster(&self) -> Option<&Picture> {
        self.published()?.poster.as_ref()
    }

    /// The picture that was made of the keyframe of this chunk, if it was.
    pub fn keyframe_picture(&self, sequence: u64) -> Option<&Picture> {
        let (of, picture) = self.published()?.keyframe.as_deref()?;
        (*of == sequence).then_some(picture)
    }

    pub fn keep_keyframe_picture(&mut self, sequence: u64, picture: Picture) {
        if let Some(published) = self.published_mut() {
            published.keyframe = Some(Box::new((sequence, picture)));
        }
    }

    /// Names the publication that a poster is for. `None` while no publisher is on air: a poster sent
    /// before the first media would be shown for any publisher that comes first.
    pub fn publication(&self) -> Option<u64> {
        self.publisher().map(|_| self.publication)
    }

    /// Sets the poster of this publication. Returns whether it is still on air.
    pub fn set_poster(&mut self, publication: u64, poster: Picture) -> bool {
        if self.publication != publication {
            return false;
        }
        let published = self.published_mut();
        published.is_some_and(|published| {
            published.poster = Some(poster);
            true
        })
    }

    /// Adds a viewer; returns its index in the audience.
    pub fn join(&mut self, viewer: SessionId, is_websocket: bool, stream: &Stream) -> usize {
        self.want_keyframe_if_far(stream);
        self.audience.join(viewer, is_websocket)
    }

    /// A new keyframe helps a viewer that waits for one or would get a long backlog.
    pub fn want_keyframe_if_far(&mut self, stream: &Stream) {
        let is_far = |backlog_ms| backlog_ms > BACKLOG_MS_MAX;
        if stream.backlog_ms().is_none_or(is_far) {
            self.keyframes.want();
        }
    }

    pub fn want_keyframe(&mut self) {
        self.keyframes.want();
    }

    /// Whether the stream has neither a publisher nor viewers, and is not kept for its recording or its
    /// segments.
    pub fn is_unused(&self) -> bool {
        !self.has_publisher()
            && self.audience.is_empty()
            && !self.is_kept
            && !self.segment_readers.keep_stream()
    }

    pub fn uptime(&self, now: Instant) -> Duration {
        self.published().map_or(Duration::ZERO, |publication| {
            now.saturating_duration_since(publication.since)
        })
    }

    /// Whether the media of a stream that went offline are no longer worth their memory. Viewers behind
    /// live may need them for longer: see `Hub::needs_media`.
    pub fn is_stale(&self, now: Instant) -> bool {
        self.has_been_offline(now, MEDIA_KEPT_OFFLINE)
    }

    /// Whether a viewer behind live that came while the media of a stream were there has had the time to
    /// be given all of them, which are so long.
    pub fn is_played(&self, now: Instant, span: Duration) -> bool {
        self.has_been_offline(now, MEDIA_KEPT_OFFLINE.saturating_add(span))
    }

    fn has_been_offline(&self, now: Instant, time: Duration) -> bool {
        match self.last_publisher {
            LastPublisher::LeftAt(since) => now.saturating_duration_since(since) > time,
            LastPublisher::None | LastPublisher::OnAir(_) => false,
        }
    }

    /// Bytes of media came from the publisher on air.
    pub fn bytes_came(&mut self, now: Instant) {
        if let Some(publication) = self.published_mut() {
            publication.arrivals.bytes_came(now);
        }
    }

    /// How long nothing has come from the publisher on air, if that is too long.
    pub fn silence(&self, now: Instant) -> Option<Duration> {
        self.published()?.arrivals.silence(now)
    }

    /// Notes what the publisher's last bytes brought.
    pub fn note_media(&mut self, stream: &Stream, now: Instant) {
        let live_edge = stream.ring().live_edge();
        if live_edge != self.live_edge {
            self.live_edge = live_edge;
            self.audience.chunks_came();
            if let Some(publication) = self.published_mut() {
                publication.arrivals.chunk_came(now);
            }
        }
        self.keyframes.note_gops(stream.gops(), now);
    }

    /// The message about keyframes that the publisher should get now, if any.
    pub fn keyframe_message(&mut self, now: Instant) -> Option<KeyframeMessage> {
        self.publisher()?;
        self.keyframes.poll_message(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Limits;

    fn session(slot: usize) -> SessionId {
        SessionId::new(slot, 0)
    }

    fn poster() -> Picture {
        Picture::jpeg(b"jpeg"[..].into())
    }

    #[test]
    fn viewer_without_a_backlog_causes_a_restart_request() {
        let start = Instant::now();
        let mut broadcast = Broadcast::new(Unsent::new(None), start);
        let after = |seconds| start + Duration::from_secs(seconds);
        let stream = Stream::new("demo".into(), Limits::default());
        broadcast.join(session(2), true, &stream);
        assert_eq!(broadcast.keyframe_message(after(6)), None);
        broadcast.publisher_came(session(1), after(6));
        let restart = Some(KeyframeMessage::Restart);
        assert_eq!(broadcast.keyframe_message(after(10)), restart);
    }

    #[test]
    fn poster_of_one_publication_is_not_taken_for_the_next() {
        let now = Instant::now();
        let mut broadcast = Broadcast::new(Unsent::new(None), now);
        assert_eq!(broadcast.publication(), None);
        broadcast.publisher_came(session(1), now);
        let first = broadcast.publication().unwrap();
        assert!(broadcast.set_poster(first, poster()) && broadcast.poster().is_some());
        broadcast.publisher_came(session(2), now);
        assert!(broadcast.poster().is_none() && !broadcast.set_poster(first, poster()));
        broadcast.publisher_left(now);
        assert!(!broadcast.set_poster(first, poster()));
        assert_eq!(broadcast.publication(), None);
    }
}
