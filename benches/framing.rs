//! What it costs to put a chunk into frames for all viewers, and to take HTTP's off again as a
//! client or a publisher's connection does.

use bytes::{BufMut, Bytes};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use videostream::http::chunked::{Decoded, Decoder};
use videostream::stream::{Framed, Framer};

/// 20 ms of Opus, 100 ms at 2.5 Mbit/s, and the longest chunk that is not closed before.
const PAYLOADS: [(&str, usize); 3] = [
    ("a payload of 120 B", 120),
    ("a payload of 31 KB", 31_250),
    ("a payload of 256 KiB", 256 << 10),
];

fn filled(payload: &[u8]) -> Framer {
    let mut framer = Framer::with_capacity(payload.len());
    framer.payload().put_slice(payload);
    framer
}

/// Bytes of both framings, without the payload.
fn head_bytes(framed: &Framed) -> usize {
    let [http_head, http_body] = framed.http();
    framed.websocket().len() + http_head.len() + http_body.len() - 2 * framed.payload().len()
}

fn decode(mut body: Bytes) -> usize {
    let mut decoder = Decoder::new();
    let mut length = 0;
    loop {
        match decoder.decode(&mut body).expect("a good chunk") {
            Decoded::Data(data) => length += black_box(data).len(),
            Decoded::Partial | Decoded::End => return length,
        }
    }
}

fn bench_framing(criterion: &mut Criterion) {
    for (name, length) in PAYLOADS {
        let payload = vec![b'x'; length];
        let framed = filled(&payload).finish();
        assert_eq!(framed.payload(), payload);
        let both_heads = head_bytes(&framed);
        assert!(both_heads <= 10 + 10 + 2, "{both_heads} bytes");
        let body = Bytes::from(framed.http().concat());
        assert_eq!(decode(body.clone()), length);

        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function("copied in and framed", |bencher| {
            bencher.iter(|| filled(&payload).finish());
        });
        // What follows looks at no byte of the payload.
        group.throughput(Throughput::Elements(1));
        group.bench_function("both heads written", |bencher| {
            bencher.iter_batched(|| filled(&payload), Framer::finish, BatchSize::SmallInput);
        });
        group.bench_function("sliced for a WebSocket viewer", |bencher| {
            bencher.iter(|| framed.websocket());
        });
        group.bench_function("sliced for an HTTP viewer", |bencher| {
            bencher.iter(|| framed.http());
        });
        group.bench_function("taken out of its HTTP chunk", |bencher| {
            bencher.iter(|| decode(body.clone()));
        });
        group.finish();
    }
}

criterion_group!(benches, bench_framing);
criterion_main!(benches);
