//! One viewer: a cursor into a stream, and how its bytes are framed.
//!
//! [`Viewer::write`] gathers all that is new for it and hands the kernel one vectored write,
//! straight from the memory that all viewers share. What the kernel did not take is taken back
//! by setting the cursor to where it was, but for the chunk it took in part.

use super::outbox::{Outbox, SLICES_MAX, write_slices};
use crate::http::refusal::Refusal;
use crate::http::response::{Connection, ResponseHead, Stamp, refuse};
use crate::http::{Method, Version};
use crate::offline_reason::OfflineReason;
use crate::stream::Framed;
use crate::stream::{Air, Chunk, Cursor, Init, Next, Stream, StreamId};
use crate::websocket::messages::ToViewer;
use crate::websocket::{CloseCode, close_frame, text_frame};
use bytes::Bytes;
use std::io::{self, Write};

/// Bytes gathered for one viewer before the next has its turn: with chunks of 31 KB, eight of
/// them, or one write of what a socket's send buffer takes at all.
const GATHER_BYTES_MAX: usize = 256 << 10;

/// How one viewer's media travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// With text messages, if it offered `videostream.v1`.
    WebSocket { v1: bool },
    /// HTTP/1.1: a chunked body.
    Chunked,
    /// HTTP/1.0: a body that ends with the connection.
    UntilClose,
}

impl Transport {
    pub fn http(version: Version) -> Transport {
        match version {
            Version::Http11 => Transport::Chunked,
            Version::Http10 => Transport::UntilClose,
        }
    }
}

#[derive(Debug)]
pub struct Viewer {
    pub stream: StreamId,
    pub transport: Transport,
    pub cursor: Cursor,
    /// What it knows about the publisher. Only a viewer that understands text messages knows.
    pub told: Told,
    /// Its place in the audience's list.
    pub audience_index: usize,
    /// How often it sent something over HTTP, where a viewer has nothing to send.
    pub ignored_reads: u32,
    /// What its answer's head says besides, until that has gone out. `None` for a WebSocket.
    pub stamp: Option<Box<Stamp>>,
}

/// What the last text message to a viewer said about its publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Offline,
    Live,
    Stalled,
}

/// How far one write got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All that there is has gone out.
    Level,
    /// There is more, and the socket may take it.
    More,
    /// The socket is full.
    Blocked,
    /// Its recording is over and the next one has other tracks: the outbox holds the last bytes.
    Ended,
}

/// What one write did.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub progress: Progress,
    pub bytes: usize,
    pub skips: u64,
}

impl Sent {
    pub fn nothing(progress: Progress) -> Sent {
        Sent {
            progress,
            bytes: 0,
            skips: 0,
        }
    }
}

/// Something to be written whole, and where the viewer stands after it.
#[derive(Debug)]
pub struct Item {
    bytes: Bytes,
    after: Cursor,
    /// Whether the cursor may stop here: a chunk's two HTTP parts belong together.
    is_whole: bool,
    is_skip: bool,
    /// What it knows about the publisher once it has this.
    tells: Option<Told>,
}

impl Viewer {
    pub fn is_websocket(&self) -> bool {
        matches!(self.transport, Transport::WebSocket { .. })
    }

    /// Whether it understands text messages.
    pub fn is_v1(&self) -> bool {
        self.transport == Transport::WebSocket { v1: true }
    }

