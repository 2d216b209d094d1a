//! One connection of the old protocol: a publisher of blobs or chunks, or a listener for them.
//!
//! A listener is a [`Place`] among the messages that all share. What is handed to its socket are whole
//! frames, so that a control frame may follow any of them.

use super::bucket::RateLimit;
use super::inbound::Inbound;
use super::liveness::Liveness;
use super::outbox::{Outbox, write_slices};
use super::publisher::Publisher;
use super::viewer::WriteProgress;
use crate::compat::{Kept, Place, Port, Taken};
use crate::work::Debt;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Bytes that wait in one listener's outbox before no more are added: one frame may go beyond it.
const FILL_BYTES: usize = 64 << 10;

/// Slices that wait there: replies to pings have the other half.
const FILL_SLICES: usize = 32;

/// Bytes written to one listener before the next has its turn.
const TURN_BYTES: usize = 512 << 10;

#[derive(Debug)]
pub struct Relaying {
    port: Port,
    liveness: Liveness,
    /// What it sends. Of a listener, made when its first bytes come.
    inbound: Option<Box<Inbound>>,
    role: Role,
}

#[derive(Debug)]
enum Role {
    Listener {
        place: Place,
        /// When its place changed last.
        moved_at: Instant,
    },
    Publisher(OldPublisher),
}

/// What belongs to a publisher of the old protocol.
#[derive(Debug, Default)]
pub struct OldPublisher {
    /// Work that it overdrew in earlier turns.
    pub debt: Debt,
    pub rate: Option<RateLimit>,
    /// Whether a message has come from it.
    pub has_sent: bool,
    /// Of a publisher of blobs: what feeds the stream, if what came was WebM.
    pub publisher: Option<Box<Publisher>>,
}

/// What one write to a listener did.
#[derive(Debug, Clone, Copy)]
pub struct Listened {
    /// `Ended`: it was too slow, and the message that it should have next is gone.
    pub progress: WriteProgress,
    pub bytes: usize,
}

impl Listened {
    pub fn nothing(progress: WriteProgress) -> Listened {
        Listened { progress, bytes: 0 }
    }
}

impl Relaying {
    /// `rest` came behind the request.
    pub fn listener(port: Port, kept: &Kept, inbound: Option<Inbound>, now: Instant) -> Relaying {
        Relaying {
            port,
            liveness: Liveness::new(now),
            inbound: inbound.map(Box::new),
            role: Role::Listener {
                place: Place::of_newcomer(port, kept),
                moved_at: now,
            },
        }
    }

    pub fn publisher_of(
        port: Port,
        inbound: Inbound,
        rate: Option<RateLimit>,
        now: Instant,
    ) -> Relaying {
        Relaying {
            port,
            liveness: Liveness::new(now),
            inbound: Some(Box::new(inbound)),
            role: Role::Publisher(OldPublisher {
                rate,
                ..OldPublisher::default()
            }),
        }
    }

    pub fn port(&self) -> Port {
        self.port
    }

    pub fn publishes(&self) -> bool {
        matches!(self.role, Role::Publisher(_))
    }

    pub fn old_publisher(&self) -> Option<&OldPublisher> {
        match &self.role {
            Role::Publisher(old) => Some(old),
            Role::Listener { .. } => None,
        }
    }

    pub fn old_publisher_mut(&mut self) -> Option<&mut OldPublisher> {
        match &mut self.role {
            Role::Publisher(old) => Some(old),
            Role::Listener { .. } => None,
        }
    }

    /// What feeds the stream.
    pub fn publisher(&self) -> Option<&Publisher> {
        self.old_publisher()?.publisher.as_deref()
    }

    pub fn publisher_mut(&mut self) -> Option<&mut Publisher> {
        self.old_publisher_mut()?.publisher.as_deref_mut()
    }

    pub fn liveness(&self) -> &Liveness {
        &self.liveness
    }

    pub(super) fn liveness_mut(&mut self) -> &mut Liveness {
        &mut self.liveness
    }

    /// What reads its frames: made for messages of `message_bytes` if there is none.
    pub(super) fn inbound_mut(&mut self, message_bytes: usize) -> &mut Inbound {
        let inbound = &mut self.inbound;
        inbound.get_or_insert_with(|| Box::new(Inbound::viewer(&[], message_bytes)))
    }

    /// Whether its peer closed on purpose.
    pub fn closed_well(&self) -> bool {
        self.inbound.as_ref().is_some_and(|one| one.closed_well())
    }

    /// Bytes of memory for input that is not processed yet.
    pub fn held_bytes(&self) -> usize {
        let inbound = self.inbound.as_ref().map_or(0, |one| one.held_bytes());
        inbound + self.publisher().map_or(0, Publisher::held_bytes)
    }

    /// Whether it has been taking one piece for so long.
    pub fn has_stood_still(&self, time: Duration, now: Instant) -> bool {
        match self.role {
            Role::Listener { moved_at, .. } => now.saturating_duration_since(moved_at) >= time,
            Role::Publisher(_) => false,
        }
    }

    /// Whether it was too slow, and messages that it should have are gone.
    pub fn is_overtaken(&self, kept: &Kept) -> bool {
        match &self.role {
            Role::Listener { place, .. } => place.is_overtaken(self.port, kept),
            Role::Publisher(_) => false,
        }
    }

    /// Whether there is something for it that is not in its outbox.
    #[cfg(feature = "testing")]
    pub fn has_news(&self, kept: &Kept) -> bool {
        match &self.role {
            Role::Listener { place, .. } => place.clone().take(self.port, kept) != Taken::Nothing,
            Role::Publisher(_) => false,
        }
    }

    /// Writes what waits in `outbox` and, for a listener, all that is new in `kept`.
    pub(super) fn write(
        &mut self,
        socket: &mut impl Write,
        outbox: &mut Outbox,
        kept: &Kept,
        now: Instant,
    ) -> io::Result<Listened> {
        let mut bytes = 0;
        loop {
            let is_overtaken = self.fill(outbox, kept, now);
            if outbox.is_empty() || bytes >= TURN_BYTES {
                let progress = if is_overtaken {
                    WriteProgress::Ended
                } else if outbox.is_empty() {
                    WriteProgress::Level
                } else {
                    WriteProgress::More
                };
                return Ok(Listened { progress, bytes });
            }
            let taken = match write_slices(socket, outbox.slices()) {
                Ok(taken) => taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let progress = WriteProgress::Blocked;
                    return Ok(Listened { progress, bytes });
                }
                Err(error) => return Err(error),
            };
            outbox.advance(taken.written);
            bytes += taken.written;
            if taken.written < taken.offered || is_overtaken {
                let progress = if is_overtaken {
                    WriteProgress::Ended
                } else {
                    WriteProgress::Blocked
                };
                return Ok(Listened { progress, bytes });
            }
        }
    }

    /// Puts a listener's next frames into its outbox. Returns whether it has been overtaken.
    fn fill(&mut self, outbox: &mut Outbox, kept: &Kept, now: Instant) -> bool {
        let Role::Listener { place, moved_at } = &mut self.role else {
            return false;
        };
        while outbox.byte_len() < FILL_BYTES && outbox.len() + 3 <= FILL_SLICES {
            match place.take(self.port, kept) {
                Taken::Frame(parts) => {
                    *moved_at = now;
                    parts.into_iter().for_each(|part| outbox.push(part));
                }
                Taken::Nothing => return false,
                Taken::Overtaken => return true,
            }
        }
        false
    }
}
