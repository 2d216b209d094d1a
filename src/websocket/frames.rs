//! Frames that are not media, as the server writes them: not masked, and whole in one frame (RFC 6455, 5).

use bytes::Bytes;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Bytes of payload that a control frame may have (5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

/// Why a WebSocket is closed (7.4.1, and the registry it founded).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    Normal = 1000,
    /// The server is going down.
    GoingAway = 1001,
    Protocol = 1002,
    /// Not the kind of data that we take: not WebM.
    Unsupported = 1003,
    /// The right kind, but broken: text that is not UTF-8, WebM that makes no sense.
    InvalidPayload = 1007,
    Policy = 1008,
    TooBig = 1009,
    /// Something went wrong in the server, not in the client.
    Internal = 1011,
    TryAgain = 1013,
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code as Self
    }
}

/// A close frame. A reason too long for a control frame is cut between two characters.
pub fn close_frame(code: impl Into<u16>, reason: &str) -> Vec<u8> {
    let reason = &reason[..reason.floor_char_boundary(CONTROL_BYTES_MAX - 2)];
    frame(
        OpCode::Control(Control::Close),
        &[&code.into().to_be_bytes(), reason.as_bytes()].concat(),
    )
}

pub fn text_frame(text: &str) -> Vec<u8> {
    frame(OpCode::Data(Data::Text), text.as_bytes())
}

/// A ping. A payload over `CONTROL_BYTES_MAX` is cut.
pub fn ping_frame(payload: &[u8]) -> Vec<u8> {
    frame(
        OpCode::Control(Control::Ping),
        &payload[..payload.len().min(CONTROL_BYTES_MAX)],
    )
}

/// The head of a frame of media that is `length` bytes long. `begins`, `ends`: whether the message begins
/// and ends with it; one that does neither is in the middle (5.4).
pub fn media_head(begins: bool, ends: bool, length: usize) -> Bytes {
    let header = FrameHeader {
        is_final: ends,
        opcode: OpCode::Data(if begins { Data::Binary } else { Data::Continue }),
        ..FrameHeader::default()
    };
    let length = length as u64;
    let mut bytes = Vec::with_capacity(header.len(length));
    header
        .format(length, &mut bytes)
        .expect("a Vec takes all that is written");
    bytes.into()
}

/// One whole message in one frame (5.2).
fn frame(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        opcode,
        ..FrameHeader::default()
    };
    let length = payload.len() as u64;
    let mut bytes = Vec::with_capacity(header.len(length) + payload.len());
    header
        .format(length, &mut bytes)
        .expect("a Vec takes all that is written");
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frame_length_takes_the_shortest_form() {
        assert_eq!(text_frame("Hello"), b"\x81\x05Hello");
        let head = |length: usize| text_frame(&"a".repeat(length))[1..][..9].to_vec();
        assert_eq!(head(125)[0], 125);
        assert_eq!(head(126)[..3], [126, 0, 126]);
        assert_eq!(head(65_535)[..3], [126, 255, 255]);
        assert_eq!(head(65_536)[..9], [127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(ping_frame(b"now"), b"\x89\x03now");
        assert_eq!(ping_frame(&[0; 200]).len(), 2 + 125);
    }

    #[test]
    fn close_reason_is_cut_between_characters() {
        assert_eq!(
            close_frame(CloseCode::GoingAway, "bye"),
            b"\x88\x05\x03\xe9bye"
        );
        assert_eq!(close_frame(1000_u16, ""), b"\x88\x02\x03\xe8");
        let frame = close_frame(CloseCode::Policy, &"é".repeat(100));
        assert_eq!((frame[1], frame.len()), (2 + 122, 2 + 2 + 122));
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }

    proptest! {
        #[test]
        fn close_frame_is_a_control_frame(text in ".{0,80}") {
            prop_assert!(close_frame(1000_u16, &text).len() <= 2 + CONTROL_BYTES_MAX);
        }
    }
}
