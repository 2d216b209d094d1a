//! The old protocol of node-videostream: four ports beside the stream that they are about.
//!
//! ```text
//! PORT, PORT+1 ─► messages ─┬─► Kept ─► listeners at PORT+2, PORT+3      as they came
//!                           └─► the feeder's Publisher ─► the stream     as any publisher's
//! the stream's ring ──────────► Kept                     while an ordinary publisher is on air
//! ```
//!
//! The newest blob decides whose media listeners get. What a blob's publisher sends on either port goes to
//! the `Publisher` of the connection that the blob came by, the *feeder*. Bytes that are no WebM reach
//! listeners all the same; the stream knows nothing of them.
//!
//! - here: connections come and go; `reading`: publishers' messages; `feeding`: they enter the stream.
//! - `ordinary`: what ordinary publishers send becomes blobs and chunks; `listeners`: writing.
//!
//! Without `--compat-node-videostream` nothing here costs anything.

mod feeding;
mod listeners;
mod ordinary;
mod reading;

use crate::compat::{Kept, Port};
use crate::http::refusal::Refusal;
use crate::hub::Hub;
use crate::hub::requests::Exchange;
use crate::hub::settings::CompatSettings;
use crate::offline_reason::OfflineReason;
use crate::session::bucket::RateLimit;
use crate::session::inbound::Inbound;
use crate::session::relaying::Relaying;
use crate::session::{SessionId, Socket, State};
use crate::stream_name::StreamName;
use crate::websocket::{CloseCode, Handshake, close_frame, switching_protocols};
use bytes::Bytes;
use std::collections::BTreeSet;

/// Bytes that the kernel may hold for a listener and not have sent.
const UNSENT_BYTES: u32 = 256 << 10;

/// What the four ports share.
#[derive(Debug)]
pub struct Compat {
    name: StreamName,
    kept: Kept,
    blob_listeners: BTreeSet<SessionId>,
    chunk_listeners: BTreeSet<SessionId>,
    publishers: BTreeSet<SessionId>,
    /// The connection whose blob is the current one.
    feeder: Option<SessionId>,
    /// The ordinary publishers' chunks, while the newest blob is one of theirs.
    ring: Option<RingPlace>,
}

/// How far the ring has been passed on.
#[derive(Debug, Clone)]
struct RingPlace {
    /// Sequence of the next chunk.
    next: u64,
    /// The recording that the current blob is of; 0 before the first.
    recording: u64,
    /// Whether what comes next has no blob before it.
    needs_blob: bool,
    /// The newest init segment that has passed, and its generation.
    init: Option<(u32, Bytes)>,
}

impl RingPlace {
    fn at(next: u64, recording: u64) -> RingPlace {
        RingPlace {
            next,
            recording,
            needs_blob: true,
            init: None,
        }
    }
}

impl Compat {
    pub fn new(settings: &CompatSettings, init_bytes_max: usize) -> Compat {
        Compat {
            name: settings.stream.clone(),
            kept: Kept::new(settings.bytes, init_bytes_max),
            blob_listeners: BTreeSet::new(),
            chunk_listeners: BTreeSet::new(),
            publishers: BTreeSet::new(),
            feeder: None,
            ring: None,
        }
    }

    pub fn name(&self) -> &StreamName {
        &self.name
    }

    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    pub fn listeners(&self) -> usize {
        self.blob_listeners.len() + self.chunk_listeners.len()
    }

    fn list_of(&mut self, port: Port) -> &mut BTreeSet<SessionId> {
        match port {
            Port::BlobsIn | Port::ChunksIn => &mut self.publishers,
            Port::BlobsOut => &mut self.blob_listeners,
            Port::ChunksOut => &mut self.chunk_listeners,
        }
    }
}

impl<S: Socket> Hub<S> {
    /// Takes a new connection to a port of the old protocol: see [`Hub::admit`].
    pub fn admit_old(
        &mut self,
        socket: S,
        peer: std::net::IpAddr,
        port: Port,
    ) -> Option<SessionId> {
        let id = self.admit(socket, peer, None)?;
        self.sessions[id].set_port(port);
        Some(id)
    }

    /// The stream that the old protocol is about, if it is spoken.
    pub(super) fn compat_name(&self) -> Option<&StreamName> {
        self.compat.as_ref().map(|compat| compat.name())
    }

    /// Makes a connection a publisher or a listener of the old protocol.
    pub(super) fn open_old(
        &mut self,
        exchange: Exchange<'_>,
        port: Port,
        handshake: &Handshake,
    ) -> Result<(), Refusal> {
        let Exchange { id, head, rest } = exchange;
        self.check_room(id)?;
        self.count_client(id, head)?;
        let now = self.clock.now();
        let limits = &self.settings.limits;
        let Some(compat) = &mut self.compat else {
            return Ok(());
        };
        let relaying = if port.publishes() {
            let inbound = Inbound::publisher(&rest, limits.publisher_message_bytes);
            let rate = limits.max_publish_bits_per_s;
            let rate = rate.map(|bits_per_s| RateLimit::new(bits_per_s, now));
            Relaying::publisher_of(port, inbound, rate, now)
        } else {
            let inbound =
                (!rest.is_empty()).then(|| Inbound::viewer(&rest, limits.viewer_message_bytes));
            Relaying::listener(port, compat.kept(), inbound, now)
        };
        compat.list_of(port).insert(id);
        let session = &mut self.sessions[id];
        // The old pages offer no subprotocol, and the old relay spoke none.
        session.send(switching_protocols(&Handshake {
            subprotocol: None,
            ..handshake.clone()
        }));
        if !port.publishes() {
            session.socket_mut().limit_unsent(UNSENT_BYTES);
        }
        self.enter(id, State::Relaying(Box::new(relaying)));
        self.queue_read(id);
        self.queue_write(id);
        Ok(())
    }

    /// A connection of the old protocol has left.
    pub(super) fn old_left(&mut self, id: SessionId, mut relaying: Relaying) {
        let mut was_feeder = false;
        if let Some(compat) = &mut self.compat {
            compat.list_of(relaying.port()).remove(&id);
            was_feeder = compat.feeder.take_if(|feeder| *feeder == id).is_some();
        }
        let closed_well = relaying.closed_well();
        let old = relaying.old_publisher_mut();
        if let Some(mut publisher) = old.and_then(|old| old.publisher.take()) {
            if closed_well && publisher.offline_reason() == OfflineReason::Lost {
                publisher.set_offline_reason(OfflineReason::Ended);
            }
            self.publisher_left(id, *publisher);
        }
        if was_feeder {
            self.return_to_ordinary();
        }
    }

    /// Old listeners, and bytes that are kept for them.
    pub(super) fn compat_figures(&self) -> (u64, u64) {
        let compat = self.compat.as_ref();
        compat.map_or((0, 0), |compat| {
            (compat.listeners() as u64, compat.kept.byte_len() as u64)
        })
    }

    /// Says goodbye to a listener or a publisher because the server stops.
    pub(super) fn stop_old(&mut self, id: SessionId, reason: &'static str) {
        if let Some(publisher) = self.sessions[id].publisher_mut() {
            publisher.set_offline_reason(OfflineReason::Ended);
        }
        self.sessions[id].send(close_frame(CloseCode::GoingAway, reason));
        self.close_when_written(id);
    }
}
