//! Whether the data folder is whole: its parts were written together, and none of them means anything
//! without the others.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::CliError;

/// Refuses a folder that lacks one of its parts, before anything is begun anew in its place. What is in a
/// part is checked by whoever reads it.
///
/// # Errors
/// The part that is gone, and what tells that it was there.
pub fn check(data: &Path) -> Result<(), CliError> {
    let (metadata, schemas) = (data.join("kafka/metadata.log"), data.join("registry/registry.jsonl"));
    // The broker makes its file before anything else in the folder is written to.
    let others = [has_bytes(&schemas), first_of(&data.join("tables"), "sqlite")];
    if let Some(other) = others.into_iter().flatten().next()
        && !metadata.exists()
    {
        return Err(gone(&metadata, "the broker's topics", &other));
    }
    // A record names its schema by the id that the registry gave it: begun anew, it would give others.
    if let Some(record) = first_record(&data.join("kafka/topics"))
        && has_bytes(&schemas).is_none()
    {
        return Err(gone(&schemas, "the schemas of all records", &record));
    }
    Ok(())
}

fn gone(part: &Path, what: &str, other: &Path) -> CliError {
    CliError::failed(format!(
        "{} is missing or empty: it holds {what}, and {} was written with it. Nothing was changed",
        part.display(),
        other.display()
    ))
    .hint("Restore it from a copy of the data folder, or choose another folder with --data.")
}

fn has_bytes(file: &Path) -> Option<PathBuf> {
    fs::metadata(file).is_ok_and(|it| it.len() > 0).then(|| file.to_path_buf())
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn first_of(folder: &Path, extension: &str) -> Option<PathBuf> {
    entries(folder).find(|path| path.extension().is_some_and(|found| found == extension))
}

/// A segment with something in it, of any partition of any topic.
fn first_record(topics: &Path) -> Option<PathBuf> {
    let files = entries(topics).flat_map(|topic| entries(&topic)).flat_map(|partition| entries(&partition));
    files.filter(|file| file.extension().is_some_and(|it| it == "log")).find_map(|file| has_bytes(&file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(data: &Path, name: &str, content: &str) {
        let path = data.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn a_folder_that_lacks_a_part_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        check(data).unwrap();
        // As a first start is killed, between any two of its steps.
        put(data, "kafka/metadata.log", "entries");
        put(data, "registry/registry.jsonl", "");
        put(data, "kafka/topics/t/0/00000000000000000000.log", "");
        check(data).unwrap();
        put(data, "registry/registry.jsonl", "schemas");
        put(data, "tables/chirp.sqlite", "rows");
        put(data, "kafka/topics/t/0/00000000000000000000.log", "records");
        check(data).unwrap();

        put(data, "registry/registry.jsonl", "");
        let error = check(data).unwrap_err().to_string();
        assert!(error.contains("registry.jsonl is missing or empty"), "{error}");
        fs::remove_file(data.join("registry/registry.jsonl")).unwrap();
        check(data).unwrap_err();
        put(data, "registry/registry.jsonl", "schemas");
        check(data).unwrap();

        fs::remove_dir_all(data.join("kafka")).unwrap();
        let error = check(data).unwrap_err().to_string();
        assert!(error.contains("metadata.log is missing"), "{error}");
        fs::remove_dir_all(data.join("registry")).unwrap();
        check(data).unwrap_err();
    }
}
