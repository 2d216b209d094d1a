//! Looks at a client's WebSocket frames as they come in, so that the first wrong byte is answered
//! and not the end of its frame or message (RFC 6455, sections 5.1 to 5.5 and 8.1).
//!
//! tungstenite reads the frames; it looks at one when all of it is there. Until then an unmasked
//! frame, a ping of megabytes or a text that went wrong long ago would be taken into memory. What
//! passes here it understands; lengths of messages and the payload of a close are its business.
//!
//! Media are not touched: a frame costs its head, and a text its length.

use super::CloseCode;

/// Two bytes, eight of length, four of mask.
const HEAD_BYTES_MAX: usize = 14;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASK: u8 = 0x80;

/// Text unmasked at a time.
const TEXT_PIECE_BYTES: usize = 256;

/// What a client did wrong, and the code to close with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    pub code: CloseCode,
    pub reason: &'static str,
}

/// One client's frames, up to where they have come.
#[derive(Debug, Default)]
pub struct FrameCheck {
    head: [u8; HEAD_BYTES_MAX],
    /// Bytes of `head` that are here; all of them while the payload comes.
    head_length: u8,
    /// Where in the mask the next byte of payload is.
    mask_at: u8,
    payload_left: u64,
    /// The message that is coming in fragments.
    message: Option<FrameKind>,
    /// The first bytes of a character whose other bytes are still to come.
    cut: [u8; 3],
    cut_length: u8,
    /// Bytes of the message that is not whole yet, and of control frames among it.
    unfinished: u32,
    /// Whole frames since they were counted last.
    frames: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FrameKind {
    Text,
    Binary,
    Control,
}

impl FrameCheck {
    /// Whole frames since [`FrameCheck::count_anew`], however empty: each is work.
    pub fn frames(&self) -> u64 {
        self.frames.into()
    }

    pub fn count_anew(&mut self) {
        self.frames = 0;
    }

    /// Looks at the next bytes. An error comes with the number of sound bytes before it: whole
    /// frames among them are to be handled first.
    pub fn look(&mut self, bytes: &[u8]) -> Result<(), (usize, Violation)> {
        let mut at = 0;
        while at < bytes.len() {
            let wrong = |violation| (at, violation);
            if self.payload_left == 0 {
                self.head[usize::from(self.head_length)] = bytes[at];
                self.head_length += 1;
                self.unfinished = self.unfinished.saturating_add(1);
                self.look_at_head().map_err(wrong)?;
                at += 1;
                continue;
            }
            let rest = &bytes[at..];
            let here =
                usize::try_from(self.payload_left).map_or(rest.len(), |left| left.min(rest.len()));
            if self.kind() == FrameKind::Text {
                self.look_at_text(&rest[..here]).map_err(wrong)?;
            }
            self.payload_left -= here as u64;
            let here_bytes = u32::try_from(here).unwrap_or(u32::MAX);
            self.unfinished = self.unfinished.saturating_add(here_bytes);
            if self.payload_left == 0 {
                self.end_frame().map_err(wrong)?;
            }
            at += here;
        }
        Ok(())
    }

    /// Bytes so far of the message that is not whole yet. 0 between two messages.
    pub fn unfinished(&self) -> usize {
        self.unfinished as usize
    }

    /// Bytes of the current frame's payload that are still to come.
    pub fn payload_left(&self) -> usize {
        usize::try_from(self.payload_left).unwrap_or(usize::MAX)
    }

