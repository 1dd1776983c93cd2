//! libFuzzer's entry: the target is named by `FUZZ_TARGET`, so that all of them are one binary, built once.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use millrace_fuzz::{Target, target};

static TARGET: OnceLock<&'static Target> = OnceLock::new();

fn chosen() -> &'static Target {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| {
        let names: Vec<&str> = millrace_fuzz::TARGETS.iter().map(|target| target.name).collect();
        eprintln!("FUZZ_TARGET={name:?} is no target; there are {}", names.join(", "));
        std::process::exit(2);
    })
}

fuzz_target!(|data: &[u8]| {
    (TARGET.get_or_init(chosen).run)(data);
});
