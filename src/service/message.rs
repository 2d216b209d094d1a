//! One message of the bus, and the marks that a chunk of media carries in its headers.

use bytes::Bytes;
use std::borrow::Cow;

/// A message that goes to the bus or has come from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub subject: String,
    /// The subject for answers.
    pub reply: Option<String>,
    pub headers: Vec<(Cow<'static, str>, String)>,
    pub payload: Bytes,
    /// Of an answer by the server itself: 503 where no program listens, 404 where nothing is stored.
    pub status: Option<u16>,
}

/// Names of headers. They are short, because they go with every chunk.
const SEQUENCE: &str = "s";
const GENERATION: &str = "g";
const KIND: &str = "k";
const CAME: &str = "t";
const EPOCH: &str = "e";
const PART: &str = "p";
const COUNT: &str = "n";
const ORIGIN: &str = "o";

/// What a message of media is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An init segment.
    Init,
    /// A chunk that a decoder can start from.
    JoinPoint,
    /// Any other chunk.
    Continuation,
    /// The publisher has left: the payload is the reason.
    End,
    /// The head of an answer to a join request: the payload is the init segment, `sequence` the first
    /// chunk that follows.
    Snapshot,
}

impl Kind {
    const ALL: [(Kind, &'static str); 5] = [
        (Kind::Init, "i"),
        (Kind::JoinPoint, "j"),
        (Kind::Continuation, "c"),
        (Kind::End, "e"),
        (Kind::Snapshot, "h"),
    ];

    fn letter(self) -> &'static str {
        let found = Kind::ALL.iter().find(|(kind, _)| *kind == self);
        found.map_or("", |(_, letter)| letter)
    }

    fn of_letter(letter: &str) -> Option<Kind> {
        let found = Kind::ALL.iter().find(|(_, one)| *one == letter);
        found.map(|(kind, _)| *kind)
    }
}

/// What the headers say of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    pub kind: Kind,
    /// The chunk's number at the node of its publisher.
    pub sequence: u64,
    /// The init segment that it needs, by that node's count.
    pub generation: u32,
    /// When it came there: milliseconds since 1970 by that node's clock.
    pub came_ms: u64,
    /// The lease under which it was published.
    pub epoch: u64,
    /// Names the ring that sequences and generations count in: a stream of one process.
    pub origin: u64,
    /// Index and number of parts; (0, 1) of a message that is whole.
    pub part: (u32, u32),
    /// Of the head of an answer to a join request: how many chunks follow.
    pub count: u64,
}

impl Marks {
    /// Adds the headers to a message.
    pub fn write(&self, message: &mut Message) {
        message.set(KIND, self.kind.letter());
        message.set(SEQUENCE, self.sequence);
        message.set(GENERATION, self.generation);
        message.set(CAME, self.came_ms);
        message.set(EPOCH, self.epoch);
        message.set(ORIGIN, format_args!("{:x}", self.origin));
        if self.part.1 != 1 {
            message.set(PART, format_args!("{}/{}", self.part.0, self.part.1));
        }
        if self.kind == Kind::Snapshot {
            message.set(COUNT, self.count);
        }
    }

    /// `None`: this is no message of ours.
    pub fn read(message: &Message) -> Option<Marks> {
        let part = match message.header(PART) {
            None => (0, 1),
            Some(text) => {
                let (index, count) = text.split_once('/')?;
                (index.parse().ok()?, count.parse().ok()?)
            }
        };
        if part.0 >= part.1 {
            return None;
        }
        Some(Marks {
            kind: Kind::of_letter(message.header(KIND)?)?,
            sequence: message.number(SEQUENCE)?,
            generation: u32::try_from(message.number(GENERATION)?).ok()?,
            came_ms: message.number(CAME)?,
            epoch: message.number(EPOCH)?,
            origin: u64::from_str_radix(message.header(ORIGIN)?, 16).ok()?,
            part,
            count: message.number(COUNT).unwrap_or(0),
        })
    }
}

impl Message {
    pub fn new(subject: impl Into<String>, payload: impl Into<Bytes>) -> Message {
        Message {
            subject: subject.into(),
            reply: None,
            headers: Vec::new(),
            payload: payload.into(),
            status: None,
        }
    }

    pub fn reply_to(mut self, subject: String) -> Message {
        self.reply = Some(subject);
        self
    }

    pub fn set(&mut self, name: &'static str, value: impl ToString) {
        self.headers.push((name.into(), value.to_string()));
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(one, _)| one == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.parse().ok()
    }

    /// Bytes that it takes in a queue.
    pub fn held_bytes(&self) -> usize {
        /// Of the struct, its subject and its headers.
        const OVERHEAD: usize = 512;
        self.payload.len() + OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn marks_survive_their_headers(
            kind in prop::sample::select(&Kind::ALL[..]),
            numbers in any::<[u64; 3]>(),
            generation: u32,
            part in (0..9_u32, 1..9_u32),
        ) {
            let marks = Marks {
                kind: kind.0,
                sequence: numbers[0],
                generation,
                came_ms: numbers[1],
                epoch: numbers[2],
                origin: numbers[0] ^ numbers[1],
                part: (part.0.min(part.1 - 1), part.1),
                count: if kind.0 == Kind::Snapshot { numbers[2] } else { 0 },
            };
            let mut message = Message::new("x", &b"y"[..]);
            marks.write(&mut message);
            prop_assert_eq!(Marks::read(&message), Some(marks));
        }
    }

    #[test]
    fn message_with_a_part_beyond_the_last_is_refused() {
        let mut message = Message::new("x", &b""[..]);
        for (name, value) in [
            ("k", "c"),
            ("s", "1"),
            ("g", "1"),
            ("t", "1"),
            ("e", "1"),
            ("o", "f"),
        ] {
            message.set(name, value);
        }
        assert!(Marks::read(&message).is_some());
        for part in ["2/2", "0/0", "x", "1/x"] {
            let mut wrong = message.clone();
            wrong.set("p", part);
            assert_eq!(Marks::read(&wrong), None, "{part}");
        }
    }
}
