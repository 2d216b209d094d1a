//! When the publisher on air is asked for a keyframe, so that new viewers see a picture.

use crate::session::keyframes::KeyframeMessage;
use std::time::{Duration, Instant};

/// Without a keyframe for this long, the publisher is warned.
const KEYFRAME_WAIT: Duration = Duration::from_secs(10);

/// A recording that has only just begun sends its first keyframe by itself.
const RESTART_WAIT: Duration = Duration::from_secs(3);

/// Least time between two requests for a new recording to one publisher: each costs viewers a
/// little.
const RESTART_PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct KeyframeRequests {
    /// When the last keyframe came.
    keyframe_at: Instant,
    /// GOPs of the stream then.
    gops: u64,
    has_warned: bool,
    restart_asked_at: Option<Instant>,
    /// Whether a viewer would see a picture sooner with a new keyframe.
    is_wanted: bool,
}

impl KeyframeRequests {
    pub fn new(now: Instant) -> KeyframeRequests {
        KeyframeRequests {
            keyframe_at: now,
            gops: 0,
            has_warned: false,
            restart_asked_at: None,
            is_wanted: false,
        }
    }

    /// A publisher has its first media.
    pub fn publisher_came(&mut self, now: Instant) {
        self.keyframe_at = now;
        self.has_warned = false;
    }

    pub fn publisher_left(&mut self) {
        self.is_wanted = false;
    }

    /// A viewer would see a picture sooner with a new keyframe.
    pub fn want(&mut self) {
        self.is_wanted = true;
    }

    /// The stream has so many GOPs by now.
    pub fn note_gops(&mut self, gops: u64, now: Instant) {
        if gops != self.gops {
            self.gops = gops;
            self.keyframe_at = now;
            self.has_warned = false;
            self.is_wanted = false;
        }
    }

    /// The message that the publisher should get now, if any.
    pub fn poll_message(&mut self, now: Instant) -> Option<KeyframeMessage> {
        let since_keyframe = now.saturating_duration_since(self.keyframe_at);
        let has_just_asked = self
            .restart_asked_at
            .is_some_and(|at| now.saturating_duration_since(at) < RESTART_PAUSE);
        if self.is_wanted && !has_just_asked && since_keyframe > RESTART_WAIT {
            self.is_wanted = false;
            self.restart_asked_at = Some(now);
            return Some(KeyframeMessage::Restart);
        }
        if since_keyframe >= KEYFRAME_WAIT && !self.has_warned {
            self.has_warned = true;
            return Some(KeyframeMessage::Warning);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_viewer_causes_a_restart_request_then_a_keyframe_warning() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut requests = KeyframeRequests::new(start);
        requests.publisher_came(start);
        assert_eq!(requests.poll_message(after(5)), None);
        requests.want();
        assert_eq!(
            requests.poll_message(after(6)),
            Some(KeyframeMessage::Restart)
        );
        requests.want();
        assert_eq!(requests.poll_message(after(7)), None);
        assert_eq!(
            requests.poll_message(after(12)),
            Some(KeyframeMessage::Warning)
        );
        assert_eq!(requests.poll_message(after(13)), None);
        assert_eq!(
            requests.poll_message(after(17)),
            Some(KeyframeMessage::Restart)
        );
    }
}
