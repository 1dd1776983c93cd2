//! `schemas/<d>/registered/`: what the registry gets, checked in so that a diff shows it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::SchemagenError;
use crate::folder::Folder;

/// The folder beside what the author writes.
const FOLDER: &str = "registered";

/// What is to stand in `registered/` of the folder `dir` (`schemas/<d>`), by file name.
///
/// # Errors
/// [`SchemagenError`] names the file and what is wrong with it.
pub fn registered(dir: &Path) -> Result<BTreeMap<String, String>, SchemagenError> {
    let folder = Folder::read(dir)?;
    let named = |schema: crate::folder::Schema| (format!("{}.avsc", schema.kind.file), schema.registered);
    Ok(folder.schemas.into_iter().map(named).collect())
}

/// The files in `registered/` of the folder `dir` that are not as [`registered`] says: other, missing or too many.
///
/// # Errors
/// As [`registered`]; and files that cannot be read.
pub fn stale(dir: &Path) -> Result<Vec<String>, SchemagenError> {
    let wanted = registered(dir)?;
    let found = found(&dir.join(FOLDER))?;
    let names = wanted.keys().chain(found.keys().filter(|name| !wanted.contains_key(*name)));
    Ok(names.filter(|name| wanted.get(*name) != found.get(*name)).cloned().collect())
}

/// Makes `registered/` of the folder `dir` as [`registered`] says. Returns the files that were changed.
///
/// # Errors
/// As [`stale`]; and files that cannot be written.
pub fn render(dir: &Path) -> Result<Vec<String>, SchemagenError> {
    let wanted = registered(dir)?;
    let folder = dir.join(FOLDER);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| SchemagenError::File { path, source }
    };
    fs::create_dir_all(&folder).map_err(failed(&folder))?;
    let stale = stale(dir)?;
    for name in &stale {
        let path = folder.join(name);
        match wanted.get(name) {
            Some(text) => fs::write(&path, text).map_err(failed(&path))?,
            None => fs::remove_file(&path).map_err(failed(&path))?,
        }
    }
    Ok(stale)
}

fn found(folder: &Path) -> Result<BTreeMap<String, String>, SchemagenError> {
    let failed = |path: &Path, source| SchemagenError::File { path: path.to_owned(), source };
    let mut files = BTreeMap::new();
    if !folder.exists() {
        return Ok(files);
    }
    for entry in fs::read_dir(folder).map_err(|source| failed(folder, source))? {
        let path = entry.map_err(|source| failed(folder, source))?.path();
        let text = fs::read_to_string(&path).map_err(|source| failed(&path, source))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.insert(name, text);
    }
    Ok(files)
}
