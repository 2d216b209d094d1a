use super::*;
use crate::stream::ChunkKind;
use crate::stream::{Cursor, Next};
use crate::webm::ElementId;
use proptest::prelude::*;
use std::sync::Arc;

fn track(number: u8, codec_id: &[u8; 5]) -> Vec<u8> {
    let head = [0xae, 0x8d, 0xd7, 0x81, number, 0x83, 0x81, 1, 0x86, 0x85];
    [&head, &codec_id[..]].concat()
}

/// A recording of two tracks, in this order, with a keyframe of each, VP8 first.
fn recording(tracks: [Vec<u8>; 2]) -> Bytes {
    [
        b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\xff\x16\x54\xae\x6b\x9e",
        &tracks.concat()[..],
        b"\x1f\x43\xb6\x75\xff\xe7\x81\x00",
        b"\xa3\x85\x81\0\0\x808",
        b"\xa3\x85\x82\0\x05\x809",
    ]
    .concat()
    .into()
}

/// All that is in the ring, and the state of the stream.
fn aired(stream: &Stream) -> Vec<u8> {
    let ring = stream.ring();
    let chunks = (ring.oldest()..ring.live_edge()).filter_map(|sequence| ring.chunk(sequence));
    let payloads: Vec<Bytes> = chunks.map(|chunk| chunk.framed.payload()).collect();
    payloads.concat()
}

/// As the server does it: what is left of the input is worked on in later turns.
fn go_on_air(ingest: &mut Ingest, stream: &mut Stream) {
    ingest.go_on_air(stream);
    ingest.work(stream, &mut Work::unlimited()).unwrap();
    ingest.close_chunk(stream);
}

#[test]
fn candidate_changes_no_stream_before_its_first_block() {
    let limits = Limits::default();
    let both = [track(1, b"V_VP8"), track(2, b"A_PCM")];
    let whole = recording(both);
    let mut straight = Stream::new(Arc::from("demo"), limits);
    straight.go_live();
    let mut ingest = Ingest::new(limits);
    ingest.push(whole.clone(), &mut straight).unwrap();
    ingest.flush(&mut straight);

    let mut stream = Stream::new(Arc::from("demo"), limits);
    let mut ingest = Ingest::candidate(limits);
    let mut ready_at = None;
    for at in 0..whole.len() {
        ingest.push(whole.slice(at..=at), &mut stream).unwrap();
        if ready_at.is_none() {
            assert!(aired(&stream).is_empty() && stream.init().is_none());
        }
        if ingest.is_ready() {
            ready_at = Some(at);
            stream.go_live();
            go_on_air(&mut ingest, &mut stream);
            assert!(!ingest.is_candidate());
        }
    }
    // The last byte of the first block: another of 7 bytes follows.
    assert_eq!(ready_at, Some(whole.len() - 8));
    ingest.flush(&mut stream);
    assert_eq!(aired(&stream), aired(&straight));

    // All at once, what is behind the first block comes with it.
    let mut stream = Stream::new(Arc::from("demo"), limits);
    let mut ingest = Ingest::candidate(limits);
    ingest.push(whole, &mut stream).unwrap();
    assert!(ingest.is_ready() && aired(&stream).is_empty());
    stream.go_live();
    go_on_air(&mut ingest, &mut stream);
    ingest.flush(&mut stream);
    assert_eq!(aired(&stream), aired(&straight));
}

#[test]
fn only_the_init_segment_of_a_takeover_says_so() {
    let limits = Limits::default();
    let mut stream = Stream::new(Arc::from("demo"), limits);
    for picture in [b"V_VP8", b"V_ABC", b"V_ABC"] {
        let mut ingest = Ingest::candidate(limits);
        let tracks = [track(1, picture), track(2, b"V_ABC")];
        ingest.push(recording(tracks), &mut stream).unwrap();
        stream.go_live();
        go_on_air(&mut ingest, &mut stream);
        ingest.flush(&mut stream);
    }
    let ring = stream.ring();
    let chunks = (0..ring.live_edge()).filter_map(|sequence| ring.chunk(sequence));
    let inits: Vec<bool> = chunks
        .filter(|chunk| chunk.kind == ChunkKind::Init)
        .map(|chunk| chunk.takes_over)
        .collect();
    // The third goes on with the tracks of the second.
    assert_eq!(inits, [false, true]);
}

