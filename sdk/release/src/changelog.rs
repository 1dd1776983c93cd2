//! The changelog: what is unreleased becomes the section of a version.

use std::path::Path;

use crate::files;
use crate::version::Version;

const FILE: &str = "CHANGELOG.md";
const UNRELEASED: &str = "\n## Unreleased\n";

/// Whether the changelog has a section of this version.
///
/// # Errors
/// It cannot be read.
pub fn is_cut(root: &Path, version: Version) -> Result<bool, String> {
    Ok(has(&files::text(&root.join(FILE))?, version))
}

fn has(text: &str, version: Version) -> bool {
    let head = format!("## {version}");
    text.lines().any(|line| {
        line.strip_prefix(&head).is_some_and(|rest| rest.is_empty() || rest.starts_with([',', ' ']))
    })
}

/// Why the changelog cannot become that of `next`.
///
/// # Errors
/// It cannot be read.
pub fn refusals(root: &Path, next: Version) -> Result<Vec<String>, String> {
    let text = files::text(&root.join(FILE))?;
    Ok(cut(&text, next, "").err().into_iter().collect())
}

/// The changelog in which what was unreleased is that of `version`, of `date` (2026-12-31).
///
/// # Errors
/// Says what the changelog lacks.
pub fn cut(text: &str, version: Version, date: &str) -> Result<String, String> {
    if has(text, version) {
        return Err(format!("{FILE} has a section of {version} already: take the next version"));
    }
    let Some((before, rest)) = text.split_once(UNRELEASED) else {
        return Err(format!("{FILE} has no section \"## Unreleased\": begin one, and say in it what is new"));
    };
    let own = rest.find("\n## ").map_or(rest, |end| &rest[..end]);
    if !own.lines().any(|line| line.starts_with("- ")) {
        return Err(format!(
            "{FILE} says nothing under \"## Unreleased\": say there what is new in {version}, a line that begins with \"- \" for each thing"
        ));
    }
    Ok(format!("{before}{UNRELEASED}\n## {version}, {date}\n{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_unreleased_becomes_a_section() {
        let version = Version::parse("0.2.0").unwrap();
        let text = "# Changelog\n\n## Unreleased\n\n### Features\n- New.\n\n## 0.1.0, 2026-01-01\n\n- Old.\n";
        let cut_text = cut(text, version, "2026-12-31").unwrap();
        let wanted = "# Changelog\n\n## Unreleased\n\n## 0.2.0, 2026-12-31\n\n### Features\n- New.\n\n## 0.1.0, 2026-01-01\n\n- Old.\n";
        assert_eq!(cut_text, wanted);
        // a second release with nothing new, and the same one again
        assert!(cut(&cut_text, Version::parse("0.3.0").unwrap(), "").unwrap_err().contains("says nothing"));
        assert!(cut(&cut_text, version, "").unwrap_err().contains("already"));
    }
}
