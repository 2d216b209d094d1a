//! The promise: without the right key nobody publishes, and where viewing has a key, nobody watches;
//! pages from elsewhere open no WebSocket.

mod common;

use common::http::{Http, Response};
use common::server::Server;

/// Base64 of `source:right`, and of `source:wrong`.
const BASIC_RIGHT: &str = "Authorization: Basic c291cmNlOnJpZ2h0";
const BASIC_WRONG: &str = "Authorization: Basic c291cmNlOndyb25n";

const UPGRADE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==",
];

fn ask(server: &Server, method: &str, target: &str, fields: &[&str]) -> Response {
    let mut http = Http::open(server);
    http.ask(method, target, fields);
    let mut answer = http.head();
    if answer.status >= 400 {
        http.body(method, &mut answer);
    }
    answer
}

fn upgrade(server: &Server, target: &str, fields: &[&str]) -> Response {
    ask(server, "GET", target, &[&UPGRADE, fields].concat())
}

fn assert_unauthorized(answer: &Response) {
    assert_eq!(answer.status, 401);
    let schemes = answer.all("WWW-Authenticate");
    assert!(schemes.iter().any(|scheme| scheme.starts_with("Basic ")));
    assert!(schemes.iter().any(|scheme| scheme.starts_with("Bearer ")));
}

#[test]
fn the_publish_key_is_taken_in_three_forms() {
    let server = Server::with(&["--publish-key", "right"]);
    for (target, field) in [
        ("/publish/demo", "Authorization: Bearer right"),
        ("/publish/demo", BASIC_RIGHT),
        ("/publish/demo?key=right", "Accept: */*"),
    ] {
        assert_eq!(upgrade(&server, target, &[field]).status, 101, "{field}");
        assert_eq!(
            ask(&server, "GET", target, &[field]).status,
            page(),
            "{field}"
        );
        let put = ["Content-Length: 1", "Expect: 100-continue", field];
        assert_eq!(ask(&server, "PUT", target, &put).status, 100, "{field}");
    }
    for (target, field) in [
        ("/publish/demo", "Accept: */*"),
        ("/publish/demo", "Authorization: Bearer wrong"),
        ("/publish/demo", "Authorization: Bearer"),
        ("/publish/demo", "Authorization: Bearer rightly"),
        ("/publish/demo", BASIC_WRONG),
        ("/publish/demo?key=wrong", "Accept: */*"),
        ("/publish/demo?key=", "Accept: */*"),
    ] {
        assert_unauthorized(&upgrade(&server, target, &[field]));
        assert_unauthorized(&ask(&server, "GET", target, &[field]));
        let put = ["Content-Length: 1", field];
        assert_unauthorized(&ask(&server, "PUT", target, &put));
        assert_unauthorized(&ask(&server, "SOURCE", target, &put));
    }
    let poster = ask(&server, "PUT", "/live/demo.jpg", &["Content-Length: 1"]);
    assert_unauthorized(&poster);
    assert_unauthorized(&ask(&server, "DELETE", "/api/streams/demo", &[]));
    // Viewing needs none.
    assert_eq!(upgrade(&server, "/live/demo", &[]).status, 101);
}

/// Pages may be left out of a build; whether they are let in is what counts here.
fn page() -> u16 {
    if videostream::pages::page("publish.html").is_some() {
        200
    } else {
        404
    }
}

#[test]
fn the_watch_key_guards_all_that_can_be_seen() {
    let server = Server::with(&["--publish-key", "right", "--watch-key", "look"]);
    let look = "Authorization: Bearer look";
    let mut publisher = Http::open(&server);
    let put = ["Transfer-Encoding: chunked", "Authorization: Bearer right"];
    publisher.ask("PUT", "/live/demo.webm", &put);
    let sample = common::media::Sample::read("chromium-restart-1");
    publisher.send_chunk(&sample.bytes);
    // The publish key opens viewing as well.
    for field in [look, "Authorization: Bearer right"] {
        let answer = ask(&server, "GET", "/live/demo.webm", &[field]);
        assert_eq!(answer.status, 200);
        assert_eq!(upgrade(&server, "/live/demo", &[field]).status, 101);
    }
    assert_eq!(
        ask(&server, "GET", "/live/demo.webm?key=look", &[]).status,
        200
    );
    for fields in [&[][..], &["Authorization: Bearer wrong"]] {
        for target in [
            "/live/demo",
            "/live/demo.webm",
            "/live/demo.jpg",
            "/api/streams/demo",
            "/live/nobody-there",
        ] {
            assert_unauthorized(&ask(&server, "GET", target, fields));
            assert_eq!(ask(&server, "HEAD", target, fields).status, 401);
        }
        assert_unauthorized(&upgrade(&server, "/live/demo", fields));
        // Who may watch nothing sees no names.
        let streams = Http::open(&server).request("GET", "/api/streams", fields);
        assert_eq!(streams.text(), "[]");
    }
    let streams = Http::open(&server).request("GET", "/api/streams", &[look]);
    assert!(streams.text().contains("\"demo\""));
    // It is no publish key.
    assert_unauthorized(&upgrade(&server, "/publish/demo", &[look]));
}

#[test]
fn pages_from_elsewhere_open_no_websocket() {
    let server = Server::with(&["--allow-origin", "https://friend.example"]);
    let own = format!("Origin: http://{}", server.address);
    for target in ["/live/demo", "/publish/demo"] {
        for origin in [&own, "Origin: https://friend.example", "Accept: */*"] {
            assert_eq!(upgrade(&server, target, &[origin]).status, 101, "{origin}");
        }
        for origin in [
            "Origin: https://foe.example",
            "Origin: http://friend.example",
            "Origin: https://friend.example:444",
            "Origin: null",
            "Origin: nonsense",
        ] {
            assert_eq!(upgrade(&server, target, &[origin]).status, 403, "{origin}");
        }
    }
    // Nor do they publish by other means, nor end what is published.
    let foe = "Origin: https://foe.example";
    let put = ask(&server, "PUT", "/publish/demo", &["Content-Length: 1", foe]);
    assert_eq!(put.status, 403);
    assert_eq!(
        ask(&server, "DELETE", "/api/streams/demo", &[foe]).status,
        403
    );
}

#[test]
fn beyond_loopback_a_key_is_made_and_printed() {
    let mut server = Server::on("0.0.0.0:0", &[]);
    let line = server.line();
    let (address, key) = line.split_once("?key=").expect("a key in the link");
    assert_eq!(
        address.trim(),
        format!("go live: http://{}/publish/live", server.address)
    );
    assert!(key.len() >= 16, "{key}");
    assert_unauthorized(&upgrade(&server, "/publish/live", &[]));
    assert_unauthorized(&upgrade(&server, "/publish/live?key=guess", &[]));
    let target = format!("/publish/live?key={key}");
    assert_eq!(upgrade(&server, &target, &[]).status, 101);
    assert_eq!(upgrade(&server, "/live/live", &[]).status, 101);
    // Each server makes its own, and no log has it.
    let mut other = Server::on("0.0.0.0:0", &[]);
    assert!(!other.line().ends_with(key));
    let log = server.end(rustix::process::Signal::TERM).log;
    assert!(!log.contains(key));
}

#[test]
fn beyond_loopback_publishing_is_open_only_by_name() {
    let mut server = Server::on("0.0.0.0:0", &["--publish-open"]);
    assert!(!server.line().contains("key"));
    assert_eq!(upgrade(&server, "/publish/live", &[]).status, 101);
}
