//! What people and programs write for one another: control messages, configuration, command lines,
//! addresses.

use super::frames::{ServerFrame, read_server};
use crate::cli::{Cli, Command, one_line};
use crate::client::{Address, Scheme};
use crate::config::{BitRate, Serve};
use crate::http::forwarded::Network;
use crate::http::parse_request;
use crate::secret::Secret;
use crate::stream_name::StreamName;
use crate::websocket::messages::{ToPublisher, ToViewer};
use crate::websocket::{SUBPROTOCOL, client_request, text_frame};
use clap::Parser as _;
use std::ffi::OsString;

/// A key that is given, and never shown.
const KEY: &str = "hunter2";

/// Any message, file, command line or address is understood, or refused in one line that shows no
/// key; what was understood is written out again as it was.
///
/// The text comes first in `input`; its last byte says what it is.
pub fn control(input: &[u8]) {
    let Some((&kind, input)) = input.split_last() else {
        return;
    };
    // The input may hold `KEY` outside a key, whole or with control characters in it, which `clap`
    // leaves out. Showing that is no leak, so both are removed here.
    let text = String::from_utf8_lossy(input)
        .replace(
            |character: char| character.is_control() && character != '\n',
            "",
        )
        .replace(KEY, "hunter-");
    // Options that name files would have them read.
    if text.contains("file") {
        return;
    }
    match kind % 4 {
        0 => messages(&text),
        1 => file(&text),
        2 => command_line(&text),
        _ => addresses(&text),
    }
}

fn messages(text: &str) {
    let mut messages = Vec::new();
    if let Some(message) = ToViewer::parse(text) {
        messages.push(message.to_json());
        assert_eq!(ToViewer::parse(&message.to_json()), Some(message));
    }
    if let Some(message) = ToPublisher::parse(text) {
        messages.push(message.to_json());
        assert_eq!(ToPublisher::parse(&message.to_json()), Some(message));
    }
    for json in messages {
        let is_one_line = !json.contains(char::is_control);
        assert!(is_one_line, "{json}");
        let frame = text_frame(&json);
        assert_eq!(read_server(&frame), [ServerFrame::Text(json)]);
    }
}

fn file(text: &str) {
    for secret in ["", "watch_key = 'hunter2'\n"] {
        match Serve::resolve_text(&format!("{secret}{text}")) {
            Ok(serve) => assert_sane(&serve),
            Err(error) => assert_one_line(&error.to_string()),
        }
    }
}

/// One argument a line.
fn command_line(text: &str) {
    for secret in [&[][..], &["--watch-key", KEY]] {
        let arguments = ["videostream"].iter().chain(secret).copied();
        let arguments: Vec<OsString> = arguments
            .chain(text.split('\n'))
            .map(OsString::from)
            .collect();
        match Cli::try_parse_from(&arguments) {
            Ok(cli) => resolve(cli),
            Err(error) if error.use_stderr() => assert_one_line(&one_line(&error, &arguments)),
            // Help, or the version.
            Err(_) => {}
        }
    }
}

fn resolve(cli: Cli) {
    let options = match cli.command {
        None => cli.serve,
        Some(Command::Serve(options)) => *options,
        Some(_) => return,
    };
    // A file that is named is not read here.
    if options.config.is_none() {
        match Serve::resolve(options) {
            Ok(serve) => assert_sane(&serve),
            Err(error) => assert_one_line(&error.to_string()),
        }
    }
}

fn assert_sane(serve: &Serve) {
    assert!(!serve.listen.is_empty());
    assert!(!format!("{serve:?}").contains(KEY));
}

fn assert_one_line(message: &str) {
    assert!(!message.is_empty() && !message.contains('\n'), "{message}");
    assert!(!message.contains(KEY), "{message}");
}

fn addresses(text: &str) {
    if let Ok(name) = StreamName::try_from(text) {
        assert_eq!(name.as_str(), text);
        assert!((1..=64).contains(&text.len()) && !text.starts_with('.'));
        let is_file = |end| text.ends_with(end);
        assert!(![".webm", ".mkv", ".jpg", ".webp"].into_iter().any(is_file));
    }
    if let Ok(network) = text.parse::<Network>() {
        assert_eq!(network.to_string().parse(), Ok(network));
    }
    if let Ok(rate) = text.parse::<BitRate>() {
        assert_eq!(rate.to_string().parse(), Ok(rate));
    }
    let Ok(address) = text.parse::<Address>() else {
        return;
    };
    // An address on display has no key.
    assert!(!address.to_string().contains('?'));
    if address.scheme != Scheme::WebSocket {
        return;
    }
    // Nothing in an address ends its line early, or begins another.
    let (authority, target) = (&address.authority, &address.target);
    let bearer = Secret::new("bearer");
    let with_all = client_request(authority, target, &[7; 16], &[SUBPROTOCOL], Some(&bearer));
    if let Ok(Some((head, _))) = parse_request(&with_all, usize::MAX) {
        assert_eq!(head.keys.first(), Some(&bearer));
    }
    let request = client_request(authority, target, &[7; 16], &[], None);
    match parse_request(&request, usize::MAX) {
        Ok(Some((head, length))) => {
            assert_eq!(length, request.len());
            assert!(head.upgrade.is_some() && head.keys.is_empty() | text.contains("key"));
        }
        Ok(None) => panic!("half a request"),
        // An address that no server has, such as one with half an escape.
        Err(error) => assert_eq!(error.status(), 400),
    }
}
