//! What it costs to find the blocks in a publisher's bytes, however they are cut.

mod workload;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use videostream::webm::{Event, Limits, Segmenter};
use workload::Workload;

fn segment(workload: &Workload) -> usize {
    let mut segmenter = Segmenter::new(Limits::default());
    let mut blocks = 0;
    for piece in &workload.pieces {
        segmenter.push(piece.clone());
        while let Some(event) = segmenter.poll().expect("a good recording") {
            blocks += usize::from(matches!(event, Event::Block(_)));
            black_box(event);
        }
    }
    blocks
}

fn bench_segmenter(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("segment");
    let recordings = [
        ("chromium-vp8-opus-100ms", "7 s of Chromium VP8 and Opus"),
        (
            "chromium-canvas-vp8-opus-100ms",
            "7 s of Chromium BlockGroups with alpha",
        ),
        ("firefox-vp8-opus-100ms", "8.5 s of Firefox VP8 and Opus"),
        ("ffmpeg-finished", "6 s of a finished file by ffmpeg"),
    ];
    let mut workloads = vec![Workload::live()];
    for (recording, title) in recordings {
        workloads.extend(Workload::cuts_of(recording, title));
    }
    for workload in &workloads {
        assert_eq!(segment(workload), workload.blocks, "{}", workload.name);
        group.throughput(Throughput::Bytes(workload.byte_len));
        group.bench_function(&workload.name, |bencher| {
            bencher.iter(|| segment(workload));
        });
    }
    group.finish();
}

criterion_group!(benches, bench_segmenter);
criterion_main!(benches);
