//! What ffmpeg and ffprobe think of a stream.

use super::http::Http;
use super::media::Sample;
use super::server::Server;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// For servers that want one.
pub const KEY: &str = "hackme";

/// ffmpeg or ffprobe. They are needed: what they think of our streams is the promise.
pub fn tool(name: &str) -> Command {
    static IS_INSTALLED: OnceLock<bool> = OnceLock::new();
    let is_installed = IS_INSTALLED.get_or_init(|| {
        ["ffmpeg", "ffprobe"].iter().all(|tool| {
            let version = Command::new(tool).arg("-version").output();
            version.is_ok_and(|output| output.status.success())
        })
    });
    assert!(
        is_installed,
        "these tests need ffmpeg and ffprobe: install ffmpeg"
    );
    let mut command = Command::new(name);
    command.args(["-hide_banner", "-v", "warning"]);
    command
}

/// Runs to the end, which must be good and silent.
pub fn run(mut command: Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{command:?}: {said}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What ffprobe finds in a stream: frames of video and of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub pictures: usize,
    pub sounds: usize,
}

/// Lets ffprobe and ffmpeg read a stream to its end. Neither may find any fault.
pub fn judge(stream: &Path) -> Found {
    let mut probe = tool("ffprobe");
    probe.args([
        "-count_frames",
        "-show_entries",
        "stream=codec_type,nb_read_frames",
    ]);
    probe.args(["-of", "csv=p=0"]).arg(stream);
    let mut found = Found {
        pictures: 0,
        sounds: 0,
    };
    for line in run(probe).lines() {
        match line.split_once(',').unwrap() {
            ("video", count) => found.pictures = count.parse().unwrap(),
            ("audio", count) => found.sounds = count.parse().unwrap(),
            other => panic!("{other:?}"),
        }
    }
    let mut decode = tool("ffmpeg");
    // In the stream's own time base: at a guessed frame rate, two of a recorder's frames may fall
    // on one tick, and ffmpeg would warn of its own guess.
    decode.arg("-i").arg(stream);
    decode.args(["-enc_time_base", "-1", "-f", "null", "-"]);
    run(decode);
    found
}

/// A folder for what viewers got.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub fn judge(&self, name: &str, bytes: &[u8]) -> Found {
        let file = self.0.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        judge(&file)
    }
}

/// Publishes something with other tracks: plain viewers get all they were to get, and a proper end.
pub fn end_viewers(server: &Server, name: &str) {
    let target = format!("/live/{name}.webm?key={KEY}");
    let other = Sample::read("chromium-opus-only-100ms");
    let answer = Http::open(server).upload("PUT", &target, &[], &other.bytes);
    assert_eq!(answer.status, 200);
}
