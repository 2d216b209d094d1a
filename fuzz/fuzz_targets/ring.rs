//! A ring and its cursors do what a model of them does.

#![no_main]

use libfuzzer_sys::fuzz_target;
use videostream::fuzzing;

fuzz_target!(|input: &[u8]| fuzzing::ring(input));
