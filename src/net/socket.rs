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
    /// `None`: detached.
    tcp: Option<TcpStream>,
    tls: Option<Box<TlsStream>>,
}

impl TcpSocket {
    pub fn encrypted(tcp: TcpStream, tls: TlsStream) -> TcpSocket {
        TcpSocket {
            tcp: Some(tcp),
            tls: Some(Box::new(tls)),
        }
    }

    /// What the kernel knows it as; an error if it is detached.
    pub fn tcp_mut(&mut self) -> io::Result<&mut TcpStream> {
        attached(&mut self.tcp)
    }
}

fn attached(tcp: &mut Option<TcpStream>) -> io::Result<&mut TcpStream> {
    tcp.as_mut()
        .ok_or_else(|| io::ErrorKind::NotConnected.into())
}

impl From<TcpStream> for TcpSocket {
    fn from(tcp: TcpStream) -> TcpSocket {
        TcpSocket {
            tcp: Some(tcp),
            tls: None,
        }
    }
}

impl Socket for TcpSocket {
    fn detached() -> TcpSocket {
        TcpSocket {
            tcp: None,
            tls: None,
        }
    }

    fn peek_raw(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp_mut()?.peek(buffer)
    }

    fn discard_raw(&mut self, length: usize) -> io::Result<()> {
        let copied = io::copy(&mut self.tcp_mut()?.take(length as u64), &mut io::sink())?;
        if copied < length as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Announces the end first in TLS, and then in TCP.
    fn shut(&mut self) -> io::Result<bool> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify(attached(&mut self.tcp)?)?;
            if tls.has_unsent() {
                return Ok(false);
            }
        }
        self.tcp_mut()?.shutdown(Shutdown::Write)?;
        Ok(true)
    }

    fn peek(&mut self) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp_mut()?.peek(&mut [0]),
            Some(tls) => tls.peek(attached(&mut self.tcp)?),
        }
    }

    /// Has the kernel keep the bound (`TCP_NOTSENT_LOWAT`). A kernel that cannot serves as well, with more
    /// memory.
    #[cfg(target_os = "linux")]
    fn limit_unsent(&mut self, bytes: u32) {
        if let Some(tcp) = &self.tcp
            && let Err(error) = socket2::SockRef::from(tcp).set_tcp_notsent_lowat(bytes)
        {
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
            Some(tls) => tls.flush(attached(&mut self.tcp)?),
        }
    }
}

impl Read for TcpSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp_mut()?.read(buffer),
            Some(tls) => tls.read(attached(&mut self.tcp)?, buffer),
        }
    }
}

impl Write for TcpSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp_mut()?.write(bytes),
            Some(tls) => tls.write(attached(&mut self.tcp)?, &[IoSlice::new(bytes)]),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp_mut()?.write_vectored(slices),
            Some(tls) => tls.write(attached(&mut self.tcp)?, slices),
        }
    }

    /// What waits is sent by [`Socket::flush_unsent`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
