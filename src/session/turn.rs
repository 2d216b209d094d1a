//! What one session does by itself in a turn: it reads what has come, and writes what waits.
//!
//! Nothing here knows of other connections. The steps work with any socket, and return what is to
//! happen next; the hub does that.

use super::batch::Batch;
use super::follower::Follower;
use super::inbound::{Inbound, Received};
use super::outbox::Outbox;
use super::publisher::{Fed, FeedResult, FeedTurn, PublisherEnd};
use super::relaying::Listened;
use super::viewer::{Sent, WriteProgress};
use super::{IncomingHead, OUTBOX_SLICES_MAX, Session, Socket, State};
use crate::compat::Kept;
use crate::http::Method;
use crate::http::date::HttpDate;
use crate::http::refusal::Refusal;
use crate::http::response::{Connection, Stamp, refuse};
use crate::stream::Stream;
use crate::websocket::messages::ToPublisher;
use crate::websocket::{CloseCode, close_frame, ping_frame};
use bytes::Bytes;
use std::time::Instant;
use std::{io, mem};

/// Data messages from one viewer that are ignored before it is closed.
const IGNORED_MAX: u8 = 64;

/// Pongs and pings from one viewer in one turn: some 100 us.
const TURN_MESSAGES: usize = 256;

/// What happens to a session after it has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It goes on. There may be replies in its outbox.
    Stays,
    /// Our closing message is in its outbox.
    Ends,
    /// The peer is gone: no message can reach it.
    Gone,
}

/// What happens to a session whose whole outbox has been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterOutput {
    /// Nothing else.
    Stays,
    /// It is to be read: the next request, or the peer's end.
    Reads,
    /// It is to be closed.
    Closes,
    /// Its recording goes on: the next piece is to be read.
    Recalls,
    /// The next event may be due.
    Follows,
}

impl<S: Socket> Session<S> {
    /// Takes one turn's bytes of a publisher into its stream. `None` when it is none.
    pub fn read_publisher(&mut self, turn: &mut FeedTurn<'_>) -> Option<FeedResult> {
        let State::Publishing(publisher) = &mut self.state else {
            return None;
        };
        let result = publisher.read(&mut self.socket, &mut self.outbox, turn);
        if result.received > 0 {
            self.peer_active(turn.now);
        }
        if matches!(result.fed, Fed::Blocked) {
            self.readiness.read_blocked();
        }
        Some(result)
    }

    /// Reads from a viewer, which sends little.
    pub fn read_viewer(&mut self, message_bytes: usize, now: Instant) -> After {
        let State::Viewing { viewer, inbound } = &mut self.state else {
            return After::Stays;
        };
        if !viewer.is_websocket() {
            // It has already sent all that it had to send.
            if viewer.count_ignored_read() > IGNORED_MAX {
                return After::Gone;
            }
            return self.read_nothing(now);
        }
        let inbound = inbound.get_or_insert_with(|| Box::new(Inbound::viewer(&[], message_bytes)));
        let (message, received) = read_ignored(inbound, &mut self.socket, &mut self.outbox);
        let ignored = inbound.ignored;
        self.after_ignored(message, ignored, received, now)
    }

    /// Reads from a client of events, which has already sent all that it had to send.
    pub fn read_follower(&mut self, now: Instant) -> After {
        let ignores_too_much = self.follower_mut().is_some_and(Follower::ignores_too_much);
        if ignores_too_much {
            return After::Gone;
        }
        self.read_nothing(now)
    }

    /// Reads from a listener of the old protocol, which has nothing to say.
    pub fn read_listener(&mut self, message_bytes: usize, now: Instant) -> After {
        let State::Relaying(relaying) = &mut self.state else {
            return After::Stays;
        };
        let inbound = relaying.inbound_mut(message_bytes);
        let (message, received) = read_ignored(inbound, &mut self.socket, &mut self.outbox);
        let ignored = inbound.ignored;
        self.after_ignored(message, ignored, received, now)
    }

    fn after_ignored(
        &mut self,
        message: Received,
        ignored: u8,
        received: u64,
        now: Instant,
    ) -> After {
        if received > 0 {
            self.peer_active(now);
        }
        match message {
            Received::Blocked => {
                self.readiness.read_blocked();
                After::Stays
            }
            Received::Unfinished => After::Stays,
            Received::Gone => After::Gone,
            Received::Closed => After::Ends,
            Received::Bad(code, reason) => self.close(code, &reason),
            Received::Binary(_) | Received::Text if ignored > IGNORED_MAX => {
                self.close(CloseCode::Policy, "viewers send nothing")
            }
            Received::Binary(_) | Received::Text | Received::Control => {
                if self.outbox.len() > OUTBOX_SLICES_MAX {
                    After::Gone
                } else {
                    After::Stays
                }
            }
        }
    }

