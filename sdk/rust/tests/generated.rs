//! What is checked in under `sdk/` is what comes of the schemas, formatted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The files beneath `folder` by their path within it.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display())) {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true if path.ends_with("__pycache__") => {}
                true => folders.push(path),
                false => {
                    let text = fs::read_to_string(&path).unwrap();
                    found.insert(path.strip_prefix(folder).unwrap().to_owned(), text);
                }
            }
        }
    }
    found
}

#[test]
fn what_is_checked_in_is_generated() {
    let (root, made) = (root(), tempfile::tempdir().unwrap());
    let mut schemas: Vec<PathBuf> =
        fs::read_dir(root.join("schemas")).unwrap().map(|it| it.unwrap().path()).collect();
    schemas.retain(|path| path.is_dir());
    for (name, text) in millrace_schemagen::sdk(&schemas).unwrap() {
        let path = made.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let status = Command::new(root.join("scripts/sdk-format")).arg(made.path()).status().unwrap();
    assert!(status.success(), "scripts/sdk-format failed");
    for folder in millrace_schemagen::GENERATED {
        let (wanted, found) = (files(&made.path().join(folder)), files(&root.join("sdk").join(folder)));
        let names = wanted.keys().chain(found.keys().filter(|name| !wanted.contains_key(*name)));
        let stale: Vec<_> = names.filter(|name| wanted.get(*name) != found.get(*name)).collect();
        assert!(
            stale.is_empty(),
            "sdk/{folder}: {stale:?} differ from what schemas/ say; write them with `make schemas` and look at the difference"
        );
    }
}