    /// Writes what waits in `outbox` and all that is new in `stream`. `items` is scratch space.
    pub fn write(
        &mut self,
        socket: &mut impl Write,
        outbox: &mut Outbox,
        stream: &Stream,
        items: &mut Vec<Item>,
    ) -> io::Result<Sent> {
        items.clear();
        let (ended, drained, gathered) = self.gather(stream, items);
        if outbox.is_empty() && items.is_empty() {
            return Ok(Sent::nothing(if ended {
                self.end(outbox);
                Progress::Ended
            } else {
                Progress::Level
            }));
        }
        let slices = outbox.slices().chain(items.iter().map(|item| &item.bytes));
        let taken = match write_slices(socket, slices) {
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(Sent::nothing(Progress::Blocked));
            }
            Err(error) => return Err(error),
        };
        let beyond_outbox = outbox.advance(taken.written);
        let skips = self.settle(items, beyond_outbox, outbox);
        // epoll(7), question 9: a stream socket that takes less than it was offered is full.
        let progress = if taken.written < taken.offered {
            Progress::Blocked
        } else if !outbox.is_empty() || self.cursor != gathered {
            Progress::More
        } else if ended {
            self.end(outbox);
            Progress::Ended
        } else if drained {
            Progress::Level
        } else {
            Progress::More
        };
        Ok(Sent {
            progress,
            bytes: taken.written,
            skips,
        })
    }

    /// Gathers what is new. Returns whether the viewer's stream has ended, whether nothing is left
    /// beyond what was gathered, and where the cursor will be when all of that is written.
    fn gather(&self, stream: &Stream, items: &mut Vec<Item>) -> (bool, bool, Cursor) {
        let mut cursor = self.cursor;
        let mut gathered = cursor;
        let mut bytes = 0;
        // `offline` or `stalled` went out after all media that it was to get: media that come now
        // are newer.
        let mut told = self.told;
        if let Some((tells, text)) = self.news_before_media(stream) {
            told = tells;
            items.push(Item {
                tells: Some(tells),
                ..whole(text, cursor)
            });
        }
        while bytes < GATHER_BYTES_MAX && items.len() + 3 <= SLICES_MAX {
            let had_begun = cursor.has_begun();
            let before = items.len();
            let next = cursor.next(stream);
            if self.is_v1() && told == Told::Offline && !matches!(next, Next::Wait) {
                // Its publisher came and left again: what it left is first live, then offline.
                told = Told::Live;
                items.push(Item {
                    tells: Some(told),
                    ..whole(hello(stream, true), gathered)
                });
            }
            match next {
                Next::Wait => {
                    // Sent last, or a player would take the end of the stream for its return.
                    if let Some((tells, text)) = self.news_after_media(told, stream) {
                        items.push(Item {
                            tells: Some(tells),
                            ..whole(text, gathered)
                        });
                    }
                    return (false, true, gathered);
                }
                Next::Skip { from_ms, to_ms } => {
                    let text = match self.is_v1() {
                        true => text_frame(&ToViewer::Skip { from_ms, to_ms }.to_json()),
                        false => Vec::new(),
                    };
                    items.push(Item {
                        is_skip: true,
                        ..whole(text, cursor)
                    });
                }
                Next::Init(chunk) => {
                    if had_begun && !self.is_v1() {
                        return (true, true, gathered);
                    }
                    if let Some(init) = stream.init() {
                        let is_replaced = had_begun && chunk.takes_over;
                        self.announce(stream, init, chunk, is_replaced, cursor, items);
                    }
                    self.push_framed(&chunk.framed, cursor, items);
                }
                Next::Chunk(chunk) => self.push_framed(&chunk.framed, cursor, items),
            }
            gathered = cursor;
            bytes += items[before..]
                .iter()
                .map(|item| item.bytes.len())
                .sum::<usize>();
        }
        (false, false, gathered)
    }

    /// The message that a viewer gets before anything newer, and what it knows then.
    fn news_before_media(&self, stream: &Stream) -> Option<(Told, Vec<u8>)> {
        if !self.is_v1() {
            return None;
        }
        match (self.told, stream.air()) {
            (Told::Offline, Air::Live | Air::Stalled { .. }) => {
                Some((Told::Live, hello(stream, true)))
            }
            (Told::Stalled, Air::Live) => {
                Some((Told::Live, text_frame(&ToViewer::Resumed.to_json())))
            }
            _ => None,
        }
    }

    /// The message for a viewer that has all media and knows `told`, and what it knows then.
    fn news_after_media(&self, told: Told, stream: &Stream) -> Option<(Told, Vec<u8>)> {
        if !self.is_v1() {
            return None;
        }
        let (tells, message) = match (told, stream.air()) {
            (Told::Live | Told::Stalled, Air::Offline(reason)) => {
                (Told::Offline, ToViewer::Offline { reason })
            }
            (Told::Live, Air::Stalled { since_ms }) => {
                (Told::Stalled, ToViewer::Stalled { since_ms })
            }
            _ => return None,
        };
        Some((tells, text_frame(&message.to_json())))
    }

    /// What comes right before an init segment: text messages, or the response's head.
    /// `is_replaced`: the segment is that of a publisher which has replaced the one before.
    fn announce(
        &self,
        stream: &Stream,
        newest: &Init,
        chunk: &Chunk,
        is_replaced: bool,
        after: Cursor,
        items: &mut Vec<Item>,
    ) {
        let bytes: Bytes = match self.transport {
            Transport::WebSocket { v1: false } => return,
            Transport::WebSocket { v1: true } => {
                let mime = chunk.mime.as_ref().unwrap_or(&newest.mime).to_string();
                let generation = u64::from(chunk.generation);
                let init = text_frame(&ToViewer::Init { mime, generation }.to_json());
                match is_replaced {
                    true => [replaced(stream), init].concat().into(),
                    false => init.into(),
                }
            }
            Transport::Chunked | Transport::UntilClose => {
                // Sent once, on joining, and so of the newest.
                let media_type = newest.recording.doc_type.media_type();
                stream_head(media_type, self.transport, self.stamp.as_deref()).into()
            }
        };
        items.push(Item {
            is_whole: false,
            ..whole(bytes, after)
        });
    }

    fn push_framed(&self, framed: &Framed, after: Cursor, items: &mut Vec<Item>) {
        match self.transport {
            Transport::WebSocket { .. } => items.push(whole(framed.websocket(), after)),
            Transport::UntilClose => items.push(whole(framed.payload(), after)),
            Transport::Chunked => {
                let [head, body] = framed.http();
                items.push(Item {
                    is_whole: false,
                    ..whole(head, after)
                });
                items.push(whole(body, after));
            }
        }
    }

    /// Moves the cursor past what was written, and puts the remainder of an item that was begun
    /// into the outbox. Returns the number of skips among the written items.
    fn settle(&mut self, items: &mut Vec<Item>, mut written: usize, outbox: &mut Outbox) -> u64 {
        let mut skips = 0;
        // Whether the item before was a part of the same whole.
        let mut is_inside = false;
        let mut is_cut = false;
        for mut item in items.drain(..) {
            let step = written.min(item.bytes.len());
            written -= step;
            if is_cut || step < item.bytes.len() {
                if step == 0 && !is_inside {
                    break;
                }
                is_cut = true;
                outbox.push(item.bytes.split_off(step));
            }
            is_inside = !item.is_whole;
            if item.is_whole {
                self.cursor = item.after;
                self.told = item.tells.unwrap_or(self.told);
                skips += u64::from(item.is_skip);
                if is_cut {
                    break;
                }
            }
        }
        skips
    }

    /// Ends the stream in the transport's own way.
    fn end(&self, outbox: &mut Outbox) {
        self.close(
            outbox,
            CloseCode::Normal,
            "the stream begins again with other tracks",
        );
    }

    /// Ends the connection cleanly behind the item that was begun.
    pub fn close(&self, outbox: &mut Outbox, code: CloseCode, reason: &str) {
        match self.transport {
            Transport::WebSocket { .. } => outbox.push(close_frame(code, reason)),
            Transport::Chunked if self.cursor.has_begun() => outbox.push(&b"0\r\n\r\n"[..]),
            Transport::UntilClose if self.cursor.has_begun() => {}
            // The viewer waits for a publisher, and has no answer at all yet.
            Transport::Chunked | Transport::UntilClose => {
                let refusal = Refusal::new(503, reason.to_owned());
                let stamp = self.stamp.as_deref().cloned().unwrap_or_default();
                outbox.push(refuse(&refusal, Method::Get, Connection::Close, &stamp));
            }
        }
    }
}

