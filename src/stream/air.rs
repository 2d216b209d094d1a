//! Whether a stream's media come.

use crate::offline_reason::OfflineReason;

/// Where a stream stands for its viewers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Air {
    /// No publisher has it. The reason is that of the last one.
    Offline(OfflineReason),
    Live,
    /// A publisher has it, but no media have come for `since_ms` milliseconds.
    Stalled {
        since_ms: u64,
    },
}

impl Air {
    pub fn is_live(self) -> bool {
        !matches!(self, Air::Offline(_))
    }
}
