//! Figures of a node of a service.

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// What a node has to do with the others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nodes {
    pub connected: bool,
    /// Other nodes whose report is not too old.
    pub nodes: u64,
    /// Streams taken in from other nodes, or looked for.
    pub following: u64,
    pub sent_messages: u64,
    pub sent_bytes: u64,
    pub received_messages: u64,
    pub received_bytes: u64,
    pub joins: u64,
    pub gaps: u64,
    pub stale: u64,
    pub fenced: u64,
    pub leases_lost: u64,
    pub dropped: u64,
}

impl Nodes {
    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let gauges = [
            (
                "nats_connected",
                "Whether NATS is there",
                self.connected.into(),
            ),
            (
                "nodes_known",
                "Other nodes that were heard of lately",
                self.nodes,
            ),
            (
                "nodes_following",
                "Streams taken in from other nodes, or looked for",
                self.following,
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value as i64);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        let bytes = Some(Unit::Bytes);
        let counters = [
            (
                "nats_sent_messages",
                "Messages for NATS",
                None,
                self.sent_messages,
            ),
            (
                "nats_sent",
                "Payloads for NATS",
                bytes.clone(),
                self.sent_bytes,
            ),
            (
                "nats_received_messages",
                "Messages from NATS",
                None,
                self.received_messages,
            ),
            (
                "nats_received",
                "Payloads from NATS",
                bytes,
                self.received_bytes,
            ),
            (
                "nats_dropped",
                "Messages dropped from the queues to and from NATS: full, too old, or NATS was gone",
                None,
                self.dropped,
            ),
            (
                "nodes_joins",
                "Requests to other nodes for a stream's newest media",
                None,
                self.joins,
            ),
            (
                "nodes_gaps",
                "Times that media from another node were missing, and viewers skipped",
                None,
                self.gaps,
            ),
            (
                "nodes_stale_chunks",
                "Chunks from other nodes that were too old to be shown",
                None,
                self.stale,
            ),
            (
                "nodes_fenced_chunks",
                "Chunks of publishers that another one had replaced",
                None,
                self.fenced,
            ),
            (
                "nodes_leases_lost",
                "Publishers that a newer one on another node replaced",
                None,
                self.leases_lost,
            ),
        ];
        for (name, help, unit, value) in counters {
            let counter = ConstCounter::new(value);
            let metric =
                encoder.encode_descriptor(name, help, unit.as_ref(), counter.metric_type())?;
            counter.encode(metric)?;
        }
        Ok(())
    }
}
