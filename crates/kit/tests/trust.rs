//! The tests that `docs/trust.md` names are there.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

/// The files and tests that a page names: `` `path.rs`: `test`, `test` ``.
fn named(page: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for line in page.lines() {
        let mut file = None;
        // What stands in backticks is every second part.
        for code in line.split('`').skip(1).step_by(2) {
            let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            match file {
                _ if code.ends_with(".rs") => file = Some(code),
                Some(file) if code.bytes().all(is_name) => found.push((file, code)),
                _ => {}
            }
        }
    }
    found
}

#[test]
fn every_test_that_the_page_of_trust_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/trust.md")).unwrap();
    let named = named(&page);
    assert!(named.len() > 50, "the page names {} tests", named.len());
    let is_missing = |(file, test): &&(&str, &str)| {
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        let test = format!("fn {test}(");
        let Some((before, _)) = text.split_once(&test) else {
            return true;
        };
        // An attribute or another stands between a test and what makes it one.
        let above = before.rsplit("\n\n").next().unwrap_or_default();
        !["test]", "test(", "#[test_"]
            .iter()
            .any(|mark| above.contains(mark))
    };
    let missing: Vec<_> = named.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
    for promise in 1..=5 {
        assert!(page.contains(&format!("\n### {promise}. ")), "{promise}");
    }
}

#[test]
fn files_and_tests_are_read_from_a_line() {
    let line = "| a `door` | `a/b.rs`: `one_test`, `other`; `c.rs`: `third` |";
    let found = [
        ("a/b.rs", "one_test"),
        ("a/b.rs", "other"),
        ("c.rs", "third"),
    ];
    assert_eq!(named(line), found);
}
