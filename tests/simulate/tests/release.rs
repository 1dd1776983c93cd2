//! Planted bugs cannot get into anything that is shipped.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The lines of a section of the workspace's manifest.
fn section(name: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let lines = manifest.lines().skip_while(|line| line.trim() != format!("[{name}]")).skip(1);
    lines.take_while(|line| !line.starts_with('[')).map(str::to_owned).collect()
}

#[test]
fn what_is_shipped_has_no_debug_assertions() {
    assert!(
        section("profile.simulate").iter().any(|line| line == "debug-assertions = true"),
        "this test would see them"
    );
    // what comes from "dev" has them unless it says otherwise
    for (profile, comes_from_dev) in [("profile.release", false), ("profile.dist", true)] {
        let lines = section(profile);
        assert!(!lines.is_empty(), "{profile} is missing");
        assert_eq!(
            lines.iter().any(|line| line == "inherits = \"dev\""),
            comes_from_dev,
            "{profile}: {lines:?}"
        );
        let said: Vec<_> = lines.iter().filter(|line| line.starts_with("debug-assertions")).collect();
        let expected = if comes_from_dev { vec!["debug-assertions = false"] } else { vec![] };
        assert_eq!(said, expected, "{profile}");
    }
}

#[test]
fn without_debug_assertions_there_are_none() {
    let planted = fs::read_to_string(root().join("processors/runtime/src/planted.rs")).unwrap();
    for guarded in [
        "#[cfg(debug_assertions)]\nmod on {",
        "#[cfg(not(debug_assertions))]\n#[must_use]\npub const fn is_on",
    ] {
        assert!(planted.contains(guarded), "{guarded}");
    }
}

#[test]
fn nothing_but_the_simulation_plants_any() {
    let mut folders: Vec<PathBuf> =
        ["cli", "processors", "bench"].iter().map(|folder| root().join(folder)).collect();
    let mut looked_at = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let code = fs::read_to_string(&path).unwrap();
                let plants = code.contains("plant(") || code.contains("planted::plant");
                assert!(
                    !plants || path.ends_with("runtime/src/planted.rs"),
                    "{} plants a bug",
                    path.display()
                );
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 200, "{looked_at} files were looked at");
}
