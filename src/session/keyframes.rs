//! The messages to a publisher from which no keyframe comes, so that new viewers see a picture.

use crate::websocket::messages::ToPublisher;
use std::time::{Duration, Instant};

/// Blocks without a keyframe for so long: the publisher is asked for a new recording. One that has
/// only just begun sends its first keyframe by itself.
const RESTART_WAIT: Duration = Duration::from_secs(3);

/// Blocks without a keyframe for so long: the publisher gets a warning.
const WARNING_WAIT: Duration = Duration::from_secs(10);

/// A message that a publisher should get now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyframeMessage {
    /// Please start a new recording.
    Restart,
    /// No keyframe for so long that new viewers wait.
    Warning,
}

impl KeyframeMessage {
    pub fn to_publisher(self) -> ToPublisher {
        match self {
            KeyframeMessage::Restart => ToPublisher::Restart,
            KeyframeMessage::Warning => ToPublisher::Warning {
                code: "keyframe-interval".into(),
                message: "No keyframe arrived for 10 s: new viewers wait.".into(),
            },
        }
    }
}

/// The messages to a candidate that sends blocks but no keyframe, each sent once.
#[derive(Debug, Default)]
pub struct CandidateKeyframes {
    wants_since: Option<Instant>,
    has_asked: bool,
    has_warned: bool,
}

impl CandidateKeyframes {
    pub fn due(&mut self, wants_keyframe: bool, now: Instant) -> Option<KeyframeMessage> {
        if !wants_keyframe {
            self.wants_since = None;
            return None;
        }
        let since = *self.wants_since.get_or_insert(now);
        let waited = now.saturating_duration_since(since);
        if waited >= RESTART_WAIT && !self.has_asked {
            self.has_asked = true;
            return Some(KeyframeMessage::Restart);
        }
        if waited >= WARNING_WAIT && !self.has_warned {
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
    fn candidate_without_keyframes_gets_one_restart_and_one_warning() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut keyframes = CandidateKeyframes::default();
        assert_eq!(keyframes.due(false, after(0)), None);
        assert_eq!(keyframes.due(true, after(5)), None);
        assert_eq!(
            keyframes.due(true, after(8)),
            Some(KeyframeMessage::Restart)
        );
        assert_eq!(keyframes.due(true, after(14)), None);
        assert_eq!(
            keyframes.due(true, after(15)),
            Some(KeyframeMessage::Warning)
        );
        assert_eq!(keyframes.due(true, after(60)), None);
    }
}
