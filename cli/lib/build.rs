//! Collects the doc comments of the engine's own settings structs for the manual; those of a domain come with its
//! schemas.
//!
//! Cargo runs a build script at *every* build when it watches a path that does not exist; `scripts/stays-fresh` notices
//! such a slip.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    // asked for now: another checkout may have compiled this script into the same target folder
    let here = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let here = Path::new(&here);
    let mut out = String::from("&[\n");
    let runtime = here.join("../../processors/runtime/src/settings.rs");
    for (owner, path) in [("cli", here.join("src/config/settings.rs")), ("runtime", runtime)] {
        println!("cargo:rerun-if-changed={}", path.display());
        let structs = millrace_schemagen::documented(&path);
        for (_, code) in structs.unwrap_or_else(|error| panic!("{error}")) {
            let _ = writeln!(out, "({owner:?}, {code}),");
        }
    }
    out.push(']');
    let target = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("settings_docs.rs");
    fs::write(target, out).expect("OUT_DIR can be written");
}
