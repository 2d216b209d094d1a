//! The promise: a request for a nearly right address is answered with the right one, and every
//! answer has a date.

use crate::common::ffmpeg;
use crate::common::http::{Http, Response};
use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::Publisher;

const UPGRADE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==",
];

fn ask(server: &Server, method: &str, target: &str, fields: &[&str]) -> Response {
    Http::open(server).request(method, target, fields)
}

#[test]
fn websocket_to_a_file_is_refused_with_the_right_address() {
    let server = Server::start();
    for file in [
        "/live/demo.webm",
        "/live/demo.jpg",
        "/live/demo.webp",
        "/live/demo/poster",
    ] {
        let answer = ask(&server, "GET", file, &UPGRADE);
        assert_eq!(answer.status, 400, "{file}");
        assert!(answer.text().contains("/live/demo,"), "{}", answer.text());
    }
    assert_eq!(ask(&server, "GET", "/live/demo.mp4", &UPGRADE).status, 404);
}

#[test]
fn trailing_slash_is_redirected() {
    let server = Server::with(&["--publish-key", "k"]);
    for (target, location) in [
        ("/live/demo/", "../../live/demo"),
        (
            "/publish/demo/?key=k&source=test",
            "../../publish/demo?key=k&source=test",
        ),
        ("/live/demo.webm/", "../../live/demo.webm"),
        ("/live/demo/poster/", "../../../live/demo/poster"),
    ] {
        let answer = ask(&server, "GET", target, &[]);
        assert_eq!(
            (answer.status, answer.field("Location")),
            (308, Some(location))
        );
        assert!(!answer.text().contains("key"));
        let body = Http::open(&server).upload("PUT", target, &[], b"x");
        assert_eq!(body.status, 308);
    }
    for target in ["/live/", "/publish/", "/live//", "/live/a/b/", "//"] {
        assert_eq!(ask(&server, "GET", target, &[]).status, 404, "{target}");
    }
}

#[test]
fn files_that_other_servers_have_are_refused_with_a_hint() {
    let server = Server::start();
    for ending in ["mkv", "mp4", "m3u8", "mpd", "ts", "flv", "ogg"] {
        let answer = ask(&server, "GET", &format!("/live/demo.{ending}"), &[]);
        assert_eq!(answer.status, 404, "{ending}");
        assert!(
            answer.text().contains("/live/demo.webm"),
            "{}",
            answer.text()
        );
    }
}

#[test]
fn viewer_at_an_icecast_mount_gets_the_stream_address() {
    let server = Server::start();
    for (mount, named) in [
        ("/demo.webm", Some("the stream is at /live/demo.webm")),
        ("/radio/demo.ogg", Some("the stream is at /live/demo.webm")),
        ("/robots.txt", None),
    ] {
        let answer = ask(&server, "GET", mount, &[]);
        assert_eq!(answer.status, 404, "{mount}");
        let text = answer.text();
        match named {
            Some(named) => assert!(text.contains(named), "{mount}: {text}"),
            None => assert!(!text.contains("/live/"), "{mount}: {text}"),
        }
    }
}

#[test]
fn publisher_at_an_icecast_mount_gets_the_right_address_in_answer_and_log() {
    for (mount, named) in [
        ("/live/e", "/live/e.webm"),
        ("/e", "/live/e.webm"),
        ("/e.webm", "/live/e.webm"),
        ("/stream.ogg", "/live/stream.webm"),
        ("/", "/live/NAME.webm"),
    ] {
        let server = Server::start();
        for (method, version) in [("SOURCE", "1.0"), ("PUT", "1.1")] {
            let mut http = Http::open(&server);
            http.send(format!(
                "{method} {mount} HTTP/{version}\r\nHost: a\r\nContent-Type: video/webm\r\n\r\n"
            ));
            let answer = http.answer(method);
            assert!([404, 405].contains(&answer.status), "{method} {mount}");
            assert!(
                answer.text().contains(named),
                "{method} {mount}: {}",
                answer.text()
            );
        }
        server.wait_for_log(&format!("publish to {named}"), 2);
    }
}

