//! JavaScript in tokens, so that comments and indentation can go and nothing else changes.
//!
//! ```text
//! let a = /['"]/g;  // why      ─►   let a=/['"]/g;
//! ```
//!
//! A slash is the hard part: it divides, or begins a regular expression, and the grammar alone tells
//! which. The token before it settles that, but for `}`, where the build ends with a message. No line
//! break is dropped where it could end a statement.

use super::fault::{Fault, line_at};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An identifier, a keyword or a `#private` name.
    Name,
    Number,
    /// In single or double quotes.
    Text,
    /// A template, or the part of one up to `${`, from `}` to `${`, or from `}` on.
    Template,
    Regex,
    Sign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub offset: usize,
    /// Whether a line ends between the token before and this one.
    pub follows_line_end: bool,
    /// Whether a statement follows: `)` of `if (…)`, `while (…)`, `for (…)`, `with (…)`.
    pub closes_head: bool,
}

impl Token<'_> {
    pub fn is_name(&self, text: &str) -> bool {
        self.kind == Kind::Name && self.text == text
    }

    pub fn is_sign(&self, text: &str) -> bool {
        self.kind == Kind::Sign && self.text == text
    }
}

/// Longest first.
const SIGNS: [&str; 57] = [
    ">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "??=", "=>", "==", "!=",
    "<=", ">=", "&&", "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=",
    "**", "<<", ">>", "{", "}", "(", ")", "[", "]", ";", ",", "<", ">", "+", "-", "*", "/", "%",
    "&", "|", "^", "!", "~", "?", ":", "=", ".",
];

/// Behind these an expression begins.
const BEFORE_EXPRESSION: [&str; 14] = [
    "return",
    "typeof",
    "case",
    "in",
    "of",
    "do",
    "else",
    "void",
    "delete",
    "throw",
    "new",
    "instanceof",
    "await",
    "yield",
];

/// What is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bracket {
    /// `is_head`: of `if`, `while`, `for` or `with`. A statement follows it.
    Round {
        is_head: bool,
    },
    Square,
    Curly,
    /// `${` in a template.
    Template,
}

pub fn tokens<'a>(path: &str, source: &'a str) -> Result<Vec<Token<'a>>, Fault> {
    let mut lexer = Lexer {
        source,
        at: 0,
        found: Vec::new(),
        open: Vec::new(),
        last_closed: None,
    };
    match lexer.run() {
        Ok(()) => Ok(lexer.found),
        Err(message) => Err(Fault::new(path, line_at(source, lexer.at), message)),
    }
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    found: Vec<Token<'a>>,
    open: Vec<Bracket>,
    last_closed: Option<Bracket>,
}

