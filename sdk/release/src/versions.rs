//! Which versions were released.
//!
//! A version is recorded once its schemas lie in `released/`, and cut once the changelog has its section. One that is
//! recorded and not cut was begun: it may be recorded anew, and nothing is held against it.

use std::path::Path;

use crate::changelog;
use crate::files::{self, RELEASED};
use crate::version::Version;

/// Every version that some domain has in `released/`, the least first.
///
/// # Errors
/// A folder cannot be read, or is none of a version.
pub fn recorded(root: &Path) -> Result<Vec<Version>, String> {
    let mut all = Vec::new();
    for domain in files::domains(root)? {
        all.extend(of(root, &domain)?);
    }
    all.sort();
    all.dedup();
    Ok(all)
}

/// The versions in which a domain was released, the least first.
///
/// # Errors
/// As [`recorded`].
pub fn of(root: &Path, domain: &str) -> Result<Vec<Version>, String> {
    let folder = files::released(root, domain);
    let read = |name: &String| Version::parse(name).map_err(|why| format!("{}: {why}", folder.display()));
    let mut all = files::names(&folder)?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    all.sort();
    Ok(all)
}

/// The version whose vectors and interfaces lie in `sdk/released/`; none before the first.
///
/// # Errors
/// The file cannot be read.
pub fn last(root: &Path) -> Result<Option<Version>, String> {
    let path = root.join(RELEASED).join("version");
    if !path.is_file() {
        return Ok(None);
    }
    Version::parse(files::text(&path)?.trim()).map(Some)
}

/// Whether `next` was begun and not cut: then what is recorded of it is no promise yet.
///
/// # Errors
/// The changelog cannot be read.
pub fn is_begun(root: &Path, next: Version) -> Result<bool, String> {
    Ok(last(root)? == Some(next) && !changelog::is_cut(root, next)?)
}

/// Why the number is none that may follow.
///
/// # Errors
/// As [`recorded`].
pub fn refusals(root: &Path, next: Version) -> Result<Vec<String>, String> {
    let mut all = recorded(root)?;
    if is_begun(root, next)? {
        all.retain(|version| *version != next);
    }
    Ok(match all.last() {
        Some(last) if *last >= next => vec![format!(
            "{next} does not follow {last}, which was released: the next one is VERSION={}, or VERSION={} if programs have \
             to be changed for it",
            last.next(),
            last.next_break()
        )],
        _ => Vec::new(),
    })
}
