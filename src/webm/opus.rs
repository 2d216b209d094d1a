//! How long the frames of an Opus packet last.

use super::block::BlockElement;
use super::tracks::Track;

/// How long the frames of a lace last, each: told by an Opus packet's first byte (RFC 6716,
/// section 3.1).
pub(super) fn frame_duration_ns(track: &Track, frames: &[BlockElement]) -> Option<u64> {
    if track.codec_id != "A_OPUS" {
        return None;
    }
    let packet = frames.first()?.frame();
    let &toc = packet.first()?;
    let config = toc >> 3;
    let frame_us = match config {
        0..12 => [10_000, 20_000, 40_000, 60_000][usize::from(config % 4)],
        12..16 => [10_000, 20_000][usize::from(config % 2)],
        _ => [2_500, 5_000, 10_000, 20_000][usize::from(config % 4)],
    };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(packet.get(1)? & 0x3f),
    };
    Some(frame_us * 1000 * count)
}
