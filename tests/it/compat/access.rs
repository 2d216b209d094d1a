//! The promise: keys, origins, options and addresses of the old ports.

use super::old::{OldPage, OldServer, Port};
use crate::common::http::{Http, Response};
use crate::common::media::Sample;
use crate::common::server::{Server, program};
use crate::common::websocket::Publisher;
use std::net::TcpListener;
use std::process::Stdio;

const PORTS: [Port; 4] = [
    Port::BlobsIn,
    Port::ChunksIn,
    Port::BlobsOut,
    Port::ChunksOut,
];

/// The answer to an upgrade with these fields.
fn upgrade(server: &OldServer, port: Port, target: &str, fields: &[&str]) -> Response {
    let mut http = Http::to(server.address(port));
    let fields = [
        &[
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==",
        ],
        fields,
    ]
    .concat();
    http.ask("GET", target, &fields);
    http.head()
}

#[test]
fn keys_come_in_the_address() {
    let server = OldServer::with(&["--publish-key", "in", "--watch-key", "out"]);
    for (port, statuses) in PORTS.into_iter().zip([
        [401, 101, 401],
        [401, 101, 401],
        [401, 101, 101],
        [401, 101, 101],
    ]) {
        let targets = ["/", "/?key=in", "/?key=out"];
        let got = targets.map(|target| upgrade(&server, port, target, &[]).status);
        assert_eq!(got, statuses, "{port:?}");
    }
}

#[test]
fn pages_of_any_port_on_the_same_host_may_connect() {
    let server = OldServer::start();
    for (origin, status) in [
        ("http://127.0.0.1:8080", 101),
        ("https://127.0.0.1", 101),
        // The old page is at localhost, and opens 127.0.0.1.
        ("http://localhost:8080", 101),
        ("http://evil.example", 403),
        ("http://evil.example:8081", 403),
        ("http://localhost.evil.example", 403),
        ("null", 403),
    ] {
        for port in PORTS {
            let field = format!("Origin: {origin}");
            let answer = upgrade(&server, port, "/", &[&field]);
            assert_eq!(answer.status, status, "{origin} at {port:?}");
        }
    }
    // The stream's own addresses know no such favour.
    let mut http = Http::open(&server);
    let fields = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
    ];
    let more = [
        "Sec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==",
        "Origin: http://127.0.0.1:1",
    ];
    http.ask("GET", "/publish/compat", &[&fields[..], &more].concat());
    assert_eq!(http.head().status, 403);
}

#[test]
fn allowed_origin_may_connect_too() {
    let server = OldServer::with(&["--allow-origin", "https://friend.example"]);
    let of = |origin: &str| {
        let field = format!("Origin: {origin}");
        upgrade(&server, Port::BlobsOut, "/", &[&field]).status
    };
    assert_eq!(
        (of("https://friend.example"), of("https://foe.example")),
        (101, 403)
    );
}

#[test]
fn foreign_host_name_is_refused() {
    let server = OldServer::start();
    let mut http = Http::to(server.address(Port::BlobsOut));
    http.send(
        "GET / HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==\r\n\r\n",
    );
    assert_eq!(http.head().status, 403);
}

#[test]
fn any_path_is_the_port_and_no_page() {
    let server = OldServer::start();
    for target in [
        "/",
        "/live/other",
        "/publish/other",
        "/x/y?z",
        "/assets/style.css",
    ] {
        assert_eq!(
            upgrade(&server, Port::ChunksOut, target, &[]).status,
            101,
            "{target}"
        );
        let mut http = Http::to(server.address(Port::BlobsIn));
        let answer = http.get(target);
        assert_eq!(answer.status, 426, "{target}");
        assert_eq!(answer.field("Upgrade"), Some("websocket"));
    }
    assert_eq!(server.report("other"), None);
}

#[test]
fn taken_port_is_one_line_and_exit_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    // The second of the four.
    let first = format!("--compat-node-videostream={}", port - 1);
    let output = program()
        .args(["--listen", "127.0.0.1:0", &first])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let start = "error: --compat-node-videostream 127.0.0.1:";
    assert!(
        said.starts_with(start) && output.stdout.is_empty(),
        "{said}"
    );
}

#[test]
fn without_the_option_no_old_port_is_open() {
    let mut server = Server::start();
    let _publisher = Publisher::on_air(&server, "compat");
    assert_eq!(server.metric("videostream_compat_kept_bytes"), 0);
    assert!(server.line().starts_with("  go live: "));
    assert!(server.line().starts_with("  watch: "));
}

#[test]
fn stop_says_goodbye_on_all_ports() {
    let server = OldServer::start();
    let sample = Sample::read("chromium-restart-1");
    let mut page = OldPage::open(&server);
    page.record(&sample.chunks);
    server.signal(rustix::process::Signal::TERM);
    let sockets = [
        &mut page.blobs,
        &mut page.chunks,
        &mut page.blobs_out,
        &mut page.chunks_out,
    ];
    for socket in sockets {
        assert_eq!(socket.closed(), (1001, "the server is stopping".to_owned()));
    }
}
