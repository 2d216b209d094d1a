//! Which streams of other nodes this node takes in: those that have viewers here, or readers of their segments.

use super::following::Following;
use super::{Action, Followed, LEAVE_AFTER, Order, READERS_STAY, Service};
use std::sync::Arc;
use std::time::Instant;

impl Service {
    /// A stream has so many viewers on this node.
    pub fn set_viewers(&mut self, name: &Arc<str>, count: u64, now: Instant) {
        let before = if count == 0 {
            self.viewers.remove(name)
        } else {
            self.viewers.insert(name.clone(), count)
        };
        if before.unwrap_or(0) != count {
            self.tend_follower(name, 0, now);
        }
    }

    /// A client reads segments of a stream from elsewhere.
    pub fn note_reader(&mut self, name: &Arc<str>, now: Instant) {
        if !self.followed.contains_key(name) && !self.published.contains_key(name) {
            self.follow(name, 0, now);
        }
        if let Some(followed) = self.followed.get_mut(name) {
            followed.read_until = Some(now + READERS_STAY);
            if !self.viewers.contains_key(name) {
                followed.leave_at.get_or_insert(now + LEAVE_AFTER);
            }
        }
    }

    /// The hub's publisher for a stream from elsewhere is gone, for whatever reason.
    pub fn feed_gone(&mut self, name: &str, now: Instant) {
        if let Some(followed) = self.followed.get_mut(name) {
            followed.following.feed_gone(now);
        }
    }

    /// Begins to follow a stream, goes on, or leaves it. Media below `epoch` are dropped: it is the epoch of the
    /// publisher that has just left this node, or of the newer one that a publisher here has lost to. So are media
    /// below the last epoch of a publisher that is still here.
    pub(super) fn tend_follower(&mut self, name: &Arc<str>, epoch: u64, now: Instant) {
        let publishing = self.published.get(name);
        let epoch = publishing.map_or(epoch, |one| one.lease.last_epoch().max(epoch));
        let is_published_here = publishing.is_some_and(|one| one.replaced_at.is_none());
        let is_wanted = publishing.is_some() || self.viewers.contains_key(name);
        if is_published_here {
            self.leave(name, false);
        } else if is_wanted {
            if !self.followed.contains_key(name) {
                self.follow(name, epoch, now);
            }
            if let Some(followed) = self.followed.get_mut(name) {
                followed.leave_at = None;
            }
        } else if let Some(followed) = self.followed.get_mut(name) {
            followed.leave_at.get_or_insert(now + LEAVE_AFTER);
        }
    }

    pub(super) fn follow(&mut self, name: &Arc<str>, epoch: u64, now: Instant) {
        let subjects = [self.subjects.media(name), self.subjects.news(name)];
        self.actions.extend(subjects.map(Action::Subscribe));
        self.tell_at = self.tell_at.min(now);
        let followed = Followed {
            following: Following::above(epoch, self.settings.max_lag, now),
            leave_at: None,
            read_until: None,
        };
        self.followed.insert(name.clone(), followed);
    }

    pub(super) fn leave(&mut self, name: &Arc<str>, is_told: bool) {
        if self.followed.remove(name).is_some() {
            let subjects = [self.subjects.media(name), self.subjects.news(name)];
            self.actions.extend(subjects.map(Action::Unsubscribe));
            if is_told {
                self.orders.push_back(Order::Leave { name: name.clone() });
            }
        }
    }
}
