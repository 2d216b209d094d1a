//! How much memory the process holds, and which sessions are closed when it is too much.
//!
//! Counted is what is allocated beyond what the server took to start: media, init segments,
//! posters, incomplete requests and messages, answers that clients do not read, TLS. The allocator
//! counts it, so nothing that grows is left out. What the kernel holds for sockets is the kernel's.
//!
//! ```text
//! 0 ──────────────────────────────── --max-memory ─── + 1/32 ─── + 1/16 ──►
//!   all clients are served           new clients: 503    ▲           │ sessions are closed
//!                                                        └───────────┘
//! ```
//!
//! Above the mark, in this order:
//! - requests, answers and viewers, as far as they hold more than a quarter of the limit: the largest
//!   is closed first;
//! - publishers, on air or not yet, as far as what they have not finished and their init segments take
//!   more than a quarter: the largest is closed first, with 1013 or 503;
//! - what is kept for listeners of the old protocol is shortened, oldest messages first;
//! - rings: the longest are shortened, oldest chunks first.
//!
//! A new client for which there is no room closes sessions of the first two kinds as well; of the
//! second kind only what is unfinished counts. What waits for the disk takes a quarter at most, and where
//! chunks begin in recordings an eighth. The rest is there for media, and a crowd without permissions keeps
//! neither publishers nor viewers out.

use super::Hub;
use crate::http::refusal::Refusal;
use crate::session::outbox::Outbox;
use crate::session::publisher::PublisherEnd;
use crate::session::{Session, SessionId, Socket, State};
use crate::stream::StreamId;
use crate::websocket::CloseCode;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::mem;
use std::time::Instant;

/// The reason for publishers, and for viewers of a stream that is given up.
const OUT_OF_MEMORY: &str = "the server is out of memory, try again later";

/// The part of the limit that requests, answers and viewers may hold, and so may publishers beside
/// their rings.
const SHARE: usize = 4;

/// What a client may hold before it counts as large: a request head's first read.
const SMALL_BYTES: usize = 4 << 10;

/// What the process holds, and may hold.
pub struct Memory {
    /// Bytes that the process has allocated.
    allocated: Box<dyn Fn() -> usize>,
    /// The same, before the first client came.
    base: usize,
    /// `None`: as much as there is.
    limit: Option<usize>,
    /// The time of the last search for room that found too little.
    searched_at: Option<Instant>,
}

impl Memory {
    pub fn new(allocated: Box<dyn Fn() -> usize>, limit: Option<usize>) -> Memory {
        Memory {
            base: allocated(),
            allocated,
            limit,
            searched_at: None,
        }
    }

    /// What is allocated from now on counts.
    pub fn start(&mut self) {
        self.base = (self.allocated)();
    }

    pub fn held(&self) -> usize {
        (self.allocated)().saturating_sub(self.base)
    }

    /// Whether new clients are refused.
    pub fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.held() >= limit)
    }

    /// Whether sessions have to be closed, and no new client is admitted at all.
    pub fn is_over(&self) -> bool {
        self.limit
            .is_some_and(|limit| self.held() > limit + limit / 16)
    }

    /// Bytes of rings that must be freed.
    fn excess(&self) -> usize {
        self.limit
            .map_or(0, |limit| self.held().saturating_sub(limit + limit / 32))
    }

    /// Bytes that each of the two kinds of client may hold.
    fn share(&self) -> usize {
        self.limit.map_or(usize::MAX, |limit| limit / SHARE)
    }
}

/// What clients hold beside streams, each piece of memory counted once.
#[derive(Debug, Default)]
struct Holdings {
    bytes: usize,
    /// What each would give back by itself or with others, and its slot.
    holders: Vec<(usize, SessionId)>,
    /// Memory that several hold, by where it ends: its length, and how many do.
    shared: HashMap<usize, (usize, usize)>,
}

impl Holdings {
    fn add(&mut self, id: SessionId, own: usize, outbox: &Outbox) {
        let mut weight = own;
        self.bytes += own;
        for (slice, bytes) in outbox.held() {
            weight += bytes;
            if slice.is_unique() {
                self.bytes += bytes;
                continue;
            }
            // Slices are cut from the front.
            let (_, holders) = self.shared.entry(end_of(slice)).or_insert_with(|| {
                self.bytes += bytes;
                (bytes, 0)
            });
            *holders += 1;
        }
        if weight > SMALL_BYTES {
            self.holders.push((weight, id));
        }
    }

