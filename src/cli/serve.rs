//! `videostream serve`, which is also `videostream` alone.

use super::output::{EXIT_FAILED, EXIT_USAGE, fail};
use crate::config::{Options, Serve};
use crate::log;
use crate::net::{self, Inherited};
use crate::record::Folder;
use std::process::ExitCode;

pub fn run(mut options: Options, allocated: fn() -> usize) -> ExitCode {
    let inherited = match Inherited::receive() {
        Ok(inherited) => inherited,
        Err(error) => return fail(EXIT_FAILED, error),
    };
    inherited.apply(&mut options);
    let config = match Serve::resolve(options) {
        Ok(config) => config,
        Err(error) => return fail(EXIT_USAGE, error),
    };
    // Before the server listens: a folder that cannot be written to is a wrong option.
    let folder = config
        .record
        .as_ref()
        .map(|record| Folder::open(&record.dir));
    let folder = match folder.transpose() {
        Ok(folder) => folder,
        Err(error) => return fail(EXIT_USAGE, error),
    };
    let log = match log::start(config.log, config.log_level) {
        Ok(log) => log,
        Err(error) => return fail(EXIT_FAILED, format_args!("the log's thread: {error}")),
    };
    let code = match net::serve(config, inherited, folder, allocated) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.line(format_args!("error: {error}"));
            ExitCode::from(EXIT_FAILED)
        }
    };
    log.flush();
    code
}
