//! 3: reserved bits, which no extension has given a meaning.

use super::peer::{BINARY, CLOSE, Lab, PING, PONG, TEXT, frame, pong};

#[test]
fn reserved_bits_are_refused_wherever_they_are() {
    let mut lab = Lab::open("3 reserved bits");
    for bits in 1..8_u8 {
        for first in [TEXT, BINARY, PING, PONG, CLOSE] {
            let what = format!("bits {bits:03b} of {first:#x}");
            let wrong = frame(first | bits << 4, b"");
            lab.refuses(&what, &wrong, &[], 1002);
            let bytes = [frame(TEXT, b"all is well"), frame(PING, b"yes"), wrong].concat();
            lab.refuses_behind_text(&what, &bytes, &[pong(b"yes")], 1002);
            lab.refuses_at_once(&what, &[first | bits << 4], 1002);
        }
    }
}
