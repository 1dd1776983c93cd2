//! What a release of the packages is held against: every released schema, the vectors that were released, and the public
//! interface of each package.
//!
//! Nothing here builds or publishes; `scripts/release` does. What was released lies in `schemas/<d>/released/<version>/`
//! and in `sdk/released/`.

pub mod api;
pub mod changelog;
pub mod files;
pub mod messages;
pub mod record;
mod rust_api;
pub mod schemas;
pub mod tree;
pub mod vectors;
pub mod version;
pub mod versions;

use std::path::Path;

use version::Version;

/// All that keeps `next` from being released out of the tree at `root`; nothing, if it may be.
///
/// # Errors
/// What is in the tree cannot be read.
pub fn refusals(root: &Path, next: &str) -> Result<Vec<String>, String> {
    let next = match Version::parse(next) {
        Ok(next) => next,
        Err(why) => return Ok(vec![why]),
    };
    let mut all = versions::refusals(root, next)?;
    all.extend(tree::refusals(root, next)?);
    all.extend(changelog::refusals(root, next)?);
    all.extend(kept(root, next)?);
    for language in api::LANGUAGES {
        all.extend(api::refusals(root, language, next)?);
    }
    Ok(all)
}

/// What of released messages is not kept: the part that holds between releases, too.
///
/// # Errors
/// As [`refusals`].
pub fn kept(root: &Path, next: Version) -> Result<Vec<String>, String> {
    let mut all = schemas::refusals(root, next)?;
    all.extend(vectors::refusals(root, next)?);
    Ok(all)
}
