//! 6: text is UTF-8, and refused at the first byte that shows that it is not.

use super::peer::{LAST, Lab, MORE, PING, TEXT, TEXT_BEGINS, fragments, frame, pong};

/// First and last of each length, what is next to the surrogates, and what is no character but may
/// be sent.
const VALID: [&str; 20] = [
    "Hello-µ@ßöäüàá-UTF-8!!",
    "κόσμε",
    "日本語テキスト",
    "𝄞 and 😀",
    "\u{0}",
    "\u{7f}",
    "\u{80}",
    "\u{7ff}",
    "\u{800}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{fffd}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{10000}",
    "\u{1fffe}",
    "\u{2ffff}",
    "\u{10fffe}",
    "\u{10ffff}",
    "\u{feff}a byte order mark",
];

/// Wrong whatever follows; the last byte is the one that shows it.
const INVALID: [&[u8]; 44] = [
    // Continuations of nothing.
    b"\x80",
    b"\xbf",
    b"fine\x80",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xbc\xbc",
    // Never in UTF-8.
    b"\xfe",
    b"\xff",
    b"\xf5",
    b"\xf8",
    b"\xfc",
    b"\xc0",
    b"\xc1",
    // Beginnings without what has to follow.
    b"\xc2 ",
    b"\xdf\xc2",
    b"\xe0 ",
    b"\xe1\x80 ",
    b"\xef\xbf\xc2",
    b"\xf0 ",
    b"\xf1\x80 ",
    b"\xf1\x80\x80 ",
    b"\xf4\x80\x80\xff",
    // Longer than needed.
    b"\xe0\x80",
    b"\xe0\x9f",
    b"\xf0\x80",
    b"\xf0\x8f",
    b"fine \xe0\x80",
    b"\xf8\x88",
    b"\xfc\x84",
    // Surrogates.
    b"\xed\xa0",
    b"\xed\xaf",
    b"\xed\xb0",
    b"\xed\xbf",
    b"\xce\xba\xed\xa0",
    // Beyond U+10FFFF.
    b"\xf4\x90",
    b"\xf4\xbf",
    b"\xf5\x80",
    b"\xf7",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90",
    b"\xf6",
    b"\xfb",
    b"\xfd",
    // After what is valid, in every place of a mask.
    b"1\xff",
    b"12\xff",
    b"123\xff",
    b"1234\xff",
];

/// Wrong only if nothing follows.
const UNFINISHED: [&[u8]; 10] = [
    b"\xc2",
    b"\xdf",
    b"\xe0\xa0",
    b"\xe1",
    b"\xef\xbf",
    b"\xf0\x90",
    b"\xf1",
    b"\xf4\x8f",
    b"\xf4\x8f\xbf",
    b"caf\xc3",
];

#[test]
fn valid_text_is_taken_whole_and_in_fragments_of_a_byte() {
    let mut lab = Lab::open("6.1 valid text");
    for text in VALID {
        lab.takes_text(text, &frame(TEXT, text.as_bytes()), &[]);
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        lab.takes_text(text, &fragments(TEXT, &bytes, b""), &[]);
        let pongs = vec![pong(b"\xff"); bytes.len() - 1];
        // What is in a ping is no text.
        lab.takes_text(
            text,
            &fragments(TEXT, &bytes, &frame(PING, b"\xff")),
            &pongs,
        );
    }
    let all = VALID.concat().repeat(300);
    lab.takes_text("long", &frame(TEXT, all.as_bytes()), &[]);
    for size in [3, 255, 256, 257, 1000] {
        let pieces: Vec<&[u8]> = all.as_bytes().chunks(size).collect();
        lab.takes_text("long, in fragments", &fragments(TEXT, &pieces, b""), &[]);
    }
}

#[test]
fn invalid_text_is_refused() {
    let mut lab = Lab::open("6.2 invalid text");
    for text in INVALID.into_iter().chain(UNFINISHED) {
        let what = format!("{text:x?}");
        lab.refuses(&what, &frame(TEXT, text), &[], 1007);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        lab.refuses(&what, &fragments(TEXT, &bytes, b""), &[], 1007);
        let whole = [text, b" and more"].concat();
        lab.refuses(&what, &frame(TEXT, &whole), &[], 1007);
        let whole = [frame(TEXT, b"fine"), frame(PING, b"yes"), frame(TEXT, text)];
        lab.refuses_behind_text(&what, &whole.concat(), &[pong(b"yes")], 1007);
    }
}

#[test]
fn invalid_text_is_refused_before_its_message_ends() {
    let mut lab = Lab::open("6.3 refused in a fragment");
    for text in INVALID {
        let what = format!("{text:x?}");
        lab.refuses_at_once(&what, &frame(TEXT_BEGINS, text), 1007);
        for at in 0..text.len() {
            let (begin, rest) = text.split_at(at);
            let bytes = [frame(TEXT_BEGINS, begin), frame(MORE, rest)].concat();
            lab.refuses_at_once(&what, &bytes, 1007);
        }
    }
}

#[test]
fn invalid_text_is_refused_before_its_frame_ends() {
    let mut lab = Lab::open("6.4 refused inside a frame");
    for text in INVALID {
        let what = format!("{text:x?}");
        // A frame of 1,000 bytes, of which no more come.
        let whole = [text, &b"x".repeat(1000 - text.len())].concat();
        let bytes = frame(TEXT, &whole);
        lab.refuses_at_once(&what, &bytes[..8 + text.len()], 1007);
        let bytes = [frame(TEXT_BEGINS, b"\xce\xba"), frame(LAST, &whole)].concat();
        lab.refuses_at_once(&what, &bytes[..8 + 8 + text.len()], 1007);
    }
}
