//! One viewer: a socket, and how far it has come.
//!
//! Every viewer reads as a client should until its first byte of media has come. Then one of the
//! crowd only counts: the kernel discards what came and says how much it was, if TLS lets it.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use mio::{Interest, Registry, Token};

use super::answer::ask;
use super::findings::{Findings, keep};
use super::judge::Judge;
use super::options::Protocol;
use super::plan::{Assignment, Role};
use super::socket::{hold_little, is_connected, open_socket};
use super::stamp;
use super::unframe::{MASKED_CLOSE, Piece, Unframer, masked_pong};
use super::wire::{Wire, WireTls};

/// Bytes discarded or read in one call.
pub(super) const READ_BYTES: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct Viewer {
    pub assignment: Assignment,
    pub life: Life,
    /// When it began to connect.
    pub began: Instant,
    /// Bytes since the measured time began.
    pub bytes: u64,
    /// Whether it was watching when the measured time began.
    pub is_measured: bool,
    /// Whether its first byte of media has come.
    pub is_settled: bool,
    /// Whether it takes up one of the places for connecting viewers.
    pub is_pending: bool,
}

#[derive(Debug)]
pub(super) enum Life {
    /// Has not come yet, or is gone.
    Away,
    /// The handshake of TCP.
    Connecting(Wire),
    /// The request is sent; `answer` is what has come of the response's head.
    Asking {
        socket: Wire,
        answer: Vec<u8>,
    },
    Watching {
        socket: Wire,
        screen: Screen,
    },
}

/// What a viewer does with its bytes.
#[derive(Debug)]
pub(super) enum Screen {
    /// Counts them.
    Blank,
    /// Takes them apart: one of the crowd until its first media, any other to its end.
    Lit(Box<Reader>),
    /// As `Lit`, but does not read until then; `None` for never.
    Frozen {
        reader: Box<Reader>,
        until: Option<Instant>,
    },
}

#[derive(Debug)]
pub(super) struct Reader {
    unframer: Unframer,
    judge: Option<Judge>,
}

/// What the viewers of one part share.
pub(super) struct Shared<'a> {
    pub protocol: Protocol,
    pub run: Option<u64>,
    pub stall_for: Option<std::time::Duration>,
    pub now: Instant,
    pub findings: &'a mut Findings,
    /// [`READ_BYTES`] of it.
    pub scratch: &'a mut [u8],
}

/// What became of a viewer whose socket had news.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Nothing,
    /// The server accepted the viewer.
    Connected,
    /// Its first byte of media has come, perhaps with the answer itself.
    Joined {
        just_connected: bool,
    },
    /// The server refused the viewer.
    Failed,
    /// It was watching, and its connection ended.
    Dropped {
        just_connected: bool,
    },
}

/// Why reading stops.
enum Pause {
    /// All that came has been read, or as much as was allowed.
    Empty,
    Ended(String),
}

impl Viewer {
    pub fn new(assignment: Assignment, now: Instant) -> Viewer {
        Viewer {
            assignment,
            life: Life::Away,
            began: now,
            bytes: 0,
            is_measured: false,
            is_settled: false,
            is_pending: false,
        }
    }

    /// Begins to connect.
    pub fn connect(
        &mut self,
        server: SocketAddr,
        tls: Option<&WireTls>,
        (registry, token): (&Registry, Token),
        now: Instant,
    ) -> io::Result<()> {
        self.began = now;
        let socket = open_socket(server, self.assignment.index)?;
        if !self.assignment.role.is_healthy() {
            hold_little(&socket)?;
        }
        let mut socket = Wire::new(socket, tls)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(socket.tcp_mut(), token, interest)?;
        self.life = Life::Connecting(socket);
        self.is_settled = false;
        self.is_pending = true;
        Ok(())
    }

    /// Closes the connection, as a browser does when its window is closed.
    pub fn leave(&mut self, protocol: Protocol) {
        if let Life::Watching { socket, .. } = &mut self.life
            && protocol == Protocol::Ws
        {
            // It may be full: then the connection just ends.
            let _ = socket.write(MASKED_CLOSE);
        }
        self.life = Life::Away;
    }

