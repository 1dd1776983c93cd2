//! The foreign clients' Python.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The interpreter that has the clients; installed once.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| millrace_services::python_env().unwrap_or_else(|error| panic!("{error}")))
}

/// A script of this package.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name)
}
