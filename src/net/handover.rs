//! SIGUSR2: another process takes over, and no client is refused during it.
//!
//! ```text
//! this process                                   the next one
//!   SIGUSR2 ─► starts it: same arguments           reads its configuration
//!              hands over listening sockets  ────► listens
//!   accepts no more  ◄─────────────────── "ready"  accepts
//!   serves those that are here, until
//!   they leave or --drain-timeout has
//!   passed; then closes them (1001), ends          here they come again
//! ```
//!
//! The program is found by the name it was started with, so the file that is there at that time is
//! started: a newer version, or the same with another configuration. If it does not come up, this
//! process goes on as before.

use super::inherited::{HandOver, PREDECESSOR, READY};
use super::reactor::{Reactor, SUCCESSOR};
use crate::secret::Secret;
use mio::Interest;
use mio::net::UnixStream;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the next process may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How this process was started.
#[derive(Debug)]
pub struct Launch {
    program: io::Result<PathBuf>,
    arguments: Vec<OsString>,
    /// Whether its sockets are a service manager's.
    is_activated: bool,
}

impl Launch {
    pub fn new(is_activated: bool) -> Launch {
        let mut arguments = std::env::args_os();
        // A name with a slash is a path, and may be a link that leads to another version by then.
        // Any other name was looked up; its path is stored now, before the file is replaced.
        let program = match arguments.next().map(PathBuf::from) {
            Some(name) if name.components().count() > 1 => Ok(name),
            _ => std::env::current_exe(),
        };
        Launch {
            program,
            arguments: arguments.collect(),
            is_activated,
        }
    }

    fn start(&self, stdin: OwnedFd) -> io::Result<Child> {
        let program = self.program.as_ref();
        let program = program.map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
        let mut command = Command::new(program);
        command
            .args(&self.arguments)
            .env(PREDECESSOR, std::process::id().to_string())
            .stdin(Stdio::from(stdin));
        // These name this process, and the next one's number is not known yet.
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"] {
            command.env_remove(name);
        }
        command.spawn()
    }
}

/// A process that is to take over.
#[derive(Debug)]
pub struct Successor {
    process: Child,
    socket: UnixStream,
    deadline: Instant,
}

/// What this process needs to hand its sockets over, and how far that has come.
#[derive(Debug)]
pub struct Handover {
    launch: Launch,
    /// To be handed over.
    random_publish_key: Option<Secret>,
    /// The process that is to take over, while it starts.
    successor: Option<Successor>,
    /// When the last sessions are closed, after another process has taken over.
    draining: Option<Instant>,
}

impl Handover {
    pub fn new(launch: Launch, random_publish_key: Option<Secret>) -> Handover {
        Handover {
            launch,
            random_publish_key,
            successor: None,
            draining: None,
        }
    }

    pub fn drain(&mut self, until: Instant) {
        self.draining = Some(until);
    }

    /// When the loop must wake at the latest.
    pub fn wake_at(&self, is_stopping: bool) -> Option<Instant> {
        let drained = self.draining.filter(|_| !is_stopping);
        let deadline = self.successor.as_ref().map(|successor| successor.deadline);
        drained.into_iter().chain(deadline).min()
    }
}

impl Reactor {
    pub(super) fn call_successor(&mut self) {
        if !self.is_serving() || self.handover.successor.is_some() {
            tracing::warn!("SIGUSR2 ignored: the server is stopping or hands over already");
            return;
        }
        if std::process::id() == 1 {
            tracing::warn!("SIGUSR2 ignored: a container ends with its first process");
            return;
        }
        match self.start_successor() {
            Ok(successor) => {
                tracing::info!(pid = successor.process.id(), "handover begins");
                self.handover.successor = Some(successor);
            }
            Err(error) => tracing::error!(%error, "cannot start the newer process"),
        }
    }

    fn start_successor(&self) -> io::Result<Successor> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let hand_over = HandOver {
            activated: self.handover.launch.is_activated,
            listeners: self.doors.listeners.iter().map(|one| one.asked).collect(),
            random_publish_key: self
                .handover
                .random_publish_key
                .as_ref()
                .map(|key| key.expose().to_owned()),
            self_signed: self.self_signed().cloned(),
        };
        let sockets: Vec<_> = self
            .doors
            .listeners
            .iter()
            .map(|one| one.socket.as_fd())
            .collect();
        hand_over.send(&ours, &sockets)?;
        ours.set_nonblocking(true)?;
        let mut successor = Successor {
            socket: UnixStream::from_std(ours),
            process: self.handover.launch.start(theirs.into())?,
            deadline: self.clock.began + START_TIMEOUT,
        };
        let registry = self.poll.registry();
        let registered = registry.register(&mut successor.socket, SUCCESSOR, Interest::READABLE);
        if let Err(error) = registered {
            end(successor.process);
            return Err(error);
        }
        Ok(successor)
    }

    /// The next process has sent something, or ended.
    pub(super) fn read_successor(&mut self) {
        let Some(successor) = &mut self.handover.successor else {
            return;
        };
        let mut said = [0; READY.len()];
        match successor.socket.read(&mut said) {
            Ok(length) if &said[..length] == READY => self.be_taken_over_from(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => self.abandon_successor("it did not come up"),
        }
    }

    /// Goes on without a successor.
    pub(super) fn abandon_successor(&mut self, reason: &str) {
        if let Some(successor) = self.handover.successor.take() {
            let pid = successor.process.id();
            let status = end(successor.process);
            tracing::error!(pid, reason, status, "the newer process did not take over");
        }
    }

    fn be_taken_over_from(&mut self) {
        let Some(successor) = self.handover.successor.take() else {
            return;
        };
        let pid = successor.process.id();
        tracing::info!(pid, connections = self.sessions(), "handed over");
        self.manager.taken_over(pid);
        self.drain();
    }

    pub(super) fn tend_succession(&mut self) {
        let now = self.clock.began;
        if self.handover.draining.is_some_and(|until| now >= until) {
            self.stop();
        }
        let is_late = |successor: &Successor| now >= successor.deadline;
        if self.handover.successor.as_ref().is_some_and(is_late) {
            self.abandon_successor("it took too long");
        }
    }
}

/// Kills and reaps the process if needed, and returns how it ended.
fn end(mut process: Child) -> String {
    // It may have ended by itself.
    let _ = process.kill();
    match process.wait() {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}
