//! What a peer asks, and what it is answered, never depends on how the bytes arrived.

#![no_main]

use libfuzzer_sys::fuzz_target;
use videostream::fuzzing;

fuzz_target!(|input: &[u8]| fuzzing::request(input));
