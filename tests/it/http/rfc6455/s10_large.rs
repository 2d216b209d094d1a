//! 10: a large message, in fragments as small as they come.

use super::peer::{BINARY, Cut, Lab, Peer, Role, TEXT, close, fragments};
use crate::common::media::{Sample, assert_frames};
use crate::common::viewer::Viewer;

#[test]
fn large_text_in_tiny_fragments_is_one_message() {
    let mut lab = Lab::open("10.1 large text");
    let text = "*".repeat(65_536);
    for size in [1, 64, 256, 1300, 65_535] {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        lab.takes_text(
            &format!("{size} bytes each"),
            &fragments(TEXT, &pieces, b""),
            &[],
        );
    }
}

#[test]
fn whole_recording_in_tiny_fragments_reaches_viewers() {
    let mut lab = Lab::open("10.2 large media");
    let sample = Sample::read("chromium-restart-1");
    let opening = sample.opening();
    let expected = sample.all_frames();
    for size in [1, 64, 256, 1300, 65_536] {
        for cut in [Cut::Whole, Cut::Bytes] {
            let name = format!("large{size}{cut:?}");
            let mut viewer = Viewer::plain(&lab.server, &name);
            let mut peer = Peer::open(&lab.server, Role::Publisher, &name);
            for part in [&sample.bytes[..opening], &sample.bytes[opening..]] {
                let pieces: Vec<&[u8]> = part.chunks(size).collect();
                peer.send(&fragments(BINARY, &pieces, b""), cut);
                viewer.watch(1);
            }
            viewer.watch(expected.len());
            assert_frames(&viewer.screen.frames(), &expected);
            peer.send(&close(1000, b""), cut);
            assert_eq!(peer.hear_out().len(), 1);
            lab.count();
        }
    }
}
