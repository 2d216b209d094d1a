//! What one session does by itself in a turn: it reads what has come, and writes what waits.
//!
//! Nothing here knows of other connections. The steps work with any socket, and say what is to
//! happen next; the hub does that. So `fuzzing` drives the very code that serves, in memory.

use super::inbound::{Heard, Inbound};
use super::publisher::{Fed, FeedResult, FeedTurn};
use super::viewer::{Item, Progress, Sent};
use super::{OUTBOX_SLICES_MAX, Session, State};
use crate::stream::Stream;
use crate::websocket::{CloseCode, close_frame};
use std::io::{self, Read, Write};
use std::time::Instant;

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

impl<S: Read + Write> Session<S> {
    /// Takes one turn's bytes of a publisher into its stream. `None` when it is none.
    pub fn read_publisher(&mut self, turn: &mut FeedTurn<'_>) -> Option<FeedResult> {
        let State::Publishing(publisher) = &mut self.state else {
            return None;
        };
        let result = publisher.read(&mut self.socket, &mut self.outbox, turn);
        if result.received > 0 {
            self.heard(turn.now);
        }
        if matches!(result.fed, Fed::Blocked) {
            self.can_read = false;
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
            viewer.ignored_reads += 1;
            return match viewer.ignored_reads > u32::from(IGNORED_MAX) {
                true => After::Gone,
                false => self.read_nothing(now),
            };
        }
        let inbound = inbound.get_or_insert_with(|| Box::new(Inbound::viewer(&[], message_bytes)));
        let mut received = 0;
        let mut heard = Heard::Unfinished;
        for _ in 0..TURN_MESSAGES {
            let came;
            (heard, came) = inbound.read(&mut self.socket, &mut self.outbox);
            received += came;
            if matches!(heard, Heard::Binary(_) | Heard::Text) {
                inbound.ignored += 1;
            }
            // Pings are answered before more of them are read.
            let is_quiet = self.outbox.len() <= OUTBOX_SLICES_MAX / 2;
            if !matches!(heard, Heard::Control) || !is_quiet {
                break;
            }
        }
        let ignored = inbound.ignored;
        if received > 0 {
            self.heard(now);
        }
        match heard {
            Heard::Blocked => {
                self.can_read = false;
                After::Stays
            }
            Heard::Unfinished => After::Stays,
            Heard::Gone => After::Gone,
            Heard::Closed => After::Ends,
            Heard::Bad(code, reason) => self.close(code, &reason),
            Heard::Binary(_) | Heard::Text if ignored > IGNORED_MAX => {
                self.close(CloseCode::Policy, "viewers send nothing")
            }
            Heard::Binary(_) | Heard::Text | Heard::Control => {
                match self.outbox.len() > OUTBOX_SLICES_MAX {
                    true => After::Gone,
                    false => After::Stays,
                }
            }
        }
    }

    /// Reads and discards bytes without meaning, to find their end.
    pub fn read_nothing(&mut self, now: Instant) -> After {
        let mut bytes = [0; 4096];
        match self.socket.read(&mut bytes) {
            Ok(0) => return After::Gone,
            Ok(_) => self.heard(now),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.can_read = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return After::Gone,
        }
        After::Stays
    }

    /// Writes what waits for a viewer and all that is new in its stream. `items` is scratch space.
    pub fn write_viewer(
        &mut self,
        stream: &Stream,
        items: &mut Vec<Item>,
        now: Instant,
    ) -> io::Result<Sent> {
        let State::Viewing { viewer, .. } = &mut self.state else {
            return Ok(Sent::nothing(Progress::Level));
        };
        let cursor = viewer.cursor;
        let sent = viewer.write(&mut self.socket, &mut self.outbox, stream, items);
        if viewer.cursor != cursor {
            self.since = now;
        }
        let sent = sent?;
        if sent.bytes > 0 && self.blocked_since.take().is_some() {
            // Room in a buffer that was full: the peer has taken something, so it is there.
            self.heard(now);
        }
        match sent.progress {
            Progress::Level => self.blocked_since = None,
            Progress::Blocked => self.is_blocked(now),
            Progress::More | Progress::Ended => {}
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
            self.blocked_since = None;
        }
        let result = match result {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.is_blocked(now);
                Ok(false)
            }
            Err(error) => Err(error),
        };
        (written, result)
    }

    fn close(&mut self, code: CloseCode, reason: &str) -> After {
        self.outbox.push(close_frame(code, reason));
        After::Ends
    }

    fn is_blocked(&mut self, now: Instant) {
        self.can_write = false;
        self.blocked_since.get_or_insert(now);
    }
}
