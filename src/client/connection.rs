//! A blocking connection to a server, encrypted or not.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

pub(crate) enum ServerConnection {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl ServerConnection {
    /// Does TLS's handshake, with the socket's own timeouts.
    pub(crate) fn encrypt(
        tcp: TcpStream,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    ) -> io::Result<ServerConnection> {
        let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(ServerConnection::Encrypted(Box::new(stream)))
    }

    /// For its timeouts.
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            ServerConnection::Plain(tcp) => tcp,
            ServerConnection::Encrypted(stream) => &stream.sock,
        }
    }
}

impl Read for ServerConnection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            ServerConnection::Plain(tcp) => tcp.read(buffer),
            ServerConnection::Encrypted(stream) => stream.read(buffer),
        }
    }
}

impl Write for ServerConnection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            ServerConnection::Plain(tcp) => tcp.write(bytes),
            ServerConnection::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            ServerConnection::Plain(tcp) => tcp.write_vectored(slices),
            ServerConnection::Encrypted(stream) => stream.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            ServerConnection::Plain(tcp) => tcp.flush(),
            ServerConnection::Encrypted(stream) => stream.flush(),
        }
    }
}
