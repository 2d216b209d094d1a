//! 1: lengths at every boundary, in text and in binary messages.

use super::peer::{BINARY, Cut, Lab, Peer, Role, TEXT, close, frame, pong};
use crate::common::media::{Sample, assert_frames};
use crate::common::viewer::Viewer;

const LENGTHS: [usize; 11] = [
    0, 1, 124, 125, 126, 127, 128, 65_535, 65_536, 65_537, 1_000_000,
];

#[test]
fn text_of_any_length_is_ignored_from_viewers_and_refused_from_publishers() {
    let mut lab = Lab::open("1.1 text");
    for length in LENGTHS {
        let text = "*".repeat(length);
        lab.takes_text(
            &format!("{length} bytes"),
            &frame(TEXT, text.as_bytes()),
            &[],
        );
    }
}

#[test]
fn viewers_binary_messages_of_any_length_are_ignored() {
    let mut lab = Lab::open("1.2 binary, viewer");
    for length in LENGTHS {
        let bytes = frame(BINARY, &vec![0xfe; length]);
        lab.answers_to(Role::Viewer, &format!("{length} bytes"), &bytes, &[]);
    }
}

#[test]
fn media_in_binary_messages_of_any_length_reach_viewers() {
    let mut lab = Lab::open("1.2 binary, publisher");
    // 64 KiB and more in one message.
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let opening = sample.opening();
    let expected = sample.all_frames();
    for length in LENGTHS {
        for cut in [Cut::Whole, Cut::Bytes] {
            let name = format!("media{length}{cut:?}");
            let mut viewer = Viewer::plain(&lab.server, &name);
            let mut peer = Peer::open(&lab.server, Role::Publisher, &name);
            // A waiting viewer gets the newest GOP: let it see the first one before the next.
            peer.send(&frame(BINARY, &sample.bytes[..opening]), cut);
            viewer.watch(1);
            let rest = &sample.bytes[opening..];
            let mut bytes = frame(BINARY, &rest[..length.min(rest.len())]);
            for piece in rest[length.min(rest.len())..].chunks(length.max(1000)) {
                bytes.extend(frame(BINARY, piece));
            }
            bytes.extend(frame(super::peer::PING, b"all there?"));
            bytes.extend(close(1000, b""));
            peer.send(&bytes, cut);
            assert_eq!(peer.hear(), Some(pong(b"all there?")));
            viewer.watch(expected.len());
            assert_frames(&viewer.screen.frames(), &expected);
            lab.count();
        }
    }
}

#[test]
fn length_must_have_its_shortest_form() {
    let mut lab = Lab::open("1.3 forms of length");
    for first in [TEXT, BINARY] {
        for length in [0_u16, 1, 125] {
            let head = [&[first, 0xfe][..], &length.to_be_bytes(), &[0; 4]].concat();
            lab.refuses_at_once("16 bits for a short length", &head, 1002);
        }
        for length in [0_u64, 125, 126, 65_535] {
            let head = [&[first, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat();
            lab.refuses_at_once("64 bits for a short length", &head, 1002);
        }
    }
}

#[test]
fn message_over_the_limit_is_refused_at_its_head() {
    let mut lab = Lab::open("1.4 limits");
    for length in [(8_u64 << 20) + 1, 1 << 32, i64::MAX as u64] {
        let head = [&[BINARY, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat();
        lab.refuses_at_once("more than 8 MiB", &head, 1009);
    }
    for length in [1 << 63, u64::MAX] {
        let head = [&[BINARY, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat();
        lab.refuses_at_once("the first bit of a length is 0", &head, 1002);
    }
}

#[test]
fn frame_without_a_mask_is_refused() {
    let mut lab = Lab::open("1.5 masks");
    for first in [
        TEXT,
        BINARY,
        super::peer::PING,
        super::peer::PONG,
        super::peer::CLOSE,
    ] {
        lab.refuses_at_once("no mask", &[first, 0], 1002);
        lab.refuses_at_once("no mask", &[first, 5, b'H', b'e', b'l', b'l', b'o'], 1002);
    }
    lab.refuses_at_once("a long one", &[BINARY, 127, 0, 0, 0, 0, 0, 1, 0, 0], 1002);
    // Any mask will do.
    for mask in [[0; 4], [0xff; 4], [1, 2, 3, 4]] {
        let mut bytes = vec![TEXT, 0x85];
        bytes.extend(mask);
        bytes.extend(
            b"Hello"
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        lab.takes_text("a mask", &bytes, &[]);
    }
}
