//! A WebSocket client, and the publisher that speaks through it.

use super::PATIENCE;
use super::http::{connect, prepare};
use super::media::Sample;
use super::server::Server;
use super::wire::Wire;
use bytes::Bytes;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::{CloseFrame, Role, frame::coding::CloseCode};
use tungstenite::{Message, WebSocket};
use videostream::websocket::{SUBPROTOCOL, check_response, client_request};

const NONCE: &[u8; 16] = b"sixteen letters.";

pub struct WebSocketClient {
    socket: WebSocket<Wire>,
    pub subprotocol: Option<String>,
}

#[derive(Debug)]
pub enum Heard {
    Text(Value),
    Media(Bytes),
    /// Code and reason of a close frame.
    Closed(u16, String),
    /// The connection ended without one.
    Gone,
}

impl WebSocketClient {
    pub fn open(server: &Server, target: &str, subprotocols: &[&str]) -> WebSocketClient {
        WebSocketClient::open_on(connect(server), server, target, subprotocols)
    }

    pub fn open_on(
        stream: impl Into<Wire>,
        server: &Server,
        target: &str,
        subprotocols: &[&str],
    ) -> WebSocketClient {
        let mut stream = stream.into();
        prepare(stream.tcp());
        let host = server.address.to_string();
        let request = client_request(&host, target, NONCE, subprotocols, None);
        stream.write_all(&request).unwrap();
        let mut answer = Vec::new();
        let (accepted, length) = loop {
            let mut bytes = [0; 1024];
            let length = stream.read(&mut bytes).unwrap();
            answer.extend_from_slice(&bytes[..length]);
            match check_response(&answer, NONCE).expect("an upgrade") {
                Some(accepted) => break accepted,
                None => assert_ne!(length, 0, "closed before it was upgraded"),
            }
        };
        let frames = answer.split_off(length);
        WebSocketClient {
            socket: WebSocket::from_partially_read(stream, frames, Role::Client, None),
            subprotocol: accepted.subprotocol,
        }
    }

    pub fn stream(&self) -> &TcpStream {
        self.socket.get_ref().tcp()
    }

    pub fn send(&mut self, message: impl Into<Message>) {
        self.socket.send(message.into()).unwrap();
    }

    /// Sends to a peer that may have closed.
    pub fn try_send(&mut self, message: Message) -> Result<(), Error> {
        self.socket.send(message)
    }

    /// Begins the closing handshake with a peer that may have begun it.
    pub fn try_close(&mut self) -> Result<(), Error> {
        let goodbye = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        self.socket.close(Some(goodbye))
    }

    /// Sends what no client should.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).unwrap();
    }

    /// The next message or the end. Pings are answered on the way.
    pub fn hear(&mut self) -> Heard {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "nothing but pings");
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    return Heard::Text(serde_json::from_str(&text).unwrap());
                }
                Ok(Message::Binary(bytes)) => return Heard::Media(bytes),
                Ok(Message::Close(Some(CloseFrame { code, reason }))) => {
                    let _ = self.socket.flush();
                    return Heard::Closed(code.into(), reason.to_string());
                }
                Ok(Message::Close(None)) => return Heard::Closed(1005, String::new()),
                Ok(_) => {}
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => return Heard::Gone,
                Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                    return Heard::Gone;
                }
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Heard::Gone;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Code and reason of the close frame, whatever comes before it.
    pub fn closed(&mut self) -> (u16, String) {
        loop {
            match self.hear() {
                Heard::Closed(code, reason) => return (code, reason),
                Heard::Gone => panic!("the connection ended without a close frame"),
                Heard::Text(_) | Heard::Media(_) => {}
            }
        }
    }

    /// The next text of this type, whatever comes before it.
    pub fn text(&mut self, kind: &str) -> Value {
        loop {
            match self.hear() {
                Heard::Text(text) if text["type"] == kind => return text,
                Heard::Text(_) | Heard::Media(_) => {}
                other => panic!("{other:?} instead of {kind}"),
            }
        }
    }

    /// The closing handshake, to its end.
    pub fn close(mut self) {
        self.try_close().unwrap();
        while !matches!(self.hear(), Heard::Gone) {}
    }
}

/// A publisher that sends as fast as it can.
pub struct Publisher {
    pub client: WebSocketClient,
}

impl Publisher {
    /// Opens `/publish/NAME`, and waits for `ready`.
    pub fn open(server: &Server, name: &str) -> Publisher {
        let target = format!("/publish/{name}");
        let mut client = WebSocketClient::open(server, &target, &[SUBPROTOCOL]);
        assert_eq!(client.subprotocol.as_deref(), Some(SUBPROTOCOL));
        let ready = client.text("ready");
        assert_eq!(ready["watch"], format!("/live/{name}"));
        Publisher { client }
    }

    pub fn send(&mut self, bytes: &Bytes) {
        self.client.send(Message::Binary(bytes.clone()));
    }

    pub fn send_all(&mut self, chunks: &[Bytes]) {
        for chunk in chunks {
            self.send(chunk);
        }
    }

    /// A publisher with its stream on air, for tests that need no more.
    pub fn on_air(server: &Server, name: &str) -> Publisher {
        let mut publisher = Publisher::open(server, name);
        publisher.open_stream(&Sample::read("chromium-restart-1"));
        server.report_when(name, |report| report["live"] == true);
        publisher
    }

    /// Sends a recording up to its first keyframe. A waiting viewer joins at the newest keyframe
    /// there is: so a test lets its viewers see this one before it goes on.
    pub fn open_stream(&mut self, sample: &Sample) {
        self.send(&sample.bytes.slice(..sample.opening()));
    }

    /// Sends what follows, as the recorder cut it.
    pub fn go_on(&mut self, sample: &Sample) {
        self.send_all(&sample.chunks_after(sample.opening()));
    }

    /// Closes. When it returns, the server has read all that was sent.
    pub fn finish(self) {
        self.client.close();
    }
}
