//! One viewer: a cursor into a stream, and how its bytes are framed.
//!
//! [`Viewer::write`] gathers all that is new for it and hands the kernel one vectored write,
//! straight from the memory that all viewers share. What the kernel did not take is taken back
//! by setting the cursor to where it was, but for the chunk it took in part.

use super::batch::{Batch, Item, whole};
use super::liveness::Liveness;
use super::outbox::{Outbox, SLICES_MAX, write_slices};
use super::time_shift::TimeShift;
use crate::http::date::HttpDate;
use crate::http::refusal::Refusal;
use crate::http::response::{Connection, ResponseHead, Stamp, refuse};
use crate::http::{Method, Version};
use crate::offline_reason::OfflineReason;
use crate::stream::{Air, Chunk, Cursor, Held, Init, Next, Stream, StreamId};
use crate::websocket::messages::ToViewer;
use crate::websocket::{CloseCode, close_frame, text_frame};
use bytes::Bytes;
use std::io::{self, Write};
use std::time::{Duration, Instant};

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
    stream: StreamId,
    transport: Transport,
    pub(super) cursor: Cursor,
    /// When it began to take the chunk whose rest waits in the outbox.
    cursor_moved_at: Instant,
    /// What it knows about the publisher. Only a viewer that understands text messages knows.
    announced: Announced,
    /// Its place in the audience's list.
    audience_index: u32,
    /// How often it sent something over HTTP, where a viewer has nothing to send.
    ignored_reads: u8,
    /// What its answer's head says besides, until that has gone out. `None` for a WebSocket.
    stamp: Option<Box<Stamp>>,
    /// Of a WebSocket.
    liveness: Liveness,
    /// Of a viewer that watches behind live.
    pub(super) time_shift: Option<Box<TimeShift>>,
}

/// What the last text message to a viewer said about its publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    Offline,
    Live,
    Stalled,
}

/// How far one write got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteProgress {
    /// All that there is has gone out.
    Level,
    /// There is more, and the socket may take it.
    More,
    /// There is more, but not for it now.
    Held(Held),
    /// The socket is full.
    Blocked,
    /// Its recording is over and the next one has other tracks: the outbox holds the last bytes.
    Ended,
}

/// What one write did.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub progress: WriteProgress,
    pub bytes: usize,
    pub skips: u64,
}

impl Sent {
    pub fn nothing(progress: WriteProgress) -> Sent {
        Sent {
            progress,
            bytes: 0,
            skips: 0,
        }
    }
}

/// What a viewer's batch ends with.
#[derive(Debug, Clone, Copy)]
struct Gathered {
    end: GatherEnd,
    /// Where the cursor is when all of it is written.
    cursor: Cursor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GatherEnd {
    /// Nothing is left beyond it.
    LiveEdge,
    /// There is more.
    Full,
    /// The next is not for it now.
    Held(Held),
    /// The viewer's stream is over: the next recording has other tracks.
    OtherTracks,
}

impl Viewer {
    /// Watches by WebSocket; `v1`: with text messages. Its `hello` says what `stream` is now.
    pub fn websocket(id: StreamId, stream: &Stream, v1: bool, now: Instant) -> Viewer {
        Viewer::new(id, stream, Transport::WebSocket { v1 }, None, now)
    }

    /// Watches over HTTP. `stamp`: further fields of the answer's head.
    pub fn http(
        id: StreamId,
        stream: &Stream,
        version: Version,
        stamp: Stamp,
        now: Instant,
    ) -> Viewer {
        let transport = Transport::http(version);
        Viewer::new(id, stream, transport, Some(Box::new(stamp)), now)
    }

    fn new(
        id: StreamId,
        stream: &Stream,
        transport: Transport,
        stamp: Option<Box<Stamp>>,
        now: Instant,
    ) -> Viewer {
        Viewer {
            stream: id,
            transport,
            cursor: Cursor::join_now(stream),
            cursor_moved_at: now,
            announced: if stream.is_live() {
                Announced::Live
            } else {
                Announced::Offline
            },
            audience_index: 0,
            ignored_reads: 0,
            stamp,
            liveness: Liveness::new(now),
            time_shift: None,
        }
    }

