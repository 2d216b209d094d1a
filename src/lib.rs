//! Live WebM from one browser to every viewer, through one small server.
//!
//! A publisher's bytes come in over a WebSocket or an HTTP request body, are cut into whole
//! blocks, and go out to every viewer from the same shared memory.
//!
//! The rooms, and who may import whom:
//!
//! ```text
//! main ─┬─► cli ───► config ─► protocol::access, and the rooms' own limits
//!       ├─► net ───► hub ─┬─► session ─┬─► stream ─► webm
//!       │                 │            └─► protocol
//!       │                 └─► metrics, pages, config
//!       ├─► client ─► webm, protocol, config
//!       └─► inspect ─► webm
//! ```
//!
//! - [`webm`]: bytes become blocks, blocks become Clusters.
//! - [`stream`]: what is on air, and where each viewer stands.
//! - [`protocol`]: HTTP and WebSocket, as bytes.
//! - `session`: one connection over any socket. `hub`: all sessions and all streams.
//! - [`net`]: the only room where sockets meet the clock; it drives the hub.
//! - [`client`]: the other end: `push`, `load`.
//! - [`inspect`]: what `webm` sees in a file.
//! - [`work`]: how much of it a turn does; `webm`, `stream`, `session` and `hub` count with it.
//! - [`config`], [`pages`], [`metrics`]: options and the certificate, the embedded pages, counters.
//! - [`log`]: lines to standard error, which nothing waits for.
//! - `fuzzing`: promises of the pure rooms, for `fuzz/` and `tests/`; no part of the program.
//!
//! `webm`, `stream` and `protocol` do no I/O and read no clock: bytes and the time come in,
//! bytes and decisions go out. `session` and `hub` read no clock and know no real socket.

#![forbid(unsafe_code)]
// `println!` and its like end the program when nobody reads.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod cli;
pub mod client;
pub mod config;
#[doc(hidden)]
pub mod fuzzing;
mod hub;
pub mod inspect;
pub mod log;
pub mod metrics;
pub mod net;
pub mod pages;
pub mod protocol;
mod session;
pub mod stream;
pub mod webm;
pub mod work;
