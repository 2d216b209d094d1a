//! A request for a segment that is not whole yet, or that is being sent: from the ring's chunks, which
//! all readers share.
//!
//! ```text
//! waits for the number ─► head ─► chunks as they come ─► the end of the GOP ─► the next request
//!                                       └─► gone from the ring: cut off, without an end
//! ```
//!
//! A transfer that is cut off looks cut off: its last HTTP chunk, or the rest of its length, is missing.
//! So no cache takes it for whole.

use super::batch::{Batch, Piece};
use super::outbox::{Outbox, SLICES_MAX, write_slices};
use super::viewer::{Sent, WriteProgress};
use crate::http::response::Readers;
use crate::stream::{Segment, Stream, StreamId};
use bytes::Bytes;
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Longest wait for a segment to begin, or to end: proxies give up after a minute.
pub const SEGMENT_WAIT: Duration = Duration::from_secs(30);

/// Bytes gathered in one write, as for viewers.
const GATHER_BYTES_MAX: usize = 256 << 10;

/// Pieces whose memory the next write uses again.
const PIECES_KEPT: usize = 8;

/// The end of a chunked body (RFC 9112, 7.1).
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[derive(Debug)]
pub struct Fetching {
    stream: StreamId,
    wish: Wish,
    answer: AnswerTo,
    /// Its place among the readers of its stream.
    index: u32,
    sending: Option<Sending>,
    /// When it began to take the chunk whose rest waits in the outbox.
    moved_at: Instant,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// The segment of this number.
    Media(u64),
    /// The list, once this number is finished.
    List(u64),
    /// The manifest, once there is a segment.
    Manifest,
}

/// What an answer needs to know of its request, once the request is gone.
#[derive(Debug, Clone)]
pub struct AnswerTo {
    pub is_head: bool,
    /// HTTP/1.0 knows no chunks: it gets segments whole.
    pub is_whole: bool,
    pub keep_alive: bool,
    /// Whether the client has this segment already.
    pub is_known: bool,
    /// Whether everybody may watch the stream.
    pub is_public: bool,
    pub readers: Readers,
    /// The session's peer, a proxy, while the request counts for the client that the proxy reports.
    pub proxy: Option<IpAddr>,
    /// What came behind the request.
    pub behind: Bytes,
}

#[derive(Debug, Clone, Copy)]
struct Sending {
    number: u64,
    /// Sequences of the next chunk, and of what follows the last; `None` while the segment grows.
    next: u64,
    end: Option<u64>,
    is_chunked: bool,
}

impl Fetching {
    pub fn new(stream: StreamId, wish: Wish, answer: AnswerTo, now: Instant) -> Fetching {
        Fetching {
            stream,
            wish,
            answer,
            index: 0,
            sending: None,
            moved_at: now,
        }
    }

    pub fn stream(&self) -> StreamId {
        self.stream
    }

    pub fn wish(&self) -> Wish {
        self.wish
    }

    pub fn answer(&self) -> &AnswerTo {
        &self.answer
    }

    /// Its place among the readers of its stream that wait, or among those that are sent to.
    pub fn index(&self) -> usize {
        self.index as usize
    }

    pub fn set_index(&mut self, index: usize) {
        // File descriptors are fewer.
        self.index = index as u32;
    }

    pub fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    pub fn held_bytes(&self) -> usize {
        self.answer.behind.len()
    }

    /// The chunk that it was given last; `None` before the first.
    pub fn taken(&self) -> Option<u64> {
        self.sending?.next.checked_sub(1)
    }

