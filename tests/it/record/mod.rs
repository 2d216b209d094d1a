//! Streams are recorded into files that any player plays and seeks in.

mod archive;
mod crash;
mod disk;
mod files;
mod handover;
mod on_request;
mod repair;
mod time_shift;

use crate::common::eventually;
use crate::common::media::{Sample, assert_frames};
use crate::common::server::Server;
use bytes::Bytes;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use videostream::webm::{Event, Limits, Segmenter, TrackKind};

/// A server that records, and its folder.
fn recording_server(options: &[&str]) -> (TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let server = server_on(dir.path(), options);
    (dir, server)
}

fn server_on(dir: &Path, options: &[&str]) -> Server {
    let dir = dir.to_str().unwrap();
    Server::with(&[&["--record", dir], options].concat())
}

/// The recordings of a stream, in order of their names.
fn recordings(dir: &Path, stream: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir.join(stream)) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The one recording of a stream, once there is one.
fn recording(dir: &Path, stream: &str) -> PathBuf {
    eventually("a recording", || {
        let mut paths = recordings(dir, stream);
        assert!(paths.len() < 2, "{paths:?}");
        paths.pop()
    })
}

fn run(program: &str, arguments: &[&str], path: &Path) -> String {
    let output = Command::new(program)
        .args(arguments)
        .arg(path)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{program}: {out}{err}");
    assert_eq!(err, "", "{program} complains");
    out
}

/// What ffprobe says of a file, if it has nothing to complain of.
fn ffprobe(path: &Path) -> Value {
    let arguments = [
        "-v",
        "warning",
        "-of",
        "json",
        "-show_format",
        "-show_streams",
        "-show_packets",
    ];
    serde_json::from_str(&run("ffprobe", &arguments, path)).unwrap()
}

/// Checks that a file is finished: what real tools say of it, and what is in it.
fn assert_finished(path: &Path) -> Value {
    let info = run("mkvinfo", &["--all", "--ui-language", "en_US"], path);
    for word in ["Seek head", "Duration", "Cues", "Cluster"] {
        assert!(info.contains(word), "no {word} in {info}");
    }
    for word in ["unknown", "Error", "error", "Warning", "damaged"] {
        let is_bad = |line: &&str| line.contains(word) && !line.contains("Language");
        assert_eq!(info.lines().find(is_bad), None, "{info}");
    }
    let probe = ffprobe(path);
    let duration: f64 = probe["format"]["duration"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(duration > 0.0);
    probe
}

/// What is in a file.
pub struct Film {
    pub frames: Vec<(TrackKind, Bytes)>,
    /// In milliseconds.
    times: Vec<i64>,
    /// Whether each Cluster begins with a keyframe of the picture, if there is one.
    has_gops: bool,
}

/// Reads a recording to its end. With a picture, each of its Clusters is a GOP.
pub fn film(path: &Path) -> Film {
    let film = read(path);
    assert!(film.has_gops, "one Cluster per GOP");
    film
}

fn read(path: &Path) -> Film {
    let mut segmenter = Segmenter::new(Limits::default());
    segmenter.push(std::fs::read(path).unwrap().into());
    let (mut frames, mut times) = (Vec::new(), Vec::new());
    let (mut tracks, mut opens_cluster, mut has_gops) = (None, false, true);
    while let Some(event) = segmenter.poll().unwrap() {
        match event {
            Event::Recording(recording) => tracks = Some(recording),
            Event::Cluster(_) => opens_cluster = true,
            Event::Block(block) => {
                let recording = tracks.as_ref().unwrap();
                let kind = recording.tracks[block.track].kind;
                if recording.video().is_some() {
                    let is_keyframe = kind == TrackKind::Video && block.keyframe;
                    has_gops &= is_keyframe == opens_cluster;
                }
                opens_cluster = false;
                frames.push((kind, Bytes::copy_from_slice(block.element.frame())));
                times.push(block.timestamp_ms);
            }
            Event::Stray { offset, .. } => panic!("a stray block at {offset}"),
        }
    }
    assert!(segmenter.is_between_elements());
    Film {
        frames,
        times,
        has_gops,
    }
}

/// The frames of a file are those of a sample.
fn assert_whole(path: &Path, sample: &Sample) {
    assert_frames(&film(path).frames, &sample.all_frames());
}