impl<'a> Lexer<'a> {
    fn run(&mut self) -> Result<(), String> {
        loop {
            let follows_line_end = self.skip_space()?;
            let Some(first) = self.rest().chars().next() else {
                break;
            };
            let begin = self.at;
            let kind = self.token(first)?;
            let text = &self.source[begin..self.at];
            let is_head = self.last_closed == Some(Bracket::Round { is_head: true });
            self.found.push(Token {
                kind,
                text,
                offset: begin,
                follows_line_end,
                closes_head: kind == Kind::Sign && text == ")" && is_head,
            });
        }
        if self.open.is_empty() {
            Ok(())
        } else {
            Err("a bracket is left open at the end".into())
        }
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    /// Skips white space and comments; tells whether a line ended there.
    fn skip_space(&mut self) -> Result<bool, String> {
        let begin = self.at;
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find(is_line_end).unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                let end = trimmed.find("*/").ok_or("a comment has no end")?;
                self.at += end + 2;
            } else {
                break;
            }
        }
        Ok(self.source[begin..self.at].contains(is_line_end))
    }

    fn token(&mut self, first: char) -> Result<Kind, String> {
        let second = self.rest().chars().nth(1).unwrap_or('\0');
        match first {
            '\'' | '"' => self.text(first),
            '`' => {
                self.at += 1;
                self.template()
            }
            '0'..='9' => self.number(),
            '.' if second.is_ascii_digit() => self.number(),
            '}' if self.open.last() == Some(&Bracket::Template) => {
                self.open.pop();
                self.at += 1;
                self.template()
            }
            '/' if self.begins_expression()? => self.regex(),
            '#' if is_name_char(second) => {
                self.at += 1;
                self.name()
            }
            c if is_name_char(c) => self.name(),
            _ => self.sign(),
        }
    }

    fn name(&mut self) -> Result<Kind, String> {
        let rest = self.rest();
        self.at += rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
        if self.rest().starts_with('\\') {
            return Err("a name with an escape: write its letters".into());
        }
        Ok(Kind::Name)
    }

    fn number(&mut self) -> Result<Kind, String> {
        let rest = self.rest().as_bytes();
        let is_decimal = rest[0] != b'0' || !rest.get(1).is_some_and(u8::is_ascii_alphabetic);
        let mut length = 1;
        let mut has_dot = rest[0] == b'.';
        while let Some(byte) = rest.get(length) {
            let signs_exponent = is_decimal
                && matches!(byte, b'+' | b'-')
                && matches!(rest[length - 1], b'e' | b'E');
            let is_dot = is_decimal && *byte == b'.' && !has_dot;
            if !(byte.is_ascii_alphanumeric() || *byte == b'_' || signs_exponent || is_dot) {
                break;
            }
            has_dot |= is_dot;
            length += 1;
        }
        self.at += length;
        Ok(Kind::Number)
    }

    fn text(&mut self, quote: char) -> Result<Kind, String> {
        let mut is_escaped = false;
        for (at, c) in self.rest().char_indices().skip(1) {
            if is_escaped {
                is_escaped = false;
            } else if c == '\\' {
                is_escaped = true;
            } else if c == quote {
                self.at += at + 1;
                return Ok(Kind::Text);
            } else if c == '\n' || c == '\r' {
                break;
            }
        }
        Err("a string has no end on its line".into())
    }

    /// From behind the backquote or the `}` to the end of the template or to its next `${`.
    fn template(&mut self) -> Result<Kind, String> {
        let mut is_escaped = false;
        let rest = self.rest();
        for (at, c) in rest.char_indices() {
            if is_escaped {
                is_escaped = false;
            } else if c == '\\' {
                is_escaped = true;
            } else if c == '`' {
                self.at += at + 1;
                return Ok(Kind::Template);
            } else if rest[at..].starts_with("${") {
                self.at += at + 2;
                self.open.push(Bracket::Template);
                return Ok(Kind::Template);
            }
        }
        Err("a template has no end".into())
    }

    fn regex(&mut self) -> Result<Kind, String> {
        let rest = self.rest();
        let (mut is_escaped, mut is_class) = (false, false);
        for (at, c) in rest.char_indices().skip(1) {
            if is_line_end(c) {
                break;
            } else if is_escaped {
                is_escaped = false;
            } else if c == '\\' {
                is_escaped = true;
            } else if c == '[' {
                is_class = true;
            } else if c == ']' {
                is_class = false;
            } else if c == '/' && !is_class {
                let flags = &rest[at + 1..];
                let flags = flags.find(|c| !is_name_char(c)).unwrap_or(flags.len());
                self.at += at + 1 + flags;
                return Ok(Kind::Regex);
            }
        }
        Err("a regular expression has no end on its line".into())
    }

    fn sign(&mut self) -> Result<Kind, String> {
        let rest = self.rest();
        let is_conditional =
            |sign: &str| sign == "?." && rest[2..].starts_with(|c: char| c.is_ascii_digit());
        let sign = SIGNS
            .into_iter()
            .find(|sign| rest.starts_with(sign) && !is_conditional(sign))
            .ok_or_else(|| format!("no sign of JavaScript: {:?}", rest.chars().next()))?;
        let closes = |open: &mut Vec<Bracket>, fits: fn(Bracket) -> bool| match open.pop() {
            Some(bracket) if fits(bracket) => Ok(bracket),
            _ => Err(format!("{sign} closes no bracket")),
        };
        match sign {
            "(" => {
                let is_head = self.last_is_one_of(&["if", "while", "for", "with"]);
                self.open.push(Bracket::Round { is_head });
            }
            "[" => self.open.push(Bracket::Square),
            "{" => self.open.push(Bracket::Curly),
            ")" => {
                let closed = closes(&mut self.open, |it| matches!(it, Bracket::Round { .. }))?;
                self.last_closed = Some(closed);
            }
            "]" => drop(closes(&mut self.open, |it| it == Bracket::Square)?),
            "}" => drop(closes(&mut self.open, |it| it == Bracket::Curly)?),
            _ => {}
        }
        self.at += sign.len();
        Ok(Kind::Sign)
    }

    /// Whether the last token is one of these keywords, and no property's name.
    fn last_is_one_of(&self, keywords: &[&str]) -> bool {
        let [.., before, last] = &self.found[..] else {
            return self
                .found
                .last()
                .is_some_and(|last| keywords.contains(&last.text));
        };
        let is_property = before.is_sign(".") || before.is_sign("?.");
        last.kind == Kind::Name && !is_property && keywords.contains(&last.text)
    }

    /// Whether a slash here begins a regular expression.
    fn begins_expression(&self) -> Result<bool, String> {
        let Some(last) = self.found.last() else {
            return Ok(true);
        };
        Ok(match last.kind {
            Kind::Name => self.last_is_one_of(&BEFORE_EXPRESSION),
            Kind::Number | Kind::Text | Kind::Regex => false,
            Kind::Template => {
                last.text.ends_with("${") && self.open.last() == Some(&Bracket::Template)
            }
            Kind::Sign => match last.text {
                ")" => last.closes_head,
                "]" | "++" | "--" => false,
                "}" => return Err("a slash behind }: put parentheses around one of the two".into()),
                _ => true,
            },
        })
    }
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

pub fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || c == '\u{200c}' || c == '\u{200d}'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(source: &str) -> String {
        tokens("a.js", source).unwrap_err().to_string()
    }

    #[test]
    fn broken_scripts_end_the_build() {
        for (source, expected) in [
            ("'a\n'", "web/a.js:1: a string has no end"),
            ("\n`a ${b", "web/a.js:2: a bracket is left open"),
            ("`a", "web/a.js:1: a template has no end"),
            ("a = /b\n/", "web/a.js:1: a regular expression has no end"),
            ("\n/* a", "web/a.js:2: a comment has no end"),
            ("{}\n/a/.test(b)", "web/a.js:2: a slash behind }"),
            ("(]", "web/a.js:1: ] closes no bracket"),
            ("}", "web/a.js:1: } closes no bracket"),
            ("@a", "web/a.js:1: no sign"),
            ("a\\u0062", "web/a.js:1: a name with an escape"),
        ] {
            assert!(
                fault(source).starts_with(expected),
                "{source}: {}",
                fault(source)
            );
        }
    }
}
