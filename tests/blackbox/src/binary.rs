//! The binary under test.

use std::path::PathBuf;

/// The built `millrace`: `MILLRACE_BIN`, else the one beside the test's own executable.
pub fn millrace() -> PathBuf {
    let path = match std::env::var_os("MILLRACE_BIN").filter(|value| !value.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => {
            // …/target/<profile>/deps/<test>, or a binary of this package in …/target/<profile>
            let own = std::env::current_exe().expect("a process knows its executable");
            let profile = own.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
            profile.expect("an executable lies in a folder").join("millrace")
        }
    };
    assert!(
        path.is_file(),
        "there is no {}; build it with `cargo build -p millrace-cli`, or name it in MILLRACE_BIN",
        path.display()
    );
    path.canonicalize().unwrap_or(path)
}
