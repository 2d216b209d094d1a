//! Media whose every picture says which one it is, and what was sent when.

use super::guards::{Guard, Pass, Right};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
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

/// A stream, and a number of it.
type SegmentName = (&'static str, u64);

/// Everything that was sent, and every fault that was seen.
#[derive(Debug)]
pub struct Ledger {
    /// What the server requires.
    guard: Guard,
    /// Seconds since 1970, by the server's clock.
    unix_s: Cell<u64>,
    has_hook: Cell<bool>,
    drained_at: Cell<Option<Instant>>,
    is_narrow: Cell<bool>,
    /// So much memory was held once that the hub freed some.
    is_short: Cell<bool>,
    /// Recordings of publishers that may not publish.
    forbidden: RefCell<HashSet<u32>>,
    /// By recording, by number: when the server could have had it at the latest, without a fault of its
    /// own.
    sent: RefCell<Vec<Vec<Instant>>>,
    /// Bytes of a recording's pictures, each with its sound: the most that one has.
    picture_bytes: RefCell<HashMap<u32, usize>>,
    /// What a ring holds.
    ring_bytes: Cell<usize>,
    faults: RefCell<Vec<String>>,
    /// When the server could not be in time: it stood still.
    excused: RefCell<Vec<(Instant, Instant)>>,
    /// Delays of honest viewers' pictures.
    delays: RefCell<Delays>,
    counts: Cell<Counts>,
    is_stopping: RefCell<bool>,
    /// The newest recording of an old page.
    page_recording: Cell<u32>,
    /// What each number of a stream meant: its generation and its bytes.
    segments: RefCell<HashMap<SegmentName, (u64, Vec<u8>)>>,
    /// By their first pictures: whole GOPs as viewers got them, and as segments have them.
    gops: RefCell<HashMap<(u32, u32), Vec<u8>>>,
    segment_gops: RefCell<HashMap<(u32, u32), Vec<u8>>>,
}

pub type Books = Rc<Ledger>;

/// What a ring takes for a picture and its sound beside their bytes: as much as for two chunks of 256 bytes each,
/// and their heads.
const PICTURE_OVERHEAD: usize = 2 * (256 + 64);

/// What was tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pictures that viewers were given.
    pub pictures: u64,
    pub skips: u64,
    /// Requests without permission that were refused.
    pub unauthorized: u64,
    /// Requests with the permission that they need, where one is needed.
    pub permitted: u64,
    /// Requests that memory refused, and sessions that it closed.
    pub refused_for_memory: u64,
    pub closed_for_memory: u64,
    /// Publishers and viewers that count for a client behind a proxy.
    pub through_proxy: u64,
    /// Connections and requests that a full server, or too many of one client, were refused for.
    pub full: u64,
    pub handovers: u64,
    /// Blocks found in recordings as viewers got them.
    pub recorded: u64,
    /// GOPs that were lost, and recordings that failed, because of the disk.
    pub gops_lost: u64,
    pub recordings_failed: u64,
    /// Publishers that were warned of that.
    pub recording_warnings: u64,
    /// Pieces of recordings that clients read.
    pub parts: u64,
    /// Messages of the old protocol that listeners got, and listeners that were too slow.
    pub old_messages: u64,
    pub overtaken: u64,
    /// Pictures that viewers behind live were given.
    pub behind: u64,
    /// Segments read to their end, and those compared with what viewers got.
    pub segments: u64,
    pub compared_gops: u64,
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.pictures += other.pictures;
        self.skips += other.skips;
        self.unauthorized += other.unauthorized;
        self.permitted += other.permitted;
        self.refused_for_memory += other.refused_for_memory;
        self.closed_for_memory += other.closed_for_memory;
        self.through_proxy += other.through_proxy;
        self.full += other.full;
        self.handovers += other.handovers;
        self.recorded += other.recorded;
        self.gops_lost += other.gops_lost;
        self.recordings_failed += other.recordings_failed;
        self.recording_warnings += other.recording_warnings;
        self.parts += other.parts;
        self.old_messages += other.old_messages;
        self.overtaken += other.overtaken;
        self.behind += other.behind;
        self.segments += other.segments;
        self.compared_gops += other.compared_gops;
    }
}

/// How long honest viewers' pictures took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delays {
    pub longest: Duration,
    sum: Duration,
    count: u32,
}

