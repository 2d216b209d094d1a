//! What a command prints, and how it ends.

use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Failed at run time.
pub const EXIT_FAILED: u8 = 1;

/// Bad usage or configuration.
pub const EXIT_USAGE: u8 = 2;

/// A report on standard output: one JSON object, or a table.
pub fn print(report: &(impl Serialize + Display), json: bool) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    let printed = if json {
        serde_json::to_writer(&mut stdout, report)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(stdout))
    } else {
        write!(stdout, "{report}")
    };
    match printed {
        // The reader has seen enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map_err(|error| format!("standard output: {error}")),
    }
}

/// One line on standard error.
pub fn fail(code: u8, error: impl Display) -> ExitCode {
    // If standard error has no reader, the exit code has to do.
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::from(code)
}
