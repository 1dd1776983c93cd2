//! The cache folder: what is fetched once, whole or not at all, however many processes ask.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::ServiceError;

/// The cache folder: `MILLRACE_CACHE`, else `.cache` in the root of the repository.
pub fn cache_dir() -> PathBuf {
    match std::env::var_os("MILLRACE_CACHE") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => repository_root().join(".cache"),
    }
}

/// The root of the repository this package was built from.
pub(crate) fn repository_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// A file of this package: a script, a pom, a configuration.
pub(crate) fn recipe_file(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// Gives the folder `<cache>/<name>-<fingerprint of recipe>`, made by `build` if it is not there yet.
///
/// A changed recipe is another folder, so checkouts of different versions can share one cache. The marker file is
/// written last: a folder without it was interrupted and is made anew. The lock makes a second process wait for
/// the first one's result instead of fetching the same again.
pub(crate) fn ensure(
    name: &str,
    recipe: &str,
    build: impl FnOnce(&Path) -> Result<(), ServiceError>,
) -> Result<PathBuf, ServiceError> {
    ensure_in(&cache_dir(), name, recipe, build)
}

fn ensure_in(
    cache: &Path,
    name: &str,
    recipe: &str,
    build: impl FnOnce(&Path) -> Result<(), ServiceError>,
) -> Result<PathBuf, ServiceError> {
    let dir = cache.join(format!("{name}-{:016x}", fingerprint(recipe)));
    let marker = dir.join(".complete");
    if marker.exists() {
        return Ok(dir);
    }
    let parent = dir.parent().unwrap_or(&dir);
    fs::create_dir_all(parent).map_err(ServiceError::io(format!("create {}", parent.display())))?;
    let _lock = lock(&dir.with_extension("lock"), name)?;
    if marker.exists() {
        return Ok(dir);
    }
    if dir.exists() {
        fs::remove_dir_all(&dir).map_err(ServiceError::io(format!("remove {}", dir.display())))?;
    }
    fs::create_dir_all(&dir).map_err(ServiceError::io(format!("create {}", dir.display())))?;
    build(&dir)?;
    fs::write(&marker, recipe).map_err(ServiceError::io(format!("write {}", marker.display())))?;
    Ok(dir)
}

/// Holds the lock file until the returned file is dropped; says so when another process has it.
fn lock(path: &Path, name: &str) -> Result<File, ServiceError> {
    let doing = || format!("lock {}", path.display());
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(ServiceError::io(doing()))?;
    if file.try_lock().is_err() {
        eprintln!("waiting for another process that fetches {name}");
        file.lock().map_err(ServiceError::io(doing()))?;
    }
    Ok(file)
}

/// FNV-1a: stable over compiler versions, which the standard library's hasher does not promise.
fn fingerprint(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn fingerprint_is_the_published_one() {
        assert_eq!(fingerprint(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint("a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn what_was_interrupted_is_made_anew() {
        let cache = tempfile::tempdir().unwrap();
        let half = |dir: &Path| {
            fs::write(dir.join("half"), "").map_err(ServiceError::io("write"))?;
            Err(ServiceError::Missing { what: "the rest".to_owned(), install: "wait".to_owned() })
        };
        ensure_in(cache.path(), "thing", "1", half).unwrap_err();
        let dir = ensure_in(cache.path(), "thing", "1", |_| Ok(())).unwrap();
        assert!(!dir.join("half").exists());
        // Complete now: neither this recipe nor another one touches it.
        ensure_in(cache.path(), "thing", "1", |_| panic!("made twice")).unwrap();
        assert_ne!(ensure_in(cache.path(), "thing", "2", |_| Ok(())).unwrap(), dir);
    }

    #[test]
    fn made_once_however_many_ask() {
        let cache = tempfile::tempdir().unwrap();
        let made = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let count = |_: &Path| {
                        made.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    };
                    ensure_in(cache.path(), "thing", "1", count).unwrap();
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }
}
