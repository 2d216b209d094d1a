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

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || c == '\u{200c}' || c == '\u{200d}'
}

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
mod tests {
    use super::*;

    fn strip(source: &str) -> String {
        let mut writer = Writer::default();
        for token in tokens("a.js", source).unwrap_or_else(|fault| panic!("{fault}: {source}")) {
            writer.put(&token);
        }
        writer.finish().trim_end().to_owned()
    }

    fn fault(source: &str) -> String {
        tokens("a.js", source).unwrap_err().to_string()
    }

    #[test]
    fn comments_and_indentation_go() {
        for (source, stripped) in [
            ("// a\n  let a = 1; // b\n", "let a=1;"),
            ("/** a\n * b */\nlet a /* c */ = 1;", "let a=1;"),
            ("if (a) {\n    b();\n\n\n  }\n  c();", "if(a){b()}\nc();"),
            ("f(\n  a,\n  b,\n)\n  .then(c);", "f(a,b).then(c);"),
            ("a/**/b", "a b"),
            ("a /*\n*/ b", "a\nb"),
        ] {
            assert_eq!(strip(source), stripped, "{source}");
        }
    }

    #[test]
    fn strings_templates_and_expressions_stay_as_they_are() {
        for source in [
            r#"'// no comment'"#,
            r#"'it\'s /* none */'"#,
            r#""a \" // b""#,
            "`  // a\n  /* b */ ${c} \\` ${`  //${d}  `}  `",
            "`${{a:{b:`}`}}}`",
            "`\\${ // }`",
            "`$ ${a}$`",
            r"a=/[/*]\/ '/g",
            r"a=/\//.test(b)",
            r"a=/[\]/]/u",
            "`line\\\n   line`",
        ] {
            assert_eq!(strip(source), source);
        }
    }

    #[test]
    fn slash_divides_or_begins_an_expression() {
        for (source, stripped) in [
            ("a / b / c", "a/b/c"),
            ("a = b\n/ c /d", "a=b\n/c/d"),
            ("(a) / 2 // c", "(a)/2"),
            ("a[0] / b['/']", "a[0]/b['/']"),
            ("a++ / 2 / b", "a++/2/b"),
            ("if (a) /'/.test(b)", "if(a)/'/.test(b)"),
            ("while (a(b)) /\"/g.exec(c)", "while(a(b))/\"/g.exec(c)"),
            ("f(a) / '/'.length", "f(a)/'/'.length"),
            ("return /'/", "return/'/"),
            ("typeof /'/ / 2", "typeof/'//2"),
            ("a.return / b / '1'", "a.return/b/'1'"),
            ("a.if(b) / c / 'd'", "a.if(b)/c/'d'"),
            ("a?.in / b / 'c'", "a?.in/b/'c'"),
            ("this / 2 / '3'", "this/2/'3'"),
            ("`${a / 2}` / 2", "`${a/2}`/2"),
            ("`${/`/.test(a)}`", "`${/`/.test(a)}`"),
            ("[/'/, /\"/]", "[/'/,/\"/]"),
            ("a ? /'/ : /\"/", "a?/'/:/\"/"),
            ("() => /'/", "()=>/'/"),
            ("1 / /'/.lastIndex", "1/ /'/.lastIndex"),
            ("x = a /= 2", "x=a/=2"),
            ("a\n/* b */ / c", "a\n/c"),
        ] {
            assert_eq!(strip(source), stripped, "{source}");
        }
        assert!(fault("{}\n/a/.test(b)").starts_with("web/a.js:2: a slash behind }"));
    }

    #[test]
    fn tokens_do_not_run_into_one_another() {
        for (source, stripped) in [
            ("a + +b", "a+ +b"),
            ("a + ++b", "a+ ++b"),
            ("a - -b", "a- -b"),
            ("a++ + b", "a++ +b"),
            ("a-- > b", "a-- >b"),
            ("a < !b", "a< !b"),
            ("1 .a", "1 .a"),
            ("1.5.toFixed()", "1.5 .toFixed()"),
            ("1e-3 - .5", "1e-3-.5"),
            ("0xe - 1", "0xe-1"),
            ("a ? .5 : 1", "a?.5:1"),
            ("a?.b ?? c", "a?.b??c"),
            ("#a in b", "#a in b"),
            ("static #a = 1", "static #a=1"),
            ("async * #a() {}", "async*#a(){}"),
            ("/a/ in b", "/a/ in b"),
            ("/a/g in b", "/a/g in b"),
            ("'a' in b", "'a'in b"),
            ("return 'a'", "return'a'"),
            ("case `a`:", "case`a`:"),
            ("12n ** 2n", "12n**2n"),
            ("1_000 in a", "1_000 in a"),
            ("größe of größen", "größe of größen"),
            ("a >>> b >>>= c", "a>>>b>>>=c"),
        ] {
            assert_eq!(strip(source), stripped, "{source}");
        }
    }

    #[test]
    fn line_ends_that_may_end_a_statement_stay() {
        for source in [
            "a\nb",
            "a\n++b",
            "return\na",
            "let a=b\n(c)",
            "class A{a\nb=1\n*c(){}}",
        ] {
            assert_eq!(strip(source), source, "{source}");
        }
    }

    #[test]
    fn needless_signs_go_and_the_others_stay() {
        for (source, stripped) in [
            ("{ a; }", "{a}"),
            ("f(a, b,);", "f(a,b);"),
            ("[a, b,]", "[a,b]"),
            ("[a,,]", "[a,,]"),
            ("[,]", "[,]"),
            ("[, a]", "[,a]"),
            ("({ a, })", "({a})"),
            ("if (a) { while (b); }", "if(a){while(b);}"),
            ("{ if (a); else; }", "{if(a);else;}"),
            ("{ f(a); }", "{f(a)}"),
            ("{ a: ; }", "{a:;}"),
            ("for (;;) {}", "for(;;){}"),
            ("for (a; b;) {}", "for(a;b;){}"),
            ("{ do a(); while (b); }", "{do a();while(b);}"),
            ("{ a = {}; }", "{a={}}"),
        ] {
            assert_eq!(strip(source), stripped, "{source}");
        }
    }

    #[test]
    fn broken_scripts_end_the_build() {
        for (source, expected) in [
            ("'a\n'", "web/a.js:1: a string has no end"),
            ("\n`a ${b", "web/a.js:2: a bracket is left open"),
            ("`a", "web/a.js:1: a template has no end"),
            ("a = /b\n/", "web/a.js:1: a regular expression has no end"),
            ("\n/* a", "web/a.js:2: a comment has no end"),
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
