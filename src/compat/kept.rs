//! The newest messages of the old protocol, and where a newcomer begins.
//!
//! ```text
//! messages   blob chunk chunk | blob chunk chunk chunk      oldest ones go at the bound
//!                               └──── the current blob ──► a newcomer gets it as one message
//!
//!                      … chunk chunk chunk                 the bound has passed its beginning:
//!            head, Cluster ──► ▲ newest keyframe           a shorter blob
//! ```
//!
//! A blob of an old page is bytes as they came, cut anywhere: the way in knows where its keyframes are
//! ([`Trail`]). A blob of an ordinary publisher is made of chunks of the ring, each of whole elements.

use super::place::Place;
use crate::stream::Trail;
use crate::webm::{with_endless_segment, write_cluster_head};
use crate::websocket::media_head;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// What a message costs beside its bytes. Counted, or empty messages would take memory without bound.
const MESSAGE_OVERHEAD: usize = 192;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Blob,
    Chunk,
}

/// One message as listeners get it.
#[derive(Debug)]
pub(super) struct Message {
    pub kind: Kind,
    /// The head of the frame that holds the whole message.
    pub head: Bytes,
    /// What comes before the payload: the init segment of a blob that was made here.
    pub prefix: Bytes,
    pub payload: Bytes,
    /// Where the payload begins in the publisher's bytes of this blob.
    at: u64,
}

impl Message {
    fn new(kind: Kind, prefix: Bytes, payload: Bytes) -> Message {
        Message {
            kind,
            head: media_head(true, true, prefix.len() + payload.len()),
            prefix,
            payload,
            at: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.prefix.len() + self.payload.len()
    }

    fn memory(&self) -> usize {
        self.len() + MESSAGE_OVERHEAD
    }
}

/// The current blob.
#[derive(Debug, Default)]
struct Blob {
    /// Sequence of its first message.
    first: u64,
    /// Bytes that its publisher has sent for it.
    received: u64,
    /// Init segment for listeners that begin later than it, and where it began.
    init: Option<(u64, Bytes)>,
    join: Option<Join>,
}

/// The newest keyframe of the current blob.
#[derive(Debug, Clone)]
struct Join {
    /// The message in which it begins, and bytes of that which come before it.
    sequence: u64,
    skip: usize,
    /// The head of the Cluster around it, where the message has none.
    cluster_ticks: Option<u64>,
}

/// Messages, each with a sequence number that goes up by one.
#[derive(Debug)]
pub struct Kept {
    /// Oldest first. Invariant: no gaps, so message `n` is at index `n - oldest`.
    messages: VecDeque<Message>,
    oldest: u64,
    /// Invariant: the sum of all messages' memory, never above `byte_capacity` unless one message alone
    /// is.
    byte_len: usize,
    byte_capacity: usize,
    /// Bytes of a recorder's own init segment that are kept beside the messages.
    init_bytes_max: usize,
    blob: Blob,
}

impl Kept {
    pub fn new(byte_capacity: usize, init_bytes_max: usize) -> Kept {
        Kept {
            messages: VecDeque::new(),
            oldest: 0,
            byte_len: 0,
            byte_capacity,
            init_bytes_max,
            blob: Blob::default(),
        }
    }

    /// A message of an old publisher that begins a blob. Replaces the one before.
    pub fn begin(&mut self, payload: &[u8]) {
        self.blob = Blob {
            first: self.live_edge(),
            ..Blob::default()
        };
        self.push_received(Kind::Blob, payload);
    }

    /// A message of an old publisher that goes on with the current blob.
    pub fn go_on(&mut self, payload: &[u8]) {
        self.push_received(Kind::Chunk, payload);
    }

    /// Copies the message, once for all listeners: a slice of the buffer that it was read into would keep all
    /// of that.
    fn push_received(&mut self, kind: Kind, payload: &[u8]) {
        let payload = Bytes::copy_from_slice(payload);
        let at = self.blob.received;
        self.blob.received += payload.len() as u64;
        let message = Message::new(kind, Bytes::new(), payload);
        self.push(Message { at, ..message });
    }

    /// A recording of an ordinary publisher begins: its init segment, and the chunk that opens it.
    pub fn begin_recording(&mut self, init: Bytes, chunk: Bytes) {
        let sequence = self.live_edge();
        self.blob = Blob {
            first: sequence,
            received: 0,
            init: Some((0, init.clone())),
            join: Some(Join::at(sequence)),
        };
        self.push(Message::new(Kind::Blob, init, chunk));
    }

    /// An ordinary publisher's next chunk. `opens_gop`: a decoder can begin with it.
    pub fn push_chunk(&mut self, chunk: Bytes, opens_gop: bool) {
        if opens_gop {
            self.blob.join = Some(Join::at(self.live_edge()));
        }
        self.push(Message::new(Kind::Chunk, Bytes::new(), chunk));
    }

    fn push(&mut self, message: Message) {
        self.byte_len += message.memory();
        self.messages.push_back(message);
        self.shorten(self.byte_capacity);
    }

