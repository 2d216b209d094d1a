//! All streams: the media of each, and beside them its publisher, its viewers and its counts.

use super::broadcast::Broadcast;
use super::segments::SegmentReaders;
use super::sweep::Swept;
use super::unsent::Unsent;
use crate::session::SessionId;
use crate::stream::{self, Catalog, Stream, StreamId};
use crate::stream_name::StreamName;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Streams {
    catalog: Catalog,
    /// Invariant: one for each stream of the catalog.
    broadcasts: BTreeMap<StreamId, Broadcast>,
    /// Streams with a sweep under way or due: each has its slice in turn. Invariant: each stream is
    /// here once, and its audience knows that.
    sweeping: VecDeque<StreamId>,
    /// What the kernel may hold for a viewer, of a new stream.
    unsent: Unsent,
}

impl Streams {
    pub fn new(limits: stream::Limits, unsent: Unsent) -> Streams {
        Streams {
            catalog: Catalog::new(limits),
            broadcasts: BTreeMap::new(),
            sweeping: VecDeque::new(),
            unsent,
        }
    }

    pub fn limits(&self) -> stream::Limits {
        self.catalog.limits()
    }

    pub fn set_clock(&mut self, since_start: Duration, unix_ms: u64) {
        self.catalog.set_clock(since_start);
        self.catalog.set_wall_clock(unix_ms);
    }

    /// Bytes of memory that the table of streams takes, their media left out.
    #[cfg(feature = "testing")]
    pub fn table_bytes(&self) -> usize {
        self.catalog.table_bytes()
    }

    pub fn find(&self, name: &str) -> Option<StreamId> {
        self.catalog.find(name)
    }

    /// The stream of this name. Adds it if there is none.
    pub fn open(&mut self, name: &StreamName, now: Instant) -> StreamId {
        let id = self.catalog.open(name.as_str());
        let unsent = self.unsent;
        let broadcast = self.broadcasts.entry(id);
        broadcast.or_insert_with(|| Broadcast::new(unsent, now));
        id
    }

    pub fn stream(&self, id: StreamId) -> &Stream {
        self.catalog.stream(id)
    }

    pub fn stream_mut(&mut self, id: StreamId) -> &mut Stream {
        self.catalog.stream_mut(id)
    }

    pub fn broadcast(&self, id: StreamId) -> Option<&Broadcast> {
        self.broadcasts.get(&id)
    }

    pub fn broadcast_mut(&mut self, id: StreamId) -> Option<&mut Broadcast> {
        self.broadcasts.get_mut(&id)
    }

    /// Both halves of a stream.
    pub fn both_mut(&mut self, id: StreamId) -> Option<(&mut Broadcast, &mut Stream)> {
        let broadcast = self.broadcasts.get_mut(&id)?;
        Some((broadcast, self.catalog.stream_mut(id)))
    }

    pub fn broadcasts(&self) -> impl Iterator<Item = &Broadcast> {
        self.broadcasts.values()
    }

    /// Whether a stream stays for its segments, for a while.
    pub fn keep_segments(&self) -> bool {
        let mut broadcasts = self.broadcasts.values();
        broadcasts.any(|broadcast| broadcast.segment_readers().keep_stream())
    }

