//! `live.json`: the segments that there are.

use crate::stream::{Segment, Stream};
use bytes::Bytes;
use serde::Serialize;

#[derive(Serialize)]
struct List<'a> {
    name: &'a str,
    generation: Option<u64>,
    mime: Option<&'a str>,
    /// Relative to the list.
    init: Option<String>,
    gops: Vec<Gop>,
    /// The number of the one that grows; `null` while the publisher is gone.
    open: Option<u64>,
}

#[derive(Serialize)]
struct Gop {
    n: u64,
    generation: u64,
    start_ms: u64,
    duration_ms: u64,
    bytes: u64,
}

pub fn render(stream: &Stream) -> Bytes {
    let segments = stream.segments();
    let init = segments.newest_init();
    let gop = |segment: &Segment| Gop {
        n: segment.number,
        generation: segment.generation,
        start_ms: segment.start_ms,
        duration_ms: segment.duration_ms,
        bytes: segment.bytes,
    };
    let list = List {
        name: stream.name(),
        generation: init.map(|init| init.generation),
        mime: init.map(|init| &*init.mime),
        init: init.map(|init| format!("init-{}.webm", init.generation)),
        gops: segments.finished().map(gop).collect(),
        open: segments.growing().map(|segment| segment.number),
    };
    serde_json::to_vec(&list)
        .expect("lists have string keys alone")
        .into()
}