impl Delays {
    pub fn mean(&self) -> Duration {
        self.sum / self.count.max(1)
    }

    /// What pictures that only one of two runs has may add to the mean of this one.
    pub fn mean_of_odd(&self, other: &Delays) -> Duration {
        let odd = self.count.abs_diff(other.count);
        self.longest.max(other.longest) * odd / self.count.max(1)
    }
}

impl Ledger {
    pub fn new(guard: Guard, unix_s: u64) -> Ledger {
        Ledger {
            guard,
            unix_s: Cell::new(unix_s),
            has_hook: Cell::default(),
            drained_at: Cell::default(),
            is_narrow: Cell::default(),
            is_short: Cell::default(),
            forbidden: RefCell::default(),
            sent: RefCell::default(),
            picture_bytes: RefCell::default(),
            ring_bytes: Cell::new(usize::MAX),
            faults: RefCell::default(),
            excused: RefCell::default(),
            delays: RefCell::default(),
            counts: Cell::default(),
            is_stopping: RefCell::default(),
            page_recording: Cell::default(),
            segments: RefCell::default(),
            gops: RefCell::default(),
            segment_gops: RefCell::default(),
        }
    }

    /// A number means the same bytes for ever.
    pub fn note_segment(&self, stream: &'static str, number: u64, generation: u64, bytes: &[u8]) {
        let mut segments = self.segments.borrow_mut();
        let is_same = match segments.get(&(stream, number)) {
            Some((of, before)) => *of == generation && before == bytes,
            None => {
                segments.insert((stream, number), (generation, bytes.to_vec()));
                true
            }
        };
        if !is_same {
            self.fault(format!(
                "segment {number} of {stream} is another than before"
            ));
        }
    }

    /// A viewer got a whole GOP.
    pub fn note_gop(&self, bytes: &[u8]) {
        let (marks, _) = marks(bytes);
        let Some(first) = marks.first().filter(|mark| mark.is_keyframe) else {
            return;
        };
        let place = (first.recording, first.number);
        if let Some(of_segment) = self.segment_gops.borrow().get(&place) {
            self.compare_gops(place, bytes, of_segment);
        }
        self.gops.borrow_mut().insert(place, bytes.to_vec());
    }

    /// The same of a segment. Where keyframes come faster than numbers, it has several.
    pub fn note_gop_of_segment(&self, first: Mark, bytes: &[u8], marks: &[Mark]) {
        if marks.iter().filter(|mark| mark.is_keyframe).count() > 1 {
            return;
        }
        let place = (first.recording, first.number);
        if let Some(of_viewer) = self.gops.borrow().get(&place) {
            self.compare_gops(place, of_viewer, bytes);
        }
        self.segment_gops.borrow_mut().insert(place, bytes.to_vec());
    }

    fn compare_gops(&self, place: (u32, u32), of_viewer: &[u8], of_segment: &[u8]) {
        self.count(|counts| counts.compared_gops += 1);
        if of_viewer != of_segment {
            let lengths = (of_viewer.len(), of_segment.len());
            self.fault(format!(
                "the GOP of {place:?} is another for viewers than in its segment: {lengths:?}"
            ));
        }
    }

    /// The server serves its connections, and takes no further request on them.
    pub fn drain(&self, now: Instant) {
        self.drained_at.set(Some(now));
    }

    pub fn set_short(&self) {
        self.is_short.set(true);
    }

    /// Whether memory was so short that what is kept for newcomers may have been shortened.
    pub fn is_short(&self) -> bool {
        self.is_short.get()
    }

    /// Whether a request of this time is the last of its connection.
    pub fn is_last(&self, asked: Instant) -> bool {
        self.drained_at.get().is_some_and(|at| asked >= at)
    }

    /// A web hook decides as well.
    pub fn set_hook(&self) {
        self.has_hook.set(true);
    }

    pub fn has_hook(&self) -> bool {
        self.has_hook.get()
    }

    /// Limits are so low that honest peers may be refused.
    pub fn set_narrow(&self) {
        self.is_narrow.set(true);
    }

    pub fn is_narrow(&self) -> bool {
        self.is_narrow.get()
    }

    pub fn set_unix_s(&self, unix_s: u64) {
        self.unix_s.set(unix_s);
    }

