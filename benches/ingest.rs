//! What it costs to turn a publisher's bytes into chunks in the ring: the server's whole work
//! for a publisher, but for its socket. The ring is full, as it is half a minute after the start.

mod workload;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::sync::Arc;
use videostream::fuzzing::{bytes_of, drain, play};
use videostream::stream::{Cursor, Ingest, Limits, Stream};
use workload::Workload;

/// Publishes once more, as a new recording with the same tracks. Returns the chunks it became.
fn publish(workload: &Workload, stream: &mut Stream) -> u64 {
    let before = stream.ring().live_edge();
    let mut ingest = Ingest::new(Limits::default());
    for piece in &workload.pieces {
        ingest
            .push(piece.clone(), stream)
            .expect("a good recording");
    }
    stream.ring().live_edge() - before
}

/// Frames that a viewer who is there from the start is given.
fn frames_of_a_viewer(workload: &Workload) -> usize {
    let mut stream = on_air();
    let mut ingest = Ingest::new(Limits::default());
    let mut cursor = Cursor::join();
    let mut given = Vec::new();
    for piece in &workload.pieces {
        let pushed = ingest.push(piece.clone(), &mut stream);
        pushed.expect("a good recording");
        given.extend(drain(&mut cursor, &stream));
    }
    let played = play(bytes_of(&given));
    played.iter().map(|played| played.blocks.len()).sum()
}

fn on_air() -> Stream {
    let mut stream = Stream::new(Arc::from("bench"), Limits::default());
    stream.go_live();
    stream
}

fn bench_ingest(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ingest");
    let mut workloads = vec![Workload::live()];
    workloads.extend(Workload::cuts_of(
        "chromium-vp8-opus-100ms",
        "7 s of Chromium VP8 and Opus",
    ));
    for workload in &workloads {
        // Little is left out before the first keyframe; of a whole recording in one piece, all
        // but the newest GOP.
        let frames = frames_of_a_viewer(workload);
        let is_whole = workload.pieces.len() == 1;
        assert!(frames <= workload.blocks, "{}", workload.name);
        assert!(
            frames + 10 > workload.blocks || is_whole,
            "{}",
            workload.name
        );

        let mut stream = on_air();
        publish(workload, &mut stream);
        let chunks = publish(workload, &mut stream);
        while stream.ring().oldest() == 0 {
            publish(workload, &mut stream);
        }
        assert_eq!(stream.generation(), 1, "{}", workload.name);
        group.throughput(Throughput::Bytes(workload.byte_len));
        group.bench_function(&workload.name, |bencher| {
            bencher.iter(|| assert_eq!(publish(workload, &mut stream), chunks));
        });
    }
    group.finish();
}

criterion_group!(benches, bench_ingest);
criterion_main!(benches);
