//! What is wrong with a file of `web/`, and where.

use std::fmt;

/// Ends the build with one line: `web/watch/watch.js:12: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub path: String,
    pub line: usize,
    pub message: String,
}

impl Fault {
    pub fn new(path: &str, line: usize, message: impl Into<String>) -> Fault {
        Fault {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "web/{}:{}: {}", self.path, self.line, self.message)
    }
}

impl std::error::Error for Fault {}

/// The number of the line that `offset` is in, from 1.
pub fn line_at(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
