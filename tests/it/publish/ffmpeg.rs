//! The promise: ffmpeg publishes in each of its ways, and ffmpeg and ffprobe find no fault in the
//! viewers' stream and every frame in it.

use crate::common::ffmpeg::{Folder, Found, KEY, end_viewers, tool};
use crate::common::http::Http;
use crate::common::media::{Screen, path};
use crate::common::server::{Server, program};
use crate::common::viewer::HttpViewer;
use bytes::Bytes;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use videostream::webm::TrackKind;

/// A test film: 60 pictures in GOPs of one second, and a tone.
const SECONDS: &str = "2.4";
const PICTURES: usize = 60;

/// Options of encoders: a keyframe each second.
const VP8: &str =
    "-c:v libvpx -deadline realtime -cpu-used 8 -g 25 -b:v 200k -c:a libopus -b:a 64k";
const H264: &str = "-c:v libx264 -preset ultrafast -tune zerolatency -g 25 -c:a libopus -b:a 64k";

/// ffmpeg that makes a test film in real time. `options` are those of encoders and muxer.
fn film(options: &str, target: &str) -> Command {
    let mut command = tool("ffmpeg");
    let video = format!("testsrc2=size=160x120:rate=25:duration={SECONDS}");
    let audio = format!("sine=duration={SECONDS}");
    command.args([
        "-re", "-f", "lavfi", "-i", &video, "-re", "-f", "lavfi", "-i", &audio,
    ]);
    command
        .args(options.split(' '))
        .arg(target)
        .stdin(Stdio::null());
    command
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
    fn watch(self, mut publisher: Child) -> [Screen; 2] {
        let Audience { server, mut early } = self;
        // Inside the second GOP.
        let seen_ms = |screen: &Screen| screen.frames.last().map_or(0, |last| last.timestamp_ms);
        while seen_ms(&early.screen) < 1100 {
            assert!(early.take());
        }
        let mut late = HttpViewer::open(&server, "film");
        late.watch(1);
        let status = publisher.wait().unwrap();
        let mut said = String::new();
        if let Some(mut stderr) = publisher.stderr.take() {
            stderr.read_to_string(&mut said).unwrap();
        }
        assert!(status.success() && said.is_empty(), "{said}");
        server.wait_until_offline("film");
        end_viewers(&server, "film");
        early.watch_to_end();
        late.watch_to_end();
        [early.screen, late.screen]
    }
}

/// The early viewer has the whole film, the late one all of it from a keyframe on, and both are
/// without fault.
fn assert_film([early, late]: [Screen; 2]) {
    let (whole, rest) = (early.frames(), late.frames());
    assert!(
        rest.len() < whole.len() && whole.ends_with(&rest),
        "not its end"
    );
    let folder = Folder::new();
    let pictures = |frames: &[(TrackKind, Bytes)]| {
        let pictures = frames.iter().filter(|(kind, _)| *kind == TrackKind::Video);
        pictures.count()
    };
    assert_eq!(pictures(&whole), PICTURES);
    for (name, screen, frames) in [("early", &early, whole), ("late", &late, rest)] {
        let pictures = pictures(&frames);
        let sounds = frames.len() - pictures;
        assert_eq!(
            folder.judge(name, &screen.bytes),
            Found { pictures, sounds }
        );
    }
}

fn start(mut command: Command) -> Child {
    command.stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn ffmpeg_publishes_by_http() {
    let audience = Audience::new(&[]);
    let url = format!("http://{}/live/film.webm", audience.server.address);
    let muxer = "-f webm -live 1 -cluster_time_limit 200 -method PUT";
    let publisher = start(film(&format!("{VP8} {muxer}"), &url));
    assert_film(audience.watch(publisher));
}

fn publish_as_an_icecast_source(options: &str) {
    let audience = Audience::new(&["--publish-key", KEY]);
    let address = audience.server.address;
    let url = format!("icecast://source:{KEY}@{address}/live/film.webm");
    let muxer = "-f webm -cluster_time_limit 200 -content_type video/webm";
    let publisher = start(film(&format!("{VP8} {muxer} {options}"), &url));
    assert_film(audience.watch(publisher));
}

#[test]
fn ffmpeg_publishes_as_an_icecast_source() {
    publish_as_an_icecast_source("-legacy_icecast 0");
}

#[test]
fn ffmpeg_publishes_as_a_source_of_old() {
    publish_as_an_icecast_source("-legacy_icecast 1");
}

#[test]
fn ffmpeg_publishes_through_push() {
    let audience = Audience::new(&[]);
    let url = format!("ws://{}/publish/film", audience.server.address);
    let muxer = "-f webm -live 1 -cluster_time_limit 200";
    let mut film = film(&format!("{VP8} {muxer}"), "-");
    let mut film = film.stdout(Stdio::piped()).spawn().unwrap();
    let mut push = program();
    push.args(["push", "-", &url]);
    push.stdin(film.stdout.take().unwrap());
    push.stderr(Stdio::null());
    let push = push.spawn().unwrap();
    assert_film(audience.watch(push));
    assert!(film.wait().unwrap().success());
}

#[test]
fn h264_goes_through_as_matroska() {
    let audience = Audience::new(&[]);
    let url = format!("http://{}/live/film.webm", audience.server.address);
    let muxer = "-f matroska -live 1 -cluster_time_limit 200 -method PUT";
    let publisher = start(film(&format!("{H264} {muxer}"), &url));
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
}
