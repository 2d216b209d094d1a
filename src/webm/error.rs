//! Why a byte stream is not WebM that we can carry.

use super::element::ElementId;

/// What is wrong with a publisher's bytes, and where. Offsets count from the first byte of the
/// publisher's connection (or of the file).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebmError {
    #[error("not WebM: expected EBML header at byte {offset}")]
    NotWebm { offset: u64 },
    #[error("not WebM: DocType {doc_type:?} at byte {offset}, expected webm or matroska")]
    DocType { offset: u64, doc_type: String },
    #[error("no valid element ID or size at byte {offset}")]
    ElementHead { offset: u64 },
    #[error("{id} of {size} bytes at byte {offset}, limit {limit}")]
    ElementTooLarge {
        offset: u64,
        id: ElementId,
        size: u64,
        limit: u64,
    },
    #[error("{id} at byte {offset} has no size: only Segment and Cluster may")]
    UnknownSize { offset: u64, id: ElementId },
    #[error("{id} at byte {offset} reaches past the end of the element around it")]
    Overrun { offset: u64, id: ElementId },
    #[error("{id} at byte {offset} does not belong there")]
    Misplaced { offset: u64, id: ElementId },
    #[error("malformed {id} at byte {offset}")]
    Malformed { offset: u64, id: ElementId },
    #[error("Cluster at byte {offset} comes before any Tracks")]
    NoTracks { offset: u64 },
    #[error("no picture and no sound among the tracks before byte {offset}")]
    NothingPlayed { offset: u64 },
    #[error("{tracks} tracks at byte {offset}, limit {limit}")]
    TooManyTracks {
        offset: u64,
        tracks: usize,
        limit: usize,
    },
    #[error("block at byte {offset} comes before its Cluster's Timestamp")]
    NoTimestamp { offset: u64 },
    #[error("timestamp out of range at byte {offset}")]
    TimestampRange { offset: u64 },
    /// Known only at the end of the input.
    #[error("ends inside an element, at byte {offset}")]
    BrokenOff { offset: u64 },
}

impl WebmError {
    /// Whether the bytes are some other format altogether, rather than broken WebM.
    pub fn is_other_format(&self) -> bool {
        matches!(
            self,
            WebmError::NotWebm { .. } | WebmError::DocType { .. } | WebmError::NothingPlayed { .. }
        )
    }

    /// Where the trouble begins.
    pub fn offset(&self) -> u64 {
        match *self {
            WebmError::NotWebm { offset }
            | WebmError::DocType { offset, .. }
            | WebmError::ElementHead { offset }
            | WebmError::ElementTooLarge { offset, .. }
            | WebmError::UnknownSize { offset, .. }
            | WebmError::Overrun { offset, .. }
            | WebmError::Misplaced { offset, .. }
            | WebmError::Malformed { offset, .. }
            | WebmError::NoTracks { offset }
            | WebmError::NothingPlayed { offset }
            | WebmError::TooManyTracks { offset, .. }
            | WebmError::NoTimestamp { offset }
            | WebmError::TimestampRange { offset }
            | WebmError::BrokenOff { offset } => offset,
        }
    }
}
