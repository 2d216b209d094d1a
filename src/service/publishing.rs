//! A stream that is published on this node: what goes to the bus of it.

use super::following::Now;
use super::lease::Lease;
use super::message::{Kind, Marks, Message};
use super::{Service, parts};
use crate::stream::{Chunk, ChunkKind, Cursor, Next, Stream};
use bytes::Bytes;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long media go to the bus after another node has asked for them or told that it watches. Three
/// states of it may be lost.
const WANTED_FOR: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Publishing {
    pub lease: Lease,
    /// Since the lease was lost: when its publisher is closed if the newer one's media do not come.
    pub replaced_at: Option<Instant>,
    /// Whether its requests and orders are taken.
    pub is_subscribed: bool,
    /// The bus as a viewer; `None` while no other node wants the stream.
    uplink: Option<Uplink>,
}

#[derive(Debug)]
struct Uplink {
    cursor: Cursor,
    origin: u64,
    wanted_until: Instant,
}

impl Publishing {
    pub fn new(lease: Lease) -> Publishing {
        Publishing {
            lease,
            replaced_at: None,
            is_subscribed: false,
            uplink: None,
        }
    }

    /// Watching nodes ask for it anew.
    pub fn begin_epoch(&mut self) {
        self.uplink = None;
    }

    fn want(&mut self, stream: &Stream, origin: u64, now: Instant) {
        let wanted_until = now + WANTED_FOR;
        match &mut self.uplink {
            Some(uplink) => uplink.wanted_until = wanted_until,
            None => {
                let cursor = Cursor::join_now(stream);
                self.uplink = Some(Uplink {
                    cursor,
                    origin,
                    wanted_until,
                });
            }
        }
    }

    /// The message that its publisher has left, if the bus had media of it.
    pub fn end(&mut self, subject: String, now: Now) -> Option<Message> {
        let epoch = self.lease.epoch()?;
        let uplink = self.uplink.take()?;
        let mut message = Message::new(subject, Bytes::new());
        let marks = Marks {
            kind: Kind::End,
            sequence: uplink.cursor.taken().map_or(0, |taken| taken + 1),
            generation: uplink.cursor.generation(),
            came_ms: now.unix_ms,
            epoch,
            origin: uplink.origin,
            part: (0, 1),
            count: 0,
        };
        marks.write(&mut message);
        Some(message)
    }
}

/// What a chunk is sent as.
struct Letter {
    subject: String,
    epoch: u64,
    origin: u64,
    part_bytes: usize,
    /// Our clock, less the one that chunks are stamped by, in milliseconds.
    offset_ms: u64,
}

impl Letter {
    /// The messages of one chunk.
    fn write(&self, chunk: &Chunk) -> impl Iterator<Item = Message> {
        let kind = match chunk.kind {
            ChunkKind::Init => Kind::Init,
            ChunkKind::JoinPoint => Kind::JoinPoint,
            ChunkKind::Continuation => Kind::Continuation,
        };
        let marks = Marks {
            kind,
            sequence: chunk.sequence,
            generation: chunk.generation,
            came_ms: chunk.came_ms.wrapping_add(self.offset_ms),
            epoch: self.epoch,
            origin: self.origin,
            part: (0, 1),
            count: 0,
        };
        self.write_marked(marks, chunk.framed.payload())
    }

    fn write_marked(&self, marks: Marks, payload: Bytes) -> impl Iterator<Item = Message> {
        parts::split(payload, self.part_bytes).map(move |(part, bytes)| {
            let mut message = Message::new(self.subject.clone(), bytes);
            Marks { part, ..marks }.write(&mut message);
            message
        })
    }
}

impl Service {
    /// Sends what is new of a stream, as far as the bus has room. A bus without room is a slow viewer: it
    /// is overtaken and skips.
    pub fn pass_on(&mut self, stream: &Stream, now: Now) {
        let Some((name, publishing)) = self.published.get_key_value(stream.name()) else {
            return;
        };
        let (Some(part_bytes), Some(epoch)) = (self.payload_max, publishing.lease.epoch()) else {
            return;
        };
        let is_watched = self.directory.is_watched(name);
        let origin = self.origin(stream);
        let subject = self.subjects.media(name);
        let Some(publishing) = self.published.get_mut(stream.name()) else {
            return;
        };
        if is_watched {
            publishing.want(stream, origin, now.instant);
        }
        let Some(mut uplink) = publishing.uplink.take() else {
            return;
        };
        if uplink.wanted_until <= now.instant {
            return;
        }
        let letter = Letter {
            subject,
            epoch,
            origin,
            part_bytes,
            offset_ms: now.unix_ms.wrapping_sub(stream.now_ms()),
        };
        let mut messages = Vec::new();
        let mut room = self.room;
        while room > 0 {
            match uplink.cursor.next(stream) {
                Next::Wait => break,
                Next::Skip { .. } => {}
                // Watching nodes have it from the answer to their request.
                Next::Init(_) if uplink.cursor.taken().is_none() => {}
                Next::Init(chunk) | Next::Chunk(chunk) => {
                    for message in letter.write(chunk) {
                        room = room.saturating_sub(message.held_bytes());
                        messages.push(message);
                    }
                }
            }
        }
        publishing.uplink = Some(uplink);
        for message in messages {
            self.publish(message, true);
        }
    }

    pub(super) fn receive_join(&mut self, name: &str, message: Message) {
        if let (Some(reply), Some((name, _))) = (message.reply, self.published.get_key_value(name))
        {
            let name = name.clone();
            self.orders.push_back(super::Order::Join { name, reply });
        }
    }

    /// Answers a join request: the init segment, and the newest GOP as far as the live subject has had it.
    /// Where there is no room the request stays without an answer, and is made again.
    pub fn answer_join(&mut self, stream: &Stream, reply: String, now: Now) {
        let (Some(part_bytes), Some(init)) = (self.payload_max, stream.init()) else {
            return;
        };
        let origin = self.origin(stream);
        let Some(publishing) = self.published.get_mut(stream.name()) else {
            return;
        };
        let Some(epoch) = publishing.lease.epoch() else {
            return;
        };
        publishing.want(stream, origin, now.instant);
        let taken = publishing
            .uplink
            .as_ref()
            .and_then(|uplink| uplink.cursor.taken());
        let ring = stream.ring();
        let first = ring.join_point().unwrap_or(ring.live_edge());
        let until = taken.map_or(first, |taken| first.max(taken + 1));
        let letter = Letter {
            subject: reply,
            epoch,
            origin,
            part_bytes,
            offset_ms: now.unix_ms.wrapping_sub(stream.now_ms()),
        };
        let head = Marks {
            kind: Kind::Snapshot,
            sequence: first,
            generation: init.chunk.generation,
            came_ms: now.unix_ms,
            epoch,
            origin,
            part: (0, 1),
            count: until - first,
        };
        let mut messages: Vec<Message> = letter
            .write_marked(head, init.chunk.framed.payload())
            .collect();
        let chunks = (first..until).filter_map(|sequence| ring.chunk(sequence));
        messages.extend(chunks.flat_map(|chunk| letter.write(chunk)));
        if messages.iter().map(Message::held_bytes).sum::<usize>() > self.room {
            return;
        }
        for message in messages {
            self.publish(message, true);
        }
    }

    /// Names the ring of a stream for all nodes.
    fn origin(&self, stream: &Stream) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&*self.settings.instance, stream.incarnation()).hash(&mut hasher);
        hasher.finish()
    }

    /// Streams that are published on this node.
    pub fn published_names(&self) -> Vec<Arc<str>> {
        self.published.keys().cloned().collect()
    }
}
