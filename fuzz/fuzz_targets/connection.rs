//! Whatever a WebSocket peer does, frames come out whole and in order, and it gets the answer it
//! earned.

#![no_main]

use libfuzzer_sys::fuzz_target;
use videostream::fuzzing;

fuzz_target!(|input: &[u8]| fuzzing::connection(input));
