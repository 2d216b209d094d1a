//! The promise: every answer other than media is plain HTTP for any client or proxy, and every
//! refusal has the status of the contract.

use crate::common::eventually;
use crate::common::http::{Http, Response};
use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::Publisher;
use flate2::read::GzDecoder;
use std::io::Read;
use videostream::pages;

/// Start of image, and the marker after it: as much of a JPEG as the server looks at.
const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a picture";

/// Sends bytes that may be no request, and takes the answer.
fn say(server: &Server, bytes: impl AsRef<[u8]>) -> Response {
    let mut http = Http::open(server);
    http.send(bytes);
    http.answer("GET")
}

/// Addresses of pages, and the files they come from.
const PAGES: [(&str, &str); 5] = [
    ("/", "home/home.html"),
    ("/dashboard", "dashboard/dashboard.html"),
    ("/publish/demo", "publish/publish.html"),
    ("/live/demo", "watch/watch.html"),
    ("/live/demo?embed", "watch/watch.html"),
];

#[test]
fn connection_serves_one_request_after_another() {
    let server = Server::start();
    let mut http = Http::open(&server);
    for _ in 0..3 {
        let answer = http.get("/healthz");
        assert_eq!((answer.status, &*answer.text()), (200, "ok\n"));
        assert_eq!(answer.field("Connection"), Some("keep-alive"));
    }
    let last = http.request("GET", "/healthz", &["Connection: close"]);
    assert_eq!(last.field("Connection"), Some("close"));
    assert!(http.rest().is_empty());
}

#[test]
fn requests_may_come_before_the_answers() {
    let server = Server::start();
    let mut http = Http::open(&server);
    let one = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    let targets = ["/healthz", "/api/streams", "/metrics", "/healthz"];
    http.send(targets.map(one).concat());
    let bodies = targets.map(|_| http.answer("GET").text());
    assert_eq!(
        (&*bodies[0], &*bodies[1], &*bodies[3]),
        ("ok\n", "{\"streams\":[],\"locked\":false}", "ok\n")
    );
    assert!(bodies[2].starts_with("# HELP videostream_"));
    // Even when the last becomes something else, and the cut is inside it.
    let upgrade = "GET /live/demo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==\r\n\r\n";
    http.send(one("/healthz") + &upgrade[..50]);
    assert_eq!(http.answer("GET").status, 200);
    http.send(&upgrade[50..]);
    assert_eq!(http.head().status, 101);
}

#[test]
fn http_1_0_is_answered_and_closed_unless_it_asks_otherwise() {
    let server = Server::start();
    let mut http = Http::open(&server);
    http.send("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = http.answer("GET");
    assert_eq!(answer.field("Connection"), Some("keep-alive"));
    http.send("GET /healthz HTTP/1.0\r\n\r\n");
    let answer = http.answer("GET");
    assert_eq!(
        (answer.status, answer.field("Connection")),
        (200, Some("close"))
    );
    assert!(http.rest().is_empty());
}

#[test]
fn head_has_the_fields_of_get() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    assert_eq!(
        Http::open(&server)
            .request("HEAD", "/live/demo.webm", &[])
            .status,
        // GET would wait for a publisher.
        200
    );
    let mut publisher = Publisher::open(&server, "demo");
    publisher.send_all(&sample.chunks);
    let mut viewer = Viewer::plain(&server, "demo");
    viewer.watch(1);
    let put = Http::open(&server).upload("PUT", "/live/demo.jpg", &[], JPEG);
    assert_eq!(put.status, 204);

    let mut http = Http::open(&server);
    let assets = ["/healthz", "/api/streams", "/live/demo.jpg", "/none"];
    let pages = PAGES.iter().map(|(target, _)| *target);
    for target in assets.into_iter().chain(pages) {
        let head = Http::open(&server).request("HEAD", target, &[]);
        let get = Http::open(&server).get(target);
        assert_eq!(head.status, get.status, "{target}");
        // A second may pass between the two.
        let without_date = |fields: &[(String, String)]| -> Vec<_> {
            let others = fields
                .iter()
                .filter(|(name, _)| !name.eq_ignore_ascii_case("date"));
            others.cloned().collect()
        };
        assert_eq!(
            without_date(&head.fields),
            without_date(&get.fields),
            "{target}"
        );
    }
    // No body: the next answer follows at once.
    for target in ["/healthz", "/live/demo.jpg", "/metrics"] {
        assert_eq!(http.request("HEAD", target, &[]).status, 200);
    }
    let mut get = Http::open(&server);
    get.ask("GET", "/live/demo.webm", &[]);
    let mut head = Http::open(&server);
    let answer = head.request("HEAD", "/live/demo.webm", &[]);
    assert_eq!((answer.status, answer.fields), (200, get.head().fields));
    assert!(head.rest().is_empty());
}

