//! `videostream load`, and the processes that it starts for its viewers.

use super::output::{EXIT_FAILED, EXIT_USAGE, fail, print};
use crate::load;
use std::io::{self, Write};
use std::process::ExitCode;

pub fn run(options: &load::Options) -> ExitCode {
    let ended = match load::load(options) {
        Ok(ended) => ended,
        Err(error) if error.is_usage() => return fail(EXIT_USAGE, error),
        Err(error) => return fail(EXIT_FAILED, error),
    };
    if let Err(error) = print(&ended.report, options.json) {
        return fail(EXIT_FAILED, error);
    }
    for warning in ended.report.warnings() {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
    let mut code = ExitCode::SUCCESS;
    for failure in ended.failures {
        code = fail(EXIT_FAILED, failure);
    }
    code
}

/// The viewers of one process.
pub fn run_worker() -> ExitCode {
    match load::worker() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(EXIT_FAILED, error),
    }
}
