//! Generates messages, states and rows from `schemas/accounting`.

use std::path::Path;

fn main() {
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../schemas/accounting");
    if let Err(error) = millrace_schemagen::generate(&schemas, &Path::new(&out).join("messages.rs")) {
        panic!("schemas/accounting: {error}");
    }
}
