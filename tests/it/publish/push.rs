//! The promise: `push` sends the bytes of a file unchanged and in their time. When the server
//! refuses them, it ends with exit code 1 and the reason of the server.
//!
//! The servers here are small and of the tests' own making, so that every answer can be tried.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::ExitStatusExt;
use tungstenite::protocol::{CloseFrame, Role, frame::coding::CloseCode};
use tungstenite::{Message, WebSocket};
use videostream::http::chunked::{Decoded, Decoder};
use videostream::http::{RequestHead, parse_request};
use videostream::webm::{Event, Limits, Segmenter};
use videostream::websocket::handshake::accept_key;

/// How long anything is waited for. Nothing takes a second of work, but a machine that builds four
/// other things, or that was put to sleep, has been seen to stand still for 20 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first 300 ms of a recording, which end between two blocks.
struct Clip {
    _folder: tempfile::TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Clip {
    const MS: i64 = 300;

    fn new() -> Clip {
        let sample = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/data/chromium-vp8-opus-100ms.webm"
        );
        let mut bytes = std::fs::read(sample).unwrap();
        let mut segmenter = Segmenter::new(Limits::default());
        segmenter.push(Bytes::from(bytes.clone()));
        let end = loop {
            match segmenter.poll().unwrap().unwrap() {
                Event::Block(block) if block.timestamp_ms > Clip::MS => break block.offset,
                _ => {}
            }
        };
        bytes.truncate(end as usize);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.webm");
        std::fs::write(&path, &bytes).unwrap();
        Clip {
            _folder: folder,
            path,
            bytes,
        }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

fn start(arguments: &[&str], stdin: Stdio) -> Child {
    Command::new(env!("CARGO_BIN_EXE_videostream"))
        .arg("push")
        .args(arguments)
        .stdin(stdin)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What it wrote to standard error, once it ended with `code`.
fn end(child: Child, code: i32) -> String {
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    let text = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{text}");
    text
}

struct Server {
    listener: TcpListener,
}

impl Server {
    fn new() -> Server {
        Server {
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
        }
    }

    fn url(&self, scheme: &str, target: &str) -> String {
        format!("{scheme}://{}{target}", self.listener.local_addr().unwrap())
    }

    /// The next connection, its request head, and what came after that.
    fn accept(&self) -> (TcpStream, RequestHead, Bytes) {
        let (mut stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut received = Vec::new();
        loop {
            let mut buffer = [0; 1024];
            let length = stream.read(&mut buffer).unwrap();
            assert_ne!(length, 0, "closed inside the request head");
            received.extend_from_slice(&buffer[..length]);
            if let Some((head, length)) = parse_request(&received, 16 * 1024).unwrap() {
                return (stream, head, Bytes::from(received).slice(length..));
            }
        }
    }

    fn accept_websocket(&self) -> WebSocket<TcpStream> {
        let (mut stream, head, rest) = self.accept();
        assert!(rest.is_empty());
        let upgrade = head.upgrade.unwrap();
        assert_eq!(upgrade.protocols, ["videostream.v1"]);
        let accept = accept_key(&upgrade.key.unwrap());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: videostream.v1\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).unwrap();
        WebSocket::from_raw_socket(stream, Role::Server, None)
    }

    fn refuse(&self, answer: &str) {
        let (mut stream, _, _) = self.accept();
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

/// All binary messages until the close frame, which is answered.
fn receive(socket: &mut WebSocket<TcpStream>) -> Vec<u8> {
    let mut media = Vec::new();
    loop {
        match socket.read().unwrap() {
            Message::Binary(bytes) => media.extend_from_slice(&bytes),
            Message::Close(_) => {
                while socket.read().is_ok() {}
                return media;
            }
            _ => {}
        }
    }
}

#[test]
fn websocket_gets_the_bytes_of_the_file_in_their_time() {
    let (clip, server) = (Clip::new(), Server::new());
    // Before it starts: later, a busy machine might let it send before the clock is read.
    let started = Instant::now();
    let child = start(
        &[clip.path(), &server.url("ws", "/publish/door")],
        Stdio::null(),
    );
    let mut socket = server.accept_websocket();
    let ready = r#"{"type":"ready","watch":"http://h/live/door"}"#;
    socket.send(Message::text(ready)).unwrap();
    socket
        .send(Message::text(r#"{"type":"tomorrow"}"#))
        .unwrap();
    socket
        .send(Message::Ping(Bytes::from_static(b"there?")))
        .unwrap();
    assert_eq!(receive(&mut socket), clip.bytes);
    assert!(started.elapsed() > Duration::from_millis(Clip::MS as u64 - 100));
    let said = end(child, 0);
    assert!(said.contains("watch at http://h/live/door\n"), "{said}");
    assert!(
        said.contains(&format!("sent {} bytes in ", clip.bytes.len())),
        "{said}"
    );
}

#[test]
fn http_gets_the_bytes_of_the_file_in_one_chunked_request() {
    let (clip, server) = (Clip::new(), Server::new());
    let url = server.url("http", "/live/door.webm");
    let child = start(&[clip.path(), &url, "--key", "k"], Stdio::null());
    let (mut stream, head, mut input) = server.accept();
    assert!(head.expect_continue && input.is_empty());
    assert_eq!(
        (head.path.as_str(), head.keys[0].expose()),
        ("/live/door.webm", "k")
    );
    stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    let mut decoder = Decoder::new();
    let mut media = Vec::new();
    loop {
        match decoder.decode(&mut input).unwrap() {
            Decoded::Data(bytes) => media.extend_from_slice(&bytes),
            Decoded::End => break,
            Decoded::Partial => {
                let mut buffer = vec![0; 4096];
                let length = stream.read(&mut buffer).unwrap();
                assert_ne!(length, 0, "closed inside the body");
                buffer.truncate(length);
                input = buffer.into();
            }
        }
    }
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    assert_eq!(media, clip.bytes);
    end(child, 0);
}

#[test]
fn loop_starts_again_from_the_first_byte_and_ends_with_the_servers_reason() {
    let (clip, server) = (Clip::new(), Server::new());
    let started = Instant::now();
    let child = start(
        &["--loop", clip.path(), &server.url("ws", "/publish/door")],
        Stdio::null(),
    );
    let mut socket = server.accept_websocket();
    let twice = [&clip.bytes[..], &clip.bytes].concat();
    let mut media = Vec::new();
    while media.len() < twice.len() {
        if let Message::Binary(bytes) = socket.read().unwrap() {
            media.extend_from_slice(&bytes);
        }
    }
    assert!(media.starts_with(&twice));
    assert!(started.elapsed() > Duration::from_millis(2 * Clip::MS as u64 - 150));
    let goodbye = CloseFrame {
        code: CloseCode::Away,
        reason: "going down".into(),
    };
    socket.close(Some(goodbye)).unwrap();
    while socket.read().is_ok() {}
    let said = end(child, 1);
    assert!(said.ends_with("/publish/door: the server closed the connection: going down\n"));
}

#[test]
fn standard_input_goes_out_as_it_comes() {
    let (clip, server) = (Clip::new(), Server::new());
    let mut child = start(&["-", &server.url("ws", "/publish/door")], Stdio::piped());
    let mut stdin = child.stdin.take().unwrap();
    let mut socket = server.accept_websocket();
    let (front, back) = clip.bytes.split_at(1000);
    stdin.write_all(front).unwrap();
    assert_eq!(socket.read().unwrap(), Message::binary(front.to_vec()));
    // While the writer pauses, `push` reads from the server.
    socket
        .send(Message::Ping(Bytes::from_static(b"there?")))
        .unwrap();
    assert_eq!(
        socket.read().unwrap(),
        Message::Pong(Bytes::from_static(b"there?"))
    );
    stdin.write_all(back).unwrap();
    drop(stdin);
    assert_eq!(receive(&mut socket), back);
    end(child, 0);
}

#[test]
fn refusal_is_printed_with_the_reason_of_the_server() {
    let clip = Clip::new();
    let refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain\r\nContent-Length: 18\r\n\
                   Connection: close\r\n\r\nshow the right key";
    for (scheme, target) in [("ws", "/publish/door"), ("http", "/live/door.webm")] {
        let server = Server::new();
        let child = start(&[clip.path(), &server.url(scheme, target)], Stdio::null());
        server.refuse(refusal);
        let said = end(child, 1);
        assert!(said.ends_with(&format!(
            "{target}: the server answered 401: show the right key\n"
        )));
    }
}

#[test]
fn takeover_or_a_viewer_address_ends_the_push() {
    let clip = Clip::new();
    for (message, reason) in [
        (
            r#"{"type":"replaced"}"#,
            "a newer publisher took the stream over",
        ),
        (
            r#"{"type":"hello","stream":"door","live":true}"#,
            "this is an address for viewers: publish to /publish/NAME",
        ),
    ] {
        let server = Server::new();
        let child = start(
            &[clip.path(), &server.url("ws", "/live/door")],
            Stdio::null(),
        );
        let mut socket = server.accept_websocket();
        socket.send(Message::text(message)).unwrap();
        let said = end(child, 1);
        assert!(said.ends_with(&format!("/live/door: {reason}\n")), "{said}");
    }
}

#[test]
fn unusable_file_or_option_opens_no_connection() {
    let (clip, server) = (Clip::new(), Server::new());
    server.listener.set_nonblocking(true).unwrap();
    let url = server.url("ws", "/publish/door");
    let cut = clip.path.with_file_name("cut.webm");
    std::fs::write(&cut, &clip.bytes[..clip.bytes.len() - 1]).unwrap();
    let text = clip.path.with_file_name("text.webm");
    std::fs::write(&text, "no film").unwrap();
    let (cut, text) = (cut.to_str().unwrap(), text.to_str().unwrap());
    for (arguments, code, reason) in [
        (&["/nowhere.webm", &url][..], 1, "/nowhere.webm: "),
        (
            &[text, &url],
            1,
            "text.webm: not WebM: expected EBML header at byte 0\n",
        ),
        (
            &["--loop", cut, &url],
            1,
            "ends inside an element, so it cannot be looped\n",
        ),
        (
            &["--loop", "-", &url],
            2,
            "--loop: standard input cannot be started again\n",
        ),
        (
            &[cut, "icecast://h/a"],
            2,
            "unknown scheme icecast://: use ws://, wss://, http:// or https://\n",
        ),
        (
            &["--tls-ca", "/nowhere.pem", cut, "wss://h/publish/a"],
            2,
            "--tls-ca /nowhere.pem: No such file or directory (os error 2)\n",
        ),
        (
            &[cut, "door"],
            2,
            "not a URL such as ws://127.0.0.1:8080/publish/live\n",
        ),
        (
            &["--chunk-ms", "0", cut, &url],
            2,
            "expected a whole number from 1 to 10000\n",
        ),
    ] {
        let said = end(start(arguments, Stdio::null()), code);
        assert!(said.contains(reason) && said.lines().count() == 1, "{said}");
    }
    assert!(server.listener.accept().is_err());
}

#[test]
fn server_that_is_not_there_is_named() {
    let (clip, server) = (Clip::new(), Server::new());
    let url = server.url("http", "/live/door.webm");
    drop(server);
    let said = end(start(&[clip.path(), &url], Stdio::null()), 1);
    assert!(said.starts_with(&format!("error: {url}: ")), "{said}");
}

/// A recording of some seconds.
fn sample(name: &str) -> String {
    format!("{}/tests/data/{name}.webm", env!("CARGO_MANIFEST_DIR"))
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// What was sent is the front of the file, and ends behind a whole block.
fn assert_is_whole(media: &[u8], file: &[u8]) {
    assert!(file.starts_with(media) && media.len() < file.len());
    let mut segmenter = Segmenter::new(Limits::default());
    segmenter.push(Bytes::copy_from_slice(media));
    let mut blocks = 0;
    while let Some(event) = segmenter.poll().unwrap() {
        blocks += usize::from(matches!(event, Event::Block(_)));
    }
    assert!(blocks > 0 && segmenter.is_between_blocks());
}

#[test]
fn signal_ends_a_websocket_behind_a_whole_block_with_a_close_frame() {
    // The second is larger than one read, and tells the sizes of its Clusters.
    for (name, bytes) in [
        ("chromium-vp8-opus-100ms", 1),
        ("ffmpeg-finished", 1),
        ("ffmpeg-finished", 30_000),
        ("firefox-vp8-opus-100ms", 66_000),
    ] {
        for kind in [Signal::INT, Signal::TERM] {
            let server = Server::new();
            let url = server.url("ws", "/publish/door");
            let child = start(&[&sample(name), &url], Stdio::null());
            let mut socket = server.accept_websocket();
            let mut media = Vec::new();
            while media.len() < bytes {
                if let Message::Binary(bytes) = socket.read().unwrap() {
                    media.extend_from_slice(&bytes);
                }
            }
            let asked = Instant::now();
            signal(&child, kind);
            let goodbye = loop {
                match socket.read().unwrap() {
                    Message::Binary(bytes) => media.extend_from_slice(&bytes),
                    Message::Close(goodbye) => break goodbye.unwrap(),
                    _ => {}
                }
            };
            while socket.read().is_ok() {}
            assert_eq!(goodbye.code, CloseCode::Normal);
            assert_is_whole(&media, &std::fs::read(sample(name)).unwrap());
            let said = end(child, 0);
            assert!(asked.elapsed() < Duration::from_secs(5));
            assert!(
                said.contains(&format!("sent {} bytes", media.len())),
                "{said}"
            );
        }
    }
}

/// The body of a chunked request, to its last chunk.
fn read_body(stream: &mut TcpStream, mut input: Bytes, mut got: impl FnMut(&[u8])) {
    let mut decoder = Decoder::new();
    loop {
        match decoder.decode(&mut input).unwrap() {
            Decoded::Data(bytes) => got(&bytes),
            Decoded::End => return,
            Decoded::Partial => {
                let mut buffer = [0; 4096];
                let length = stream.read(&mut buffer).unwrap();
                assert_ne!(length, 0, "closed before the last chunk");
                input = Bytes::copy_from_slice(&buffer[..length]);
            }
        }
    }
}

#[test]
fn signal_ends_a_body_behind_a_whole_block_with_the_last_chunk() {
    for kind in [Signal::INT, Signal::TERM] {
        let server = Server::new();
        let name = "ffmpeg-finished";
        let url = server.url("http", "/live/door.webm");
        let child = start(&["--loop", &sample(name), &url], Stdio::null());
        let (mut stream, _, input) = server.accept();
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        let mut media = Vec::new();
        read_body(&mut stream, input, |bytes| {
            if media.is_empty() {
                signal(&child, kind);
            }
            media.extend_from_slice(bytes);
        });
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).unwrap();
        assert_is_whole(&media, &std::fs::read(sample(name)).unwrap());
        end(child, 0);
    }
}

#[test]
fn signal_ends_standard_input_behind_a_whole_block() {
    let clip = Clip::new();
    for (front, more) in [
        // Its writer goes on, and is waited for until the block is whole.
        (1000, 3000),
        // It is in the middle of nothing.
        (clip.bytes.len(), 0),
        // It says nothing any more: then the block is left as it is.
        (1001, 0),
    ] {
        let server = Server::new();
        let mut child = start(&["-", &server.url("ws", "/publish/door")], Stdio::piped());
        let mut stdin = child.stdin.take().unwrap();
        let mut socket = server.accept_websocket();
        stdin.write_all(&clip.bytes[..front]).unwrap();
        let mut media = Vec::new();
        while media.len() < front {
            if let Message::Binary(bytes) = socket.read().unwrap() {
                media.extend_from_slice(&bytes);
            }
        }
        let asked = Instant::now();
        signal(&child, Signal::TERM);
        stdin.write_all(&clip.bytes[front..front + more]).unwrap();
        media.extend_from_slice(&receive(&mut socket));
        end(child, 0);
        assert!(asked.elapsed() < Duration::from_secs(5));
        match (front, more) {
            (1001, 0) => assert_eq!(media.len(), front),
            (_, 0) => assert_eq!(media, clip.bytes),
            _ => {
                assert!(media.len() > front);
                assert_is_whole(&media, &clip.bytes);
            }
        }
    }
}

#[test]
fn second_signal_ends_a_push_at_once() {
    let server = Server::new();
    let url = server.url("ws", "/publish/door");
    let child = start(&[&sample("firefox-vp8-opus-100ms"), &url], Stdio::null());
    let mut socket = server.accept_websocket();
    while !matches!(socket.read().unwrap(), Message::Binary(_)) {}
    signal(&child, Signal::INT);
    // Its close frame is not answered: `push` waits for that, if nothing else happens.
    let mut stream = socket.get_ref().try_clone().unwrap();
    let mut buffer = [0; 4096];
    let mut got = Vec::new();
    while !contains_close(&got) {
        let length = stream.read(&mut buffer).unwrap();
        got.extend_from_slice(&buffer[..length]);
    }
    let asked = Instant::now();
    signal(&child, Signal::INT);
    let status = child.wait_with_output().unwrap().status;
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()));
    assert!(asked.elapsed() < Duration::from_secs(2));
}

/// The head of a masked close frame with a code and our push's reason.
fn contains_close(bytes: &[u8]) -> bool {
    let length = 2 + "the stream has ended".len() as u8;
    let head = [0x88, 0x80 | length];
    bytes.windows(2).any(|pair| pair == head)
}
