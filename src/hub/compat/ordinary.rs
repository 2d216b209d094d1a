//! Ordinary publishers of the stream reach old listeners: a blob at each of their recordings, chunks
//! after it.

use super::RingPlace;
use crate::hub::Hub;
use crate::session::{SessionId, Socket};
use crate::stream::{ChunkKind, StreamId};

impl<S: Socket> Hub<S> {
    /// Whether what listeners get is an ordinary publisher's, and it is on air.
    pub(super) fn has_ordinary_publisher(&self) -> bool {
        let Some(compat) = self.compat.as_ref().filter(|compat| compat.ring.is_some()) else {
            return false;
        };
        let stream = self.streams.find(compat.name.as_str());
        let broadcast = stream.and_then(|id| self.streams.broadcast(id));
        broadcast.is_some_and(|broadcast| broadcast.publisher().is_some())
    }

    /// A publisher is about to go on air, and those before it have left.
    pub(in crate::hub) fn note_newcomer_on_air(&mut self, id: SessionId, stream_id: StreamId) {
        let is_old = self.sessions[id].is_relaying();
        let Some(compat) = self.compat.as_mut().filter(|_| !is_old) else {
            return;
        };
        let stream = self.streams.stream(stream_id);
        if **stream.name() != *compat.name.as_str() {
            return;
        }
        compat.feeder = None;
        compat.ring = Some(RingPlace::at(
            stream.ring().live_edge(),
            stream.recordings(),
        ));
        // Their messages would be mixed with its own. Those that only wait are left alone.
        let publishers: Vec<SessionId> = compat.publishers.iter().copied().collect();
        for other in publishers {
            let old = self.sessions[other].old_publisher_mut();
            if old.is_some_and(|old| old.has_sent) {
                self.replace_publisher(other);
            }
        }
    }

    /// Passes on what is new of an ordinary publisher.
    pub(in crate::hub) fn pass_on_ordinary(&mut self) {
        let Some(compat) = self.compat.as_mut().filter(|compat| compat.ring.is_some()) else {
            return;
        };
        let Some(id) = self.streams.find(compat.name.as_str()) else {
            return;
        };
        let stream = self.streams.stream(id);
        let (ring, Some(place)) = (stream.ring(), &mut compat.ring) else {
            return;
        };
        if place.next >= ring.live_edge() {
            return;
        }
        place.needs_blob |= place.next < ring.oldest();
        for sequence in place.next.max(ring.oldest())..ring.live_edge() {
            let Some(chunk) = ring.chunk(sequence) else {
                break;
            };
            let payload = chunk.framed.payload();
            let begins = place.recording < stream.recordings() && sequence >= stream.recording_at();
            match chunk.kind {
                ChunkKind::Init => {
                    place.init = Some((chunk.generation, payload));
                    place.needs_blob = true;
                }
                ChunkKind::JoinPoint if place.needs_blob || begins => {
                    let passed = place.init.clone();
                    let newest = stream.init();
                    let newest =
                        newest.map(|one| (one.chunk.generation, one.chunk.framed.payload()));
                    let init = [passed, newest].into_iter().flatten();
                    let init = { init }.find(|(generation, _)| *generation == chunk.generation);
                    // None when the init segment of a chunk is gone that an overtaken place begins with.
                    if let Some((_, init)) = init {
                        compat.kept.begin_recording(init, payload);
                        place.needs_blob = false;
                        place.recording = stream.recordings();
                        self.books.counters.compat_blobs += 1;
                    }
                }
                _ if place.needs_blob => {}
                kind => compat
                    .kept
                    .push_chunk(payload, kind == ChunkKind::JoinPoint),
            }
        }
        place.next = ring.live_edge();
        self.queue_listeners();
    }

    /// The publisher of the current blob is gone, or sent no WebM. An ordinary publisher that is still on air
    /// begins another with its newest keyframe.
    pub(in crate::hub) fn return_to_ordinary(&mut self) {
        let Some(compat) = &mut self.compat else {
            return;
        };
        let Some(id) = self.streams.find(compat.name.as_str()) else {
            return;
        };
        let broadcast = self.streams.broadcast(id);
        let publisher = broadcast.and_then(|broadcast| broadcast.publisher());
        let is_ordinary = publisher.is_some_and(|id| !self.sessions[id].is_relaying());
        if is_ordinary && compat.ring.is_none() {
            let stream = self.streams.stream(id);
            let edge = stream.ring().live_edge();
            let next = stream.ring().join_point().unwrap_or(edge);
            compat.ring = Some(RingPlace::at(next, stream.recordings()));
        }
    }
}
