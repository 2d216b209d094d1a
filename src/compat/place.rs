//! One listener's place among the messages: what it gets next, frame by frame.

use super::kept::{Kept, Kind, Message};
use super::{FRAGMENT_BYTES, Port};
use crate::websocket::media_head;
use bytes::Bytes;
use std::collections::VecDeque;

/// Where a listener stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `next` is the message to come. `sent`: bytes of its payload that have gone out in fragments.
    Live { next: u64, sent: Option<usize> },
    /// It takes the blob that was current when it came, as one message in fragments: `lead`, then the
    /// messages from `next` to `until`.
    Blob {
        lead: VecDeque<Bytes>,
        next: u64,
        skip: usize,
        until: u64,
        has_begun: bool,
    },
    /// The beginning of the blob that began at `blob` is gone, and no keyframe has come since.
    Waiting { blob: u64 },
}

/// What a listener gets now. Asking moves its place past it.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// A whole frame, in its parts.
    Frame([Bytes; 3]),
    /// Nothing new.
    Nothing,
    /// Messages that it should have had are gone.
    Overtaken,
}

impl Place {
    pub(super) fn live(next: u64) -> Place {
        Place::Live { next, sent: None }
    }

    pub(super) fn blob(lead: Vec<Bytes>, next: u64, skip: usize, until: u64) -> Place {
        Place::Blob {
            lead: lead.into(),
            next,
            skip,
            until,
            has_begun: false,
        }
    }

    /// Where a new listener begins.
    pub fn of_newcomer(port: Port, kept: &Kept) -> Place {
        match port {
            Port::ChunksOut => kept.newcomer(),
            Port::BlobsIn | Port::ChunksIn | Port::BlobsOut => Place::live(kept.live_edge()),
        }
    }

    /// Whether messages that it should have are gone. A listener for blobs that has begun none passes
    /// over those, and gets the newest.
    pub fn is_overtaken(&self, port: Port, kept: &Kept) -> bool {
        match *self {
            Place::Live { next, sent } => {
                next < kept.oldest() && (port == Port::ChunksOut || sent.is_some())
            }
            Place::Blob { next, until, .. } => next < kept.oldest() && next < until,
            Place::Waiting { .. } => false,
        }
    }

    /// The next frame for this listener, in order.
    pub fn take(&mut self, port: Port, kept: &Kept) -> Taken {
        if self.is_overtaken(port, kept) {
            return Taken::Overtaken;
        }
        loop {
            match self {
                Place::Waiting { blob } if *blob == kept.blob_first() => match kept.newcomer() {
                    Place::Waiting { .. } => return Taken::Nothing,
                    place => *self = place,
                },
                // It gets the new blob from its other port.
                Place::Waiting { .. } => *self = Place::live(kept.blob_first().max(kept.oldest())),
                Place::Blob {
                    next, until, lead, ..
                } if next == until && lead.is_empty() => {
                    // An empty fragment ends the message.
                    *self = Place::live(*until);
                    return Taken::Frame([media_head(false, true, 0), Bytes::new(), Bytes::new()]);
                }
                Place::Blob {
                    lead,
                    next,
                    skip,
                    has_begun,
                    ..
                } => {
                    let piece = match lead.pop_front() {
                        Some(piece) => piece,
                        None => {
                            let Some(message) = kept.message(*next) else {
                                return Taken::Overtaken;
                            };
                            let (piece, is_last) = piece_of(&message.payload, *skip);
                            *skip += piece.len();
                            if is_last {
                                *next += 1;
                                *skip = 0;
                            }
                            piece
                        }
                    };
                    if piece.is_empty() {
                        continue;
                    }
                    let head = media_head(!*has_begun, false, piece.len());
                    *has_begun = true;
                    return Taken::Frame([head, piece, Bytes::new()]);
                }
                Place::Live { next, sent } => {
                    *next = (*next).max(kept.oldest());
                    let Some(message) = kept.message(*next) else {
                        return Taken::Nothing;
                    };
                    let wanted = match port {
                        Port::BlobsOut => Kind::Blob,
                        Port::BlobsIn | Port::ChunksIn | Port::ChunksOut => Kind::Chunk,
                    };
                    if message.kind != wanted {
                        *next += 1;
                        continue;
                    }
                    let (frame, is_last) = frame_of(message, sent);
                    if is_last {
                        *next += 1;
                        *sent = None;
                    }
                    return Taken::Frame(frame);
                }
            }
        }
    }
}

/// The next frame of a message of which `sent` bytes have gone out, and whether it is the last.
fn frame_of(message: &Message, sent: &mut Option<usize>) -> ([Bytes; 3], bool) {
    if sent.is_none() && message.len() <= FRAGMENT_BYTES {
        let parts = [&message.head, &message.prefix, &message.payload];
        return (parts.map(Bytes::clone), true);
    }
    let begins = sent.is_none();
    let at = sent.get_or_insert(0);
    if begins && !message.prefix.is_empty() {
        let head = media_head(true, false, message.prefix.len());
        return ([head, message.prefix.clone(), Bytes::new()], false);
    }
    let (piece, is_last) = piece_of(&message.payload, *at);
    *at += piece.len();
    let head = media_head(begins, is_last, piece.len());
    ([head, piece, Bytes::new()], is_last)
}

/// The next piece of a payload, and whether it is the last.
fn piece_of(payload: &Bytes, at: usize) -> (Bytes, bool) {
    let end = payload.len().min(at + FRAGMENT_BYTES);
    (payload.slice(at..end), end == payload.len())
}