/// What a page or a script refers to, from where it is.
fn references(path: &str, text: &str) -> Vec<String> {
    let folder = &path[..=path.rfind('/').unwrap()];
    let is_script = path.ends_with(".js");
    let marks: &[&str] = if is_script {
        &["from '", "$$('", "import '", "new URL('"]
    } else {
        &["href=\"", "src=\"", "data-codecs=\"", "data-mse=\""]
    };
    let mut found = Vec::new();
    for mark in marks {
        let close = mark.chars().last().unwrap();
        for (_, rest) in text.match_indices(mark).map(|(at, _)| text.split_at(at)) {
            let reference = &rest[mark.len()..];
            let reference = &reference[..reference.find(close).unwrap()];
            // What a script fills in, a page's own parts, and what only JavaScript knows.
            if reference.is_empty()
                || reference.starts_with(['#', '?'])
                || reference.starts_with("http")
                || reference.starts_with("data:")
                // It has no end.
                || reference.ends_with(".webm")
                || is_script && !reference.starts_with('.')
            {
                continue;
            }
            if reference.starts_with('?') {
                // The page itself, with a query (RFC 3986, 5.2.2).
                let page = path.split('?').next().unwrap();
                found.push(format!("{page}{reference}"));
                continue;
            }
            found.push(resolve(folder, reference));
        }
    }
    found
}

fn resolve(folder: &str, reference: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in reference.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// A page or a script that is missing fails here, whichever page leads there.
#[test]
fn every_page_is_there_with_all_that_it_refers_to() {
    let server = Server::start();
    let mut http = Http::open(&server);
    let mut paths: Vec<String> = PAGES.iter().map(|(path, _)| path.to_string()).collect();
    paths.extend(["/recordings", "/recordings/demo"].map(String::from));
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        next += 1;
        let answer = http.get(&path);
        assert_eq!(answer.status, 200, "{path}");
        let media_type = answer.field("Content-Type").unwrap();
        // A page may change; what it refers to gets another name then.
        let caching = if path.starts_with("/assets/") {
            Some("public, max-age=31536000, immutable")
        } else {
            media_type.starts_with("text/html").then_some("no-cache")
        };
        if let Some(caching) = caching {
            assert_eq!(answer.field("Cache-Control"), Some(caching), "{path}");
        }
        if ["text/html", "text/javascript"]
            .iter()
            .any(|kind| media_type.starts_with(kind))
        {
            for reference in references(&path, &answer.text()) {
                if !paths.contains(&reference) {
                    paths.push(reference);
                }
            }
        }
    }
    for known in [
        "/dashboard",
        "/assets/watch-codecs-",
        "/assets/watch-mse-",
        "/assets/ticker-worker-",
    ] {
        assert!(
            paths.iter().any(|path| path.starts_with(known)),
            "{known}: {paths:?}"
        );
    }
    // As they are written, for a debugger.
    for path in ["/assets/watch/watch.js", "/assets/style.css"] {
        let answer = http.get(path);
        assert_eq!(
            (answer.status, answer.field("Cache-Control")),
            (200, Some("no-cache")),
            "{path}"
        );
    }
}

