//! Any file is repaired, or finished, without losing a frame that is whole.

#![no_main]

use libfuzzer_sys::fuzz_target;
use videostream::fuzzing;

fuzz_target!(|input: &[u8]| fuzzing::repair(input));