    fn remove(&mut self, own: usize, outbox: &Outbox) {
        self.bytes = self.bytes.saturating_sub(own);
        for (slice, bytes) in outbox.held() {
            match self.shared.get_mut(&end_of(slice)) {
                None => self.bytes = self.bytes.saturating_sub(bytes),
                Some((length, holders)) => {
                    *holders -= 1;
                    if *holders == 0 {
                        self.bytes = self.bytes.saturating_sub(*length);
                    }
                }
            }
        }
    }
}

/// What is closed to free a publisher's memory.
#[derive(Debug, Clone, Copy)]
enum Holder {
    /// A stream: its publisher on air, or else its viewers.
    Stream(StreamId),
    /// The connection of a publisher that has sent no media yet.
    Candidate(SessionId),
}

fn end_of(slice: &[u8]) -> usize {
    slice.as_ptr_range().end.addr()
}

/// What a connection holds beside its outbox.
fn own_bytes<S: Socket>(session: &Session<S>) -> usize {
    session.coming_bytes() + session.socket().held_bytes()
}

impl<S: Socket> Hub<S> {
    /// Closes sessions if too much is held. Cheap as long as memory is within its limit.
    pub(super) fn keep_within_memory(&mut self) {
        if self.memory.is_over() && self.memory.searched_at != Some(self.clock.now()) {
            self.make_room();
        }
    }

    fn make_room(&mut self) {
        let share = self.memory.share();
        self.shrink_clients(share, None);
        if self.memory.is_over() {
            self.shrink_publishers(share, Hub::beside_ring_bytes);
        }
        let excess = self.memory.excess();
        let excess = excess.saturating_sub(self.shorten_kept(excess));
        if excess > 0 {
            self.shorten_rings(excess);
        }
        // A search through all sessions that found too little is not repeated in the same turn.
        self.memory.searched_at = self.memory.is_over().then_some(self.clock.now());
    }

    /// What all sessions except publishers hold. A viewer at the live edge holds nothing, and a
    /// chunk in the ring counts for the ring.
    fn holdings(&self) -> Holdings {
        let mut holdings = Holdings::default();
        for session in self.sessions.iter() {
            let id = session.id();
            match session.state() {
                State::Publishing(_) | State::Gone => {}
                // A part of a stream, and counted with that.
                State::Relaying(relaying) if relaying.publisher().is_some() => {}
                State::Relaying(relaying) => {
                    // What is kept for all counts for none of them.
                    let compat = self.compat.as_ref();
                    let is_kept =
                        compat.is_some_and(|compat| !relaying.is_overtaken(compat.kept()));
                    let none = Outbox::default();
                    let outbox = if is_kept { &none } else { session.outbox() };
                    holdings.add(id, own_bytes(session), outbox);
                }
                State::Viewing { viewer, .. } => {
                    let oldest = self.streams.stream(viewer.stream()).ring().oldest();
                    let is_in_ring = viewer.cursor().taken().is_some_and(|taken| taken >= oldest);
                    let none = Outbox::default();
                    let outbox = if is_in_ring { &none } else { session.outbox() };
                    holdings.add(id, own_bytes(session), outbox);
                }
                State::Fetching(fetching) => {
                    let oldest = self.streams.stream(fetching.stream()).ring().oldest();
                    let is_in_ring = fetching.taken().is_some_and(|taken| taken >= oldest);
                    let none = Outbox::default();
                    let outbox = if is_in_ring { &none } else { session.outbox() };
                    holdings.add(id, own_bytes(session), outbox);
                }
                _ => holdings.add(id, own_bytes(session), session.outbox()),
            }
        }
        holdings
    }

    /// If all sessions except publishers hold more than `most` bytes together, drops the largest of
    /// them until the rest hold half of `most`. The server is answering `except`, and keeps it.
    fn shrink_clients(&mut self, most: usize, except: Option<SessionId>) {
        let mut holdings = self.holdings();
        if holdings.bytes <= most {
            return;
        }
        let mut holders = mem::take(&mut holdings.holders);
        holders.sort_unstable_by_key(|&(weight, _)| Reverse(weight));
        for (_, id) in holders {
            if holdings.bytes <= most / 2 {
                return;
            }
            if Some(id) == except {
                continue;
            }
            let session = &mut self.sessions[id];
            holdings.remove(own_bytes(session), session.outbox());
            self.books.counters.closed_for_memory += 1;
            self.drop_session(id);
            let session = &mut self.sessions[id];
            session.discard_output();
            session.socket_mut().release();
        }
    }

