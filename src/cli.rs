//! The command line: one file for each command, with its flags and how it runs.
//!
//! `videostream` alone is `videostream serve`, and takes the same flags. `error_line` makes one line
//! of what is wrong with a command line; `output` prints a report, and ends with an exit code.

mod error_line;
mod inspect;
mod load;
mod output;
mod push;
mod repair;
mod serve;
mod token;

pub use error_line::one_line;

use crate::config::Options;
use clap::{Parser, Subcommand};
use output::{EXIT_USAGE, fail};
use std::ffi::OsString;
use std::process::ExitCode;

/// Live WebM from one browser to every viewer, through one small server.
///
/// Without a command it serves, as `videostream serve` does: open the printed link in a browser,
/// go live, and send the other link to your viewers.
#[derive(Debug, Parser)]
#[command(name = "videostream", version, args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Exit codes: 0 ended as asked, 1 failed at run time, 2 bad usage or \
                        configuration.\nEvery option is also a variable, as shown, and a key in \
                        the file given with --config. A flag wins over the variable, the variable \
                        over the file.\nSignals: SIGTERM and SIGINT end the server; SIGUSR2 \
                        starts a newer process with the same arguments and hands the sockets over."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub serve: Options,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve pages, publishers and viewers (the default command)
    Serve(Box<Options>),
    /// Publish a WebM file as if it were live
    Push(push::Push),
    /// Open many viewers and measure what they receive
    Load(Box<crate::load::Options>),
    /// The viewers of one process of `load`
    #[command(name = crate::load::WORKER_COMMAND, hide = true)]
    LoadWorker,
    /// Show what the server reads in a WebM file
    Inspect(inspect::Inspect),
    /// Make a recording seekable: one of a browser, or one that was cut off
    Repair(repair::Repair),
    /// Make a token, or a whole link, to publish or watch one stream for a time
    Token(token::Token),
}

/// Runs what the command line asks for. `allocated` returns the bytes that the process has allocated.
pub fn run(allocated: fn() -> usize) -> ExitCode {
    let cli = match parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
            return fail(EXIT_USAGE, one_line(&error, &arguments));
        }
        // Help and version arrive as errors, too. If they cannot be printed, there is no better
        // place for that error.
        Err(help) => {
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    let Cli {
        command,
        serve: options,
    } = cli;
    match command {
        None => serve::run(options, allocated),
        Some(Command::Serve(options)) => serve::run(*options, allocated),
        Some(Command::Push(options)) => push::run(options),
        Some(Command::Load(options)) => load::run(&options),
        Some(Command::LoadWorker) => load::run_worker(),
        Some(Command::Inspect(options)) => inspect::run(&options),
        Some(Command::Repair(options)) => repair::run(&options),
        Some(Command::Token(options)) => token::run(options),
    }
}

/// The command line: each option's value joined to it where the value looks like an option of its
/// own, as `-5` does. An error about the value then names that option.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(join_negative_values(arguments))
}

fn join_negative_values(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::new();
    let mut are_options_over = false;
    for argument in arguments {
        let is_negative = argument.to_str().is_some_and(|text| {
            let number = text.strip_prefix('-').unwrap_or_default();
            number.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        });
        match joined.last_mut() {
            Some(option) if is_negative && !are_options_over && wants_a_value(option) => {
                option.push("=");
                option.push(argument);
            }
            _ => {
                are_options_over |= argument == "--";
                joined.push(argument);
            }
        }
    }
    joined
}

fn wants_a_value(option: &OsString) -> bool {
    let text = option.to_str().unwrap_or_default();
    text.starts_with("--") && text.len() > 2 && !text.contains('=')
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::config::Serve;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn missing_command_means_serve() {
        let address = "127.0.0.1:7000";
        let bare = Cli::try_parse_from(["videostream", "--listen", address]).unwrap();
        let named = Cli::try_parse_from(["videostream", "serve", "--listen", address]).unwrap();
        let Some(Command::Serve(options)) = named.command else {
            panic!("{named:?}")
        };
        assert_eq!(bare.serve.listen, options.listen);
        assert!(bare.command.is_none() && options.listen.is_some());
    }

    #[test]
    fn every_option_of_serve_has_a_variable_and_a_default_in_its_help() {
        for option in serve_options() {
            let name = option.get_long().unwrap().replace('-', "_");
            let variable = option.get_env().unwrap().to_str().unwrap();
            assert_eq!(variable, format!("VIDEOSTREAM_{}", name.to_uppercase()));
            let help = option.get_help().unwrap().to_string();
            assert!(
                help.contains("[default: ") || name == "config",
                "{name}: {help}"
            );
        }
    }

    #[test]
    fn the_defaults_in_the_help_are_the_defaults_that_work() {
        let mut arguments = vec!["videostream".to_owned()];
        for option in serve_options() {
            let help = option.get_help().unwrap().to_string();
            let default = help
                .rsplit_once("[default: ")
                .map(|(_, end)| end.trim_end_matches(']'));
            match default {
                // In words, not as a value.
                None => {}
                Some(words) if words.contains(' ') || words == "none" => {}
                Some(value) => {
                    arguments.push(format!("--{}={value}", option.get_long().unwrap()));
                }
            }
        }
        assert!(arguments.len() > 18, "{arguments:?}");
        let asked = Cli::try_parse_from(&arguments).unwrap().serve;
        let nothing = Cli::try_parse_from(["videostream"]).unwrap().serve;
        let [asked, nothing] = [asked, nothing].map(|options| Serve::resolve(options).unwrap());
        assert_eq!(format!("{asked:?}"), format!("{nothing:?}"));
    }

    fn serve_options() -> Vec<clap::Arg> {
        let command = Cli::command();
        let is_ours = |arg: &&clap::Arg| !["help", "version"].contains(&arg.get_id().as_str());
        command.get_arguments().filter(is_ours).cloned().collect()
    }
}
