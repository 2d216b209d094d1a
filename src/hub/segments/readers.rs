//! The sessions that wait for segments of one stream, or are sent one; and what is rendered for them.

use crate::session::SessionId;
use crate::stream::Stream;
use bytes::Bytes;

#[derive(Debug, Default)]
pub struct SegmentReaders {
    /// In no order. Each session knows its index.
    waiting: Vec<SessionId>,
    sending: Vec<SessionId>,
    /// Whether segments were asked for since the publisher came: they stay for a while when it leaves.
    is_asked_for: bool,
    /// The stream's version of segments, and its live edge, at the last look.
    seen: (u64, u64),
    /// Of a version.
    list: Option<(u64, Bytes)>,
    manifest: Option<(u64, Bytes)>,
}

impl SegmentReaders {
    pub fn waiting(&self) -> &[SessionId] {
        &self.waiting
    }

    pub fn sending(&self) -> &[SessionId] {
        &self.sending
    }

    fn of_kind(&mut self, is_sending: bool) -> &mut Vec<SessionId> {
        if is_sending {
            &mut self.sending
        } else {
            &mut self.waiting
        }
    }

    /// Adds a reader; returns its index.
    pub fn join(&mut self, id: SessionId, is_sending: bool) -> usize {
        let readers = self.of_kind(is_sending);
        readers.push(id);
        readers.len() - 1
    }

    /// Takes the reader at `index` out. Returns the one that has its index now, if any.
    pub fn leave(&mut self, index: usize, is_sending: bool) -> Option<SessionId> {
        let readers = self.of_kind(is_sending);
        readers.swap_remove(index);
        readers.get(index).copied()
    }

    /// Segments were asked for.
    pub fn note_asking(&mut self) {
        self.is_asked_for = true;
    }

    /// The publisher left so long ago that its segments are gone.
    pub fn forget_asking(&mut self) {
        self.is_asked_for = false;
    }

    /// Whether the stream stays for them, without a publisher.
    pub fn keep_stream(&self) -> bool {
        self.is_asked_for || !self.waiting.is_empty() || !self.sending.is_empty()
    }

    /// Whether there is something new for readers, and whether a segment has begun or ended.
    pub fn take_news(&mut self, stream: &Stream) -> (bool, bool) {
        let seen = (stream.segments().version(), stream.ring().live_edge());
        let before = std::mem::replace(&mut self.seen, seen);
        (seen != before, seen.0 != before.0)
    }

    pub fn list(&mut self, version: u64, render: impl FnOnce() -> Bytes) -> Bytes {
        shared(&mut self.list, version, render)
    }

    pub fn manifest(&mut self, version: u64, render: impl FnOnce() -> Bytes) -> Bytes {
        shared(&mut self.manifest, version, render)
    }
}

fn shared(kept: &mut Option<(u64, Bytes)>, version: u64, render: impl FnOnce() -> Bytes) -> Bytes {
    match kept {
        Some((of, bytes)) if *of == version => bytes.clone(),
        kept => kept.insert((version, render())).1.clone(),
    }
}