    /// Closes the publishers that hold most, measured by `bytes_of`, until all of them hold `most`
    /// bytes, or there is room again.
    fn shrink_publishers(&mut self, most: usize, bytes_of: fn(&Hub<S>, StreamId) -> usize) {
        let streams = self.streams.ids().into_iter();
        let streams = streams.map(|id| (bytes_of(self, id), Holder::Stream(id)));
        let candidates = self.streams.broadcasts();
        let candidates = candidates.flat_map(|broadcast| broadcast.candidates().iter());
        let candidates =
            candidates.map(|id| (own_bytes(&self.sessions[id]), Holder::Candidate(id)));
        let mut holders: Vec<(usize, Holder)> = streams.chain(candidates).collect();
        holders.sort_unstable_by_key(|&(bytes, _)| Reverse(bytes));
        let mut bytes: usize = holders.iter().map(|&(bytes, _)| bytes).sum();
        for (own, holder) in holders {
            if bytes <= most || own <= SMALL_BYTES || !self.memory.is_full() {
                return;
            }
            bytes -= own;
            self.close_holder(holder);
        }
    }

    /// What a stream takes beside its ring: its init segment, its poster, and what its publisher has
    /// not finished.
    fn beside_ring_bytes(&self, stream_id: StreamId) -> usize {
        let broadcast = self.streams.broadcast(stream_id);
        let poster = broadcast.and_then(|broadcast| broadcast.poster());
        self.unfinished_bytes(stream_id)
            + self.streams.stream(stream_id).init_bytes()
            + poster.map_or(0, |poster| poster.bytes.len())
    }

    /// What a stream's publisher has not finished: a message, a block.
    fn unfinished_bytes(&self, stream_id: StreamId) -> usize {
        let broadcast = self.streams.broadcast(stream_id);
        let publisher = broadcast.and_then(|broadcast| broadcast.publisher());
        publisher.map_or(0, |id| own_bytes(&self.sessions[id]))
    }

    /// Ends a candidate, or a stream's publisher. If a stream has no publisher, ends its viewers,
    /// and the stream's memory goes with them.
    fn close_holder(&mut self, holder: Holder) {
        let (stream_id, publisher) = match holder {
            Holder::Candidate(id) => match self.sessions[id].publisher() {
                Some(publisher) => (publisher.stream(), Some(id)),
                None => return,
            },
            Holder::Stream(id) => match self.streams.broadcast(id) {
                Some(broadcast) => (id, broadcast.publisher()),
                None => return,
            },
        };
        self.books.counters.closed_for_memory += 1;
        let name = self.streams.stream(stream_id).name();
        tracing::warn!(stream = %name, "closed: the server is out of memory");
        match publisher {
            Some(id) => {
                let end = PublisherEnd {
                    code: CloseCode::TryAgain,
                    status: 503,
                    reason: OUT_OF_MEMORY,
                };
                self.close_publisher(id, end);
            }
            None => self.close_audience(stream_id, CloseCode::TryAgain, OUT_OF_MEMORY),
        }
    }

    /// Closes all viewers of a stream.
    pub(super) fn close_audience(&mut self, stream_id: StreamId, code: CloseCode, reason: &str) {
        let Some(broadcast) = self.streams.broadcast(stream_id) else {
            return;
        };
        for id in broadcast.audience().viewers().to_vec() {
            self.sessions[id].end_viewer(code, reason);
            self.close_when_written(id);
        }
    }

    /// Shortens the longest rings, all to one length, by `excess` bytes together.
    pub(super) fn shorten_rings(&mut self, excess: usize) {
        let ids: Vec<StreamId> = self.streams.ids();
        let lengths = ids
            .iter()
            .map(|&id| self.streams.stream(id).ring().byte_len());
        let most = level(lengths.collect(), excess);
        for id in ids {
            self.streams.stream_mut(id).shorten(most);
        }
        // The turn's own call may be over: memory is also freed while sessions are written to.
        self.wake_segment_readers();
    }

