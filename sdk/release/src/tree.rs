//! The working tree: clean, and without the tag.

use std::path::Path;
use std::process::Command;

use crate::version::Version;

/// The tags of a version: of the repository, and the one by which Go finds the module in its folder.
pub fn tags(version: Version) -> [String; 2] {
    [format!("v{version}"), format!("sdk/go/v{version}")]
}

/// Why nothing can be tagged here.
///
/// # Errors
/// Git does not run, or this is no repository.
pub fn refusals(root: &Path, next: Version) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    let changed = git(root, &["status", "--porcelain"])?;
    let names: Vec<&str> = changed.lines().map(|line| line.get(3..).unwrap_or(line)).collect();
    if !names.is_empty() {
        let shown = names[..names.len().min(5)].join(", ");
        all.push(format!(
            "the tree is not clean: {shown}{}. What is released is what is committed: commit it or put it aside (git stash -u)",
            if names.len() > 5 { ", …" } else { "" }
        ));
    }
    for tag in tags(next) {
        if !git(root, &["tag", "--list", &tag])?.is_empty() {
            all.push(format!(
                "the tag {tag} is there already: take the next version; a tag that was pushed is never moved"
            ));
        }
    }
    Ok(all)
}

fn git(root: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output();
    let output = output.map_err(|error| format!("git does not run: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            Err(format!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
        }
    }
}
