//! The promise: with a certificate everything works over TLS as well, and a client with an
//! unfinished handshake, or without TLS, harms no other client.

use crate::common::certificate::Certificate;
use crate::common::http::{Http, connect_narrow, prepare};
use crate::common::media::{Sample, path};
use crate::common::server::{Orphan, Server, program};
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::{Heard, Publisher};
use crate::common::wire::Wire;
use crate::common::{PATIENCE, eventually};
use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use videostream::websocket::SUBPROTOCOL;

/// A server with a certificate that its clients trust.
fn encrypted(options: &[&str]) -> (Server, Certificate) {
    encrypted_by(Certificate::new(), options)
}

fn encrypted_by(certificate: Certificate, options: &[&str]) -> (Server, Certificate) {
    let given = certificate.options();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let mut server = Server::with(&[&given, options].concat());
    server.tls = Some(certificate.trusted());
    (server, certificate)
}

/// Plain TCP to a server that expects TLS.
fn raw(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    prepare(&stream);
    stream
}

/// What the server showed in this connection's handshake.
fn shown(wire: &mut Wire) -> CertificateDer<'static> {
    let Wire::Encrypted(stream) = wire else {
        panic!("it is not encrypted");
    };
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    stream.conn.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

/// Publishes a sample to a viewer that watches from the first keyframe on.
fn publish(publisher: &mut Publisher, viewer: &mut Viewer, sample: &Sample) {
    publisher.open_stream(sample);
    viewer.watch(1);
    publisher.go_on(sample);
    viewer.watch(sample.all_frames().len());
    assert_eq!(viewer.screen.frames(), sample.all_frames());
}

#[test]
fn pages_are_served_and_connections_end_properly() {
    let (mut server, _certificate) = encrypted(&[]);
    let address = server.address;
    assert_eq!(
        server.line(),
        format!("  go live: https://{address}/publish/live")
    );
    assert_eq!(
        server.line(),
        format!("  watch:   https://{address}/live/live")
    );
    let mut http = Http::open(&server);
    // One connection, several requests, the last of which ends it.
    assert_eq!(http.get("/live/demo").status, 200);
    assert_eq!(http.get("/healthz").text(), "ok\n");
    let answer = http.request("GET", "/", &["Connection: close"]);
    assert_eq!(answer.status, 200);
    // A connection that ends without a TLS close_notify would be an error here.
    assert!(http.rest().is_empty());

    // Two requests in one record, and one in many.
    let mut http = Http::open(&server);
    let health = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    http.send([health, health].concat());
    for byte in health.bytes() {
        http.send([byte]);
    }
    for _ in 0..3 {
        assert_eq!(http.answer("GET").text(), "ok\n");
    }
}

#[test]
fn viewers_of_both_kinds_get_the_frames_of_a_websocket_publisher() {
    let (server, certificate) = encrypted(&[]);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut plain = Viewer::plain(&server, "demo");
    let mut over_http = HttpViewer::open(&server, "demo");
    let mut over_http_1_0 = HttpViewer::open_1_0(&server, "demo");
    // And one with the older version.
    let old = certificate.trusted_in(&[&rustls::version::TLS12]);
    let old = Wire::encrypt(raw(&server), &old);
    let mut old = Viewer::on(old, &server, "demo", &[SUBPROTOCOL]);
    let all = sample.all_frames();
    server.report_when("demo", |report| report["viewers"] == 5);

    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    for viewer in [&mut viewer, &mut plain, &mut old] {
        viewer.watch(1);
    }
    over_http.watch(1);
    over_http_1_0.watch(1);
    publisher.go_on(&sample);
    for viewer in [&mut viewer, &mut plain, &mut old] {
        viewer.watch(all.len());
        assert_eq!(viewer.screen.frames(), all);
    }
    over_http.watch(all.len());
    over_http_1_0.watch(all.len());
    assert_eq!(over_http.screen.frames(), all);
    assert_eq!(over_http_1_0.screen.frames(), all);
    publisher.finish();
    assert_eq!(viewer.text("offline")["type"], "offline");
}