    /// Reads and discards bytes without meaning, to find their end.
    pub fn read_nothing(&mut self, now: Instant) -> After {
        let mut bytes = [0; 4096];
        match self.socket.read(&mut bytes) {
            Ok(0) => return After::Gone,
            Ok(_) => self.peer_active(now),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.read_blocked()
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return After::Gone,
        }
        After::Stays
    }

    /// Writes what waits for a viewer and all that is new in its stream.
    pub fn write_viewer(
        &mut self,
        stream: &Stream,
        batch: &mut Batch,
        now: Instant,
    ) -> io::Result<Sent> {
        let State::Viewing { viewer, .. } = &mut self.state else {
            return Ok(Sent::nothing(WriteProgress::Level));
        };
        let cursor = viewer.cursor();
        let sent = viewer.write(&mut self.socket, &mut self.outbox, stream, batch);
        if viewer.cursor() != cursor {
            viewer.cursor_moved(now);
        }
        let sent = sent?;
        let cursor = viewer.cursor();
        if let Some(time_shift) = viewer.time_shift_mut() {
            time_shift.written(cursor);
            if let WriteProgress::Held(held) = sent.progress {
                time_shift.held(held, stream, now);
            }
        }
        if sent.bytes > 0 && self.readiness.unblock() {
            // Room in a buffer that was full: the peer has taken something, so it is there.
            self.peer_active(now);
        }
        match sent.progress {
            WriteProgress::Level | WriteProgress::Held(_) => {
                self.readiness.unblock();
            }
            WriteProgress::Blocked => self.readiness.write_blocked(now),
            WriteProgress::More | WriteProgress::Ended => {}
        }
        Ok(sent)
    }

    /// Writes what waits for a reader of a segment, and the chunks that there are.
    pub fn write_fetching(
        &mut self,
        stream: &Stream,
        batch: &mut Batch,
        now: Instant,
    ) -> io::Result<Sent> {
        let State::Fetching(fetching) = &mut self.state else {
            return Ok(Sent::nothing(WriteProgress::Level));
        };
        let sent = fetching.write(&mut self.socket, &mut self.outbox, (stream, now), batch)?;
        if sent.bytes > 0 {
            self.readiness.unblock();
        }
        match sent.progress {
            WriteProgress::Level => {
                self.readiness.unblock();
            }
            WriteProgress::Blocked => self.readiness.write_blocked(now),
            WriteProgress::More | WriteProgress::Held(_) | WriteProgress::Ended => {}
        }
        Ok(sent)
    }

