//! Where we cut never depends on how the bytes arrived.

use super::segmented::{Segmented, segment};
use super::segments::segments;
use super::viewer::{Given, bytes_of, drain, play};
use super::{cut, split_lengths};
use crate::offline_reason::OfflineReason;
use crate::stream::{Cursor, Ingest, Limits, Stream};
use crate::webm::{self, WebmError};
use crate::work::{self, Budget, Debt, Work};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::sync::Arc;

/// The most that one step of an ingest overdraws its share by, but for bytes: a recording, or all
/// blocks that waited for one of another track.
const STEP_MAX: u64 = work::RECORDING + 1030 * (work::BLOCK + work::CHUNK);

/// However bytes are cut, and however little is worked in a turn, the segmenter finds the same in
/// them, and the ring holds the same for viewers: valid, and with every frame unchanged. In a ring too
/// small for the stream nothing panics, and what a viewer got is still valid; so is what a cache gets.
/// Publishers that share the work of a turn get all of theirs done, and no turn does much more than its budget.
///
/// The WebM comes first in `input`, so that a recording is nearly a seed and a dictionary is of
/// use. How to cut it stands at the end, read backwards:
///
/// ```text
/// WebM … | piece lengths, one byte each | how many of them | size of the small ring
/// ```
pub fn any_cut(input: &[u8]) {
    let Some((&ring, input)) = input.split_last() else {
        return;
    };
    let (bytes, lengths) = split_lengths(input);

    let segmented = same_events_however_cut(&bytes, &lengths);
    same_ring_however_cut(&bytes, &lengths, &segmented);
    small_ring_stays_valid(&bytes, &lengths, ring);
    segments(&cut(&bytes, &lengths), ring);
    publishers_share_each_turn(&bytes, &lengths, 2 + usize::from(ring % 7));
}

fn same_events_however_cut(bytes: &Bytes, lengths: &[usize]) -> Segmented {
    let tight = webm::Limits {
        init_bytes: 200,
        block_bytes: 400,
    };
    for limits in [tight, webm::Limits::default()] {
        let whole = segment(limits, [bytes.clone()]);
        segment(limits, cut(bytes, lengths)).assert_same(&whole);
        segment(limits, cut(bytes, &[1])).assert_same(&whole);
    }
    let segmented = segment(webm::Limits::default(), [bytes.clone()]);
    if let Some(error) = &segmented.error {
        // It goes into a close frame, and into the log.
        assert!(!error.to_string().contains(char::is_control));
        assert!(error.offset() <= bytes.len() as u64, "{error}");
    }
    segmented
}

fn same_ring_however_cut(bytes: &Bytes, lengths: &[usize], segmented: &Segmented) {
    let limits = Limits {
        ring_ms: u64::MAX,
        ..Limits::default()
    };
    let mut rings = Vec::new();
    for (pieces, share) in [
        (cut(bytes, &[]), u64::MAX),
        (cut(bytes, lengths), u64::MAX),
        (cut(bytes, &[1]), u64::MAX),
        (cut(bytes, &[]), 1),
        (cut(bytes, lengths), 2_000),
    ] {
        let mut stream = on_air(limits);
        let mut cursor = Cursor::join();
        let mut given = Vec::new();
        let error = publish(&mut stream, limits, pieces, share, |stream| {
            given.extend(drain(&mut cursor, stream));
        });
        assert_eq!(error, segmented.error);
        let ring = ring_bytes(&stream);
        // A viewer that joined early has the ring's end, behind the init segment it needs.
        if let Some(Given::Init(init)) = given.first() {
            let media = bytes_of(&given).split_off(init.framed.payload().len());
            assert!(ring.ends_with(&media));
        }
        play(bytes_of(&given));
        rings.push(ring);
    }
    assert!(rings.iter().all(|ring| *ring == rings[0]));
    let played = play(rings.swap_remove(0));
    let frames = played.iter().flat_map(|played| &played.blocks);
    let mut frames: Vec<Bytes> = frames.map(|block| block.3.clone()).collect();
    if let Some(mut expected) = segmented.playable_frames() {
        // In another order, perhaps: tracks that were written apart are brought together.
        frames.sort();
        expected.sort();
        assert_eq!(frames, expected);
    }
}

