//! A link that can stall: nothing passes, neither way, and nothing is lost.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// Bytes that are on the link at most. What comes behind them waits in the kernel, at its sender.
const LINK_BYTES: usize = 1500;

/// The way of one connection to a server.
pub struct Link {
    /// Where to connect to.
    pub address: SocketAddr,
    gate: Arc<Gate>,
}

/// How many bytes may still pass towards the server. At none, nothing comes back either.
struct Gate {
    allowed: Mutex<u64>,
    opened: Condvar,
}

impl Link {
    /// Takes one connection, and goes on to the server with it.
    pub fn to(server: SocketAddr) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Arc::new(Gate {
            allowed: Mutex::new(u64::MAX),
            opened: Condvar::new(),
        });
        let ours = Arc::clone(&gate);
        thread::spawn(move || {
            let (near, _) = listener.accept().unwrap();
            let far = TcpStream::connect(server).unwrap();
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            let (back_from, back_to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
            let gate = Arc::clone(&ours);
            thread::spawn(move || carry(&back_from, &back_to, |length| gate.await_open(length)));
            carry(&near, &far, |length| ours.take(length));
        });
        Link { address, gate }
    }

    /// Stalls as soon as so many more bytes have passed towards the server.
    pub fn stall_after(&self, bytes: usize) {
        *self.gate.allowed.lock().unwrap() = bytes as u64;
    }

    pub fn resume(&self) {
        *self.gate.allowed.lock().unwrap() = u64::MAX;
        self.gate.opened.notify_all();
    }
}

impl Gate {
    /// Waits until some of `length` bytes may pass; returns how many.
    fn take(&self, length: usize) -> usize {
        let mut allowed = self.await_allowed();
        let passing = length.min(usize::try_from(*allowed).unwrap_or(usize::MAX));
        if *allowed != u64::MAX {
            *allowed -= passing as u64;
        }
        passing
    }

    fn await_open(&self, length: usize) -> usize {
        drop(self.await_allowed());
        length
    }

    fn await_allowed(&self) -> std::sync::MutexGuard<'_, u64> {
        let allowed = self.allowed.lock().unwrap();
        self.opened
            .wait_while(allowed, |allowed| *allowed == 0)
            .unwrap()
    }
}

/// Carries bytes one way until either end hangs up. `pass` waits until some of so many may pass.
fn carry(mut from: &TcpStream, mut to: &TcpStream, pass: impl Fn(usize) -> usize) {
    let mut bytes = [0; LINK_BYTES];
    'connected: while let Ok(length @ 1..) = from.read(&mut bytes) {
        let mut waiting = &bytes[..length];
        while !waiting.is_empty() {
            let passing;
            (passing, waiting) = waiting.split_at(pass(waiting.len()));
            if to.write_all(passing).is_err() {
                break 'connected;
            }
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
