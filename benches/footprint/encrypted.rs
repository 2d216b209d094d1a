//! What an idle viewer costs who came by TLS.

use super::server::Server;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use videostream::websocket::SUBPROTOCOL;

/// Heard once, as every viewer is who answers a ping: a masked, empty pong.
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

/// Viewers, from few to many.
pub struct Encrypted {
    pub few: usize,
    pub many: usize,
}

impl Encrypted {
    /// Bytes that each further viewer adds.
    pub fn measure(&self) -> f64 {
        let (server, config) = encrypted_server();
        let open = || viewer(&server, &config);
        let mut viewers: Vec<TcpStream> = (0..self.few).map(|_| open()).collect();
        let before = settled(&server);
        viewers.extend((self.few..self.many).map(|_| open()));
        let after = settled(&server);
        let slope = super::slope(before, after, self.few, self.many);
        println!(
            "the same by TLS: {slope:.0} bytes, slope from {} to {} viewers",
            self.few, self.many
        );
        slope
    }
}

/// A WebSocket viewer of a stream that nobody publishes. Of the client only the socket is kept.
fn viewer(server: &Server, config: &Arc<ClientConfig>) -> TcpStream {
    let name = "localhost".try_into().expect("a name");
    let session = ClientConnection::new(config.clone(), name).expect("a client");
    let socket = TcpStream::connect(&server.address).expect("a connection");
    let mut stream = StreamOwned::new(session, socket);
    server.upgrade(&mut stream, "/live/idle", &[SUBPROTOCOL]);
    stream.write_all(&PONG).expect("room for a pong");
    stream.sock
}

/// A server with a certificate, and what its clients need.
fn encrypted_server() -> (Server, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let folder = tempfile::tempdir().expect("a folder");
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&cert, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let [cert, key] = [&cert, &key].map(|path| path.to_str().expect("a path in UTF-8"));
    let server = Server::start(&["--tls-cert", cert, "--tls-key", key]);
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a certificate");
    let provider = rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (server, config.into())
}

/// Memory once the server has read what was sent last.
fn settled(server: &Server) -> u64 {
    std::thread::sleep(Duration::from_millis(500));
    server.memory().resident
}