#[test]
fn of_two_pictures_viewers_get_the_first_and_keep_it_when_they_change_places() {
    let (vp8, vp9) = (track(1, b"V_VP8"), track(2, b"V_VP9"));
    let limits = Limits::default();
    let mut stream = Stream::new(Arc::from("demo"), limits);
    stream.go_live();
    for tracks in [[vp8.clone(), vp9.clone()], [vp9, vp8]] {
        let mut ingest = Ingest::new(limits);
        ingest.push(recording(tracks), &mut stream).unwrap();
        ingest.flush(&mut stream);
        let warning = ingest.poll_warning().unwrap();
        assert_eq!(warning.code, "tracks");
        assert_eq!(
            warning.message,
            "Track 2 (video, vp9) is left out: viewers get the first picture and the first sound."
        );
    }
    let mut cursor = Cursor::join();
    let mut payloads = Vec::new();
    while let Next::Init(chunk) | Next::Chunk(chunk) = cursor.next(&stream) {
        payloads.push(chunk.framed.payload());
    }
    // The init segment, and one Cluster that opens on the VP8 keyframe of track 1.
    assert_eq!((stream.generation(), payloads.len()), (1, 2));
    let mut cluster = Vec::new();
    ElementId::CLUSTER.write(&mut cluster);
    assert!(payloads[1].starts_with(&cluster));
    assert!(payloads[1].ends_with(b"\xa3\x85\x81\0\0\x808"));
}

/// All chunks, one after another, and how many they are.
fn ring(stream: &Stream) -> (Vec<u8>, usize) {
    let ring = stream.ring();
    let chunks = (ring.oldest()..ring.live_edge()).filter_map(|sequence| ring.chunk(sequence));
    let payloads: Vec<Bytes> = chunks.map(|chunk| chunk.framed.payload()).collect();
    (payloads.concat(), payloads.len())
}

fn on_air() -> Stream {
    let mut stream = Stream::new(Arc::from("demo"), Limits::default());
    stream.go_live();
    stream
}

/// A recording of two tracks, and laces of 256 keyframes of one byte.
fn laces(count: usize) -> Bytes {
    let tracks = [track(1, b"V_VP8"), track(2, b"V_VP9")];
    let lace = [b"\xa3\x41\x05\x81\0\0\x84\xff", &[b'x'; 256][..]].concat();
    [&recording(tracks)[..], &lace.repeat(count)]
        .concat()
        .into()
}

proptest! {
    #[test]
    fn ring_is_the_same_wherever_work_stops(
        shares in prop::collection::vec(1..100_000_u64, 1..20),
        length in 0..laces(20).len(),
    ) {
        let bytes = laces(20).slice(..length);
        let mut whole = on_air();
        Ingest::new(Limits::default()).push(bytes.clone(), &mut whole).unwrap();

        let (mut stream, mut ingest) = (on_air(), Ingest::new(Limits::default()));
        ingest.give(bytes);
        for share in shares.into_iter().cycle() {
            let mut work = Work::new(share);
            ingest.work(&mut stream, &mut work).unwrap();
            ingest.close_chunk(&mut stream);
            prop_assert!(work.done() <= share + work::RECORDING + 300 * work::CHUNK);
            if !ingest.has_input() {
                break;
            }
        }
        prop_assert_eq!(ring(&stream).0, ring(&whole).0);
    }
}

#[test]
fn frames_of_a_lace_share_a_chunk_and_each_opens_a_cluster() {
    let mut stream = on_air();
    let mut ingest = Ingest::new(Limits::default());
    ingest.push(laces(4), &mut stream).unwrap();
    let (bytes, chunks) = ring(&stream);
    // Init segment, and one chunk each 1024 blocks: they are all at the same time.
    assert_eq!((chunks, stream.gops()), (3, 2));
    let clusters = bytes.windows(4).filter(|id| *id == b"\x1f\x43\xb6\x75");
    assert_eq!(clusters.count(), 4 * 256 + 1);
}

#[test]
fn keyframes_of_every_frame_rate_are_join_points() {
    let mut stream = on_air();
    let mut ingest = Ingest::new(Limits::default());
    let tracks = [track(1, b"V_VP8"), track(2, b"V_VP9")];
    let mut bytes = recording(tracks).to_vec();
    // 200 keyframes a second.
    for ms in (5..505_u16).step_by(5) {
        let [high, low] = ms.to_be_bytes();
        bytes.extend([0xa3, 0x85, 0x81, high, low, 0x80, b'x']);
    }
    ingest.push(bytes.into(), &mut stream).unwrap();
    assert_eq!(stream.gops(), 101);
}
