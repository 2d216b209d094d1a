//! Events: what happens to streams, for a web address of the operator (`--event-url`).
//!
//! ```text
//! hub ── Event ─► id, time ─► Outbox ─► one of a few threads ─ POST ─► the receiver
//!                               ▲                                         │
//!                               └── taken, or tried again later ◄─────────┘
//! ```
//!
//! The hub says what happened, and when. [`Stamps`] makes the body of a request of it, [`Outbox`]
//! decides which body is sent next, and when it is sent again. Neither reads a clock or knows a socket:
//! `net` has the threads.

mod body;
mod outbox;
mod tally;

pub use body::{SIGNATURE, Stamps, signature};
pub use outbox::{Letter, Next, Outbox, THREADS, TRY_TIMEOUT};
pub use tally::Tally;

use crate::offline_reason::OfflineReason;
use std::sync::Arc;
use std::time::Instant;

/// Something that happened to a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub stream: Arc<str>,
    pub at: Instant,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A publisher's media came, and none was on air before.
    PublishStarted,
    /// It left, and did not come back in time.
    PublishEnded {
        reason: OfflineReason,
    },
    RecordingFinished {
        file: String,
        /// Below the server's own address.
        url: String,
        duration_ms: u64,
        bytes: u64,
    },
    FirstViewer,
    LastViewerLeft,
}

impl What {
    /// As bodies name it.
    pub fn name(&self) -> &'static str {
        match self {
            What::PublishStarted => "publish-started",
            What::PublishEnded { .. } => "publish-ended",
            What::RecordingFinished { .. } => "recording-finished",
            What::FirstViewer => "first-viewer",
            What::LastViewerLeft => "last-viewer-left",
        }
    }

    /// Whether any visitor of a page can cause it, as often as the visitor likes.
    fn is_of_viewers(&self) -> bool {
        matches!(self, What::FirstViewer | What::LastViewerLeft)
    }
}
