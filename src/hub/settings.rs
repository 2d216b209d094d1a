//! What the options say. The hub reads it and changes nothing in it.

use super::RecordSettings;
use crate::access::Access;
use crate::config::{Limits, Serve};
use crate::events::Tally;
use crate::http::base_path::BasePath;
use crate::http::forwarded::TrustedProxies;
use crate::record::{GrowingFiles, Ledger};
use crate::stream_name::StreamName;
use crate::{service, stream, webm, work};
use std::net::IpAddr;
use std::time::Duration;

#[derive(Debug)]
pub struct Settings {
    /// The rules for publishing and watching.
    pub access: Access,
    /// Proxies whose client addresses are trusted.
    pub proxies: TrustedProxies,
    /// Whether every connection begins with a PROXY header.
    pub proxy_protocol: bool,
    /// The path prefix of all addresses. They exist without it as well.
    pub base_path: BasePath,
    /// `None` without a web hook.
    pub hook: Option<HookSettings>,
    /// `None` without `--record`.
    pub record: Option<RecordSettings>,
    /// `None` without `--event-url`.
    pub events: Option<EventSettings>,
    /// The service that this process is a node of; `None` without `--nats`.
    pub service: Option<service::Settings>,
    pub limits: Limits,
    /// Connections at once.
    pub max_connections: usize,
    /// The old protocol; `None` unless it was asked for.
    pub compat: Option<CompatSettings>,
    /// Work for all publishers of one turn together.
    pub turn_work: u64,
}

/// What the old protocol of node-videostream is about.
#[derive(Debug, Clone)]
pub struct CompatSettings {
    pub stream: StreamName,
    /// Bytes of messages kept for newcomers and slow listeners.
    pub bytes: usize,
}

/// How the hub makes events for `--event-url`.
#[derive(Debug, Clone)]
pub struct EventSettings {
    /// A publisher that comes back within this time has not ended.
    pub grace: Duration,
    /// What became of those that were told.
    pub tally: Tally,
}

/// How verdicts of the web hook are waited for and kept.
#[derive(Debug, Clone, Copy)]
pub struct HookSettings {
    /// The hook itself may take this long.
    pub timeout: Duration,
    /// A verdict holds for this long.
    pub cache: Duration,
}

/// The part of `--max-memory` that may hold where chunks begin in recordings that are being written.
const MARKS_SHARE: usize = 8;

impl Settings {
    /// Settings of a server that can hold `most` connections at once, even if the configuration
    /// asks for more.
    pub fn new(config: &Serve, most: usize) -> Settings {
        let asked = config.limits.max_connections;
        Settings {
            access: config.access.clone(),
            proxies: config.proxies.clone(),
            proxy_protocol: config.proxy_protocol,
            base_path: config.base_path.clone(),
            hook: config.hook.as_ref().map(|hook| HookSettings {
                timeout: hook.timeout,
                cache: hook.cache,
            }),
            record: config.record.clone().map(|mut record| {
                let mut ledger = Ledger::default();
                // A slow disk must not cost clients, nor long recordings: what waits for it, and what is
                // known of them, counts for --max-memory.
                if let Some(most) = config.limits.max_memory_bytes {
                    record.queue_bytes = record.queue_bytes.min(most as u64 / 4);
                    ledger.growing = GrowingFiles::with_marks_within(most / MARKS_SHARE);
                }
                RecordSettings { record, ledger }
            }),
            events: config.events.as_ref().map(|events| EventSettings {
                grace: events.grace,
                tally: Tally::default(),
            }),
            service: config.nodes.as_ref().map(|nodes| service::Settings {
                node: nodes.node.as_str().into(),
                instance: nodes.instance.as_str().into(),
                prefix: nodes.prefix.clone(),
                domain: nodes.domain.clone(),
                max_lag: Duration::from_millis(config.limits.lag_ms),
            }),
            limits: config.limits.clone(),
            max_connections: asked.map_or(most, |asked| asked.min(most)),
            compat: config.compat.as_ref().map(|compat| CompatSettings {
                stream: compat.stream.clone(),
                bytes: compat.bytes,
            }),
            turn_work: work::TURN_WORK,
        }
    }

    /// Whether this peer is a client itself, and counts as one when it connects. A PROXY header from it
    /// changes nothing: it is not trusted.
    pub fn is_direct(&self, peer: IpAddr) -> bool {
        !self.proxies.trusts(peer)
    }

    pub(crate) fn stream_limits(&self) -> stream::Limits {
        let limits = &self.limits;
        stream::Limits {
            webm: webm::Limits {
                init_bytes: limits.init_bytes,
                block_bytes: limits.block_bytes,
            },
            ring_bytes: limits.ring_bytes,
            ring_ms: limits.ring_ms,
            lag_ms: limits.lag_ms,
        }
    }
}
