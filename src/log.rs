//! The log: whole lines, written to standard error by a thread of its own.
//!
//! ```text
//! any thread ── lines ──► queue ──► the log's thread ──► standard error
//!                 │ full                  │ cannot be written
//!                 └────► lost, counted ◄──┘
//! ```
//!
//! A full disk, a closed pipe or a reader that has stopped reading costs lines of the log, never
//! the server. The next line that can be written is followed by one that tells how many were lost;
//! [`lines_lost`] is in `/metrics`.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::writer::MakeWriterExt as _;

use crate::config::{LogFormat, LogLevel};

/// Lines that wait for a slow reader: some thousand of them. As many again may be on their way.
const QUEUE_BYTES_MAX: usize = 256 * 1024;

/// How long a program that ends waits for its last lines. Disks and pipes that work take a
/// millisecond; the rest is for a busy machine.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(300);

/// How long a standard error that is not blocking, and full, is left alone.
const FULL_PAUSE: Duration = Duration::from_millis(20);

static LINES_LOST: AtomicU64 = AtomicU64::new(0);

/// Lines of the log that could not be written since the program started.
pub fn lines_lost() -> u64 {
    LINES_LOST.load(Ordering::Relaxed)
}

/// Takes lines, and never waits.
#[derive(Debug, Clone)]
pub struct Log {
    queue: Arc<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Invariant: whole lines, [`QUEUE_BYTES_MAX`] at most.
    waiting: Vec<u8>,
    /// The thread has lines that it has not written yet.
    is_writing: bool,
}

/// Starts the log: from now on every `tracing` event of this level is a line of it, and so is a
/// panic.
pub fn start(format: LogFormat, level: LogLevel) -> io::Result<Log> {
    let log = Log {
        queue: Arc::default(),
    };
    let queue = log.queue.clone();
    thread::Builder::new()
        .name("log".into())
        .spawn(move || queue.write_to(&mut io::stderr(), report_lost))?;

    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let writer = log.clone();
    // Messages of libraries help in the search for a fault, and appear from `debug` on.
    let writer = (move || writer.clone()).with_filter(move |event: &Metadata<'_>| {
        let is_ours = event.target().starts_with(env!("CARGO_CRATE_NAME"));
        // `net::bus` reports each kind of error once; the library does so at each try.
        let repeats = event.target().starts_with("async_nats");
        let is_grave = *event.level() <= Level::WARN && !repeats;
        is_ours || is_grave || level > LevelFilter::INFO
    });
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        // Its own words about a failed write would go to standard error, past the queue.
        .log_internal_errors(false)
        .with_writer(writer);
    match format {
        LogFormat::Text => {
            subscriber.with_ansi(io::stderr().is_terminal()).init();
        }
        LogFormat::Json => subscriber.json().init(),
    }
    log.clone().take_panics();
    Ok(log)
}

/// Of the highest level, so that every log has it.
fn report_lost(lines: u64) {
    let total = lines_lost();
    tracing::error!(
        lines,
        total,
        "log lines lost: standard error does not take them"
    );
}

impl Log {
    /// Adds a line that is no event.
    pub fn line(&self, text: impl Display) {
        self.queue.push(format!("{text}\n").as_bytes());
    }

    /// Waits until all lines are written, but not for long.
    pub fn flush(&self) {
        self.queue.flush(FLUSH_TIMEOUT);
    }

    /// The standard hook writes to standard error itself, and would wait there for a reader.
    fn take_panics(self) {
        std::panic::set_hook(Box::new(move |panic| {
            let thread = thread::current();
            let name = thread.name().unwrap_or("without a name");
            self.line(format_args!("thread '{name}' {panic}"));
            let backtrace = Backtrace::capture();
            if backtrace.status() == BacktraceStatus::Captured {
                self.line(backtrace);
            }
            self.flush();
        }));
    }
}

/// Each write is a whole line, as `tracing_subscriber` makes them.
impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.queue.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.state();
        if state.waiting.len() + line.len() > QUEUE_BYTES_MAX {
            LINES_LOST.fetch_add(lines_in(line), Ordering::Relaxed);
            return;
        }
        state.waiting.extend_from_slice(line);
        drop(state);
        self.changed.notify_all();
    }

    fn flush(&self, timeout: Duration) {
        let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        let _ = self
            .changed
            .wait_timeout_while(self.state(), timeout, is_busy);
    }

    /// Writes what comes, for ever. `tell` puts a line about lost ones into the queue.
    fn write_to(&self, out: &mut impl Write, tell: impl Fn(u64)) {
        let mut told = lines_lost();
        let mut ends_in_a_line = false;
        loop {
            let lines = self.take();
            let written = write_lines(out, &lines, ends_in_a_line);
            let lost = lines_in(&lines[written..]);
            LINES_LOST.fetch_add(lost, Ordering::Relaxed);
            if written > 0 {
                ends_in_a_line = lines[written - 1] != b'\n';
            }
            let all_lost = lines_lost();
            if lost == 0 && all_lost > told {
                tell(all_lost - told);
                told = all_lost;
            }
            self.state().is_writing = false;
            self.changed.notify_all();
        }
    }

    /// All that wait, as soon as there are any.
    fn take(&self) -> Vec<u8> {
        let state = self
            .changed
            .wait_while(self.state(), |state| state.waiting.is_empty());
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.is_writing = true;
        mem::take(&mut state.waiting)
    }
}

/// How many bytes of the lines could be written.
fn write_lines(out: &mut impl Write, lines: &[u8], after_a_cut_line: bool) -> usize {
    if after_a_cut_line && !matches!(out.write(b"\n"), Ok(1)) {
        return 0;
    }
    let mut written = 0;
    while written < lines.len() {
        match out.write(&lines[written..]) {
            Ok(0) => break,
            Ok(length) => written += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Another program may have made the pipe so, for all of its writers.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(FULL_PAUSE),
            Err(_) => break,
        }
    }
    written
}

/// Lines of which at least the end is here.
fn lines_in(text: &[u8]) -> u64 {
    text.iter().filter(|&&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, and then has no more room.
    struct Disk {
        room: usize,
        text: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let length = bytes.len().min(self.room);
            if length == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= length;
            self.text.extend_from_slice(&bytes[..length]);
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn line_cut_by_a_full_disk_is_ended_before_the_next_one() {
        let mut disk = Disk {
            room: 6,
            text: Vec::new(),
        };
        let lines = b"one\ntwo\nthree\n";
        let written = write_lines(&mut disk, lines, false);
        assert_eq!((written, lines_in(&lines[written..])), (6, 2));
        assert_eq!(write_lines(&mut disk, b"four\n", true), 0);
        disk.room = 100;
        assert_eq!(write_lines(&mut disk, b"five\n", true), 5);
        assert_eq!(disk.text, b"one\ntw\nfive\n");
    }

    #[test]
    fn full_queue_takes_no_more_and_flush_does_not_wait_for_ever() {
        let queue = Queue::default();
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        for _ in 0..QUEUE_BYTES_MAX / 1024 + 7 {
            queue.push(&line);
        }
        assert_eq!(queue.state().waiting.len(), QUEUE_BYTES_MAX);
        assert!(lines_lost() >= 7);
        queue.flush(Duration::from_millis(5));
        assert_eq!(queue.take().len(), QUEUE_BYTES_MAX);
        // What is being written is waited for as well, and what is written is not.
        assert!(queue.state().is_writing);
        queue.state().is_writing = false;
        queue.flush(Duration::MAX);
    }
}
