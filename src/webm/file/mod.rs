//! Recordings as files: playable while they grow, seekable when they are finished.
//!
//! [`FileWriter`] writes one: chunks of whole elements go in through [`FileWriter::push`], and
//! [`FileWriter::finish`] writes what a player needs to seek. [`cut_off()`] reads a file that was never
//! finished, and gives the writer that finishes it. `record` and `repair` share this code.
//!
//! ```text
//! EBML header
//! Segment (unknown size)                     its size, last of all
//! ├─ SeekHead  Info, Tracks, Void            Cues in place of Void
//! ├─ Info      …, Void                       Duration in place of Void
//! ├─ Tracks
//! ├─ Void      the reserve                   Cues, if they fit
//! ├─ Cluster   one GOP, of unknown size      its size, once the next begins
//! └─ …                                       Cues, if the reserve was too small
//! ```
//!
//! Nothing moves when a file is finished: each part is written over a Void or a size of the same
//! length. The size of the Segment is written last, and only after all else is on disk, so it says
//! whether a file is finished. A crash at any byte before leaves a file that [`cut_off()`] reads.
//!
//! [`Elements`] reads a file that grows, from any element on. The writer is generic over its file: see
//! [`Storage`].

mod cues;
mod cut_off;
mod describe;
mod elements;
mod head;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
#[cfg(test)]
mod tests;
mod window;
mod writer;

pub use cut_off::{CutOff, cut_off};
pub use describe::{describe, first_keyframe};
pub use elements::{Element, Elements, Open};
pub use writer::{FileWriter, Finished};

use std::io;

/// A file, as the writer sees it. Positions are absolute, and no call moves another's.
pub trait Storage {
    /// Writes some of `bytes` at this position, at least one, and returns how many.
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<usize>;

    /// Reads some bytes at this position. 0 means that the file ends there.
    fn read_at(&mut self, buffer: &mut [u8], at: u64) -> io::Result<usize>;

    /// Returns once all that was written is on disk.
    fn sync(&mut self) -> io::Result<()>;

    /// Bytes of the file.
    fn size(&mut self) -> io::Result<u64>;

    /// Drops all bytes from this position on.
    fn truncate(&mut self, size: u64) -> io::Result<()>;
}

/// Writes all of `bytes`.
fn write_all_at(storage: &mut impl Storage, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match storage.write_at(bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(length) => {
                bytes = &bytes[length..];
                at += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
