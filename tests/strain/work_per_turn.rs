//! The promise: a turn of the event loop does a bounded amount of work for any input. Floods of
//! tiny elements delay neither an honest stream nor the shutdown of the server.

use crate::common::http::Http;
use crate::common::media::{Sample, assert_frames};
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::{Publisher, WebSocketClient};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Publishers that flood the server at once.
const FLOODS: usize = 64;

/// Bytes of a flood that are written in one call.
const FLOOD_BYTES: usize = 64 << 10;

/// Between two chunks of the honest stream.
const STEP: Duration = Duration::from_millis(20);

/// What a service manager may have to wait.
const SOON: Duration = Duration::from_secs(5);

/// One test at a time: each has the machine to itself.
static MACHINE: Mutex<()> = Mutex::new(());

fn element(id: &[u8], payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap() | 1 << 28;
    [id, &size.to_be_bytes(), payload].concat()
}

/// EBML header, Segment and Tracks: one VP8 track.
fn head() -> Vec<u8> {
    let track = element(b"\xae", b"\xd7\x81\x01\x83\x81\x01\x86\x85V_VP8");
    [
        element(b"\x1a\x45\xdf\xa3", b"\x42\x82\x84webm"),
        b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        element(b"\x16\x54\xae\x6b", &track),
    ]
    .concat()
}

const CLUSTER: &[u8] = b"\x1f\x43\xb6\x75\xff\xe7\x81\x01";
const TINY_BLOCK: &[u8] = b"\xa3\x85\x81\0\0\x80x";

fn opening() -> Vec<u8> {
    [&head(), CLUSTER, TINY_BLOCK].concat()
}

/// How the floods travel.
#[derive(Debug, Clone, Copy)]
enum Via {
    /// As a body without chunks, which lasts until the connection ends.
    Body,
    /// The bytes are chunks already.
    Chunks,
    /// The bytes are frames already.
    WebSocket,
}

/// Opens one publisher of a flood, which writes `first` once, and `again` until it is cut off.
fn pour(server: &Server, name: &str, via: Via, first: &[u8], again: &[u8]) -> JoinHandle<()> {
    let mut socket = match via {
        Via::WebSocket => {
            let client = WebSocketClient::open(server, &format!("/publish/{name}"), &[]);
            client.stream().try_clone().unwrap()
        }
        Via::Body | Via::Chunks => {
            let mut socket = TcpStream::connect(server.address).unwrap();
            let fields = match via {
                Via::Chunks => "Transfer-Encoding: chunked\r\n",
                _ => "",
            };
            let host = server.address;
            let head = format!("PUT /publish/{name} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
            socket.write_all(head.as_bytes()).unwrap();
            socket
        }
    };
    // Answers are read, so that the server never waits for this client.
    let mut told = socket.try_clone().unwrap();
    told.set_read_timeout(None).unwrap();
    thread::spawn(move || while told.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {});
    socket.set_write_timeout(None).unwrap();
    let again = again.repeat(FLOOD_BYTES / again.len() + 1);
    socket.write_all(first).unwrap();
    thread::spawn(move || while socket.write_all(&again).is_ok() {})
}

/// Reads a stream over HTTP, and remembers the longest time between two reads. A measurement for
/// `cargo test --release --test strain turns_short -- --nocapture`: how long it is depends on the machine,
/// so no test judges it.
struct LongestGap {
    reader: JoinHandle<Duration>,
    socket: TcpStream,
}

impl LongestGap {
    fn of(server: &Server, name: &str) -> LongestGap {
        let mut socket = TcpStream::connect(server.address).unwrap();
        let host = server.address;
        let head = format!("GET /live/{name}.webm HTTP/1.1\r\nHost: {host}\r\n\r\n");
        socket.write_all(head.as_bytes()).unwrap();
        let mut reading = socket.try_clone().unwrap();
        let reader = thread::spawn(move || {
            let mut bytes = vec![0; 64 << 10];
            let (mut longest, mut last) = (Duration::ZERO, None);
            while reading.read(&mut bytes).is_ok_and(|length| length > 0) {
                let now = Instant::now();
                longest = longest.max(now - last.replace(now).unwrap_or(now));
            }
            longest
        });
        LongestGap { reader, socket }
    }

    fn end(self) -> Duration {
        self.socket.shutdown(Shutdown::Both).unwrap();
        self.reader.join().unwrap()
    }
}

/// Turns with work for publishers: those that kept to the budget of 3 ms, which the last share of a turn
/// may overdraw, and all.
fn turns(server: &Server) -> (u64, u64) {
    let text = Http::open(server).get("/metrics").text();
    let [bounded, all] = ["0.01", "+Inf"].map(|bound| {
        let bucket = format!("videostream_turn_work_seconds_bucket{{le=\"{bound}\"}} ");
        let count = text.lines().find_map(|line| line.strip_prefix(&bucket));
        count.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
    });
    (bounded, all)
}

/// The flood, and what must go on beside it.
fn flood(via: Via, first: &[u8], again: &[u8]) {
    let _alone = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut server = Server::start();
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let all = sample.all_frames();
    let mut viewer = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    viewer.watch(1);

    let floods: Vec<JoinHandle<()>> = (0..FLOODS)
        .map(|index| pour(&server, &format!("flood-{index}"), via, first, again))
        .collect();
    for index in [0, FLOODS - 1] {
        server.report_when(&format!("flood-{index}"), |report| {
            report["received_bytes"].as_u64() > Some(FLOOD_BYTES as u64)
        });
    }
    let gap = LongestGap::of(&server, "demo");
    for chunk in sample.chunks_after(sample.opening()) {
        publisher.send(&chunk);
        thread::sleep(STEP);
    }
    viewer.watch(all.len());
    println!(
        "{again_bytes} bytes again and again: longest gap of the honest stream {gap} ms",
        again_bytes = again.len(),
        gap = gap.end().as_millis()
    );
    assert_frames(&viewer.screen.frames(), &all);

    let (bounded, turns) = turns(&server);
    assert!(turns > 0);
    assert_eq!(bounded, turns);
    assert_eq!(server.metric("videostream_publishers_rejected_total"), 0);

    let started = Instant::now();
    server.signal(Signal::TERM);
    let ended = server.wait(started);
    assert!(ended.status.success(), "{}: {}", ended.status, ended.log);
    assert!(ended.took < SOON, "{:?}", ended.took);
    floods.into_iter().for_each(|flood| flood.join().unwrap());
}

/// A frame as a client sends it: the mask is zero.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = 0x80 | u8::try_from(payload.len()).unwrap();
    [&[first, length, 0, 0, 0, 0], payload].concat()
}

