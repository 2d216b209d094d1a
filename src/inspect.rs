//! What `webm` sees in a file: tracks, Clusters, join points, and what is wrong and where.
//!
//! [`inspect`] reads a file in pieces and gives a [`Report`], which serializes to the JSON of
//! `videostream inspect --json` and displays as its table. Frames are dropped as they are read: the
//! report grows with the number of Clusters and keyframes, not with the file.
//!
//! A file may hold several recordings one after another, as a stream may. The report's head is that
//! of the first; Clusters and keyframes are those of all.

mod figures;
mod report;

use crate::webm::{Block, ClusterHead, Event, Limits, Recording, Segmenter};
use bytes::Bytes;
use figures::Collector;
use report::{ClusterReport, Fault, Init, Keyframe, Report, TrackReport};
use std::io::{self, Read};

/// Bytes read at once: enough that reading costs nothing beside parsing.
const READ_BYTES: usize = 64 * 1024;

/// Reads `reader` to its end, or to the first thing in it that is not WebM.
pub fn inspect(file: impl Into<String>, mut reader: impl Read) -> io::Result<Report> {
    let mut inspector = Inspector::new(file.into());
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(inspector.finish()),
            Ok(length) => {
                if !inspector.push(Bytes::copy_from_slice(&buffer[..length])) {
                    inspector.take_figures();
                    return Ok(inspector.report);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Furthest that a track's timestamps may go back without a remark, in milliseconds: more than
/// jitter, or with B-frames more than some frames.
const BACK_MS_MAX: i64 = 250;
const REORDERED_MS_MAX: i64 = 2000;

/// Furthest ahead of the block before, in milliseconds.
const AHEAD_MS_MAX: i64 = 10_000;

/// Remarks on one file. More would say no more.
const REMARKS_MAX: usize = 100;

struct Inspector {
    /// Timestamp of the last block, and of each track's last.
    last_ms: Option<i64>,
    track_ms: Vec<Option<i64>>,
    segmenter: Segmenter,
    /// The recording that the bytes are in.
    recording: Option<Recording>,
    /// Where the last block began: the frames of a lace are one block.
    block_offset: Option<u64>,
    figures: Collector,
    report: Report,
}

impl Inspector {
    fn new(file: String) -> Inspector {
        Inspector {
            last_ms: None,
            track_ms: Vec::new(),
            segmenter: Segmenter::new(Limits::default()),
            recording: None,
            block_offset: None,
            figures: Collector::default(),
            report: Report {
                file,
                ..Report::default()
            },
        }
    }

    /// Takes the next bytes in; `false` once they cannot be read on.
    fn push(&mut self, bytes: Bytes) -> bool {
        self.segmenter.push(bytes);
        loop {
            match self.segmenter.poll() {
                Ok(Some(event)) => self.note(event),
                Ok(None) => return true,
                Err(error) => {
                    self.fault(error.offset(), error.to_string());
                    return false;
                }
            }
        }
    }

    fn finish(mut self) -> Report {
        self.take_figures();
        let end = self.segmenter.received();
        if end == 0 {
            self.fault(0, "not WebM: the file is empty".into());
        } else if !self.segmenter.is_between_elements() {
            self.fault(
                end,
                format!("the file ends inside an element, at byte {end}"),
            );
        } else if self.recording.is_none() {
            self.fault(
                end,
                format!("the file ends before any Cluster, at byte {end}"),
            );
        }
        self.report
    }

    fn take_figures(&mut self) {
        let keyframes = self.report.keyframes.iter();
        let keyframes = keyframes.map(|keyframe| keyframe.timestamp_ms);
        self.report.figures = self.figures.figures(keyframes);
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Recording(recording) => self.note_recording(recording),
            Event::Cluster(ClusterHead {
                offset,
                size,
                timestamp_ms,
                ..
            }) => {
                let cluster = ClusterReport {
                    offset,
                    timestamp_ms,
                    size,
                    blocks: 0,
                };
                self.report.clusters.push(cluster);
            }
            Event::Block(block) => {
                self.figures.note(&block);
                if !self.begins_block(block.offset) {
                    return;
                }
                self.note_time(&block);
                let last = self.report.last_timestamp_ms.max(Some(block.timestamp_ms));
                self.report.last_timestamp_ms = last;
                let Some(recording) = &self.recording else {
                    return;
                };
                let joins = match recording.video() {
                    Some(video) => block.track == video && block.keyframe,
                    None => true,
                };
                let cluster = self.report.clusters.last();
                if let (true, Some(cluster), Some(track)) =
                    (joins, cluster, recording.tracks.get(block.track))
                {
                    self.report.keyframes.push(Keyframe {
                        offset: block.offset,
                        cluster_offset: cluster.offset,
                        track: track.number,
                        timestamp_ms: block.timestamp_ms,
                    });
                }
            }
            Event::Stray {
                offset,
                track_number: _,
            } => {
                if self.begins_block(offset) {
                    self.report.strays += 1;
                }
            }
        }
    }

    /// Remarks on a timestamp that steps.
    fn note_time(&mut self, block: &Block) {
        let track = self
            .recording
            .as_ref()
            .and_then(|recording| recording.tracks.get(block.track));
        let (Some(track), Some(track_ms)) = (track, self.track_ms.get_mut(block.track)) else {
            return;
        };
        let back_ms_max = if track.reorders() {
            REORDERED_MS_MAX
        } else {
            BACK_MS_MAX
        };
        let now_ms = block.timestamp_ms;
        let before_ms = track_ms.replace(now_ms);
        let latest_ms = self.last_ms.replace(now_ms);
        let back_ms = before_ms.filter(|&before_ms| now_ms < before_ms - back_ms_max);
        // Both, as after a step of one track the other steps as well.
        let ahead_ms = latest_ms
            .max(before_ms)
            .filter(|&latest_ms| now_ms > latest_ms + AHEAD_MS_MAX);
        if let Some(from_ms) = back_ms.or(ahead_ms)
            && self.report.remarks.len() < REMARKS_MAX
        {
            let message = format!(
                "the timestamps of track {} step from {from_ms} ms to {now_ms} ms",
                track.number
            );
            self.report.remarks.push(Fault {
                offset: block.offset,
                message,
            });
        }
    }

    fn note_recording(&mut self, recording: Recording) {
        self.figures.begin(&recording.tracks);
        self.last_ms = None;
        self.track_ms = vec![None; recording.tracks.len()];
        let report = &mut self.report;
        report.recordings += 1;
        if report.recordings == 1 {
            report.doctype = Some(recording.doc_type.as_str());
            report.duration_ms = recording.duration_ms;
            report.timestamp_scale = Some(recording.timestamp_scale);
            report.mime = Some(recording.mime());
            report.init = Some(Init {
                offset: recording.offset,
                length: recording.init_length,
            });
            report.tracks = recording.tracks.iter().map(TrackReport::new).collect();
        }
        self.recording = Some(recording);
    }

    /// Counts a block at `offset`, unless it is a further frame of the last one's lace.
    fn begins_block(&mut self, offset: u64) -> bool {
        if self.block_offset.replace(offset) == Some(offset) {
            return false;
        }
        self.report.blocks += 1;
        if let Some(cluster) = self.report.clusters.last_mut() {
            cluster.blocks += 1;
        }
        true
    }

    fn fault(&mut self, offset: u64, message: String) {
        self.report.errors.push(Fault { offset, message });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NAMES: [&str; 10] = [
        "chromium-canvas-vp8-opus-100ms",
        "chromium-opus-only-100ms",
        "chromium-restart-1",
        "chromium-restart-2",
        "chromium-vp8-only-100ms",
        "chromium-vp8-opus-100ms",
        "chromium-vp9-opus-100ms",
        "ffmpeg-finished",
        "ffmpeg-live",
        "firefox-vp8-opus-100ms",
    ];

    fn sample(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn report(bytes: &[u8]) -> Value {
        serde_json::to_value(inspect("x.webm", bytes).unwrap()).unwrap()
    }

    #[test]
    fn every_sample_is_seen_as_an_unrelated_parser_saw_it() {
        for name in NAMES {
            let facts: Value = serde_json::from_slice(&sample(&format!("{name}.json"))).unwrap();
            let report = report(&sample(&format!("{name}.webm")));
            let rows = |list: &str, keys: [&str; 4]| -> Value {
                let row = |item: &Value| Value::from_iter(keys.map(|key| item[key].clone()));
                report[list].as_array().unwrap().iter().map(row).collect()
            };
            let clusters = rows("clusters", ["offset", "timestamp_ms", "size", "blocks"]);
            let keyframes = rows(
                "keyframes",
                ["offset", "cluster_offset", "track", "timestamp_ms"],
            );
            assert_eq!(clusters, facts["clusters"], "{name}");
            assert_eq!(keyframes, facts["keyframes"], "{name}");
            assert_eq!(report["blocks"], facts["blocks"], "{name}");
            assert_eq!(report["doctype"], facts["doctype"], "{name}");
            assert_eq!(
                report["init"],
                json!({"offset": 0, "length": facts["init_len"]}),
                "{name}"
            );
            assert_eq!(report["errors"], json!([]), "{name}");
        }
    }

    #[test]
    fn json_has_its_documented_keys_in_order() {
        let text =
            serde_json::to_string(&inspect("x.webm", &sample("ffmpeg-finished.webm")[..]).unwrap())
                .unwrap();
        let head = concat!(
            r#"{"file":"x.webm","doctype":"webm","duration_ms":6008.0,"timestamp_scale":1000000,"#,
            r#""mime":"video/webm;codecs=\"vp8,opus\"","init":{"offset":0,"length":659},"tracks":["#,
            r#"{"number":1,"kind":"video","codec":"vp8","codec_id":"V_VP8","width":320,"#,
            r#""height":240,"sample_rate":null,"channels":null},"#,
            r#"{"number":2,"kind":"audio","codec":"opus","codec_id":"A_OPUS","width":null,"#,
            r#""height":null,"sample_rate":48000.0,"channels":1}],"clusters":[{"offset":659,"#,
        );
        assert_eq!(text[..head.len()], *head);
        let tail = concat!(
            r#""blocks":451,"errors":[],"figures":{"duration_ms":6001,"bitrate_bps":154514,"#,
            r#""tracks":[{"number":1,"frames":150,"bytes":90464,"bitrate_bps":121428,"frame_rate":25.0},"#,
            r#"{"number":2,"frames":301,"bytes":25441,"bitrate_bps":33915,"frame_rate":49.99}],"#,
            r#""gops":{"min_ms":2000,"median_ms":2000,"max_ms":2000},"gaps":[],"#,
            r#""skew_ms":{"start":-7,"end":34,"max":34}}}"#,
        );
        assert!(text.ends_with(tail), "{text}");
    }

    #[test]
    fn timestamp_steps_are_reported() {
        let bytes = sample("timestamps-back-60s.webm");
        let table = inspect("x.webm", &bytes[..]).unwrap().to_string();
        let remarks: Vec<&str> = table
            .lines()
            .filter(|line| line.starts_with("remark"))
            .collect();
        assert_eq!(
            remarks,
            [
                "remark at byte 23254: the timestamps of track 2 step from 62981 ms to 3001 ms",
                "remark at byte 23349: the timestamps of track 1 step from 62940 ms to 3007 ms",
            ]
        );
        let remarks = &report(&bytes)["remarks"];
        assert_eq!(remarks[0]["offset"], 23_254);
        for name in NAMES {
            let bytes = sample(&format!("{name}.webm"));
            assert_eq!(report(&bytes)["remarks"], Value::Null, "{name}");
        }
    }

    #[test]
    fn gap_of_a_track_has_its_place_and_time() {
        let whole = sample("chromium-vp8-opus-100ms.webm");
        let report = inspect("x.webm", &whole[..]).unwrap();
        assert_eq!(report.figures.as_ref().unwrap().gaps, []);
        // Without the Clusters of more than a second.
        let clusters = &report.clusters;
        let (from, to) = (&clusters[2], &clusters[14]);
        assert!(to.timestamp_ms - from.timestamp_ms > 1100);
        let (from, to) = (from.offset as usize, to.offset as usize);
        let report = inspect("x.webm", &[&whole[..from], &whole[to..]].concat()[..]).unwrap();
        let gaps = report.figures.unwrap().gaps;
        let tracks: Vec<u64> = gaps.iter().map(|gap| gap.track).collect();
        assert!(tracks.len() == 2 && tracks.contains(&1) && tracks.contains(&2));
        for gap in gaps {
            assert!(gap.offset as usize >= from && gap.to_ms - gap.from_ms >= 1000);
        }
    }

    #[test]
    fn a_file_cut_inside_a_block_has_an_error_at_its_end() {
        let whole = sample("chromium-vp8-opus-100ms.webm");
        let report = report(&whole[..5000]);
        assert_eq!(
            report["errors"],
            json!([{"offset": 5000, "message": "the file ends inside an element, at byte 5000"}])
        );
        assert!(report["blocks"].as_u64() > Some(0));
    }

    #[test]
    fn a_finished_file_cut_between_two_blocks_is_not_whole_either() {
        let whole = sample("ffmpeg-finished.webm");
        assert_eq!(report(&whole[..79_103])["errors"][0]["offset"], 79_103);
    }

    #[test]
    fn report_keeps_all_clusters_before_an_error() {
        let mut bytes = sample("chromium-vp8-opus-100ms.webm");
        let whole = report(&bytes);
        let broken = whole["clusters"][3]["offset"].as_u64().unwrap();
        bytes[broken as usize] = 0;
        let report = report(&bytes);
        assert_eq!(report["errors"][0]["offset"], broken);
        assert_eq!(report["clusters"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn report_of_other_formats_has_an_error_and_no_head() {
        for (bytes, message) in [
            (&b""[..], "not WebM: the file is empty"),
            (b"GIF89a", "not WebM: expected EBML header at byte 0"),
            (
                &sample("ffmpeg-live.webm")[..100],
                "the file ends inside an element, at byte 100",
            ),
        ] {
            let report = report(bytes);
            assert_eq!(report["errors"][0]["message"], message);
            assert_eq!(report["doctype"], Value::Null);
            assert_eq!(report["init"], Value::Null);
        }
    }

    #[test]
    fn recordings_one_after_another_are_one_report() {
        let first = sample("chromium-restart-1.webm");
        let second = sample("chromium-restart-2.webm");
        let report = inspect("-", &[first.clone(), second.clone()].concat()[..]).unwrap();
        let [one, two] = [first, second].map(|bytes| inspect("-", &bytes[..]).unwrap());
        assert_eq!(report.blocks, one.blocks + two.blocks);
        assert_eq!(report.tracks, one.tracks);
        assert_ne!(report.tracks, two.tracks);
        assert_eq!(
            report.keyframes.len(),
            one.keyframes.len() + two.keyframes.len()
        );
        assert!(
            report
                .to_string()
                .contains("recordings  2; the head above is the first one's")
        );
    }

    #[test]
    fn the_table_names_tracks_clusters_join_points_and_errors() {
        let bytes = sample("ffmpeg-finished.webm");
        let table = inspect("a\u{1b}b.webm", &bytes[..bytes.len() - 1])
            .unwrap()
            .to_string();
        assert_eq!(
            table,
            "\
file        a\u{fffd}b.webm
type        video/webm;codecs=\"vp8,opus\" (DocType webm, 1000000 ns a tick)
init        659 bytes at byte 0
duration    6008 ms
track       video 1: vp8 (V_VP8), 320 × 240
track       audio 2: opus (A_OPUS), 48000 Hz, 1 ch

  cluster at         ms       size  blocks  join points
         659          0      38471     150  7 ms
       39137       2001      39959     150  2007 ms
       79103       4001      40352     151  4007 ms

451 blocks in 3 clusters, 3 join points
6.0 s of media, 155 kbit/s
track 1: 150 frames, 25 a second, 121 kbit/s
track 2: 301 frames, 49.99 a second, 34 kbit/s
GOPs: 2000 to 2000 ms, median 2000 ms
sound begins 7 ms before the picture and ends 34 ms after it; at most 34 ms apart in the file
error at byte 119520: the file ends inside an element, at byte 119520
"
        );
    }
}
