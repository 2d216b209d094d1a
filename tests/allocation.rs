//! Finding blocks in a publisher's bytes takes no memory, once a recording has begun.

use bytes::Bytes;
use std::collections::VecDeque;
use videostream::fuzzing::cut;
use videostream::webm::{Event, Limits, Segmenter};

const RECORDINGS: [&str; 6] = [
    "chromium-vp8-opus-100ms",
    "chromium-canvas-vp8-opus-100ms",
    "chromium-opus-only-100ms",
    "firefox-vp8-opus-100ms",
    "ffmpeg-live",
    "ffmpeg-finished",
];

fn read(name: &str) -> Bytes {
    let path = format!("{}/tests/data/{name}.webm", env!("CARGO_MANIFEST_DIR"));
    let bytes = Bytes::from(std::fs::read(path).expect("a file of tests/data"));
    // A vector takes memory when it is first shared: once for each piece, whatever is in it.
    drop(bytes.clone());
    bytes
}

/// Blocks of a recording, and the allocations that its pieces and polls made after its head. The
/// last `held` blocks are kept, as a chunk keeps them until it is closed.
fn blocks_and_allocations(recording: &Bytes, length: usize, held: usize) -> (u64, u64) {
    let mut segmenter = Segmenter::new(Limits::default());
    let mut recordings = 0;
    let mut blocks = 0;
    let mut allocations = 0;
    let mut waiting = VecDeque::with_capacity(held + 1);
    // Once for the buffer of cut blocks to find its size.
    let pieces = [recording, recording].map(|recording| cut(recording, &[length]));
    for mut piece in pieces.concat() {
        loop {
            let mut event = None;
            let info = allocation_counter::measure(|| {
                if !piece.is_empty() {
                    segmenter.push(std::mem::take(&mut piece));
                }
                event = segmenter.poll().expect("a good recording");
            });
            if recordings == 2 {
                allocations += info.count_total;
            }
            match event {
                None => break,
                Some(Event::Recording(_)) => recordings += 1,
                Some(Event::Block(block)) => {
                    blocks += u64::from(recordings == 2);
                    waiting.push_back(block);
                    if waiting.len() > held {
                        waiting.pop_front();
                    }
                }
                Some(Event::Cluster(_) | Event::Stray { .. }) => {}
            }
        }
    }
    assert_eq!(recordings, 2);
    assert!(blocks > 60, "{blocks} blocks");
    (blocks, allocations)
}

#[test]
fn released_blocks_leave_their_memory_for_the_next_at_any_cut() {
    for name in RECORDINGS {
        let recording = read(name);
        for length in [recording.len(), 31_250, 4096, 64, 1] {
            let (_, allocations) = blocks_and_allocations(&recording, length, 0);
            assert_eq!(allocations, 0, "{name} in pieces of {length}");
        }
    }
}

#[test]
fn only_blocks_that_were_cut_take_memory_while_others_are_kept() {
    for name in RECORDINGS {
        let recording = read(name);
        for length in [recording.len(), 31_250, 4096, 64, 1] {
            let (blocks, allocations) = blocks_and_allocations(&recording, length, 8);
            let cuts = (recording.len().div_ceil(length) - 1) as u64;
            // Its head, its bytes, and their reference count.
            let most = 3 * blocks.min(cuts);
            assert!(
                allocations <= most,
                "{allocations} for {name} in pieces of {length}"
            );
        }
    }
}
