//! What it costs to keep chunks, and to find each viewer's next one: the server's own share of a
//! fan-out, without the kernel's.

mod workload;

use bytes::BufMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use videostream::stream::Framer;
use videostream::stream::{
    Chunk, ChunkKind, Cursor, Ingest, Limits, Next, RING_BYTES_DEFAULT, RING_MS_DEFAULT, Ring,
    Stream,
};
use workload::Workload;

const VIEWERS: usize = 1000;

/// A stream whose ring is full.
fn on_air() -> Stream {
    let workload = Workload::live();
    let mut stream = Stream::new(Arc::from("bench"), Limits::default());
    stream.go_live();
    while stream.ring().oldest() == 0 {
        publish(&workload, &mut stream);
    }
    stream
}

fn publish(workload: &Workload, stream: &mut Stream) {
    let mut ingest = Ingest::new(Limits::default());
    for piece in &workload.pieces {
        let pushed = ingest.push(piece.clone(), stream);
        pushed.expect("a good recording");
    }
}

/// What a viewer has been given.
#[derive(Debug, Default, PartialEq)]
struct Given {
    inits: usize,
    chunks: usize,
    skips: usize,
}

/// Asks once for each cursor, or until it has all there is. The cursors stay where they are.
fn ask(cursors: &[Cursor], stream: &Stream, times: usize) -> Given {
    let mut given = Given::default();
    for mut cursor in cursors.iter().copied() {
        for _ in 0..times {
            match black_box(cursor.next(stream)) {
                Next::Wait => break,
                Next::Init(_) => given.inits += 1,
                Next::Chunk(_) => given.chunks += 1,
                Next::Skip { .. } => given.skips += 1,
            }
        }
    }
    given
}

/// A cursor with all but the newest chunk.
fn nearly_live(stream: &Stream) -> Cursor {
    let mut cursor = Cursor::join();
    while cursor.is_joining() || cursor.behind(stream) > 1 {
        assert!(!matches!(cursor.next(stream), Next::Wait));
    }
    cursor
}

fn bench_push(criterion: &mut Criterion) {
    let mut framer = Framer::with_capacity(31_250);
    framer.payload().put_bytes(b'x', 31_250);
    let chunk = Chunk {
        sequence: 0,
        framed: framer.finish(),
        kind: ChunkKind::Continuation,
        timestamp_ms: 0,
        came_ms: 0,
        generation: 1,
        mime: None,
        takes_over: false,
    };
    let mut ring = Ring::new(RING_BYTES_DEFAULT, RING_MS_DEFAULT);
    while ring.oldest() == 0 {
        ring.push(chunk.clone());
    }
    let full = ring.byte_len();
    let mut group = criterion.benchmark_group("ring");
    group.throughput(Throughput::Elements(1));
    group.bench_function(
        "a 31 KB chunk pushed into a full ring of 16 MiB",
        |bencher| {
            bencher.iter(|| ring.push(chunk.clone()));
        },
    );
    assert_eq!(ring.byte_len(), full);
    group.finish();
}

fn bench_cursors(criterion: &mut Criterion) {
    let mut stream = on_air();
    let nearly_live = [nearly_live(&stream); VIEWERS];
    let joining = [Cursor::join(); VIEWERS];
    let chunks = VIEWERS;
    let one_each = Given {
        chunks,
        ..Given::default()
    };
    let first_two = Given {
        inits: VIEWERS,
        ..one_each
    };
    let mut group = criterion.benchmark_group("1000 cursors");
    group.throughput(Throughput::Elements(VIEWERS as u64));
    group.bench_function("each takes the newest chunk", |bencher| {
        bencher.iter(|| assert_eq!(ask(&nearly_live, &stream, 1), one_each));
    });
    group.bench_function(
        "each joins, and takes the init segment and a chunk",
        |bencher| {
            bencher.iter(|| assert_eq!(ask(&joining, &stream, 2), first_two));
        },
    );

    let workload = Workload::live();
    while nearly_live[0].behind(&stream) < stream.ring().live_edge() - stream.ring().oldest() + 1 {
        publish(&workload, &mut stream);
    }
    let skips = VIEWERS;
    let skip_and_go_on = Given { skips, ..one_each };
    group.bench_function("each is overtaken, skips and takes a chunk", |bencher| {
        bencher.iter(|| assert_eq!(ask(&nearly_live, &stream, 2), skip_and_go_on));
    });
    group.finish();
}

criterion_group!(benches, bench_push, bench_cursors);
criterion_main!(benches);
