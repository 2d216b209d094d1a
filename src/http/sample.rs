//! Request heads for the tests of this room.

use super::{HEAD_BYTES_DEFAULT, HttpError, RequestHead, parse_request};

pub(crate) fn parse(text: &str) -> Result<Option<(RequestHead, usize)>, HttpError> {
    parse_request(text.as_bytes(), HEAD_BYTES_DEFAULT)
}

pub(crate) fn head(text: &str) -> RequestHead {
    let (head, length) = parse(text).expect("a valid head").expect("a whole head");
    assert_eq!(length, text.len());
    head
}

/// A head with these field lines, each given without its line end.
pub(crate) fn with(start: &str, lines: &[&str]) -> String {
    format!(
        "{start}\r\nHost: a\r\n{}\r\n",
        lines.iter().map(|l| format!("{l}\r\n")).collect::<String>()
    )
}

pub(crate) fn status(text: &str) -> u16 {
    parse(text).expect_err("a refusal").status()
}
