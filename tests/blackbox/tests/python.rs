//! The tests of the tests: model, generator and comparisons, which need no server.

use std::process::Command;

use millrace_blackbox::{python, script};

#[test]
fn the_model_and_the_generator_keep_their_promises() {
    let tests = script("test_model.py");
    let folder = tests.parent().expect("a script lies in a folder");
    let output = Command::new(python())
        .args(["-m", "unittest", "-q", "test_model", "test_accounting"])
        .current_dir(folder)
        .output();
    let output = output.expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
