//! Writes tokens with no more white space, and no more commas and semicolons, than they need.

use super::tokens::{Kind, Token, is_name_char};

/// Text of tokens, with no more white space than they need.
#[derive(Debug, Default)]
pub struct Writer<'a> {
    text: String,
    last: Option<Token<'a>>,
    /// A comma or a semicolon that nothing may need, and what was in front of it.
    unsure: Option<Token<'a>>,
    /// Whether a line ended in front of something that was left out.
    is_line_due: bool,
    /// Whether constants were declared last, and more could follow.
    ends_constants: bool,
}

impl<'a> Writer<'a> {
    pub fn put(&mut self, token: &Token<'a>) {
        self.ends_constants = false;
        if let (Some(before), Some(sign)) = (self.unsure.take(), self.last)
            && is_needless(&before, &sign, token)
        {
            self.text.pop();
            self.last = Some(before);
        }
        let follows_line_end = token.follows_line_end || std::mem::take(&mut self.is_line_due);
        if let Some(last) = self.last {
            // Where no statement can end, a line need not end either.
            let ends_none = [",", "(", "[", "{", ";"]
                .into_iter()
                .any(|sign| last.is_sign(sign))
                || [")", "]", "}", "."]
                    .into_iter()
                    .any(|sign| token.is_sign(sign));
            if follows_line_end && !ends_none {
                self.text.push('\n');
            } else if is_glued(&last, token.text) {
                self.text.push(' ');
            }
        }
        self.text.push_str(token.text);
        if token.is_sign(",") || token.is_sign(";") {
            self.unsure = self.last;
        }
        self.last = Some(*token);
    }

    /// `{ a }` where the variable has another name: `{ a: b }`.
    pub fn put_pair(&mut self, property: &Token<'a>, variable: &Token<'a>) {
        self.put(property);
        self.put(&Token {
            kind: Kind::Sign,
            text: ":",
            follows_line_end: false,
            ..*property
        });
        self.put(&Token {
            follows_line_end: false,
            ..*variable
        });
    }

    /// The semicolon behind constants.
    pub fn end_constants(&mut self, semicolon: &Token<'a>) {
        self.put(semicolon);
        self.ends_constants = true;
    }

    /// `const`: a comma is enough where constants were declared last.
    pub fn begin_constants(&mut self, word: &Token<'a>) {
        if !self.ends_constants {
            return self.put(word);
        }
        self.text.pop();
        self.last = None;
        self.put(&Token {
            kind: Kind::Sign,
            text: ",",
            ..*word
        });
    }

    /// Leaves a token out.
    pub fn skip(&mut self, token: &Token<'a>) {
        self.is_line_due |= token.follows_line_end;
    }

    /// Whole statements. They begin on a line of their own, and what comes next does too.
    pub fn put_lines(&mut self, lines: &str) {
        self.break_line();
        self.text.push_str(lines);
        self.break_line();
    }

    /// `text` in place of an expression that is written as `token`: it is a call or a string, so that it
    /// ends as no word does.
    pub fn put_in_place(&mut self, token: &Token<'a>, text: &str) {
        if let Some(last) = self.last
            && is_glued(&last, text)
        {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self.unsure = None;
        self.ends_constants = false;
        self.last = Some(Token {
            kind: Kind::Text,
            ..*token
        });
    }

    fn break_line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.last = None;
        self.unsure = None;
        self.ends_constants = false;
    }

    pub fn finish(mut self) -> String {
        self.break_line();
        self.text
    }
}

/// Whether the comma or semicolon between the two may go: a list needs none at its end, nor does a block,
/// unless the semicolon is a statement itself.
fn is_needless(before: &Token<'_>, sign: &Token<'_>, after: &Token<'_>) -> bool {
    let is_one_of = |signs: &[&str]| signs.iter().any(|it| before.is_sign(it));
    match (sign.text, after.text) {
        _ if after.kind != Kind::Sign => false,
        (",", "}" | ")" | "]") => !is_one_of(&[",", "["]),
        (";", "}") => {
            let is_body = ["else", "do"].into_iter().any(|it| before.is_name(it));
            !before.closes_head && !is_body && !is_one_of(&[";", ":"])
        }
        _ => false,
    }
}

/// Whether two tokens would become another one without a space between them.
fn is_glued(last: &Token<'_>, next: &str) -> bool {
    let (Some(end), Some(begin)) = (last.text.chars().next_back(), next.chars().next()) else {
        return false;
    };
    let begins_word = is_name_char(begin) || begin == '#' || begin == '\\';
    match last.kind {
        Kind::Text | Kind::Template => false,
        Kind::Name => begins_word,
        Kind::Number => begins_word || begin == '.',
        Kind::Regex => begins_word,
        Kind::Sign => matches!(
            (end, begin),
            ('+', '+') | ('-', '-' | '>') | ('/', '/' | '*') | ('<', '!')
        ),
    }
}

#[cfg(test)]
mod tests;
