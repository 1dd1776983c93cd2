//! Generates the messages of the small domains that the tests have, in `tests/fixtures`.

use std::path::Path;

fn main() {
    let set = |name: &str| std::env::var_os(name).expect("cargo sets it for build scripts");
    let (here, out) = (set("CARGO_MANIFEST_DIR"), set("OUT_DIR"));
    for name in ["guestbook", "shop"] {
        let schemas = Path::new(&here).join("tests/fixtures/schemas").join(name);
        if let Err(error) =
            millrace_schemagen::generate(&schemas, None, &Path::new(&out).join(format!("{name}.rs")))
        {
            panic!("tests/fixtures/schemas/{name}: {error}");
        }
    }
}
