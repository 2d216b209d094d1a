//! A page: its HTML with the names of its one style sheet, its one script and its pictures.

use super::fault::{Fault, line_at};

/// Gives files that a page refers to their names.
pub trait References {
    /// The name of one sheet made of these.
    fn sheet(&mut self, paths: &[String]) -> Result<String, Fault>;
    fn script(&mut self, path: &str) -> Result<String, Fault>;
    /// The text of a script that stands in the page itself.
    fn inline(&mut self, path: &str) -> Result<String, Fault>;
    fn file(&mut self, path: &str) -> Result<String, Fault>;
    /// A file that the page has in itself, as an address.
    fn icon(&mut self, path: &str) -> Result<String, Fault>;
}

const SHEET: &str = "<link rel=\"stylesheet\" href=\"";
/// A script of the old kind, which a browser waits for: so it stands in the page.
const INLINE: [&str; 2] = ["<script src=\"", "\"></script>"];
const ICON: &str = "<link rel=\"icon\" href=\"";
const ASSETS: &str = "assets/";

/// `source` with its references changed, its indentation and its comments gone.
pub fn write(path: &str, source: &str, references: &mut dyn References) -> Result<String, Fault> {
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(source.lines()) {
        let line = line.trim();
        let is_open = line.contains("<textarea") && !line.contains("</textarea>");
        for unwanted in ["<pre", "<script>", "rel=\"modulepreload\"", "<textarea"] {
            if line.contains(unwanted) && (is_open || unwanted != "<textarea") {
                let message = format!("no {unwanted} in a page: see build/web/document.rs");
                return Err(Fault::new(path, number, message));
            }
        }
        lines.push(line.to_owned());
    }
    let html = without_comments(path, &lines.join("\n"))?;
    let html = join_sheets(path, &html, references)?;
    let (html, inline) = take_inline(path, &html, references)?;
    let mut written = String::with_capacity(html.len());
    let mut rest = html.as_str();
    // What stands in quotes and leads to `assets/`, from wherever the page is.
    while let Some(at) = rest.find("=\"") {
        let (before, after) = rest.split_at(at + 2);
        let fault = |message: &str| {
            Fault::new(
                path,
                1,
                format!("{message}: {}", &after[..after.len().min(40)]),
            )
        };
        let end = after
            .find('"')
            .ok_or_else(|| fault("a quote without end"))?;
        let value = &after[..end];
        let up = value.len() - value.trim_start_matches("../").len();
        written.push_str(before);
        match value[up..].strip_prefix(ASSETS) {
            Some(name) if is_made(name) => written.push_str(value),
            Some(file) if written.ends_with(ICON) => written.push_str(&references.icon(file)?),
            Some(file) => {
                // Named by the page's tag, or for its own script, which asks for one of several.
                let name = if file.ends_with(".js") {
                    references.script(file)?
                } else {
                    references.file(file)?
                };
                written.push_str(&format!("{}{ASSETS}{name}", &value[..up]));
            }
            None => written.push_str(value),
        }
        rest = &after[end..];
    }
    written.push_str(rest);
    written.push('\n');
    Ok(match inline {
        Some(script) => written.replacen(PLACE, &script, 1),
        None => written,
    })
}

/// Where the script of the page goes, so that its quotes are not taken for the page's.
const PLACE: &str = "<script></script>";

/// A page without its script, and that.
fn take_inline(
    path: &str,
    html: &str,
    references: &mut dyn References,
) -> Result<(String, Option<String>), Fault> {
    let [before, after] = INLINE;
    let source = |line: &str| Some(line.strip_prefix(before)?.strip_suffix(after)?.to_owned());
    let mut found = html.lines().filter_map(source);
    let Some(source) = found.next() else {
        return Ok((html.to_owned(), None));
    };
    if found.next().is_some() {
        return Err(Fault::new(path, 1, "a page has one script of its own"));
    }
    let name = source.trim_start_matches("../").strip_prefix(ASSETS);
    let name = name.ok_or_else(|| Fault::new(path, 1, "a script is below assets/"))?;
    let script = references.inline(name)?;
    let html = html.replacen(&format!("{before}{source}{after}"), PLACE, 1);
    Ok((html, Some(format!("<script>{script}</script>"))))
}

/// A sheet that `join_sheets` named.
fn is_made(name: &str) -> bool {
    name.ends_with(".css")
}