#[test]
fn pages_are_compressed_validated_and_locked_down() {
    let server = Server::start();
    for (target, file) in PAGES {
        let page = pages::page(file).unwrap_or_else(|| panic!("{file} is not embedded"));
        let mut http = Http::open(&server);
        let plain = http.get(target);
        assert_eq!(plain.status, 200);
        let text = std::str::from_utf8(&page.plain().bytes).unwrap();
        if file == "watch/watch.html" {
            // The server writes the stream's name into it: see `posters` and `error_pages`.
            let (before, rest) = text.split_once("<title>").unwrap();
            let (_, rest) = rest.split_once("</title>").unwrap();
            let (between, after) = rest.split_once("<noscript></noscript>").unwrap();
            let page = plain.text();
            assert!(page.starts_with(before) && page.ends_with(after), "{page}");
            assert!(page.contains(between), "{page}");
        } else {
            assert_eq!(plain.text(), text);
        }
        assert_eq!(
            plain.field("Content-Type"),
            Some("text/html; charset=utf-8")
        );
        let policy = plain.field("Content-Security-Policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"));
        let anyone = policy.contains("frame-ancestors *");
        assert_eq!(anyone, target.ends_with("?embed"), "{target}");

        let gzip = http.request("GET", target, &["Accept-Encoding: br, gzip"]);
        if page.is_compressible() {
            assert_eq!(gzip.field("Content-Encoding"), Some("gzip"));
            assert_eq!(gzip.field("Vary"), Some("Accept-Encoding"));
            assert_eq!(plain.field("Vary"), Some("Accept-Encoding"));
            assert_ne!(plain.field("ETag"), gzip.field("ETag"));
            let mut unpacked = Vec::new();
            let mut decoder = GzDecoder::new(&gzip.body[..]);
            decoder.read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, plain.body);
        }
        for (answer, coding) in [(&plain, "identity"), (&gzip, "gzip")] {
            let etag = answer.field("ETag").unwrap();
            let fields = [
                format!("If-None-Match: \"old\", {etag}"),
                format!("Accept-Encoding: {coding}"),
            ];
            let again = http.request("GET", target, &fields.each_ref().map(String::as_str));
            assert_eq!((again.status, again.field("ETag")), (304, Some(etag)));
        }
    }
}

#[test]
fn parts_of_pages_go_out_in_brotli_to_clients_that_name_it() {
    let server = Server::start();
    let mut http = Http::open(&server);
    let html = http.request("GET", "/live/demo", &[]).text();
    let (_, behind) = html.split_once("codecs=\"../assets/watch-").unwrap();
    let watch = format!("/assets/watch-{}", behind.split('"').next().unwrap());
    for target in [&watch, "/player.js"] {
        let plain = http.request("GET", target, &[]);
        let brotli = http.request("GET", target, &["Accept-Encoding: gzip, deflate, br"]);
        assert_eq!(plain.field("Content-Encoding"), None);
        assert_eq!(brotli.field("Content-Encoding"), Some("br"), "{target}");
        assert_eq!(brotli.field("Vary"), Some("Accept-Encoding"));
        assert_ne!(plain.field("ETag"), brotli.field("ETag"));
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut &brotli.body[..], &mut unpacked).unwrap();
        assert_eq!(unpacked, plain.body);
        let etag = format!("If-None-Match: {}", brotli.field("ETag").unwrap());
        let again = http.request("GET", target, &["Accept-Encoding: br", &etag]);
        assert_eq!(again.status, 304);
    }
}

#[test]
fn page_gets_the_site_of_its_referrer_in_server_timing() {
    let server = Server::start();
    let led = |target: &str, site: &str| {
        let field = format!("Sec-Fetch-Site: {site}");
        let answer = Http::open(&server).request("GET", target, &[&field]);
        answer.field("Server-Timing").map(str::to_owned)
    };
    for site in ["none", "same-origin", "same-site", "cross-site"] {
        let told = led("/publish/demo?source=camera&auto", site);
        assert_eq!(told, Some(format!("led-by;desc=\"{site}\"")));
    }
    assert_eq!(led("/publish/demo", "x\\\", y"), None);
    assert_eq!(led("/assets/favicon.svg", "cross-site"), None);
}

