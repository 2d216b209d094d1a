//! The promise: ffmpeg publishes in every way it knows, and what viewers get is, for ffmpeg and
//! ffprobe, a stream without fault that has every frame.

mod common;

use common::http::Http;
use common::media::{Sample, path};
use common::server::{Server, program};
use common::viewer::{HttpViewer, Viewer};
use common::websocket::Publisher;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Three seconds: 75 pictures in GOPs of one second, and a tone.
const SECONDS: &str = "3";
const PICTURES: usize = 75;

const VP8: [&str; 12] = [
    "-c:v",
    "libvpx",
    "-deadline",
    "realtime",
    "-cpu-used",
    "8",
    "-g",
    "25",
    "-b:v",
    "200k",
    "-c:a",
    "libopus",
];
const H264: [&str; 10] = [
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
    "-tune",
    "zerolatency",
    "-g",
    "25",
    "-c:a",
    "libopus",
];

/// ffmpeg or ffprobe. They are needed: what they think of our streams is the promise.
fn tool(name: &str) -> Command {
    let found = Command::new(name)
        .arg("-version")
        .stdout(Stdio::null())
        .status();
    assert!(
        found.is_ok_and(|status| status.success()),
        "these tests need {name}: install ffmpeg"
    );
    let mut command = Command::new(name);
    command.args(["-hide_banner", "-v", "warning"]);
    command
}

/// ffmpeg that makes a test film in real time, after `options` for encoders and muxer.
fn film(options: &[&[&str]]) -> Command {
    let mut command = tool("ffmpeg");
    let video = format!("testsrc2=size=160x120:rate=25:duration={SECONDS}");
    let audio = format!("sine=duration={SECONDS}");
    command.args([
        "-re", "-f", "lavfi", "-i", &video, "-re", "-f", "lavfi", "-i", &audio,
    ]);
    command.args(options.concat()).stdin(Stdio::null());
    command
}

/// Runs to the end, which must be good and silent.
fn run(mut command: Command) -> String {
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
struct Found {
    pictures: usize,
    sounds: usize,
}

/// Lets ffprobe and ffmpeg read a stream to its end. Neither may find any fault.
fn judge(stream: &Path) -> Found {
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
    decode.arg("-i").arg(stream).args(["-f", "null", "-"]);
    run(decode);
    found
}

/// A folder for what viewers got.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn judge(&self, name: &str, bytes: &[u8]) -> Found {
        let file = self.0.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        judge(&file)
    }
}

/// One viewer by HTTP from the start, and one that comes late; the film is over when both have been
/// ended by the server.
struct Audience {
    server: Server,
    early: HttpViewer,
}

impl Audience {
    fn new(options: &[&str]) -> Audience {
        let server = Server::with(options);
        let early = HttpViewer::open(&server, "film");
        server.report_when("film", |report| report["viewers"] == 1);
        Audience { server, early }
    }

    /// Watches while `publisher` runs, and returns what each viewer got.
    fn watch(mut self, mut publisher: Child) -> [Vec<u8>; 2] {
        // A second and a half: inside the second GOP.
        while self
            .early
            .screen
            .frames
            .last()
            .map_or(0, |frame| frame.timestamp_ms)
            < 1500
        {
            assert!(self.early.take());
        }
        let mut late = HttpViewer::open(&self.server, "film");
        late.watch(1);
        let began = &late.screen.frames[0];
        assert!(began.keyframe && (900..=1600).contains(&began.timestamp_ms));
        // Both read on in a thread of their own, for the film is longer than a socket's buffer.
        let mut early = self.early;
        let viewers = std::thread::spawn(move || {
            early.watch_to_end();
            late.watch_to_end();
            [early.screen.bytes, late.screen.bytes]
        });
        let status = publisher.wait().unwrap();
        let mut said = String::new();
        if let Some(mut stderr) = publisher.stderr.take() {
            stderr.read_to_string(&mut said).unwrap();
        }
        assert!(status.success() && said.is_empty(), "{said}");
        self.server.wait_until_offline("film");
        // Other tracks end whoever does not understand text messages, after the last of the film.
        end_viewers(&self.server, "film");
        viewers.join().unwrap()
    }
}

/// Publishes something with other tracks: plain viewers get all they were to get, and a proper end.
fn end_viewers(server: &Server, name: &str) {
    let mut publisher = Publisher::open(server, name);
    publisher.send(&Sample::read("chromium-opus-only-100ms").bytes);
    publisher.finish();
}