    /// Whether it has been taking one chunk for so long.
    pub fn has_stood_still(&self, time: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.moved_at) >= time
    }

    /// The head of the answer is out; the chunks of this segment follow. `is_chunked`: as HTTP chunks.
    pub fn send(&mut self, segment: &Segment, is_chunked: bool, now: Instant) {
        self.sending = Some(Sending {
            number: segment.number,
            next: segment.first,
            end: segment.end,
            is_chunked,
        });
        self.moved_at = now;
    }

    /// Notes the end of the segment, if it has one by now.
    pub fn learn_end(&mut self, stream: &Stream) {
        if let Some(sending) = &mut self.sending
            && sending.end.is_none()
        {
            sending.end = stream.segments().end_of(sending.number);
        }
    }

    /// Whether a chunk, or the end, could be written now.
    pub fn has_output(&self, stream: &Stream) -> bool {
        self.sending.is_some_and(|sending| {
            sending.end == Some(sending.next) || sending.next < stream.ring().live_edge()
        })
    }

    /// Writes what waits in `outbox` and the chunks that there are.
    ///
    /// An error of the kind `UnexpectedEof`: the next chunk is gone from the ring.
    pub(super) fn write(
        &mut self,
        socket: &mut impl Write,
        outbox: &mut Outbox,
        (stream, now): (&Stream, Instant),
        batch: &mut Batch,
    ) -> io::Result<Sent> {
        self.learn_end(stream);
        let Some(sending) = self.sending else {
            return Ok(Sent::nothing(WriteProgress::Level));
        };
        let is_at_end = gather(sending, stream, &mut batch.pieces)?;
        if outbox.is_empty() && batch.pieces.is_empty() {
            return Ok(Sent::nothing(if is_at_end {
                WriteProgress::Ended
            } else {
                WriteProgress::Level
            }));
        }
        let pieces = batch.pieces.iter().map(|piece| &piece.bytes);
        let taken = match write_slices(socket, outbox.slices().chain(pieces)) {
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(Sent::nothing(WriteProgress::Blocked));
            }
            Err(error) => return Err(error),
        };
        let beyond_outbox = outbox.advance(taken.written);
        let is_all = self.settle(&mut batch.pieces, beyond_outbox, outbox, now);
        // A reader that comes late is sent much at once, and then a chunk at a time.
        batch.pieces.shrink_to(PIECES_KEPT);
        let progress = if is_all && is_at_end {
            // What is left of the last piece waits in the outbox.
            WriteProgress::Ended
        } else if taken.written < taken.offered {
            WriteProgress::Blocked
        } else if self.has_output(stream) || !outbox.is_empty() {
            WriteProgress::More
        } else {
            WriteProgress::Level
        };
        Ok(Sent {
            progress,
            bytes: taken.written,
            skips: 0,
        })
    }

    /// Moves on past the chunks that were written, and puts the rest of a chunk that was begun into
    /// the outbox. Returns whether no piece is left.
    fn settle(
        &mut self,
        pieces: &mut Vec<Piece>,
        mut written: usize,
        outbox: &mut Outbox,
        now: Instant,
    ) -> bool {
        // Whether the piece before was a part of the same chunk.
        let mut is_inside = false;
        for mut piece in pieces.drain(..) {
            let step = written.min(piece.bytes.len());
            written -= step;
            if step < piece.bytes.len() {
                if step == 0 && !is_inside {
                    return false;
                }
                outbox.push(piece.bytes.split_off(step));
            }
            is_inside = !piece.ends_chunk;
            if piece.ends_chunk
                && let Some(sending) = &mut self.sending
                && piece.is_media
            {
                sending.next += 1;
                self.moved_at = now;
            }
        }
        true
    }
}

/// Gathers the next chunks. Returns whether the last piece is the end.
fn gather(sending: Sending, stream: &Stream, pieces: &mut Vec<Piece>) -> io::Result<bool> {
    pieces.clear();
    let mut bytes = 0;
    let mut next = sending.next;
    // A chunk has two pieces, and the end is one more.
    while bytes < GATHER_BYTES_MAX && pieces.len() + 3 <= SLICES_MAX {
        if sending.end == Some(next) {
            if sending.is_chunked {
                pieces.push(Piece {
                    bytes: Bytes::from_static(LAST_CHUNK),
                    ends_chunk: true,
                    is_media: false,
                });
            }
            return Ok(true);
        }
        let Some(chunk) = stream.ring().chunk(next) else {
            if next < stream.ring().oldest() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            break;
        };
        let before = pieces.len();
        let piece = |bytes, ends_chunk| Piece {
            bytes,
            ends_chunk,
            is_media: true,
        };
        if sending.is_chunked {
            let [head, body] = chunk.framed.http();
            pieces.extend([piece(head, false), piece(body, true)]);
        } else {
            pieces.push(piece(chunk.framed.payload(), true));
        }
        next += 1;
        bytes += pieces[before..]
            .iter()
            .map(|piece| piece.bytes.len())
            .sum::<usize>();
    }
    Ok(false)
}
