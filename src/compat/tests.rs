//! What listeners get, against a model of the old relay.

use super::*;
use crate::stream::{Ingest, Limits, Stream};
use crate::webm::{Block, Event, Segmenter};
use bytes::Bytes;
use proptest::prelude::*;

/// The old relay, as its source says: one buffer, and no bound.
#[derive(Default)]
struct Original {
    buffer: Vec<u8>,
    listeners: Vec<(Port, Vec<Vec<u8>>)>,
}

impl Original {
    fn blob(&mut self, bytes: &[u8]) {
        self.broadcast(Port::BlobsOut, bytes);
        self.buffer = bytes.to_vec();
    }

    fn chunk(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.broadcast(Port::ChunksOut, bytes);
    }

    fn broadcast(&mut self, port: Port, bytes: &[u8]) {
        let listeners = self.listeners.iter_mut();
        for (_, got) in listeners.filter(|(of, _)| *of == port) {
            got.push(bytes.to_vec());
        }
    }

    fn join(&mut self, port: Port) {
        let is_late = port == Port::ChunksOut && !self.buffer.is_empty();
        let first = is_late.then(|| self.buffer.clone());
        self.listeners.push((port, first.into_iter().collect()));
    }
}

/// A listener of ours: frames become messages.
struct Listener {
    port: Port,
    place: Place,
    messages: Vec<Vec<u8>>,
    coming: Option<Vec<u8>>,
}

impl Listener {
    fn new(port: Port, kept: &Kept) -> Listener {
        Listener {
            port,
            place: Place::of_newcomer(port, kept),
            messages: Vec::new(),
            coming: None,
        }
    }

    /// Takes so many frames, or all that there are. Returns whether it was overtaken.
    fn take(&mut self, kept: &Kept, frames: usize) -> bool {
        for _ in 0..frames {
            match self.place.take(self.port, kept) {
                Taken::Frame(parts) => self.frame(&parts.concat()),
                Taken::Nothing => return false,
                Taken::Overtaken => return true,
            }
        }
        false
    }

