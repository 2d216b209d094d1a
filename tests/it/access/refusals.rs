//! The promise: a refused client gets the reason, the operator gets one line and one count without
//! a secret, and a flood of refusals fills no log.

use crate::common::eventually;
use crate::common::ffmpeg::{KEY, tool};
use crate::common::hook::{Hook, Says};
use crate::common::http::{Http, Response, connect_from};
use crate::common::server::Server;
use crate::common::websocket::Publisher;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

const UPGRADE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==",
];

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn count(server: &Server, reason: &str) -> u64 {
    server.metric(&format!(
        "videostream_refusals_total{{reason=\"{reason}\"}}"
    ))
}

fn ask(server: &Server, method: &str, target: &str, fields: &[&str]) -> Response {
    Http::open(server).request(method, target, fields)
}

/// Has it refused once, for this reason: counted, and told in one line with all that is known.
fn assert_noted(server: &Server, reason: &str, stream: Option<&str>, refuse: impl FnOnce()) {
    let before = count(server, reason);
    let lines = |server: &Server| server.log().lines().count();
    // Lines of the second before would leave none for this one.
    let known = lines(server);
    refuse();
    assert_eq!(count(server, reason), before + 1, "{reason}");
    let line = eventually("a line in the log", || {
        let log = server.log();
        let line = log
            .lines()
            .skip(known)
            .find(|line| line.contains(&format!("reason=\"{reason}\"")));
        line.map(str::to_owned)
    });
    assert!(line.contains("client=127.0.0.1"), "{line}");
    if let Some(stream) = stream {
        assert!(line.contains(&format!("stream={stream}")), "{line}");
    }
    for secret in ["hunter2", "sesame", "ey.no.token"] {
        assert!(!server.log().contains(secret), "{}", server.log());
    }
}

#[test]
fn each_refusal_has_a_line_and_a_count_by_its_reason() {
    let server = Server::with(&["--publish-key", "sesame", "--watch-key", "sesame"]);
    assert_noted(&server, "key", Some("demo"), || {
        let answer = ask(&server, "GET", "/live/demo.webm?key=hunter2", &[]);
        assert_eq!(answer.status, 401);
    });
    assert_noted(&server, "token", Some("demo"), || {
        let answer = ask(&server, "GET", "/live/demo?token=ey.no.token", &UPGRADE);
        assert_eq!(answer.status, 401);
    });
    assert_noted(&server, "origin", Some("demo"), || {
        let foreign = [&UPGRADE[..], &["Origin: http://evil.example"]].concat();
        assert_eq!(
            ask(&server, "GET", "/live/demo?key=sesame", &foreign).status,
            403
        );
    });
    let server = Server::with(&["--max-streams", "1"]);
    assert_noted(&server, "address", None, || {
        assert_eq!(ask(&server, "GET", "/nowhere?key=hunter2", &[]).status, 404);
    });
    assert_noted(&server, "method", None, || {
        assert_eq!(ask(&server, "BREW", "/metrics", &[]).status, 405);
    });
    assert_noted(&server, "media", Some("demo"), || {
        let answer = Http::open(&server).upload("PUT", "/publish/demo", &[], b"no WebM at all");
        assert_eq!(answer.status, 415);
    });
    let server = Server::with(&["--max-streams", "1"]);
    assert_noted(&server, "host", Some("demo"), || {
        let mut http = Http::open(&server);
        http.send("GET /live/demo.webm HTTP/1.1\r\nHost: evil.example\r\n\r\n");
        assert_eq!(http.answer("GET").status, 403);
    });
    let _publisher = Publisher::open(&server, "one");
    assert_noted(&server, "limit", Some("two"), || {
        let answer = Http::open(&server).upload("PUT", "/publish/two", &[], b"x");
        assert_eq!(answer.status, 503);
    });
    let hook = Hook::start(|_| Says::Status(403));
    let server = Server::with(&["--auth-url", &hook.url()]);
    assert_noted(&server, "hook", Some("demo"), || {
        assert_eq!(
            ask(&server, "GET", "/live/demo.webm?key=hunter2", &[]).status,
            403
        );
    });
    let server = Server::with(&["--token-secret", SECRET]);
    assert_noted(&server, "token", Some("demo"), || {
        assert_eq!(ask(&server, "GET", "/live/demo.webm", &[]).status, 401);
    });
    server.wait_for_log("no key and no token", 1);
}

#[test]
fn served_requests_count_as_no_refusal() {
    let server = Server::start();
    for target in [
        "/",
        "/live/demo",
        "/api/streams",
        "/live/demo/",
        "/live/demo.jpg",
    ] {
        assert!(ask(&server, "GET", target, &[]).status < 500, "{target}");
    }
    for reason in [
        "key", "token", "hook", "origin", "host", "address", "method", "limit", "media",
    ] {
        assert_eq!(count(&server, reason), 0, "{reason}");
    }
    assert!(!server.log().contains("refused"), "{}", server.log());
}

