//! An invented recording: VP8 and Opus in shape, noise in content, exact in its rate.
//!
//! One GOP of two seconds, played in a loop: 30 frames a second, the first a keyframe four times as
//! large as the others, and 50 packets of sound. Servers and parsers cannot tell it from a camera;
//! a decoder could.

use super::clip::{Clip, Frame, element, simple_block, track_entry};
use super::stamp::{Stamp, Tally};
use crate::webm::ElementId;

const GOP_MS: u64 = 2000;
const FRAMES: u64 = 60;
const PACKETS: u64 = 100;

/// A keyframe is as large as so many other frames.
const KEYFRAME_WEIGHT: u64 = 4;

/// Bytes of a packet of sound: 64 kbit/s, or less where that is more than a quarter of the rate.
const PACKET_BYTES_MAX: u64 = 160;

/// Bytes that a block, and the stamp of a chunk, take beside their frames.
const BLOCK_OVERHEAD: u64 = 9;
const STAMPS_BYTES: u64 = 20 * (Stamp::LENGTH as u64 + BLOCK_OVERHEAD);

const WIDTH: u16 = 1280;
const HEIGHT: u16 = 720;

/// A clip of `bits_per_s`, stamps each 100 ms included.
pub(super) fn clip(bits_per_s: u64) -> Clip {
    let gop_bytes = bits_per_s * GOP_MS / 8000;
    let packet_bytes = (gop_bytes / 4 / PACKETS).clamp(3, PACKET_BYTES_MAX);
    let overhead = (FRAMES + PACKETS) * BLOCK_OVERHEAD + STAMPS_BYTES;
    let video_bytes = gop_bytes.saturating_sub(PACKETS * packet_bytes + overhead);
    let frame_bytes = (video_bytes / (FRAMES - 1 + KEYFRAME_WEIGHT)).max(10);

    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let frames = (0..FRAMES).map(|n| {
        let is_keyframe = n == 0;
        let frame = if is_keyframe {
            vp8_keyframe(frame_bytes * KEYFRAME_WEIGHT, &mut noise)
        } else {
            vp8_frame(frame_bytes, &mut noise)
        };
        (n * GOP_MS / FRAMES, 0, is_keyframe, frame)
    });
    let packets = (0..PACKETS).map(|n| {
        // CELT, full band, 20 ms, stereo, one frame (RFC 6716, 3.1).
        let mut packet = vec![0xfc];
        noise_of(&mut noise_for(n), packet_bytes - 1, &mut packet);
        (n * GOP_MS / PACKETS, 1, true, packet)
    });
    let mut all: Vec<_> = frames.collect();
    all.extend(packets);
    // Stable: the picture comes before the sound of the same time, so that a GOP opens with it.
    all.sort_by_key(|&(due_ms, track, ..)| (due_ms, track));

    let mut clip = Clip::with_tracks(&[
        track_entry(1, 1, "V_VP8", &video()),
        track_entry(2, 2, "A_OPUS", &audio()),
    ]);
    clip.length_ms = GOP_MS;
    clip.frames = all
        .into_iter()
        .map(|(due_ms, track, is_keyframe, frame)| Frame {
            due_ms,
            timestamp_ms: due_ms,
            track,
            opens_cluster: track == 0 && is_keyframe,
            element: simple_block(&frame, is_keyframe),
            tally: Tally::of(&frame),
        })
        .collect();
    clip
}

fn video() -> Vec<u8> {
    let size = [
        element(ElementId::PIXEL_WIDTH, &WIDTH.to_be_bytes()),
        element(ElementId::PIXEL_HEIGHT, &HEIGHT.to_be_bytes()),
    ];
    element(ElementId::VIDEO, &size.concat())
}

fn audio() -> Vec<u8> {
    let format = [
        element(ElementId::SAMPLING_FREQUENCY, &48_000f64.to_be_bytes()),
        element(ElementId::CHANNELS, &[2]),
    ];
    // Version 1, two channels, no pre-skip, 48 kHz (RFC 7845, 5.1).
    let head = b"OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0";
    [
        element(ElementId::CODEC_PRIVATE, head),
        element(ElementId::AUDIO, &format.concat()),
    ]
    .concat()
}

/// Frame tag, start code and size (RFC 6386, 9.1), then noise.
fn vp8_keyframe(length: u64, noise: &mut Noise) -> Vec<u8> {
    let mut frame = vec![0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a];
    frame.extend_from_slice(&WIDTH.to_le_bytes());
    frame.extend_from_slice(&HEIGHT.to_le_bytes());
    noise_of(noise, length - 10, &mut frame);
    frame
}

fn vp8_frame(length: u64, noise: &mut Noise) -> Vec<u8> {
    let mut frame = vec![0x11, 0x02, 0x00];
    noise_of(noise, length - 3, &mut frame);
    frame
}

/// Bytes that do not compress, the same in every run (xorshift).
struct Noise(u64);

fn noise_for(seed: u64) -> Noise {
    Noise(0x2545_f491_4f6c_dd1d ^ (seed + 1))
}

fn noise_of(noise: &mut Noise, length: u64, out: &mut Vec<u8>) {
    let end = out.len() + length as usize;
    while out.len() < end {
        noise.0 ^= noise.0 << 13;
        noise.0 ^= noise.0 >> 7;
        noise.0 ^= noise.0 << 17;
        out.extend_from_slice(&noise.0.to_be_bytes());
    }
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::clip::Playback;
    use super::*;

    #[test]
    fn recording_has_the_requested_rate() {
        for bits_per_s in [64_000, 500_000, 2_500_000, 20_000_000] {
            let mut playback = Playback::new(Arc::new(clip(bits_per_s)), 1);
            playback.take(0, 0);
            let sent: usize = (1..=100).map(|n| playback.take(n * 100, 0).len()).sum();
            let rate = sent as f64 * 8.0 / 10.0 / bits_per_s as f64;
            assert!((0.98..1.02).contains(&rate), "{rate} at {bits_per_s}");
        }
    }

    #[test]
    fn film_is_vp8_and_opus_with_a_keyframe_each_two_seconds() {
        let clip = clip(2_500_000);
        assert_eq!(clip.recording.mime(), "video/webm;codecs=\"vp8,opus\"");
        assert_eq!(
            (
                clip.recording.tracks[0].width,
                clip.recording.tracks[1].channels
            ),
            (1280, 2)
        );
        assert_eq!(clip.length_ms, 2000);
        assert!(clip.frames[0].opens_cluster && clip.frames.is_sorted_by_key(|f| f.due_ms));
        assert_eq!(
            clip.frames
                .iter()
                .filter(|frame| frame.opens_cluster)
                .count(),
            1
        );
        assert_eq!(&clip.frames[0].element.frame()[3..6], b"\x9d\x01\x2a");
    }
}