/// All at once, so that the last record's plaintext is there when the kernel has nothing more.
#[test]
fn request_body_is_published_to_its_last_byte() {
    let (server, _certificate) = encrypted(&[]);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut http = Http::open(&server);
    let fields = ["Transfer-Encoding: chunked", "Expect: 100-continue"];
    http.ask("PUT", "/live/demo.webm", &fields);
    assert_eq!(http.head().status, 100);
    http.send_chunk(&sample.bytes[..sample.opening()]);
    viewer.watch(1);
    http.send_chunk(&sample.bytes[sample.opening()..]);
    viewer.watch(sample.all_frames().len());
    assert_eq!(viewer.screen.frames(), sample.all_frames());
    http.send("0\r\n\r\n");
    assert_eq!(http.answer("PUT").status, 200);
    let last = http.request("GET", "/healthz", &["Connection: close"]);
    assert_eq!(last.status, 200);
    assert!(http.rest().is_empty());
}

/// A viewer whose connection takes a few KiB and then no more until it is read.
fn narrow(server: &Server, certificate: &Certificate) -> Viewer {
    let tcp = connect_narrow(server.address);
    let wire = Wire::encrypt(tcp, &certificate.trusted());
    Viewer::on(wire, server, "demo", &[SUBPROTOCOL])
}

/// What was sent and is not the fast viewer's is the slow one's.
fn sent_to_slow(server: &Server, fast: &Viewer) -> u64 {
    let sent = server.report("demo").unwrap()["sent_bytes"].clone();
    let published = fast.screen.bytes.len() as u64;
    sent.as_u64().unwrap().saturating_sub(published)
}

/// A viewer that falls behind by more than TLS may hold for it, and one that does not.
struct Behind {
    slow: Viewer,
    fast: Viewer,
    publisher: Publisher,
    server: Server,
}

impl Behind {
    fn new() -> Behind {
        let (server, certificate) = encrypted(&["--max-lag", "1h", "--viewer-buffer", "64KiB"]);
        let sample = Sample::read("chromium-vp8-opus-100ms");
        let round = sample.all_frames().len();
        let mut slow = narrow(&server, &certificate);
        let mut fast = Viewer::v1(&server, "demo");
        let mut publisher = Publisher::open(&server, "demo");
        publisher.open_stream(&sample);
        slow.watch(1);
        fast.watch(1);
        publisher.go_on(&sample);
        fast.watch(round);
        let mut rounds = 1;
        while sent_to_slow(&server, &fast) + (256 << 10) > fast.screen.bytes.len() as u64 {
            assert!(rounds < 100, "the slow viewer takes everything");
            publisher.send_all(&sample.chunks);
            rounds += 1;
            fast.watch(rounds * round);
        }
        Behind {
            slow,
            fast,
            publisher,
            server,
        }
    }
}

/// The last of it waits in TLS, not in the stream: nothing new makes the server write.
#[test]
fn buffered_media_reach_a_viewer_without_new_media() {
    let mut behind = Behind::new();
    let all = behind.fast.screen.frames();
    behind.slow.watch(all.len());
    assert!(behind.slow.screen.frames() == all);
}

#[test]
fn buffered_media_reach_a_viewer_before_the_close_frame() {
    let Behind {
        mut slow,
        fast,
        publisher,
        mut server,
    } = Behind::new();
    let started = Instant::now();
    server.signal(Signal::TERM);
    // All that it was given, to a whole message, and both goodbyes.
    assert_eq!(slow.closed().0, 1001);
    assert!(matches!(slow.client.hear(), Heard::Gone));
    assert!(slow.screen.frames.len() < fast.screen.frames.len());
    drop((slow, fast, publisher));
    assert!(server.wait(started).status.success());
}

