//! Recordings: a thread whose viewer is a file.
//!
//! ```text
//!  hub ── Order: tracks, chunks, left, end ──► [at most --record-queue] ──► recording thread ──► DIR/NAME/TIME.webm
//!   ▲                                                                          │
//!   └───────── News: began, ended, failed ◄────────────────────────────────────┤
//!                                        upkeep thread: cut-off files, retention ◄┘
//! ```
//!
//! The hub taps the ring of a stream as a viewer does, and passes the same chunks on: their memory is
//! shared, and nothing is copied on the loop's side. It knows no file. What the queue does not take is
//! whole GOPs, and is counted: [`Gauge`].
//!
//! - `orders`: what the hub says, and what it hears.
//! - `recorder`: which stream is recorded into which file, and when it is written, synced and finished.
//!   It does no I/O of its own and reads no clock: files are [`Storage`](crate::webm::file::Storage), and
//!   the time comes in.
//! - `folder`, `file_name`: recordings on disk.
//! - `retention`: which ones go.
//! - `archive`: the thread that reads recordings, for clients. `growing`: those that are being written, for
//!   viewers behind live.
//! - `thread`: the recording thread. `upkeep`: the thread that finishes what a crash cut off, and deletes.

mod archive;
mod file_name;
mod folder;
mod gauge;
mod growing;
mod orders;
mod recorder;
mod retention;
#[cfg(test)]
mod tests;
mod thread;
mod upkeep;

#[cfg(feature = "testing")]
pub use archive::perform;
pub use archive::{
    Answer as ArchiveAnswer, Archive, Deletion, Found, Job, Listed, OpenRecording, Opened,
    PIECE_BYTES, Query, Task, Ticket,
};
pub use file_name::FileName;
pub use folder::Folder;
pub use gauge::{Admission, Admitted, Gauge};
#[cfg(feature = "testing")]
pub use growing::ReadAt;
pub use growing::{From, GrowingFiles, Reach, Stretch};
pub use orders::{Event, News, Order, What};
pub use recorder::Ledger;
#[cfg(feature = "testing")]
pub use recorder::{Files, Now, Recorder};
pub use retention::Retention;
pub use thread::RecordThread;

use std::time::Duration;

/// How recordings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long a publisher may be gone without the recording ending.
    pub grace: Duration,
    /// Media that may be in memory of the system alone. Zero: the system decides.
    pub sync: Duration,
}
