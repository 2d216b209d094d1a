//! WebSocket frames as RFC 6455 has them, written down a second time: what a server has to make of
//! a client's bytes, and what a client sees of a server's.
//!
//! Simple rather than fast, and with nothing in common with the code that serves.

/// A frame from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerFrame {
    Text(String),
    Binary(Vec<u8>),
    Ping,
    Pong(Vec<u8>),
    /// The payload: nothing, or a code and a reason.
    Close(Vec<u8>),
}

/// Reads a server's bytes. The last frame may be cut off; then its bytes are not returned.
///
/// # Panics
///
/// When the bytes are not what a server may send.
pub fn read_server(bytes: &[u8]) -> Vec<ServerFrame> {
    split_server(bytes).0
}

/// Reads the whole frames at the front of a server's bytes. Returns them, and how many bytes they are.
///
/// # Panics
///
/// When the bytes are not what a server may send.
pub fn split_server(all: &[u8]) -> (Vec<ServerFrame>, usize) {
    let mut bytes = all;
    let mut received = Vec::new();
    loop {
        let head = match bytes {
            [first, length @ 0..=125, ..] => Some((*first, usize::from(*length), 2)),
            [first, 126, a, b, ..] => {
                let length = usize::from(u16::from_be_bytes([*a, *b]));
                assert!(length > 125, "a length that is not in its shortest form");
                Some((*first, length, 4))
            }
            [first, 127, rest @ ..] => rest.first_chunk().map(|length| {
                let length = u64::from_be_bytes(*length) as usize;
                assert!(length > 0xffff, "a length that is not in its shortest form");
                (*first, length, 10)
            }),
            [_, second, ..] => {
                assert!(second & 0x80 == 0, "a server's frame is not masked");
                None
            }
            _ => None,
        };
        if let Some(&first) = bytes.first() {
            assert!(
                [0x81, 0x82, 0x88, 0x89, 0x8a].contains(&first),
                "a frame that begins with {first:#x}"
            );
            assert!(
                !matches!(received.last(), Some(ServerFrame::Close(_))),
                "{first:#x} behind a close frame"
            );
        }
        let Some((first, length, at)) = head else {
            return (received, all.len() - bytes.len());
        };
        assert!(first & 8 == 0 || length <= 125, "a long control frame");
        let Some(payload) = bytes.get(at..at + length) else {
            return (received, all.len() - bytes.len());
        };
        let payload = payload.to_vec();
        received.push(match first {
            0x81 => ServerFrame::Text(String::from_utf8(payload).expect("text is UTF-8")),
            0x82 => ServerFrame::Binary(payload),
            0x88 => ServerFrame::Close(payload),
            0x89 => ServerFrame::Ping,
            _ => ServerFrame::Pong(payload),
        });
        bytes = &bytes[at + length..];
    }
}

/// What a server receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    Text,
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    /// The payload that is echoed.
    Close(Vec<u8>),
    /// The client broke the protocol; the close frame has this code.
    Wrong(u16),
}

/// Reads a client's bytes up to a close, the first that is wrong, or the last whole message.
pub fn read_client(bytes: &[u8], message_bytes: usize) -> Vec<ClientFrame> {
    let mut sent = Vec::new();
    let mut reader = Client {
        rest: bytes,
        message: None,
        message_bytes,
    };
    loop {
        match reader.frame() {
            Ok(Some(one)) => {
                let is_last = matches!(one, ClientFrame::Close(_));
                sent.push(one);
                if is_last {
                    return sent;
                }
            }
            // A pong, or a part of a message.
            Ok(None) => {}
            Err(None) => return sent,
            Err(Some(code)) => {
                sent.push(ClientFrame::Wrong(code));
                return sent;
            }
        }
    }
}

struct Client<'a> {
    rest: &'a [u8],
    /// Opcode and bytes of the message that is coming in fragments.
    message: Option<(u8, Vec<u8>)>,
    message_bytes: usize,
}

/// The code to close with, or `None` where bytes are missing.
type Stop = Option<u16>;

impl Client<'_> {
    fn byte(&mut self) -> Result<u8, Stop> {
        let (&byte, rest) = self.rest.split_first().ok_or(None)?;
        self.rest = rest;
        Ok(byte)
    }

    fn number(&mut self, bytes: usize) -> Result<u64, Stop> {
        (0..bytes).try_fold(0, |number, _| Ok(number << 8 | u64::from(self.byte()?)))
    }

    fn frame(&mut self) -> Result<Option<ClientFrame>, Stop> {
        let first = self.byte()?;
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        let is_control = opcode >= 8;
        let is_known = matches!(opcode, 0..=2 | 8..=10);
        let is_in_place = match opcode {
            0 => self.message.is_some(),
            1 | 2 => self.message.is_none(),
            _ => fin,
        };
        if first & 0x70 != 0 || !is_known || !is_in_place {
            return Err(Some(1002));
        }
        let second = self.byte()?;
        let short = u64::from(second & 0x7f);
        if second & 0x80 == 0 || (is_control && short > 125) {
            return Err(Some(1002));
        }
        let (length, least) = match short {
            126 => (self.number(2)?, 126),
            127 => (self.number(8)?, 0x1_0000),
            short => (short, 0),
        };
        let mask = self.number(4)?.to_be_bytes();
        if length < least || length >> 63 != 0 {
            return Err(Some(1002));
        }
        if length > self.message_bytes as u64 {
            return Err(Some(1009));
        }
        let is_text =
            opcode == 1 || (opcode == 0 && self.message.as_ref().is_some_and(|m| m.0 == 1));
        let mut payload = match &self.message {
            Some((_, before)) if opcode == 0 => before.clone(),
            _ => Vec::new(),
        };
        // How much of the text is whole characters.
        let mut whole = if is_text {
            valid_length(&payload).expect("it was looked at before")
        } else {
            0
        };
        for at in 0..length as usize {
            payload.push(self.byte()? ^ mask[4 + at % 4]);
            if is_text {
                whole += valid_length(&payload[whole..]).ok_or(Some(1007))?;
            }
        }
        if is_control {
            return control(opcode, payload);
        }
        if is_text && fin && whole < payload.len() {
            return Err(Some(1007));
        }
        if payload.len() > self.message_bytes {
            return Err(Some(1009));
        }
        let opcode = self.message.take().map_or(opcode, |message| message.0);
        if !fin {
            self.message = Some((opcode, payload));
            return Ok(None);
        }
        Ok(Some(match opcode {
            1 => ClientFrame::Text,
            _ => ClientFrame::Binary(payload),
        }))
    }
}

/// Bytes of whole characters at the beginning; `None` when what follows can become no character.
fn valid_length(bytes: &[u8]) -> Option<usize> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Some(bytes.len()),
        Err(error) => error.error_len().is_none().then(|| error.valid_up_to()),
    }
}

fn control(opcode: u8, payload: Vec<u8>) -> Result<Option<ClientFrame>, Stop> {
    match (opcode, &payload[..]) {
        (9, _) => Ok(Some(ClientFrame::Ping(payload))),
        (10, _) => Ok(None),
        (_, []) => Ok(Some(ClientFrame::Close(payload))),
        (_, [_]) => Err(Some(1002)),
        (_, [high, low, reason @ ..]) => {
            if std::str::from_utf8(reason).is_err() {
                return Err(Some(1007));
            }
            match u16::from_be_bytes([*high, *low]) {
                1000..=1003 | 1007..=1013 | 3000..=4999 => Ok(Some(ClientFrame::Close(payload))),
                _ => Err(Some(1002)),
            }
        }
    }
}
