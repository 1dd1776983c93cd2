//! The tests of the packages of the other languages, each by its own runner.

use std::path::Path;
use std::process::Command;

fn passes(language: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/sdk-test");
    // a few of them here; `make sdk-mutations` reads a million
    let count = std::env::var("MUTATIONS").unwrap_or_else(|_| "4000".to_owned());
    let output = Command::new(script).arg(language).env("MUTATIONS", count).output().unwrap();
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{language}:\n{out}\n{error}");
}

#[test]
fn the_package_of_typescript_passes() {
    passes("typescript");
}

#[test]
fn the_package_of_python_passes() {
    passes("python");
}

#[test]
fn the_package_of_go_passes() {
    passes("go");
}