    pub fn is_watching(&self) -> bool {
        matches!(self.life, Life::Watching { .. })
    }

    /// Its judge; `None` while it does not read.
    pub fn judge(&self) -> Option<&Judge> {
        match &self.life {
            Life::Watching {
                screen: Screen::Lit(reader),
                ..
            } => reader.judge.as_ref(),
            _ => None,
        }
    }

    /// Whether it still waits for an answer.
    pub fn is_connecting(&self) -> bool {
        matches!(self.life, Life::Connecting(_) | Life::Asking { .. })
    }

    /// Shows the server that the viewer is there, by an unsolicited pong (RFC 6455, 5.5.3): the
    /// crowd does not see the server's pings.
    pub fn show_presence(&mut self) {
        if let Life::Watching {
            socket,
            screen: Screen::Blank,
        } = &mut self.life
        {
            let _ = socket.write(&masked_pong(b""));
        }
    }

    /// Asks again for a stream that was not there, where it has to ask.
    pub fn ask_again(&mut self) {
        if let Life::Watching {
            socket,
            screen: Screen::Lit(reader),
        } = &mut self.life
            && let Unframer::Segments(segments) = &mut reader.unframer
            && let Some(request) = segments.ask_again()
        {
            // If it cannot be written, reading will tell why.
            let _ = socket.write_all(&request);
        }
    }

    /// Its socket has news, or its time has come. Reads `allowed` bytes at most.
    pub fn turn(&mut self, request: &[u8], allowed: usize, shared: &mut Shared) -> Outcome {
        if let Life::Connecting(socket) = &mut self.life {
            match is_connected(socket.tcp()).and_then(|connected| {
                if connected {
                    // A request is shorter than any socket's buffer.
                    socket.write_all(request)?;
                }
                Ok(connected)
            }) {
                Ok(false) => return Outcome::Nothing,
                Ok(true) => {}
                Err(error) => return self.fail(error.to_string(), shared),
            }
            let Life::Connecting(socket) = std::mem::replace(&mut self.life, Life::Away) else {
                return Outcome::Nothing;
            };
            self.life = Life::Asking {
                socket,
                answer: Vec::new(),
            };
        }
        let mut just_connected = false;
        let mut rest = Bytes::new();
        if let Life::Asking { socket, answer } = &mut self.life {
            match ask(socket, answer, (shared.protocol, request), shared.scratch) {
                Ok(None) => return Outcome::Nothing,
                Ok(Some((unframer, is_v1, after))) => {
                    just_connected = true;
                    rest = after;
                    self.watch(unframer, is_v1, shared);
                }
                Err(reason) => return self.fail(reason, shared),
            }
        }
        let had_media = self.is_settled;
        let pause = self.read(rest, allowed, shared);
        if let Pause::Ended(reason) = pause {
            self.life = Life::Away;
            keep(&mut shared.findings.reasons.dropped, reason);
            return Outcome::Dropped { just_connected };
        }
        match (had_media, self.is_settled, just_connected) {
            (false, true, _) => Outcome::Joined { just_connected },
            (_, _, true) => Outcome::Connected,
            _ => Outcome::Nothing,
        }
    }

    fn fail(&mut self, reason: String, shared: &mut Shared) -> Outcome {
        self.life = Life::Away;
        keep(&mut shared.findings.reasons.failed, reason);
        Outcome::Failed
    }

    /// The server accepted the request.
    fn watch(&mut self, unframer: Unframer, is_v1: bool, shared: &Shared) {
        let judge = match self.assignment.role {
            Role::Crowd => None,
            role => Some(Judge::new(is_v1, shared.run, role == Role::Sampled)),
        };
        if let Life::Asking { socket, .. } = std::mem::replace(&mut self.life, Life::Away) {
            let screen = Screen::Lit(Box::new(Reader { unframer, judge }));
            self.life = Life::Watching { socket, screen };
        }
    }

