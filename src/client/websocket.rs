//! Publishes over a WebSocket.

use std::io::{self, Read, Write};
use std::time::Instant;

use bytes::Bytes;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use super::address::Address;
use super::connection::ServerConnection;
use super::uplink::{ANSWER_TIMEOUT, Uplink, UplinkError, is_timeout, wait_until};
use crate::secret::Secret;
use crate::websocket::messages::{ToPublisher, ToViewer};
use crate::websocket::{SUBPROTOCOL, check_response, client_request, refusal_so_far};

/// Bytes of a message from the server: it sends a publisher short texts only.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

pub(super) struct WebSocketUplink {
    socket: WebSocket<ServerConnection>,
}

impl WebSocketUplink {
    /// Opens the WebSocket on a new connection.
    pub(super) fn open(
        mut stream: ServerConnection,
        address: &Address,
        bearer: Option<&Secret>,
    ) -> Result<WebSocketUplink, UplinkError> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(io::Error::from)?;
        let Address {
            authority, target, ..
        } = address;
        stream.write_all(&client_request(
            authority,
            target,
            &key,
            &[SUBPROTOCOL],
            bearer,
        ))?;

        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let mut answer = Vec::new();
        let head_length = loop {
            if let Some((_, head_length)) = check_response(&answer, &key)? {
                break head_length;
            }
            wait_until(stream.tcp(), deadline)?;
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer) {
                Ok(0) => {
                    let refusal = refusal_so_far(&answer).map(UplinkError::Refused);
                    return Err(refusal.unwrap_or_else(|| UplinkError::Closed(String::new())));
                }
                Ok(length) => answer.extend_from_slice(&buffer[..length]),
                Err(error) if is_timeout(&error) && Instant::now() < deadline => {}
                Err(error) if is_timeout(&error) => return Err(UplinkError::NoAnswer),
                Err(error) => return Err(error.into()),
            }
        };
        let frames = answer.split_off(head_length);
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let socket = WebSocket::from_partially_read(stream, frames, Role::Client, Some(config));
        Ok(WebSocketUplink { socket })
    }

    /// The next message, or `None` when none came in time.
    fn read(&mut self, until: Instant) -> Result<Option<Message>, UplinkError> {
        loop {
            wait_until(self.socket.get_ref().tcp(), until)?;
            match self.socket.read() {
                Ok(message) => return Ok(Some(message)),
                Err(tungstenite::Error::Io(error)) if is_timeout(&error) => {
                    if Instant::now() >= until {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The server's close frame from before the connection broke: its reason is worth more than
    /// ours.
    fn reason_of_server(&mut self, error: UplinkError) -> UplinkError {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        match self.listen(deadline, &mut |_| {}) {
            Err(reason @ (UplinkError::Closed(_) | UplinkError::Replaced)) => reason,
            Ok(()) | Err(_) => error,
        }
    }
}

impl Uplink for WebSocketUplink {
    fn send(&mut self, bytes: Bytes) -> Result<(), UplinkError> {
        self.socket.get_ref().tcp().set_nonblocking(false)?;
        match self.socket.send(Message::Binary(bytes)) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.reason_of_server(error.into())),
        }
    }

    fn listen(
        &mut self,
        until: Instant,
        on_message: &mut dyn FnMut(ToPublisher),
    ) -> Result<(), UplinkError> {
        while let Some(message) = self.read(until)? {
            match message {
                Message::Text(text) => match ToPublisher::parse(&text) {
                    Some(ToPublisher::Replaced) => return Err(UplinkError::Replaced),
                    Some(message) => on_message(message),
                    None if matches!(ToViewer::parse(&text), Some(ToViewer::Hello { .. })) => {
                        return Err(UplinkError::ForViewers);
                    }
                    None => {}
                },
                Message::Close(frame) => {
                    // Our answer to it. The server may not wait for that, and nor do we.
                    let _ = self.socket.flush();
                    return Err(closed(frame));
                }
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), UplinkError> {
        self.socket.get_ref().tcp().set_nonblocking(false)?;
        let close = CloseFrame {
            code: CloseCode::Normal,
            reason: "the stream has ended".into(),
        };
        if let Err(error) = self.socket.close(Some(close)) {
            return Err(self.reason_of_server(error.into()));
        }
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        loop {
            match self.read(deadline) {
                // The answer to ours has the same code (RFC 6455, 5.5.1).
                Ok(Some(Message::Close(Some(frame)))) if frame.code != CloseCode::Normal => {
                    return Err(closed(Some(frame)));
                }
                Ok(Some(Message::Close(_))) => return Ok(()),
                Ok(Some(_)) => {}
                Ok(None) => return Err(UplinkError::NoAnswer),
                Err(UplinkError::Closed(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

fn closed(frame: Option<CloseFrame>) -> UplinkError {
    UplinkError::Closed(match frame {
        Some(frame) if frame.reason.is_empty() => format!("code {}", frame.code),
        // The text goes to a terminal.
        Some(frame) => frame.reason.chars().filter(|c| !c.is_control()).collect(),
        None => String::new(),
    })
}

impl From<tungstenite::Error> for UplinkError {
    fn from(error: tungstenite::Error) -> UplinkError {
        use tungstenite::Error::{AlreadyClosed, ConnectionClosed, Io, Protocol};
        use tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;
        match error {
            ConnectionClosed | AlreadyClosed => UplinkError::Closed(String::new()),
            Io(error) => UplinkError::Lost(error),
            Protocol(ResetWithoutClosingHandshake) => {
                UplinkError::Closed("without saying why".into())
            }
            other => UplinkError::Protocol(other.to_string()),
        }
    }
}
