//! The old relay of node-videostream, as it treats messages: it has no bound.
//!
//! A page sends a message once the one before has come back to it, so that the order in which the server
//! took them is known: it is the order of this log.

use super::media::{Mark, marks};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use videostream::compat::Port;

/// All messages that a page has sent, and how many have come back to it.
#[derive(Debug, Default)]
pub struct Original {
    log: RefCell<Vec<Message>>,
    returned: Cell<usize>,
    /// Its own listeners that are connected.
    listeners: Cell<usize>,
    is_broken: Cell<bool>,
    /// Bytes of messages that the server keeps.
    kept_bytes: Cell<usize>,
}

pub type Log = Rc<Original>;

#[derive(Debug)]
struct Message {
    is_blob: bool,
    bytes: Vec<u8>,
}

/// What a message costs beside its bytes, as `compat` counts it.
const MESSAGE_OVERHEAD: usize = 192;

/// Where a listener may stand: how many messages the server had taken when it came, if it came then.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// What comes before the messages from `next` on: the blob so far.
    first: Option<usize>,
    next: usize,
}

/// What one listener may still be sent.
#[derive(Debug, Default)]
pub struct Expected {
    places: Vec<Place>,
    /// Messages that had come back when it asked.
    since: usize,
    has_begun: bool,
}

impl Original {
    pub fn new(kept_bytes: usize) -> Log {
        Rc::new(Original {
            kept_bytes: Cell::new(kept_bytes),
            ..Original::default()
        })
    }

    pub fn send(&self, is_blob: bool, bytes: Vec<u8>) {
        self.log.borrow_mut().push(Message { is_blob, bytes });
    }

    /// Memory is short: the server keeps its newest message, and as many before that as it sees fit.
    pub fn set_short(&self) {
        self.kept_bytes.set(0);
    }

    /// Whether the server may have let go of a message by the time that it had taken so many.
    fn may_be_gone(&self, index: usize, messages: usize) -> bool {
        let log = self.log.borrow();
        let newer = log[index..messages].iter();
        let bytes: usize = newer
            .map(|message| message.bytes.len() + MESSAGE_OVERHEAD)
            .sum();
        index + 1 < messages && bytes > self.kept_bytes.get()
    }

    /// The blob that is current after so many messages.
    fn blob(&self, messages: usize) -> Option<usize> {
        let log = self.log.borrow();
        log[..messages].iter().rposition(|message| message.is_blob)
    }

    pub fn sent(&self) -> usize {
        self.log.borrow().len()
    }

    /// A message of this port has come back to its page.
    pub fn note_return(&self) {
        self.returned.set(self.returned.get() + 1);
    }

    pub fn note_listener(&self) {
        self.listeners.set(self.listeners.get() + 1);
    }

    /// Whether all that is sent comes back.
    pub fn is_ready(&self) -> bool {
        self.listeners.get() == 2
    }

    /// Whether a message did not come back, as was told.
    pub fn is_broken(&self) -> bool {
        self.is_broken.get()
    }

    pub fn set_broken(&self) {
        self.is_broken.set(true);
    }

    pub fn returned(&self) -> usize {
        self.returned.get()
    }

    /// What a newcomer gets of so many messages, in one: the blob and what has come since.
    fn buffer(&self, messages: usize) -> Vec<u8> {
        let log = self.log.borrow();
        let begin = log[..messages].iter().rposition(|message| message.is_blob);
        let rest = log[begin.unwrap_or(0)..messages].iter();
        rest.flat_map(|message| message.bytes.iter().copied())
            .collect()
    }

    /// Whether the current blob may have lost its beginning by the time that the server had taken so many messages.
    fn has_lost_blob(&self, messages: usize) -> bool {
        self.blob(messages)
            .is_some_and(|blob| self.may_be_gone(blob, messages))
    }

    /// Whether these are the newest pictures of so many messages, from a keyframe on, behind a head.
    fn is_shorter_blob(&self, bytes: &[u8], messages: usize) -> bool {
        let whole = self.buffer(messages);
        let (all, length) = marks(&whole);
        let (got, got_length) = marks(bytes);
        let begins_well = got.first().is_some_and(|mark: &Mark| mark.is_keyframe);
        let is_whole = length == whole.len() && got_length == bytes.len();
        begins_well && is_whole && all.ends_with(&got) && bytes.starts_with(&[0x1a, 0x45, 0xdf])
    }

    fn next_of(&self, port: Port, from: usize) -> Option<usize> {
        let log = self.log.borrow();
        let wanted = |message: &Message| message.is_blob == (port == Port::BlobsOut);
        let found = log.get(from..)?.iter().position(wanted);
        found.map(|place| from + place)
    }
}

impl Expected {
    /// A listener that asks now.
    pub fn ask(log: &Original) -> Expected {
        Expected {
            places: Vec::new(),
            since: log.returned(),
            has_begun: false,
        }
    }

    /// Takes a message. Returns what is wrong with it.
    pub fn take(&mut self, log: &Original, port: Port, bytes: &[u8]) -> Result<(), String> {
        if !self.has_begun {
            self.begin(log, port);
        }
        let is = |index: usize| log.log.borrow()[index].bytes == bytes;
        let mut rest = Vec::new();
        for place in &self.places {
            let after = match place.first {
                Some(messages) => {
                    let is_it = log.buffer(messages) == bytes
                        || (log.has_lost_blob(messages) && log.is_shorter_blob(bytes, messages));
                    is_it.then_some(messages)
                }
                None => {
                    // One that is slow passes over blobs that are kept no longer.
                    let passes_over =
                        |index| port == Port::BlobsOut && log.may_be_gone(index, log.sent());
                    let mut next = log.next_of(port, place.next);
                    while let Some(index) = next.filter(|&index| !is(index) && passes_over(index)) {
                        next = log.next_of(port, index + 1);
                    }
                    next.filter(|&index| is(index)).map(|index| index + 1)
                }
            };
            rest.extend(after.map(|next| Place { first: None, next }));
        }
        rest.dedup();
        if rest.is_empty() {
            return Err(format!(
                "{} bytes that the old relay would not have sent it: {:?}",
                bytes.len(),
                self.places.first()
            ));
        }
        self.places = rest;
        self.has_begun = true;
        Ok(())
    }

    /// All places at which it may have come, now that its first message has.
    fn begin(&mut self, log: &Original, port: Port) {
        for messages in self.since..=log.sent() {
            let has_buffer = port == Port::ChunksOut && !log.buffer(messages).is_empty();
            self.places.push(Place {
                first: has_buffer.then_some(messages),
                next: messages,
            });
            // Where no blob can be joined, it waits for the next, which its other port gets.
            let is_blob = |index: usize| log.log.borrow()[index].is_blob;
            if messages > self.since && is_blob(messages - 1) && log.has_lost_blob(messages - 1) {
                let (first, next) = (None, messages);
                self.places.push(Place { first, next });
            }
        }
    }

    /// Whether it has been given all, wherever it stands.
    pub fn is_level(&self, log: &Original, port: Port) -> bool {
        let is_behind = |place: &Place| log.next_of(port, place.next).is_some();
        !self.has_begun || !self.places.iter().all(is_behind)
    }
}