#[test]
fn newest_poster_lasts_as_long_as_its_publisher() {
    let server = Server::with(&["--poster-bytes", "2KiB"]);
    let put = |fields: &[&str], body: &[u8]| {
        let mut http = Http::open(&server);
        http.upload("PUT", "/live/demo.jpg", fields, body).status
    };
    let get = |fields: &[&str]| Http::open(&server).request("GET", "/live/demo.jpg", fields);
    assert_eq!((get(&[]).status, put(&[], JPEG)), (404, 404));
    let mut publisher = Publisher::open(&server, "demo");
    // Before its first media it may never come on air, and the poster would be another's.
    assert_eq!((get(&[]).status, put(&[], JPEG)), (404, 404));
    publisher.open_stream(&Sample::read("chromium-restart-1"));
    server.report_when("demo", |report| report["live"] == true);
    assert_eq!(put(&[], JPEG), 204);
    let first = get(&[]);
    assert_eq!((first.status, &first.body[..]), (200, JPEG));
    assert_eq!(first.field("Content-Type"), Some("image/jpeg"));
    let none_match = format!("If-None-Match: {}", first.field("ETag").unwrap());
    assert_eq!(get(&[&none_match]).status, 304);

    // A newer one, chunked, and the connection goes on.
    let newer = [JPEG, &[7; 1000]].concat();
    let mut http = Http::open(&server);
    http.ask("POST", "/live/demo.jpg", &["Transfer-Encoding: chunked"]);
    for piece in newer.chunks(300) {
        http.send_chunk(piece);
    }
    http.send("0\r\n\r\n");
    assert_eq!(http.answer("POST").status, 204);
    assert_eq!(http.get("/live/demo.jpg").body, newer);
    assert_eq!(get(&[&none_match]).status, 200);

    // What is refused leaves it as it was.
    assert_eq!(put(&[], b"GIF89a"), 415);
    assert_eq!(put(&[], &[JPEG, &[7; 2048]].concat()), 413);
    let mut http = Http::open(&server);
    http.ask("PUT", "/live/demo.jpg", &["Transfer-Encoding: chunked"]);
    http.send_chunk(&[JPEG, &[7; 2048]].concat());
    assert_eq!(http.answer("PUT").status, 413);
    let mut cut = Http::open(&server);
    cut.ask("PUT", "/live/demo.jpg", &["Content-Length: 1000"]);
    cut.send(JPEG);
    drop(cut);
    assert_eq!(get(&[]).body, newer);
    publisher.finish();
    server.wait_until_offline("demo");
    assert_eq!(put(&[], JPEG), 404);
}

#[test]
fn poster_goes_with_the_publisher_that_sent_it() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let put = || Http::open(&server).upload("PUT", "/live/demo.jpg", &[], JPEG);
    let get = || Http::open(&server).get("/live/demo.jpg").status;
    // The viewer keeps the stream.
    let mut viewer = Viewer::v1(&server, "demo");
    let mut first = Publisher::open(&server, "demo");
    first.open_stream(&sample);
    viewer.watch(1);
    assert_eq!((put().status, get()), (204, 200));
    let mut half_sent = Http::open(&server);
    let length = format!("Content-Length: {}", JPEG.len());
    half_sent.ask("PUT", "/live/demo.jpg", &[&length, "Expect: 100-continue"]);
    assert_eq!(half_sent.head().status, 100);

    first.finish();
    server.wait_until_offline("demo");
    assert_eq!(get(), 404);
    let mut second = Publisher::open(&server, "demo");
    second.open_stream(&sample);
    server.report_when("demo", |report| report["live"] == true);
    assert_eq!(get(), 404);
    assert_eq!(
        server.report("demo").unwrap()["poster"],
        "/live/demo/poster"
    );
    // Nor does one that was begun for the publisher before it become this one's.
    half_sent.send(JPEG);
    assert_eq!((half_sent.answer("PUT").status, get()), (404, 404));

    // The same where the next one takes over.
    assert_eq!((put().status, get()), (204, 200));
    let mut third = Publisher::open(&server, "demo");
    third.open_stream(&sample);
    second.client.closed();
    assert_eq!(get(), 404);
    assert_eq!((put().status, get()), (204, 200));
}

