//! The texts of a [`Snapshot`]: Prometheus and OpenMetrics for `/metrics`, JSON for reports.

use super::{Refusals, Snapshot, StreamReport};
use crate::http::refusal::Cause;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use serde::Serialize;

/// How `/metrics` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// What Prometheus has always read, and a browser shows.
    Prometheus,
    /// For clients that ask for it.
    OpenMetrics,
}

impl TextFormat {
    pub fn media_type(self) -> &'static str {
        match self {
            TextFormat::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            TextFormat::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The text that is scraped, in memory that is used again.
    pub fn text(self, snapshot: Snapshot, texts: &mut Texts) -> &str {
        let mut registry = Registry::with_prefix("videostream");
        registry.register_collector(Box::new(snapshot));
        texts.openmetrics.clear();
        encode(&mut texts.openmetrics, &registry).expect("a String takes all that is written");
        match self {
            TextFormat::OpenMetrics => &texts.openmetrics,
            TextFormat::Prometheus => {
                texts.prometheus.clear();
                without_openmetrics(&texts.openmetrics, &mut texts.prometheus);
                &texts.prometheus
            }
        }
    }
}

/// Memory that texts are written in. It is kept, because the allocator would keep it anyhow.
#[derive(Debug, Default)]
pub struct Texts {
    openmetrics: String,
    prometheus: String,
    json: Vec<u8>,
}

impl Texts {
    pub fn json(&mut self, value: &impl Serialize) -> &[u8] {
        self.json.clear();
        serde_json::to_writer(&mut self.json, value).expect("reports have string keys alone");
        &self.json
    }
}

/// OpenMetrics as the older format has it: a counter is called like its samples, units and the end are
/// not told. All else is the same.
fn without_openmetrics(text: &str, out: &mut String) {
    out.reserve(text.len());
    // A family's help comes before its type.
    let mut help = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        {
            let ending = if kind == "counter" { "_total" } else { "" };
            if let Some((_, help)) = help.take() {
                *out += &format!("# HELP {name}{ending} {help}\n");
            }
            *out += &format!("# TYPE {name}{ending} {kind}\n");
        } else if !line.starts_with('#') {
            *out += line;
            out.push('\n');
        }
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let counters = &self.counters;
        let total = [
            (
                "connections_accepted",
                "Connections accepted",
                None,
                counters.connections_accepted,
            ),
            (
                "connections_refused",
                "Connections refused because the server was full or their client had too many",
                None,
                counters.connections_refused,
            ),
            (
                "refused_for_memory",
                "Streams and viewers refused because of --max-memory",
                None,
                counters.refused_for_memory,
            ),
            (
                "closed_for_memory",
                "Connections and streams closed to stay within --max-memory",
                None,
                counters.closed_for_memory,
            ),
            (
                "requests",
                "HTTP requests answered or upgraded",
                None,
                counters.requests,
            ),
            (
                "received",
                "Media received from publishers",
                Some(Unit::Bytes),
                counters.received_bytes,
            ),
            (
                "sent",
                "Bytes sent to viewers, framing included",
                Some(Unit::Bytes),
                counters.sent_bytes,
            ),
            (
                "skips",
                "Viewers that were too slow and skipped to the newest keyframe",
                None,
                counters.skips,
            ),
            (
                "segments",
                "Segments sent, whole or as they grow",
                None,
                counters.segments,
            ),
            (
                "segments_cut",
                "Segments cut off because their reader was too slow",
                None,
                counters.segments_cut,
            ),
            (
                "timestamp_steps",
                "Times that a publisher's timestamps stepped and were anchored anew",
                None,
                counters.timestamp_steps,
            ),
            (
                "publishers_rejected",
                "Publishers closed for what they sent",
                None,
                counters.publishers_rejected,
            ),
            (
                "viewers_timed_out",
                "Viewers closed because they took nothing or too little",
                None,
                counters.viewers_timed_out,
            ),
            (
                "auth_waits",
                "Requests that waited for an answer of --auth-url",
                None,
                counters.auth_waits,
            ),
            (
                "auth_refused",
                "Requests that --auth-url refused",
                None,
                counters.auth_refused,
            ),
            (
                "auth_failed",
                "Requests refused because --auth-url gave no verdict",
                None,
                counters.auth_failed,
            ),
            (
                "sweep_visits",
                "Viewers visited in sweeps over audiences",
                None,
                counters.sweep_visits,
            ),
            (
                "compat_messages",
                "Messages from publishers of the old protocol",
                None,
                counters.compat_messages,
            ),
            (
                "compat_blobs",
                "Blobs passed on to listeners of the old protocol",
                None,
                counters.compat_blobs,
            ),
            (
                "compat_overtaken",
                "Listeners of the old protocol closed because they were too slow",
                None,
                counters.compat_overtaken,
            ),
            (
                "recordings_finished",
                "Recordings finished",
                None,
                self.recordings.finished,
            ),
            (
                "recordings_failed",
                "Times that a recording ended or did not begin because of its disk",
                None,
                self.recordings.failed,
            ),
            (
                "recording_gops_lost",
                "GOPs that are missing in recordings because the disk was too slow",
                None,
                self.recordings.gops_lost,
            ),
            (
                "recorded",
                "Bytes written to recordings",
                Some(Unit::Bytes),
                self.recordings.written_bytes,
            ),
            (
                "events_delivered",
                "Events that --event-url took",
                None,
                self.events.delivered,
            ),
            (
                "events_dropped",
                "Events that --event-url did not take in time, or that found the queue full",
                None,
                self.events.dropped,
            ),
            (
                "event_tries_failed",
                "Requests to --event-url that were not answered with 2xx",
                None,
                self.events.failed_tries,
            ),
            (
                "log_lines_lost",
                "Lines of the log that standard error did not take",
                None,
                self.log_lines_lost,
            ),
        ];
        for (name, help, unit, value) in total {
            let counter = ConstCounter::new(value);
            let metric =
                encoder.encode_descriptor(name, help, unit.as_ref(), counter.metric_type())?;
            counter.encode(metric)?;
        }
        let cpu = ConstCounter::new(self.cpu.as_secs_f64());
        let help = "CPU time of the process, in user and in kernel mode";
        let unit = Some(&Unit::Seconds);
        let metric = encoder.encode_descriptor("process_cpu", help, unit, cpu.metric_type())?;
        cpu.encode(metric)?;
        counters.refusals.encode(&mut encoder)?;
        counters.turns.encode(
            &mut encoder,
            "turn",
            "Time that one turn of the event loop took, without its wait",
        )?;
        counters.turn_work.encode(
            &mut encoder,
            "turn_work",
            "Work for publishers in one turn of the event loop, as counted by its budget of 0.003",
        )?;
        counters.sweeps.encode(
            &mut encoder,
            "sweep",
            "Time of one round over a stream's viewers, from the first written to to the last",
        )?;
        counters.write_bytes.encode(
            &mut encoder,
            "write",
            "Bytes that a viewer's socket took in one write",
        )?;
        let now = [
            ("connections", "Connections open", self.connections),
            (
                "auth_waiting",
                "Requests that wait for an answer of --auth-url",
                self.auth_waiting,
            ),
            (
                "segments_waiting",
                "Requests that wait for a segment to begin or to end",
                self.segments_waiting,
            ),
            (
                "segments_sending",
                "Requests that a segment is being sent to",
                self.segments_sending,
            ),
            (
                "compat_listeners",
                "Connections that listen by the old protocol",
                self.compat_listeners,
            ),
            (
                "events_waiting",
                "Events that wait for --event-url",
                self.events.waiting,
            ),
            (
                "recordings_open",
                "Recordings being written",
                self.recordings.open,
            ),
            (
                "streams",
                "Streams with a publisher",
                self.streams.iter().filter(|stream| stream.live).count() as u64,
            ),
        ];
        for (name, help, value) in now {
            let gauge = ConstGauge::new(value as i64);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        let memory = [
            (
                "held",
                "Memory allocated since the server listens: see --max-memory",
                self.held_bytes,
            ),
            (
                "process_resident_memory",
                "Resident memory of the process",
                self.resident_bytes,
            ),
            (
                "compat_kept",
                "Memory of the messages kept for listeners of the old protocol",
                self.compat_kept_bytes,
            ),
            (
                "recording_queue",
                "Media that wait for the disk: see --record-queue",
                self.recordings.queued_bytes,
            ),
        ];
        for (name, help, bytes) in memory {
            let gauge = ConstGauge::new(bytes as i64);
            let unit = Some(&Unit::Bytes);
            let metric = encoder.encode_descriptor(name, help, unit, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        if let Some(nodes) = &self.nodes {
            nodes.encode(&mut encoder)?;
        }
        self.encode_streams(&mut encoder)
    }
}

/// A stream's name, and its node where there are several.
fn labels(stream: &StreamReport) -> Vec<(&str, &str)> {
    let node = stream.node.as_deref().map(|node| ("node", node));
    [("stream", stream.name.as_str())]
        .into_iter()
        .chain(node)
        .collect()
}

impl Snapshot {
    fn encode_streams(&self, encoder: &mut DescriptorEncoder) -> Result<(), std::fmt::Error> {
        // Whole numbers are written without a point.
        enum Figure {
            Whole(u64),
            Part(f64),
        }
        use Figure::{Part, Whole};
        type Value<T> = fn(&StreamReport) -> T;
        let gauges: [(&str, &str, Option<Unit>, Value<Figure>); 6] = [
            ("stream_live", "Whether a publisher is here", None, |s| {
                Whole(s.live.into())
            }),
            ("stream_viewers", "Viewers connected", None, |s| {
                Whole(s.viewers)
            }),
            (
                "stream_ring",
                "Memory of the media kept for slow and late viewers",
                Some(Unit::Bytes),
                |s| Whole(s.ring_bytes),
            ),
            (
                "stream_ring",
                "Duration of the media kept for slow and late viewers",
                Some(Unit::Seconds),
                |s| Part(s.ring_ms as f64 / 1000.0),
            ),
            (
                "stream_viewers_behind",
                "Viewers whose sockets are full",
                None,
                |s| Whole(s.viewers_behind),
            ),
            (
                "stream_received_bytes_per_second",
                "Media received from the publisher in each of the last two seconds",
                None,
                |s| Whole(s.bitrate_bps / 8),
            ),
        ];
        for (name, help, unit, value) in gauges {
            let none = ConstGauge::<i64>::new(0);
            let mut metric =
                encoder.encode_descriptor(name, help, unit.as_ref(), none.metric_type())?;
            for stream in &self.streams {
                let labels = labels(stream);
                let metric = metric.encode_family(&labels)?;
                match value(stream) {
                    Whole(value) => ConstGauge::new(value as i64).encode(metric)?,
                    Part(value) => ConstGauge::new(value).encode(metric)?,
                }
            }
        }
        let counters: [(&str, &str, Option<Unit>, Value<u64>); 4] = [
            (
                "stream_received",
                "Media received from its publishers",
                Some(Unit::Bytes),
                |s| s.received_bytes,
            ),
            (
                "stream_sent",
                "Bytes sent to its viewers",
                Some(Unit::Bytes),
                |s| s.sent_bytes,
            ),
            ("stream_skips", "Skips of its viewers", None, |s| s.skips),
            ("stream_restarts", "Recordings after its first", None, |s| {
                s.publisher_restarts
            }),
        ];
        for (name, help, unit, value) in counters {
            let none = ConstCounter::<u64>::new(0);
            let mut metric =
                encoder.encode_descriptor(name, help, unit.as_ref(), none.metric_type())?;
            for stream in &self.streams {
                let counter = ConstCounter::new(value(stream));
                counter.encode(metric.encode_family(&labels(stream))?)?;
            }
        }
        Ok(())
    }
}

impl Refusals {
    fn encode(&self, encoder: &mut DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let help = "Requests and media refused, by the reason";
        let none = ConstCounter::<u64>::new(0);
        let mut metric = encoder.encode_descriptor("refusals", help, None, none.metric_type())?;
        for (cause, &count) in Cause::ALL.into_iter().zip(&self.0) {
            let labels = [("reason", cause.as_str())];
            ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
