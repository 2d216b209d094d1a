//! Live WebM from one browser to every viewer, through one small server.
//!
//! A publisher's bytes come in over a WebSocket or an HTTP request body, are cut into whole
//! blocks, and go out to every viewer from the same shared memory.
//!
//! The rooms; an arrow points at what is imported:
//!
//! ```text
//! main ─┬─► cli ───► config ─► access, and the rooms' own limits
//!       ├─► net ───► hub ─┬─► session ─┬─► stream ─► webm
//!       │                 │            ├─► routes ─► websocket ─► http ─► secret, stream_name
//!       │                 │            └─► record ─► stream, webm
//!       │                 ├─► access ────► routes
//!       │                 ├─► service ───► stream, metrics
//!       │                 └─► metrics, pages, picture, config, events, record
//!       ├─► load ──► client ─► webm, websocket, http, config
//!       └─► inspect, repair ─► webm
//! ```
//!
//! - `webm`: bytes become blocks, blocks become Clusters.
//! - `stream`: what is on air, and where each viewer stands.
//! - `http`, `websocket`: requests, responses, frames and messages, as bytes.
//! - `routes`: which address means what, and the permission that it requires.
//! - `access`: keys, tokens, origins and host names: which requests may publish or watch.
//! - `compat`: messages of the old protocol of node-videostream, and where each listener stands.
//! - `session`: one connection over any socket. `hub`: all sessions and all streams.
//! - `net`: the only room where sockets meet the clock; it drives the hub.
//! - `service`: several nodes as one service: leases, media from node to node, what each node has.
//! - `record`: recordings: a thread whose viewer is a file.
//! - `history`: the last hour in figures, for `/api/events`.
//! - `events`: what happens to streams, as JSON for `--event-url`: what is sent next, and when again.
//! - `client`: the other end: `push`, and what `load`, the load tester, shares with it.
//! - `secret`, `stream_name`, `offline_reason`: a key that is never shown, the one rule for names,
//!   and why a stream is offline: words that rooms have in common.
//! - `picture`: what stands for a stream that has no picture of its own.
//! - `inspect`: what `webm` sees in a file. `repair`: makes one seekable.
//! - `work`: how much of it a turn does; `webm`, `stream`, `session` and `hub` count with it.
//! - `config`, `pages`, `metrics`: options and the certificate, the embedded pages, counters.
//! - `log`: lines to standard error, which nothing waits for.
//! - `fuzzing`: promises of the pure rooms, for `fuzz/` and `tests/`; no part of the program.
//!
//! Rooms are private: [`run`] is all that the program needs. The feature `testing`, for tests, benches and
//! fuzz targets alone, shows them the rooms that they look into, and `fuzzing`.
//!
//! `webm`, `stream`, `http`, `websocket`, `compat`, `routes`, `access`, `history`,
//! `events` and `service` do no I/O and read no clock: bytes and
//! the time come in, bytes and decisions go out. `session` and `hub` read no clock and know no real socket.

#![forbid(unsafe_code)]
// Without it no thread speaks to other nodes, and what only that thread needs is not called.
#![cfg_attr(not(feature = "nats"), allow(dead_code))]
// `println!` and its like end the program when no one reads its output.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod fuzzing;

#[cfg(feature = "testing")]
pub mod access;
#[cfg(not(feature = "testing"))]
mod access;
#[cfg(feature = "testing")]
pub mod cli;
#[cfg(not(feature = "testing"))]
mod cli;
mod client;
#[cfg(feature = "testing")]
pub mod compat;
#[cfg(not(feature = "testing"))]
mod compat;
#[cfg(feature = "testing")]
pub mod config;
#[cfg(not(feature = "testing"))]
mod config;
#[cfg(feature = "testing")]
pub mod events;
#[cfg(not(feature = "testing"))]
mod events;
mod history;
#[cfg(feature = "testing")]
pub mod http;
#[cfg(not(feature = "testing"))]
mod http;
#[cfg(feature = "testing")]
pub mod hub;
#[cfg(not(feature = "testing"))]
mod hub;
mod inspect;
mod load;
mod log;
mod metrics;
mod net;
#[cfg(feature = "testing")]
pub mod offline_reason;
#[cfg(not(feature = "testing"))]
mod offline_reason;
#[cfg(feature = "testing")]
pub mod pages;
#[cfg(not(feature = "testing"))]
mod pages;
mod picture;
#[cfg(feature = "testing")]
pub mod record;
#[cfg(not(feature = "testing"))]
mod record;
mod repair;
#[cfg(feature = "testing")]
pub mod routes;
#[cfg(not(feature = "testing"))]
mod routes;
#[cfg(feature = "testing")]
pub mod secret;
#[cfg(not(feature = "testing"))]
mod secret;
#[cfg(feature = "testing")]
pub mod service;
#[cfg(not(feature = "testing"))]
mod service;
#[cfg(feature = "testing")]
pub mod session;
#[cfg(not(feature = "testing"))]
mod session;
#[cfg(feature = "testing")]
pub mod stream;
#[cfg(not(feature = "testing"))]
mod stream;
#[cfg(feature = "testing")]
pub mod stream_name;
#[cfg(not(feature = "testing"))]
mod stream_name;
#[cfg(feature = "testing")]
pub mod webm;
#[cfg(not(feature = "testing"))]
mod webm;
#[cfg(feature = "testing")]
pub mod websocket;
#[cfg(not(feature = "testing"))]
mod websocket;
#[cfg(feature = "testing")]
pub mod work;
#[cfg(not(feature = "testing"))]
mod work;

use std::process::ExitCode;

/// Runs the program, as its command line asks. `allocated` returns the bytes that it has allocated.
pub fn run(allocated: fn() -> usize) -> ExitCode {
    cli::run(allocated)
}
