//! Lists the files of `web/dist`, which are checked in: building the binary needs no Node.js.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let set = |name: &str| PathBuf::from(env::var_os(name).expect("cargo sets it for build scripts"));
    let dist = set("CARGO_MANIFEST_DIR").join("../web/dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    find(&dist, &mut files);
    files.sort();
    let mut code = String::from("/// Every file, by its path.\npub static FILES: &[PageFile] = &[\n");
    for file in files {
        let path = file.strip_prefix(&dist).expect("it was found there").to_str().expect("Vite writes ASCII");
        let file = file.to_str().expect("the folder's name is text");
        let _ = writeln!(code, "    PageFile {{ path: {path:?}, bytes: include_bytes!({file:?}) }},");
    }
    code.push_str("];\n");
    fs::write(set("OUT_DIR").join("pages.rs"), code).expect("cargo's folder can be written");
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("it can be listed").path();
        match path.is_dir() {
            true => find(&path, files),
            false => files.push(path),
        }
    }
}