/// The film was published whole, and each viewer saw it from where it came in.
fn assert_film(streams: [Vec<u8>; 2]) {
    let folder = Folder::new();
    let early = folder.judge("early", &streams[0]);
    assert_eq!(early.pictures, PICTURES);
    // 20 ms each, and what the encoder adds at the end.
    assert!((145..=152).contains(&early.sounds), "{early:?}");
    let late = folder.judge("late", &streams[1]);
    assert_eq!(late.pictures, PICTURES - 25);
    assert!((95..=104).contains(&late.sounds), "{late:?}");
}

fn start(mut command: Command) -> Child {
    command.stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn ffmpeg_publishes_by_http() {
    let audience = Audience::new(&[]);
    let url = format!("http://{}/live/film.webm", audience.server.address);
    let muxer = [
        "-f",
        "webm",
        "-method",
        "PUT",
        "-live",
        "1",
        "-cluster_time_limit",
        "200",
        &url,
    ];
    let publisher = start(film(&[&VP8, &muxer]));
    assert_film(audience.watch(publisher));
}

#[test]
fn ffmpeg_publishes_as_an_icecast_source() {
    for legacy in ["0", "1"] {
        let audience = Audience::new(&["--publish-key", "hackme"]);
        let address = audience.server.address;
        let url = format!("icecast://source:hackme@{address}/live/film.webm");
        let muxer = [
            "-f",
            "webm",
            "-cluster_time_limit",
            "200",
            "-content_type",
            "video/webm",
        ];
        let target = ["-legacy_icecast", legacy, &url];
        let publisher = start(film(&[&VP8, &muxer, &target]));
        assert_film(audience.watch(publisher));
    }
}

#[test]
fn ffmpeg_publishes_through_push() {
    let audience = Audience::new(&[]);
    let url = format!("ws://{}/publish/film", audience.server.address);
    let muxer = [
        "-f",
        "webm",
        "-live",
        "1",
        "-cluster_time_limit",
        "200",
        "-",
    ];
    let mut film = film(&[&VP8, &muxer]);
    let mut film = film.stdout(Stdio::piped()).spawn().unwrap();
    let mut push = program();
    push.args(["push", "-", &url])
        .stdin(film.stdout.take().unwrap());
    push.stderr(Stdio::null());
    let push = push.spawn().unwrap();
    assert_film(audience.watch(push));
    assert!(film.wait().unwrap().success());
}

#[test]
fn h264_goes_through_as_matroska() {
    let audience = Audience::new(&[]);
    let url = format!("http://{}/live/film.webm", audience.server.address);
    let muxer = [
        "-f",
        "matroska",
        "-method",
        "PUT",
        "-live",
        "1",
        "-cluster_time_limit",
        "200",
        &url,
    ];
    let publisher = start(film(&[&H264, &muxer]));
    let mut early = HttpViewer::open(&audience.server, "film");
    assert_eq!(early.head().field("Content-Type"), Some("video/x-matroska"));
    let report = audience.server.report("film").unwrap();
    let mime = report["mime"].as_str().unwrap();
    assert!(
        mime.starts_with("video/x-matroska;codecs=\"avc1."),
        "{mime}"
    );
    drop(early);
    assert_film(audience.watch(publisher));
}

#[test]
fn recordings_of_browsers_come_out_without_fault() {
    let folder = Folder::new();
    for name in [
        "chromium-vp8-opus-100ms",
        "chromium-vp9-opus-100ms",
        "chromium-vp8-only-100ms",
        "chromium-opus-only-100ms",
        "chromium-canvas-vp8-opus-100ms",
        "firefox-vp8-opus-100ms",
        "ffmpeg-live",
        "ffmpeg-finished",
    ] {
        let server = Server::start();
        let sample = Sample::read(name);
        let mut early = HttpViewer::open(&server, "demo");
        let mut told = Viewer::v1(&server, "demo");
        let mut publisher = Publisher::open(&server, "demo");
        publisher.open_stream(&sample);
        early.watch(1);
        told.watch(1);
        publisher.go_on(&sample);
        early.watch(sample.all_frames().len());
        told.watch(sample.all_frames().len());
        let mut late = HttpViewer::open(&server, "demo");
        let gop = sample.newest_gop(sample.bytes.len());
        late.watch(1);
        publisher.finish();
        server.signal(Signal::TERM);
        early.watch_to_end();
        late.watch_to_end();
        assert_eq!(told.closed().0, 1001);

        let count = |blocks: &[videostream::webm::Block]| {
            let video = sample.recording.video();
            let is_picture = |block: &&videostream::webm::Block| Some(block.track) == video;
            let pictures = blocks.iter().filter(is_picture).count();
            Found {
                pictures,
                sounds: blocks.len() - pictures,
            }
        };
        let all = count(&sample.blocks[sample.shown(sample.bytes.len())]);
        assert_eq!(folder.judge(name, &early.screen.bytes), all, "{name}");
        assert_eq!(folder.judge(name, &told.screen.bytes), all, "{name}");
        let newest = count(&sample.blocks[gop.clone()]);
        let got = folder.judge(name, &late.screen.bytes);
        match sample.recording.video() {
            Some(_) => assert_eq!(got, newest, "{name}"),
            // Sound alone can be joined at a few of its blocks only.
            None => assert!(got.sounds >= newest.sounds, "{name}"),
        }
    }
}

#[test]
fn recordings_one_after_the_other_are_one_stream() {
    let server = Server::start();
    let samples = ["chromium-restart-1", "chromium-restart-2"].map(Sample::read);
    let mut viewer = HttpViewer::open(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&samples[0]);
    viewer.watch(1);
    publisher.go_on(&samples[0]);
    publisher.send_all(&samples[1].chunks);
    let frames: usize = samples.iter().map(|sample| sample.all_frames().len()).sum();
    viewer.watch(frames);
    publisher.finish();
    end_viewers(&server, "demo");
    viewer.watch_to_end();
    let found = Folder::new().judge("both", &viewer.screen.bytes);
    assert_eq!(found.pictures, 120);
    assert_eq!(found.pictures + found.sounds, frames);
}

#[test]
fn laced_sound_is_taken_apart() {
    let server = Server::start();
    let sample = Sample::read("chromium-opus-only-100ms");
    let mut viewer = HttpViewer::open(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.send(&laced(&sample).into());
    viewer.watch(sample.blocks.len());
    publisher.finish();
    server.signal(Signal::TERM);
    viewer.watch_to_end();
    // Chromium's frames are of 60 ms.
    let steps = viewer.screen.frames.windows(2);
    assert!(
        steps
            .into_iter()
            .all(|two| two[1].timestamp_ms - two[0].timestamp_ms == 60)
    );
    let got: Vec<_> = viewer
        .screen
        .frames()
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect();
    let sent: Vec<_> = sample
        .all_frames()
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect();
    assert_eq!(got, sent);
    let found = Folder::new().judge("unlaced", &viewer.screen.bytes);
    assert_eq!((found.pictures, found.sounds), (0, sample.blocks.len()));
}

/// The recording as mkvmerge would write it: three frames to a block, in Xiph's lacing.
fn laced(sample: &Sample) -> Vec<u8> {
    let mut bytes = sample.bytes[..sample.recording.init_length as usize].to_vec();
    // One Cluster of unknown size, from 0 on.
    bytes.extend(b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff\xe7\x81\x00");
    for blocks in sample.blocks.chunks(3) {
        let frames: Vec<&[u8]> = blocks.iter().map(|block| block.element.frame()).collect();
        let timestamp = i16::try_from(blocks[0].timestamp_ms).unwrap().to_be_bytes();
        // Track 1, keyframe, Xiph lacing; all lengths but the last.
        let mut payload = vec![
            0x81,
            timestamp[0],
            timestamp[1],
            0x82,
            frames.len() as u8 - 1,
        ];
        for frame in &frames[..frames.len() - 1] {
            payload.extend(vec![0xff; frame.len() / 255]);
            payload.push((frame.len() % 255) as u8);
        }
        payload.extend(frames.concat());
        bytes.push(0xa3);
        bytes.extend((payload.len() as u32 | 1 << 28).to_be_bytes());
        bytes.extend(payload);
    }
    bytes
}

#[test]
fn ffprobe_reads_a_live_stream_from_the_server_itself() {
    let server = Server::start();
    let url = format!("http://{}/live/film.webm", server.address);
    let mut probe = tool("ffprobe");
    probe.args([
        "-show_entries",
        "stream=codec_name,width",
        "-of",
        "csv=p=0",
        &url,
    ]);
    let mut probe = probe
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    server.report_when("film", |report| report["viewers_http"] == 1);
    let mut publisher = Http::open(&server);
    publisher.ask("PUT", "/live/film.webm", &["Transfer-Encoding: chunked"]);
    publisher.send_chunk(&std::fs::read(path("ffmpeg-live")).unwrap());
    publisher.send("0\r\n\r\n");
    assert_eq!(publisher.answer("PUT").status, 200);
    end_viewers(&server, "film");
    let mut found = String::new();
    probe
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut found)
        .unwrap();
    assert_eq!(found.lines().collect::<Vec<_>>(), ["vp8,320", "opus"]);
    let mut said = String::new();
    probe
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(probe.wait().unwrap().success() && said.is_empty(), "{said}");
    std::io::stdout().flush().unwrap();
}
