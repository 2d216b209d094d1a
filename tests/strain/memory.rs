//! The promise: `--max-memory` counts all memory that grows with clients, and no client that uses
//! it up stops the publishers and viewers beside it.

use super::on_air::OnAir;
use crate::common::certificate::Certificate;
use crate::common::eventually;
use crate::common::http::{Http, connect, connect_narrow, prepare};
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::Heard;
use crate::common::wire::Wire;
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

const MIB: usize = 1 << 20;

/// What most of these servers may hold, and what they may take of the machine.
const LIMIT: [&str; 2] = ["--max-memory", "64MiB"];
const RESIDENT_MOST: usize = 96 * MIB;

/// A line of `/proc/PID/status`, in bytes.
fn status(server: &Server, name: &str) -> usize {
    let text = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.unwrap().trim_start_matches(':').trim();
    kib.trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Memory of the process that is no file's.
fn resident(server: &Server) -> usize {
    status(server, "RssAnon")
}

fn held(server: &Server) -> usize {
    server.metric("videostream_held_bytes") as usize
}

/// An element of less than 256 MiB.
fn element(id: &[u8], payload: &[u8]) -> Vec<u8> {
    let size = (payload.len() as u32) | 0x1000_0000;
    [id, &size.to_be_bytes(), payload].concat()
}

/// A recording of one track of VP8 or VP9, with something in its TrackEntry, up to its second frame:
/// with that its init segment is written.
fn recording(codec_id: &[u8], extra: &[u8]) -> Vec<u8> {
    let entry = [
        &element(&[0xd7], &[1])[..],
        &element(&[0x83], &[1]),
        &element(&[0x86], codec_id),
        extra,
    ]
    .concat();
    let header = element(&[0x1a, 0x45, 0xdf, 0xa3], &element(&[0x42, 0x82], b"webm"));
    let tracks = element(&[0x16, 0x54, 0xae, 0x6b], &element(&[0xae], &entry));
    let segment = b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff";
    let cluster = b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff\xe7\x81\x00";
    let frames: [&[u8]; 2] = match codec_id {
        b"V_VP9" => [b"\x82\x49\x83\x42", b"\x86\x00"],
        _ => [b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xf0\x00", b"\x31\x02\x00"],
    };
    let block = |ms: u8, flags: u8, frame: &[u8]| {
        element(&[0xa3], &[&[0x81, 0, ms, flags], frame, &[0; 20]].concat())
    };
    [
        &header[..],
        segment,
        &tracks,
        cluster,
        &block(0, 0x80, frames[0]),
        &block(33, 0, frames[1]),
    ]
    .concat()
}

/// Begins to publish over HTTP, without end. What the server does not want is not sent.
fn put(server: &Server, name: &str, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    prepare(&stream);
    let head = format!("PUT /publish/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(bytes);
    stream
}

/// Asks on a connection that takes next to nothing, and does not read. With tiny segments the kernel
/// takes little more of the answer for it.
fn ask_and_leave_unread(server: &Server, target: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(1024).unwrap();
    socket.set_tcp_mss(500).unwrap();
    socket.connect(&server.address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    prepare(&stream);
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let _ = stream.write_all(request.as_bytes());
    stream
}

/// Does something many times, beside a stream that goes on, and looks at what the server took for it
/// at most.
fn beside_a_stream<T>(
    server: &Server,
    times: usize,
    mut attack: impl FnMut(&Server, usize) -> T,
) -> Vec<T> {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    // A build for tests is larger by itself than a release, which begins with some 5 MiB.
    let build = status(server, "VmRSS").saturating_sub(5 * MIB);
    let mut honest = OnAir::new(server, "honest");
    let mut kept = Vec::new();
    for index in 0..times {
        kept.push(attack(server, index));
        if index % 25 == 0 {
            honest.go_on();
            assert!(!honest.viewer.told().contains(&"skip"));
        }
    }
    honest.go_on();
    assert!(!honest.viewer.told().contains(&"skip"));
    // Deadlines and counts are looked at a few times a second.
    thread::sleep(Duration::from_millis(600));
    honest.go_on();
    assert!(!honest.viewer.told().contains(&"skip"));
    let peak = status(server, "VmHWM") - build;
    assert!(peak < RESIDENT_MOST, "{} MiB", peak / MIB);
    server.assert_healthy();
    kept
}

/// A new publisher and a new viewer are served, though other clients hold all the memory they can.
fn assert_newcomers_are_served(server: &Server) {
    let mut newcomer = put(server, "newcomer", &recording(b"V_VP8", b""));
    server.report_when("newcomer", |report| report["live"] == true);
    let mut viewer = Viewer::plain(server, "newcomer");
    assert!(matches!(viewer.hear(), Heard::Media(_)));
    newcomer
        .write_all(&element(
            &[0xa3],
            b"\x81\x00\x09\x80\x10\x02\x00\x9d\x01\x2a",
        ))
        .unwrap();
    assert!(matches!(viewer.hear(), Heard::Media(_)));
}

#[test]
fn held_bytes_match_process_memory_for_large_tracks() {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let server = Server::start();
    let before = (held(&server), resident(&server));
    let bytes = recording(b"V_VP8", &element(&[0x63, 0xa2], &vec![b'z'; 1_040_000]));
    let publishers: Vec<TcpStream> = (0..250)
        .map(|index| put(&server, &format!("s{index}"), &bytes))
        .collect();
    eventually("all are on air", || {
        (server.metric("videostream_streams") == 250).then_some(())
    });
    let held_bytes = held(&server) - before.0;
    let taken = resident(&server) - before.1;
    assert!(held_bytes > 250 * bytes.len(), "{held_bytes}");
    assert!(held_bytes < 250 * bytes.len() * 21 / 10, "{held_bytes}");
    assert!(
        taken.abs_diff(held_bytes) < held_bytes / 10,
        "{taken}, {held_bytes} told"
    );
    // With the streams goes what they took.
    drop(publishers);
    eventually("their memory is free again", || {
        (held(&server) < before.0 + MIB).then_some(())
    });
}

#[test]
fn held_bytes_match_process_memory_for_unread_answers() {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let server = Server::start();
    for target in ["/metrics", "/api/streams"] {
        assert_eq!(Http::open(&server).get(target).status, 200);
    }
    let before = (held(&server), resident(&server));
    let _publishers = many_streams(&server);
    let answers: Vec<TcpStream> = (0..500)
        .map(|index| ask_and_leave_unread(&server, ["/metrics", "/api/streams"][index % 2]))
        .collect();
    // A crowd gets figures that are a second old.
    eventually("all have asked", || {
        thread::sleep(Duration::from_millis(200));
        (server.metric("videostream_requests_total") > 750).then_some(())
    });
    thread::sleep(Duration::from_millis(1100));
    let held_bytes = held(&server) - before.0;
    let taken = resident(&server) - before.1;
    // Not 500 times 280 KB.
    assert!(held_bytes < 8 * MIB, "{held_bytes}");
    assert!(
        taken.abs_diff(held_bytes) < held_bytes / 10,
        "{taken}, {held_bytes} told"
    );
    drop(answers);
}

/// 250 streams with long names.
fn many_streams(server: &Server) -> Vec<TcpStream> {
    let bytes = recording(b"V_VP8", b"");
    let publishers = (0..250)
        .map(|index| put(server, &format!("s{index:060}"), &bytes))
        .collect();
    eventually("all are on air", || {
        (server.metric("videostream_streams") >= 250).then_some(())
    });
    publishers
}

#[test]
fn large_tracks_of_many_streams_leave_room_for_others() {
    let server = Server::with(&LIMIT);
    let bytes = recording(b"V_VP8", &element(&[0x63, 0xa2], &vec![b'z'; 1_040_000]));
    // All are accepted before any has sent much.
    let mut open: Vec<TcpStream> = (0..250)
        .map(|index| put(&server, &format!("s{index}"), &bytes[..100]))
        .collect();
    beside_a_stream(&server, open.len(), |_, index| {
        let _ = open[index].write_all(&bytes[100..]);
    });
    assert!(server.metric("videostream_closed_for_memory_total") > 0);
}

#[test]
fn large_tracks_before_any_media_leave_room_for_others() {
    let server = Server::with(&LIMIT);
    let bytes = recording(b"V_VP8", &element(&[0x63, 0xa2], &vec![b'z'; 1_040_000]));
    let cluster = bytes.windows(4).rposition(|id| id == b"\x1f\x43\xb6\x75");
    let cluster = cluster.unwrap();
    // Half of them stop behind their tracks, half behind the head of a Cluster.
    let ends = [cluster, cluster + 15];
    let mut open: Vec<TcpStream> = (0..250)
        .map(|index| put(&server, &format!("s{index}"), &bytes[..100]))
        .collect();
    beside_a_stream(&server, open.len(), |_, index| {
        let _ = open[index].write_all(&bytes[100..ends[index % 2]]);
        // One after another: what is whole has been read when the next comes.
        thread::sleep(Duration::from_millis(20));
    });
    // 64 MiB and a sixteenth have room for 68 of them.
    let closed = server.metric("videostream_closed_for_memory_total");
    assert!(closed >= 250 - 68, "{closed}");
    assert_newcomers_are_served(&server);
}

#[test]
fn unread_answers_leave_room_for_others() {
    let server = Server::with(&LIMIT);
    let _publishers = many_streams(&server);
    let targets = ["/metrics", "/api/streams", "/api/streams/honest", "/"];
    let _answers = beside_a_stream(&server, 500, |server, index| {
        ask_and_leave_unread(server, targets[index % targets.len()])
    });
    assert_newcomers_are_served(&server);
}

#[test]
fn unfinished_blocks_leave_room_for_others() {
    let server = Server::with(&LIMIT);
    let start = recording(b"V_VP8", b"");
    let mut block = element(&[0xa3], &vec![7; 4 * MIB - 100]);
    block.truncate(4 * MIB - 1000);
    let bytes = [start, block].concat();
    let senders = beside_a_stream(&server, 300, |server, index| {
        put(server, &format!("s{index}"), &bytes)
    });
    assert!(server.metric("videostream_closed_for_memory_total") > 200);
    assert!(server.log().contains("the server is out of memory"));
    // Accepted clients get 503 when they are closed.
    let told = senders.iter().filter(|stream| is_told_503(stream));
    assert!(told.count() > 0);
    assert_newcomers_are_served(&server);
}

fn is_told_503(mut stream: &TcpStream) -> bool {
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let mut bytes = [0; 512];
    let length = stream.read(&mut bytes).unwrap_or(0);
    bytes[..length].starts_with(b"HTTP/1.1 503")
}

#[test]
fn unfinished_messages_leave_room_for_others() {
    let server = Server::with(&LIMIT);
    // A binary message of 8 MiB, less a kilobyte; the mask is zero.
    let payload = vec![7; 8 * MIB - 1024];
    let head = [&[0x82, 0xff][..], &(8 * MIB as u64).to_be_bytes(), &[0; 4]].concat();
    let bytes = [head, payload].concat();
    beside_a_stream(&server, 300, |server, index| {
        let name = format!("/publish/s{index}");
        let mut stream = connect(server);
        let key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2l4dGVlbiBsZXR0ZXJzLg==";
        let head = format!(
            "GET {name} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: upgrade\r\n{key}\r\n\r\n",
            server.address
        );
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&bytes);
        stream
    });
    assert!(server.metric("videostream_closed_for_memory_total") > 200);
    assert_newcomers_are_served(&server);
}

#[test]
fn replaced_posters_leave_room_for_others() {
    let server = Server::with(&LIMIT);
    let _publishers = many_streams(&server);
    let poster = [&[0xff, 0xd8, 0xff][..], &vec![7; 255 << 10]].concat();
    // Each poster is replaced while a client does not read it.
    let _unread = beside_a_stream(&server, 500, |server, index| {
        let target = format!("/live/s{:060}.jpg", index % 250);
        let mut http = Http::open(server);
        let length = format!("Content-Length: {}", poster.len());
        http.ask("PUT", &target, &[&length]);
        let _ = http.stream().write_all(&poster);
        [
            ask_and_leave_unread(server, &target),
            ask_and_leave_unread(server, &target),
        ]
    });
}

#[test]
fn stalled_tls_viewers_leave_room_for_others() {
    let certificate = Certificate::new();
    let options = certificate.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut server = Server::with(&[&options, &LIMIT[..]].concat());
    server.tls = Some(certificate.trusted());
    let trusted = certificate.trusted();
    let viewers = beside_a_stream(&server, 500, |server, _| {
        let mut wire = Wire::encrypt(connect_narrow(server.address), &trusted);
        wire.write_all(b"GET /live/honest.webm HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        wire
    });
    drop(viewers);
}

#[test]
fn long_request_heads_leave_room_for_others() {
    let server = Server::with(&LIMIT);
    let head = format!(
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: {}",
        "x".repeat(16_000)
    );
    let _kept = beside_a_stream(&server, 3000, |server, _| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let _ = stream.write_all(head.as_bytes());
        stream
    });
    assert_newcomers_are_served(&server);
}

#[test]
fn rings_share_the_memory_limit() {
    let server = Server::with(&LIMIT);
    // Ten streams that would fill 16 MiB each.
    let frame = [&b"\x81\x00\x00\x00"[..], &[7; 60_000]].concat();
    let more = element(&[0xa3], &frame).repeat(16);
    let mut publishers: Vec<TcpStream> = (0..10)
        .map(|index| put(&server, &format!("s{index}"), &recording(b"V_VP8", b"")))
        .collect();
    let kept = beside_a_stream(&server, 250, |_, index| {
        publishers[index % 10].write_all(&more).unwrap();
    });
    assert_eq!(kept.len(), 250);
    assert_eq!(server.metric("videostream_closed_for_memory_total"), 0);
    assert!(held(&server) <= 68 * MIB, "{}", held(&server));
    // What the honest stream held is free, until the others have taken it. It is full then, and says so.
    server.wait_for_log("publisher left stream=honest", 1);
    for publisher in &mut publishers {
        publisher.write_all(&more).unwrap();
    }
    eventually("it is full", || (held(&server) >= 64 * MIB).then_some(()));
    assert_eq!(Http::open(&server).get("/live/s1.webm").status, 503);
}

#[test]
fn made_up_names_keep_no_viewer_from_waiting_for_a_stream() {
    let server = Server::with(&["--max-streams", "16"]);
    let wait = |name: &str| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        prepare(&stream);
        let request = format!("GET /live/{name}.webm HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    let mut made_up: Vec<TcpStream> = (0..16)
        .map(|index| wait(&format!("made-up-{index}")))
        .collect();
    server.report_when("made-up-15", |report| report["viewers"] == 1);
    let mut tonight = Viewer::v1(&server, "tonight");
    // The viewer that waited longest is closed, with a reason.
    let mut answer = String::new();
    made_up[0].read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.contains("too many viewers wait for streams"),
        "{answer}"
    );
    let _publisher = put(&server, "tonight", &recording(b"V_VP8", b""));
    assert_eq!(tonight.text("init")["type"], "init");
    assert_eq!(server.report("made-up-1").unwrap()["viewers"], 1);
}

#[test]
fn renderings_are_small_for_any_codec_name() {
    let server = Server::start();
    let entry = |number: u8| {
        let odd = [&b"V_"[..], &[1; 62]].concat();
        let entry = [
            &element(&[0xd7], &[number])[..],
            &element(&[0x83], &[1]),
            &element(&[0x86], &odd),
        ];
        element(&[0xae], &entry.concat())
    };
    let one = recording(b"V_VP8", b"");
    let tracks_at = one
        .windows(4)
        .position(|id| id == b"\x16\x54\xae\x6b")
        .unwrap();
    let cluster_at = one
        .windows(4)
        .position(|id| id == b"\x1f\x43\xb6\x75")
        .unwrap();
    let entries: Vec<u8> = (1..=32).flat_map(entry).collect();
    let bytes = [
        &one[..tracks_at],
        &element(b"\x16\x54\xae\x6b", &entries),
        &one[cluster_at..],
    ]
    .concat();
    let _publisher = put(&server, "odd", &bytes);
    let report = server.report_when("odd", |report| report["mime"].is_string());
    for text in [&report["mime"], &report["codecs"]] {
        let text = text.as_str().unwrap();
        assert!(text.len() < 300, "{} bytes", text.len());
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
    }
}

#[test]
fn codec_private_of_a_megabyte_is_read_once() {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let server = Server::start();
    let private = [
        &b"\x01\x01\x00\x02\x01\x0a\x03\x01\x08"[..],
        &b"\x01\x01\x00".repeat(340_000),
    ];
    let bytes = recording(b"V_VP9", &element(&[0x63, 0xa2], &private.concat()));
    let _publishers: Vec<TcpStream> = (0..32)
        .map(|index| put(&server, &format!("s{index}"), &bytes))
        .collect();
    eventually("all are on air", || {
        (server.metric("videostream_streams") == 32).then_some(())
    });
    let cpu_s = server.cpu_s();
    let mut http = Http::open(&server);
    for _ in 0..200 {
        assert_eq!(http.get("/metrics").status, 200);
    }
    let each_ms = (server.cpu_s() - cpu_s) * 1000.0 / 200.0;
    // A walk through them all takes ten times as long in a release build alone.
    assert!(each_ms < 10.0, "{each_ms} ms");
}

#[test]
fn metrics_are_plain_text_unless_openmetrics_is_requested() {
    let server = Server::start();
    let _publisher = put(&server, "demo", &recording(b"V_VP8", b""));
    server.report_when("demo", |report| report["mime"].is_string());
    let mut http = Http::open(&server);
    let plain = http.get("/metrics");
    assert_eq!(
        plain.field("Content-Type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert!(!plain.text().contains("# EOF"));
    let wanted = "Accept: application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.3";
    let openmetrics = http.request("GET", "/metrics", &[wanted]);
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(openmetrics.field("Content-Type"), Some(media_type));
    assert!(openmetrics.text().ends_with("# EOF\n"));
    assert!(
        openmetrics
            .text()
            .contains("# TYPE videostream_requests counter\n")
    );
}

#[test]
fn promtool_finds_no_fault_with_the_metrics() {
    let server = Server::start();
    let _publisher = put(&server, "demo", &recording(b"V_VP8", b""));
    server.report_when("demo", |report| report["mime"].is_string());
    let text = Http::open(&server).get("/metrics").text();
    for name in text.lines().filter(|line| !line.starts_with('#')) {
        let name = name.split(['{', ' ']).next().unwrap();
        let base = name.trim_end_matches("_total");
        for unit in ["_ms", "_us", "_bps", "_kib", "_bits", "_minutes"] {
            assert!(!base.ends_with(unit), "{name} is in no base unit");
        }
    }
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs promtool: install prometheus");
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
