//! The promise: one client has no more connections than its limit, a proxy does not count as one
//! client, and only a trusted proxy reports client addresses.

use crate::common::eventually;
use crate::common::http::{Http, connect_from};
use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::websocket::WebSocketClient;
use rustix::process::Signal;
use std::net::TcpStream;
use std::time::Instant;

fn from(address: [u8; 4], server: &Server) -> Http {
    Http::from_stream(connect_from(address, server.address), server)
}

const HERE: [u8; 4] = [127, 0, 0, 1];
const THERE: [u8; 4] = [127, 0, 0, 2];

/// Watches for this client, and tells the answer's status.
fn watch(mut http: Http, client: &str) -> (u16, Http) {
    let forwarded_for = format!("X-Forwarded-For: {client}");
    let fields = [
        &forwarded_for,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==",
    ];
    http.ask("GET", "/live/demo", &fields);
    (http.head().status, http)
}

#[test]
fn connections_over_the_limit_of_one_client_are_refused() {
    let server = Server::with(&["--max-connections-per-address", "2"]);
    let mut held = [from(HERE, &server), from(HERE, &server)];
    for http in &mut held {
        assert_eq!(http.get("/healthz").status, 200);
    }
    let mut third = from(HERE, &server);
    let answer = third.answer("GET");
    assert_eq!(
        (answer.status, answer.field("Connection")),
        (503, Some("close"))
    );
    assert!(answer.field("Retry-After").is_some());
    assert!(
        answer.text().contains("from your address"),
        "{}",
        answer.text()
    );
    assert_eq!(from(THERE, &server).get("/healthz").status, 200);
    // What a peer says about itself changes nothing.
    let lie = from(HERE, &server).request("GET", "/healthz", &["X-Forwarded-For: 192.0.2.1"]);
    assert_eq!(lie.status, 503);

    // Closed connections make room; refused ones do not count.
    drop((held, third));
    eventually("there is room again", || {
        let answer = from(HERE, &server).get("/healthz");
        (answer.status == 200).then_some(())
    });
    let text = from(THERE, &server).get("/metrics").text();
    let refused = text
        .lines()
        .find_map(|line| line.strip_prefix("videostream_connections_refused_total "));
    assert!(refused.unwrap().parse::<u64>().unwrap() >= 2, "{text}");
}

#[test]
fn crowd_from_one_address_leaves_room_for_others() {
    let options = [
        "--max-connections-per-address",
        "4",
        "--max-connections",
        "40",
    ];
    let server = Server::with(&options);
    let crowd: Vec<TcpStream> = (0..200)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    for _ in 0..10 {
        assert_eq!(from(THERE, &server).get("/healthz").status, 200);
    }
    drop(crowd);
}

#[test]
fn clients_of_a_trusted_proxy_are_counted_separately() {
    let options = [
        "--max-connections-per-address",
        "1",
        "--trusted-proxy",
        "127.0.0.0/31",
    ];
    let server = Server::with(&options);
    let proxy = || from(HERE, &server);
    // Pages come over connections that all clients of the proxy share.
    let mut shared = proxy();
    for client in ["192.0.2.1", "192.0.2.1", "192.0.2.2", "nonsense"] {
        let forwarded_for = format!("X-Forwarded-For: {client}");
        assert_eq!(shared.request("GET", "/", &[&forwarded_for]).status, 200);
    }
    let (first, _one) = watch(proxy(), "192.0.2.1");
    let (second, two) = watch(proxy(), "192.0.2.2");
    assert_eq!((first, second), (101, 101));
    // A second one of the first, whatever it wrote itself.
    let (again, mut refused) = watch(proxy(), "6.6.6.6, 192.0.2.1, 127.0.0.1");
    assert_eq!(again, 503);
    assert!(refused.rest().ends_with(b"try again soon\n"));
    // Also in a connection that served another before.
    let (shared, _) = watch(shared, "192.0.2.1");
    assert_eq!(shared, 503);
    drop(two);
    let _two = eventually("the second has room again", || {
        let (status, http) = watch(proxy(), "192.0.2.2");
        (status == 101).then_some(http)
    });
    // What cannot be read is the client's own, before the proxy's word.
    let mut unreadable = proxy();
    unreadable.send(
        b"GET /live/demo.webm HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: \xff\xfe\r\n\
          X-Forwarded-For: \xff, 192.0.2.1\r\n\r\n",
    );
    assert_eq!(unreadable.answer("GET").status, 503);
    // A peer that is no trusted proxy counts by its own address.
    let (direct, _direct) = watch(from([127, 0, 0, 9], &server), "192.0.2.1");
    assert_eq!(direct, 101);
}

