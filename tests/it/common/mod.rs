//! A real server on a port of its own, and small blocking clients for it.
//!
//! Nothing here waits for a fixed time: clients read until what was asked for has come, and fail
//! when it has not come within [`PATIENCE`].

// Each file of `tests/` is a crate of its own that needs a part of this.
#![allow(dead_code)]

pub mod certificate;
pub mod door;
pub mod ffmpeg;
pub mod hook;
pub mod http;
pub mod link;
pub mod media;
pub mod proxy;
pub mod server;
pub mod viewer;
pub mod websocket;
pub mod wire;

use std::thread;
use std::time::{Duration, Instant};

/// Far more than anything here takes, even while other builds run on the same machine.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// GOPs that come within one millisecond share a segment.
pub fn next_millisecond() {
    thread::sleep(Duration::from_millis(2));
}

/// Asks until there is an answer.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
