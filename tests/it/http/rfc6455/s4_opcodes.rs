//! 4: reserved opcodes.

use super::peer::{Lab, PING, TEXT, TEXT_BEGINS, frame, pong};

#[test]
fn reserved_opcodes_are_refused() {
    let mut lab = Lab::open("4 reserved opcodes");
    for opcode in (3..8_u8).chain(11..16) {
        let what = format!("opcode {opcode}");
        for payload in [&b""[..], b"what is this", &[0; 126]] {
            lab.refuses(&what, &frame(0x80 | opcode, payload), &[], 1002);
        }
        let wrong = frame(0x80 | opcode, b"x");
        let bytes = [
            frame(TEXT, b"all is well"),
            frame(PING, b"yes"),
            wrong.clone(),
        ]
        .concat();
        lab.refuses_behind_text(&what, &bytes, &[pong(b"yes")], 1002);
        let bytes = [frame(TEXT_BEGINS, b"half a"), wrong].concat();
        lab.refuses(&what, &bytes, &[], 1002);
        lab.refuses_at_once(&what, &[0x80 | opcode], 1002);
        lab.refuses_at_once(&what, &[opcode], 1002);
    }
}
