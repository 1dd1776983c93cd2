//! Where things lie, and reading them with errors that name the file.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What the last release was, but for the schemas.
pub const RELEASED: &str = "sdk/released";

/// The text of a file.
///
/// # Errors
/// Names the file.
pub fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// A file of JSON.
///
/// # Errors
/// Names the file.
pub fn json(path: &Path) -> Result<Value, String> {
    serde_json::from_str(&text(path)?).map_err(|error| format!("{}: no JSON: {error}", path.display()))
}

/// Writes a file, and its folder if need be.
///
/// # Errors
/// Names the file.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}

/// The names in a folder, sorted; none, if there is no such folder.
///
/// # Errors
/// Names the folder.
pub fn names(folder: &Path) -> Result<Vec<String>, String> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The domains, by the folders of their schemas.
///
/// # Errors
/// The folder cannot be read.
pub fn domains(root: &Path) -> Result<Vec<String>, String> {
    let mut names = names(&root.join("schemas"))?;
    names.retain(|name| root.join("schemas").join(name).is_dir());
    Ok(names)
}

/// The folder of what was released of a domain.
pub fn released(root: &Path, domain: &str) -> PathBuf {
    root.join("schemas").join(domain).join("released")
}

/// The first 16 digits of SHA-256: enough to notice a change that nobody has made on purpose.
pub fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
