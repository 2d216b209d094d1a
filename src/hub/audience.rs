//! One stream's viewers: their sessions, their number, and the sweep that writes to them.

use super::sweep::{Sweep, Swept};
use super::unsent::Unsent;
use crate::session::SessionId;
use std::mem;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Audience {
    /// The viewers' sessions, in no order.
    viewers: Vec<SessionId>,
    counts: ViewerCounts,
    sweep: Sweep,
    /// Whether the stream is on the list of streams to sweep.
    is_sweeping: bool,
    /// Whether chunks have come since the last sweep was ordered.
    is_fresh: bool,
    /// What the kernel may hold for each viewer.
    unsent: Unsent,
    /// Viewers on other nodes.
    elsewhere: u64,
    /// The viewer count that publishers got last.
    count_at_publishers: Option<u64>,
    /// The viewer count that viewers got last.
    count_at_viewers: Option<u64>,
}

/// How many viewers a stream has.
#[derive(Debug, Clone, Copy, Default)]
pub struct ViewerCounts {
    pub websocket: u64,
    pub http: u64,
    pub peak: u64,
    /// Viewers whose sockets were full at the last look at the deadlines.
    pub behind: u64,
}

impl ViewerCounts {
    fn of_transport(&mut self, is_websocket: bool) -> &mut u64 {
        if is_websocket {
            &mut self.websocket
        } else {
            &mut self.http
        }
    }
}

impl Audience {
    pub fn new(unsent: Unsent) -> Audience {
        Audience {
            viewers: Vec::new(),
            counts: ViewerCounts::default(),
            sweep: Sweep::default(),
            is_sweeping: false,
            is_fresh: false,
            unsent,
            elsewhere: 0,
            count_at_publishers: None,
            count_at_viewers: None,
        }
    }

    pub fn len(&self) -> u64 {
        self.viewers.len() as u64
    }

    pub fn set_elsewhere(&mut self, viewers: u64) {
        self.elsewhere = viewers;
    }

    /// The viewers of all nodes.
    pub fn count(&self) -> u64 {
        self.len() + self.elsewhere
    }

    pub fn is_empty(&self) -> bool {
        self.viewers.is_empty()
    }

    pub fn viewers(&self) -> &[SessionId] {
        &self.viewers
    }

    /// Whether chunks have come since the last sweep was ordered.
    pub fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    pub fn counts(&self) -> ViewerCounts {
        self.counts
    }

    pub fn set_behind(&mut self, behind: u64) {
        self.counts.behind = behind;
    }

    /// Adds a viewer; returns its index.
    pub fn join(&mut self, viewer: SessionId, is_websocket: bool) -> usize {
        *self.counts.of_transport(is_websocket) += 1;
        self.viewers.push(viewer);
        self.sweep.joined();
        self.counts.peak = self.counts.peak.max(self.len());
        self.viewers.len() - 1
    }

    /// Takes the viewer at `index` out. Returns the viewer that has its index now, if any.
    pub fn leave(&mut self, index: usize, is_websocket: bool) -> Option<SessionId> {
        *self.counts.of_transport(is_websocket) -= 1;
        self.viewers.swap_remove(index);
        self.viewers.get(index).copied()
    }

    /// The viewer count, if publishers have not got it yet: then they get it now.
    pub fn count_for_publishers(&mut self) -> Option<u64> {
        let count = self.count();
        (self.count_at_publishers.replace(count) != Some(count)).then_some(count)
    }

    /// A new publisher gets the count in any case.
    pub fn repeat_count(&mut self) {
        self.count_at_publishers = None;
    }

    /// The same for viewers.
    pub fn count_for_viewers(&mut self) -> Option<u64> {
        let count = self.count();
        (self.count_at_viewers.replace(count) != Some(count)).then_some(count)
    }

    /// What the kernel may hold for each viewer, in bytes.
    pub fn unsent_bytes(&self) -> u32 {
        self.unsent.bytes()
    }

    /// Follows the stream's bit rate. Returns what the kernel may hold now, if that has changed.
    pub fn follow_bitrate(&mut self, bits_per_s: u64) -> Option<u32> {
        let has_changed = self.unsent.follow(bits_per_s);
        has_changed.then(|| self.unsent.bytes())
    }

    /// New chunks have come: they are for the next sweep.
    pub fn chunks_came(&mut self) {
        self.is_fresh = true;
    }

    /// Orders a sweep if there are new chunks. Returns whether the stream is new among those to sweep.
    pub fn sweep_fresh(&mut self, now: Instant, max_delay: Duration) -> bool {
        if !mem::take(&mut self.is_fresh) || self.is_empty() {
            return false;
        }
        self.sweep.chunks_came(now, max_delay);
        !mem::replace(&mut self.is_sweeping, true)
    }

    /// Orders a visit to every viewer. Returns whether the stream is new among those to sweep.
    pub fn sweep_soon(&mut self, now: Instant) -> bool {
        self.sweep.order_now(now);
        !mem::replace(&mut self.is_sweeping, true)
    }

    /// When the sweep goes on or starts.
    pub fn sweep_at(&self, now: Instant) -> Option<Instant> {
        self.sweep.due(now)
    }

    /// Starts the sweep if its time has come. Returns whether it is under way.
    pub fn set_out(&mut self, now: Instant) -> bool {
        self.sweep.set_out(self.viewers.len(), now);
        self.sweep.is_under_way()
    }

    /// The viewer that is next in the sweep.
    pub fn next_in_sweep(&mut self, now: Instant) -> Option<SessionId> {
        let index = self.sweep.next(self.viewers.len(), now)?;
        Some(self.viewers[index])
    }

    /// The round that has just ended, if one has.
    pub fn poll_swept(&mut self) -> Option<Swept> {
        self.sweep.poll_end()
    }

    /// A slice of the sweep is over. Returns whether the stream stays among those to sweep: the sweep is
    /// under way, or waits for `--max-delay`.
    pub fn end_slice(&mut self, now: Instant) -> bool {
        self.is_sweeping = self.sweep.due(now).is_some();
        self.is_sweeping
    }

    #[cfg(feature = "testing")]
    pub fn is_sweeping(&self) -> bool {
        self.is_sweeping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(slot: usize) -> SessionId {
        SessionId::new(slot, 0)
    }

    #[test]
    fn last_viewer_takes_the_index_of_a_leaving_viewer() {
        let mut audience = Audience::new(Unsent::new(None));
        for slot in [10, 11, 12] {
            audience.join(session(slot), true);
        }
        assert_eq!(audience.leave(0, true), Some(session(12)));
        assert_eq!(audience.leave(1, true), None);
        assert_eq!((audience.len(), audience.counts().peak), (1, 3));
    }

    #[test]
    fn count_is_sent_again_only_when_it_changes_or_for_a_new_publisher() {
        let mut audience = Audience::new(Unsent::new(None));
        assert_eq!(audience.count_for_publishers(), Some(0));
        assert_eq!(audience.count_for_publishers(), None);
        audience.join(session(1), false);
        assert_eq!(audience.count_for_publishers(), Some(1));
        audience.repeat_count();
        assert_eq!(audience.count_for_publishers(), Some(1));
        assert_eq!(audience.count_for_viewers(), Some(1));
        assert_eq!(audience.count_for_viewers(), None);
    }
}
