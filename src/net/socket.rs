//! One accepted socket, encrypted or not, as the rest of the room sees it.
//!
//! An encrypted one differs in one thing: what was written may wait here ([`Socket::has_unsent`])
//! for the kernel to have room, when nobody has anything new to write.

use super::tls::Tls;
use mio::net::TcpStream;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;

#[derive(Debug)]
pub struct Socket {
    tcp: TcpStream,
    tls: Option<Box<Tls>>,
}

impl Socket {
    pub fn encrypted(tcp: TcpStream, tls: Tls) -> Socket {
        Socket {
            tcp,
            tls: Some(Box::new(tls)),
        }
    }

    /// What the kernel knows it as.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    pub fn tcp_mut(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether nothing can be written yet.
    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Leaves TLS to who speaks plain HTTP where TLS is expected, so that it can be told. Returns
    /// whether it does; what it said is gone.
    pub fn fall_back(&mut self) -> bool {
        let is_plain = |tls: &mut Box<Tls>| tls.is_spoken_to_in_plain();
        self.tls.take_if(is_plain).is_some()
    }

    /// How many bytes could be read, at least, which stay; 0 at the end of the connection.
    pub fn peek(&mut self) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.peek(&mut [0]),
            Some(tls) => tls.peek(&mut self.tcp),
        }
    }

    /// Bytes that wait in TLS, in either direction: beyond the kernel's own, and this connection's
    /// alone.
    pub fn held_bytes(&self) -> usize {
        self.tls.as_ref().map_or(0, |tls| tls.held_bytes())
    }

    /// Lets go of what TLS holds: nobody reads or writes here any more.
    pub fn release(&mut self) {
        self.tls = None;
    }

    /// Whether something that was written has not left yet.
    pub fn has_unsent(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_unsent())
    }

    /// Sends more of what has not left yet. Returns the number of bytes.
    pub fn flush_unsent(&mut self) -> io::Result<usize> {
        match &mut self.tls {
            None => Ok(0),
            Some(tls) => tls.flush(&mut self.tcp),
        }
    }

    /// Ends our half of the connection, in TLS's own words and then in TCP's. Returns whether it is
    /// done: if not, the words wait for room.
    pub fn shut(&mut self) -> io::Result<bool> {
        if let Some(tls) = &mut self.tls {
            tls.say_goodbye(&mut self.tcp)?;
            if tls.has_unsent() {
                return Ok(false);
            }
        }
        self.tcp.shutdown(Shutdown::Write)?;
        Ok(true)
    }
}

impl From<TcpStream> for Socket {
    fn from(tcp: TcpStream) -> Socket {
        Socket { tcp, tls: None }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.read(buffer),
            Some(tls) => tls.read(&mut self.tcp, buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.write(bytes),
            Some(tls) => tls.write(&mut self.tcp, &[IoSlice::new(bytes)]),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.write_vectored(slices),
            Some(tls) => tls.write(&mut self.tcp, slices),
        }
    }

    /// What waits is sent by [`Socket::flush_unsent`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
