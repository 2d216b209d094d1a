//! What one write offers to one viewer.

use super::viewer::{Announced, Transport};
use crate::stream::{Cursor, Framed};
use bytes::Bytes;

/// Something to be written whole, and where the viewer stands after it.
#[derive(Debug)]
pub struct Item {
    pub bytes: Bytes,
    pub after: Cursor,
    /// Whether the cursor may stop here: a chunk's two HTTP parts belong together.
    pub is_whole: bool,
    pub is_skip: bool,
    /// What it knows about the publisher once it has this.
    pub announces: Option<Announced>,
}

/// What one write offers to one viewer. The hub has one, whose memory every write uses again.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) items: Vec<Item>,
    /// The same for a reader of a segment.
    pub(super) pieces: Vec<Piece>,
}

/// A part of a segment's body.
#[derive(Debug)]
pub struct Piece {
    pub bytes: Bytes,
    /// Whether the reader may stop behind it: a chunk's two HTTP parts belong together.
    pub ends_chunk: bool,
    /// Whether it is a part of a chunk of the ring.
    pub is_media: bool,
}

impl Batch {
    pub fn slices(&self) -> impl Iterator<Item = &Bytes> {
        self.items.iter().map(|item| &item.bytes)
    }

    pub fn push_framed(&mut self, framed: &Framed, transport: Transport, after: Cursor) {
        match transport {
            Transport::WebSocket { .. } => self.items.push(whole(framed.websocket(), after)),
            Transport::UntilClose => self.items.push(whole(framed.payload(), after)),
            Transport::Chunked => {
                let [head, body] = framed.http();
                self.items.push(Item {
                    is_whole: false,
                    ..whole(head, after)
                });
                self.items.push(whole(body, after));
            }
        }
    }
}

pub fn whole(bytes: impl Into<Bytes>, after: Cursor) -> Item {
    Item {
        bytes: bytes.into(),
        after,
        is_whole: true,
        is_skip: false,
        announces: None,
    }
}
