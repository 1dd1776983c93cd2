//! The packages in `sdk/`: what the messages are in TypeScript, Python, Go and Rust, and the vectors that hold them equal.
//!
//! One [`Model`] of all domains, and a back end for each language that makes its types and what writes and reads them. What is
//! the same for every message (the codec's primitives, framing, ids, clients) is written by hand in each package.

mod go;
mod model;
mod python;
mod rust;
mod text;
mod typescript;
mod vectors;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::SchemagenError;
use model::Model;

/// Files by their path within `sdk/`.
pub type Files = BTreeMap<PathBuf, String>;

/// The folders within `sdk/` in which every file is generated.
pub const GENERATED: [&str; 5] = [
    "typescript/src/generated",
    "python/src/millrace_sdk/domains",
    "go/domains",
    "rust/src/generated",
    "vectors",
];

/// What is generated under `sdk/` for the domains in these folders (`schemas/<d>`), not formatted yet.
///
/// # Errors
/// [`SchemagenError`] names the file and what is wrong with it.
pub fn sdk(folders: &[impl AsRef<Path>]) -> Result<Files, SchemagenError> {
    let model = Model::read(folders)?;
    let mut files = Files::new();
    let [in_typescript, in_python, in_go, in_rust, in_vectors] = GENERATED.map(Path::new);
    let mut put = |folder: &Path, made: Files| {
        files.extend(made.into_iter().map(|(name, text)| (folder.join(name), text)));
    };
    put(in_typescript, typescript::files(&model));
    put(in_python, python::files(&model));
    put(in_go, go::files(&model));
    put(in_rust, rust::files(&model));
    put(in_vectors, vectors::files(&model, folders)?);
    Ok(files)
}