    /// Lets go of the oldest messages beyond so many bytes, but never of the newest.
    pub fn shorten(&mut self, byte_len: usize) {
        while self.byte_len > byte_len && self.messages.len() > 1 {
            if let Some(message) = self.messages.pop_front() {
                self.byte_len -= message.memory();
                self.oldest += 1;
            }
        }
        let oldest = self.oldest;
        self.blob.join.take_if(|join| join.sequence < oldest);
    }

    /// Where the current blob of an old publisher can be joined, as far as its bytes are understood.
    pub fn note_trail(&mut self, trail: &Trail) {
        let head = trail.head();
        if head.is_empty() {
            return;
        }
        if self.blob.init.as_ref().map(|(at, _)| *at) != Some(head.start) {
            let init = self.bytes_at(head.start, head.end);
            self.blob.init = init.map(|init| (head.start, init));
            self.blob.join = None;
        }
        let Some(newest) = trail.newest() else {
            return;
        };
        let oldest = self.oldest;
        let join = self.find(newest.offset).map(|(index, skip)| Join {
            sequence: oldest + index as u64,
            skip,
            cluster_ticks: Some(newest.cluster_ticks),
        });
        self.blob.join = join.filter(|_| self.blob.init.is_some());
    }

    /// The message of the current blob in which this byte of it is, and the bytes of it before that.
    fn find(&self, offset: u64) -> Option<(usize, usize)> {
        let first = usize::try_from(self.blob.first.saturating_sub(self.oldest)).ok()?;
        // Within a blob they are in the order of their offsets.
        let (mut low, mut high) = (first, self.messages.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.messages[middle].at <= offset {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        // Empty messages begin where the next one does: this is the last that begins so.
        let index = low.checked_sub(1).filter(|&index| index >= first)?;
        let message = &self.messages[index];
        let skip = usize::try_from(offset - message.at).ok()?;
        (skip < message.payload.len()).then_some((index, skip))
    }

    /// A recorder's own init segment, with a Segment that has no end. Copied, because it outlives the
    /// messages that it came in.
    fn bytes_at(&self, start: u64, end: u64) -> Option<Bytes> {
        let length = usize::try_from(end - start).ok()?;
        if length > self.init_bytes_max {
            return None;
        }
        let (index, skip) = self.find(start)?;
        let mut bytes = BytesMut::with_capacity(length);
        let mut skip = skip;
        for message in self.messages.range(index..) {
            let left = length - bytes.len();
            let rest = &message.payload[skip..];
            bytes.extend_from_slice(&rest[..left.min(rest.len())]);
            skip = 0;
            if bytes.len() == length {
                return with_endless_segment(&bytes);
            }
        }
        None
    }

    /// Where a new listener for chunks begins.
    pub fn newcomer(&self) -> Place {
        let until = self.live_edge();
        if self.blob.first >= self.oldest {
            let messages = self.of_blob();
            if messages.clone().all(|message| message.len() == 0) {
                return Place::live(until);
            }
            let prefix = messages.map(|message| message.prefix.clone()).next();
            let lead = prefix.filter(|prefix| !prefix.is_empty());
            return Place::blob(lead.into_iter().collect(), self.blob.first, 0, until);
        }
        let (Some((_, init)), Some(join)) = (&self.blob.init, &self.blob.join) else {
            return Place::Waiting {
                blob: self.blob.first,
            };
        };
        let mut lead = vec![init.clone()];
        if let Some(ticks) = join.cluster_ticks {
            let mut head = BytesMut::new();
            write_cluster_head(&mut head, ticks);
            lead.push(head.freeze());
        }
        Place::blob(lead, join.sequence, join.skip, until)
    }

    fn of_blob(&self) -> impl Iterator<Item = &Message> + Clone {
        let first = usize::try_from(self.blob.first.saturating_sub(self.oldest));
        self.messages.iter().skip(first.unwrap_or(usize::MAX))
    }

    /// Sequence of the first message of the current blob.
    pub(super) fn blob_first(&self) -> u64 {
        self.blob.first
    }

    /// The message with this sequence, if it is still (or already) here.
    pub(super) fn message(&self, sequence: u64) -> Option<&Message> {
        let index = usize::try_from(sequence.checked_sub(self.oldest)?).ok()?;
        self.messages.get(index)
    }

    /// Sequence of the oldest message kept.
    pub fn oldest(&self) -> u64 {
        self.oldest
    }

    /// Sequence that the next message will have.
    pub fn live_edge(&self) -> u64 {
        self.oldest + self.messages.len() as u64
    }

    /// Bytes of memory for further messages, beside what is kept.
    #[cfg(feature = "testing")]
    pub fn spare_bytes(&self) -> usize {
        (self.messages.capacity() - self.messages.len()) * size_of::<Message>()
    }

    /// Bytes of memory kept, bookkeeping included.
    pub fn byte_len(&self) -> usize {
        self.byte_len
    }
}

impl Join {
    /// A message that begins with a Cluster of its own.
    fn at(sequence: u64) -> Join {
        Join {
            sequence,
            skip: 0,
            cluster_ticks: None,
        }
    }
}
