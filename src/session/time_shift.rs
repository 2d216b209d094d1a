//! What a viewer that watches behind live has beside its cursor: its pace, and what comes from a
//! recording.
//!
//! It gets the first seconds at once, and the rest when it is due: so an hour back costs no burst. What
//! the ring does not have comes in stretches from the archive thread, one at a time.

use super::viewer::Viewer;
use crate::record::{From, Reach, Stretch};
use crate::stream::{Chunk, Cursor, Held, Next, Replay, Stream};
use std::time::{Duration, Instant};

/// Media that come at once.
const AT_ONCE_MS: u64 = 10_000;

/// A recording that has nothing yet is asked again after this time.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// What happens when a viewer behind live has got an answer of the archive thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// There is something to write, or will be.
    Goes,
    /// There is no recording that has what comes next.
    Lost,
}

#[derive(Debug)]
pub struct TimeShift {
    /// How far back it began.
    behind_ms: u64,
    pace: Option<Pace>,
    replay: Option<Replay>,
    /// What the archive thread is to read next, if the replay does not say.
    wanted: Option<From>,
    rest: Option<From>,
    is_awaited: bool,
    /// When its next media are due.
    due_at: Option<Instant>,
    /// When the archive thread may be asked again.
    ask_at: Option<Instant>,
}

/// What is due when.
#[derive(Debug, Clone, Copy)]
struct Pace {
    began_ms: u64,
    first_ms: u64,
}

impl Pace {
    fn due_ms(&self, timestamp_ms: u64) -> u64 {
        let later_ms = timestamp_ms.saturating_sub(self.first_ms);
        self.began_ms + later_ms.saturating_sub(AT_ONCE_MS)
    }
}

impl TimeShift {
    /// `behind_ms`: how far back it begins, as far as that is known. `from`: what the archive thread is to
    /// read first; `None` for a viewer that begins in the ring.
    pub fn new(behind_ms: u64, from: Option<From>) -> TimeShift {
        TimeShift {
            behind_ms,
            pace: None,
            replay: None,
            wanted: from,
            rest: None,
            is_awaited: false,
            due_at: None,
            ask_at: None,
        }
    }

    /// The next thing for the viewer.
    pub(super) fn next<'a>(
        &'a self,
        cursor: &mut Cursor,
        stream: &'a Stream,
    ) -> Result<Next<'a>, Held> {
        let before = *cursor;
        let next = cursor.next_behind(stream, self.replay.as_ref())?;
        if let (Next::Chunk(chunk), Some(pace)) = (&next, self.pace) {
            let due_ms = pace.due_ms(chunk.timestamp_ms);
            if due_ms > stream.now_ms() {
                *cursor = before;
                return Err(Held::Paced { due_ms });
            }
        }
        Ok(next)
    }

    /// How far behind live the next chunk is, by the clock at which media came.
    pub(super) fn behind_ms(&self, cursor: &Cursor, stream: &Stream) -> u64 {
        let ahead = cursor.ahead(stream, self.replay.as_ref());
        let age_ms = |chunk: &Chunk| stream.now_ms().saturating_sub(chunk.came_ms);
        ahead.map_or(self.behind_ms, age_ms)
    }

    /// Its time begins to run with the first media that it is given.
    pub(super) fn set_out(&mut self, cursor: &Cursor, stream: &Stream) {
        if self.pace.is_none()
            && let Some(first) = cursor.ahead(stream, self.replay.as_ref())
        {
            self.pace = Some(Pace {
                began_ms: stream.now_ms(),
                first_ms: first.timestamp_ms,
            });
        }
    }

    /// It has been written to.
    pub(super) fn written(&mut self, cursor: Cursor) {
        if let Some(replay) = &mut self.replay {
            replay.shorten(cursor);
        }
        self.due_at = None;
    }

    /// It gets nothing now, and why.
    pub(super) fn held(&mut self, held: Held, stream: &Stream, now: Instant) {
        match held {
            Held::Paced { due_ms } => {
                let wait_ms = due_ms.saturating_sub(stream.now_ms());
                self.due_at = Some(now + Duration::from_millis(wait_ms));
            }
            Held::Missing { sequence } => self.want(From::Sequence(sequence)),
            Held::Replayed => {
                if let Some(rest) = self.rest.take() {
                    self.want(rest);
                }
            }
            Held::Outdated => {}
        }
    }

    fn want(&mut self, from: From) {
        if !self.is_awaited {
            self.wanted.get_or_insert(from);
        }
    }

    /// What the archive thread is to read now.
    pub fn wanted(&self, now: Instant) -> Option<&From> {
        let is_time = self.ask_at.is_none_or(|ask_at| now >= ask_at);
        self.wanted.as_ref().filter(|_| !self.is_awaited && is_time)
    }

    /// The archive thread has been asked.
    pub fn asked(&mut self) {
        self.is_awaited = true;
        self.ask_at = None;
    }

    /// It cannot be asked now.
    pub fn ask_later(&mut self, now: Instant) {
        self.ask_at = Some(now + ASK_AGAIN);
    }

    /// The archive thread has answered.
    pub(super) fn reached(&mut self, reach: Reach, cursor: &mut Cursor, now: Instant) -> Reached {
        self.is_awaited = false;
        match reach {
            Reach::Gone => return Reached::Lost,
            Reach::NotYet => self.ask_later(now),
            Reach::Stretch(stretch) => {
                let Stretch {
                    chunks,
                    generation,
                    missed,
                    follows,
                    rest,
                } = stretch;
                self.wanted = None;
                // An init segment, which is no media, is in the ring alone.
                let inits = u64::from(generation != cursor.generation());
                let is_behind_gap = missed > inits;
                self.rest = Some(From::Place(rest));
                self.replay = Some(Replay::new(chunks, follows, is_behind_gap));
                cursor.replay();
            }
        }
        Reached::Goes
    }

    /// Whether it is to be written to now, because its next media are due or it may ask again.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let is_over = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        is_over(self.due_at) || (!self.is_awaited && is_over(self.ask_at))
    }

    /// Whether its next media wait for a deadline.
    #[cfg(feature = "testing")]
    pub fn has_deadline(&self) -> bool {
        self.due_at.is_some()
    }

    /// Whether the archive thread has a job for it.
    #[cfg(feature = "testing")]
    pub fn is_awaited(&self) -> bool {
        self.is_awaited
    }

    /// Bytes of media that it holds.
    pub fn held_bytes(&self) -> usize {
        self.replay.as_ref().map_or(0, Replay::memory)
    }
}

