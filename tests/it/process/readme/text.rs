//! Options, defaults, files, metrics, links and figures that the text names.

use super::{Page, repository, root};
use crate::common::http::Http;
use crate::common::server::{Server, program};
use std::ffi::OsString;
use std::fs;
use videostream::cli;

/// Long options in the text that are of other programs, and of which.
const FOREIGN: [(&str, &str); 13] = [
    ("--videostream-accent", "CSS"),
    ("--videostream-background", "CSS"),
    ("--videostream-fit", "CSS"),
    ("--profile", "mpv"),
    ("--network-caching", "VLC"),
    ("--bench", "cargo"),
    ("--save-baseline", "criterion"),
    ("--baseline", "criterion"),
    ("--servers", "benches/compare"),
    ("--save", "benches/compare"),
    ("--hold", "benches/compare"),
    ("--variant", "benches/compare"),
    ("--rates", "benches/compare"),
];

/// Words as a shell has them, as far as the pages need that.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for character in text.chars() {
        match character {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            character => words.last_mut().unwrap().push(character),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn parses(arguments: &[&str], more: &[String]) -> Result<(), clap::Error> {
    let more = more.iter().map(OsString::from);
    let all = arguments.iter().map(OsString::from).chain(more);
    cli::parse(all).map(drop)
}

/// What `--help` of each command prints.
fn help() -> String {
    let commands = [
        None,
        Some("load"),
        Some("push"),
        Some("token"),
        Some("inspect"),
        Some("repair"),
    ];
    let help = commands.map(|command| {
        let output = program().args(command).arg("--help").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    });
    help.concat()
}

/// Whether `text` has `name` as a whole word.
fn has_word(text: &str, name: &str) -> bool {
    let is_of_a_name = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    text.split(name)
        .skip(1)
        .any(|rest| !rest.starts_with(is_of_a_name))
}

/// Every option, variable and command in the text, outside of the blocks.
#[test]
fn every_option_in_the_text_is_one() {
    let commands: [&[&str]; 4] = [
        &["videostream"],
        &["videostream", "load", "h/live/a", "--viewers", "9"],
        &["videostream", "push", "a.webm", "ws://h/publish/a"],
        &["videostream", "token", "a"],
    ];
    let help = help();
    let mut count = 0;
    for (page, span) in every_span() {
        if let Some(arguments) = span.strip_prefix("videostream ") {
            let arguments = words(arguments);
            if let Err(error) = parses(&["videostream"], &arguments) {
                use clap::error::ErrorKind::{
                    DisplayHelp, InvalidValue, MissingRequiredArgument, ValueValidation,
                };
                // `load` alone, say, or RATE for a rate.
                let is_fine = matches!(
                    error.kind(),
                    DisplayHelp | MissingRequiredArgument | InvalidValue | ValueValidation
                );
                assert!(is_fine, "{page}: `{span}`: {error}");
            }
            count += 1;
        } else if span.starts_with("--") && span != "--" {
            let given = words(&span);
            let name = given[0].split('=').next().unwrap();
            let is_known = has_word(&help, name);
            let is_foreign = |word: &str| FOREIGN.iter().any(|(foreign, _)| *foreign == word);
            let has_foreign = given.iter().any(|word| is_foreign(word));
            assert!(
                is_known || is_foreign(name) || name == "--help",
                "{page}: `{span}`"
            );
            // With a value that is one.
            let is_placeholder = |word: &String| {
                word.chars()
                    .all(|letter| letter.is_ascii_uppercase() || ":|".contains(letter))
            };
            if !has_foreign && given.len() > 1 && !given[1..].iter().any(is_placeholder) {
                let errors: Vec<String> = commands
                    .iter()
                    .filter_map(|command| parses(command, &given).err())
                    .map(|error| error.to_string())
                    .collect();
                assert!(
                    errors.len() < commands.len(),
                    "{page}: `{span}`: {errors:?}"
                );
            }
            count += 1;
        } else if span.starts_with("VIDEOSTREAM_") {
            let name = span.split('=').next().unwrap();
            assert!(has_word(&help, name), "{page}: `{span}`");
            count += 1;
        }
    }
    assert!(count > 90, "{count}");
}

/// A default that stands behind an option in brackets, as in "`--auth-cache` (10 s)".
#[test]
fn every_default_in_the_text_is_that_of_the_program() {
    let help = help().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut count = 0;
    for page in Page::all() {
        let prose = page.prose();
        let prose = prose.split_whitespace().collect::<Vec<_>>().join(" ");
        for rest in prose.split("`--").skip(1) {
            let Some((option, behind)) = rest.split_once("` (") else {
                continue;
            };
            let value = behind.split(')').next().unwrap().replace(' ', "");
            let is_value = value.starts_with(|first: char| first.is_ascii_digit());
            if option.contains([' ', '`']) || !is_value {
                continue;
            }
            // The flag's own entry, which its variable follows.
            let entry = help.split(&format!(" --{option} <")).nth(1).unwrap();
            let entry = entry.split("[env: ").next().unwrap();
            let default = format!("[default: {value}]");
            assert!(entry.contains(&default), "{option}: {value}, but {entry}");
            count += 1;
        }
    }
    assert!(count >= 3, "{count}");
}

/// Each page's path and what stands there between backquotes.
fn every_span() -> Vec<(String, String)> {
    let mut spans = Vec::new();
    for page in Page::all() {
        let path = page.path.display().to_string();
        spans.extend(page.spans().into_iter().map(|span| (path.clone(), span)));
    }
    spans
}

/// Every file, test, bench and fuzz target that the text names.
#[test]
fn every_file_in_the_text_exists() {
    let mut count = 0;
    for (page, span) in every_span() {
        let folders = ["src", "tests", "benches", "fuzz", "contrib", "web", "docs"];
        let words: Vec<&str> = span.split(' ').collect();
        for word in &words {
            if folders
                .iter()
                .any(|folder| word.starts_with(&format!("{folder}/")))
            {
                assert!(root().join(word).exists(), "{page}: `{span}`");
                count += 1;
            }
        }
        for pair in words.windows(2) {
            let folder = match pair[0] {
                "--test" => "tests",
                "--bench" => "benches",
                _ => continue,
            };
            let is_there = ["", ".rs"].iter().any(|ending| {
                let path = format!("{folder}/{}{ending}", pair[1]);
                root().join(path).exists()
            });
            assert!(is_there || pair[1] == "NAME", "{page}: `{span}`");
            count += 1;
        }
        // A room, or a file or folder in one.
        if let Some((room, file)) = span.split_once("::")
            && root().join("src").join(room).exists()
        {
            let path = root().join("src").join(room).join(file);
            let files = [path.with_extension("rs"), path.join("mod.rs")];
            assert!(files.iter().any(|file| file.exists()), "{page}: `{span}`");
            count += 1;
        }
    }
    assert!(count > 80, "{count}");
}

/// Every room of `src/` has a row in the map of the architecture.
#[test]
fn every_room_is_in_the_architecture() {
    let page = repository("docs/architecture.md");
    let rows: String = page.lines().filter(|line| line.starts_with('|')).collect();
    let mut count = 0;
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_str().unwrap();
        if !["lib", "main"].contains(&room) {
            assert!(rows.contains(&format!("`{room}`")), "{room}");
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
}

/// Every metric that the text names.
#[test]
fn every_metric_in_the_text_is_one() {
    // No server is there: the node serves alone.
    let server = Server::with(&["--nats", "nats://127.0.0.1:1"]);
    let metrics = Http::open(&server).request("GET", "/metrics", &[]);
    let metrics = String::from_utf8(metrics.body).unwrap();
    let mut count = 0;
    for (page, span) in every_span() {
        if span.starts_with("videostream_") {
            let name = span.split('{').next().unwrap();
            assert!(has_word(&metrics, name), "{page}: `{span}`");
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
}

/// Links lead to pages, headings and files that are there.
#[test]
fn every_link_leads_somewhere() {
    let pages = Page::all();
    let mut count = 0;
    for page in &pages {
        let path = page.path.display();
        for link in page.prose().split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => root().join(&page.path),
                file => root().join(&page.path).parent().unwrap().join(file),
            };
            let file =
                fs::canonicalize(&file).unwrap_or_else(|error| panic!("{path}: {target}: {error}"));
            if target.contains('#') {
                let of_file =
                    |other: &&Page| fs::canonicalize(root().join(&other.path)).unwrap() == file;
                let other = pages
                    .iter()
                    .find(of_file)
                    .unwrap_or_else(|| panic!("{path}: {target} is not in a page"));
                assert!(
                    other.anchors().contains(anchor),
                    "{path}: {target}: no such heading"
                );
            }
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}

/// README repeats figures of the benchmarks, so they must agree.
#[test]
fn figures_of_the_readme_are_those_of_the_benchmarks() {
    let (readme, benchmarks) = (repository("README.md"), repository("docs/benchmarks.md"));
    let cells = |row: &str| -> Vec<String> {
        let cells = row.trim_matches(['|', ' ']).split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    for figure in ["100 ms", "7.7 MB"] {
        assert!(readme.contains(figure) && benchmarks.contains(figure));
    }
    // The least and the most median delay, Chromium's and Firefox's, by the two ways to play.
    let delays = |player: &str, columns: &[usize]| {
        let start = format!("| {player} | ");
        let row = benchmarks.lines().find(|row| row.starts_with(&start));
        let row = cells(row.unwrap_or_else(|| panic!("no delays of {player}")));
        let median =
            |column: &usize| -> u32 { row[*column].split(' ').next().unwrap().parse().unwrap() };
        let medians: Vec<u32> = columns.iter().map(median).collect();
        let (least, most) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
        format!("{least} to {most} ms")
    };
    let codecs = "WebCodecs, `latency=normal`";
    for delay in [
        delays(codecs, &[1, 3]),
        delays(codecs, &[2, 4]),
        delays("Media Source Extensions", &[1, 2, 3, 4]),
    ] {
        assert!(readme.contains(&delay), "README.md lacks {delay}");
    }
    let section = readme.split("\n## Compared\n").nth(1).unwrap();
    let table = section.lines().skip_while(|line| !line.starts_with('|'));
    let rows: Vec<_> = table.take_while(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 9);
    for row in &rows[2..] {
        let row = cells(row);
        let [server, cpu, held, faults] = &row[..] else {
            panic!("{row:?}");
        };
        let start = format!("| {server} |");
        let known = benchmarks.lines().filter(|line| line.starts_with(&start));
        let [compared, most] = &known.map(cells).collect::<Vec<_>>()[..] else {
            panic!("{server} is not in two tables");
        };
        let at_1000 = compared[1].split(" / ").nth(1);
        assert_eq!(at_1000, Some(cpu.as_str()), "{server}");
        assert_eq!(&compared[6], faults, "{server}");
        assert_eq!(most[1].split(',').next(), Some(held.as_str()), "{server}");
    }
}
