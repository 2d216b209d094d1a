//! Cuts a live WebM byte stream into recordings and blocks.
//!
//! Bytes go in through [`Segmenter::push`], in pieces of any size. What they hold comes out of
//! [`Segmenter::poll`], until it has nothing more.
//!
//! ```text
//! EBML header, Segment, Info, Tracks | Cluster, SimpleBlock… | Cluster, … | EBML header, …
//! └───────── Recording ────────────┘   └──────── Block, Block, Block ───┘   └ Recording
//! ```
//!
//! A live Cluster or Segment may have unknown size (RFC 8794, section 6.2): it ends where an
//! element begins that cannot be inside it. A recorder's messages end one byte into the next
//! element as a rule, so messages mean nothing here.
//!
//! Where we cut never depends on how the bytes arrived: see `fuzz_targets/any_cut.rs`. A block
//! that arrived in one piece is passed on as a slice of that piece: see `intake`.

use super::block::{BlockElement, Frames, RawBlock, read_block_group, read_simple_block};
use super::element::{ElementHead, ElementId};
use super::error::WebmError;
use super::event::{Block, ClusterHead, Event};
use super::intake::Intake;
use super::keyframe::KeyframeRule;
use super::opus::frame_duration_ns;
use super::tracks::{
    DocType, Recording, TIMESTAMP_SCALE_DEFAULT, Track, read_doc_type, read_info, read_tracks,
};
use super::vint::read_uint;
use crate::work::{self, Work};
use bytes::Bytes;
use std::collections::VecDeque;

/// Bytes of Tracks (and of Info, and of the EBML header) that we read. A recorder's take 60 to 300;
/// fonts and pictures stand elsewhere.
pub const INIT_BYTES_DEFAULT: usize = 1 << 20;

/// Bytes of one block. A 4K keyframe at 50 Mbit/s takes about 1 MB.
pub const BLOCK_BYTES_DEFAULT: usize = 4 << 20;

/// Latest timestamp: some 139 years in milliseconds, so that the wall clock's time will do. Leaves
/// room to add without overflow.
pub const TIMESTAMP_MS_MAX: i64 = 1 << 42;

/// What one publisher may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub init_bytes: usize,
    pub block_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            init_bytes: INIT_BYTES_DEFAULT,
            block_bytes: BLOCK_BYTES_DEFAULT,
        }
    }
}

/// Where in the document the next element stands.
#[derive(Debug, Clone, Copy)]
enum Level {
    /// Before an EBML header.
    Start,
    /// After the EBML header, before its Segment.
    Document,
    Segment,
    Cluster(OpenCluster),
}

#[derive(Debug, Clone, Copy)]
struct OpenCluster {
    offset: u64,
    size: Option<u64>,
    end: Option<u64>,
    /// Ticks; `None` until its Timestamp has come.
    timestamp: Option<u64>,
}

/// What is known of the recording that the bytes are in.
#[derive(Debug)]
struct Head {
    offset: u64,
    doc_type: DocType,
    timestamp_scale: u64,
    duration_ticks: f64,
    tracks: Vec<Track>,
    /// How each of them tells its keyframes.
    keyframe_rules: Vec<KeyframeRule>,
    /// Whether [`Event::Recording`] has been given for it.
    is_reported: bool,
}

/// Bytes in, [`Event`]s out: [`Segmenter::push`], then [`Segmenter::poll`] until it says `None`.
#[derive(Debug)]
pub struct Segmenter {
    limits: Limits,
    level: Level,
    segment_end: Option<u64>,
    head: Option<Head>,
    intake: Intake,
    /// Frames of a lace that wait to be polled.
    unlaced: VecDeque<Block>,
    /// Whether the last poll ended because the work was spent, not the input.
    is_interrupted: bool,
    error: Option<WebmError>,
}

impl Segmenter {
    pub fn new(limits: Limits) -> Segmenter {
        Segmenter {
            limits,
            level: Level::Start,
            segment_end: None,
            head: None,
            intake: Intake::default(),
            unlaced: VecDeque::new(),
            is_interrupted: false,
            error: None,
        }
    }

    /// Adds the next bytes of the stream. [`Segmenter::poll`] must have said `None` before.
    pub fn push(&mut self, bytes: Bytes) {
        debug_assert!(!self.has_input(), "push before poll was done");
        self.intake.push(bytes);
    }

    /// Bytes taken in so far, whether or not they made a whole element.
    pub fn received(&self) -> u64 {
        self.intake.received()
    }

    /// Bytes of memory that an element takes which is not whole yet, and tracks of which no recording
    /// was told yet.
    pub fn held_bytes(&self) -> usize {
        let unreported = self.head.iter().filter(|head| !head.is_reported);
        let tracks = unreported.flat_map(|head| &head.tracks).map(Track::memory);
        self.intake.held_bytes() + tracks.sum::<usize>()
    }