    /// Frees renderings that are no longer asked for, and closes clients that do not read theirs.
    pub(super) fn check_memory(&mut self) {
        self.keep_within_memory();
        let unread = self.books.renderings.tend(self.clock.now());
        let most = self.memory.share().min(UNREAD_BYTES_MAX);
        if unread > most {
            self.shrink_clients(most, None);
        }
    }

    /// Refuses a request that would make the server hold more when it holds enough. Clients that
    /// only make requests are closed first, and then publishers that have much unfinished.
    pub(super) fn check_room(&mut self, id: SessionId) -> Result<(), Refusal> {
        if self.memory.is_full() {
            self.shrink_clients(self.memory.share() / 4, Some(id));
        }
        if self.memory.is_full() {
            self.shrink_publishers(self.memory.share(), Hub::unfinished_bytes);
        }
        if self.memory.is_full() {
            self.books.counters.refused_for_memory += 1;
            Err(Refusal::full())
        } else {
            Ok(())
        }
    }
}

/// Bytes of renderings that clients have not read to the end, for any `--max-memory`. A slow reader
/// takes seconds for one, and all requests within a second share it.
const UNREAD_BYTES_MAX: usize = 32 << 20;

/// The length to which all of these are to be cut so that they lose `excess` together.
fn level(mut lengths: Vec<usize>, mut excess: usize) -> usize {
    lengths.sort_unstable_by_key(|&length| Reverse(length));
    for (index, &length) in lengths.iter().enumerate() {
        // So many are as long as this one by now.
        let count = index + 1;
        let next = lengths.get(count).copied().unwrap_or(0);
        let step = (length - next) * count;
        if step >= excess {
            return length - excess.div_ceil(count);
        }
        excess -= step;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn the_longest_rings_are_cut_to_one_length() {
        assert_eq!(level(vec![100], 30), 70);
        assert_eq!(level(vec![10, 100, 90], 10), 90);
        assert_eq!(level(vec![10, 100, 90], 30), 80);
        assert_eq!(level(vec![10, 100, 90], 31), 79);
        assert_eq!(level(vec![10, 100, 90], 500), 0);
        assert_eq!(level(vec![], 5), 0);
    }

    #[test]
    fn shared_memory_counts_once_until_its_last_holder_goes() {
        let rendering = Bytes::from(vec![7; 100_000]);
        let mut outboxes = [Outbox::default(), Outbox::default()];
        for outbox in &mut outboxes {
            outbox.push(rendering.clone());
        }
        outboxes[0].advance(40_000);
        let mut own = Outbox::default();
        own.push(vec![7; 5000]);
        let mut holdings = Holdings::default();
        let [first, second, third] = [0, 1, 2].map(|slot| SessionId::new(slot, 0));
        holdings.add(first, 0, &outboxes[1]);
        holdings.add(second, 0, &outboxes[0]);
        holdings.add(third, 10, &own);
        assert_eq!(holdings.bytes, 105_010);
        assert_eq!(
            holdings.holders,
            [(100_000, first), (100_000, second), (5010, third)]
        );
        holdings.remove(0, &outboxes[1]);
        assert_eq!(holdings.bytes, 105_010);
        holdings.remove(0, &outboxes[0]);
        assert_eq!(holdings.bytes, 5010);
        holdings.remove(10, &own);
        assert_eq!(holdings.bytes, 0);
    }

    #[test]
    fn full_memory_refuses_new_clients_before_it_closes_old_ones() {
        thread_local!(static HELD: std::cell::Cell<usize> = const { std::cell::Cell::new(7) });
        let mut memory = Memory::new(Box::new(|| HELD.get()), Some(3200));
        memory.start();
        for (held, is_full, is_over, excess) in [
            (3199, false, false, 0),
            (3200, true, false, 0),
            (3400, true, false, 100),
            (3401, true, true, 101),
        ] {
            HELD.set(7 + held);
            assert_eq!(
                (memory.is_full(), memory.is_over(), memory.excess()),
                (is_full, is_over, excess),
                "{held}"
            );
        }
        let endless = Memory::new(Box::new(|| HELD.get()), None);
        assert!(!endless.is_full() && !endless.is_over());
    }
}
