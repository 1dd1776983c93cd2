//! `docs/guarantees.md` names tests: every one of them exists, and no promise goes without.

use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn document() -> String {
    fs::read_to_string(root().join("docs/guarantees.md")).expect("docs/guarantees.md is there")
}

/// Everything of the form `path/to/file.rs::test` between backticks.
fn named(text: &str) -> Vec<(&str, &str)> {
    let between_backticks = text.split('`').skip(1).step_by(2);
    between_backticks
        .filter_map(|token| token.split_once(".rs::").map(|_| token.split_once("::").unwrap()))
        .collect()
}

/// What is wrong with a reference, if anything.
fn problem(path: &str, test: &str) -> Option<String> {
    let Ok(source) = fs::read_to_string(root().join(path)) else {
        return Some(format!("{path} does not exist"));
    };
    let Some(at) = source.find(&format!("fn {test}(")) else {
        return Some(format!("{path} has no test {test}"));
    };
    if path.contains("/conformance/") {
        // a case of a suite counts when the suite runs it
        let suite = Path::new(path).with_file_name("mod.rs");
        let runs = fs::read_to_string(root().join(suite)).unwrap_or_default();
        return (!runs.contains(test)).then(|| format!("no suite runs {test} of {path}"));
    }
    let before = &source[..at];
    let attributes = &before[before.rfind("\n\n").unwrap_or(0)..];
    let is_test = ["#[test]", "#[tokio::test"].iter().any(|attribute| attributes.contains(attribute));
    (!is_test).then(|| format!("{test} in {path} is no test"))
}

#[test]
fn every_test_that_is_named_exists() {
    let document = document();
    let named = named(&document);
    assert!(named.len() > 40, "only {} tests are named: the reader of the document is wrong", named.len());
    let problems: Vec<String> = named.iter().filter_map(|(path, test)| problem(path, test)).collect();
    assert!(problems.is_empty(), "docs/guarantees.md:\n{}", problems.join("\n"));
}

#[test]
fn every_promise_names_a_test() {
    let document = document();
    let promised =
        document.split("\n## ").find(|part| part.starts_with("What is promised")).expect("promises");
    let promises: Vec<&str> = promised.split("\n### ").skip(1).collect();
    assert!(promises.len() >= 12, "only {} promises are found", promises.len());
    for promise in promises {
        let title = promise.lines().next().unwrap_or_default();
        assert!(!named(promise).is_empty(), "nothing shows the promise \"{title}\"");
    }
}

#[test]
fn a_reference_that_is_wrong_is_found() {
    let text = "Shown by `cli/tests/guarantees.rs::every_promise_names_a_test` and `docs/x.md`.";
    assert_eq!(named(text), [("cli/tests/guarantees.rs", "every_promise_names_a_test")]);
    let here = "cli/tests/guarantees.rs";
    assert_eq!(problem(here, "every_promise_names_a_test"), None);
    assert!(problem(here, "nobody_wrote_this").is_some());
    assert!(problem(here, "problem").is_some_and(|found| found.contains("no test")));
    assert!(problem("cli/tests/gone.rs", "x").is_some());
}
