//! The examples run against one deployment with everything embedded.

use std::path::Path;
use std::process::Command;

fn runs(what: &str) {
    let producer = Path::new(env!("CARGO_BIN_EXE_millrace-example-producer"));
    let millrace = producer.with_file_name("millrace");
    assert!(
        millrace.is_file(),
        "there is no {}; build it with `cargo build --workspace --bins`",
        millrace.display()
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/examples");
    let mut examples = Command::new(script);
    examples.arg(what).env("MILLRACE_BIN", &millrace).env("MILLRACE_PRODUCER", producer);
    let output = examples.output().unwrap();
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}:\n{out}\n{error}");
    println!("{out}");
}

#[test]
fn the_smallest_producers_send() {
    runs("producers");
}

/// Killed in the middle, too.
#[test]
fn aggregators_in_other_languages_have_our_rows() {
    runs("aggregators");
}
