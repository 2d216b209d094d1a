//! A socket in memory: bytes come and go as a script says, and "would block" in between.

use crate::session::Socket;
use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::rc::Rc;

/// What a peer and the server's end of its connection share.
#[derive(Debug, Default)]
pub struct Wire {
    /// Sent by the peer, not yet read.
    pub incoming: VecDeque<u8>,
    /// Bytes that the server has read.
    pub taken: u64,
    pub is_hung_up: bool,
    /// The peer is gone without having hung up.
    pub is_reset: bool,
    /// Bytes that one read brings at most; 0 for any number.
    pub read_most: usize,
    /// Bytes that it takes before it is full.
    pub room: usize,
    /// Calls that a signal interrupts.
    pub interruptions: usize,
    /// Written by the server.
    pub outgoing: Vec<u8>,
    /// The server has ended its half.
    pub is_shut: bool,
    /// The server has closed its end.
    pub is_closed: bool,
}

/// The server's end, or the peer's look at it.
#[derive(Debug, Clone, Default)]
pub struct Line(Rc<RefCell<Wire>>);

/// The end that the server has: closed when it is dropped.
#[derive(Debug)]
pub struct ServerEnd(Line);

impl Line {
    pub fn wire(&self) -> RefMut<'_, Wire> {
        self.0.borrow_mut()
    }

    pub fn server_end(&self) -> ServerEnd {
        ServerEnd(self.clone())
    }
}

impl Drop for ServerEnd {
    fn drop(&mut self) {
        self.0.wire().is_closed = true;
    }
}

impl Wire {
    fn interrupt(&mut self) -> io::Result<()> {
        if self.interruptions == 0 {
            return Ok(());
        }
        self.interruptions -= 1;
        Err(ErrorKind::Interrupted.into())
    }

    fn readable(&mut self, length: usize) -> io::Result<usize> {
        self.interrupt()?;
        if self.is_reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if self.incoming.is_empty() {
            return if self.is_hung_up {
                Ok(0)
            } else {
                Err(ErrorKind::WouldBlock.into())
            };
        }
        let most = match self.read_most {
            0 => length,
            most => most.min(length),
        };
        Ok(most.min(self.incoming.len()))
    }
}

impl Read for ServerEnd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.wire();
        let length = wire.readable(buffer.len())?;
        wire.taken += length as u64;
        wire.incoming.read(&mut buffer[..length])
    }
}

impl Write for ServerEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    /// Takes what there is room for. As with a real one: less than offered, and it is full.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut wire = self.0.wire();
        wire.interrupt()?;
        if wire.is_reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if wire.room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut written = 0;
        for slice in slices {
            let length = slice.len().min(wire.room);
            wire.outgoing.extend_from_slice(&slice[..length]);
            wire.room -= length;
            written += length;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for ServerEnd {
    fn detached() -> ServerEnd {
        unreachable!("without a service all sessions have peers")
    }

    fn peek_raw(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.wire();
        let length = wire.readable(buffer.len())?;
        for (place, byte) in buffer[..length].iter_mut().zip(&wire.incoming) {
            *place = *byte;
        }
        Ok(length)
    }

    fn discard_raw(&mut self, length: usize) -> io::Result<()> {
        let mut wire = self.0.wire();
        wire.incoming.drain(..length);
        wire.taken += length as u64;
        Ok(())
    }

    fn shut(&mut self) -> io::Result<bool> {
        self.0.wire().is_shut = true;
        Ok(true)
    }
}