#[test]
fn refusals_name_the_fault() {
    let server = Server::start();
    let lines = |start: &str, lines: &str| format!("{start} HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
    let nonce = "Sec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==\r\n";
    let long = format!("X: {}\r\n", "x".repeat(17 << 10));
    for (request, status) in [
        ("garbage\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/2.0\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 400),
        ("\x16\x03\x01\x02\0\x01\0\x01\u{7f}\x03\x03".to_owned(), 400),
        (lines("GET /", &long), 431),
        (lines("GET /", &"X: x\r\n".repeat(65)), 431),
        (lines("GET /nowhere", ""), 404),
        (lines("GET /live/", ""), 404),
        (lines("GET /live/a/b", ""), 404),
        (lines("GET /live/.hidden", ""), 400),
        (lines("GET /live/%20", ""), 400),
        (lines("GET /api/streams/nobody", ""), 404),
        (lines("PUT /publish/a.jpg", "Content-Length: 1\r\n"), 400),
        (
            lines("PUT /live/cam.jpg.webm", "Content-Length: 1\r\n"),
            400,
        ),
        (
            lines("PUT /live/cam.webm.webm", "Content-Length: 1\r\n"),
            400,
        ),
        (lines("GET /publish/cam.webp", ""), 400),
        (
            lines(
                "PUT /publish/a",
                "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            ),
            400,
        ),
        (lines("PUT /publish/a", "Content-Length: -1\r\n"), 400),
        (
            lines(
                "PUT /publish/a",
                "Content-Length: 1\r\nContent-Length: 2\r\n",
            ),
            400,
        ),
        (lines("PUT /publish/a", "Transfer-Encoding: gzip\r\n"), 501),
        (
            lines("PUT /publish/a", "Transfer-Encoding: chunked\r\n") + "xyz\r\n",
            400,
        ),
        (
            lines("PUT /publish/a", "Transfer-Encoding: chunked\r\n") + "1\r\n\x1abc",
            400,
        ),
        (lines("GET /live/a", &format!("{upgrade}{nonce}")), 400),
        (
            lines(
                "GET /live/a",
                &format!("{upgrade}Sec-WebSocket-Version: 13\r\n"),
            ),
            400,
        ),
    ] {
        let answer = say(&server, &request);
        assert_eq!(answer.status, status, "{request:?}: {}", answer.text());
        let is_closed = answer.field("Connection") == Some("close");
        assert_eq!(is_closed, status != 404, "{request:?}");
        assert!(answer.text().ends_with('\n'), "{request:?}");
    }
    let version = format!("{upgrade}{nonce}Sec-WebSocket-Version: 8\r\n");
    let answer = say(&server, lines("GET /live/a", &version));
    assert_eq!(answer.status, 426);
    assert_eq!(answer.field("Sec-WebSocket-Version"), Some("13"));
    server.assert_healthy();
}

#[test]
fn wrong_method_is_refused_with_the_allowed_methods() {
    let server = Server::start();
    for (method, target, allow) in [
        ("POST", "/", "GET, HEAD"),
        ("DELETE", "/healthz", "GET, HEAD"),
        ("PUT", "/live/demo", "GET, HEAD"),
        ("DELETE", "/live/demo.webm", "GET, HEAD, PUT, POST, SOURCE"),
        ("DELETE", "/publish/demo", "GET, HEAD, PUT, POST, SOURCE"),
        ("POST", "/api/streams/demo", "GET, HEAD, DELETE"),
        ("BREW", "/metrics", "GET, HEAD"),
    ] {
        let answer = Http::open(&server).upload(method, target, &[], b"");
        assert_eq!(answer.status, 405, "{method} {target}");
        assert_eq!(answer.field("Allow"), Some(allow), "{method} {target}");
    }
}

#[test]
fn full_server_answers_503() {
    let server = Server::with(&["--max-streams", "1"]);
    let publisher = Publisher::open(&server, "one");
    let refused = Http::open(&server).upload("PUT", "/publish/two", &[], b"x");
    assert_eq!(refused.status, 503);
    assert!(refused.field("Retry-After").is_some());
    // A takeover is not refused, nor a new stream when there is room again.
    let taken_over = Publisher::open(&server, "one");
    drop(publisher);
    taken_over.finish();
    eventually("room for another", || {
        server.report("one").is_none().then_some(())
    });
    Publisher::open(&server, "two").finish();

    let server = Server::with(&["--max-connections", "2"]);
    let mut held = [Http::open(&server), Http::open(&server)];
    for http in &mut held {
        assert_eq!(http.get("/healthz").status, 200);
    }
    let mut third = Http::open(&server);
    let answer = third.answer("GET");
    assert_eq!(answer.status, 503);
    assert!(answer.field("Retry-After").is_some());
    assert_eq!(held[0].get("/healthz").status, 200);
}

#[test]
fn metrics_count_connections_streams_and_bytes() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = Viewer::plain(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    viewer.watch(1);
    publisher.go_on(&sample);
    viewer.watch(sample.all_frames().len());
    let answer = Http::open(&server).get("/metrics");
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(answer.field("Content-Type"), Some(media_type));
    let text = answer.text();
    for line in [
        "videostream_connections 3",
        "videostream_streams 1",
        "videostream_skips_total 0",
        "videostream_connections_refused_total 0",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}: {text}");
    }
    let report = server.report("demo").unwrap();
    let received = report["received_bytes"].as_u64().unwrap();
    assert!(received > sample.bytes.len() as u64);
    assert!(report["sent_bytes"].as_u64().unwrap() > viewer.screen.bytes.len() as u64);
    assert_eq!(report["width"], 320);
    assert_eq!(
        (&report["live"], &report["audio"]),
        (&true.into(), &true.into())
    );
    assert_eq!(report["codecs"], "opus,vp8");
    assert_eq!(report["viewers_ws"], 1);
    assert!(report["keyframe_interval_ms"].as_u64().unwrap() > 900);
}
