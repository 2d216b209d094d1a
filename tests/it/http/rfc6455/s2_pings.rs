//! 2: pings and pongs.

use super::peer::{Lab, PING, PONG, frame, pong};

#[test]
fn ping_of_any_length_is_answered_with_its_payload() {
    let mut lab = Lab::open("2.1 pings");
    for length in [0, 1, 8, 124, 125] {
        let payload: Vec<u8> = (0..length).map(|byte| 0xff - byte).collect();
        let what = format!("{length} bytes");
        lab.answers(&what, &frame(PING, &payload), &[pong(&payload)]);
    }
    lab.answers(
        "not UTF-8",
        &frame(PING, b"\0\xff\xfe\xfd"),
        &[pong(b"\0\xff\xfe\xfd")],
    );
}

#[test]
fn longer_ping_is_refused_at_its_head() {
    let mut lab = Lab::open("2.2 long pings");
    lab.refuses("126 bytes", &frame(PING, &[0xfe; 126]), &[], 1002);
    lab.refuses("65,536 bytes", &frame(PING, &[0xfe; 65_536]), &[], 1002);
    for second in [0xfe, 0xff] {
        lab.refuses_at_once("two bytes of it", &[PING, second], 1002);
        lab.refuses_at_once("a long pong", &[PONG, second], 1002);
        lab.refuses_at_once("a long close", &[0x88, second], 1002);
    }
}

#[test]
fn every_ping_is_answered_in_its_turn() {
    let mut lab = Lab::open("2.3 many pings");
    // As many as may wait unread: see `OUTBOX_SLICES_MAX`.
    for count in [2_u8, 10, 50] {
        let payloads: Vec<Vec<u8>> = (0..count)
            .map(|n| format!("ping {n}").into_bytes())
            .collect();
        let pings: Vec<u8> = payloads
            .iter()
            .flat_map(|payload| frame(PING, payload))
            .collect();
        let pongs: Vec<_> = payloads.iter().map(|payload| pong(payload)).collect();
        lab.answers(&format!("{count} pings"), &pings, &pongs);
    }
}

#[test]
fn unsolicited_pong_is_ignored() {
    let mut lab = Lab::open("2.4 pongs");
    lab.accepts("an empty one", &frame(PONG, b""));
    lab.accepts("a full one", &frame(PONG, &[0xfe; 125]));
    lab.accepts("many", &frame(PONG, b"unsolicited").repeat(100));
    let bytes = [frame(PONG, b"unsolicited"), frame(PING, b"a ping")].concat();
    lab.answers("and a ping", &bytes, &[pong(b"a ping")]);
}
