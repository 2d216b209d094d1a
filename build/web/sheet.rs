//! A page's style sheet: all sheets that it names in one, without comments and without the rules of
//! other pages.
//!
//! ```css
//! /* --- Buttons --- */          for all pages
//! /* --- Watch, Publish --- */   only for the pages in `web/watch` and `web/publish`
//! ```

use super::fault::{Fault, line_at};

/// Of one sheet, what a page in `folder` wants. `folders` are all that have pages.
pub fn for_folder(
    path: &str,
    source: &str,
    folder: &str,
    folders: &[&str],
) -> Result<String, Fault> {
    let mut kept = String::new();
    let mut is_wanted = true;
    for (number, line) in (1..).zip(source.split_inclusive('\n')) {
        if let Some(title) = section(line) {
            let title = title.to_lowercase();
            let is_folder = |name: &&str| folders.contains(name);
            let (named, others): (Vec<_>, Vec<_>) = title.split(", ").partition(is_folder);
            if let (Some(_), Some(other)) = (named.first(), others.first()) {
                let message = format!("there are no pages in web/{other}");
                return Err(Fault::new(path, number, message));
            }
            is_wanted = named.is_empty() || named.contains(&folder);
        }
        if is_wanted {
            kept.push_str(line);
        }
    }
    Ok(kept)
}

/// `/* --- Watch --- */`
fn section(line: &str) -> Option<&str> {
    line.trim_end()
        .strip_prefix("/* --- ")?
        .strip_suffix(" --- */")
}

/// Without comments, and with no more white space than tells the rules apart.
pub fn strip(path: &str, source: &str) -> Result<String, Fault> {
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    let fault = |rest: &str, message: &str| {
        let line = line_at(source, source.len() - rest.len());
        Fault::new(path, line, message)
    };
    let mut has_space = false;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("/*") {
            let end = rest
                .find("*/")
                .ok_or_else(|| fault(rest, "a comment has no end"))?;
            rest = &rest[end + 2..];
            has_space = true;
            continue;
        }
        if c.is_whitespace() {
            rest = rest.trim_start();
            has_space = true;
            continue;
        }
        let length = match c {
            '"' | '\'' => text_length(rest).ok_or_else(|| fault(rest, "a string has no end"))?,
            _ if rest.starts_with("url(") && !rest.starts_with("url(data:") => {
                return Err(fault(
                    rest,
                    "no files from a style sheet: its address changes",
                ));
            }
            _ if rest.starts_with("@import") => {
                return Err(fault(rest, "name the sheet in the page"));
            }
            _ => c.len_utf8(),
        };
        let last = text.chars().next_back().unwrap_or('{');
        // A space in front of `(` or `:` means something, and so does one around `+` and `-`.
        if has_space && !"{};,(".contains(last) && !"{};,)".contains(c) && !is_value(&text, last) {
            text.push(' ');
        }
        if c == '}' && text.ends_with(';') {
            text.pop();
        }
        text.push_str(&rest[..length]);
        if c == '}' {
            text.push('\n');
        }
        rest = &rest[length..];
        has_space = c == '}';
    }
    Ok(lines_of_rules(&text))
}

/// Whether what follows is a property's value, whose first space goes. A selector has none there.
fn is_value(text: &str, last: char) -> bool {
    last == ':' && !text.ends_with("::")
}

fn text_length(rest: &str) -> Option<usize> {
    let quote = rest.chars().next()?;
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '\n' => return None,
            _ if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// One rule on each line.
fn lines_of_rules(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_spaces_go() {
        let source = "/* a */\n\n.a > .b:not(.c) :focus,\n.d::before {\n  margin: 0 calc(1px + 2px) /* b */ auto;\n  \
                      --x: a, b;\n  content: '/* c  */ \\' }';\n}\n\n@media (min-width: 900px) and (hover: hover) {\n  \
                      a { top: -1px; }\n}\n";
        assert_eq!(
            strip("a.css", source).unwrap(),
            ".a > .b:not(.c) :focus,.d::before{margin:0 calc(1px + 2px) auto;--x:a,b;content:'/* c  */ \\' }'}\n\
             @media (min-width:900px) and (hover:hover){a{top:-1px}\n}\n"
        );
    }

    #[test]
    fn sections_named_after_a_folder_are_for_its_pages() {
        let source = "a{}\n/* --- Watch --- */\nb{}\n/* why */\n/* --- Cards, and lists --- */\nc{}\n/* --- Home, Other --- */\nd{}\n";
        let of = |folder| {
            let sheet = for_folder("a.css", source, folder, &["home", "other", "watch"]).unwrap();
            let rules = sheet.lines().filter(|line| line.ends_with('}'));
            rules.collect::<String>()
        };
        assert_eq!(of("watch"), "a{}b{}c{}");
        assert_eq!((of("other"), of("home")), (of("home"), "a{}c{}d{}".into()));
        let fault = for_folder("a.css", source, "home", &["home", "watch"]).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "web/a.css:7: there are no pages in web/other"
        );
    }

    #[test]
    fn what_a_joined_sheet_cannot_keep_ends_the_build() {
        for (source, expected) in [
            ("a{}\n/* b", "web/a.css:2: a comment has no end"),
            ("a{content:'b\n'}", "web/a.css:1: a string has no end"),
            ("\na{background:url(b.png)}", "web/a.css:2: no files"),
            ("@import 'b.css';", "web/a.css:1: name the sheet"),
        ] {
            let fault = strip("a.css", source).unwrap_err().to_string();
            assert!(fault.starts_with(expected), "{fault}");
        }
    }
}
