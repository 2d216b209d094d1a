//! Media whose every picture says which one it is, and what was sent when.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use videostream::fuzzing::recording::block;

/// What every picture carries behind its first byte.
const MAGIC: &[u8] = b"~picture";

/// Bytes of a mark.
const MARK_BYTES: usize = MAGIC.len() + 9;

/// Names one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Counts recordings in a simulation.
    pub recording: u32,
    pub number: u32,
    pub is_keyframe: bool,
}

/// Everything that was sent, and every fault that was seen.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By recording, by number: when the server could have had it at the latest, without a fault of its
    /// own.
    sent: RefCell<Vec<Vec<Instant>>>,
    faults: RefCell<Vec<String>>,
    /// When the server could not be in time: it stood still.
    excused: RefCell<Vec<(Instant, Instant)>>,
    /// Longest delay of an honest viewer's picture.
    longest_delay: RefCell<Duration>,
    pictures: RefCell<u64>,
    skips: RefCell<u64>,
    is_stopping: RefCell<bool>,
}

pub type Books = Rc<Ledger>;

impl Ledger {
    pub fn new_recording(&self) -> u32 {
        let mut sent = self.sent.borrow_mut();
        sent.push(Vec::new());
        sent.len() as u32 - 1
    }

    /// Notes that the next picture of a recording is sent now. Returns its number.
    pub fn send(&self, recording: u32, now: Instant) -> u32 {
        let pictures = &mut self.sent.borrow_mut()[recording as usize];
        pictures.push(now);
        pictures.len() as u32 - 1
    }

    pub fn sent_at(&self, recording: u32, number: u32) -> Option<Instant> {
        let sent = self.sent.borrow();
        sent.get(recording as usize)?.get(number as usize).copied()
    }

    pub fn fault(&self, what: String) {
        self.faults.borrow_mut().push(what);
    }

    pub fn first_fault(&self) -> Option<String> {
        self.faults.borrow().first().cloned()
    }

    /// Nothing that was under way between these two can be in time.
    pub fn excuse(&self, from: Instant, until: Instant) {
        self.excused.borrow_mut().push((from, until));
    }

    pub fn is_excused(&self, sent: Instant, came: Instant) -> bool {
        let excused = self.excused.borrow();
        excused
            .iter()
            .any(|&(from, until)| sent < until && came > from)
    }

    /// A picture arrived at a viewer whose link has no backlog.
    pub fn note_delay(&self, sent: Instant, came: Instant) {
        if self.is_excused(sent, came) {
            return;
        }
        let delay = came.saturating_duration_since(sent);
        let mut longest = self.longest_delay.borrow_mut();
        *longest = delay.max(*longest);
    }

    pub fn longest_delay(&self) -> Duration {
        *self.longest_delay.borrow()
    }

    /// The server closes everything from now on.
    pub fn stop(&self) {
        *self.is_stopping.borrow_mut() = true;
    }

    pub fn is_stopping(&self) -> bool {
        *self.is_stopping.borrow()
    }

    pub fn note_picture(&self) {
        *self.pictures.borrow_mut() += 1;
    }

    pub fn note_skip(&self) {
        *self.skips.borrow_mut() += 1;
    }

    /// Pictures that viewers were given, and skips.
    pub fn counts(&self) -> (u64, u64) {
        (*self.pictures.borrow(), *self.skips.borrow())
    }
}

/// A picture in a Cluster of its own, with its mark.
pub fn picture(mark: Mark, timestamp_ms: u64, length: usize) -> Vec<u8> {
    let length = length.max(MARK_BYTES);
    let mut bytes = block(timestamp_ms, mark.is_keyframe, mark.is_keyframe, length);
    let place = bytes.len() - length;
    let mut text = MAGIC.to_vec();
    text.extend(mark.recording.to_be_bytes());
    text.extend(mark.number.to_be_bytes());
    text.push(u8::from(mark.is_keyframe));
    bytes[place..place + MARK_BYTES].copy_from_slice(&text);
    bytes
}

/// The marks in the whole elements at the front of these bytes, and how many bytes those are.
pub fn marks(bytes: &[u8]) -> (Vec<Mark>, usize) {
    let mut marks = Vec::new();
    let mut at = 0;
    while let Some((id, payload, length)) = element(&bytes[at..]) {
        // A block's head has four bytes, a picture's one.
        if id == 0xa3 {
            marks.extend(payload.get(5..).and_then(mark));
        }
        at += length;
    }
    (marks, at)
}

/// Where the last whole block ends: the end of bytes that were cut off anywhere.
pub fn end_of_blocks(bytes: &[u8]) -> usize {
    let (mut at, mut end) = (0, 0);
    while let Some((id, _, length)) = element(&bytes[at..]) {
        at += length;
        if [0xa3, 0xa0].contains(&id) {
            end = at;
        }
    }
    end
}

fn mark(frame: &[u8]) -> Option<Mark> {
    let mark = frame.strip_prefix(MAGIC)?;
    let (recording, rest) = mark.split_first_chunk()?;
    let (number, rest) = rest.split_first_chunk()?;
    Some(Mark {
        recording: u32::from_be_bytes(*recording),
        number: u32::from_be_bytes(*number),
        is_keyframe: rest.first() == Some(&1),
    })
}

/// The element at the front: its id, its payload, and its length. Of one whose size is unknown, the head
/// alone.
fn element(bytes: &[u8]) -> Option<(u64, &[u8], usize)> {
    let (id, id_length) = vint(bytes)?;
    let (size, size_length) = vint(&bytes[id_length..])?;
    let head = id_length + size_length;
    let bits = 1 << (7 * size_length);
    let size = size & (bits - 1);
    if size == bits - 1 {
        return Some((id, &[], head));
    }
    let end = head + usize::try_from(size).ok()?;
    Some((id, bytes.get(head..end)?, end))
}

fn vint(bytes: &[u8]) -> Option<(u64, usize)> {
    let length = 1 + bytes.first()?.leading_zeros() as usize;
    let bytes = bytes.get(..length)?;
    let number = bytes
        .iter()
        .fold(0, |number, &byte| number << 8 | u64::from(byte));
    Some((number, length))
}
