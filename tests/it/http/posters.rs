//! The promise: every stream has a picture, as good a one as there is; and a link to it, when it is
//! shared, has that picture where everybody may watch.

use crate::common::ffmpeg;
use crate::common::hook::{Hook, Says};
use crate::common::http::{Http, Response};
use crate::common::media::{self, Sample};
use crate::common::server::Server;
use crate::common::websocket::{Publisher, WebSocketClient};
use bytes::Bytes;
use videostream::websocket::SUBPROTOCOL;

fn get(server: &Server, target: &str, fields: &[&str]) -> Response {
    Http::open(server).request("GET", target, fields)
}

/// A publisher that has sent this file and stays. `target` is the name, and perhaps a key.
fn on_air(server: &Server, target: &str, sample: &str) -> WebSocketClient {
    let target = format!("/publish/{target}");
    let mut publisher = WebSocketClient::open(server, &target, &[SUBPROTOCOL]);
    publisher.send(Bytes::from(std::fs::read(media::path(sample)).unwrap()));
    publisher
}

/// A JPEG of an encoder that others use.
fn jpeg(size: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("picture.jpg");
    let mut ffmpeg = ffmpeg::tool("ffmpeg");
    let source = format!("testsrc=size={size}");
    ffmpeg.args(["-v", "error", "-f", "lavfi", "-i", &source]);
    ffmpeg.args(["-frames:v", "1", "-update", "1"]);
    ffmpeg.arg(&file);
    ffmpeg::run(ffmpeg);
    std::fs::read(file).unwrap()
}

#[test]
fn stream_has_the_best_picture_that_there_is() {
    const SVG: &str = "image/svg+xml";
    let server = Server::start();
    let jpeg = jpeg("320x180");
    let kind = |name: &str| {
        let answer = get(&server, &format!("/live/{name}/poster"), &[]);
        assert_eq!(answer.status, 200, "{name}");
        let kind = answer.field("Content-Type").unwrap().to_owned();
        (kind, answer.body)
    };
    let mut publishers = Vec::new();
    for (name, sample, expected) in [
        ("vp8", "chromium-vp8-opus-100ms", "image/webp"),
        ("firefox", "firefox-vp8-opus-100ms", "image/webp"),
        ("vp9", "chromium-vp9-opus-100ms", SVG),
        ("h264", "h264-opus-doctype-webm", SVG),
        ("sound", "chromium-opus-only-100ms", SVG),
    ] {
        publishers.push(on_air(&server, name, sample));
        let report = server.report_when(name, |report| report["ring_bytes"] != 0);
        assert_eq!(report["poster"], format!("/live/{name}/poster"));
        let (found, bytes) = kind(name);
        assert_eq!(found, expected, "{sample}");
        if expected == SVG {
            let svg = String::from_utf8(bytes).unwrap();
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"));
            assert!(svg.contains(&format!(">{name}<")), "{svg}");
            let bare = get(&server, &format!("/live/{name}/poster?bare"), &[]);
            assert_eq!(bare.field("Content-Type"), Some(SVG));
            assert!(!bare.text().contains(name), "{}", bare.text());
        } else {
            assert_eq!(bytes, get(&server, &format!("/live/{name}.webp"), &[]).body);
        }
        // The publisher's own counts more.
        let target = format!("/live/{name}.jpg");
        let put = Http::open(&server).upload("PUT", &target, &[], &jpeg);
        assert_eq!(put.status, 204);
        assert_eq!(kind(name), ("image/jpeg".to_owned(), jpeg.clone()));
    }
    // Off air, and never on air: the name is known.
    let vp8 = publishers.remove(0);
    vp8.close();
    server.wait_until_offline("vp8");
    for name in ["vp8", "never-there"] {
        assert_eq!(kind(name).0, SVG);
    }
}

#[test]
fn unchanged_picture_is_not_sent_again() {
    let server = Server::start();
    let sample = Sample::read("chromium-vp8-only-100ms");
    let first_gop = sample.keyframes()[1];
    let first_gop = sample.end_of(&sample.blocks[first_gop - 1]);
    let mut publisher = Publisher::open(&server, "demo");
    publisher.client.send(sample.bytes.slice(..first_gop));
    server.report_when("demo", |report| report["ring_bytes"] != 0);
    for target in ["/live/demo.webp", "/live/demo/poster", "/live/none/poster"] {
        let picture = get(&server, target, &[]);
        assert_eq!(picture.field("Cache-Control"), Some("no-cache"));
        let none_match = format!("If-None-Match: {}", picture.field("ETag").unwrap());
        let again = get(&server, target, &[&none_match]);
        assert_eq!((again.status, again.body.len()), (304, 0), "{target}");
        let head = Http::open(&server).request("HEAD", target, &[]);
        let length = picture.body.len().to_string();
        assert_eq!(
            (head.status, head.field("Content-Length")),
            (200, Some(&*length))
        );
    }
    // The next keyframe is another picture.
    let version = |report: &serde_json::Value| report["poster_version"].as_str().map(str::to_owned);
    let first = version(&server.report("demo").unwrap()).expect("a version");
    let old = get(&server, "/live/demo.webp", &[]);
    let none_match = format!("If-None-Match: {}", old.field("ETag").unwrap());
    publisher.client.send(sample.bytes.slice(first_gop..));
    server.report_when("demo", |report| !report["keyframe_interval_ms"].is_null());
    let new = get(&server, "/live/demo.webp", &[&none_match]);
    assert_eq!(new.status, 200);
    assert_ne!(new.body, old.body);
    let report = server.report_when("demo", |report| version(report).as_ref() != Some(&first));
    let second = version(&report).expect("a version");
    // The publisher's own poster is known by its bytes.
    let jpeg = jpeg("64x36");
    let put = || Http::open(&server).upload("PUT", "/live/demo.jpg", &[], &jpeg);
    assert_eq!(put().status, 204);
    let report = server.report_when("demo", |report| version(report).as_ref() != Some(&second));
    let etag = get(&server, "/live/demo/poster", &[]);
    let etag = etag.field("ETag").unwrap().trim_matches('"').to_owned();
    assert_eq!(version(&report), Some(etag));
}

