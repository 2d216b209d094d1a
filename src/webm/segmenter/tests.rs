use super::*;
use crate::webm::element::write_element;

const UNKNOWN: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

fn element(id: ElementId, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_element(&mut out, id, payload);
    out
}

fn open(id: ElementId) -> Vec<u8> {
    let mut out = Vec::new();
    id.write(&mut out);
    out.extend(UNKNOWN);
    out
}

/// EBML header, open Segment and Tracks with one video track, number 1.
fn start() -> Vec<u8> {
    let entry = [
        element(ElementId::TRACK_NUMBER, &[1]),
        element(ElementId::TRACK_TYPE, &[1]),
        element(ElementId::CODEC_ID, b"V_VP8"),
    ]
    .concat();
    let tracks = element(ElementId::TRACK_ENTRY, &entry);
    [
        element(ElementId::EBML, &element(ElementId::DOC_TYPE, b"webm")),
        open(ElementId::SEGMENT),
        element(ElementId::TRACKS, &tracks),
    ]
    .concat()
}

fn cluster(timestamp: u8) -> Vec<u8> {
    [
        open(ElementId::CLUSTER),
        element(ElementId::TIMESTAMP, &[timestamp]),
    ]
    .concat()
}

fn run(bytes: &[u8]) -> (Vec<Event>, Option<WebmError>) {
    let limits = Limits {
        init_bytes: 1000,
        block_bytes: 1000,
    };
    let mut segmenter = Segmenter::new(limits);
    segmenter.push(Bytes::copy_from_slice(bytes));
    let mut events = Vec::new();
    loop {
        match segmenter.poll() {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, None),
            Err(error) => {
                assert_eq!(segmenter.poll(), Err(error.clone()));
                return (events, Some(error));
            }
        }
    }
}

fn timestamps(events: &[Event]) -> Vec<i64> {
    let blocks = events.iter().filter_map(|event| match event {
        Event::Block(block) => Some(block.timestamp_ms),
        _ => None,
    });
    blocks.collect()
}

#[test]
fn other_formats_are_refused_at_the_first_wrong_byte() {
    let error = Some(WebmError::NotWebm { offset: 0 });
    assert_eq!(run(b"G").1, error);
    assert_eq!(run(b"\x1aE\xdf\xa4").1, error);
    assert_eq!(run(b"\0\0\0\x1cftypisom").1, error);
    assert_eq!(run(b"\x1aE\xdf").1, None);
}

#[test]
fn other_formats_in_single_bytes_are_refused_at_the_first_wrong_byte() {
    let mut segmenter = Segmenter::new(Limits::default());
    for byte in [0x1a, 0x45, 0xdf] {
        segmenter.push(Bytes::copy_from_slice(&[byte]));
        assert_eq!(segmenter.poll(), Ok(None));
    }
    segmenter.push(Bytes::from_static(&[0]));
    assert_eq!(segmenter.poll(), Err(WebmError::NotWebm { offset: 0 }));
}

#[test]
fn an_ebml_document_of_another_type_is_refused_by_name() {
    let bytes = element(ElementId::EBML, &element(ElementId::DOC_TYPE, b"mkv3d"));
    let error = run(&bytes).1.unwrap();
    assert_eq!(
        error.to_string(),
        "not WebM: DocType \"mkv3d\" at byte 0, expected webm or matroska"
    );
    assert!(error.is_other_format());
}

#[test]
fn unknown_size_cluster_ends_at_the_next_cluster() {
    let block = element(ElementId::SIMPLE_BLOCK, b"\x81\0\x05\x80f");
    let bytes = [start(), cluster(10), block.clone(), cluster(20), block].concat();
    let (events, error) = run(&bytes);
    assert_eq!((timestamps(&events), error), (vec![15, 25], None));
}

#[test]
fn unknown_elements_between_blocks_are_passed_over() {
    let block = element(ElementId::SIMPLE_BLOCK, b"\x81\0\x05\x80f");
    let odd = element(ElementId(0x4ABC), &[0; 300]);
    let void = element(ElementId::VOID, &[0xff; 20]);
    let bytes = [start(), cluster(10), odd, block.clone(), void, block].concat();
    assert_eq!(timestamps(&run(&bytes).0), [15, 15]);
}

#[test]
fn a_block_of_an_undeclared_track_is_stray() {
    let block = element(ElementId::SIMPLE_BLOCK, b"\x85\0\x05\x80f");
    let bytes = [start(), cluster(10), block].concat();
    let (events, error) = run(&bytes);
    let offset = (start().len() + cluster(10).len()) as u64;
    let stray = Event::Stray {
        offset,
        track_number: 5,
    };
    assert_eq!((events.last(), error), (Some(&stray), None));
}