    /// Writes what waits for a session that is no viewer. Returns the number of bytes, and whether that
    /// was all.
    pub fn write_outbox(&mut self, now: Instant) -> (usize, io::Result<bool>) {
        let before = self.outbox.byte_len();
        let result = self.outbox.write_to(&mut self.socket);
        let written = before - self.outbox.byte_len();
        if written > 0 {
            self.readiness.unblock();
        }
        let result = match result {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.write_blocked(now);
                Ok(false)
            }
            Err(error) => Err(error),
        };
        (written, result)
    }

    /// Reads the next message of a publisher of the old protocol. Returns it, and the number of bytes
    /// and of frames that came.
    pub fn read_old_message(&mut self, now: Instant) -> Option<(Received, u64, u64)> {
        let State::Relaying(relaying) = &mut self.state else {
            return None;
        };
        // The limit was given when its reader was made.
        let inbound = relaying.inbound_mut(0);
        let (message, came) = inbound.read(&mut self.socket, &mut self.outbox);
        let frames = inbound.frames();
        if came > 0 {
            self.peer_active(now);
        }
        if matches!(message, Received::Blocked) {
            self.readiness.read_blocked();
        }
        Some((message, came, frames))
    }

    /// Writes what waits for a listener of the old protocol, and all that is new for it.
    pub fn write_listener(&mut self, kept: &Kept, now: Instant) -> io::Result<Listened> {
        let State::Relaying(relaying) = &mut self.state else {
            return Ok(Listened::nothing(WriteProgress::Level));
        };
        let listened = relaying.write(&mut self.socket, &mut self.outbox, kept, now)?;
        if listened.bytes > 0 && self.readiness.unblock() {
            self.peer_active(now);
        }
        match listened.progress {
            WriteProgress::Level | WriteProgress::Held(_) => {
                self.readiness.unblock();
            }
            WriteProgress::Blocked => self.readiness.write_blocked(now),
            WriteProgress::More | WriteProgress::Ended => {}
        }
        Ok(listened)
    }

    fn close(&mut self, code: CloseCode, reason: &str) -> After {
        self.outbox.push(close_frame(code, reason));
        After::Ends
    }

    /// Sends what encryption still holds. Returns whether all of it has gone.
    pub fn flush_unsent(&mut self, now: Instant) -> io::Result<bool> {
        if !self.socket.has_unsent() {
            return Ok(true);
        }
        if self.socket.flush_unsent()? > 0 && self.readiness.unblock() {
            self.peer_active(now);
        }
        Ok(!self.note_unsent(now))
    }

    /// Notes whether encryption holds bytes that the socket had no room for.
    pub fn note_unsent(&mut self, now: Instant) -> bool {
        let has_unsent = self.socket.has_unsent();
        if has_unsent {
            self.readiness.write_blocked(now);
        }
        has_unsent
    }

    /// The whole outbox has been written.
    pub fn outbox_written(&mut self, now: Instant) -> AfterOutput {
        match &mut self.state {
            State::Responding {
                keep_alive: false, ..
            } => AfterOutput::Closes,
            State::Responding { rest, .. } => {
                let head = IncomingHead::later(mem::take(rest));
                self.enter(State::Requesting(head), now);
                AfterOutput::Reads
            }
            State::Recalling(recall) if recall.is_due() => AfterOutput::Recalls,
            State::Following(_) => AfterOutput::Follows,
            State::Closing { is_shut, .. } if !*is_shut => {
                // Half-closed, so that what was written last is not lost to a reset when the peer
                // is still sending. The peer may be gone already.
                *is_shut = self.socket.shut().unwrap_or(true);
                if *is_shut {
                    AfterOutput::Reads
                } else {
                    AfterOutput::Stays
                }
            }
            _ => AfterOutput::Stays,
        }
    }

    /// Sends a ping.
    pub fn ping(&mut self, now: Instant) {
        match &mut self.state {
            State::Publishing(publisher) => publisher.liveness_mut().pinged(now),
            State::Viewing { viewer, .. } => viewer.liveness_mut().pinged(now),
            State::Relaying(relaying) => relaying.liveness_mut().pinged(now),
            _ => return,
        }
        self.send(ping_frame(b""));
    }

    /// Sends text messages to a publisher that understands them, unless too much waits for it. Returns
    /// whether it is one.
    pub fn send_to_publisher(&mut self, messages: &[ToPublisher]) -> bool {
        let State::Publishing(publisher) = &self.state else {
            return false;
        };
        if self.outbox.len() >= OUTBOX_SLICES_MAX {
            return false;
        }
        for message in messages {
            self.outbox.push(publisher.frame(message));
        }
        true
    }

    /// Sends a text message to a viewer that understands them, unless too much waits for it.
    pub fn send_to_viewer(&mut self, frame: &Bytes) {
        if let State::Viewing { viewer, .. } = &self.state
            && viewer.is_v1()
            && self.outbox.len() < OUTBOX_SLICES_MAX
        {
            self.outbox.push(frame.clone());
        }
    }

    /// Sends the last bytes to a viewer.
    pub fn end_viewer(&mut self, code: CloseCode, reason: &str) {
        if let State::Viewing { viewer, .. } = &self.state {
            self.outbox.push(viewer.closing(code, reason));
        }
    }

    /// Sends the last bytes to a publisher, or to the sender of a poster, as the server ends it.
    pub fn end_publisher(&mut self, end: PublisherEnd<'_>, date: HttpDate) {
        let bytes = if let State::Publishing(publisher) = &mut self.state {
            publisher.closing(end, date)
        } else if matches!(self.state, State::Relaying(_)) {
            close_frame(end.code, end.reason)
        } else {
            let stamp = Stamp {
                date: Some(date),
                ..Stamp::default()
            };
            let refusal = Refusal::new(end.status, end.reason.to_owned());
            refuse(&refusal, Method::Put, Connection::Close, &stamp)
        };
        self.send(bytes);
    }

    /// Sends the final answer to a publisher that has ended so. `is_serving`: another request may follow.
    pub fn answer_publisher(&mut self, fed: &Fed, date: HttpDate, is_serving: bool) {
        if let State::Publishing(publisher) = &mut self.state {
            self.outbox.push(publisher.answer(fed, date, is_serving));
        }
    }

    /// The server stops: no request follows the answer that is being sent.
    pub fn close_after_answer(&mut self) {
        if let State::Responding { keep_alive, .. } = &mut self.state {
            *keep_alive = false;
        }
    }
}

/// Reads what a peer sends that has nothing to send. Returns the last message, and the number of bytes.
fn read_ignored(
    inbound: &mut Inbound,
    socket: &mut impl Socket,
    outbox: &mut Outbox,
) -> (Received, u64) {
    let mut received = 0;
    let mut message = Received::Unfinished;
    for _ in 0..TURN_MESSAGES {
        let came;
        (message, came) = inbound.read(socket, outbox);
        received += came;
        if matches!(message, Received::Binary(_) | Received::Text) {
            inbound.ignored += 1;
        }
        // Pings are answered before more of them are read.
        let is_quiet = outbox.len() <= OUTBOX_SLICES_MAX / 2;
        if !matches!(message, Received::Control) || !is_quiet {
            break;
        }
    }
    (message, received)
}
