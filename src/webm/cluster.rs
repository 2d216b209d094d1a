//! Writes blocks into Clusters of our own: one for each GOP, of unknown size.
//!
//! ```text
//! Cluster 1F43B675 01FFFFFFFFFFFFFF | Timestamp E7 8n … | block | block | …
//! ```
//!
//! A Firefox player loses the picture at every Cluster that does not begin with a keyframe, so
//! the publisher's own Clusters are not kept. A GOP too long for the blocks' 16-bit timestamps
//! goes on in a further Cluster.

use super::block::BlockElement;
use super::element::ElementId;
use super::vint::{uint_bytes, write_size};
use bytes::{BufMut, BytesMut};

/// A size of all ones, eight bytes long: the end is found, not told.
pub const UNKNOWN_SIZE: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/// Most bytes that opening a Cluster adds before a block.
pub const CLUSTER_HEAD_MAX: usize = 4 + 8 + 2 + 8;

/// Where the open Cluster began.
#[derive(Debug, Default)]
pub struct ClusterWriter {
    /// Milliseconds; `None` before the first Cluster.
    timestamp_ms: Option<u64>,
}

/// Where a block stands in what viewers get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    pub track_number: u8,
    pub timestamp_ms: u64,
    /// Whether a Cluster begins with it.
    pub opens_cluster: bool,
}

impl ClusterWriter {
    pub fn new() -> ClusterWriter {
        ClusterWriter::default()
    }

    /// Appends one block to `out`, with its track number and time set in it, and before it the head
    /// of a new Cluster if `placement` says so or the open one cannot hold it.
    pub fn write(&mut self, out: &mut BytesMut, block: &BlockElement, placement: Placement) {
        let Placement {
            track_number,
            timestamp_ms,
            opens_cluster,
        } = placement;
        let relative = self
            .timestamp_ms
            .filter(|_| !opens_cluster)
            .and_then(|cluster_ms| {
                i64::try_from(timestamp_ms)
                    .ok()?
                    .checked_sub_unsigned(cluster_ms)
            })
            .and_then(|relative| i16::try_from(relative).ok());
        let relative = relative.unwrap_or_else(|| {
            write_cluster_head(out, timestamp_ms);
            self.timestamp_ms = Some(timestamp_ms);
            0
        });
        let track_at = out.len() + block.track_at;
        out.put_slice(&block.bytes);
        out[track_at] = 0x80 | track_number;
        out[track_at + 1..track_at + 3].copy_from_slice(&relative.to_be_bytes());
    }
}

/// Writes the head of a Cluster of unknown size that begins at `timestamp`, in units of TimestampScale.
pub fn write_cluster_head(out: &mut BytesMut, timestamp: u64) {
    let (bytes, length) = uint_bytes(timestamp);
    ElementId::CLUSTER.write(out);
    out.put_slice(&UNKNOWN_SIZE);
    ElementId::TIMESTAMP.write(out);
    write_size(out, length as u64);
    out.put_slice(&bytes[..length]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn at(track_number: u8, timestamp_ms: u64, opens_cluster: bool) -> Placement {
        Placement {
            track_number,
            timestamp_ms,
            opens_cluster,
        }
    }

    fn block() -> BlockElement {
        BlockElement {
            bytes: Bytes::from_static(b"\xa3\x85\x80\0\0\x80f"),
            track_at: 2,
            frame_length: 1,
        }
    }

    #[test]
    fn gop_is_one_cluster_with_relative_timestamps() {
        let mut writer = ClusterWriter::new();
        let mut out = BytesMut::new();
        writer.write(&mut out, &block(), at(1, 5043, true));
        let head = b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff\xe7\x82\x13\xb3";
        assert_eq!(&out[..16], head);
        assert_eq!(&out[16..], b"\xa3\x85\x81\0\0\x80f");
        out.clear();
        writer.write(&mut out, &block(), at(2, 5049, false));
        assert_eq!(&out[..], b"\xa3\x85\x82\0\x06\x80f");
    }

    #[test]
    fn a_gop_beyond_16_bits_goes_on_in_a_further_cluster() {
        let mut writer = ClusterWriter::new();
        let mut out = BytesMut::new();
        writer.write(&mut out, &block(), at(1, 100, true));
        out.clear();
        writer.write(&mut out, &block(), at(1, 100 + 32767, false));
        assert_eq!(&out[..], b"\xa3\x85\x81\x7f\xff\x80f");
        out.clear();
        writer.write(&mut out, &block(), at(1, 100 + 32768, false));
        assert_eq!(&out[..4], b"\x1f\x43\xb6\x75");
    }
}