/// Two publishers, one after the other; one viewer that reads always and one that reads seldom.
fn small_ring_stays_valid(bytes: &Bytes, lengths: &[usize], ring: u8) {
    let limits = Limits {
        ring_bytes: 1 + usize::from(ring) * 16,
        ring_ms: u64::from(ring) * 4,
        ..Limits::default()
    };
    let seldom = 2 + usize::from(ring % 7);
    let mut stream = on_air(limits);
    let mut viewers = [(); 2].map(|()| (Cursor::join(), Vec::new()));
    let mut turn = 0;
    for _ in 0..2 {
        stream.go_live();
        publish(
            &mut stream,
            limits,
            cut(bytes, lengths),
            u64::MAX,
            |stream| {
                let ring = stream.ring();
                let is_one = ring.live_edge() - ring.oldest() == 1;
                assert!(ring.byte_len() <= limits.ring_bytes || is_one);
                turn += 1;
                for (index, (cursor, given)) in viewers.iter_mut().enumerate() {
                    if index == 0 || turn % seldom == 0 {
                        given.extend(drain(cursor, stream));
                        assert_eq!(cursor.behind(stream), 0);
                    }
                }
            },
        );
        stream.go_offline(OfflineReason::Ended);
    }
    for (_, given) in viewers {
        play(bytes_of(&given));
    }
}

/// So many publishers send the same bytes to streams of their own, in the same turns: as in the
/// event loop, with turns of little work.
fn publishers_share_each_turn(bytes: &Bytes, lengths: &[usize], publishers: usize) {
    const TURN_WORK: u64 = 20_000;
    const SHARE_MIN: u64 = TURN_WORK / 64;

    struct Party {
        stream: Stream,
        ingest: Ingest,
        pieces: VecDeque<Bytes>,
        debt: Debt,
    }
    let limits = Limits {
        ring_ms: u64::MAX,
        ..Limits::default()
    };
    let mut parties: Vec<Party> = (0..publishers)
        .map(|_| Party {
            stream: on_air(limits),
            ingest: Ingest::new(limits),
            pieces: cut(bytes, lengths).into(),
            debt: Debt::default(),
        })
        .collect();
    // An element is read as a whole, and may have been cut into pieces before.
    let overdraft_max = STEP_MAX + bytes.len() as u64 * 2 * work::BYTE_OF_CHILDREN;
    let mut queue: VecDeque<usize> = (0..publishers).collect();
    while !queue.is_empty() {
        let mut budget = Budget::new(TURN_WORK, SHARE_MIN, queue.len());
        for _ in 0..queue.len() {
            if budget.is_spent() {
                break;
            }
            let index = queue.pop_front().expect("as many as were counted");
            let party = &mut parties[index];
            let Some(mut work) = party.debt.draw(&budget) else {
                queue.push_back(index);
                continue;
            };
            if !party.ingest.has_input() {
                let Some(piece) = party.pieces.pop_front() else {
                    party.ingest.flush(&mut party.stream);
                    continue;
                };
                party.ingest.give(piece);
            }
            let worked = party.ingest.work(&mut party.stream, &mut work);
            party.ingest.close_chunk(&mut party.stream);
            party.debt.settle(&work, &mut budget);
            match worked {
                Ok(()) => queue.push_back(index),
                Err(_) => party.ingest.flush(&mut party.stream),
            }
        }
        assert!(
            budget.done() <= TURN_WORK + overdraft_max,
            "{}",
            budget.done()
        );
    }
    let first = ring_bytes(&parties[0].stream);
    for party in &parties[1..] {
        assert_eq!(ring_bytes(&party.stream), first);
    }
}

fn ring_bytes(stream: &Stream) -> Bytes {
    let ring = stream.ring();
    let mut bytes = BytesMut::new();
    for sequence in ring.oldest()..ring.live_edge() {
        let chunk = ring.chunk(sequence).expect("a ring has no gaps");
        bytes.extend_from_slice(&chunk.framed.payload());
    }
    bytes.freeze()
}

fn on_air(limits: Limits) -> Stream {
    let mut stream = Stream::new(Arc::from("demo"), limits);
    stream.go_live();
    stream
}

/// Publishes `pieces` as one connection, up to their end or the first error, in turns of so much work.
fn publish(
    stream: &mut Stream,
    limits: Limits,
    pieces: Vec<Bytes>,
    share: u64,
    mut after_each: impl FnMut(&Stream),
) -> Option<WebmError> {
    let mut ingest = Ingest::new(limits);
    let mut taken = 0;
    let mut error = None;
    'pieces: for piece in pieces {
        // An element is read as a whole, and may have been cut into pieces before.
        taken += piece.len() as u64;
        let overdraft_max = STEP_MAX + taken * 2 * work::BYTE_OF_CHILDREN;
        ingest.give(piece);
        loop {
            let mut work = Work::new(share);
            error = ingest.work(stream, &mut work).err();
            ingest.close_chunk(stream);
            after_each(stream);
            assert!(work.done() <= share.saturating_add(overdraft_max));
            if error.is_some() {
                break 'pieces;
            }
            if !ingest.has_input() {
                break;
            }
        }
    }
    ingest.flush(stream);
    after_each(stream);
    error
}
