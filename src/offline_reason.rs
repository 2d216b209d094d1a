//! Why a stream is offline: one word for streams, messages and the log.

use serde::{Deserialize, Serialize};

/// Why a stream is offline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfflineReason {
    /// The publisher closed as it should, or its owner ended it.
    Ended,
    /// A newer publisher has other tracks. Its init segment follows.
    Replaced,
    /// The connection broke off or went silent, or its bytes were broken. Also what an older or
    /// newer server means by a reason that is missing or unknown here.
    #[default]
    #[serde(other)]
    Lost,
}

impl OfflineReason {
    /// As messages and logs name it.
    pub fn name(self) -> &'static str {
        match self {
            OfflineReason::Ended => "ended",
            OfflineReason::Replaced => "replaced",
            OfflineReason::Lost => "lost",
        }
    }
}
