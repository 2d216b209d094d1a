//! 7: the closing handshake.

use super::peer::{
    Answer, BINARY, CLOSE, LAST, Lab, PING, PONG, TEXT, TEXT_BEGINS, close, frame, pong,
};

fn closed(code: u16, reason: &[u8]) -> Answer {
    Answer::Close([&code.to_be_bytes(), reason].concat())
}

#[test]
fn close_is_echoed_and_ends_the_connection() {
    let mut lab = Lab::open("7.1 close");
    lab.ends("empty", &frame(CLOSE, b""), &[Answer::Close(Vec::new())]);
    lab.ends(
        "after a ping",
        &[frame(PING, b"p"), close(1000, b"")].concat(),
        &[pong(b"p"), closed(1000, b"")],
    );
    lab.ends_behind_text(
        "after a text",
        &[frame(TEXT, b"t"), close(1000, b"")].concat(),
        &[closed(1000, b"")],
    );
}

#[test]
fn bytes_after_a_close_are_ignored() {
    let mut lab = Lab::open("7.2 after a close");
    for (what, bytes) in [
        ("a second close", close(1001, b"again")),
        ("a ping", frame(PING, b"p")),
        ("a pong", frame(PONG, b"p")),
        ("a text", frame(TEXT, b"t")),
        ("media", frame(BINARY, b"\x1a\x45\xdf\xa3")),
        ("what is no WebM", frame(BINARY, b"RIFF")),
        ("invalid text", frame(TEXT, b"\xff")),
        ("a reserved opcode", frame(0x83, b"")),
        ("a frame without a mask", vec![TEXT, 0]),
        ("half a frame", vec![BINARY, 0xff, 0, 0]),
        ("a long message", frame(TEXT, &[b'*'; 256 << 10])),
        ("no frames at all", b"GET / HTTP/1.1\r\n\r\n".repeat(20)),
    ] {
        let bytes = [close(1000, b"bye"), bytes].concat();
        lab.ends(what, &bytes, &[closed(1000, b"bye")]);
    }
    let long = [
        frame(TEXT, &[b'*'; 256 << 10]),
        close(1000, b""),
        frame(PING, b"p"),
    ];
    lab.ends_behind_text("after a long message", &long.concat(), &[closed(1000, b"")]);
}

#[test]
fn close_may_come_inside_a_message() {
    let mut lab = Lab::open("7.3 close inside a message");
    let bytes = [frame(TEXT_BEGINS, b"half a"), close(1000, b"")].concat();
    lab.ends("the rest never comes", &bytes, &[closed(1000, b"")]);
    let bytes = [bytes, frame(LAST, b" sentence")].concat();
    lab.ends("the rest comes too late", &bytes, &[closed(1000, b"")]);
    let bytes = [frame(TEXT_BEGINS, b"caf\xc3"), close(1000, b"")].concat();
    lab.ends("in the middle of a character", &bytes, &[closed(1000, b"")]);
}

#[test]
fn reason_may_be_as_long_as_the_frame_and_is_utf_8() {
    let mut lab = Lab::open("7.4 reasons");
    for reason in [
        "",
        "k",
        "Hello World!",
        "größer als 😀",
        &"*".repeat(122),
        &"*".repeat(123),
    ] {
        let echo = [closed(1000, reason.as_bytes())];
        lab.ends(reason, &close(1000, reason.as_bytes()), &echo);
    }
    lab.refuses("124 bytes", &close(1000, &[b'*'; 124]), &[], 1002);
    lab.refuses("half a code", &frame(CLOSE, b"\x03"), &[], 1002);
    for reason in [
        &b"\xff"[..],
        b"caf\xc3",
        b"fine \xed\xa0\x80",
        b"\xce\xba\xe1\xbd\xb9\xf4\x90\x80\x80",
    ] {
        lab.refuses("not UTF-8", &close(1000, reason), &[], 1007);
    }
}

#[test]
fn codes_for_the_wire_are_echoed() {
    let mut lab = Lab::open("7.7 valid codes");
    let codes = (1000..=1003)
        .chain(1007..=1013)
        .chain([3000, 3999, 4000, 4999]);
    for code in codes {
        lab.ends("alone", &close(code, b""), &[closed(code, b"")]);
        lab.ends(
            "with a reason",
            &close(code, b"why"),
            &[closed(code, b"why")],
        );
    }
}

#[test]
fn other_codes_are_refused() {
    let mut lab = Lab::open("7.9 invalid codes");
    for code in [
        0, 1, 999, 1004, 1005, 1006, 1014, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ] {
        lab.refuses("alone", &close(code, b""), &[], 1002);
        lab.refuses("with a reason", &close(code, b"why"), &[], 1002);
    }
}