    /// Bytes of the last element, which is cut.
    pub fn unfinished_bytes(&self) -> u64 {
        self.intake.unfinished_bytes()
    }

    /// Whether the bytes so far end between two elements, as a finished file does.
    pub fn is_between_elements(&self) -> bool {
        let inside_known = match self.level {
            Level::Start => self.head.is_none(),
            Level::Document => true,
            Level::Segment => self
                .segment_end
                .is_some_and(|end| end > self.intake.offset()),
            Level::Cluster(cluster) => cluster
                .end
                .or(self.segment_end)
                .is_some_and(|end| end > self.intake.offset()),
        };
        !inside_known && self.intake.is_between_elements()
    }

    /// Whether the bytes so far end between two blocks, or what stands beside them. A Cluster or a
    /// Segment may have been announced to be longer.
    pub fn is_between_blocks(&self) -> bool {
        let is_before_a_segment = match self.level {
            Level::Start => self.head.is_none(),
            Level::Document => true,
            Level::Segment | Level::Cluster(_) => false,
        };
        !is_before_a_segment && self.intake.is_between_elements()
    }

    /// The next thing that the bytes hold; `None` when more of them are needed. After an error,
    /// the same error each time.
    pub fn poll(&mut self) -> Result<Option<Event>, WebmError> {
        self.poll_within(&mut Work::unlimited())
    }

    /// The same, but also `None` when `work` is spent: see [`Segmenter::has_input`].
    pub fn poll_within(&mut self, work: &mut Work) -> Result<Option<Event>, WebmError> {
        self.is_interrupted = false;
        if !self.unlaced.is_empty() {
            self.is_interrupted = work.is_spent();
            work.spend(work::ELEMENT);
            let next = (!self.is_interrupted).then(|| self.unlaced.pop_front());
            return Ok(next.flatten().map(Event::Block));
        }
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let result = self.advance(work);
        // Looked at in place: an event is large, and moved for each block.
        if let Err(error) = &result {
            self.error = Some(error.clone());
            self.intake.clear();
        }
        result
    }

    /// Whether there may be more to poll without another push, because the work was spent before.
    pub fn has_input(&self) -> bool {
        self.is_interrupted || !self.unlaced.is_empty() || self.intake.has_input()
    }

    fn advance(&mut self, work: &mut Work) -> Result<Option<Event>, WebmError> {
        loop {
            if work.is_spent() {
                self.is_interrupted = true;
                return Ok(None);
            }
            work.spend(work::ELEMENT);
            if !self.intake.pass_over() {
                return Ok(None);
            }
            self.leave_ended_levels();
            let is_first = matches!(self.level, Level::Start) && self.head.is_none();
            let Some(head) = self.intake.peek_head(is_first)? else {
                return Ok(None);
            };
            let offset = self.intake.offset();
            let event = match self.level {
                Level::Start => self.at_start(head)?,
                Level::Document => self.in_document(head)?,
                Level::Segment => self.in_segment(head)?,
                Level::Cluster(cluster) => self.in_cluster(head, cluster)?,
            };
            if head.id.has_children() {
                work.spend((self.intake.offset() - offset) * work::BYTE_OF_CHILDREN);
            }
            match event {
                Step::Event(event) => return Ok(Some(event)),
                Step::Again => {}
                Step::Partial => return Ok(None),
            }
        }
    }

    /// A Cluster or Segment of known size ends where it said.
    fn leave_ended_levels(&mut self) {
        if let Level::Cluster(cluster) = self.level
            && (cluster.end == Some(self.intake.offset())
                || self.segment_end == Some(self.intake.offset()))
        {
            self.level = Level::Segment;
        }
        if matches!(self.level, Level::Segment) && self.segment_end == Some(self.intake.offset()) {
            self.level = Level::Start;
        }
    }

    fn at_start(&mut self, head: ElementHead) -> Result<Step, WebmError> {
        match head.id {
            ElementId::EBML => {
                let Some(payload) = self.intake.take_payload(head, self.limits.init_bytes)? else {
                    return Ok(Step::Partial);
                };
                let offset = self.intake.offset() - (head.length + payload.len()) as u64;
                self.head = Some(Head {
                    offset,
                    doc_type: read_doc_type(&payload, offset)?,
                    timestamp_scale: TIMESTAMP_SCALE_DEFAULT,
                    duration_ticks: 0.0,
                    tracks: Vec::new(),
                    keyframe_rules: Vec::new(),
                    is_reported: false,
                });
                self.segment_end = None;
                self.level = Level::Document;
                Ok(Step::Again)
            }
            // Padding after a Segment of known size.
            ElementId::VOID | ElementId::CRC_32 => self.pass_over_element(head),
            id => Err(WebmError::Misplaced {
                offset: self.intake.offset(),
                id,
            }),
        }
    }

