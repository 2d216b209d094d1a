//! One accepted TCP socket, encrypted or not, as the hub sees it.
//!
//! An encrypted one differs in one thing: what was written may wait here ([`Socket::has_unsent`])
//! for the kernel to have room, when there is nothing new to write.

use super::tls::TlsStream;
use crate::session::Socket;
use mio::net::TcpStream;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;

#[derive(Debug)]
pub struct TcpSocket {
    tcp: TcpStream,
    tls: Option<Box<TlsStream>>,
}

impl TcpSocket {
    pub fn encrypted(tcp: TcpStream, tls: TlsStream) -> TcpSocket {
        TcpSocket {
            tcp,
            tls: Some(Box::new(tls)),
        }
    }

    /// What the kernel knows it as.
    pub fn tcp_mut(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }
}

impl From<TcpStream> for TcpSocket {
    fn from(tcp: TcpStream) -> TcpSocket {
        TcpSocket { tcp, tls: None }
    }
}

impl Socket for TcpSocket {
    fn peek_raw(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.peek(buffer)
    }

    fn discard_raw(&mut self, length: usize) -> io::Result<()> {
        let copied = io::copy(&mut (&self.tcp).take(length as u64), &mut io::sink())?;
        if copied < length as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Announces the end first in TLS, and then in TCP.
    fn shut(&mut self) -> io::Result<bool> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify(&mut self.tcp)?;
            if tls.has_unsent() {
                return Ok(false);
            }
        }
        self.tcp.shutdown(Shutdown::Write)?;
        Ok(true)
    }

    fn peek(&mut self) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.peek(&mut [0]),
            Some(tls) => tls.peek(&mut self.tcp),
        }
    }

    /// Has the kernel keep the bound (`TCP_NOTSENT_LOWAT`). A kernel that cannot serves as well, with more
    /// memory.
    #[cfg(target_os = "linux")]
    fn limit_unsent(&mut self, bytes: u32) {
        if let Err(error) = socket2::SockRef::from(&self.tcp).set_tcp_notsent_lowat(bytes) {
            tracing::debug!(%error, "TCP_NOTSENT_LOWAT");
        }
    }

    fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    fn fall_back(&mut self) -> bool {
        let is_plain = |tls: &mut Box<TlsStream>| tls.is_spoken_to_in_plain();
        self.tls.take_if(is_plain).is_some()
    }

    fn held_bytes(&self) -> usize {
        self.tls.as_ref().map_or(0, |tls| tls.held_bytes())
    }

    fn release(&mut self) {
        self.tls = None;
    }

    fn has_unsent(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_unsent())
    }

    fn flush_unsent(&mut self) -> io::Result<usize> {
        match &mut self.tls {
            None => Ok(0),
            Some(tls) => tls.flush(&mut self.tcp),
        }
    }
}

impl Read for TcpSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.read(buffer),
            Some(tls) => tls.read(&mut self.tcp, buffer),
        }
    }
}

impl Write for TcpSocket {
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
