//! Reads a file at any position, through a buffer, without reading what it is not asked for.

use super::Storage;
use crate::webm::element::{ElementHead, HEAD_LENGTH_MAX, HeadParse, read_head};
use std::io;

/// Bytes read at once: blocks of sound are read in passing, most pictures are jumped over.
const WINDOW_BYTES: usize = 64 << 10;

/// A buffer over a file. What was written after it was read is not seen.
pub struct Window<'a, S> {
    storage: &'a mut S,
    pub size: u64,
    buffer: Vec<u8>,
    /// Where the buffer begins in the file.
    at: u64,
}

impl<'a, S: Storage> Window<'a, S> {
    pub fn new(storage: &'a mut S) -> io::Result<Window<'a, S>> {
        Ok(Window {
            size: storage.size()?,
            storage,
            buffer: Vec::new(),
            at: 0,
        })
    }

    /// The file itself, to write to.
    pub fn storage(&mut self) -> &mut S {
        self.storage
    }

    /// Up to `length` bytes at this position: fewer where the file ends.
    pub fn peek(&mut self, at: u64, length: usize) -> io::Result<&[u8]> {
        let left = self.size.saturating_sub(at);
        let length = length.min(usize::try_from(left).unwrap_or(usize::MAX));
        let skipped = at
            .checked_sub(self.at)
            .and_then(|n| usize::try_from(n).ok());
        let is_here = skipped.is_some_and(|skipped| {
            skipped
                .checked_add(length)
                .is_some_and(|end| end <= self.buffer.len())
        });
        if !is_here {
            self.fill(at, length.max(WINDOW_BYTES))?;
        }
        let begin = usize::try_from(at - self.at).unwrap_or(usize::MAX);
        let begin = begin.min(self.buffer.len());
        let end = (begin + length).min(self.buffer.len());
        Ok(&self.buffer[begin..end])
    }

    fn fill(&mut self, at: u64, length: usize) -> io::Result<()> {
        self.buffer.resize(length, 0);
        self.at = at;
        let mut filled = 0;
        while filled < length {
            match self
                .storage
                .read_at(&mut self.buffer[filled..], at + filled as u64)
            {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.clear();
                    return Err(error);
                }
            }
        }
        self.buffer.truncate(filled);
        Ok(())
    }

    /// The head of the element at this position; `None` where none begins, or the file ends.
    pub fn head(&mut self, at: u64) -> io::Result<Option<ElementHead>> {
        let parsed = read_head(self.peek(at, HEAD_LENGTH_MAX)?);
        Ok(match parsed {
            HeadParse::Complete(head) => Some(head),
            HeadParse::Partial(_) | HeadParse::Invalid => None,
        })
    }
}
