//! `videostream repair`.

use super::output::{EXIT_FAILED, EXIT_USAGE, fail, print};
use crate::repair::{self, Outputs};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Write a seekable copy of a recording: Duration, Cues, known sizes; frames unchanged. Several
/// recordings in one file become OUT, OUT-2 and so on.
#[derive(Debug, clap::Args)]
pub struct Repair {
    /// WebM or Matroska file, or - for standard input
    pub input: PathBuf,

    /// File to write
    pub output: PathBuf,

    /// Replace OUT if it exists [default: false]
    #[arg(long)]
    pub force: bool,
}

pub fn run(options: &Repair) -> ExitCode {
    let name = options.input.display();
    let opened = if options.input.as_os_str() == "-" {
        Ok(None)
    } else {
        File::open(&options.input).map(Some)
    };
    let file = match opened {
        Ok(file) => file,
        Err(error) => return fail(EXIT_FAILED, format_args!("{name}: {error}")),
    };
    let mut outputs = match Outputs::new(&options.output, options.force, file.as_ref()) {
        Ok(outputs) => outputs,
        Err(error) if error.is_usage() => return fail(EXIT_USAGE, error),
        Err(error) => return fail(EXIT_FAILED, error),
    };
    let report = match file {
        Some(file) => repair::repair(file, &mut outputs),
        None => repair::repair(io::stdin().lock(), &mut outputs),
    };
    let report = match report {
        Ok(report) => report,
        Err(error) => return fail(EXIT_FAILED, format_args!("{name}: {error}")),
    };
    if let Err(error) = print(&report, false) {
        return fail(EXIT_FAILED, error);
    }
    match report.error {
        None => ExitCode::SUCCESS,
        Some(error) => fail(EXIT_FAILED, format_args!("{name}: {error}")),
    }
}
