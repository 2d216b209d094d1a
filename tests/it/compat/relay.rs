//! The promise: each of the four ports treats messages as the old relay did. A model of that relay, made
//! after its source, tells what to expect; messages and listeners come at random.

use super::old::{OldPage, OldServer, Port, message};
use crate::common::media::{Sample, assert_frames};
use crate::common::websocket::WebSocketClient;
use bytes::Bytes;
use videostream::webm::Block;

/// What the old relay kept: it had no bound.
#[derive(Default)]
struct Original {
    buffer: Vec<u8>,
}

/// A listener, and what the old relay would have sent it.
struct Pair {
    client: WebSocketClient,
    hears: Port,
    expected: Vec<Bytes>,
}

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn bytes(&mut self) -> Bytes {
        let length = match self.roll(6) {
            0 => 0,
            1 => self.roll(4),
            2 | 3 => self.roll(300),
            4 => 60_000 + self.roll(20_000),
            _ => 250_000 + self.roll(300_000),
        };
        let first = self.roll(256) as u8;
        (0..length).map(|at| first.wrapping_add(at as u8)).collect()
    }
}

fn play(seed: u64, film: Option<&Sample>) {
    let server = OldServer::start();
    let mut original = Original::default();
    let mut dice = Dice(seed);
    let mut page = OldPage::open(&server);
    let mut pairs: Vec<Pair> = Vec::new();
    let mut pieces = film.map(|film| film.chunks.iter().cycle());
    for step in 0..120 {
        // Of a film, a blob begins where the film does.
        let is_blob = match film {
            Some(film) => step % film.chunks.len() == 0,
            None => dice.roll(5) == 0,
        };
        let bytes = match &mut pieces {
            Some(pieces) => pieces.next().unwrap().clone(),
            None => dice.bytes(),
        };
        let hears = if is_blob {
            original.buffer = bytes.to_vec();
            page.blob(bytes.clone());
            Port::BlobsOut
        } else {
            original.buffer.extend_from_slice(&bytes);
            page.chunk(bytes.clone());
            Port::ChunksOut
        };
        for pair in &mut pairs {
            if pair.hears as usize == hears as usize {
                pair.expected.push(bytes.clone());
            }
        }
        if dice.roll(8) == 0 {
            let hears = if dice.roll(2) == 0 {
                Port::BlobsOut
            } else {
                Port::ChunksOut
            };
            let is_late = matches!(hears, Port::ChunksOut) && !original.buffer.is_empty();
            let first = is_late.then(|| Bytes::from(original.buffer.clone()));
            pairs.push(Pair {
                client: server.open(hears),
                hears,
                expected: first.into_iter().collect(),
            });
        }
    }
    assert!(pairs.len() > 3);
    for (index, pair) in pairs.iter_mut().enumerate() {
        for (number, expected) in pair.expected.iter().enumerate() {
            let got = message(&mut pair.client);
            assert!(
                got == expected,
                "seed {seed}, listener {index}: message {number} of {} bytes, not of {}",
                got.len(),
                expected.len()
            );
        }
    }
    // And nothing else: the next message is the next one sent.
    page.blob("last");
    page.chunk("really");
    for pair in &mut pairs {
        let last = match pair.hears {
            Port::BlobsOut => "last",
            _ => "really",
        };
        assert_eq!(message(&mut pair.client), last);
    }
}

#[test]
fn random_messages_reach_listeners_as_the_old_relay_sent_them() {
    for seed in 1..=6 {
        play(seed, None);
    }
}

#[test]
fn recordings_reach_listeners_byte_for_byte() {
    play(7, Some(&Sample::read("chromium-vp9-opus-100ms")));
}

#[test]
fn messages_of_several_publishers_go_on_with_one_blob() {
    let server = OldServer::start();
    let mut first = OldPage::open(&server);
    let mut second = server.open(Port::BlobsIn);
    let mut third = server.open(Port::ChunksIn);
    first.blob("one ");
    first.chunk("two ");
    third.send(Bytes::from("three "));
    assert_eq!(message(&mut first.chunks_out), "three ");
    let mut late = server.open(Port::ChunksOut);
    assert_eq!(message(&mut late), "one two three ");
    second.send(Bytes::from("new "));
    assert_eq!(message(&mut first.blobs_out), "new ");
    first.chunk("more");
    assert_eq!(message(&mut late), "more");
    // No publisher was closed for another.
    first.blob("again");
    let mut later = server.open(Port::ChunksOut);
    assert_eq!(message(&mut later), "again");
}

#[test]
fn blob_stays_for_newcomers_when_its_publisher_goes() {
    let server = OldServer::start();
    let sample = Sample::read("chromium-restart-1");
    let mut page = OldPage::open(&server);
    page.record(&sample.chunks);
    server.report_when("compat", |report| report["live"] == true);
    page.blobs.close();
    page.chunks.close();
    server.wait_until_offline("compat");
    let mut late = server.open(Port::ChunksOut);
    assert!(message(&mut late) == sample.bytes);
}

#[test]
fn beyond_the_bound_a_newcomer_gets_a_shorter_blob_that_plays() {
    let options = [
        "--compat-bytes",
        "64KiB",
        "--publisher-message-bytes",
        "64KiB",
    ];
    let server = OldServer::with(&options);
    let film = Sample::read("chromium-vp8-opus-100ms");
    assert!(
        film.bytes.len() > 80 << 10,
        "the film is longer than the bound"
    );
    let mut page = OldPage::open(&server);
    page.record(&film.chunks);
    assert!(server.metric("videostream_compat_kept_bytes") <= 64 << 10);
    // The server understands what it has passed on before.
    server.report_when("compat", |report| report["live"] == true);
    let keyframe = *film.keyframes().last().unwrap();
    let mut late = server.open(Port::ChunksOut);
    let got = message(&mut late);
    let got = Sample::parse(got);
    let expected = film.frames(keyframe..film.blocks.len());
    assert_frames(&got.frames(0..got.blocks.len()), &expected);
    let times = |blocks: &[Block]| -> Vec<i64> {
        let blocks = blocks.iter();
        blocks.map(|block| block.timestamp_ms).collect()
    };
    assert_eq!(times(&got.blocks), times(&film.blocks[keyframe..]));
}
