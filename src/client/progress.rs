//! The progress of a push for a person: standard error.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use super::say;
use crate::websocket::messages::ToPublisher;

/// One line on the terminal, written anew every second; nothing if standard error is no terminal.
pub(super) struct Progress {
    started: Instant,
    sent_bytes: u64,
    viewers: Option<u64>,
    is_terminal: bool,
    last_line: Instant,
    last_bytes: u64,
}

impl Progress {
    const INTERVAL: Duration = Duration::from_secs(1);

    pub(super) fn new() -> Progress {
        let now = Instant::now();
        Progress {
            started: now,
            sent_bytes: 0,
            viewers: None,
            is_terminal: io::stderr().is_terminal(),
            last_line: now,
            last_bytes: 0,
        }
    }

    pub(super) fn count(&mut self, sent_bytes: usize) {
        self.sent_bytes += sent_bytes as u64;
    }

    /// When [`Progress::tick`] has something to do.
    pub(super) fn next_line(&self) -> Instant {
        self.last_line + Progress::INTERVAL
    }

    /// Writes the line anew, once its time has come.
    pub(super) fn tick(&mut self, now: Instant) {
        let since = now - self.last_line;
        if since < Progress::INTERVAL {
            return;
        }
        let bits = (self.sent_bytes - self.last_bytes) as f64 * 8.0;
        let rate = bits / since.as_secs_f64() / 1e6;
        self.last_line = now;
        self.last_bytes = self.sent_bytes;
        if self.is_terminal {
            let seconds = (now - self.started).as_secs();
            let megabytes = self.sent_bytes as f64 / 1e6;
            let viewers = match self.viewers {
                Some(1) => ", 1 viewer".to_owned(),
                Some(count) => format!(", {count} viewers"),
                None => String::new(),
            };
            say(format_args!(
                "\r\x1b[K{seconds} s, {megabytes:.1} MB, {rate:.2} Mbit/s{viewers}"
            ));
        }
    }

    /// Prints the server's messages that concern a person.
    pub(super) fn tell(&mut self, message: ToPublisher) {
        let line = match message {
            ToPublisher::Ready { watch } => format!("watch at {watch}"),
            ToPublisher::Warning { message, .. } => format!("the server warns: {message}"),
            ToPublisher::Viewers { count } => {
                self.viewers = Some(count);
                return;
            }
            // A file cannot make a keyframe: viewers wait for its next one.
            ToPublisher::Restart | ToPublisher::Replaced => return,
            ToPublisher::Recording { .. } => return,
        };
        self.clear();
        say(format_args!("{}\n", line.replace(char::is_control, " ")));
    }

    /// Makes room for another line.
    pub(super) fn clear(&self) {
        if self.is_terminal {
            say("\r\x1b[K");
        }
    }

    pub(super) fn end(&self) {
        self.clear();
        let seconds = self.started.elapsed().as_secs_f64();
        say(format_args!(
            "sent {} bytes in {seconds:.1} s\n",
            self.sent_bytes
        ));
    }
}
