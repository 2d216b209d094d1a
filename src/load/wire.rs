//! A viewer's connection, encrypted or not.
//!
//! Over TLS the kernel cannot discard unread media: every viewer decrypts all that comes.

use std::io::{self, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::plan;
use super::socket::discard;

/// Ciphertext taken from the socket at once.
const READ_LEAST: usize = 4 * 1024;
const READ_MOST: usize = 64 * 1024;

/// How the viewers of one part speak TLS.
pub(super) struct WireTls {
    config: Arc<ClientConfig>,
    server_name: ServerName<'static>,
}

impl WireTls {
    pub fn new(plan: &plan::TlsPlan) -> io::Result<WireTls> {
        let config = plan.trust.config_if(true).map_err(io::Error::other)?;
        let server_name = plan.server_name.clone().try_into();
        Ok(WireTls {
            config: config.ok_or(io::ErrorKind::Unsupported)?,
            server_name: server_name.map_err(io::Error::other)?,
        })
    }
}

#[derive(Debug)]
pub(super) struct Wire {
    tcp: TcpStream,
    tls: Option<Box<TlsSession>>,
}

#[derive(Debug)]
struct TlsSession {
    tls: ClientConnection,
    /// Ciphertext that TLS has not looked at yet; dropped when it has, because viewers are many.
    fresh: Vec<u8>,
    seen: usize,
}

impl Wire {
    pub fn new(tcp: TcpStream, tls: Option<&WireTls>) -> io::Result<Wire> {
        let open = |tls: &WireTls| {
            let session = ClientConnection::new(tls.config.clone(), tls.server_name.clone());
            let tls = session.map_err(io::Error::other)?;
            io::Result::Ok(Box::new(TlsSession {
                tls,
                fresh: Vec::new(),
                seen: 0,
            }))
        };
        let tls = tls.map(open).transpose()?;
        Ok(Wire { tcp, tls })
    }

    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    pub fn tcp_mut(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    /// Counts and discards what has come; `false` at the end of the connection.
    pub fn discard(&mut self, bytes: &mut u64, scratch: &mut [u8]) -> io::Result<bool> {
        if self.tls.is_none() {
            return discard(&self.tcp, bytes, scratch);
        }
        loop {
            match self.read(scratch) {
                Ok(0) => return Ok(false),
                Ok(length) => *bytes += length as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl TlsSession {
    fn read(&mut self, tcp: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        self.send(tcp)?;
        loop {
            match self.tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            if self.seen == self.fresh.len() {
                self.seen = 0;
                self.fresh = vec![0; buffer.len().clamp(READ_LEAST, READ_MOST)];
                let result = tcp.read(&mut self.fresh);
                self.fresh.truncate(*result.as_ref().unwrap_or(&0));
                if result? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            self.seen += self.tls.read_tls(&mut &self.fresh[self.seen..])?;
            if self.seen == self.fresh.len() {
                (self.seen, self.fresh) = (0, Vec::new());
            }
            let processed = self.tls.process_new_packets();
            // Its part of the handshake, or the alert that says what was wrong.
            self.send(tcp)?;
            processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
    }

    /// Sends what waits, as far as there is room.
    fn send(&mut self, tcp: &mut TcpStream) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(tcp) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => drop(result?),
            }
        }
        Ok(())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.read(buffer),
            Some(session) => session.read(&mut self.tcp, buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.write(bytes),
            Some(session) => {
                let taken = session.tls.writer().write(bytes)?;
                session.send(&mut self.tcp)?;
                Ok(taken)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
