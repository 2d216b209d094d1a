//! What publishers sent enters the stream, through the feeder's [`Publisher`].

use crate::http::refusal::Cause;
use crate::hub::Hub;
use crate::hub::broadcast::Broadcast;
use crate::offline_reason::OfflineReason;
use crate::session::outbox::Outbox;
use crate::session::publisher::{Fed, FeedResult, FeedTurn, Publisher};
use crate::session::{SessionId, Socket};
use crate::stream::Ingest;
use crate::webm::WebmError;
use crate::work::Work;
use std::io;

impl<S: Socket> Hub<S> {
    /// A connection that sends a blob publishes the stream, if there is room for one more.
    pub(super) fn add_old_candidate(&mut self, id: SessionId) {
        let Some(name) = self.compat_name().cloned() else {
            return;
        };
        let known = self.streams.find(name.as_str());
        let known = known.and_then(|id| self.streams.broadcast(id));
        if !known.is_some_and(Broadcast::has_publisher) && self.is_full_of_streams() {
            let client = self.sessions[id].address();
            if self.count_refusal(Cause::Limit, client) {
                tracing::warn!(stream = %name, %client, reason = "limit", "refused: --max-streams is reached");
            }
            return;
        }
        let now = self.clock.now();
        let stream_id = self.streams.open(&name, now);
        self.add_candidate(id, stream_id);
        let ingest = Ingest::candidate(self.streams.limits()).with_trail();
        let publisher = Publisher::handed(stream_id, ingest, now);
        if let Some(old) = self.sessions[id].old_publisher_mut() {
            old.publisher = Some(Box::new(publisher));
        }
    }

    pub(super) fn feeder_mut(&mut self) -> Option<&mut Publisher> {
        let feeder = self.compat.as_ref()?.feeder?;
        self.sessions.get_mut(feeder)?.publisher_mut()
    }

    /// Works on what the feeder was handed. Returns whether some of it is left.
    pub(super) fn feed_stream(&mut self, work: &mut Work) -> bool {
        loop {
            let Some(feeder) = self.compat.as_ref().and_then(|compat| compat.feeder) else {
                return false;
            };
            let session = self.sessions.get_mut(feeder);
            let Some(publisher) = session.and_then(|session| session.publisher_mut()) else {
                return false;
            };
            if !publisher.has_input() {
                return false;
            }
            let mut turn = FeedTurn {
                stream: self.streams.stream_mut(publisher.stream()),
                buffer: &mut self.turn.read_buffer,
                work,
                now: self.clock.now(),
            };
            // It was handed its bytes, and has neither a socket nor replies.
            let FeedResult { fed, .. } =
                publisher.read(&mut io::empty(), &mut Outbox::default(), &mut turn);
            if let (Some(compat), Some(trail)) = (&mut self.compat, publisher.trail()) {
                compat.kept.note_trail(trail);
            }
            self.note_received(feeder, 0);
            self.note_ingest(feeder);
            match fed {
                Fed::More => return true,
                Fed::Ready => self.put_on_air(feeder),
                Fed::BadMedia(error) => self.refuse_recording(feeder, &error),
                _ => return false,
            }
        }
    }

    /// What came is no WebM: listeners have it, and the stream is over.
    fn refuse_recording(&mut self, id: SessionId, error: &WebmError) {
        let client = self.sessions[id].address();
        self.books.counters.publishers_rejected += 1;
        if self.count_refusal(Cause::Media, client) {
            let stream = self.compat_name().map(tracing::field::display);
            tracing::warn!(stream, %client, reason = "media", %error, "old listeners get what is not WebM");
        }
        self.forget_candidate(id);
        self.detach_publisher(id, OfflineReason::Lost);
        self.return_to_ordinary();
    }

    /// A connection that is not on air is no candidate any more. Nothing is logged: junk may come again
    /// and again.
    fn forget_candidate(&mut self, id: SessionId) {
        let Some(old) = self.sessions[id].old_publisher_mut() else {
            return;
        };
        let Some(publisher) = old.publisher.take_if(|publisher| publisher.is_candidate()) else {
            return;
        };
        let stream_id = publisher.stream();
        if let Some(broadcast) = self.streams.broadcast_mut(stream_id) {
            broadcast.candidates_mut().remove(id);
        }
        self.remove_if_unused(stream_id);
    }

    /// The connection stays, and its stream goes off air.
    pub(in crate::hub) fn detach_publisher(&mut self, id: SessionId, reason: OfflineReason) {
        let old = self.sessions[id].old_publisher_mut();
        if let Some(mut publisher) = old.and_then(|old| old.publisher.take()) {
            publisher.set_offline_reason(reason);
            self.publisher_left(id, *publisher);
        }
    }
}
