//! The promise: media and control frames never get into one another, whatever a peer sends and
//! however little its socket takes at a time.
//!
//! The code that serves runs in memory, on a socket that takes and brings what a script says; what
//! comes out is read by a reader of its own: see `fuzzing::connection`.

use proptest::collection::vec;
use proptest::prelude::*;
use videostream::fuzzing;

const ROLES: u8 = 6;

/// What happens in a script, as `fuzzing::connection` encodes it.
fn happening() -> impl Strategy<Value = Vec<u8>> {
    let with = |step: u8| any::<u8>().prop_map(move |n| vec![step, n]);
    let close = (any::<u8>(), vec(any::<u8>(), 0..4));
    let close = close.prop_map(|(code, reason)| [&[5, code][..], &reason].concat());
    prop_oneof![
        4 => with(1),              // a ping
        1 => with(2),              // a pong
        1 => with(3),              // a text
        4 => with(7),              // a message of media
        2 => with(9),              // a fragment of one
        6 => with(10),             // room for a few bytes
        3 => with(11),             // room for many
        6 => Just(vec![12, 0]),    // read
        6 => Just(vec![13, 0]),    // write
        6 => with(14),             // the stream goes on by a little
        3 => with(15),             // or by more
        1 => with(16),             // its publisher leaves, or comes
        1 => with(17),             // time passes
        2 => with(18),             // how much a read brings; signals; our own pings
        1 => Just(vec![5, 0, 0]),  // a close
        1 => close,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn media_and_control_frames_come_out_whole_and_in_order(
        role in 0..ROLES,
        ring in any::<u8>(),
        happenings in vec(happening(), 0..120),
    ) {
        fuzzing::connection(&[&[role, ring, 0][..], &happenings.concat()].concat());
    }

    #[test]
    fn no_bytes_break_a_connection(role in 0..ROLES, bytes in vec(any::<u8>(), 0..400)) {
        fuzzing::connection(&[&[role][..], &bytes].concat());
    }
}