#[test]
fn laces_of_one_byte_keyframes_leave_turns_short() {
    let lace = [b"\x81\0\0\x84\xff", &[b'x'; 256][..]].concat();
    flood(Via::Body, &opening(), &element(b"\xa3", &lace));
}

#[test]
fn blocks_of_one_byte_leave_turns_short() {
    flood(Via::Body, &opening(), TINY_BLOCK);
}

#[test]
fn blocks_without_a_frame_leave_turns_short() {
    flood(Via::Body, &opening(), b"\xa3\x84\x81\0\0\x80");
}

#[test]
fn clusters_of_one_block_leave_turns_short() {
    flood(Via::Body, &opening(), &[CLUSTER, TINY_BLOCK].concat());
}

#[test]
fn padding_of_two_bytes_leaves_turns_short() {
    flood(Via::Body, &opening(), b"\xec\x80");
}

#[test]
fn recordings_of_one_block_leave_turns_short() {
    // By turns of VP8 and VP9, so that each makes a new init segment.
    let mut other = opening();
    let at = other.iter().position(|&byte| byte == b'8').unwrap();
    other[at] = b'9';
    flood(Via::Body, &[], &[opening(), other].concat());
}

#[test]
fn chunks_of_one_byte_leave_turns_short() {
    let chunk = |byte: &u8| [b"1\r\n", &[*byte][..], b"\r\n"].concat();
    let chunks = |bytes: &[u8]| bytes.iter().flat_map(chunk).collect::<Vec<u8>>();
    flood(Via::Chunks, &chunks(&opening()), &chunks(TINY_BLOCK));
}

#[test]
fn empty_messages_leave_turns_short() {
    flood(Via::WebSocket, &frame(0x82, &opening()), &frame(0x82, b""));
}

#[test]
fn empty_fragments_leave_turns_short() {
    let first = [frame(0x82, &opening()), frame(0x02, b"")].concat();
    flood(Via::WebSocket, &first, &frame(0x00, b""));
}

#[test]
fn pings_leave_turns_short() {
    flood(Via::WebSocket, &frame(0x82, &opening()), &frame(0x89, b""));
}

#[test]
fn input_of_an_ended_publisher_is_processed_beside_a_flood() {
    const BLOCKS: usize = 9_000;
    let _alone = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = Server::start();
    let again = element(b"\xa3", &[b"\x81\0\0\x84\xff", &[b'x'; 256][..]].concat());
    for index in 0..FLOODS {
        pour(
            &server,
            &format!("flood-{index}"),
            Via::Body,
            &opening(),
            &again,
        );
    }
    let mut viewer = Viewer::plain(&server, "short");
    let block = |number: usize| {
        let number = u16::try_from(number).unwrap().to_be_bytes();
        let flags = if number == [0, 0] { 0x80 } else { 0 };
        element(b"\xa3", &[&[0x81, 0, 0, flags], &number[..]].concat())
    };
    let mut body = [&head(), CLUSTER].concat();
    body.extend((0..BLOCKS).flat_map(block));
    let answer = Http::open(&server).upload("PUT", "/publish/short", &[], &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    viewer.watch(BLOCKS);
    for (shown, number) in viewer.screen.frames.iter().zip(0_u16..) {
        assert_eq!(shown.bytes[..], number.to_be_bytes());
    }
    drop(server);
}