    /// Looks at the newest byte of the head.
    fn look_at_head(&mut self) -> Result<(), Violation> {
        let [first, second, ..] = self.head;
        let length_bytes = match second & !MASK {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        match usize::from(self.head_length) {
            1 => return self.look_at_opcode(first),
            2 if second & MASK == 0 => return protocol("a client's frame has no mask"),
            2 if self.kind() == FrameKind::Control && second & !MASK > 125 => {
                return protocol("a control frame has 125 bytes at most");
            }
            seen if seen < 2 + length_bytes + 4 => return Ok(()),
            _ => {}
        }
        let length = match length_bytes {
            0 => u64::from(second & !MASK),
            _ => self.head[2..2 + length_bytes]
                .iter()
                .fold(0, |length, &byte| length << 8 | u64::from(byte)),
        };
        let shortest = match length {
            0..126 => 0,
            126..=0xffff => 2,
            _ => 8,
        };
        if length_bytes != shortest || length > i64::MAX as u64 {
            return protocol("a frame's length is not in its shortest form");
        }
        // The mask is left where text finds it.
        self.mask_at = 0;
        self.payload_left = length;
        match length {
            0 => self.end_frame(),
            _ => Ok(()),
        }
    }

    fn look_at_opcode(&self, first: u8) -> Result<(), Violation> {
        match first & !(FIN | RESERVED) {
            _ if first & RESERVED != 0 => protocol("reserved bits are set"),
            0 if self.message.is_none() => protocol("there is no message to continue"),
            1 | 2 if self.message.is_some() => protocol("a message begins inside another"),
            8..=10 if first & FIN == 0 => protocol("a control frame is in fragments"),
            0..=2 | 8..=10 => Ok(()),
            _ => protocol("the opcode is reserved"),
        }
    }

    /// What the current frame carries.
    fn kind(&self) -> FrameKind {
        match self.head[0] & !(FIN | RESERVED) {
            0 => self.message.unwrap_or(FrameKind::Binary),
            1 => FrameKind::Text,
            2 => FrameKind::Binary,
            _ => FrameKind::Control,
        }
    }

    fn look_at_text(&mut self, masked: &[u8]) -> Result<(), Violation> {
        let mask_from = usize::from(self.head_length) - 4;
        for piece in masked.chunks(TEXT_PIECE_BYTES) {
            let mut text = [0; 3 + TEXT_PIECE_BYTES];
            let cut_length = usize::from(self.cut_length);
            text[..cut_length].copy_from_slice(&self.cut[..cut_length]);
            let length = cut_length + piece.len();
            for (byte, masked) in text[cut_length..].iter_mut().zip(piece) {
                *byte = masked ^ self.head[mask_from + usize::from(self.mask_at)];
                self.mask_at = (self.mask_at + 1) % 4;
            }
            let rest = match std::str::from_utf8(&text[..length]) {
                Ok(_) => &[][..],
                Err(error) if error.error_len().is_none() => &text[error.valid_up_to()..length],
                Err(_) => return Err(NOT_UTF_8),
            };
            self.cut[..rest.len()].copy_from_slice(rest);
            self.cut_length = rest.len() as u8;
        }
        Ok(())
    }

    fn end_frame(&mut self) -> Result<(), Violation> {
        let kind = self.kind();
        let is_final = self.head[0] & FIN != 0;
        self.head_length = 0;
        self.frames = self.frames.saturating_add(1);
        if kind != FrameKind::Control {
            self.message = (!is_final).then_some(kind);
        }
        if self.message.is_none() {
            self.unfinished = 0;
        }
        if kind == FrameKind::Control {
            return Ok(());
        }
        if is_final && self.cut_length > 0 {
            Err(NOT_UTF_8)
        } else {
            Ok(())
        }
    }
}

const NOT_UTF_8: Violation = Violation {
    code: CloseCode::InvalidPayload,
    reason: "text is not UTF-8",
};

fn protocol(reason: &'static str) -> Result<(), Violation> {
    Err(Violation {
        code: CloseCode::Protocol,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x12, 0x34, 0x56, 0x78];
        let head = [first, MASK | payload.len() as u8];
        let masked = payload.iter().zip(mask.iter().cycle());
        let masked: Vec<u8> = masked.map(|(byte, mask)| byte ^ mask).collect();
        [&head[..], &mask, &masked].concat()
    }

    /// Where the first wrong byte is, and the code; the same however the bytes are cut.
    fn look(bytes: &[u8]) -> Option<(usize, CloseCode)> {
        let mut check = FrameCheck::default();
        let found = (0..bytes.len()).find_map(|at| {
            let (sound, violation) = check.look(&bytes[at..=at]).err()?;
            Some((at + sound, violation.code))
        });
        let whole = FrameCheck::default().look(bytes).err();
        assert_eq!(
            whole.map(|(_, violation)| violation.code),
            found.map(|(_, code)| code)
        );
        assert!(whole.is_none_or(|(sound, _)| Some(sound) <= found.map(|(at, _)| at)));
        found
    }

    #[test]
    fn the_first_wrong_byte_is_answered() {
        let text = |payload: &[u8]| frame(0x81, payload);
        for (bytes, at) in [
            (vec![0xc1], 0),
            (vec![0x83], 0),
            (vec![0x8b], 0),
            (vec![0x09], 0),
            (vec![0x80], 0),
            (vec![0x81, 0x05], 1),
            (vec![0x89, 0xfe], 1),
            (vec![0x82, 0xfe, 0, 125, 1, 2, 3, 4], 7),
            (
                vec![0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4],
                13,
            ),
            (vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4], 13),
            ([frame(0x02, b"x"), vec![0x82]].concat(), 7),
        ] {
            assert_eq!(look(&bytes), Some((at, CloseCode::Protocol)), "{bytes:x?}");
        }
        for (bytes, at) in [
            (text(b"caf\xe9 is what"), 10),
            (text(b"\xf4\x90"), 7),
            (text(b"caf\xc3"), 9),
            (
                [frame(0x01, b"\xc3"), frame(0x89, b""), frame(0x80, b"")].concat(),
                18,
            ),
            ([frame(0x01, b"\xc3"), frame(0x00, b"x")].concat(), 13),
        ] {
            assert_eq!(
                look(&bytes),
                Some((at, CloseCode::InvalidPayload)),
                "{bytes:x?}"
            );
        }
    }

