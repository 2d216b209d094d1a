//! What people and programs write is understood, or refused in one line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use videostream::fuzzing;

fuzz_target!(|input: &[u8]| fuzzing::control(input));
