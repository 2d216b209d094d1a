//! A server as a process of its own, and what it costs.
//!
//! All of it is taken from outside, from `/proc`: the allocator's own counts leave out what a
//! process really holds, and the clock's time what else ran meanwhile.

// Each bench is a crate of its own that needs a part of this.
#![allow(dead_code)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use videostream::websocket::{check_response, client_request};

pub const BINARY: &str = env!("CARGO_BIN_EXE_videostream");

/// A server on a port of its own, ended when dropped.
pub struct Server {
    child: Child,
    /// Kept open: the links to open follow the ready line.
    _stdout: BufReader<ChildStdout>,
    pub address: String,
    /// From nothing to "listening".
    pub start: Duration,
}

impl Server {
    /// The real one.
    pub fn start(options: &[&str]) -> Server {
        let always = ["--listen", "127.0.0.1:0", "--log-level", "error"];
        Server::run(Command::new(BINARY).args(always).args(options))
    }

    /// Any that prints the same ready line.
    pub fn run(command: &mut Command) -> Server {
        let begun = Instant::now();
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("a binary that cargo has built");
        let stdout = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        let mut stdout = BufReader::new(stdout);
        stdout
            .read_line(&mut line)
            .expect("a line on standard output");
        let start = begun.elapsed();
        let url = line.trim().strip_prefix("listening on ");
        let (_, address) = url
            .and_then(|url| url.split_once("://"))
            .expect("the ready line");
        let address = address.to_owned();
        Server {
            child,
            _stdout: stdout,
            address,
            start,
        }
    }

    pub fn memory(&self) -> Memory {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).expect("/proc");
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
            kib.expect("a field in kB") * 1024
        };
        Memory {
            resident: field("VmRSS:"),
            anonymous: field("RssAnon:"),
        }
    }

    /// Time that its threads have spent on a processor, in user and in kernel mode, to the
    /// nanosecond: exact while they sleep, up to a tick old while they run.
    pub fn cpu_time(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("/proc");
        let nanoseconds = tasks.map(|task| {
            let path = task.expect("a thread").path().join("schedstat");
            let schedstat = fs::read_to_string(path).expect("a kernel with CONFIG_SCHED_INFO");
            let first = schedstat.split_whitespace().next();
            first
                .and_then(|field| field.parse::<u64>().ok())
                .expect("nanoseconds")
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    /// A WebSocket at this address, before the server's first frame.
    pub fn websocket(&self, target: &str, subprotocols: &[&str]) -> TcpStream {
        let mut socket = TcpStream::connect(&self.address).expect("a connection");
        self.upgrade(&mut socket, target, subprotocols);
        socket
    }

    /// The same over a connection that is there, encrypted perhaps.
    pub fn upgrade(&self, socket: &mut (impl Read + Write), target: &str, subprotocols: &[&str]) {
        let key = [7; 16];
        let request = client_request(&self.address, target, &key, subprotocols, None);
        socket.write_all(&request).expect("room for a request");
        let mut response = Vec::new();
        let mut byte = [0];
        // A byte at a time, because the first frame may follow at once.
        while check_response(&response, &key)
            .expect("a WebSocket")
            .is_none()
        {
            socket.read_exact(&mut byte).expect("a response");
            response.push(byte[0]);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes that a process holds.
#[derive(Clone, Copy)]
pub struct Memory {
    pub resident: u64,
    /// What is its own: without the pages of the binary.
    pub anonymous: u64,
}
