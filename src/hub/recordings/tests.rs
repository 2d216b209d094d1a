use super::*;
use crate::record::{Pace, Retention};
use crate::stream::{Catalog, Ingest, Limits};
use bytes::Bytes;
use std::time::Duration;

const QUEUE_BYTES: u64 = 1 << 20;

fn recordings(on_request: bool) -> Recordings {
    let record = Record {
        dir: "recordings".into(),
        on_request,
        streams: BTreeMap::new(),
        pace: Pace {
            grace: Duration::from_secs(30),
            sync: Duration::from_secs(1),
        },
        queue_bytes: QUEUE_BYTES,
        retention: Retention::default(),
    };
    Recordings {
        settings: RecordSettings {
            record,
            ledger: Ledger::default(),
        },
        waiting_max: 2,
        taps: BTreeMap::new(),
        wishes: BTreeMap::new(),
        open: BTreeMap::new(),
        orders: Vec::new(),
        tally: Tally::default(),
    }
}

/// Feeds a sample, and lets `recordings` take what has come after each piece.
fn record(recordings: &mut Recordings, catalog: &mut Catalog, mut each: impl FnMut(&Gauge)) {
    let path = "tests/data/chromium-vp8-opus-100ms.webm";
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    let mut ingest = Ingest::new(Limits::default());
    let id = catalog.open("demo");
    catalog.stream_mut(id).go_live();
    for piece in bytes.chunks(2000) {
        let stream = catalog.stream_mut(id);
        ingest.push(Bytes::copy_from_slice(piece), stream).unwrap();
        recordings.take(id, stream);
        each(recordings.gauge_of_tests());
    }
}

impl Recordings {
    fn gauge_of_tests(&self) -> &Gauge {
        &self.settings.ledger.gauge
    }

    fn chunks(&self) -> Vec<&Chunk> {
        let orders = self.orders.iter();
        let chunks = orders.filter_map(|order| match &order.what {
            What::Chunk(chunk) => Some(chunk),
            What::Tracks(_) | What::Left | What::End => None,
        });
        chunks.collect()
    }
}

#[test]
fn recording_gets_the_memory_of_the_ring_in_its_order() {
    let (mut recordings, mut catalog) = (recordings(false), Catalog::new(Limits::default()));
    record(&mut recordings, &mut catalog, |_| {});
    assert!(matches!(recordings.orders[0].what, What::Tracks(_)));
    let stream = catalog.stream(catalog.find("demo").unwrap());
    let ring = stream.ring();
    let in_ring = (ring.oldest()..ring.live_edge()).filter_map(|at| ring.chunk(at));
    let in_ring = in_ring.filter(|chunk| chunk.kind != ChunkKind::Init);
    let place = |chunk: &Chunk| chunk.framed.payload().as_ptr();
    let expected: Vec<_> = in_ring.map(place).collect();
    let got: Vec<_> = recordings.chunks().into_iter().map(place).collect();
    assert_eq!(got, expected);
    let queued: usize = recordings
        .chunks()
        .iter()
        .map(|chunk| chunk.framed.memory())
        .sum();
    assert_eq!(
        recordings.settings.ledger.gauge.queued_bytes(),
        queued as u64
    );
}

#[test]
fn stalled_disk_costs_whole_gops_and_the_rest_is_recorded() {
    let (mut recordings, mut catalog) = (recordings(false), Catalog::new(Limits::default()));
    // The queue fills up in the first GOP, and is empty again in the second.
    let mut pieces = 0;
    record(&mut recordings, &mut catalog, |gauge| {
        pieces += 1;
        match pieces {
            5 => gauge.queue(QUEUE_BYTES),
            12 => gauge.unqueue(QUEUE_BYTES),
            _ => {}
        }
    });
    assert_eq!(recordings.tally.gops_lost, 1);
    let chunks = recordings.chunks();
    let steps = chunks
        .windows(2)
        .filter(|pair| pair[1].timestamp_ms > pair[0].timestamp_ms + 300)
        .count();
    assert_eq!(steps, 1, "one gap");
    let after_gap = chunks
        .windows(2)
        .find(|pair| pair[1].timestamp_ms > pair[0].timestamp_ms + 300)
        .map(|pair| pair[1].kind);
    assert_eq!(after_gap, Some(ChunkKind::JoinPoint));
}

#[test]
fn stream_that_is_not_asked_for_is_not_recorded() {
    let (mut recordings, mut catalog) = (recordings(true), Catalog::new(Limits::default()));
    record(&mut recordings, &mut catalog, |_| {});
    assert!(recordings.orders.is_empty() && recordings.taps.is_empty());
    // The recording begins with the GOP that is on air.
    recordings.wishes.insert("demo".into(), true);
    let id = catalog.find("demo").unwrap();
    assert!(recordings.take(id, catalog.stream(id)));
    let first = recordings.chunks()[0];
    assert_eq!(first.kind, ChunkKind::JoinPoint);
    let newest = catalog.stream(id).ring().join_point().unwrap();
    let newest = catalog.stream(id).ring().chunk(newest).unwrap();
    assert_eq!(first.timestamp_ms, newest.timestamp_ms);
    // And ends with the publisher.
    catalog
        .stream_mut(id)
        .go_offline(crate::offline_reason::OfflineReason::Ended);
    recordings.take(id, catalog.stream(id));
    let last = recordings.orders.last().unwrap();
    assert!(matches!(last.what, What::Left));
}
