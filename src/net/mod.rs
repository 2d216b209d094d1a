//! The only room where sockets meet the clock: one thread, one poll.
//!
//! ```text
//! epoll ─► readable ─► Connection ─┬─ request ─► an answer, or a change of state
//!                                  └─ media ──► Ingest ─► Ring ─┐
//! epoll ─► writable ─► Connection ◄── cursor, one write ◄───────┘ fan-out
//! ```
//!
//! - `reactor`: the loop and its phases.
//! - `requests`: what a request head leads to; `roles`: how a connection takes leave.
//! - `asking`: who waits for the web hook, which `hook` asks; `verdicts`: what it said lately.
//! - `connection`: one socket and its state; `deadlines`: what must happen by when.
//! - `publisher`, `viewer`: the two roles, each with its way of reading or writing.
//! - `turn`: what one connection reads and writes in a turn, whatever its socket.
//! - `fan_out`: the writing half of a turn; `sweep`: a stream's way through its audience.
//! - `outbox`, `inbound`, `body`: bytes waiting to go out; frames and bodies coming in.
//! - `unsent`: what the kernel holds for a viewer who does not keep up.
//! - `broadcast`: who publishes and who watches one stream.
//! - `answer`, `listener`: whole responses; listening sockets.

mod answer;
mod asking;
pub(crate) mod body;
mod broadcast;
pub(crate) mod connection;
mod deadlines;
mod fan_out;
mod hook;
pub(crate) mod inbound;
mod listener;
mod outbox;
pub(crate) mod publisher;
mod reactor;
mod requests;
mod roles;
mod sweep;
pub(crate) mod turn;
mod unsent;
mod verdicts;
pub(crate) mod viewer;

use crate::config::Serve;
use crate::protocol::access::Secret;
use reactor::Reactor;
use std::io::{self, Write};
use std::net::SocketAddr;

/// Why the server could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("--listen {address}: {source}")]
    Bind {
        address: SocketAddr,
        source: io::Error,
    },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Serves until SIGTERM or SIGINT. Once it listens, it prints one line for each address, and the
/// links to open.
pub fn serve(config: Serve) -> Result<(), ServeError> {
    let random_publish_key = config.random_publish_key.clone();
    let mut reactor = Reactor::new(config)?;
    if let Err(error) = greet(random_publish_key.as_ref(), &reactor.addresses()) {
        // Whoever started us has stopped reading. That is no reason not to serve.
        tracing::warn!(%error, "standard output");
    }
    reactor.run()?;
    Ok(())
}

/// The line `listening on http://ADDR:PORT` is the sign that we are ready.
fn greet(random_publish_key: Option<&Secret>, addresses: &[SocketAddr]) -> io::Result<()> {
    // Whoever gave a key knows it; one that was made here is told this once.
    let key = random_publish_key.map_or_else(String::new, |key| format!("?key={}", key.expose()));
    let mut out = io::stdout().lock();
    for address in addresses {
        writeln!(out, "listening on http://{address}")?;
    }
    for address in addresses {
        writeln!(out, "  go live: http://{address}/publish/live{key}")?;
        writeln!(out, "  watch:   http://{address}/live/live")?;
    }
    out.flush()
}
