//! Generates the messages of the small domains that are here for tests: those in `schemas`, and those of this crate's own
//! tests in `tests/fixtures`.

use std::path::Path;

fn main() {
    let set = |name: &str| std::env::var_os(name).expect("cargo sets it for build scripts");
    let (here, out) = (set("CARGO_MANIFEST_DIR"), set("OUT_DIR"));
    for (folder, name) in [
        ("schemas", "people"),
        ("schemas", "clubs"),
        ("tests/fixtures/schemas", "guestbook"),
        ("tests/fixtures/schemas", "shop"),
    ] {
        let schemas = Path::new(&here).join(folder).join(name);
        if let Err(error) =
            millrace_schemagen::generate(&schemas, None, &Path::new(&out).join(format!("{name}.rs")))
        {
            panic!("{folder}/{name}: {error}");
        }
    }
    let people = Path::new(&here).join("schemas/people");
    if let Err(error) =
        millrace_schemagen::reads(&people, &["PersonRemoved"], &Path::new(&out).join("people_events.rs"))
    {
        panic!("schemas/people: {error}");
    }
}
