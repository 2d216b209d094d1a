//! The other end: programs that connect to a server, this one or another.
//!
//! [`push`] may block, and does: one thread, one socket, and timeouts on both of its directions.
//! [`load`](crate::load) opens thousands of them on a loop of its own.
//!
//! Both speak TLS where the address asks for it, and `trust` decides which servers they trust.
//!
//! What they send and receive is checked with [`webm`](crate::webm); they share nothing with
//! `stream` or `net`.

pub mod address;
mod connection;
pub mod interrupt;
mod pace;
mod progress;
pub mod push;
mod trust;
pub mod uplink;
mod upload;
mod websocket;

use std::fmt::Display;
use std::io::{self, Write};

pub use address::{Address, AddressError, Scheme};
pub use trust::{Trust, TrustError};

/// Writes to standard error. If no process reads it any more, the program goes on.
pub fn say(text: impl Display) {
    let _ = write!(io::stderr(), "{text}");
}
