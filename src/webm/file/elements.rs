//! Reads the Clusters and blocks of a file of ours, from any element on.

use super::writer::{read_block, take_timestamp};
use crate::webm::element::{ElementId, HeadParse, read_head};
use bytes::{Buf, Bytes};

/// Reads elements from a piece of a file that begins where one of them does.
#[derive(Debug)]
pub struct Elements {
    rest: Bytes,
    /// Added to the timestamps of Clusters.
    base_ms: u64,
    open: Open,
}

/// The Cluster that blocks belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// It begins at this time.
    Cluster(u64),
    /// Its first block that is read has this time.
    FirstBlock(u64),
}

/// One element.
#[derive(Debug)]
pub enum Element {
    /// The head of a Cluster, with its Timestamp.
    ClusterHead { timestamp_ms: u64 },
    /// A whole block.
    Block { bytes: Bytes, timestamp_ms: u64 },
}

impl Elements {
    /// `base_ms`: the time at which the file's own time is 0.
    pub fn new(bytes: Bytes, base_ms: u64, open: Open) -> Elements {
        Elements {
            rest: bytes,
            base_ms,
            open,
        }
    }

    /// The Cluster that the next block belongs to.
    pub fn open(&self) -> Open {
        self.open
    }

    /// Bytes that are left: a part of an element, once [`Elements::next`] returns `None`.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// Bytes that the element at the front takes, if they are known.
    pub fn next_length(&self) -> Option<u64> {
        match read_head(&self.rest) {
            HeadParse::Complete(head) if head.id != ElementId::CLUSTER => {
                head.size?.checked_add(head.length as u64)
            }
            _ => None,
        }
    }
}

impl Iterator for Elements {
    type Item = Element;

    /// The next whole element.
    fn next(&mut self) -> Option<Element> {
        let HeadParse::Complete(head) = read_head(&self.rest) else {
            return None;
        };
        if head.id == ElementId::CLUSTER {
            let mut rest = self.rest.slice(head.length..);
            let timestamp_ms = take_timestamp(&mut rest)?.saturating_add(self.base_ms);
            self.rest = rest;
            self.open = Open::Cluster(timestamp_ms);
            return Some(Element::ClusterHead { timestamp_ms });
        }
        let length = usize::try_from(head.size?).ok()?.checked_add(head.length)?;
        let bytes = self.rest.get(..length).map(|_| self.rest.slice(..length))?;
        let relative = i64::from(read_block(head.id, &bytes, head.length)?.relative);
        let timestamp_ms = match self.open {
            Open::Cluster(cluster_ms) => cluster_ms.saturating_add_signed(relative),
            Open::FirstBlock(timestamp_ms) => {
                self.open = Open::Cluster(timestamp_ms.saturating_add_signed(-relative));
                timestamp_ms
            }
        };
        self.rest.advance(length);
        Some(Element::Block {
            bytes,
            timestamp_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webm::write_cluster_head;
    use bytes::BytesMut;

    fn block(relative: i16) -> Vec<u8> {
        let [high, low] = relative.to_be_bytes();
        vec![0xa3, 0x86, 0x81, high, low, 0x80, b'f', b'f']
    }

    fn file() -> Bytes {
        let mut file = BytesMut::new();
        write_cluster_head(&mut file, 500);
        file.extend_from_slice(&block(0));
        file.extend_from_slice(&block(33));
        file.freeze()
    }

    fn times(elements: &mut Elements) -> Vec<u64> {
        let times = elements.map(|element| match element {
            Element::ClusterHead { timestamp_ms } | Element::Block { timestamp_ms, .. } => {
                timestamp_ms
            }
        });
        times.collect()
    }

    #[test]
    fn times_are_those_of_the_stream() {
        let mut elements = Elements::new(file(), 7000, Open::Cluster(0));
        assert_eq!(times(&mut elements), [7500, 7500, 7533]);
        assert_eq!((elements.left(), elements.open()), (0, Open::Cluster(7500)));
    }

    #[test]
    fn piece_may_begin_in_a_cluster_and_end_in_a_block() {
        let file = file();
        let second = file.slice(file.len() - 8..);
        let mut elements = Elements::new(second, 0, Open::FirstBlock(9033));
        assert_eq!(times(&mut elements), [9033]);
        assert_eq!(elements.open(), Open::Cluster(9000));
        for end in 0..file.len() {
            let mut elements = Elements::new(file.slice(..end), 0, Open::Cluster(0));
            let whole = times(&mut elements).len();
            assert_eq!(
                whole,
                usize::from(end >= 16) + usize::from(end >= 24),
                "{end}"
            );
            assert_eq!(
                elements.next_length(),
                (end >= 18).then_some(8).filter(|_| end != 24 && end != 25),
                "{end}"
            );
        }
    }
}