    fn frame(&mut self, frame: &[u8]) {
        let (first, length) = (frame[0], frame[1]);
        let head = match length {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let length = match length {
            length @ 0..126 => usize::from(length),
            _ => frame[2..head]
                .iter()
                .fold(0, |length, &byte| length << 8 | usize::from(byte)),
        };
        assert_eq!(frame.len(), head + length);
        assert!(length <= FRAGMENT_BYTES.max(1 << 20));
        match first & 0x7f {
            2 => assert!(self.coming.replace(Vec::new()).is_none()),
            0 => assert!(self.coming.is_some()),
            other => panic!("opcode {other}"),
        }
        let coming = self.coming.get_or_insert_default();
        coming.extend_from_slice(&frame[head..]);
        if first & 0x80 != 0 {
            self.messages.extend(self.coming.take());
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Blob(Vec<u8>),
    Chunk(Vec<u8>),
    Join(Port),
    /// The listener of this index takes so many frames.
    Take(prop::sample::Index, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let message = || {
        prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..200),
            // Of more than one frame.
            1 => (FRAGMENT_BYTES - 2..3 * FRAGMENT_BYTES).prop_map(|length| vec![7; length]),
        ]
    };
    let step = prop_oneof![
        2 => message().prop_map(Step::Blob),
        6 => message().prop_map(Step::Chunk),
        1 => Just(Step::Join(Port::BlobsOut)),
        2 => Just(Step::Join(Port::ChunksOut)),
        3 => (any::<prop::sample::Index>(), 0..5_usize).prop_map(|(index, many)| Step::Take(index, many)),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn listeners_get_what_the_old_relay_sent(steps in steps()) {
        let mut original = Original::default();
        let mut kept = Kept::new(usize::MAX, 1 << 20);
        let mut ours: Vec<Listener> = Vec::new();
        for step in steps {
            match step {
                Step::Blob(bytes) => {
                    original.blob(&bytes);
                    kept.begin(&bytes);
                }
                Step::Chunk(bytes) => {
                    original.chunk(&bytes);
                    kept.go_on(&bytes);
                }
                Step::Join(port) => {
                    original.join(port);
                    ours.push(Listener::new(port, &kept));
                }
                Step::Take(index, many) if !ours.is_empty() => {
                    let index = index.index(ours.len());
                    prop_assert!(!ours[index].take(&kept, many));
                }
                Step::Take(..) => {}
            }
        }
        for (listener, (_, expected)) in ours.iter_mut().zip(&original.listeners) {
            prop_assert!(!listener.take(&kept, usize::MAX));
            prop_assert!(listener.coming.is_none());
            prop_assert_eq!(&listener.messages, expected);
        }
    }

    #[test]
    fn bound_holds_and_slow_listeners_get_whole_messages_in_order(
        steps in steps(),
        capacity in 1_usize..2_000_000,
    ) {
        let mut original = Original::default();
        let mut kept = Kept::new(capacity, 1 << 20);
        let mut ours: Vec<(Listener, bool)> = Vec::new();
        for step in steps {
            match step {
                Step::Blob(bytes) => {
                    original.blob(&bytes);
                    kept.begin(&bytes);
                }
                Step::Chunk(bytes) => {
                    original.chunk(&bytes);
                    kept.go_on(&bytes);
                }
                Step::Join(port) => {
                    original.join(port);
                    ours.push((Listener::new(port, &kept), false));
                }
                Step::Take(index, many) if !ours.is_empty() => {
                    let index = index.index(ours.len());
                    ours[index].1 |= ours[index].0.take(&kept, many);
                }
                Step::Take(..) => {}
            }
            let newest = kept.live_edge() - kept.oldest();
            prop_assert!(kept.byte_len() <= capacity || newest == 1);
        }
        for ((listener, is_closed), (port, expected)) in ours.iter_mut().zip(&original.listeners) {
            *is_closed |= listener.take(&kept, usize::MAX);
            let mut rest = expected.iter();
            for message in &listener.messages {
                // A blob listener may have passed over some.
                prop_assert!(rest.any(|one| one == message), "{port:?} got what was not sent so");
            }
            let is_all = rest.len() == 0;
            prop_assert!(is_all || *is_closed || kept.oldest() > 0);
        }
    }
}

/// A recording of `tests/data`, and what is in it.
struct Clip {
    bytes: Bytes,
    blocks: Vec<Block>,
}

impl Clip {
    fn read(name: &str) -> Clip {
        let path = format!("{}/tests/data/{name}.webm", env!("CARGO_MANIFEST_DIR"));
        let bytes = Bytes::from(std::fs::read(path).unwrap());
        let blocks = blocks_of(&bytes);
        Clip { bytes, blocks }
    }
}

fn blocks_of(bytes: &Bytes) -> Vec<Block> {
    let mut segmenter = Segmenter::new(Limits::default().webm);
    segmenter.push(bytes.clone());
    let mut blocks = Vec::new();
    while let Some(event) = segmenter.poll().unwrap() {
        if let Event::Block(block) = event {
            blocks.push(block);
        }
    }
    blocks
}

/// Where in time, which track, which frame.
fn seen(blocks: &[Block]) -> Vec<(i64, usize, Bytes)> {
    let frame = |block: &Block| Bytes::copy_from_slice(block.element.frame());
    let seen = blocks.iter();
    seen.map(|block| (block.timestamp_ms, block.track, frame(block)))
        .collect()
}

/// Sends a clip in pieces of `piece` bytes as an old page does, keeping `capacity` bytes. Returns, for a
/// newcomer after each piece, the messages that it has in the end.
fn newcomers(clip: &Clip, piece: usize, capacity: usize) -> Vec<Vec<Vec<u8>>> {
    let mut kept = Kept::new(capacity, 1 << 20);
    let limits = Limits::default();
    let mut stream = Stream::new("compat".into(), limits);
    let mut ingest = Ingest::new(limits).with_trail();
    let mut listeners: Vec<Listener> = Vec::new();
    for (index, part) in clip.bytes.chunks(piece).enumerate() {
        let part = Bytes::copy_from_slice(part);
        match index {
            0 => kept.begin(&part),
            _ => kept.go_on(&part),
        }
        ingest.push(part, &mut stream).unwrap();
        kept.note_trail(ingest.trail().unwrap());
        listeners.push(Listener::new(Port::ChunksOut, &kept));
        for listener in &mut listeners {
            assert!(!listener.take(&kept, usize::MAX), "it keeps up");
        }
    }
    listeners.into_iter().map(|one| one.messages).collect()
}

#[test]
fn beyond_the_bound_a_newcomers_blob_begins_at_a_keyframe_and_plays_on() {
    for name in [
        "chromium-vp8-opus-100ms",
        "chromium-canvas-vp8-opus-100ms",
        "chromium-vp8-only-100ms",
        "chromium-opus-only-100ms",
        "firefox-vp8-opus-100ms",
        "ffmpeg-live",
        // Its Segment has a size, and ends before the shorter blob would.
        "ffmpeg-finished",
    ] {
        let clip = Clip::read(name);
        let all = seen(&clip.blocks);
        let (piece, capacity) = (clip.bytes.len() / 40, clip.bytes.len() / 3);
        let mut shorter = 0;
        for (index, messages) in newcomers(&clip, piece, capacity).iter().enumerate() {
            let got = Bytes::from(messages.concat());
            if got.is_empty() {
                continue;
            }
            let got = seen(&blocks_of(&got));
            assert!(all.ends_with(&got), "{name}, newcomer {index}");
            shorter += usize::from(got.len() < all.len());
        }
        assert!(shorter > 0, "{name}: no newcomer got a shorter blob");
    }
}

#[test]
fn within_the_bound_a_newcomers_blob_is_whole() {
    let clip = Clip::read("chromium-vp9-opus-100ms");
    for messages in newcomers(&clip, 1000, usize::MAX) {
        assert!(messages.concat() == clip.bytes);
    }
}

#[test]
fn newcomer_waits_for_a_keyframe_where_the_bound_left_none() {
    let clip = Clip::read("chromium-vp8-opus-100ms");
    // Far less than from one keyframe to the next.
    let newcomers = newcomers(&clip, 1000, 20_000);
    let (waited, began): (Vec<_>, Vec<_>) = newcomers.iter().partition(|got| got.is_empty());
    assert!(!waited.is_empty() && began.len() > 20, "{}", began.len());
    for messages in began {
        assert!(blocks_of(&Bytes::from(messages.concat()))[0].keyframe);
    }
}

#[test]
fn waiting_newcomer_goes_on_with_the_chunks_of_a_new_blob() {
    let mut kept = Kept::new(1000, 1 << 20);
    kept.begin(&[1; 600]);
    kept.go_on(&[2; 600]);
    let mut listener = Listener::new(Port::ChunksOut, &kept);
    assert!(!listener.take(&kept, usize::MAX) && listener.messages.is_empty());
    kept.begin(&[3; 100]);
    kept.go_on(&[4; 100]);
    assert!(!listener.take(&kept, usize::MAX));
    assert_eq!(listener.messages, [vec![4; 100]]);
}

#[test]
fn ordinary_recording_is_a_blob_and_chunks() {
    let mut kept = Kept::new(1 << 20, 1 << 20);
    let mut early = [Port::BlobsOut, Port::ChunksOut].map(|port| Listener::new(port, &kept));
    kept.begin_recording("init".into(), "gop1".into());
    kept.push_chunk("more".into(), false);
    let mut late = Listener::new(Port::ChunksOut, &kept);
    kept.push_chunk("gop2".into(), true);
    for listener in early.iter_mut().chain([&mut late]) {
        assert!(!listener.take(&kept, usize::MAX));
    }
    assert_eq!(early[0].messages, [b"initgop1".to_vec()]);
    assert_eq!(early[1].messages, [b"more".to_vec(), b"gop2".to_vec()]);
    assert_eq!(late.messages, [b"initgop1more".to_vec(), b"gop2".to_vec()]);
}

#[test]
fn ordinary_recording_beyond_the_bound_begins_at_its_newest_gop() {
    let mut kept = Kept::new(2000, 1 << 20);
    kept.begin_recording("init".into(), vec![1; 900].into());
    kept.push_chunk(vec![2; 500].into(), true);
    kept.push_chunk(vec![3; 500].into(), false);
    let mut late = Listener::new(Port::ChunksOut, &kept);
    assert!(!late.take(&kept, usize::MAX));
    let expected = [&b"init"[..], &[2; 500], &[3; 500]].concat();
    assert_eq!(late.messages, [expected]);
}

#[test]
fn listener_that_falls_out_of_the_bound_is_overtaken() {
    let mut kept = Kept::new(3 * FRAGMENT_BYTES, 1 << 20);
    let mut slow = [Port::BlobsOut, Port::ChunksOut].map(|port| Listener::new(port, &kept));
    let mut idle = Listener::new(Port::BlobsOut, &kept);
    let large = vec![0; 2 * FRAGMENT_BYTES];
    kept.begin(&large);
    kept.go_on(&large);
    kept.begin(&large);
    assert!(slow[1].take(&kept, 1));
    // One that has begun no blob passes over those that are gone.
    assert!(!idle.take(&kept, usize::MAX) && idle.messages.len() == 1);
    assert!(!slow[0].take(&kept, 1));
    kept.begin(&large);
    assert!(slow[0].take(&kept, 1));
}