#[test]
fn stalled_viewer_skips_and_continues() {
    let small_ring = [
        "--block-bytes",
        "64KiB",
        "--ring-bytes",
        "512KiB",
        "--max-lag",
        "1h",
    ];
    let (server, certificate) = encrypted(&small_ring);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let round = sample.all_frames().len();
    let mut fast = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publish(&mut publisher, &mut fast, &sample);

    let mut slow = narrow(&server, &certificate);
    slow.watch(1);
    let joined_at = fast.screen.bytes.len() as u64;
    let mut rounds = 1;
    // Until the ring has overtaken it for certain.
    loop {
        assert!(rounds < 200, "the slow viewer takes everything");
        publisher.send_all(&sample.chunks);
        rounds += 1;
        fast.watch(rounds * round);
        let published = fast.screen.bytes.len() as u64;
        if published - joined_at > sent_to_slow(&server, &fast) + 2 * (512 << 10) {
            break;
        }
    }
    assert_eq!(server.report("demo").unwrap()["skips"], 0);
    let last_ms = |viewer: &Viewer| viewer.screen.frames.last().unwrap().timestamp_ms;
    while !slow.told().contains(&"skip") {
        slow.hear();
    }
    publisher.send_all(&sample.chunks);
    fast.watch((rounds + 1) * round);
    while last_ms(&slow) < last_ms(&fast) {
        slow.hear();
    }
    assert!(slow.screen.frames.len() < fast.screen.frames.len() - round);
    assert!(!fast.told().contains(&"skip"));
    assert_eq!(server.report("demo").unwrap()["skips"], 1);
}

#[test]
fn unfinished_handshake_is_closed_and_delays_no_other_client() {
    let (server, certificate) = encrypted(&["--head-timeout", "1s"]);
    // What a client says first.
    let name = "localhost".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(certificate.trusted(), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    let started = Instant::now();
    let mut stalled: Vec<TcpStream> = [0, 1, 6, hello.len() / 2, hello.len()]
        .iter()
        .map(|&length| {
            let mut stream = raw(&server);
            stream.write_all(&hello[..length]).unwrap();
            stream
        })
        .collect();
    server.assert_healthy();
    for stream in &mut stalled {
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => {}
        }
    }
    let took = started.elapsed();
    assert!(
        took >= Duration::from_millis(900) && took < PATIENCE,
        "{took:?}"
    );
    // A handshake, and then half a request: that one can be told.
    let mut http = Http::open(&server);
    http.send("GET / HT");
    assert_eq!(http.answer("GET").status, 408);
    server.assert_healthy();
}

#[test]
fn plain_http_is_refused_and_junk_is_closed() {
    let (server, _certificate) = encrypted(&[]);
    let mut http = Http::from_stream(raw(&server), &server);
    let answer = http.get("/live/demo?key=secret");
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.text(),
        "this port speaks TLS: use https:// or wss://\n"
    );
    assert!(http.rest().is_empty());
    for junk in [
        &b"\x00\x00\x00\x00"[..],
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x05hello",
    ] {
        let mut stream = raw(&server);
        stream.write_all(junk).unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.len() < 100 && !rest.starts_with(b"HTTP"), "{rest:?}");
    }
    server.assert_healthy();
}

#[test]
fn connection_over_the_limit_gets_503_over_tls() {
    let (server, _certificate) = encrypted(&["--max-connections", "1"]);
    let mut first = Http::open(&server);
    assert_eq!(first.get("/healthz").status, 200);
    let mut second = Http::open(&server);
    second.ask("GET", "/", &[]);
    let answer = second.answer("GET");
    assert_eq!(answer.status, 503);
    assert!(answer.field("Retry-After").is_some());
    assert!(second.rest().is_empty());
}