    pub fn stream(&self) -> StreamId {
        self.stream
    }

    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Its place in the audience's list.
    pub fn audience_index(&self) -> usize {
        self.audience_index as usize
    }

    pub fn set_audience_index(&mut self, index: usize) {
        // File descriptors are fewer.
        self.audience_index = index as u32;
    }

    pub fn liveness(&self) -> &Liveness {
        &self.liveness
    }

    pub(super) fn liveness_mut(&mut self) -> &mut Liveness {
        &mut self.liveness
    }

    /// Whether it has been taking one chunk for so long.
    pub fn has_stood_still(&self, time: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.cursor_moved_at) >= time
    }

    /// Notes that its cursor has moved.
    pub(super) fn cursor_moved(&mut self, now: Instant) {
        self.cursor_moved_at = now;
    }

    /// Notes that it sent something over HTTP. Returns how often it has.
    pub(super) fn count_ignored_read(&mut self) -> u8 {
        self.ignored_reads = self.ignored_reads.saturating_add(1);
        self.ignored_reads
    }

    /// Whether its answer may begin now, so that the answer needs the date.
    pub fn needs_date(&self) -> bool {
        self.stamp.is_some()
    }

    /// Sets the date of an answer that has not begun. Of one that has, no head will follow.
    pub fn set_date(&mut self, date: HttpDate) {
        if self.cursor.has_begun() {
            self.stamp = None;
        } else if let Some(stamp) = &mut self.stamp {
            stamp.date = Some(date);
        }
    }

    pub fn is_websocket(&self) -> bool {
        matches!(self.transport, Transport::WebSocket { .. })
    }

    /// Whether it understands text messages.
    pub fn is_v1(&self) -> bool {
        self.transport == Transport::WebSocket { v1: true }
    }