fn whole(bytes: impl Into<Bytes>, after: Cursor) -> Item {
    Item {
        bytes: bytes.into(),
        after,
        is_whole: true,
        is_skip: false,
        tells: None,
    }
}

/// The message that a viewer gets when it comes, and when the publisher comes back.
pub fn hello(stream: &Stream, live: bool) -> Vec<u8> {
    let hello = ToViewer::Hello {
        stream: stream.name().to_string(),
        live,
    };
    text_frame(&hello.to_json())
}

/// The messages that a viewer gets between the media of two publishers whose tracks differ.
fn replaced(stream: &Stream) -> Vec<u8> {
    let offline = ToViewer::Offline {
        reason: OfflineReason::Replaced,
    };
    // The stream may be offline by now; a message behind its media says that.
    [text_frame(&offline.to_json()), hello(stream, true)].concat()
}

/// The response head of a stream that is watched over HTTP.
pub fn stream_head(media_type: &str, transport: Transport, stamp: Option<&Stamp>) -> Vec<u8> {
    let mut head = ResponseHead::new(200)
        .header("Content-Type", media_type)
        .header("Cache-Control", "no-store")
        .header("Accept-Ranges", "none")
        .connection(Connection::Close);
    if let Some(stamp) = stamp {
        head = head.stamp(stamp);
    }
    match transport {
        Transport::Chunked => head.chunked().into_bytes(),
        _ => head.into_bytes(),
    }
}
