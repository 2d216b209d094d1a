//! Viewers behind live: where they begin, and what the archive thread reads for them.
//!
//! ```text
//! ?t=-SECONDS ─► place_behind ─┬─► ring: a cursor
//!                              └─► recording: Task::Stretch ─► Reach ─► replay ─► ring
//! ```

use super::Hub;
use super::archive::JOBS_MAX;
use crate::record::{From, Reach, Task};
use crate::session::viewer::Viewer;
use crate::session::{SessionId, Socket, TimeShift};
use crate::stream::{Chunk, Held, StreamId};
use std::time::Duration;

/// Where a viewer behind live begins.
#[derive(Debug)]
pub struct Start {
    /// How far back that is, as far as it is known.
    pub behind_ms: u64,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// At this chunk of the ring.
    Ring(u64),
    Recording(From),
}

impl Start {
    pub fn apply(self, viewer: Viewer) -> Viewer {
        match self.place {
            Place::Ring(sequence) => {
                viewer.behind(TimeShift::new(self.behind_ms, None), Some(sequence))
            }
            Place::Recording(from) => {
                viewer.behind(TimeShift::new(self.behind_ms, Some(from)), None)
            }
        }
    }
}

impl<S: Socket> Hub<S> {
    /// Where a viewer that wants to be this far behind begins. `None`: there is nothing behind live.
    pub(super) fn place_behind(&self, id: StreamId, back: Duration) -> Option<Start> {
        if back.is_zero() {
            return None;
        }
        let stream = self.streams.stream(id);
        let now_ms = stream.now_ms();
        let back_ms = u64::try_from(back.as_millis()).unwrap_or(u64::MAX);
        let came_ms = now_ms.saturating_sub(back_ms);
        let in_ring = stream.join_point_at(came_ms);
        let recorded_ms = self.recorded_from_ms(stream.name(), stream.generation());
        let is_older = |chunk: &Chunk| {
            chunk.came_ms > came_ms && recorded_ms.is_some_and(|from_ms| from_ms < chunk.came_ms)
        };
        match (in_ring, recorded_ms) {
            (Some(chunk), _) if !is_older(chunk) => Some(Start {
                behind_ms: now_ms.saturating_sub(chunk.came_ms),
                place: Place::Ring(chunk.sequence),
            }),
            (_, Some(from_ms)) => Some(Start {
                behind_ms: now_ms.saturating_sub(came_ms.max(from_ms)),
                place: Place::Recording(From::Came(came_ms)),
            }),
            (_, None) => None,
        }
    }

    /// How far back one can go.
    pub(super) fn back_ms(&self, id: StreamId) -> u64 {
        let stream = self.streams.stream(id);
        let in_ring = stream.oldest_join_point().map(|chunk| chunk.came_ms);
        let recorded_ms = self.recorded_from_ms(stream.name(), stream.generation());
        let oldest_ms = in_ring.into_iter().chain(recorded_ms).min();
        oldest_ms.map_or(0, |oldest_ms| stream.now_ms().saturating_sub(oldest_ms))
    }

    /// A viewer behind live gets nothing now.
    pub(super) fn hold_viewer(&mut self, id: SessionId, held: Held) {
        let now = self.clock.now();
        let is_full = self.recalls.waiting() >= JOBS_MAX;
        let has_archive = self.recordings.is_some();
        let Some(viewer) = self.sessions[id].viewer_mut() else {
            return;
        };
        let stream = self.streams.stream(viewer.stream());
        if held == Held::Outdated {
            viewer.lose_place();
            self.queue_write(id);
            return;
        }
        let Some(time_shift) = viewer.time_shift_mut() else {
            return;
        };
        let Some(from) = time_shift.wanted(now).cloned() else {
            return;
        };
        if !has_archive {
            self.stretch_came(id, Reach::Gone);
        } else if is_full {
            time_shift.ask_later(now);
        } else {
            time_shift.asked();
            let task = Task::Stretch {
                stream: stream.name().clone(),
                from,
                ring_oldest: stream.ring().oldest(),
            };
            self.recalls.ask(id, task);
        }
    }

    /// The archive thread has read for a viewer.
    pub(super) fn stretch_came(&mut self, id: SessionId, reach: Reach) {
        let now = self.clock.now();
        let Some(viewer) = self.sessions.get_mut(id).and_then(|one| one.viewer_mut()) else {
            return;
        };
        let stream = self.streams.stream(viewer.stream());
        let oldest = stream.oldest_join_point().map(|chunk| chunk.sequence);
        viewer.reached(reach, oldest, now);
        self.queue_write(id);
    }
}