    fn in_document(&mut self, head: ElementHead) -> Result<Step, WebmError> {
        match head.id {
            ElementId::SEGMENT => {
                self.intake.consume(head.length);
                self.segment_end = head.size.map(|size| self.intake.offset() + size);
                self.level = Level::Segment;
                Ok(Step::Again)
            }
            ElementId::VOID | ElementId::CRC_32 => self.pass_over_element(head),
            id => Err(WebmError::Misplaced {
                offset: self.intake.offset(),
                id,
            }),
        }
    }

    fn in_segment(&mut self, head: ElementHead) -> Result<Step, WebmError> {
        self.check_fits(head, self.segment_end)?;
        let is_reported = self.head.as_ref().is_some_and(|head| head.is_reported);
        match head.id {
            ElementId::EBML if self.segment_end.is_none() => {
                self.level = Level::Start;
                Ok(Step::Again)
            }
            ElementId::EBML
            | ElementId::SEGMENT
            | ElementId::SIMPLE_BLOCK
            | ElementId::BLOCK_GROUP => Err(WebmError::Misplaced {
                offset: self.intake.offset(),
                id: head.id,
            }),
            ElementId::INFO if !is_reported => {
                let offset = self.intake.offset();
                let Some(payload) = self.intake.take_payload(head, self.limits.init_bytes)? else {
                    return Ok(Step::Partial);
                };
                let info = read_info(&payload).ok_or(WebmError::Malformed {
                    offset,
                    id: head.id,
                })?;
                if let Some(head) = &mut self.head {
                    (head.timestamp_scale, head.duration_ticks) = info;
                }
                Ok(Step::Again)
            }
            ElementId::TRACKS if !is_reported => {
                let offset = self.intake.offset() + head.length as u64;
                let Some(payload) = self.intake.take_payload(head, self.limits.init_bytes)? else {
                    return Ok(Step::Partial);
                };
                let tracks = read_tracks(&payload, offset)?;
                if let Some(head) = &mut self.head {
                    head.keyframe_rules = tracks.iter().map(KeyframeRule::of).collect();
                    head.tracks = tracks;
                }
                Ok(Step::Again)
            }
            ElementId::CLUSTER => self.enter_cluster(head),
            _ => self.pass_over_element(head),
        }
    }

    /// Tells the recording before its first Cluster, and only then enters it.
    fn enter_cluster(&mut self, element: ElementHead) -> Result<Step, WebmError> {
        let offset = self.intake.offset();
        let head = self
            .head
            .as_mut()
            .filter(|head| !head.tracks.is_empty())
            .ok_or(WebmError::NoTracks { offset })?;
        if !head.tracks.iter().any(Track::is_played) {
            return Err(WebmError::NothingPlayed { offset });
        }
        if !head.is_reported {
            head.is_reported = true;
            let duration_ms = head.duration_ticks * head.timestamp_scale as f64 / 1e6;
            return Ok(Step::Event(Event::Recording(Recording {
                offset: head.offset,
                init_length: offset - head.offset,
                doc_type: head.doc_type,
                timestamp_scale: head.timestamp_scale,
                duration_ms: (duration_ms > 0.0).then_some(duration_ms),
                tracks: head.tracks.clone(),
            })));
        }
        self.intake.consume(element.length);
        self.level = Level::Cluster(OpenCluster {
            offset,
            size: element.size,
            end: element.size.map(|size| self.intake.offset() + size),
            timestamp: None,
        });
        Ok(Step::Again)
    }

    fn in_cluster(&mut self, head: ElementHead, cluster: OpenCluster) -> Result<Step, WebmError> {
        if head.id.ends_unknown_cluster() {
            if cluster.end.is_some() {
                return Err(WebmError::Misplaced {
                    offset: self.intake.offset(),
                    id: head.id,
                });
            }
            self.level = Level::Segment;
            return Ok(Step::Again);
        }
        self.check_fits(head, cluster.end.or(self.segment_end))?;
        let offset = self.intake.offset();
        match head.id {
            ElementId::TIMESTAMP => {
                let Some(payload) = self.intake.take_payload(head, 8)? else {
                    return Ok(Step::Partial);
                };
                let ticks = read_uint(&payload).ok_or(WebmError::Malformed {
                    offset,
                    id: head.id,
                })?;
                self.level = Level::Cluster(OpenCluster {
                    timestamp: Some(ticks),
                    ..cluster
                });
                Ok(Step::Event(Event::Cluster(ClusterHead {
                    offset: cluster.offset,
                    size: cluster.size,
                    timestamp_ms: self.milliseconds(ticks, 0, offset)?,
                    ticks,
                })))
            }
            ElementId::SIMPLE_BLOCK | ElementId::BLOCK_GROUP => {
                let Some(element) = self.intake.take_element(head, self.limits.block_bytes)? else {
                    return Ok(Step::Partial);
                };
                let raw = match head.id {
                    ElementId::SIMPLE_BLOCK => read_simple_block(element, head.length),
                    _ => read_block_group(element, head.length),
                };
                let raw = raw.ok_or(WebmError::Malformed {
                    offset,
                    id: head.id,
                })?;
                let ticks = cluster.timestamp.ok_or(WebmError::NoTimestamp { offset })?;
                self.block(raw, ticks, offset)
            }
            _ => self.pass_over_element(head),
        }
    }

