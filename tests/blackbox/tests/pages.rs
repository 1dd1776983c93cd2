//! The pages: what is checked in is what their sources make, and their stories hold in a real browser (`tests/pages/`).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use millrace_blackbox::millrace;
use millrace_services::{browser_node_env, web_node_env};
use tempfile::TempDir;

/// What is made, and is no source.
const MADE: [&str; 3] = ["node_modules", "dist", "build"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("it is there")
}

/// Runs a program that must find nothing wrong.
fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}\n{said}");
    said
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("it can be listed") {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("it can be listed");
        match path.is_dir() {
            true if MADE.iter().any(|made| name == *made) => {}
            true => copy(&path, &to.join(name)),
            false => {
                fs::copy(&path, to.join(name)).expect("it can be copied");
            }
        }
    }
}

/// The sources in a folder of their own, with the packages that they need.
struct Sources {
    _folder: TempDir,
    web: PathBuf,
}

impl Sources {
    fn path(&self) -> &Path {
        &self.web
    }
}

fn sources() -> Sources {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let web = folder.path().join("web");
    copy(&root().join("web"), &web);
    // the pages have their client from the package for TypeScript, beside them
    let package = Path::new("sdk/typescript");
    copy(&root().join(package).join("src"), &folder.path().join(package).join("src"));
    fs::copy(root().join(package).join("package.json"), folder.path().join(package).join("package.json"))
        .expect("it can be copied");
    let packages = web_node_env().unwrap().join("node_modules");
    symlink(packages, web.join("node_modules")).expect("a link");
    Sources { _folder: folder, web }
}

/// Runs a program of those packages.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("node");
    succeeds(command.arg(folder.join("node_modules").join(program)).args(arguments).current_dir(folder))
}

fn compile(folder: &Path) {
    run(folder, "typescript/bin/tsc", &["-p", "tsconfig.node.json"]);
}

/// Every file below a folder, by its path.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display())) {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it was found there").to_owned();
                found.insert(name, fs::read(&path).expect("it can be read"));
            }
        }
    }
    found
}

#[test]
fn what_is_served_is_what_the_sources_make() {
    let folder = sources();
    run(folder.path(), "vite/bin/vite.js", &["build", "--logLevel", "error"]);
    let (made, kept) = (files(&folder.path().join("dist")), files(&root().join("web/dist")));
    let names = made.keys().chain(kept.keys().filter(|name| !made.contains_key(*name)));
    let differ: Vec<_> = names.filter(|name| made.get(*name) != kept.get(*name)).collect();
    assert!(
        differ.is_empty(),
        "web/dist is not what web/ makes: {differ:?}. Build it with `make pages`, and commit it."
    );
}

#[test]
fn the_sources_have_no_errors_and_the_client_keeps_its_word() {
    let folder = sources();
    run(
        folder.path(),
        "svelte-check/bin/svelte-check",
        &["--fail-on-warnings", "--tsconfig", "./tsconfig.json"],
    );
    compile(folder.path());
    succeeds(Command::new("node").args(["--test", "test/"]).current_dir(folder.path()));
}

#[test]
fn the_stories_of_the_pages_hold_in_a_browser() {
    let folder = sources();
    compile(folder.path());
    let stories = root().join("tests/pages");
    let mut names: Vec<_> =
        files(&stories).into_keys().filter(|it| it.to_string_lossy().ends_with(".test.mjs")).collect();
    names.retain(|name| !name.starts_with("node_modules"));
    assert!(names.len() > 4, "{names:?}");
    // one after the other: each has servers and a browser of its own
    let mut node = Command::new("node");
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]).args(names).current_dir(&stories);
    node.env("MILLRACE", millrace()).env("PAGES_CLIENT", folder.path().join("build"));
    node.env("PAGES_MODULES", browser_node_env().unwrap());
    println!("{}", succeeds(&mut node));
}