const BINARY_LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

#[test]
fn proxy_header_sets_the_client_address() {
    let server = Server::with(&[
        "--proxy-protocol",
        "--trusted-proxy",
        "127.0.0.1",
        "--max-connections-per-address",
        "1",
    ]);
    let text = |client: &str| format!("PROXY TCP4 {client} 127.0.0.1 4711 80\r\n").into_bytes();
    let binary = |client: [u8; 4]| {
        let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c";
        [&head[..], &client, &[127, 0, 0, 1, 1, 1, 0, 80]].concat()
    };
    let mut one = from(HERE, &server);
    one.send(text("192.0.2.1"));
    assert_eq!(one.get("/healthz").status, 200);
    // The same client, in another's words.
    let mut again = from(HERE, &server);
    again.send(binary([192, 0, 2, 1]));
    assert_eq!(again.get("/healthz").status, 503);
    let mut other = from(HERE, &server);
    other.send(binary([192, 0, 2, 2]));
    assert_eq!(other.get("/healthz").status, 200);
    // A byte at a time, with the request right behind it.
    let mut slow = from(HERE, &server);
    let request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    for byte in [&text("192.0.2.3")[..], request].concat() {
        slow.send([byte]);
    }
    assert_eq!(slow.answer("GET").status, 200);
    // The proxy asks whether we are well: it is trusted, and not counted.
    for _ in 0..3 {
        let mut proxy = from(HERE, &server);
        proxy.send(BINARY_LOCAL);
        assert_eq!(proxy.get("/healthz").status, 200);
    }
    // Not trusted: its word is read, and not taken. So both are of one client.
    let mut strangers = [from(THERE, &server), from(THERE, &server)];
    for (http, client) in strangers.iter_mut().zip(["192.0.2.4", "192.0.2.5"]) {
        http.send(text(client));
    }
    let statuses = strangers.map(|mut http| http.get("/healthz").status);
    assert_eq!(statuses, [200, 503]);
    // Nor does it help to say nothing at all.
    let silent = [127, 0, 0, 3];
    let _silent = from(silent, &server);
    assert_eq!(from(silent, &server).answer("GET").status, 503);
}

#[test]
fn connection_without_its_proxy_header_is_refused() {
    let options = [
        "--proxy-protocol",
        "--trusted-proxy=127.0.0.1",
        "--head-timeout=300ms",
    ];
    let server = Server::with(&options);
    for bytes in [
        &b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"PROXY TCP4 here there 1 2\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut http = from(HERE, &server);
        http.send(bytes);
        let answer = http.answer("GET");
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("PROXY"), "{}", answer.text());
    }
    // Nor is it waited for.
    let started = Instant::now();
    for bytes in [&b""[..], b"PROXY TC"] {
        let mut http = from(HERE, &server);
        http.send(bytes);
        assert_eq!(http.answer("GET").status, 408);
    }
    assert!(started.elapsed().as_secs() < 5);
    assert!(server.cpu_s() < 1.0);
    let mut http = from(HERE, &server);
    http.send(BINARY_LOCAL);
    assert_eq!(http.get("/healthz").status, 200);
}

#[test]
fn log_names_the_client_and_not_the_proxy() {
    let server = Server::with(&["--trusted-proxy", "127.0.0.1", "--publish-open"]);
    let mut http = from(HERE, &server);
    let fields = ["X-Forwarded-For: 192.0.2.77", "Transfer-Encoding: chunked"];
    let sample = Sample::read("chromium-restart-1");
    let opening = sample.bytes.slice(..sample.opening());
    http.ask("PUT", "/live/demo.webm", &fields);
    http.send_chunk(&opening);
    server.report_when("demo", |report| report["live"] == true);
    drop(http);
    server.wait_until_offline("demo");
    let mut direct = WebSocketClient::open(&server, "/publish/other", &[]);
    direct.send(opening);
    server.report_when("other", |report| report["live"] == true);
    direct.send_raw(&[0x88, 0x80, 0, 0, 0, 0]);
    server.wait_until_offline("other");
    let log = server.end(Signal::TERM).log;
    for line in [
        "publisher came stream=demo client=192.0.2.77",
        "publisher left stream=demo client=192.0.2.77",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert!(
        log.contains("publisher came stream=other client=127.0.0.1"),
        "{log}"
    );
}
