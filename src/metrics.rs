//! Counters, and their JSON and Prometheus texts.
//!
//! The reactor owns the counters and is the only one to change them: plain integers, no atomics.
//! Pure rooms return what happened; `net` counts it.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use serde::Serialize;

mod histogram;

pub use histogram::{Sizes, Times};

/// Counts since the server started.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    pub connections_accepted: u64,
    pub connections_refused: u64,
    pub refused_for_memory: u64,
    pub requests: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    pub skips: u64,
    pub publishers_rejected: u64,
    pub viewers_timed_out: u64,
    /// Requests that waited for the hook's answer; that it did not let in; that it did not decide.
    pub auth_waits: u64,
    pub auth_refused: u64,
    pub auth_failed: u64,
    /// Viewers visited by sweeps. With the number of sweeps: how large they are.
    pub sweep_visits: u64,
    /// How long the reactor's turns take, the wait for events left out.
    pub turns: Times,
    /// Work done for publishers in turns that had some, by its prices: see [`crate::work`].
    pub turn_work: Times,
    /// From setting out to the last viewer written to.
    pub sweeps: Times,
    /// Bytes that viewers' sockets took in one write.
    pub write_bytes: Sizes,
}

/// The state of one stream, as `/api/streams/NAME` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamReport {
    pub name: String,
    pub live: bool,
    /// `null` before the first init segment.
    pub mime: Option<String>,
    pub codecs: Option<String>,
    /// Pixels, as the init segment tells them.
    pub width: Option<u64>,
    pub height: Option<u64>,
    pub audio: bool,
    /// Whether there is a picture at `/live/NAME.jpg`: asking in vain is an error in a browser's
    /// console.
    pub poster: bool,
    pub viewers: u64,
    pub viewers_ws: u64,
    pub viewers_http: u64,
    pub viewers_peak: u64,
    pub uptime_s: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    pub bitrate_bps: u64,
    /// `null` before the second keyframe.
    pub keyframe_interval_ms: Option<u64>,
    pub ring_bytes: u64,
    pub ring_ms: u64,
    pub skips: u64,
    pub publisher_restarts: u64,
    /// Viewers whose sockets are full. For `/metrics` alone.
    #[serde(skip)]
    pub viewers_behind: u64,
}

/// Everything there is to tell at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub counters: Counters,
    pub connections: u64,
    pub held_bytes: u64,
    /// Requests that wait for the hook's answer.
    pub auth_waiting: u64,
    pub streams: Vec<StreamReport>,
}

/// The text that Prometheus scrapes (OpenMetrics).
pub fn prometheus(snapshot: Snapshot) -> String {
    let mut registry = Registry::with_prefix("videostream");
    registry.register_collector(Box::new(snapshot));
    let mut text = String::new();
    encode(&mut text, &registry).expect("a String takes all that is written");
    text
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
                "Connections refused because the server was full, or their client had too many",
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
                "publishers_rejected",
                "Publishers closed for what they sent",
                None,
                counters.publishers_rejected,
            ),
            (
                "viewers_timed_out",
                "Viewers closed because they accepted nothing, or too little",
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
                "Requests that --auth-url did not let in",
                None,
                counters.auth_refused,
            ),
            (
                "auth_failed",
                "Requests refused because --auth-url did not decide",
                None,
                counters.auth_failed,
            ),
            (
                "sweep_visits",
                "Viewers visited in sweeps over audiences",
                None,
                counters.sweep_visits,
            ),
        ];
        for (name, help, unit, value) in total {
            let counter = ConstCounter::new(value);
            let metric =
                encoder.encode_descriptor(name, help, unit.as_ref(), counter.metric_type())?;
            counter.encode(metric)?;
        }
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
        let held = ConstGauge::new(self.held_bytes as i64);
        let help = "Media, posters and what waits to be written: see --max-memory";
        let metric =
            encoder.encode_descriptor("held", help, Some(&Unit::Bytes), held.metric_type())?;
        held.encode(metric)?;
        self.encode_streams(&mut encoder)
    }
}

impl Snapshot {
    fn encode_streams(&self, encoder: &mut DescriptorEncoder) -> Result<(), std::fmt::Error> {
        type Value = fn(&StreamReport) -> u64;
        let gauges: [(&str, &str, Option<Unit>, Value); 6] = [
            ("stream_live", "Whether a publisher is here", None, |s| {
                u64::from(s.live)
            }),
            ("stream_viewers", "Viewers connected", None, |s| s.viewers),
            (
                "stream_ring",
                "Media kept for slow and late viewers",
                Some(Unit::Bytes),
                |s| s.ring_bytes,
            ),
            (
                "stream_ring_ms",
                "Milliseconds of media kept for slow and late viewers",
                None,
                |s| s.ring_ms,
            ),
            (
                "stream_viewers_behind",
                "Viewers whose sockets are full",
                None,
                |s| s.viewers_behind,
            ),
            (
                "stream_bitrate_bps",
                "Bits per second from the publisher",
                None,
                |s| s.bitrate_bps,
            ),
        ];
        for (name, help, unit, value) in gauges {
            let none = ConstGauge::<i64>::new(0);
            let mut metric =
                encoder.encode_descriptor(name, help, unit.as_ref(), none.metric_type())?;
            for stream in &self.streams {
                let labels = [("stream", stream.name.as_str())];
                let gauge = ConstGauge::new(value(stream) as i64);
                gauge.encode(metric.encode_family(&labels)?)?;
            }
        }
        let counters: [(&str, &str, Option<Unit>, Value); 4] = [
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
                let labels = [("stream", stream.name.as_str())];
                let counter = ConstCounter::new(value(stream));
                counter.encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_prometheus_text_names_every_stream() {
        let stream = StreamReport {
            name: "demo".into(),
            live: true,
            mime: None,
            codecs: None,
            width: None,
            height: None,
            audio: false,
            poster: false,
            viewers: 3,
            viewers_ws: 2,
            viewers_http: 1,
            viewers_peak: 4,
            uptime_s: 9,
            received_bytes: 10,
            sent_bytes: 20,
            bitrate_bps: 30,
            keyframe_interval_ms: None,
            ring_bytes: 40,
            ring_ms: 50,
            skips: 5,
            publisher_restarts: 6,
            viewers_behind: 1,
        };
        let mut counters = Counters {
            sent_bytes: 77,
            ..Counters::default()
        };
        counters.turns.record(Duration::from_millis(3));
        counters.write_bytes.record(31_250);
        let text = prometheus(Snapshot {
            counters,
            connections: 8,
            held_bytes: 90,
            auth_waiting: 2,
            streams: vec![stream],
        });
        for line in [
            "videostream_sent_bytes_total 77",
            "videostream_connections 8",
            "videostream_held_bytes 90",
            "videostream_auth_waiting 2",
            "videostream_stream_viewers{stream=\"demo\"} 3",
            "videostream_stream_skips_total{stream=\"demo\"} 5",
            "videostream_stream_viewers_behind{stream=\"demo\"} 1",
            "videostream_turn_seconds_count 1",
            "videostream_turn_seconds_bucket{le=\"0.0025\"} 0",
            "videostream_turn_seconds_bucket{le=\"0.005\"} 1",
            "videostream_write_bytes_bucket{le=\"32768.0\"} 1",
            "videostream_turn_seconds_bucket{le=\"+Inf\"} 1",
            "videostream_sweep_seconds_count 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in\n{text}");
        }
    }
}
