//! The promises of `fuzz/` hold for its seeds and for every finding of the fuzzer.
//!
//! Seeds are made here, from recordings and by hand, and given to the fuzzer by
//! `cargo test --test corpus -- --ignored`. What it finds is kept in `fuzz/findings/TARGET/`.

mod recordings;
mod scripts;
mod texts;

use bytes::Bytes;
use recordings::{any_cut_seeds, odd_ones, repair_seeds};
use scripts::{bus_seeds, connection_seeds, ring_seeds};
use std::path::{Path, PathBuf};
use texts::{body_seeds, control_seeds, request_seeds};
use videostream::fuzzing;
use videostream::webm::Limits;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A promise of `fuzz/`, and inputs to begin with.
type Target = (&'static str, fn(&[u8]), Vec<(String, Vec<u8>)>);

fn targets() -> [Target; 8] {
    [
        ("any_cut", fuzzing::any_cut, any_cut_seeds()),
        ("body", fuzzing::body, body_seeds()),
        ("bus", fuzzing::bus, bus_seeds()),
        ("connection", fuzzing::connection, connection_seeds()),
        ("control", fuzzing::control, control_seeds()),
        ("repair", fuzzing::repair, repair_seeds()),
        ("request", fuzzing::request, request_seeds()),
        ("ring", fuzzing::ring, ring_seeds()),
    ]
}

fn hold_findings(target: &str, promise: impl Fn(&[u8])) {
    let Ok(findings) = std::fs::read_dir(project("fuzz/findings").join(target)) else {
        return;
    };
    for finding in findings {
        let path = finding.expect("a readable folder").path();
        println!("{}", path.display());
        promise(&std::fs::read(path).expect("a readable finding"));
    }
}

#[test]
fn promises_hold_for_every_seed() {
    for (target, promise, seeds) in targets() {
        for (name, seed) in seeds {
            println!("{target} {name}");
            promise(&seed);
        }
    }
}

#[test]
fn seeds_match_their_names() {
    for (name, bytes) in odd_ones() {
        let segmented = fuzzing::segment(Limits::default(), [Bytes::from(bytes)]);
        let is_wrong = matches!(
            name,
            "an-impossible-size" | "no-tracks" | "too-many-tracks" | "another-format"
        );
        assert_eq!(segmented.error.is_some(), is_wrong, "{name}: {segmented:?}");
    }
}

#[test]
fn findings_of_the_fuzzer_stay_fixed() {
    for (target, promise, _) in targets() {
        hold_findings(target, promise);
    }
}

/// The findings of a target that is not listed here would never be tested again.
#[test]
fn every_fuzz_target_is_tested_here() {
    let manifest = std::fs::read_to_string(project("fuzz/Cargo.toml")).expect("a manifest");
    let script = std::fs::read_to_string(project("tests/run")).expect("a script");
    let names = targets().map(|(name, _, _)| name);
    for name in names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        assert!(
            script.contains(&format!("[{name}]=")),
            "{name} has no dictionary"
        );
    }
    assert_eq!(manifest.matches("[[bin]]").count(), names.len());
}

#[test]
#[ignore = "writes fuzz/corpus, for the fuzzer to start from"]
fn write_seeds() {
    for (target, _, seeds) in targets() {
        let corpus = project("fuzz/corpus").join(target);
        std::fs::create_dir_all(&corpus).expect("a folder that can be made");
        for (name, seed) in seeds {
            std::fs::write(corpus.join(name), seed).expect("a folder that can be written to");
        }
    }
}
