//! Whether a viewer's media came in their order.

use crate::stream::ChunkKind;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// A chunk as it was in the ring.
#[derive(Debug)]
pub struct Known {
    pub kind: ChunkKind,
    pub payload: Bytes,
}

/// Where a viewer is among the chunks that ever were.
pub struct Order<'a> {
    known: &'a BTreeMap<u64, Known>,
    inits: &'a [Bytes],
    /// Of the chunk that comes next, if nothing is left out.
    next: Option<u64>,
    after_init: bool,
    /// All of them, one after another.
    pub bytes: BytesMut,
}

pub enum Went {
    Init,
    On,
    Skipped,
}

impl<'a> Order<'a> {
    pub fn new(known: &'a BTreeMap<u64, Known>, inits: &'a [Bytes]) -> Order<'a> {
        Order {
            known,
            inits,
            next: None,
            after_init: false,
            bytes: BytesMut::new(),
        }
    }

    /// Where nothing but their bytes tells chunks apart: the length of the one that `bytes` begin
    /// with, if all of it is there.
    pub fn length_of_next(&self, bytes: &[u8]) -> Option<usize> {
        let known = self.known.range(self.next.unwrap_or(0)..);
        let chunks = known.map(|(_, known)| &known.payload);
        let mut payloads = self.inits.iter().chain(chunks);
        let next = payloads.find(|payload| bytes.starts_with(payload))?;
        Some(next.len())
    }

    pub fn next(&mut self, payload: &[u8]) -> Went {
        self.bytes.extend_from_slice(payload);
        let is_same = |known: &Known| known.payload == payload;
        if payload.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
            assert!(self.inits.iter().any(|init| init == payload));
            // In its place in the ring, if there it is.
            if let Some(next) = self.next
                && self.known.get(&next).is_some_and(is_same)
            {
                self.next = Some(next + 1);
            }
            self.after_init = true;
            return Went::Init;
        }
        let from = self.next.unwrap_or(0);
        let found = self
            .known
            .range(from..)
            .find(|(_, known)| known.kind != ChunkKind::Init && is_same(known));
        let (&sequence, known) = found.expect("a chunk that is newer than the last");
        let is_next = self.next == Some(sequence);
        assert!(
            is_next || known.kind == ChunkKind::JoinPoint,
            "a gap that does not end at a join point"
        );
        self.next = Some(sequence + 1);
        if std::mem::take(&mut self.after_init) || is_next {
            Went::On
        } else {
            Went::Skipped
        }
    }
}
