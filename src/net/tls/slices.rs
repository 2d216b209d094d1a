//! What is left of the slices of one write.

use std::io::IoSlice;

/// What is left of the writer's slices.
pub(super) struct Slices<'a> {
    rest: &'a [IoSlice<'a>],
    /// Bytes of the first that are done with.
    offset: usize,
}

impl<'a> Slices<'a> {
    pub(super) fn new(slices: &'a [IoSlice<'a>]) -> Slices<'a> {
        let mut slices = Slices {
            rest: slices,
            offset: 0,
        };
        slices.advance(0);
        slices
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next bytes, and whether no others follow.
    pub(super) fn front(&self) -> Option<(&'a [u8], bool)> {
        let first: &'a IoSlice<'a> = self.rest.first()?;
        Some((&first[self.offset..], self.rest.len() == 1))
    }

    pub(super) fn advance(&mut self, length: usize) {
        self.offset += length;
        while let Some(first) = self.rest.first()
            && self.offset >= first.len()
        {
            self.offset -= first.len();
            self.rest = &self.rest[1..];
        }
    }
}