/// What a viewer behind live does that others do not.
impl Viewer {
    /// Watches behind live, from this place in the ring or from what `time_shift` asks for.
    pub fn behind(mut self, time_shift: TimeShift, sequence: Option<u64>) -> Viewer {
        match sequence {
            Some(sequence) => self.cursor = Cursor::at(sequence),
            None => self.cursor.replay(),
        }
        self.time_shift = Some(Box::new(time_shift));
        self
    }

    pub fn time_shift(&self) -> Option<&TimeShift> {
        self.time_shift.as_deref()
    }

    pub fn time_shift_mut(&mut self) -> Option<&mut TimeShift> {
        self.time_shift.as_deref_mut()
    }

    /// The archive thread has answered. `oldest`: the oldest join point in the ring.
    pub fn reached(&mut self, reach: Reach, oldest: Option<u64>, now: Instant) {
        let Some(time_shift) = &mut self.time_shift else {
            return;
        };
        if time_shift.reached(reach, &mut self.cursor, now) == Reached::Lost {
            match oldest.filter(|_| !self.cursor.has_begun()) {
                Some(sequence) => self.cursor = Cursor::at(sequence),
                None => self.lose_place(),
            }
        }
    }

    /// What comes next for it is lost: it skips to the newest join point, and is live.
    pub fn lose_place(&mut self) {
        self.time_shift = None;
        self.cursor.skip();
    }

    /// The next thing for it.
    pub(super) fn next<'a>(
        &'a self,
        cursor: &mut Cursor,
        stream: &'a Stream,
    ) -> Result<Next<'a>, Held> {
        match &self.time_shift {
            None => Ok(cursor.next(stream)),
            Some(time_shift) => time_shift.next(cursor, stream),
        }
    }

    /// Whether there is something for it now.
    #[cfg(feature = "testing")]
    pub fn has_output(&self, stream: &Stream) -> bool {
        let has_deadline = self.time_shift().is_some_and(TimeShift::has_deadline);
        let next = self.next(&mut self.cursor(), stream);
        !has_deadline && next.is_ok_and(|next| !matches!(next, Next::Wait))
    }

    /// How far behind live it is.
    pub(super) fn behind_ms(&self, cursor: &Cursor, stream: &Stream) -> u64 {
        let time_shift = self.time_shift.as_ref();
        time_shift.map_or(0, |time_shift| time_shift.behind_ms(cursor, stream))
    }
}