    #[test]
    fn valid_frames_pass_at_any_cut() {
        let long = "grüße ".repeat(15);
        let mut all = [
            text_in_fragments(&long),
            frame(0x82, b"\xff\xfe"),
            frame(0x81, b""),
        ]
        .concat();
        for length in [126_usize, 65_535, 65_536] {
            all.push(0x82);
            match u16::try_from(length) {
                Ok(length) => all.extend([&[0xfe][..], &length.to_be_bytes()].concat()),
                Err(_) => all.extend([&[0xff][..], &length.to_be_bytes()].concat()),
            }
            all.extend(vec![0x81; 4 + length]);
        }
        all.extend(frame(0x88, b"\x03"));
        assert_eq!(look(&all), None);
        for size in [2, 3, 7, 300, 70_000] {
            let mut check = FrameCheck::default();
            for piece in all.chunks(size) {
                assert_eq!(check.look(piece), Ok(()));
            }
        }
    }

    #[test]
    fn only_the_message_that_is_not_whole_is_unfinished() {
        let mut check = FrameCheck::default();
        let mut unfinished = |bytes: &[u8]| {
            assert_eq!(check.look(bytes), Ok(()));
            check.unfinished()
        };
        let ping = frame(0x89, b"there?");
        // However long frames come, and wherever they are cut.
        let pings = ping.repeat(1000);
        assert!(pings.chunks(7).all(|piece| unfinished(piece) <= ping.len()));
        assert_eq!(unfinished(&[]), 0);
        // A ping between fragments ends no message.
        assert_eq!(unfinished(&frame(0x02, b"abc")), 9);
        assert_eq!(unfinished(&ping), 9 + ping.len());
        assert_eq!(unfinished(&frame(0x80, b"")), 0);
    }

    /// A byte in each frame, and a ping behind each.
    fn text_in_fragments(text: &str) -> Vec<u8> {
        let last = text.len() - 1;
        let fragment = |(index, byte): (usize, &u8)| {
            let first = u8::from(index == 0) | if index == last { FIN } else { 0 };
            [frame(first, &[*byte]), frame(0x89, b"\xff")].concat()
        };
        text.as_bytes()
            .iter()
            .enumerate()
            .flat_map(fragment)
            .collect()
    }
}
