//! The content of an input: the role of the peer, and what happens step by step.

use crate::fuzzing::recording::Tracks;
use arbitrary::{Arbitrary, Result, Unstructured};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Viewer {
        v1: bool,
    },
    Publisher,
    /// A viewer over HTTP, whose chunks must not be torn either.
    HttpViewer,
    /// The same in HTTP/1.0, where there are none.
    OldViewer,
    /// A publisher whose chunks hold the recording.
    HttpPublisher,
}

impl Role {
    pub fn is_publisher(self) -> bool {
        matches!(self, Role::Publisher | Role::HttpPublisher)
    }

    pub fn is_websocket(self) -> bool {
        matches!(self, Role::Viewer { .. } | Role::Publisher)
    }
}

impl<'a> Arbitrary<'a> for Role {
    fn arbitrary(script: &mut Unstructured<'a>) -> Result<Role> {
        Ok(match script.arbitrary::<u8>()? % 6 {
            0 => Role::Viewer { v1: true },
            1 => Role::Viewer { v1: false },
            2 => Role::Publisher,
            3 => Role::HttpViewer,
            4 => Role::OldViewer,
            _ => Role::HttpPublisher,
        })
    }
}

#[derive(Debug)]
pub enum Step {
    /// The peer sends a frame with this first byte, masked as it should be.
    Frame(u8, Vec<u8>),
    /// Some more of a recording, as a publisher's message or the end of one.
    Media(u8, usize),
    Close(u16, Vec<u8>),
    /// Bytes that may be anything.
    Raw(Vec<u8>),
    HangUp,
    Reset,
    /// The socket takes so much more.
    Room(usize),
    /// So much comes with a read.
    ReadMost(usize),
    Interrupt(usize),
    Read,
    Write,
    /// A viewer's stream goes on.
    Grow(usize),
    /// Its publisher leaves, or comes with a new recording. A publisher that is the peer is replaced.
    Leave,
    Come(Tracks),
    /// Time passes, so that a viewer may be late.
    Wait(u64),
    /// The server pings.
    Ping,
    /// The server sends a publisher its viewer count; a viewer's stream stalls, or goes on.
    Tell,
}

impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(script: &mut Unstructured<'a>) -> Result<Step> {
        let step: u8 = script.arbitrary()?;
        let n: u8 = script.arbitrary()?;
        let size = usize::from(n);
        let payload = |script: &mut Unstructured<'a>| {
            let length = size.min(script.len());
            script.bytes(length).map(<[u8]>::to_vec)
        };
        let made_up = |length: usize| (0..length).map(|at| b'a' + (at % 26) as u8).collect();
        Ok(match step % 20 {
            0 => Step::Frame(script.arbitrary()?, payload(script)?),
            1 => Step::Frame(0x89, made_up(size % 126)),
            2 => Step::Frame(0x8a, made_up(size % 126)),
            3 => Step::Frame(0x81, "größe 😀".as_bytes().repeat(size)),
            4 => Step::Frame(n & 0x81, payload(script)?),
            5 => Step::Close(1000 + u16::from(n), payload(script)?),
            6 => Step::Raw(payload(script)?),
            7 | 8 => Step::Media(0x82, size * 12),
            9 => Step::Media(n & 0x82, size),
            10 => Step::Room(size),
            11 => Step::Room(size << 9),
            12 => Step::Read,
            13 => Step::Write,
            14 => Step::Grow(size * 4),
            15 => Step::Grow(size << 9),
            16 => match n {
                0..=99 => Step::Leave,
                100..=199 => Step::Come(Tracks::Both),
                _ => Step::Come(Tracks::Picture),
            },
            17 => Step::Wait(u64::from(n) * 4),
            18 => match n {
                0..=99 => Step::ReadMost(size),
                100..=199 => Step::Interrupt(size % 4),
                200..=227 => Step::Ping,
                _ => Step::Tell,
            },
            _ => match n {
                255 => Step::HangUp,
                254 => Step::Reset,
                _ => Step::Frame(0x82, payload(script)?),
            },
        })
    }
}

/// A frame as a client sends it.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length => {
            bytes.push(0xfe);
            bytes.extend((length as u16).to_be_bytes());
        }
    }
    bytes.extend(mask);
    let masked = payload.iter().zip(mask.iter().cycle());
    bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    bytes
}