/// The value of an `og:` property on a page.
fn property(page: &str, name: &str) -> Option<String> {
    let begin = format!("<meta property=\"og:{name}\" content=\"");
    let (_, rest) = page.split_once(&begin)?;
    Some(rest.split('"').next().unwrap().to_owned())
}

#[test]
fn shared_link_has_the_stream_and_its_picture() {
    let options = ["--trusted-proxy", "127.0.0.1", "--base-path", "/video"];
    let server = Server::with(&[&options[..], &["--publish-open"]].concat());
    let page = |fields: &[&str]| get(&server, "/live/demo", fields).text();
    let before = page(&[]);
    assert!(before.contains("<title>demo · videostream</title>"));
    assert_eq!(property(&before, "title").as_deref(), Some("demo"));
    assert_eq!(property(&before, "image"), None);

    let _publisher = on_air(&server, "demo", "chromium-vp8-opus-100ms");
    let report = server.report_when("demo", |report| report["ring_bytes"] != 0);
    assert_eq!(report["poster"], "/video/live/demo/poster");
    let size = |page: &str| {
        let [width, height] = ["image:width", "image:height"].map(|it| property(page, it).unwrap());
        format!("{width}x{height}")
    };
    let live = page(&[]);
    let image = format!("http://{}/video/live/demo/poster", server.address);
    assert_eq!(property(&live, "image"), Some(image));
    assert_eq!(property(&live, "image:type").as_deref(), Some("image/webp"));
    let (width, height) = (&report["width"], &report["height"]);
    assert_eq!(size(&live), format!("{width}x{height}"));

    let jpeg = jpeg("322x182");
    Http::open(&server).upload("PUT", "/live/demo.jpg", &[], &jpeg);
    let proxied = page(&["X-Forwarded-Proto: https", "X-Forwarded-Prefix: /tv"]);
    let image = format!("https://{}/tv/live/demo/poster", server.address);
    assert_eq!(property(&proxied, "image"), Some(image));
    assert_eq!(
        property(&proxied, "image:type").as_deref(),
        Some("image/jpeg")
    );
    assert_eq!(size(&proxied), "322x182");

    // In both encodings, and once for a client that has it.
    let answer = get(&server, "/live/demo?embed", &["Accept-Encoding: gzip"]);
    assert_eq!(answer.field("Content-Encoding"), Some("gzip"));
    let mut plain = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&answer.body[..]);
    std::io::Read::read_to_string(&mut decoder, &mut plain).unwrap();
    assert_eq!(plain, page(&[]));
    let etag = format!("If-None-Match: {}", answer.field("ETag").unwrap());
    let fields = ["Accept-Encoding: gzip", &*etag];
    assert_eq!(get(&server, "/live/demo?embed", &fields).status, 304);
}

#[test]
fn shared_link_to_a_guarded_stream_does_not_say_whether_it_is_on_air() {
    let hook = Hook::start(|_| Says::Status(200));
    let hook = hook.url();
    for options in [
        &["--watch-key", "look", "--publish-key", "go"][..],
        &["--auth-url", &hook],
    ] {
        let server = Server::with(options);
        let page = || get(&server, "/live/demo?key=look", &[]).body;
        let before = page();
        let _publisher = on_air(&server, "demo?key=go", "chromium-vp8-opus-100ms");
        crate::common::eventually("a picture", || {
            let answer = get(&server, "/live/demo/poster?key=look", &[]);
            (answer.field("Content-Type") == Some("image/webp")).then_some(())
        });
        assert_eq!(page(), before);
        assert_eq!(property(&String::from_utf8(before).unwrap(), "image"), None);
    }
    let server = Server::with(&["--watch-key", "look", "--publish-open"]);
    for name in ["demo", "none"] {
        let target = format!("/live/{name}/poster");
        assert_eq!(get(&server, &target, &[]).status, 401);
        let wrong = get(&server, &target, &["Authorization: Bearer wrong"]);
        assert_eq!(wrong.status, 401);
        let shown = get(&server, &(target + "?key=look"), &[]);
        assert_eq!(shown.status, 200);
        // No cache that many share may keep it.
        assert_eq!(shown.field("Cache-Control"), Some("private, no-cache"));
    }
}