    /// Whether the server permits this now.
    pub fn permits(&self, right: Right, stream: &str, pass: Pass) -> bool {
        self.guard.permits(right, stream, pass, self.unix_s.get())
    }

    /// Whether everybody may do this.
    pub fn is_open(&self, right: Right, stream: &str) -> bool {
        self.permits(right, stream, Pass::Nothing)
    }

    /// No viewer may see anything of this recording.
    pub fn forbid(&self, recording: u32) {
        self.forbidden.borrow_mut().insert(recording);
    }

    pub fn is_forbidden(&self, recording: u32) -> bool {
        self.forbidden.borrow().contains(&recording)
    }

    pub fn new_recording(&self) -> u32 {
        let mut sent = self.sent.borrow_mut();
        sent.push(Vec::new());
        sent.len() as u32 - 1
    }

    /// The recording of an old page's message: a new one for a blob, else the newest of the page.
    pub fn recording_of_page(&self, begins: bool) -> u32 {
        if begins {
            self.page_recording.set(self.new_recording());
        }
        self.page_recording.get()
    }

    /// Notes that the next picture of a recording is sent now. Returns its number.
    pub fn send(&self, recording: u32, now: Instant) -> u32 {
        let pictures = &mut self.sent.borrow_mut()[recording as usize];
        pictures.push(now);
        pictures.len() as u32 - 1
    }

    /// Notes how many bytes the newest picture has, with its sound.
    pub fn note_bytes(&self, recording: u32, bytes: usize) {
        let mut most = self.picture_bytes.borrow_mut();
        let most = most.entry(recording).or_default();
        *most = bytes.max(*most);
    }

    pub fn set_ring_bytes(&self, bytes: usize) {
        self.ring_bytes.set(bytes);
    }

    /// Whether so much has been sent by now, from a picture on, that a ring may hold that one no longer.
    pub fn may_have_left_ring(&self, recording: u32, number: u32, now: Instant) -> bool {
        let sent = self.sent.borrow();
        let sent = &sent[recording as usize];
        let pictures = sent.partition_point(|&at| at <= now) - number as usize;
        let bytes = self.picture_bytes.borrow().get(&recording).copied();
        let most = bytes.map_or(0, |bytes| bytes + PICTURE_OVERHEAD);
        pictures * most > self.ring_bytes.get()
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
        let mut delays = self.delays.borrow_mut();
        delays.longest = delay.max(delays.longest);
        delays.sum += delay;
        delays.count += 1;
    }

    pub fn delays(&self) -> Delays {
        *self.delays.borrow()
    }

    pub fn longest_delay(&self) -> Duration {
        self.delays().longest
    }

    /// The server closes everything from now on.
    pub fn stop(&self) {
        *self.is_stopping.borrow_mut() = true;
    }

    pub fn is_stopping(&self) -> bool {
        *self.is_stopping.borrow()
    }

    /// Counts something that was tried.
    pub fn count(&self, add: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        add(&mut counts);
        self.counts.set(counts);
    }

    pub fn counts(&self) -> Counts {
        self.counts.get()
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

/// The blocks in these bytes, each with the time of its Cluster: those of a whole file, or of a chunk
/// within the Cluster of this time.
pub fn blocks(bytes: &[u8], mut cluster_ms: u64) -> Vec<(u64, &[u8])> {
    let (mut blocks, mut at) = (Vec::new(), 0);
    while let Some((id, head)) = element_head(&bytes[at..]) {
        // What they hold follows their heads, whatever their sizes.
        if [0x1853_8067, 0x1f43_b675].contains(&id) {
            at += head;
            continue;
        }
        let Some((_, payload, length)) = element(&bytes[at..]) else {
            break;
        };
        match id {
            0xe7 => {
                cluster_ms = payload
                    .iter()
                    .fold(0, |ms, &byte| ms << 8 | u64::from(byte))
            }
            0xa3 | 0xa0 => blocks.push((cluster_ms, &bytes[at..at + length])),
            _ => {}
        }
        at += length;
    }
    blocks
}

fn element_head(bytes: &[u8]) -> Option<(u64, usize)> {
    let (id, id_length) = vint(bytes)?;
    let (_, size_length) = vint(&bytes[id_length..])?;
    Some((id, id_length + size_length))
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