#[test]
fn a_block_over_the_limit_is_refused_before_its_bytes_come() {
    let mut bytes = [start(), cluster(10)].concat();
    let offset = bytes.len() as u64;
    bytes.extend([0xa3, 0x10, 0x10, 0x00, 0x00]);
    let expected = WebmError::ElementTooLarge {
        offset,
        id: ElementId::SIMPLE_BLOCK,
        size: 0x10_0000,
        limit: 1000,
    };
    assert_eq!(run(&bytes).1, Some(expected));
}

#[test]
fn a_child_past_its_parents_end_is_refused() {
    let payload = [element(ElementId::TIMESTAMP, &[1]), vec![0xa3, 0x90, 0x81]].concat();
    let bytes = [start(), element(ElementId::CLUSTER, &payload)].concat();
    let offset = bytes.len() as u64 - 3;
    let id = ElementId::SIMPLE_BLOCK;
    assert_eq!(run(&bytes).1, Some(WebmError::Overrun { offset, id }));
}

#[test]
fn elements_out_of_place_are_refused() {
    let block = element(ElementId::SIMPLE_BLOCK, b"\x81\0\x05\x80f");
    let offset = start().len() as u64;
    let misplaced = run(&[start(), block.clone()].concat()).1;
    let id = ElementId::SIMPLE_BLOCK;
    assert_eq!(misplaced, Some(WebmError::Misplaced { offset, id }));

    let early = [start(), open(ElementId::CLUSTER), block].concat();
    let offset = offset + 12;
    assert_eq!(run(&early).1, Some(WebmError::NoTimestamp { offset }));

    let header = element(ElementId::EBML, &element(ElementId::DOC_TYPE, b"webm"));
    let no_tracks = [header, open(ElementId::SEGMENT), cluster(0)].concat();
    assert!(matches!(
        run(&no_tracks).1,
        Some(WebmError::NoTracks { .. })
    ));
}

#[test]
fn only_segment_and_cluster_may_have_unknown_size() {
    let bytes = [start(), cluster(1), open(ElementId(0x4ABC))].concat();
    assert!(matches!(run(&bytes).1, Some(WebmError::UnknownSize { .. })));
    let bytes = [start(), open(ElementId::TAGS)].concat();
    assert!(matches!(run(&bytes).1, Some(WebmError::UnknownSize { .. })));
}

#[test]
fn timestamps_beyond_reason_are_refused() {
    let far = element(ElementId::TIMESTAMP, &[0xff; 8]);
    let bytes = [start(), open(ElementId::CLUSTER), far].concat();
    assert!(matches!(
        run(&bytes).1,
        Some(WebmError::TimestampRange { .. })
    ));
}

#[test]
fn laced_opus_frames_come_apart_each_at_its_own_time() {
    let entry = [
        element(ElementId::TRACK_NUMBER, &[2]),
        element(ElementId::TRACK_TYPE, &[2]),
        element(ElementId::CODEC_ID, b"A_OPUS"),
    ]
    .concat();
    let tracks = element(ElementId::TRACKS, &element(ElementId::TRACK_ENTRY, &entry));
    let header = element(ElementId::EBML, &element(ElementId::DOC_TYPE, b"webm"));
    // Two packets of one 20 ms frame each (configuration 31), laced with fixed sizes.
    let lace = element(ElementId::SIMPLE_BLOCK, b"\x82\0\0\x84\x01\xf8a\xf8b");
    let bytes = [header, open(ElementId::SEGMENT), tracks, cluster(40), lace].concat();
    assert_eq!(timestamps(&run(&bytes).0), [40, 60]);
}

#[test]
fn a_stream_cut_inside_an_element_is_not_between_elements() {
    let mut segmenter = Segmenter::new(Limits::default());
    let block = element(ElementId::SIMPLE_BLOCK, b"\x81\0\x05\x80f");
    let bytes = [start(), cluster(10), block].concat();
    let (most, last) = bytes.split_at(bytes.len() - 1);
    segmenter.push(Bytes::copy_from_slice(most));
    while segmenter.poll().unwrap().is_some() {}
    assert!(!segmenter.is_between_elements());
    segmenter.push(Bytes::copy_from_slice(last));
    while segmenter.poll().unwrap().is_some() {}
    assert!(segmenter.is_between_elements());
}
