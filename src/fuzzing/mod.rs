//! Promises that the fuzz targets and the tests check with the same code.
//!
//! Each takes bytes that may hold anything, and panics when a promise is broken. `fuzz/fuzz_targets`
//! has a target for each; `tests/corpus` holds the same promises against the seeds and everything
//! that was ever found.
//!
//! - `any_cut`: [`webm`](crate::webm) and [`stream`](crate::stream), from a publisher's bytes to
//!   a viewer's, which a strict `reader` of its own reads again.
//! - `ring`: a stream's ring and cursors, beside a model; in both, `segments` reads what caches get.
//! - `request`, `body`: [`http`](crate::http), from bytes to what they ask; `admission` is
//!   the access rules, written down again.
//! - `connection`: a WebSocket from its first frame to its last, to a whole [`hub`](crate::hub), on a
//!   [`Line`] in memory; `frames` is RFC 6455 written down again.
//! - `bus`: messages between nodes, to a [`service`](crate::service).
//! - `repair`: copies of any file, and files that were cut off.
//! - `control`: messages, configuration, command lines, addresses.

mod admission;
mod any_cut;
mod body;
mod bus;
mod connection;
mod control;
pub mod frames;
mod line;
pub mod reader;
pub mod recording;
mod repair;
mod request;
mod ring;
mod segmented;
mod segments;
mod viewer;

pub use admission::tokens;
pub use any_cut::any_cut;
pub use body::body;
pub use bus::bus;
pub use connection::connection;
pub use control::control;
pub use line::{Line, ServerEnd, Wire};
pub use repair::{repair, unfinished};
pub use request::{handshake_proof, request};
pub use ring::ring;
pub use segmented::{Segmented, segment};
pub use viewer::{Given, Played, bytes_of, drain, play};

use bytes::Bytes;

/// Cuts `bytes` into pieces of these lengths, again and again until they end; into one piece
/// when there is no length to go by.
pub fn cut(bytes: &Bytes, lengths: &[usize]) -> Vec<Bytes> {
    if lengths.iter().all(|&length| length == 0) {
        return vec![bytes.clone()];
    }
    let mut rest = bytes.clone();
    let mut pieces = Vec::new();
    for &length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        pieces.push(rest.split_to(length.min(rest.len())));
    }
    pieces
}

/// Takes from the end of a fuzzer's input how to cut what comes before it: the last byte counts the
/// bytes before it that each stand for a length. So the bytes to cut come first, and a recording or
/// a request is nearly a seed.
fn split_lengths(input: &[u8]) -> (Bytes, Vec<usize>) {
    let Some((&count, input)) = input.split_last() else {
        return (Bytes::new(), Vec::new());
    };
    let count = usize::from(count % 32).min(input.len());
    let (bytes, lengths) = input.split_at(input.len() - count);
    let lengths = lengths.iter().map(|&code| piece_length(code));
    (Bytes::copy_from_slice(bytes), lengths.collect())
}

/// 0 to 127 bytes, or a multiple of 32 up to 4096.
fn piece_length(code: u8) -> usize {
    match usize::from(code) {
        length @ 0..128 => length,
        more => (more - 127) * 32,
    }
}
