//! Generates the messages of the small domains that the tests have, in `tests/fixtures`.

use std::path::Path;

fn main() {
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    for name in ["guestbook", "shop"] {
        let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schemas").join(name);
        if let Err(error) =
            millrace_schemagen::generate(&schemas, &Path::new(&out).join(format!("{name}.rs")))
        {
            panic!("tests/fixtures/schemas/{name}: {error}");
        }
    }
}