/// A proxy that passes TLS on first sends its proxy header, in plain.
#[test]
fn proxy_header_comes_before_the_handshake() {
    let (server, certificate) = encrypted(&["--proxy-protocol", "--trusted-proxy", "127.0.0.1"]);
    for (introduction, status) in [("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", 200), ("", 400)] {
        let mut stream = raw(&server);
        stream.write_all(introduction.as_bytes()).unwrap();
        let wire = Wire::encrypt(stream, &certificate.trusted());
        let answer = Http::from_stream(wire, &server).get("/healthz");
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

#[test]
fn sighup_renews_the_certificate_and_closes_no_connection() {
    let (mut server, mut certificate) = encrypted(&[]);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let all = sample.all_frames();
    let mut viewer = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publish(&mut publisher, &mut viewer, &sample);
    let before = shown(&mut Wire::open(&server));

    certificate.renew();
    server.signal(Signal::HUP);
    let trusted = certificate.trusted();
    let renewed = eventually("the new certificate", || {
        let mut wire = Wire::encrypt(raw(&server), &trusted);
        let Wire::Encrypted(stream) = &mut wire else {
            return None;
        };
        stream.conn.complete_io(&mut stream.sock).ok()?;
        Some(shown(&mut wire))
    });
    assert_ne!(renewed, before);
    server.tls = Some(trusted);
    publisher.send_all(&sample.chunks);
    viewer.watch(2 * all.len());
    assert_eq!(viewer.screen.frames()[all.len()..], all);

    // One that cannot serve: the server says so, and keeps what it has.
    std::fs::write(certificate.cert(), "nonsense").unwrap();
    server.signal(Signal::HUP);
    publisher.send_all(&sample.chunks);
    viewer.watch(3 * all.len());
    // By then the signal has come: it came before the last messages did.
    assert_eq!(shown(&mut Wire::open(&server)), renewed);
    let ended = server.end(Signal::TERM);
    assert!(ended.status.success());
    assert_eq!(viewer.closed().0, 1001);
    // A TLS close_notify follows: without it, this would be an error.
    assert!(matches!(viewer.client.hear(), Heard::Gone));
    let file = certificate.cert().display().to_string();
    let complaint = format!("--tls-cert {file}: there is no certificate in it");
    assert!(ended.log.contains(&complaint), "{}", ended.log);
    assert!(ended.log.contains("old certificate stays"), "{}", ended.log);
}

#[test]
fn plain_requests_are_sent_on_to_https() {
    let (mut server, _certificate) = encrypted(&["--http-redirect", "127.0.0.1:0"]);
    let (port, _, _) = (server.address.port(), server.line(), server.line());
    let line = server.line();
    let plain = line.strip_prefix("redirecting from http://").unwrap();
    let ask = |request: &str| {
        let stream = TcpStream::connect(plain).unwrap();
        prepare(&stream);
        let mut http = Http::from_stream(stream, &server);
        http.send(request);
        let answer = http.answer(request.split(' ').next().unwrap());
        assert!(http.rest().is_empty());
        (answer.status, answer.field("Location").map(str::to_owned))
    };
    for (request, status, location) in [
        (
            "GET /live/a?key=k%20k HTTP/1.1\r\nHost: example.org:8080\r\n\r\n",
            308,
            Some(format!("https://example.org:{port}/live/a?key=k%20k")),
        ),
        (
            "HEAD / HTTP/1.1\r\nHost: [::1]\r\n\r\n",
            308,
            Some(format!("https://[::1]:{port}/")),
        ),
        (
            "PUT /live/a.webm HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\
             Expect: 100-continue\r\n\r\n",
            308,
            Some(format!("https://h:{port}/live/a.webm")),
        ),
        ("GET / HTTP/1.1\r\n\r\n", 400, None),
        ("GET / HTTP/1.0\r\n\r\n", 400, None),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, None),
        ("nonsense\r\n\r\n", 400, None),
    ] {
        assert_eq!(ask(request), (status, location), "{request}");
    }
    let long = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nA: {}\r\n\r\n",
        "a".repeat(20_000)
    );
    let stream = TcpStream::connect(plain).unwrap();
    prepare(&stream);
    let mut http = Http::from_stream(stream, &server);
    http.send(long);
    assert_eq!(http.answer("GET").status, 431);
}