    /// Gives a block its track and time; the frames of a lace each their own.
    // Inlined, so that what becomes an event stays in registers: this runs for each block.
    #[inline(always)]
    fn block(&mut self, raw: RawBlock, cluster_ticks: u64, offset: u64) -> Result<Step, WebmError> {
        let timestamp_ms = self.milliseconds(cluster_ticks, raw.relative, offset)?;
        let head = self.head.as_ref().ok_or(WebmError::NoTracks { offset })?;
        let track_number = raw.track_number;
        let Some(track) = head
            .tracks
            .iter()
            .position(|track| track.number == track_number)
        else {
            return Ok(Step::Event(Event::Stray {
                offset,
                track_number,
            }));
        };
        let rule = head.keyframe_rules[track];
        let block = |element: BlockElement, timestamp_ms| Block {
            offset,
            track,
            timestamp_ms,
            keyframe: rule.is_keyframe(element.frame(), raw.keyframe),
            element,
        };
        match raw.frames {
            Frames::One(element) => Ok(Step::Event(Event::Block(block(element, timestamp_ms)))),
            Frames::Laced(frames, duration_ticks) => {
                let count = frames.len() as u64;
                let step_ns = head.tracks[track].default_duration_ns.unwrap_or_else(|| {
                    let lace_ns = duration_ticks
                        .unwrap_or(0)
                        .saturating_mul(head.timestamp_scale);
                    frame_duration_ns(&head.tracks[track], &frames).unwrap_or(lace_ns / count)
                });
                for (element, index) in frames.into_iter().zip(0u64..) {
                    let later_ms = step_ns.saturating_mul(index) / 1_000_000;
                    let later_ms = later_ms.min(TIMESTAMP_MS_MAX as u64) as i64;
                    self.unlaced
                        .push_back(block(element, timestamp_ms + later_ms));
                }
                Ok(match self.unlaced.pop_front() {
                    Some(block) => Step::Event(Event::Block(block)),
                    None => Step::Again,
                })
            }
        }
    }

    /// Ticks of the recording's TimestampScale as whole milliseconds, rounded down.
    fn milliseconds(&self, cluster: u64, relative: i16, offset: u64) -> Result<i64, WebmError> {
        let scale = self
            .head
            .as_ref()
            .map_or(TIMESTAMP_SCALE_DEFAULT, |head| head.timestamp_scale);
        let ticks = i64::try_from(cluster)
            .ok()
            .and_then(|cluster| cluster.checked_add(relative.into()));
        let ms = match scale {
            // Nearly always, and for each block.
            TIMESTAMP_SCALE_DEFAULT => ticks,
            // Nanoseconds that 64 bits do not hold are far out of range: 292 years.
            _ => ticks.and_then(|ticks| {
                let nanoseconds = ticks.checked_mul(scale.try_into().ok()?)?;
                Some(nanoseconds.div_euclid(1_000_000))
            }),
        };
        ms.filter(|ms| (-TIMESTAMP_MS_MAX..=TIMESTAMP_MS_MAX).contains(ms))
            .ok_or(WebmError::TimestampRange { offset })
    }

    fn pass_over_element(&mut self, head: ElementHead) -> Result<Step, WebmError> {
        self.intake.begin_passing_over(head)?;
        Ok(Step::Again)
    }

    fn check_fits(&self, head: ElementHead, end: Option<u64>) -> Result<(), WebmError> {
        let Some(end) = end else { return Ok(()) };
        let element_end = self.intake.offset() + head.length as u64 + head.size.unwrap_or(0);
        if element_end > end {
            return Err(WebmError::Overrun {
                offset: self.intake.offset(),
                id: head.id,
            });
        }
        Ok(())
    }
}

enum Step {
    Event(Event),
    Again,
    Partial,
}

#[cfg(test)]
mod tests;