#[test]
fn flood_of_refusals_is_summed_up_and_hides_no_other_client() {
    let server = Server::with(&["--publish-key", "sesame"]);
    let mut http = Http::open(&server);
    let started = Instant::now();
    const MANY: usize = 2000;
    for _ in 0..MANY {
        assert_eq!(http.upload("PUT", "/publish/demo", &[], b"x").status, 401);
    }
    let stream = connect_from([127, 0, 0, 7], server.address);
    let mut other = Http::from_stream(stream, &server);
    assert_eq!(other.upload("PUT", "/publish/demo", &[], b"x").status, 401);
    server.wait_for_log("client=127.0.0.7", 1);
    assert_eq!(count(&server, "key"), MANY as u64 + 1);
    let lines = || {
        server
            .log()
            .lines()
            .filter(|line| line.contains("reason=\"key\""))
            .count()
    };
    let seconds = started.elapsed().as_secs() as usize + 2;
    assert!(lines() <= seconds * 3 + 1, "{}", server.log());
    // All are accounted for, in lines or in sums.
    eventually("all refusals in the log", || {
        let log = server.log();
        let sums = log.lines().filter_map(|line| {
            let (_, more) = line.split_once("refused ")?;
            more.split(' ').next()?.parse::<usize>().ok()
        });
        (lines() + sums.sum::<usize>() == MANY + 1).then_some(())
    });
}

#[test]
fn refused_request_leaves_the_connection_for_the_next() {
    let server = Server::with(&["--publish-key", "sesame", "--watch-key", "look"]);
    let mut http = Http::open(&server);
    let small = vec![7; 60 << 10];
    for _ in 0..3 {
        for (method, target, body, status) in [
            ("PUT", "/publish/demo", &b"x"[..], 401),
            ("PUT", "/live/demo.jpg", &small, 401),
            ("GET", "/live/demo.webm", b"", 401),
            ("GET", "/nowhere", b"", 404),
            ("POST", "/nowhere", &small, 404),
            ("PUT", "/live/demo", &small, 405),
            ("GET", "/healthz", b"", 200),
        ] {
            let answer = http.upload(method, target, &[], body);
            assert_eq!(answer.status, status, "{method} {target}");
            assert_eq!(
                answer.field("Connection"),
                Some("keep-alive"),
                "{method} {target}"
            );
            assert!(answer.field("Date").unwrap().ends_with(" GMT"));
        }
    }
    // A body that comes after its answer is not taken for a request.
    let smuggled = "GET /nowhere HTTP/1.1\r\nHost: smuggled\r\n\r\n";
    let length = format!("Content-Length: {}", smuggled.len());
    http.ask("PUT", "/publish/demo", &[&length]);
    assert_eq!(http.answer("PUT").status, 401);
    http.send(smuggled);
    assert_eq!(http.get("/healthz").status, 200);
    // A client with `Expect: 100-continue` gets its refusal before the body.
    http.ask(
        "PUT",
        "/publish/demo",
        &["Content-Length: 40", "Expect: 100-continue"],
    );
    let answer = http.answer("PUT");
    assert_eq!(
        (answer.status, answer.field("Connection")),
        (401, Some("close"))
    );
}

#[test]
fn uploader_that_sends_all_before_it_reads_gets_its_answer() {
    let server = Server::with(&["--publish-key", "sesame"]);
    let megabyte = vec![7; 1 << 20];
    let chunked = [
        format!("{:x}\r\n", megabyte.len()).as_bytes(),
        &megabyte,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    for (framing, body) in [
        (format!("Content-Length: {}\r\n", megabyte.len()), &megabyte),
        ("Transfer-Encoding: chunked\r\n".to_owned(), &chunked),
        (String::new(), &megabyte),
    ] {
        let mut http = Http::open(&server);
        http.send(format!(
            "PUT /live/demo.webm HTTP/1.1\r\nHost: a\r\n{framing}\r\n"
        ));
        // Slowly, as over a long way: the answer has been written long before the end.
        for piece in body.chunks(body.len() / 4 + 1) {
            http.send(piece);
            std::thread::sleep(Duration::from_millis(30));
        }
        let answer = http.answer("PUT");
        assert_eq!(answer.status, 401, "{framing:?}");
        assert!(!answer.body.is_empty());
    }
    // So it is with what turns out to be no WebM.
    let mut http = Http::open(&server);
    let key = "Authorization: Bearer sesame";
    let answer = http.upload("PUT", "/live/demo.webm", &[key], &megabyte);
    assert_eq!(answer.status, 415);
}

#[test]
fn ffmpeg_prints_the_reason_of_a_refusal() {
    let server = Server::with(&["--publish-key", KEY]);
    let address = server.address;
    // ffmpeg reads an answer to an upload if it has asked first: an Icecast source always does.
    let expect = ["-method", "PUT", "-send_expect_100", "1"];
    for (url, options) in [
        (
            format!("icecast://source:wrong@{address}/live/film.webm"),
            &[][..],
        ),
        (format!("http://{address}/live/film.webm"), &expect),
        (
            format!("http://source:wrong@{address}/live/film.webm"),
            &expect,
        ),
    ] {
        let mut command = tool("ffmpeg");
        command.args(["-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=10"]);
        command.args([
            "-c:v",
            "libvpx",
            "-f",
            "webm",
            "-content_type",
            "video/webm",
        ]);
        command.args(options);
        let mut child = command
            .arg(&url)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(said.contains("401"), "{url}: {said}");
        assert!(!said.contains("Broken pipe"), "{url}: {said}");
    }
}
