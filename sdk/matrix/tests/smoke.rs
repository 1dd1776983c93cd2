//! A smoke of the matrix: every language sends commands of two domains and reads what the others have sent, with everything embedded.

use std::path::Path;
use std::process::Command;

#[test]
fn every_language_reads_what_the_others_have_sent() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let millrace = Path::new(env!("CARGO_BIN_EXE_millrace-sdk-driver")).with_file_name("millrace");
    assert!(
        millrace.is_file(),
        "there is no {}; build it with `cargo build --workspace --bins`",
        millrace.display()
    );
    let mut matrix = Command::new(root.join("scripts/sdk-matrix"));
    matrix.args(["--on", "embedded", "--ways", "kafka", "--domains", "accounting,guestbook"]);
    matrix.env("MILLRACE_BIN", millrace);
    let output = matrix.output().unwrap();
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{error}");
    println!("{out}");
}
