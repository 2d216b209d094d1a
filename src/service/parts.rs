//! Chunks over the server's `max_payload` travel in parts.

use super::message::Marks;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// Chunks of which some parts have come and some have not. They are sent one after another, so more than
/// one is incomplete only where parts were lost or reordered.
const INCOMPLETE_MAX: usize = 4;

/// Bytes of all of them: a block has 4 MiB at most by default, and an option may say more.
const INCOMPLETE_BYTES_MAX: usize = 64 << 20;

/// Parts of one chunk.
const PARTS_MAX: u32 = 4096;

/// A payload in parts of `part_bytes` at most, each with its index and their number. Nothing is copied.
pub fn split(payload: Bytes, part_bytes: usize) -> impl Iterator<Item = ((u32, u32), Bytes)> {
    let part_bytes = part_bytes.max(1);
    let count = payload.len().div_ceil(part_bytes).max(1) as u32;
    (0..count).map(move |index| {
        let from = index as usize * part_bytes;
        let to = (from + part_bytes).min(payload.len());
        ((index, count), payload.slice(from..to))
    })
}

/// Puts parts together again.
#[derive(Debug, Default)]
pub struct Assembler {
    /// By epoch and sequence.
    incomplete: BTreeMap<(u64, u64), Incomplete>,
}

#[derive(Debug)]
struct Incomplete {
    parts: Vec<Option<Bytes>>,
    missing: u32,
    byte_len: usize,
}

impl Assembler {
    /// Takes a part. Returns the payload once all of its parts have come. What was lost before stays
    /// incomplete, and makes room for the newest.
    pub fn push(&mut self, marks: &Marks, payload: Bytes) -> Option<Bytes> {
        let (index, count) = marks.part;
        if count == 1 {
            return Some(payload);
        }
        if count > PARTS_MAX {
            return None;
        }
        let key = (marks.epoch, marks.sequence);
        let one = self.incomplete.entry(key).or_insert_with(|| Incomplete {
            parts: vec![None; count as usize],
            missing: count,
            byte_len: 0,
        });
        // A part of a chunk that was cut otherwise, or one that has come already.
        let place = one.parts.get_mut(index as usize)?;
        if place.is_some() {
            return None;
        }
        one.byte_len += payload.len();
        one.missing -= 1;
        *place = Some(payload);
        if one.missing == 0 {
            let whole = self.incomplete.remove(&key)?;
            let mut bytes = BytesMut::with_capacity(whole.byte_len);
            for part in whole.parts.into_iter().flatten() {
                bytes.extend_from_slice(&part);
            }
            return Some(bytes.freeze());
        }
        self.make_room();
        None
    }

    fn make_room(&mut self) {
        let held = |one: &BTreeMap<_, Incomplete>| one.values().map(|one| one.byte_len).sum();
        let mut byte_len: usize = held(&self.incomplete);
        while self.incomplete.len() > INCOMPLETE_MAX || byte_len > INCOMPLETE_BYTES_MAX {
            let Some((_, oldest)) = self.incomplete.pop_first() else {
                return;
            };
            byte_len -= oldest.byte_len;
        }
    }

    pub fn clear(&mut self) {
        self.incomplete.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Kind;
    use super::*;
    use proptest::prelude::*;

    fn marks(sequence: u64, part: (u32, u32)) -> Marks {
        Marks {
            kind: Kind::Continuation,
            sequence,
            generation: 1,
            came_ms: 0,
            epoch: 1,
            origin: 1,
            part,
            count: 0,
        }
    }

    /// What happens to the parts of all chunks on their way.
    #[derive(Debug, Clone)]
    enum Mishap {
        Lose(prop::sample::Index),
        Double(prop::sample::Index),
        Swap(prop::sample::Index, prop::sample::Index),
    }

    fn mishap() -> impl Strategy<Value = Mishap> {
        let index = any::<prop::sample::Index>;
        prop_oneof![
            index().prop_map(Mishap::Lose),
            index().prop_map(Mishap::Double),
            (index(), index()).prop_map(|(a, b)| Mishap::Swap(a, b)),
        ]
    }

    proptest! {
        #[test]
        fn parts_make_the_chunk_again_or_nothing(
            lengths in prop::collection::vec(0..40_usize, 1..6),
            part_bytes in 1..20_usize,
            mishaps in prop::collection::vec(mishap(), 0..6),
        ) {
            let chunks: Vec<Bytes> = lengths
                .iter()
                .zip(1_u8..)
                .map(|(&length, byte)| vec![byte; length].into())
                .collect();
            let mut sent: Vec<(Marks, Bytes)> = chunks
                .iter()
                .zip(0..)
                .flat_map(|(chunk, sequence)| {
                    split(chunk.clone(), part_bytes)
                        .map(move |(part, bytes)| (marks(sequence, part), bytes))
                })
                .collect();
            prop_assert!(sent.iter().all(|(_, bytes)| bytes.len() <= part_bytes));
            let is_calm = mishaps.is_empty();
            for mishap in mishaps {
                match mishap {
                    Mishap::Lose(index) if !sent.is_empty() => drop(sent.remove(index.index(sent.len()))),
                    Mishap::Double(index) if !sent.is_empty() => {
                        let one = sent[index.index(sent.len())].clone();
                        sent.push(one);
                    }
                    Mishap::Swap(a, b) if !sent.is_empty() => {
                        let length = sent.len();
                        sent.swap(a.index(length), b.index(length));
                    }
                    _ => {}
                }
            }
            let mut assembler = Assembler::default();
            let mut whole = 0;
            for (marks, bytes) in sent {
                if let Some(bytes) = assembler.push(&marks, bytes) {
                    prop_assert_eq!(&bytes, &chunks[marks.sequence as usize]);
                    whole += 1;
                }
            }
            prop_assert!(!is_calm || whole == chunks.len());
            prop_assert!(assembler.incomplete.len() <= INCOMPLETE_MAX);
        }
    }
}
