//! `videostream inspect`.

use super::output::{EXIT_FAILED, fail, print};
use crate::inspect;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Show what the server reads in a WebM file. The exit code is 1 when it sees errors.
#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// WebM file, or - for standard input
    pub file: PathBuf,

    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

pub fn run(Inspect { file, json }: &Inspect) -> ExitCode {
    let name = file.display().to_string();
    let report = if name == "-" {
        inspect::inspect(name.as_str(), io::stdin().lock())
    } else {
        File::open(file).and_then(|file| inspect::inspect(name.as_str(), file))
    };
    let report = match report {
        Ok(report) => report,
        Err(error) => return fail(EXIT_FAILED, format_args!("{name}: {error}")),
    };
    match print(&report, *json) {
        Ok(()) if report.errors.is_empty() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(EXIT_FAILED),
        Err(error) => fail(EXIT_FAILED, error),
    }
}
