//! Planted bugs cannot get into anything that is shipped.

use std::path::Path;
use std::process::Command;

/// Every package that is built, with its features.
const TREE: [&str; 7] = ["tree", "--locked", "--offline", "-e", "all", "-f", "{p} {f}"];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn neither_the_binary_nor_the_workspace_has_planted_bugs() {
    for what in [&["-p", "millrace"][..], &["--workspace"]] {
        let tree = cargo(&[&TREE[..], what].concat());
        assert!(tree.contains("millrace-runtime"), "the tree shows what is built: {tree}");
        assert!(!tree.contains("planted-bugs"), "{what:?} builds with planted bugs");
    }
    let with = cargo(&[&TREE[..], &["-p", "millrace-simulate", "--features", "planted-bugs"]].concat());
    assert!(with.contains("planted-bugs"), "this test would see them");
}

#[test]
fn nothing_turns_them_on_by_default() {
    for member in ["processors/runtime", "tests/simulate"] {
        let manifest = std::fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
        assert!(!manifest.contains("default = "), "{member} has default features: mind the planted bugs");
    }
    let planted = std::fs::read_to_string(root().join("processors/runtime/src/planted.rs")).unwrap();
    let guard = "#[cfg(all(feature = \"planted-bugs\", not(debug_assertions)))]\ncompile_error!";
    assert!(planted.contains(guard), "a release build with planted bugs does not compile");
}
