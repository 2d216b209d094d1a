//! A socket in memory: bytes come and go as a script says, and "would block" in between.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

/// The server's end of a connection.
#[derive(Debug, Default)]
pub struct Line {
    /// Sent by the peer, not yet read.
    pub incoming: VecDeque<u8>,
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
}

impl Line {
    fn interrupt(&mut self) -> io::Result<()> {
        if self.interruptions == 0 {
            return Ok(());
        }
        self.interruptions -= 1;
        Err(ErrorKind::Interrupted.into())
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupt()?;
        if self.is_reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if self.incoming.is_empty() {
            return match self.is_hung_up {
                true => Ok(0),
                false => Err(ErrorKind::WouldBlock.into()),
            };
        }
        let most = match self.read_most {
            0 => buffer.len(),
            most => most.min(buffer.len()),
        };
        self.incoming.read(&mut buffer[..most])
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[io::IoSlice::new(bytes)])
    }

    /// Takes what there is room for. As with a real one: less than offered, and it is full.
    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.interrupt()?;
        if self.is_reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if self.room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut written = 0;
        for slice in slices {
            let length = slice.len().min(self.room);
            self.outgoing.extend_from_slice(&slice[..length]);
            self.room -= length;
            written += length;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
