//! Counters, and their JSON and Prometheus texts.
//!
//! The hub owns the counters and is the only one to change them: plain integers, no atomics. Other pure
//! rooms return what happened; `hub` counts it.

use crate::http::refusal::Cause;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

mod histogram;
mod nodes;
mod text;

pub use histogram::{Sizes, Times};
pub use nodes::Nodes;
pub use text::{TextFormat, Texts};

/// Counts since the server started.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    pub connections_accepted: u64,
    pub connections_refused: u64,
    pub refused_for_memory: u64,
    pub closed_for_memory: u64,
    pub requests: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    pub skips: u64,
    /// Segments whose sending began, and those cut off because the ring had dropped them.
    pub segments: u64,
    pub segments_cut: u64,
    /// Times that a recording's timestamps stepped.
    pub timestamp_steps: u64,
    pub publishers_rejected: u64,
    pub viewers_timed_out: u64,
    pub refusals: Refusals,
    /// Of the old protocol: messages that came, blobs among what listeners got, and listeners that were
    /// too slow.
    pub compat_messages: u64,
    pub compat_blobs: u64,
    pub compat_overtaken: u64,
    /// Requests that waited for the hook's answer; that it did not let in; that it did not decide.
    pub auth_waits: u64,
    pub auth_refused: u64,
    pub auth_failed: u64,
    /// Viewers visited by sweeps. With the number of sweeps: how large they are.
    pub sweep_visits: u64,
    /// How long turns take, the wait for events left out.
    pub turns: Times,
    /// Work done for publishers in turns that had some, by its prices: see [`crate::work`].
    pub turn_work: Times,
    /// From setting out to the last viewer written to.
    pub sweeps: Times,
    /// Bytes that viewers' sockets took in one write.
    pub write_bytes: Sizes,
}

/// Requests and media that were refused, by their cause.
#[derive(Debug, Clone, Default)]
pub struct Refusals([u64; Cause::ALL.len()]);

impl Refusals {
    pub fn count(&mut self, cause: Cause) {
        self.0[cause as usize] += 1;
    }
}

/// The state of one stream, as `/api/streams/NAME` tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamReport {
    pub name: String,
    /// The node of its publisher, where there are several nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Arc<str>>,
    pub live: bool,
    /// `null` before the first init segment.
    pub mime: Option<String>,
    pub codecs: Option<String>,
    /// Pixels, as the init segment tells them.
    pub width: Option<u64>,
    pub height: Option<u64>,
    pub audio: bool,
    /// The path of the best picture that there is of it: there is one always.
    pub poster: String,
    /// Another one stands for another picture; `null` for that of the name.
    pub poster_version: Option<String>,
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
    /// How far back a viewer can begin, in the ring or in the recording that is being written.
    pub back_ms: u64,
    pub skips: u64,
    pub publisher_restarts: u64,
    /// Whether a recording of it is being written.
    pub recording: bool,
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
    /// CPU time of the process, and its resident memory.
    pub cpu: Duration,
    pub resident_bytes: u64,
    /// Requests that wait for the hook's answer.
    pub auth_waiting: u64,
    /// Requests that wait for a segment, and those that one is being sent to.
    pub segments_waiting: u64,
    pub segments_sending: u64,
    /// Lines of the log that standard error did not take.
    pub log_lines_lost: u64,
    /// Of the old protocol: listeners, and bytes kept for them.
    pub compat_listeners: u64,
    pub compat_kept_bytes: u64,
    pub recordings: Recordings,
    pub events: Events,
    /// `None` without `--nats`.
    pub nodes: Option<Nodes>,
    pub streams: Vec<StreamReport>,
}

/// What became of recordings, and what waits for the disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recordings {
    pub open: u64,
    pub finished: u64,
    pub failed: u64,
    pub gops_lost: u64,
    pub written_bytes: u64,
    pub queued_bytes: u64,
}

/// What became of events for `--event-url`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Events {
    pub delivered: u64,
    pub dropped: u64,
    pub failed_tries: u64,
    pub waiting: u64,
}

#[cfg(test)]
mod tests;
