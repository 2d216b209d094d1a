//! One line for a wrong command line, without what may be a secret.

use crate::http::host::without_secrets;
use clap::error::{ContextKind, ContextValue};
use std::ffi::OsString;

/// A `clap` error in one line, without what may be a key or a password. `arguments` show whether a
/// value came from a flag or from its variable.
pub fn one_line(error: &clap::Error, arguments: &[OsString]) -> String {
    let rendered = error.render().to_string();
    let text = rendered.strip_prefix("error: ").unwrap_or(&rendered);
    let end = [
        text.find("\n\nUsage:"),
        text.find("\n\nFor more information"),
    ];
    let text = &text[..end.into_iter().flatten().min().unwrap_or(text.len())];
    let parts: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let mut line = parts.join(" ").replace(" tip: ", "; tip: ");
    // A URL that is no good, an argument too many.
    let given = arguments.iter().filter_map(|argument| argument.to_str());
    for value in given.chain(invalid_value(error)) {
        let shown = without_secrets(value);
        if shown != value {
            line = line.replace(value, &shown);
        }
    }
    if let Some(variable) = variable_at_fault(error, arguments) {
        line.push_str(&format!(" (from the variable {variable})"));
    }
    line
}

/// What was given for an argument, by a variable perhaps.
fn invalid_value(error: &clap::Error) -> Option<&str> {
    match error.get(ContextKind::InvalidValue)? {
        ContextValue::String(value) => Some(value),
        _ => None,
    }
}

/// The variable a bad value came from, when the flag that `clap` names was not given.
fn variable_at_fault(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let flag = argument.split([' ', '=', '[']).next()?;
    let given = arguments.iter().any(|argument| {
        argument
            .to_str()
            .and_then(|argument| argument.split('=').next())
            == Some(flag)
    });
    let variable = flag.strip_prefix("--")?.replace('-', "_").to_uppercase();
    let variable = format!("VIDEOSTREAM_{variable}");
    (!given && std::env::var_os(&variable).is_some()).then_some(variable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser as _;

    #[test]
    fn a_refusal_is_one_line_that_names_the_option_and_the_value() {
        for (arguments, expected) in [
            (
                &["--listen", "nowhere"][..],
                "invalid value 'nowhere' for '--listen <ADDR:PORT>': expected an address and a \
                 port, such as 127.0.0.1:8080 or [::1]:8080",
            ),
            (
                &["--log", "xml"],
                "invalid value 'xml' for '--log <FORMAT>' [possible values: text, json]",
            ),
            (
                &["--lisen=x"],
                "unexpected argument '--lisen' found; tip: a similar argument exists: '--listen'",
            ),
            (
                &["inspect"],
                "the following required arguments were not provided: <FILE>",
            ),
            (
                &["--listen", "127.0.0.1:1", "serve"],
                "the subcommand 'serve' cannot be used with '--listen <ADDR:PORT>'",
            ),
        ] {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            let all = std::iter::once("videostream".into()).chain(arguments.iter().cloned());
            let error = Cli::try_parse_from(all).unwrap_err();
            assert_eq!(one_line(&error, &arguments), expected);
        }
    }
}
