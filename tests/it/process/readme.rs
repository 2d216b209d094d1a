//! The promise: the commands in README.md and in the pages beside it work as they stand there.
//!
//! Each block of commands, configuration or JSON is run, with ports and numbers changed as
//! `blocks::CHANGED` says, or checked as far as this machine allows (`blocks::BLOCKS`). A block that is not in
//! that list fails the test. So does a link, option, variable, metric, file or test that the text
//! names and that does not exist.
//!
//! - `blocks`: what stands in blocks; `text`: what stands between them.

mod blocks;
mod text;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// README.md, the pages beside it and all of `docs/`.
const PAGES: [&str; 3] = ["README.md", "CONTRIBUTING.md", "SECURITY.md"];

/// One page.
struct Page {
    /// From the root of the repository.
    path: PathBuf,
    text: String,
}

impl Page {
    fn all() -> Vec<Page> {
        let mut paths: Vec<PathBuf> = PAGES.iter().map(PathBuf::from).collect();
        for entry in fs::read_dir(root().join("docs")).unwrap() {
            let path = Path::new("docs").join(entry.unwrap().file_name());
            if path.extension().is_some_and(|ending| ending == "md") {
                paths.push(path);
            }
        }
        paths.sort();
        let pages = paths.into_iter().map(|path| Page {
            text: repository(path.to_str().unwrap()),
            path,
        });
        pages.collect()
    }

    /// The text between the blocks.
    fn prose(&self) -> String {
        self.text.split("```").step_by(2).collect()
    }

    /// The blocks behind three backquotes and `sh`, `toml` or `json`.
    fn blocks(&self) -> Vec<&str> {
        let mut blocks = Vec::new();
        for part in self.text.split("```").skip(1).step_by(2) {
            let (language, text) = part.split_once('\n').unwrap();
            assert!(
                ["sh", "toml", "json", "text", "html", "js"].contains(&language),
                "{}: a block of the unknown language {language:?}",
                self.path.display()
            );
            // Scripts of pages are for browsers: `tests/browser` has their like.
            if ["sh", "toml", "json"].contains(&language) {
                blocks.push(text);
            }
        }
        blocks
    }

    /// What stands between backquotes in the text, with one space for each line end.
    fn spans(&self) -> Vec<String> {
        let prose = self.prose();
        let spans = prose.split('`').skip(1).step_by(2);
        spans
            .map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    }

    /// The names by which links lead to the headings of this page, as GitHub makes them.
    fn anchors(&self) -> BTreeSet<String> {
        let mut anchors = BTreeSet::new();
        for line in self.prose().lines() {
            let Some((_, heading)) = line.trim_start_matches('#').split_once(' ') else {
                continue;
            };
            if !line.starts_with('#') {
                continue;
            }
            let heading = heading.to_lowercase().replace(' ', "-");
            let is_kept = |letter: &char| letter.is_alphanumeric() || "-_".contains(*letter);
            let anchor = heading.chars().filter(is_kept).collect();
            let path = self.path.display();
            assert!(anchors.insert(anchor), "{path}: {heading} is there twice");
        }
        anchors
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether one of the pages has this text.
fn is_written(text: &str) -> bool {
    Page::all().iter().any(|page| page.text.contains(text))
}

fn repository(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
