//! A client's connection, encrypted where the server is.

use super::http::prepare;
use super::server::Server;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{IoSlice, Read, Result, Write};
use std::net::TcpStream;
use std::sync::Arc;

pub enum Wire {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// As the server wants it.
    pub fn open(server: &Server) -> Wire {
        let tcp = TcpStream::connect(server.address).unwrap();
        prepare(&tcp);
        match &server.tls {
            None => Wire::Plain(tcp),
            Some(config) => Wire::encrypt(tcp, config),
        }
    }

    /// TLS to `localhost`; the handshake comes with the first bytes.
    pub fn encrypt(tcp: TcpStream, config: &Arc<ClientConfig>) -> Wire {
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(config.clone(), name).unwrap();
        Wire::Encrypted(Box::new(StreamOwned::new(session, tcp)))
    }

    pub fn tcp(&self) -> &TcpStream {
        match self {
            Wire::Plain(tcp) => tcp,
            Wire::Encrypted(stream) => &stream.sock,
        }
    }
}

impl From<TcpStream> for Wire {
    fn from(tcp: TcpStream) -> Wire {
        Wire::Plain(tcp)
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Wire::Plain(tcp) => tcp.read(buffer),
            Wire::Encrypted(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Wire::Plain(tcp) => tcp.write(bytes),
            Wire::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> Result<usize> {
        match self {
            Wire::Plain(tcp) => tcp.write_vectored(slices),
            Wire::Encrypted(stream) => stream.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Wire::Plain(tcp) => tcp.flush(),
            Wire::Encrypted(stream) => stream.flush(),
        }
    }
}
