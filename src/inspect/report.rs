//! What `inspect` has to say, as JSON and as a table for people.

use super::figures::Figures;
use crate::webm::{Track, TrackKind};
use serde::Serialize;
use std::fmt;

/// Everything `inspect` has to say. Offsets count from the start of the file.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub file: String,
    /// This and the next four are `None` when the file has no whole head.
    pub doctype: Option<&'static str>,
    /// As the file's head tells it: a live recording does not know.
    pub duration_ms: Option<f64>,
    /// Nanoseconds a tick.
    pub timestamp_scale: Option<u64>,
    pub mime: Option<String>,
    pub init: Option<Init>,
    pub tracks: Vec<TrackReport>,
    pub clusters: Vec<ClusterReport>,
    /// Where a viewer may join.
    pub keyframes: Vec<Keyframe>,
    pub blocks: u64,
    pub errors: Vec<Fault>,
    /// What players and servers have to make up for. In the JSON only where there is any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Fault>,
    /// Rates, GOPs, gaps and skew; `None` where no track has two blocks.
    pub figures: Option<Figures>,
    /// How many times the file starts anew, and the last timestamp: for the table only.
    #[serde(skip)]
    pub(super) recordings: usize,
    #[serde(skip)]
    pub(super) last_timestamp_ms: Option<i64>,
    /// Blocks of tracks that the head does not name: players pass over them.
    #[serde(skip)]
    pub(super) strays: u64,
}

/// The bytes before the first Cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Init {
    pub offset: u64,
    pub length: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrackReport {
    pub number: u64,
    pub kind: &'static str,
    pub codec: String,
    pub codec_id: String,
    pub width: Option<u64>,
    pub height: Option<u64>,
    pub sample_rate: Option<f64>,
    pub channels: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClusterReport {
    pub offset: u64,
    pub timestamp_ms: i64,
    /// Bytes of payload; `None` when unknown.
    pub size: Option<u64>,
    pub blocks: u64,
}

/// A block that a viewer may join at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Keyframe {
    pub offset: u64,
    pub cluster_offset: u64,
    /// Its track's number in the file.
    pub track: u64,
    pub timestamp_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub offset: u64,
    pub message: String,
}

impl TrackReport {
    pub(super) fn new(track: &Track) -> TrackReport {
        let is_audio = track.kind == TrackKind::Audio;
        TrackReport {
            number: track.number,
            kind: track.kind.as_str(),
            codec: track.codec(),
            codec_id: track.codec_id.clone(),
            width: (track.width > 0).then_some(track.width),
            height: (track.height > 0).then_some(track.height),
            // JSON has no word for a number that is none.
            sample_rate: (is_audio && track.sample_rate.is_finite()).then_some(track.sample_rate),
            channels: is_audio.then_some(track.channels),
        }
    }
}

impl fmt::Display for TrackReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}: {} ({})",
            self.kind,
            self.number,
            self.codec,
            printable(&self.codec_id)
        )?;
        if let (Some(width), Some(height)) = (self.width, self.height) {
            write!(f, ", {width} × {height}")?;
        }
        if let (Some(rate), Some(channels)) = (self.sample_rate, self.channels) {
            write!(f, ", {rate} Hz, {channels} ch")?;
        }
        Ok(())
    }
}

/// The table for people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "file        {}", printable(&self.file))?;
        if let (Some(doctype), Some(mime), Some(scale), Some(init)) =
            (self.doctype, &self.mime, self.timestamp_scale, self.init)
        {
            writeln!(
                f,
                "type        {mime} (DocType {doctype}, {scale} ns a tick)"
            )?;
            writeln!(
                f,
                "init        {} bytes at byte {}",
                init.length, init.offset
            )?;
        }
        match (self.duration_ms, self.last_timestamp_ms) {
            (Some(told), _) => writeln!(f, "duration    {told} ms")?,
            (None, Some(last)) => writeln!(f, "duration    not told; last block at {last} ms")?,
            (None, None) => {}
        }
        for track in &self.tracks {
            writeln!(f, "track       {track}")?;
        }
        if self.recordings > 1 {
            writeln!(
                f,
                "recordings  {}; the head above is the first one's",
                self.recordings
            )?;
        }
        self.fmt_clusters(f)?;
        writeln!(
            f,
            "\n{} blocks in {} clusters, {} join points",
            self.blocks,
            self.clusters.len(),
            self.keyframes.len()
        )?;
        if self.strays > 0 {
            writeln!(
                f,
                "{} blocks belong to no track, and are passed over",
                self.strays
            )?;
        }
        if let Some(figures) = &self.figures {
            write!(f, "{figures}")?;
        }
        for remark in &self.remarks {
            writeln!(f, "remark at byte {}: {}", remark.offset, remark.message)?;
        }
        for fault in &self.errors {
            writeln!(f, "error at byte {}: {}", fault.offset, fault.message)?;
        }
        Ok(())
    }
}

impl Report {
    /// A line for each Cluster, with the times of its join points.
    fn fmt_clusters(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More than these would only push the rest off the screen.
        const JOIN_POINTS_SHOWN: usize = 4;

        if self.clusters.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\n{:>12} {:>10} {:>10} {:>7}  join points",
            "cluster at", "ms", "size", "blocks"
        )?;
        let mut keyframes = self.keyframes.as_slice();
        for cluster in &self.clusters {
            let count = keyframes
                .iter()
                .take_while(|keyframe| keyframe.cluster_offset == cluster.offset)
                .count();
            let (own, rest) = keyframes.split_at(count);
            keyframes = rest;
            let shown = &own[..own.len().min(JOIN_POINTS_SHOWN)];
            let mut times: Vec<String> = shown
                .iter()
                .map(|keyframe| format!("{} ms", keyframe.timestamp_ms))
                .collect();
            if own.len() > shown.len() {
                times.push(format!("… {} in all", own.len()));
            }
            let size = cluster
                .size
                .map_or("unknown".into(), |size| size.to_string());
            let line = format!(
                "{:>12} {:>10} {size:>10} {:>7}  {}",
                cluster.offset,
                cluster.timestamp_ms,
                cluster.blocks,
                times.join(", ")
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// What a file says goes to a terminal: control characters stay out.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