/// One sheet in place of the first, and none in place of the others.
fn join_sheets(path: &str, html: &str, references: &mut dyn References) -> Result<String, Fault> {
    let href = |line: &str| Some(line.strip_prefix(SHEET)?.strip_suffix("\">")?.to_owned());
    let hrefs: Vec<String> = html.lines().filter_map(href).collect();
    let Some(first) = hrefs.first() else {
        return Err(Fault::new(path, 1, "a page has a style sheet"));
    };
    let up = first.find(ASSETS).unwrap_or_default();
    let paths: Vec<String> = hrefs
        .iter()
        .filter_map(|it| Some(it.get(up..)?.strip_prefix(ASSETS)?.to_owned()))
        .collect();
    if paths.len() < hrefs.len() {
        return Err(Fault::new(path, 1, "a style sheet is below assets/"));
    }
    let joined = format!(
        "{SHEET}{}{ASSETS}{}\">",
        &first[..up],
        references.sheet(&paths)?
    );
    let mut joined = Some(joined);
    let lines = html.lines().filter_map(|line| match href(line) {
        Some(_) => joined.take(),
        None => Some(line.to_owned()),
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn without_comments(path: &str, html: &str) -> Result<String, Fault> {
    let mut kept = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(begin) = rest.find("<!--") {
        let line = line_at(html, html.len() - rest.len() + begin);
        let end = rest
            .find("-->")
            .ok_or_else(|| Fault::new(path, line, "a comment has no end"))?;
        kept.push_str(&rest[..begin]);
        rest = &rest[end + 3..];
    }
    kept.push_str(rest);
    let lines = kept.lines().filter(|line| !line.is_empty());
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Made;

    impl References for Made {
        fn sheet(&mut self, paths: &[String]) -> Result<String, Fault> {
            Ok(format!("{}.css", paths.join("+").replace(".css", "")))
        }

        fn script(&mut self, path: &str) -> Result<String, Fault> {
            Ok(format!("script-of-{path}"))
        }

        fn inline(&mut self, path: &str) -> Result<String, Fault> {
            Ok(format!("const a=\"assets/{path}\""))
        }

        fn file(&mut self, path: &str) -> Result<String, Fault> {
            Ok(format!("file-of-{path}"))
        }

        fn icon(&mut self, path: &str) -> Result<String, Fault> {
            Ok(format!("icon-of-{path}"))
        }
    }

    #[test]
    fn page_has_its_own_script_in_itself() {
        let page = |lines: &str| {
            let html = format!("<link rel=\"stylesheet\" href=\"assets/a.css\">\n{lines}\n<p>\n");
            write("a.html", &html, &mut Made)
        };
        let script = "<script src=\"../assets/a/now.js\"></script>";
        assert_eq!(
            page(script).unwrap(),
            "<link rel=\"stylesheet\" href=\"assets/a.css\">\n\
             <script>const a=\"assets/a/now.js\"</script>\n<p>\n"
        );
        let fault = page(&[script, script].join("\n")).unwrap_err().to_string();
        assert_eq!(fault, "web/a.html:1: a page has one script of its own");
        let fault = page("<script src=\"now.js\"></script>").unwrap_err();
        assert_eq!(fault.to_string(), "web/a.html:1: a script is below assets/");
    }

    #[test]
    fn page_names_one_sheet_one_script_and_its_files() {
        let source = "<!doctype html>\n<html lang=\"en\" data-b=\"../assets/a/b.js\">\n<!-- why\n  so -->\n  <title>A</title>\n  \
            <link rel=\"icon\" href=\"../assets/favicon.svg\">\n  <img src=\"../assets/a.svg\">\n  <link rel=\"stylesheet\" href=\"../assets/style.css\">\n  \
            <link rel=\"stylesheet\" href=\"../assets/a/a.css\">\n  <script type=\"module\" src=\"../assets/a/a.js\"></script>\n  \
            <a href=\"../\">assets/b</a>\n";
        assert_eq!(
            write("a.html", source, &mut Made).unwrap(),
            "<!doctype html>\n<html lang=\"en\" data-b=\"../assets/script-of-a/b.js\">\n<title>A</title>\n\
             <link rel=\"icon\" href=\"icon-of-favicon.svg\">\n<img src=\"../assets/file-of-a.svg\">\n\
             <link rel=\"stylesheet\" href=\"../assets/style+a/a.css\">\n\
             <script type=\"module\" src=\"../assets/script-of-a/a.js\"></script>\n<a href=\"../\">assets/b</a>\n"
        );
    }

    #[test]
    fn what_a_page_may_not_have_ends_the_build() {
        let sheet = "<link rel=\"stylesheet\" href=\"assets/a.css\">";
        for (source, expected) in [
            ("<p>".to_owned(), "web/a.html:1: a page has a style sheet"),
            (format!("{sheet}\n<pre>"), "web/a.html:2: no <pre in a page"),
            (
                format!("{sheet}\n<!-- a"),
                "web/a.html:2: a comment has no end",
            ),
            (format!("{sheet}\n<script>"), "web/a.html:2: no <script>"),
            (
                "<link rel=\"stylesheet\" href=\"a.css\">".to_owned(),
                "web/a.html:1: a style sheet is below",
            ),
        ] {
            let fault = write("a.html", &source, &mut Made).unwrap_err().to_string();
            assert!(fault.starts_with(expected), "{fault}");
        }
    }
}