    /// Calls `news` for each stream that has something new for readers of its segments: the stream, the
    /// readers, and whether a segment has begun or ended.
    pub fn each_segment_news(&mut self, mut news: impl FnMut(&Stream, &SegmentReaders, bool)) {
        for (&id, broadcast) in &mut self.broadcasts {
            let readers = broadcast.segment_readers_mut();
            if readers.waiting().is_empty() && readers.sending().is_empty() {
                continue;
            }
            let stream = self.catalog.stream(id);
            let (has_news, has_begun) = readers.take_news(stream);
            if has_news {
                news(stream, readers, has_begun);
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (StreamId, &Stream)> {
        self.catalog.iter()
    }

    /// Streams that have chunks for which no sweep was started.
    pub fn fresh(&self) -> Vec<StreamId> {
        let broadcasts = self.broadcasts.iter();
        let fresh = broadcasts.filter(|(_, broadcast)| broadcast.audience().is_fresh());
        fresh.map(|(&id, _)| id).collect()
    }

    pub fn ids(&self) -> Vec<StreamId> {
        self.broadcasts.keys().copied().collect()
    }

    /// Adds a viewer at the end of the audience. Returns its place there.
    pub fn join(&mut self, id: StreamId, viewer: SessionId, is_websocket: bool) -> usize {
        let stream = self.catalog.stream(id);
        let broadcast = self.broadcasts.get_mut(&id);
        broadcast.map_or(0, |broadcast| broadcast.join(viewer, is_websocket, stream))
    }

    /// A node joins, as a viewer does.
    pub fn want_keyframe_if_far(&mut self, id: StreamId) {
        if let Some((broadcast, stream)) = self.both_mut(id) {
            broadcast.want_keyframe_if_far(stream);
        }
    }

    /// Notes what a publisher's last bytes brought.
    pub fn note_media(&mut self, id: StreamId, received: u64, now: Instant) {
        if let Some(broadcast) = self.broadcasts.get_mut(&id) {
            broadcast.traffic_mut().received(received);
            broadcast.note_media(self.catalog.stream(id), now);
        }
    }

    /// Removes a stream that has neither a publisher nor a viewer. Returns whether it did.
    pub fn remove_if_unused(&mut self, id: StreamId) -> bool {
        let is_unused = self.broadcast(id).is_some_and(Broadcast::is_unused);
        if is_unused {
            self.broadcasts.remove(&id);
            self.sweeping.retain(|&other| other != id);
            self.catalog.remove(id);
        }
        is_unused
    }

    /// Starts a sweep for each stream that has new chunks.
    pub fn sweep_fresh(&mut self, max_delay: Duration, now: Instant) {
        for (&id, broadcast) in &mut self.broadcasts {
            if broadcast.audience_mut().sweep_fresh(now, max_delay) {
                self.sweeping.push_back(id);
            }
        }
    }

    /// Schedules a visit to every viewer of a stream, because there may be a message for it.
    pub fn sweep_soon(&mut self, id: StreamId, now: Instant) {
        if let Some(broadcast) = self.broadcasts.get_mut(&id)
            && broadcast.audience_mut().sweep_soon(now)
        {
            self.sweeping.push_back(id);
        }
    }

    /// When the next sweep goes on or starts.
    pub fn sweep_at(&self, now: Instant) -> Option<Instant> {
        let sweeping = self.sweeping.iter();
        let broadcasts = sweeping.filter_map(|id| self.broadcasts.get(id));
        broadcasts
            .filter_map(|broadcast| broadcast.audience().sweep_at(now))
            .min()
    }

    /// Starts sweeps whose time has come. Returns whether any sweep is under way.
    pub fn set_out(&mut self, now: Instant) -> bool {
        let mut any = false;
        for id in &self.sweeping {
            if let Some(broadcast) = self.broadcasts.get_mut(id) {
                any |= broadcast.audience_mut().set_out(now);
            }
        }
        any
    }

    pub fn sweeps(&self) -> usize {
        self.sweeping.len()
    }

    /// The stream whose audience has its slice now. [`Streams::end_slice`] gives it back.
    pub fn next_sweep(&mut self) -> Option<StreamId> {
        self.sweeping.pop_front()
    }

    /// The viewer that is next in a stream's sweep.
    pub fn next_viewer(&mut self, id: StreamId, now: Instant) -> Option<SessionId> {
        self.broadcasts
            .get_mut(&id)?
            .audience_mut()
            .next_in_sweep(now)
    }

    /// A slice is over. Returns the round that ended with it, if one did.
    pub fn end_slice(&mut self, id: StreamId, now: Instant) -> Option<Swept> {
        let audience = self.broadcasts.get_mut(&id)?.audience_mut();
        let ended = audience.poll_swept();
        if audience.end_slice(now) {
            self.sweeping.push_back(id);
        }
        ended
    }
}
