//! What it costs to find the blocks in a publisher's bytes, however they are cut, and what two
//! other demuxers take for the same.
//!
//! The others read a file from its front to its end, so they are given what is easiest for them:
//! the whole recording in one piece of memory. Each is asked for every block with its track and
//! its time, and no more:
//!
//! - `Segmenter` takes pieces, and gives blocks that are slices of them.
//! - `matroska-demuxer` copies each frame into one buffer that is used again and again.
//! - `webm-iterable` copies each block into a vector of its own, of which a second call reads the
//!   head.
//!
//! All of it stays in the processor's caches, where copying is cheap: the figures say what finding
//! blocks costs, not what memory does.

mod workload;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use matroska_demuxer::{Frame, MatroskaFile};
use std::hint::black_box;
use std::io::Cursor;
use videostream::webm::{Event, Limits, Segmenter};
use webm_iterable::WebmIterator;
use webm_iterable::matroska_spec::{MatroskaSpec, SimpleBlock};
use workload::Workload;

fn segment(pieces: &[Bytes]) -> usize {
    let mut segmenter = Segmenter::new(Limits::default());
    let mut blocks = 0;
    for piece in pieces {
        segmenter.push(piece.clone());
        while let Some(event) = segmenter.poll().expect("a good recording") {
            blocks += usize::from(matches!(event, Event::Block(_)));
            black_box(event);
        }
    }
    blocks
}

fn demux_with_matroska_demuxer(bytes: &[u8]) -> usize {
    let mut file = MatroskaFile::open(Cursor::new(bytes)).expect("a good recording");
    let mut frame = Frame::default();
    let mut blocks = 0;
    while file.next_frame(&mut frame).expect("a good recording") {
        blocks += 1;
        black_box(&frame);
    }
    blocks
}

/// With its default buffer of 64 KiB: neither a shorter one nor one for the whole recording is
/// faster.
fn demux_with_webm_iterable(bytes: &[u8]) -> usize {
    let mut blocks = 0;
    for tag in WebmIterator::new(bytes, &[]) {
        let tag = tag.expect("a good recording");
        if let MatroskaSpec::SimpleBlock(_) = tag {
            blocks += 1;
            black_box(SimpleBlock::try_from(&tag).expect("a good block"));
        }
    }
    blocks
}

fn bench_cuts(criterion: &mut Criterion) {
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
    for (recording, title) in recordings {
        for workload in Workload::cuts_of(recording, title) {
            let pieces = &workload.pieces;
            assert_eq!(segment(pieces), workload.blocks, "{}", workload.name);
            group.throughput(Throughput::Bytes(workload.byte_len));
            group.bench_function(&workload.name, |bencher| bencher.iter(|| segment(pieces)));
        }
    }
    group.finish();
}

fn bench_demuxers(criterion: &mut Criterion) {
    let workload = Workload::live();
    let pieces = &workload.pieces;
    let whole = [Bytes::from(pieces.concat())];
    let blocks = workload.blocks;
    let mut group = criterion.benchmark_group("demux 10 s of 2.5 Mbit/s VP8 and Opus");
    group.throughput(Throughput::Bytes(workload.byte_len));
    group.bench_function("Segmenter, 31 KB pieces", |bencher| {
        bencher.iter(|| assert_eq!(segment(pieces), blocks));
    });
    group.bench_function("Segmenter, whole", |bencher| {
        bencher.iter(|| assert_eq!(segment(&whole), blocks));
    });
    group.bench_function("matroska-demuxer, whole", |bencher| {
        bencher.iter(|| assert_eq!(demux_with_matroska_demuxer(&whole[0]), blocks));
    });
    group.bench_function("webm-iterable, whole", |bencher| {
        bencher.iter(|| assert_eq!(demux_with_webm_iterable(&whole[0]), blocks));
    });
    group.finish();
}

criterion_group!(benches, bench_cuts, bench_demuxers);
criterion_main!(benches);
