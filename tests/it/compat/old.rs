//! A server that speaks the old protocol on free ports, and clients for it.

use crate::common::http::prepare;
use crate::common::server::Server;
use crate::common::websocket::{Heard, WebSocketClient};
use bytes::Bytes;
use std::net::{SocketAddr, TcpStream};
use std::ops::Deref;
use tungstenite::Message;

/// The ports, in their order.
#[derive(Debug, Clone, Copy)]
pub enum Port {
    BlobsIn,
    ChunksIn,
    BlobsOut,
    ChunksOut,
}

pub struct OldServer {
    pub server: Server,
    pub ports: [SocketAddr; 4],
}

impl Deref for OldServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl OldServer {
    pub fn start() -> OldServer {
        OldServer::with(&[])
    }

    pub fn with(options: &[&str]) -> OldServer {
        let options = [&["--compat-node-videostream=0"], options].concat();
        let mut server = Server::with(&options);
        let names = ["blobs in", "chunks in", "blobs out", "chunks out"];
        let ports = names.map(|name| {
            let start = format!("old protocol, {name}: ws://");
            loop {
                let line = server.line();
                assert_ne!(line, "", "no line about {name}");
                if let Some(address) = line.strip_prefix(&start) {
                    return address.parse().unwrap();
                }
            }
        });
        OldServer { server, ports }
    }

    pub fn address(&self, port: Port) -> SocketAddr {
        self.ports[port as usize]
    }

    pub fn connect(&self, port: Port) -> TcpStream {
        let stream = TcpStream::connect(self.address(port)).unwrap();
        prepare(&stream);
        stream
    }

    /// Opens one of the ports, at this path.
    pub fn open_at(&self, port: Port, target: &str) -> WebSocketClient {
        WebSocketClient::open_on(self.connect(port), &self.server, target, &[])
    }

    pub fn open(&self, port: Port) -> WebSocketClient {
        self.open_at(port, "/")
    }
}

/// The next message.
pub fn message(client: &mut WebSocketClient) -> Bytes {
    match client.hear() {
        Heard::Media(bytes) => bytes,
        other => panic!("{other:?} instead of a message"),
    }
}

/// A page that publishes: it has both sockets, and a listener on each of the other ports, so that it knows
/// when a message has come. Two sockets have no order between them.
pub struct OldPage {
    pub blobs: WebSocketClient,
    pub chunks: WebSocketClient,
    pub blobs_out: WebSocketClient,
    pub chunks_out: WebSocketClient,
}

impl OldPage {
    pub fn open(server: &OldServer) -> OldPage {
        OldPage {
            blobs_out: server.open(Port::BlobsOut),
            chunks_out: server.open(Port::ChunksOut),
            blobs: server.open(Port::BlobsIn),
            chunks: server.open(Port::ChunksIn),
        }
    }

    pub fn blob(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.blobs.send(Message::Binary(bytes.clone()));
        assert!(message(&mut self.blobs_out) == bytes);
    }

    pub fn chunk(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.chunks.send(Message::Binary(bytes.clone()));
        assert!(message(&mut self.chunks_out) == bytes);
    }

    /// A recording, as its recorder cut it: the first piece is the blob.
    pub fn record(&mut self, pieces: &[Bytes]) {
        self.blob(pieces[0].clone());
        for piece in &pieces[1..] {
            self.chunk(piece.clone());
        }
    }
}
