//! The first blocks of a recording wait until all of its tracks have come, or for a second.

use crate::webm::Block;
use bytes::Bytes;
use std::mem;

/// Bytes of a recording's first blocks that wait until all of its tracks have come: more than a
/// second at 30 Mbit/s. Beyond it nothing waits.
const OPENING_BYTES_MAX: usize = 4 << 20;

/// Blocks that wait so. A second of picture and sound is some 110.
const OPENING_BLOCKS_MAX: usize = 1024;

#[derive(Debug, Default)]
pub struct Opening {
    blocks: Vec<Block>,
    /// Invariant: the bytes of all `blocks`.
    byte_len: usize,
}

impl Opening {
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    pub fn byte_len(&self) -> usize {
        self.byte_len
    }

    /// Whether no more blocks should wait.
    pub fn is_full(&self) -> bool {
        self.byte_len > OPENING_BYTES_MAX || self.blocks.len() > OPENING_BLOCKS_MAX
    }

    /// Adds a copy, so that a small block does not keep the whole message alive that it came in.
    pub fn push(&mut self, mut block: Block) {
        block.element.bytes = Bytes::copy_from_slice(&block.element.bytes);
        self.byte_len += block.element.bytes.len();
        self.blocks.push(block);
    }

    pub fn take(&mut self) -> Vec<Block> {
        self.byte_len = 0;
        mem::take(&mut self.blocks)
    }
}
