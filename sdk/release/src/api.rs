//! The public interface of each package as lines of text, and what of it a release may not take away.
//!
//! A line is one thing that programs may name: a function's parameter, a field, a constant. It begins with `! ` if programs
//! have to say it, such as a parameter without a default: one more of those breaks them, too. The lines end as ` = …`
//! where there is a default.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::files::{self, RELEASED};
use crate::version::Version;
use crate::{rust_api, versions};

/// The languages that have a package.
pub const LANGUAGES: [&str; 4] = ["typescript", "python", "go", "rust"];

/// Stands before what a program must say.
const MUST: &str = "! ";
/// Stands behind what it need not.
const DEFAULT: &str = " = …";
/// Breaks that are told, of each language.
const MOST: usize = 12;

/// The lines of a package of the tree at `root`, sorted.
///
/// # Errors
/// The language's tools are missing, or do not understand the package.
pub fn lines(root: &Path, language: &str) -> Result<BTreeSet<String>, String> {
    let package = root.join("sdk").join(language);
    // the tools run elsewhere
    let package = package.canonicalize().map_err(|error| format!("{}: {error}", package.display()))?;
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("api");
    let mut command = match language {
        "rust" => return rust_api::lines(&package),
        "python" => Command::new("python3"),
        "typescript" => Command::new("node"),
        "go" => Command::new("go"),
        other => return Err(format!("{other} is none of {}", LANGUAGES.join(", "))),
    };
    match language {
        "python" => command.arg(tools.join("python.py")),
        "typescript" => command.arg(tools.join("typescript.mjs")),
        _ => command.current_dir(tools.join("go")).args(["run", "."]),
    };
    let output = command.arg(&package).output();
    let output =
        output.map_err(|error| format!("{language}: {:?} does not run: {error}", command.get_program()))?;
    if !output.status.success() {
        return Err(format!(
            "the interface of {language}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    let lines: BTreeSet<String> =
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    match lines.len() {
        0..50 => {
            Err(format!("the interface of {language} has {} lines: its files were not found", lines.len()))
        }
        _ => Ok(lines),
    }
}

/// What of `old` is broken by `new`.
pub fn breaks(old: &BTreeSet<String>, new: &BTreeSet<String>) -> Vec<String> {
    let mut all = Vec::new();
    let may_be_left_out: BTreeSet<&str> = new.iter().filter_map(|line| line.strip_suffix(DEFAULT)).collect();
    for line in old.difference(new) {
        let is_eased =
            line.strip_prefix(MUST).is_some_and(|bare| new.contains(bare) || may_be_left_out.contains(bare));
        if !is_eased {
            all.push(format!("{} is gone", line.trim_start_matches(MUST)));
        }
    }
    for line in new.difference(old).filter_map(|line| line.strip_prefix(MUST)) {
        // of a new thing it breaks nobody
        let end = line.find([':', '(']).unwrap_or(line.len());
        let named = &line[..end];
        // a parameter is its function's, a field its record's
        let owner = if line[end..].starts_with('(') {
            named
        } else {
            named.rsplit_once('.').map_or(named, |(owner, _)| owner)
        };
        let is_of_old = old.iter().any(|it| {
            it.trim_start_matches(MUST)
                .strip_prefix(owner)
                .is_some_and(|rest| rest.starts_with(['.', ':', '(', ' ']))
        });
        if is_of_old {
            all.push(format!("{line} has to be said, and had not"));
        }
    }
    all
}

/// What of the interface of the last release is broken, unless the version says so.
///
/// # Errors
/// As [`lines`].
pub fn refusals(root: &Path, language: &str, next: Version) -> Result<Vec<String>, String> {
    let path = root.join(RELEASED).join("api").join(format!("{language}.txt"));
    let Some(last) = versions::last(root)?.filter(|_| path.is_file()) else { return Ok(Vec::new()) };
    if versions::is_begun(root, next)? || next.says_break(last) {
        return Ok(Vec::new());
    }
    let old: BTreeSet<String> = files::text(&path)?.lines().map(str::to_owned).collect();
    Ok(told(language, last, next, breaks(&old, &lines(root, language)?)))
}

fn told(language: &str, last: Version, next: Version, breaks: Vec<String>) -> Vec<String> {
    let more = breaks.len().saturating_sub(MOST);
    let mut all: Vec<String> = breaks
        .into_iter()
        .take(MOST)
        .map(|what| {
            format!(
                "the package of {language}: {what}, which programs of {last} may use, and {next} says that they need no change. Put \
                 it back beside what is new, or release VERSION={}",
                last.next_break()
            )
        })
        .collect();
    if more > 0 {
        all.push(format!("the package of {language}: {more} more of the same kind"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(all: &[&str]) -> BTreeSet<String> {
        all.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn what_is_taken_away_or_asked_for_breaks() {
        let old = lines(&["a.f -> int", "! a.f(0 x: int)", "a.C.y: str", "a.K: int"]);
        assert!(breaks(&old, &old).is_empty());
        // more functions, a parameter that may be left out, one that need not be said any more
        let more = [
            "a.f -> int",
            "a.f(0 x: int) = …",
            "a.f(1 z: int) = …",
            "a.C.y: str",
            "a.K: int",
            "a.g -> int",
            "! a.g(0 x: int)",
        ];
        assert_eq!(breaks(&old, &lines(&more)), Vec::<String>::new());
        let gone = breaks(&old, &lines(&["a.f -> int", "! a.f(0 x: int)", "a.C.y: bytes"]));
        assert_eq!(gone, ["a.C.y: str is gone", "a.K: int is gone"]);
        let asked = breaks(
            &old,
            &lines(&["a.f -> int", "! a.f(0 x: int)", "! a.f(1 z: int)", "a.C.y: str", "a.K: int"]),
        );
        assert_eq!(asked, ["a.f(1 z: int) has to be said, and had not"]);
    }
}