    /// Writes what waits in `outbox` and all that is new in `stream`.
    pub fn write(
        &mut self,
        socket: &mut impl Write,
        outbox: &mut Outbox,
        stream: &Stream,
        batch: &mut Batch,
    ) -> io::Result<Sent> {
        if let Some(time_shift) = &mut self.time_shift {
            time_shift.set_out(&self.cursor, stream);
        }
        let gathered = self.gather(stream, batch);
        if outbox.is_empty() && batch.items.is_empty() {
            return Ok(Sent::nothing(match gathered.end {
                GatherEnd::OtherTracks => {
                    self.end(outbox);
                    WriteProgress::Ended
                }
                GatherEnd::Held(held) => WriteProgress::Held(held),
                GatherEnd::LiveEdge | GatherEnd::Full => WriteProgress::Level,
            }));
        }
        let slices = outbox.slices().chain(batch.slices());
        let taken = match write_slices(socket, slices) {
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(Sent::nothing(WriteProgress::Blocked));
            }
            Err(error) => return Err(error),
        };
        let beyond_outbox = outbox.advance(taken.written);
        let skips = self.settle(batch, beyond_outbox, outbox);
        // epoll(7), question 9: a stream socket that takes less than it was offered is full.
        let progress = if taken.written < taken.offered {
            WriteProgress::Blocked
        } else if !outbox.is_empty() || self.cursor != gathered.cursor {
            WriteProgress::More
        } else {
            match gathered.end {
                GatherEnd::OtherTracks => {
                    self.end(outbox);
                    WriteProgress::Ended
                }
                GatherEnd::LiveEdge => WriteProgress::Level,
                GatherEnd::Full => WriteProgress::More,
                GatherEnd::Held(held) => WriteProgress::Held(held),
            }
        };
        Ok(Sent {
            progress,
            bytes: taken.written,
            skips,
        })
    }

    /// Gathers what is new.
    fn gather(&self, stream: &Stream, batch: &mut Batch) -> Gathered {
        batch.items.clear();
        let mut cursor = self.cursor;
        let mut gathered = cursor;
        let mut bytes = 0;
        // `offline` or `stalled` went out after all media that it was to get: media that come now
        // are newer.
        let mut announced = self.announced;
        if let Some((announces, text)) = self.news_before_media(stream) {
            announced = announces;
            batch.items.push(Item {
                announces: Some(announces),
                ..whole(text, cursor)
            });
        }
        while bytes < GATHER_BYTES_MAX && batch.items.len() + 3 <= SLICES_MAX {
            let had_begun = cursor.has_begun();
            let before = batch.items.len();
            let next = match self.next(&mut cursor, stream) {
                Ok(next) => next,
                Err(held) => {
                    return Gathered {
                        end: GatherEnd::Held(held),
                        cursor: gathered,
                    };
                }
            };
            if self.is_v1() && announced == Announced::Offline && !matches!(next, Next::Wait) {
                // Its publisher came and left again: what it left is first live, then offline.
                announced = Announced::Live;
                batch.items.push(Item {
                    announces: Some(announced),
                    ..whole(
                        hello(stream, true, self.behind_ms(&gathered, stream)),
                        gathered,
                    )
                });
            }
            match next {
                Next::Wait => {
                    // Sent last, or a player would take the end of the stream for its return.
                    if let Some((announces, text)) = self.news_after_media(announced, stream) {
                        batch.items.push(Item {
                            announces: Some(announces),
                            ..whole(text, gathered)
                        });
                    }
                    return Gathered {
                        end: GatherEnd::LiveEdge,
                        cursor: gathered,
                    };
                }
                Next::Skip { from_ms, to_ms } => {
                    let text = if self.is_v1() {
                        text_frame(&ToViewer::Skip { from_ms, to_ms }.to_json())
                    } else {
                        Vec::new()
                    };
                    batch.items.push(Item {
                        is_skip: true,
                        ..whole(text, cursor)
                    });
                }
                Next::Init(chunk) => {
                    if had_begun && !self.is_v1() {
                        return Gathered {
                            end: GatherEnd::OtherTracks,
                            cursor: gathered,
                        };
                    }
                    if let Some(init) = stream.init() {
                        let is_replaced = had_begun && chunk.takes_over;
                        let message = self.before_init(stream, init, chunk, (is_replaced, &cursor));
                        if !message.is_empty() {
                            batch.items.push(Item {
                                is_whole: false,
                                ..whole(message, cursor)
                            });
                        }
                    }
                    batch.push_framed(&chunk.framed, self.transport, cursor);
                }
                Next::Chunk(chunk) => batch.push_framed(&chunk.framed, self.transport, cursor),
            }
            gathered = cursor;
            bytes += batch.items[before..]
                .iter()
                .map(|item| item.bytes.len())
                .sum::<usize>();
        }
        Gathered {
            end: GatherEnd::Full,
            cursor: gathered,
        }
    }

    /// The message that a viewer gets before anything newer, and what it knows then.
    fn news_before_media(&self, stream: &Stream) -> Option<(Announced, Vec<u8>)> {
        if !self.is_v1() {
            return None;
        }
        match (self.announced, stream.air()) {
            (Announced::Offline, Air::Live | Air::Stalled { .. }) => {
                let behind_ms = self.behind_ms(&self.cursor, stream);
                Some((Announced::Live, hello(stream, true, behind_ms)))
            }
            (Announced::Stalled, Air::Live) => {
                Some((Announced::Live, text_frame(&ToViewer::Resumed.to_json())))
            }
            _ => None,
        }
    }

    /// The message for a viewer that has all media and knows `announced`, and what it knows then.
    fn news_after_media(
        &self,
        announced: Announced,
        stream: &Stream,
    ) -> Option<(Announced, Vec<u8>)> {
        if !self.is_v1() {
            return None;
        }
        let (announces, message) = match (announced, stream.air()) {
            (Announced::Live | Announced::Stalled, Air::Offline(reason)) => {
                (Announced::Offline, ToViewer::Offline { reason })
            }
            (Announced::Live, Air::Stalled { since_ms }) => {
                (Announced::Stalled, ToViewer::Stalled { since_ms })
            }
            _ => return None,
        };
        Some((announces, text_frame(&message.to_json())))
    }

    /// What comes right before an init segment: text messages, or the response's head.
    /// `is_replaced`: the segment is that of a publisher which has replaced the one before.
    fn before_init(
        &self,
        stream: &Stream,
        newest: &Init,
        chunk: &Chunk,
        (is_replaced, cursor): (bool, &Cursor),
    ) -> Vec<u8> {
        match self.transport {
            Transport::WebSocket { v1: false } => Vec::new(),
            Transport::WebSocket { v1: true } => {
                let mime = chunk.mime.as_ref().unwrap_or(&newest.mime).to_string();
                let behind_ms = self.behind_ms(cursor, stream);
                let is_paced = self.time_shift().is_some();
                let init = ToViewer::Init {
                    mime,
                    generation: u64::from(chunk.generation),
                    behind_ms,
                    backlog: (!is_paced).then(|| cursor.backlog(stream)).flatten(),
                };
                let init = text_frame(&init.to_json());
                if is_replaced {
                    [replaced(stream, behind_ms), init].concat()
                } else {
                    init
                }
            }
            Transport::Chunked | Transport::UntilClose => {
                // Sent once, on joining, and so of the newest.
                let media_type = newest.recording.doc_type.media_type();
                stream_head(media_type, self.transport, self.stamp.as_deref())
            }
        }
    }

    /// Moves the cursor past what was written, and puts the remainder of an item that was begun
    /// into the outbox. Returns the number of skips among the written items.
    fn settle(&mut self, batch: &mut Batch, mut written: usize, outbox: &mut Outbox) -> u64 {
        let mut skips = 0;
        // Whether the item before was a part of the same whole.
        let mut is_inside = false;
        let mut is_cut = false;
        for mut item in batch.items.drain(..) {
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
                self.announced = item.announces.unwrap_or(self.announced);
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
        let reason = "the stream begins again with other tracks";
        outbox.push(self.closing(CloseCode::Normal, reason));
    }

    /// The last bytes, behind the item that was begun: they end the connection cleanly.
    pub fn closing(&self, code: CloseCode, reason: &str) -> Bytes {
        match self.transport {
            Transport::WebSocket { .. } => close_frame(code, reason).into(),
            Transport::Chunked if self.cursor.has_begun() => Bytes::from_static(b"0\r\n\r\n"),
            Transport::UntilClose if self.cursor.has_begun() => Bytes::new(),
            // The viewer waits for a publisher, and has no answer at all yet.
            Transport::Chunked | Transport::UntilClose => {
                let refusal = Refusal::new(503, reason.to_owned());
                let stamp = self.stamp.as_deref().cloned().unwrap_or_default();
                refuse(&refusal, Method::Get, Connection::Close, &stamp).into()
            }
        }
    }
}

/// The message that a viewer gets when its publisher comes, or comes back.
fn hello(stream: &Stream, live: bool, behind_ms: u64) -> Vec<u8> {
    let hello = ToViewer::Hello {
        stream: stream.name().to_string(),
        live,
        behind_ms,
        back_ms: None,
    };
    text_frame(&hello.to_json())
}

/// The messages that a viewer gets between the media of two publishers whose tracks differ.
fn replaced(stream: &Stream, behind_ms: u64) -> Vec<u8> {
    let offline = ToViewer::Offline {
        reason: OfflineReason::Replaced,
    };
    // The stream may be offline by now; a message behind its media says that.
    [
        text_frame(&offline.to_json()),
        hello(stream, true, behind_ms),
    ]
    .concat()
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
