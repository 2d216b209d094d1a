//! Where a body ends, and what is in it, never depends on how the bytes arrived.

#![no_main]

use libfuzzer_sys::fuzz_target;
use videostream::fuzzing;

fuzz_target!(|input: &[u8]| fuzzing::body(input));