fn on_air(server: &Server, name: &str, sample: &str) -> Publisher {
    let sample = Sample::read(sample);
    let mut publisher = Publisher::open(server, name);
    publisher.send_all(&sample.chunks);
    Viewer::plain(server, name).watch(1);
    publisher
}

#[test]
fn newest_vp8_keyframe_is_a_webp_picture() {
    let server = Server::start();
    assert_eq!(ask(&server, "GET", "/live/demo.webp", &[]).status, 404);
    let folder = tempfile::tempdir().unwrap();
    for (name, sample) in [
        ("one", "chromium-restart-1"),
        ("two", "chromium-vp8-only-100ms"),
        ("three", "firefox-vp8-opus-100ms"),
    ] {
        let _publisher = on_air(&server, name, sample);
        let answer = ask(&server, "GET", &format!("/live/{name}.webp"), &[]);
        assert_eq!(
            (answer.status, answer.field("Content-Type")),
            (200, Some("image/webp"))
        );
        let head = ask(&server, "HEAD", &format!("/live/{name}.webp"), &[]);
        assert_eq!((head.status, head.body.len()), (200, 0));
        // Others see a picture in it, of the stream's size.
        let file = folder.path().join("picture.webp");
        std::fs::write(&file, &answer.body).unwrap();
        let mut probe = ffmpeg::tool("ffprobe");
        probe.args(["-count_frames", "-of", "csv=p=0", "-show_entries"]);
        probe
            .arg("stream=codec_name,width,height,nb_read_frames")
            .arg(&file);
        let report = server.report(name).unwrap();
        let found = format!("webp,{},{},1", report["width"], report["height"]);
        assert_eq!(ffmpeg::run(probe).trim(), found, "{sample}");
    }
    let _publisher = on_air(&server, "vp9", "chromium-vp9-opus-100ms");
    assert_eq!(ask(&server, "GET", "/live/vp9.webp", &[]).status, 404);
    let _publisher = on_air(&server, "sound", "chromium-opus-only-100ms");
    assert_eq!(ask(&server, "GET", "/live/sound.webp", &[]).status, 404);
    // It is of what is on air.
    let publisher = on_air(&server, "gone", "chromium-restart-1");
    publisher.finish();
    server.wait_until_offline("gone");
    assert_eq!(ask(&server, "GET", "/live/gone.webp", &[]).status, 404);
    assert_eq!(
        ask(&server, "PUT", "/live/demo.webp", &["Content-Length: 0"]).status,
        405
    );
}

#[test]
fn every_answer_has_the_date_of_now() {
    let server = Server::start();
    let _publisher = on_air(&server, "demo", "chromium-restart-1");
    let assert_now = |answer: &Response, what: &str| {
        let date = answer
            .field("Date")
            .unwrap_or_else(|| panic!("no date: {what}"));
        let date = httpdate::parse_http_date(date).unwrap();
        let since = std::time::SystemTime::now().duration_since(date);
        assert!(since.is_ok_and(|since| since.as_secs() < 30), "{what}");
    };
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/assets/watch/watch.js"),
        ("GET", "/api/streams"),
        ("GET", "/metrics"),
        ("GET", "/live/demo.webp"),
        ("HEAD", "/live/demo.webm"),
        ("GET", "/nowhere"),
        ("GET", "/live/.bad"),
        ("GET", "/live/demo/"),
        ("BREW", "/"),
        ("OPTIONS", "/"),
    ] {
        assert_now(&ask(&server, method, target, &[]), target);
    }
    let mut stream = Http::open(&server);
    stream.ask("GET", "/live/demo.webm", &[]);
    assert_now(&stream.head(), "the stream");
    let mut garbage = Http::open(&server);
    garbage.send("garbage\r\n\r\n");
    assert_now(&garbage.answer("GET"), "garbage");
    let sample = Sample::read("chromium-restart-1");
    let mut http = Http::open(&server);
    for _ in 0..2 {
        let put = http.upload("PUT", "/live/other.webm", &[], &sample.bytes);
        assert_eq!(
            (put.status, put.field("Connection")),
            (200, Some("keep-alive"))
        );
        assert_now(&put, "an upload");
    }
    assert_eq!(http.get("/healthz").status, 200);
}
