//! The promise: every test that SECURITY.md names exists.

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_the_security_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let mut names = 0;
    // The last cell of each row: names follow the file that they are in.
    for row in page.lines().filter(|line| line.starts_with('|')) {
        let held_by = row.trim_end_matches([' ', '|']).rsplit('|').next();
        let mut source = String::new();
        for code in held_by.unwrap().split('`').skip(1).step_by(2) {
            if code.ends_with(".rs") {
                source = fs::read_to_string(root.join(code)).expect(code);
            } else if !source.is_empty() && code.contains('_') {
                let is_there = source.contains(&format!("fn {code}("));
                assert!(is_there, "{code} is not in the file named before it");
                names += 1;
            }
        }
    }
    assert!(names > 20, "{names} tests are named");
}
