//! 5: messages in fragments, and control frames between them.

use super::peer::{
    BINARY, BINARY_BEGINS, CLOSE, Cut, LAST, Lab, MORE, PING, PONG, Peer, Role, TEXT, TEXT_BEGINS,
    close, fragments, frame, pong,
};
use crate::common::media::{Sample, assert_frames};
use crate::common::viewer::Viewer;

#[test]
fn control_frames_are_never_in_fragments() {
    let mut lab = Lab::open("5.1 control frames in fragments");
    for first in [PING, PONG, CLOSE] {
        let begin = first & 0x0f;
        for payload in [&b""[..], b"\x03\xe8"] {
            lab.refuses("a beginning", &frame(begin, payload), &[], 1002);
            let bytes = fragments(begin, &[payload, b"more"], b"");
            lab.refuses("two fragments", &bytes, &[], 1002);
        }
        lab.refuses_at_once("one byte", &[begin], 1002);
    }
}

#[test]
fn text_in_fragments_is_one_message() {
    let mut lab = Lab::open("5.2 text in fragments");
    for payloads in [
        &[&b"fragment1"[..], b"fragment2"][..],
        &[b"", b""],
        &[b"", b"", b""],
        &[b"", b"middle", b""],
        &[b"first", b"", b"last"],
        &[b"1", b"2", b"3", b"4", b"5"],
    ] {
        lab.takes_text("on its own", &fragments(TEXT, payloads, b""), &[]);
        let pings = vec![pong(b"between"); payloads.len() - 1];
        let bytes = fragments(TEXT, payloads, &frame(PING, b"between"));
        lab.takes_text("with pings between", &bytes, &pings);
        let bytes = fragments(TEXT, payloads, &frame(PONG, b"between"));
        lab.takes_text("with pongs between", &bytes, &[]);
        let bytes = fragments(TEXT, payloads, b"").repeat(3);
        lab.takes_text("three times", &bytes, &[]);
    }
}

#[test]
fn viewers_binary_message_in_fragments_is_one_message() {
    let mut lab = Lab::open("5.3 binary in fragments, viewer");
    // One message of many fragments is ignored once; see `IGNORED_MAX`.
    let payloads = [&b"\xff\xfe"[..]; 200];
    let bytes = fragments(BINARY, &payloads, b"");
    lab.answers_to(Role::Viewer, "200 fragments", &bytes, &[]);
    let bytes = fragments(BINARY, &payloads[..40], &frame(PING, b"p"));
    let pongs = vec![pong(b"p"); 39];
    lab.answers_to(Role::Viewer, "with pings between", &bytes, &pongs);
}

#[test]
fn media_in_fragments_reach_viewers() {
    let mut lab = Lab::open("5.4 binary in fragments, publisher");
    let sample = Sample::read("chromium-restart-1");
    let opening = sample.opening();
    let expected = sample.all_frames();
    for (size, between) in [
        (1000, Vec::new()),
        (1000, frame(PING, b"between")),
        (5000, frame(PONG, b"between")),
        (10_000, frame(PING, b"")),
    ] {
        for cut in [Cut::Whole, Cut::Bytes] {
            let name = format!("fragments{size}{}{cut:?}", between.len());
            let mut viewer = Viewer::plain(&lab.server, &name);
            let mut peer = Peer::open(&lab.server, Role::Publisher, &name);
            let first: Vec<&[u8]> = sample.bytes[..opening].chunks(size).collect();
            peer.send(&fragments(BINARY, &first, b""), cut);
            viewer.watch(1);
            let rest: Vec<&[u8]> = sample.bytes[opening..].chunks(size).collect();
            for message in rest.chunks(7) {
                peer.send(&fragments(BINARY, message, &between), cut);
            }
            viewer.watch(expected.len());
            assert_frames(&viewer.screen.frames(), &expected);
            peer.send(&close(1000, b""), cut);
            let answers = peer.hear_out();
            let pings = match between.first() {
                Some(&PING) => rest.chunks(7).map(|message| message.len() - 1).sum(),
                _ => 0,
            };
            assert_eq!(answers.len(), pings + 1);
            lab.count();
        }
    }
}

#[test]
fn continuation_without_a_message_is_refused() {
    let mut lab = Lab::open("5.5 continuation of nothing");
    for first in [MORE, LAST] {
        lab.refuses("on its own", &frame(first, b"of what?"), &[], 1002);
        lab.refuses("empty", &frame(first, b""), &[], 1002);
        lab.refuses_at_once("one byte", &[first], 1002);
        let after = [frame(TEXT, b"whole"), frame(first, b"more")].concat();
        lab.refuses_behind_text("after a whole message", &after, &[], 1002);
        let after = [fragments(TEXT, &[b"a", b"b"], b""), frame(first, b"more")].concat();
        lab.refuses_behind_text("after a message in fragments", &after, &[], 1002);
        let after = [frame(PING, b"a"), frame(first, b"more")].concat();
        lab.refuses("after a ping", &after, &[pong(b"a")], 1002);
    }
}

#[test]
fn message_inside_a_message_is_refused() {
    let mut lab = Lab::open("5.6 message inside a message");
    for begin in [TEXT_BEGINS, BINARY_BEGINS] {
        for inside in [TEXT, BINARY, TEXT_BEGINS, BINARY_BEGINS] {
            let bytes = [frame(begin, b"one"), frame(inside, b"two")].concat();
            lab.refuses("after one fragment", &bytes, &[], 1002);
            let bytes = [
                frame(begin, b"one"),
                frame(MORE, b"goes on"),
                frame(PING, b"between"),
                frame(inside, b"two"),
            ];
            let before = [pong(b"between")];
            lab.refuses("after two and a ping", &bytes.concat(), &before, 1002);
            let bytes = [frame(begin, b"one"), vec![inside]].concat();
            lab.refuses_at_once("one byte", &bytes, 1002);
        }
    }
}
