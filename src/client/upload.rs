//! Publishes by an HTTP request whose body does not end: `PUT`, chunked.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::address::Address;
use super::connection::ServerConnection;
use super::uplink::{ANSWER_TIMEOUT, Uplink, UplinkError, is_timeout, wait_until};
use crate::secret::Secret;
use crate::websocket::messages::ToPublisher;
use crate::websocket::{HandshakeError, refusal_so_far};

/// How long to wait for a refusal's body, which has the reason, once its head is here.
const BODY_TIMEOUT: Duration = Duration::from_millis(500);

/// Bytes of an answer that are looked at.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

pub(super) struct HttpUplink {
    stream: ServerConnection,
    /// What the server sent, without interim responses.
    answer: Vec<u8>,
    /// The server has sent `100 Continue`.
    is_accepted: bool,
}

impl HttpUplink {
    /// Sends the request head, and waits until the server accepts the body.
    pub(super) fn open(
        mut stream: ServerConnection,
        address: &Address,
        bearer: Option<&Secret>,
    ) -> Result<HttpUplink, UplinkError> {
        let Address {
            authority, target, ..
        } = address;
        let authorization = match bearer {
            Some(key) => format!("Authorization: {}\r\n", key.authorization()),
            None => String::new(),
        };
        let head = format!(
            "PUT {target} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: videostream\r\n\
             Content-Type: video/webm\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\
             {authorization}\r\n"
        );
        stream.write_all(head.as_bytes())?;
        let mut uplink = HttpUplink {
            stream,
            answer: Vec::new(),
            is_accepted: false,
        };
        // A server that does not know Expect sends no answer: then the body goes out all the same
        // (RFC 9110, 10.1.1).
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        while !uplink.is_accepted && uplink.read(deadline)? {
            uplink.check()?;
        }
        Ok(uplink)
    }

    /// Reads what has come; `false` when nothing came in time.
    fn read(&mut self, until: Instant) -> Result<bool, UplinkError> {
        let mut buffer = [0; 4096];
        loop {
            wait_until(self.stream.tcp(), until)?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(UplinkError::Closed(String::new())),
                Ok(length) if self.answer.len() < ANSWER_BYTES_MAX => {
                    self.answer.extend_from_slice(&buffer[..length]);
                    return Ok(true);
                }
                Ok(_) => return Err(UplinkError::Closed("its answer is too long".into())),
                Err(error) if is_timeout(&error) => {
                    if Instant::now() >= until {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The final answer's status, with the reason it gives; interim ones are noted and dropped.
    fn status(&mut self) -> Option<(u16, String)> {
        loop {
            match refusal_so_far(&self.answer)? {
                HandshakeError::Refused {
                    status: 100..=199, ..
                } => {
                    self.is_accepted = true;
                    let end = self.answer.windows(4).position(|end| end == b"\r\n\r\n")?;
                    self.answer.drain(..end + 4);
                }
                HandshakeError::Refused { status, reason } => return Some((status, reason)),
                HandshakeError::Malformed(_)
                | HandshakeError::TooLarge
                | HandshakeError::Field(_) => return None,
            }
        }
    }

    /// An answer before the body has ended is a refusal, with any status.
    fn check(&mut self) -> Result<(), UplinkError> {
        if self.status().is_none() {
            return Ok(());
        }
        let deadline = Instant::now() + BODY_TIMEOUT;
        while let Ok(true) = self.read(deadline) {}
        match self.status() {
            Some((status, reason)) => Err(HandshakeError::Refused { status, reason }.into()),
            None => Ok(()),
        }
    }

    /// The server's answer from before the connection broke: its reason is worth more than ours.
    fn reason_of_server(&mut self, error: UplinkError) -> UplinkError {
        let deadline = Instant::now() + BODY_TIMEOUT;
        while let Ok(true) = self.read(deadline) {}
        match self.check() {
            Err(refusal) => refusal,
            Ok(()) => error,
        }
    }
}

impl Uplink for HttpUplink {
    fn send(&mut self, bytes: Bytes) -> Result<(), UplinkError> {
        if bytes.is_empty() {
            // An empty chunk would end the body.
            return Ok(());
        }
        self.stream.tcp().set_nonblocking(false)?;
        // One write, so that the chunk's head does not leave in a packet of its own.
        let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat();
        match self.stream.write_all(&chunk) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.reason_of_server(error.into())),
        }
    }

    fn listen(
        &mut self,
        until: Instant,
        _: &mut dyn FnMut(ToPublisher),
    ) -> Result<(), UplinkError> {
        loop {
            match self.read(until) {
                Ok(true) => self.check()?,
                Ok(false) => return Ok(()),
                Err(error) => return Err(self.reason_of_server(error)),
            }
        }
    }

    fn finish(&mut self) -> Result<(), UplinkError> {
        self.stream.tcp().set_nonblocking(false)?;
        if let Err(error) = self.stream.write_all(b"0\r\n\r\n") {
            return Err(self.reason_of_server(error.into()));
        }
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        loop {
            match self.status() {
                Some((200..=299, _)) => return Ok(()),
                Some(_) => self.check()?,
                None if self.read(deadline)? => {}
                None => return Err(UplinkError::NoAnswer),
            }
        }
    }
}