    fn read(&mut self, mut rest: Bytes, allowed: usize, shared: &mut Shared) -> Pause {
        let mut left = allowed;
        let counted = rest.len() as u64;
        self.bytes += counted;
        loop {
            let Life::Watching { socket, screen } = &mut self.life else {
                return Pause::Empty;
            };
            let reader = match screen {
                Screen::Blank => {
                    return match socket.discard(&mut self.bytes, shared.scratch) {
                        Ok(true) => Pause::Empty,
                        Ok(false) => Pause::Ended("the connection ended".into()),
                        Err(error) => Pause::Ended(error.to_string()),
                    };
                }
                Screen::Frozen { until, .. } if until.is_none_or(|at| at > shared.now) => {
                    return Pause::Empty;
                }
                Screen::Frozen { .. } => {
                    screen.thaw();
                    continue;
                }
                Screen::Lit(reader) => reader,
            };
            if rest.is_empty() {
                let most = left.min(shared.scratch.len());
                if most == 0 {
                    return Pause::Empty;
                }
                match socket.read(&mut shared.scratch[..most]) {
                    Ok(0) => return Pause::Ended("the connection ended".into()),
                    Ok(length) => {
                        rest = Bytes::copy_from_slice(&shared.scratch[..length]);
                        left -= length;
                        self.bytes += length as u64;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Pause::Empty,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Pause::Ended(error.to_string()),
                }
            }
            match reader.take(&mut rest, socket, shared.findings) {
                Ok(false) => {}
                Ok(true) if self.is_settled => {}
                Ok(true) => {
                    self.is_settled = true;
                    match self.assignment.role {
                        // It has to see where a segment ends.
                        Role::Crowd if shared.protocol == Protocol::Segments => {}
                        Role::Crowd => *screen = Screen::Blank,
                        Role::Stalled => screen.freeze(shared),
                        Role::Sampled | Role::Slow => {}
                    }
                }
                Err(reason) => return Pause::Ended(reason),
            }
        }
    }
}

impl Screen {
    fn freeze(&mut self, shared: &Shared) {
        if let Screen::Lit(reader) = std::mem::replace(self, Screen::Blank) {
            let until = shared.stall_for.map(|stall_for| shared.now + stall_for);
            *self = Screen::Frozen { reader, until };
        }
    }

    fn thaw(&mut self) {
        if let Screen::Frozen { mut reader, .. } = std::mem::replace(self, Screen::Blank) {
            if let Some(judge) = &mut reader.judge {
                judge.wake(stamp::now_ns());
            }
            *self = Screen::Lit(reader);
        }
    }

    /// Whether it has waited long enough.
    pub fn wakes(&self, now: Instant) -> bool {
        matches!(self, Screen::Frozen { until: Some(until), .. } if *until <= now)
    }
}

impl Reader {
    /// Takes the bytes apart; whether there were media among them.
    fn take(
        &mut self,
        bytes: &mut Bytes,
        socket: &mut Wire,
        findings: &mut Findings,
    ) -> Result<bool, String> {
        // When the bytes were there, not when the last of them has been looked at.
        let now_ns = stamp::now_ns();
        let mut has_media = false;
        loop {
            match self.unframer.next(bytes) {
                Ok(None) => return Ok(has_media),
                Ok(Some(Piece::Media(media))) => {
                    has_media = true;
                    if let Some(judge) = &mut self.judge {
                        judge.media(media, now_ns, findings);
                    }
                }
                Ok(Some(Piece::Text(text))) => {
                    if let Some(judge) = &mut self.judge {
                        judge.text(&text, findings);
                    }
                }
                Ok(Some(Piece::Ping(payload))) => {
                    // A socket too full for a pong is already slow.
                    let _ = socket.write(&masked_pong(&payload));
                }
                Ok(Some(Piece::Ask(request))) => {
                    // A request is shorter than any socket's buffer.
                    socket
                        .write_all(&request)
                        .map_err(|error| error.to_string())?;
                }
                Ok(Some(Piece::End(reason))) => {
                    return Err(format!("the server ended it: {reason}"));
                }
                Err(reason) => {
                    findings.fault(reason.clone());
                    return Err(reason);
                }
            }
        }
    }
}
