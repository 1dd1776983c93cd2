//! The tests of what is written in Python and needs no server: model, generator and comparisons of the black-box tests, and the
//! figures on paper of docs/capacity.md.

use std::path::Path;
use std::process::Command;

use millrace_blackbox::{python, script};

#[test]
fn the_model_and_the_generator_keep_their_promises() {
    let tests = script("test_model.py");
    unittest(
        tests.parent().expect("a script lies in a folder"),
        &["test_model", "test_accounting", "test_suite"],
    );
}

#[test]
fn the_figures_on_paper_add_up_and_are_those_of_the_document() {
    unittest(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench"), &["test_capacity"]);
}

fn unittest(folder: &Path, modules: &[&str]) {
    let output =
        Command::new(python()).args(["-m", "unittest", "-q"]).args(modules).current_dir(folder).output();
    let output = output.expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
