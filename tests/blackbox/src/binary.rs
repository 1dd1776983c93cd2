//! The binary under test.

use std::path::PathBuf;

/// The built `millrace`: `MILLRACE_BIN`, else the one beside the test's own executable.
pub fn millrace() -> PathBuf {
    let path = match std::env::var_os("MILLRACE_BIN").filter(|value| !value.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => {
            // …/target/<profile>/deps/<test>
            let test = std::env::current_exe().expect("a process knows its executable");
            let profile = test.ancestors().nth(2).expect("a test lies two folders below the target folder");
            profile.join("millrace")
        }
    };
    assert!(
        path.is_file(),
        "there is no {}; build it with `cargo build -p millrace`, or name it in MILLRACE_BIN",
        path.display()
    );
    path.canonicalize().unwrap_or(path)
}
