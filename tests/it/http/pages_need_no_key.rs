//! The promise: pages hold no secret and are open to every client, so that they can ask for the key
//! themselves and no browser opens a login box over them. Everything else of a stream is guarded.

use crate::common::hook::{Hook, Says};
use crate::common::http::{Http, Response};
use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::websocket::Publisher;
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};

const PAGES: [&str; 5] = [
    "/",
    "/dashboard",
    "/publish/demo",
    "/live/demo",
    "/live/demo?embed",
];

const SECRET: &str = "0123456789abcdef0123456789abcdef";

const UPGRADE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==",
];

fn get(server: &Server, target: &str, fields: &[&str]) -> Response {
    Http::open(server).request("GET", target, fields)
}

fn assert_pages_are_served(server: &Server) {
    for page in PAGES
        .into_iter()
        .chain(["/assets/watch/watch.js", "/favicon.ico"])
    {
        for fields in [&[][..], &["Authorization: Bearer wrong"]] {
            let answer = get(server, page, fields);
            assert_eq!(answer.status, 200, "{page}");
            assert_eq!(answer.field("WWW-Authenticate"), None, "{page}");
        }
    }
}

fn listing(server: &Server, fields: &[&str]) -> (Vec<String>, bool) {
    let answer = get(server, "/api/streams", fields);
    assert_eq!(answer.status, 200);
    let listing: Value = serde_json::from_slice(&answer.body).unwrap();
    let streams = listing["streams"].as_array().unwrap().iter();
    let names = streams.map(|stream| stream["name"].as_str().unwrap().to_owned());
    (names.collect(), listing["locked"].as_bool().unwrap())
}

#[test]
fn pages_are_served_without_a_key_and_their_streams_are_not() {
    let keys = ["--publish-key", "right", "--watch-key", "look"];
    for options in [&keys[..], &["--token-secret", SECRET]] {
        let server = Server::with(options);
        assert_pages_are_served(&server);
        for target in [
            "/live/demo.webm",
            "/live/demo.jpg",
            "/live/demo.webp",
            "/live/demo/poster",
            "/api/streams/demo",
        ] {
            assert_eq!(get(&server, target, &[]).status, 401, "{target}");
        }
        for target in ["/live/demo", "/publish/demo"] {
            assert_eq!(get(&server, target, &UPGRADE).status, 401, "{target}");
        }
        for (method, target) in [
            ("PUT", "/live/demo.jpg"),
            ("PUT", "/publish/demo"),
            ("DELETE", "/api/streams/demo"),
        ] {
            let answer = Http::open(&server).upload(method, target, &[], b"");
            assert_eq!(answer.status, 401, "{method} {target}");
        }
    }
}

#[test]
fn pages_send_no_question_to_the_hook() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let hook = Hook::start(|_| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        Says::Status(403)
    });
    let server = Server::with(&["--auth-url", &hook.url()]);
    assert_pages_are_served(&server);
    assert_eq!(ASKED.load(Ordering::Relaxed), 0);
    assert_eq!(get(&server, "/live/demo.webm", &[]).status, 403);
    assert_eq!(listing(&server, &[]), (vec![], true));
}

/// A page under a foreign name can do nothing, for its socket is refused.
#[test]
fn pages_of_a_local_server_have_any_name_and_their_sockets_have_not() {
    let server = Server::start();
    let ask = |target: &str, lines: &str| {
        let mut http = Http::open(&server);
        http.send(format!(
            "GET {target} HTTP/1.1\r\nHost: evil.example\r\n{lines}\r\n"
        ));
        http.answer("GET").status
    };
    assert_eq!(ask("/live/demo", ""), 200);
    let upgrade = UPGRADE.map(|line| format!("{line}\r\n")).concat();
    assert_eq!(ask("/live/demo", &upgrade), 403);
    assert_eq!(ask("/publish/demo", &upgrade), 403);
    assert_eq!(ask("/live/demo.webm", ""), 403);
}

#[test]
fn only_programs_and_people_are_challenged() {
    let server = Server::with(&["--watch-key", "look", "--publish-key", "right"]);
    let challenges = |target: &str, fields: &[&str]| {
        let answer = get(&server, target, fields);
        assert_eq!(answer.status, 401, "{target} {fields:?}");
        answer.all("WWW-Authenticate").len()
    };
    // A browser opens its box for a typed address; curl and ffmpeg send the key again.
    for fields in [
        &[][..],
        &["Accept: */*"],
        &[
            "Sec-Fetch-Mode: navigate",
            "Sec-Fetch-Dest: document",
            "Accept: text/html,image/webp",
        ],
        &["Accept: text/html,application/xhtml+xml,image/avif,*/*;q=0.8"],
    ] {
        assert_eq!(challenges("/live/demo.webm", fields), 2, "{fields:?}");
    }
    let socket = &UPGRADE[..];
    assert_eq!(challenges("/live/demo", socket), 2);
    // What pages ask for, on secure origins and on others.
    for (target, fields) in [
        (
            "/api/streams/demo",
            &["Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"][..],
        ),
        ("/api/streams/demo", &["Accept: application/json"]),
        (
            "/live/demo.webm",
            &["Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: video"],
        ),
        ("/live/demo.webm?page", &["Accept: */*", "Range: bytes=0-"]),
        (
            "/live/demo.jpg",
            &["Accept: image/avif,image/webp,image/*,*/*;q=0.8"],
        ),
        (
            "/live/demo",
            &[socket, &["Sec-Fetch-Mode: websocket"]].concat(),
        ),
    ] {
        assert_eq!(challenges(target, fields), 0, "{target} {fields:?}");
    }
    let origin = format!("Origin: http://{}", server.address);
    assert_eq!(
        challenges("/publish/demo", &[socket, &[&origin]].concat()),
        0
    );
    let put = Http::open(&server).upload("PUT", "/live/demo.jpg", &[&origin], b"");
    assert_eq!((put.status, put.field("WWW-Authenticate")), (401, None));
}

#[test]
fn lists_are_open_and_report_whether_a_key_would_show_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("videostream.toml");
    std::fs::write(&file, "[streams.hidden]\nwatch_key = 'own'\n").unwrap();
    let server = Server::with(&["--config", file.to_str().unwrap()]);
    assert_eq!(listing(&server, &[]), (vec![], true));
    let sample = Sample::read("chromium-restart-1");
    let mut publishers = ["hidden", "open"].map(|name| Publisher::open(&server, name));
    for publisher in &mut publishers {
        publisher.send_all(&sample.chunks);
    }
    server.report_when("open", |report| report["live"] == true);
    let own = "Authorization: Bearer own";
    server.wait_for_log("publisher came", 2);
    assert_eq!(listing(&server, &[]), (vec!["open".to_owned()], true));
    let (mut names, locked) = listing(&server, &[own]);
    names.sort();
    assert_eq!(
        (names, locked),
        (vec!["hidden".to_owned(), "open".to_owned()], false)
    );
    let metrics = get(&server, "/metrics", &[]);
    assert_eq!(metrics.status, 200);
    assert!(metrics.text().contains("\"open\"") && !metrics.text().contains("\"hidden\""));

    let server = Server::with(&["--watch-key", "look", "--publish-key", "right"]);
    for (fields, locked) in [
        (&[][..], true),
        (&["Authorization: Bearer wrong"], true),
        (&["Authorization: Bearer look"], false),
        (&["Authorization: Bearer right"], false),
    ] {
        assert_eq!(listing(&server, fields), (vec![], locked), "{fields:?}");
    }
    assert_eq!(
        listing(&Server::with(&["--publish-key", "right"]), &[]),
        (vec![], false)
    );
}
