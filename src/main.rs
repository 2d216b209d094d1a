//! `videostream`, and what it allocates.

use cap::Cap;
use std::alloc::System;
use std::process::ExitCode;

/// Counts what is allocated, for `--max-memory`. It has no limit itself: at one, the process would end.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

fn main() -> ExitCode {
    videostream::run(|| ALLOCATOR.allocated())
}