/// A command that ends by itself.
fn run(arguments: &[&str]) -> Output {
    program()
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn unusable_certificate_is_refused_in_one_line() {
    let certificate = Certificate::new();
    let other = Certificate::new();
    let [cert, key] = [certificate.cert(), other.key()].map(|path| path.display().to_string());
    let listen = ["--listen", "127.0.0.1:0"];
    for (options, expected) in [
        (
            &["--tls-cert", &cert, "--tls-key", &key][..],
            format!("--tls-key {key}: does not belong to --tls-cert {cert}"),
        ),
        (
            &["--tls-cert", "/nowhere.pem", "--tls-key", &key],
            "--tls-cert /nowhere.pem: No such file or directory (os error 2)".into(),
        ),
        (
            &["--tls-cert", &cert],
            format!("--tls-cert {cert}: needs --tls-key, too"),
        ),
        (
            &["--tls-self-signed", "--tls-key", &key],
            format!("--tls-key {key}: contradicts --tls-self-signed: give one of them"),
        ),
        (
            &["--http-redirect", "127.0.0.1:80"],
            "--http-redirect 127.0.0.1:80: redirects to https://, which needs --tls-cert or \
             --tls-self-signed"
                .into(),
        ),
    ] {
        let output = run(&[&listen, options].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said, format!("error: {expected}\n"));
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn self_signed_certificate_is_printed_as_its_fingerprint() {
    use sha2::{Digest, Sha256};
    let mut server = Server::with(&["--tls-self-signed"]);
    let (_, _) = (server.line(), server.line());
    let line = server.line();
    let told = line.strip_prefix("the certificate's SHA-256 is ").unwrap();
    // A user who has compared it may trust it: so it has to be a certificate of this host.
    let url = format!("https://{}/live/a", server.address);
    let refused = run(&["load", &url, "--viewers", "1", "--publish-rate", "500k"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("certificate"), "{said}");

    let trusting = Certificate::new().trusted();
    let mut anybody = (*trusting).clone();
    anybody
        .dangerous()
        .set_certificate_verifier(crate::common::certificate::anybody());
    let mut wire = Wire::encrypt(raw(&server), &anybody.into());
    let certificate = shown(&mut wire);
    let hash: Vec<String> = Sha256::digest(&certificate)
        .iter()
        .map(|b| format!("{b:02X}"))
        .collect();
    assert_eq!(told, hash.join(":"));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    server.tls = Some(config.into());
    server.assert_healthy();

    // A handover keeps the certificate, so a user need not compare it again.
    server.signal(Signal::USR2);
    let orphan = Orphan::of(&server);
    assert!(eventually("the old process ends", || server.ended()).success());
    server.assert_healthy();
    orphan.signal(Signal::TERM);
    orphan.wait();
    let log = server.wait(Instant::now()).log;
    assert!(!log.contains("PRIVATE"), "{log}");
}

#[test]
fn each_port_keeps_its_role_after_a_handover() {
    // Three that were asked for by the same address.
    let options = ["--listen", "127.0.0.1:0", "--http-redirect", "127.0.0.1:0"];
    let (mut server, certificate) = encrypted(&options);
    let line = server.line();
    let second = line.strip_prefix("listening on https://").unwrap();
    let second: SocketAddr = second.parse().unwrap();
    let redirecting = loop {
        let line = server.line();
        if let Some(address) = line.strip_prefix("redirecting from http://") {
            break address.parse::<SocketAddr>().unwrap();
        }
    };
    let first = server.address;
    let connect = |address: SocketAddr| {
        let tcp = TcpStream::connect(address).unwrap();
        prepare(&tcp);
        tcp
    };
    let check = |server: &Server| {
        for address in [first, second] {
            let wire = Wire::encrypt(connect(address), &certificate.trusted());
            assert_eq!(Http::from_stream(wire, server).get("/healthz").status, 200);
        }
        let answer = Http::from_stream(connect(redirecting), server).get("/live/a");
        assert_eq!(answer.status, 308);
        let location = format!("https://{}:{}/live/a", first.ip(), first.port());
        assert_eq!(answer.field("Location"), Some(&*location));
    };
    check(&server);
    server.signal(Signal::USR2);
    let orphan = Orphan::of(&server);
    assert!(eventually("the old process ends", || server.ended()).success());
    check(&server);
    // And once more: the newer process hands them on in their order, too.
    orphan.signal(Signal::USR2);
    let newest = Orphan::nth(&server, 2);
    orphan.wait();
    check(&server);
    newest.signal(Signal::TERM);
    newest.wait();
    server.wait(Instant::now());
}

#[test]
fn server_with_the_certificate_of_tls_ca_is_trusted() {
    let (server, certificate) = encrypted_by(Certificate::of_an_authority(), &[]);
    let ca = certificate.cert().display().to_string();
    let url = format!("wss://{}/live/demo", server.address);
    let times = [
        "--ramp",
        "0s",
        "--duration",
        "500ms",
        "--publish-rate",
        "500k",
    ];
    let output = run(&[
        &["load", &url, "--viewers", "2", "--tls-ca", &ca],
        &times[..],
    ]
    .concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn push_and_load_connect_by_tls() {
    let (server, certificate) = encrypted(&[]);
    let ca = certificate.cert().display().to_string();
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let targets = [
        ("one", "wss", "/publish/one", &["--tls-ca", &ca][..]),
        ("two", "https", "/live/two.webm", &["--insecure"]),
    ];
    let pushes = targets.map(|(name, scheme, target, trust)| {
        let viewer = Viewer::v1(&server, name);
        let url = format!("{scheme}://{}{target}", server.address);
        let file = path("chromium-vp8-opus-100ms");
        let push = program()
            .args([&["push", &file, &url], trust].concat())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        (viewer, push)
    });
    for (mut viewer, mut push) in pushes {
        viewer.watch(sample.all_frames().len());
        assert_eq!(viewer.screen.frames(), sample.all_frames());
        assert!(push.wait().unwrap().success());
    }
    for protocol in ["ws", "http"] {
        let url = format!("https://{}/live/load-{protocol}", server.address);
        let options = [
            "--viewers",
            "40",
            "--sample",
            "10",
            "--protocol",
            protocol,
            "--json",
        ];
        let times = [
            "--ramp",
            "200ms",
            "--duration",
            "1s",
            "--publish-rate",
            "500k",
        ];
        let output = run(&[&["load", &url, "--tls-ca", &ca], &options[..], &times].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["connected"], 40, "{report}");
        for name in ["failed", "dropped", "invalid", "skips"] {
            assert_eq!(report[name], 0, "{name}: {report}");
        }
        // The crowd counts the same bytes as the judged viewers.
        let bytes = &report["bytes"];
        assert!(bytes["min"].as_u64() > Some(40_000), "{report}");
        let scheme = if protocol == "ws" { "wss" } else { "https" };
        assert!(
            report["url"].as_str().unwrap().starts_with(scheme),
            "{report}"
        );
    }
    let url = format!("wss://{}/live/demo", server.address);
    let output = run(&["load", &url, "--viewers", "1", "--tls-ca", "/nowhere.pem"]);
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = "error: --tls-ca /nowhere.pem: No such file or directory (os error 2)\n";
    assert_eq!((output.status.code(), &*said), (Some(2), expected));
    // Another's certificate is not this server's.
    let others = Certificate::new();
    let other = others.cert().display().to_string();
    let output = run(&["load", &url, "--viewers", "1", "--tls-ca", &other]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("invalid peer certificate"), "{said}");
}
