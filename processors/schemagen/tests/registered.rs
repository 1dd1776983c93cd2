//! What is checked in as registered is what comes of the authors' files.

use std::fs;
use std::path::{Path, PathBuf};

use millrace_schemagen::{render, sdk, stale, typescript};

fn domains() -> Vec<PathBuf> {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let mut all: Vec<_> = fs::read_dir(schemas).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.is_dir());
    assert!(all.len() > 1, "{all:?}");
    all.sort();
    all
}

#[test]
fn what_is_registered_is_what_the_authors_say() {
    for domain in domains() {
        let stale = stale(&domain).unwrap();
        assert!(
            stale.is_empty(),
            "{}/registered: {} differ from what the files beside say; write them with `make schemas` and look at the \
             difference: it is what the registry gets",
            domain.display(),
            stale.join(", ")
        );
    }
}

#[test]
fn the_types_of_the_pages_are_what_the_authors_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/src/client/types.ts");
    let found = fs::read_to_string(&file).unwrap();
    let wanted = typescript(&domains()).unwrap();
    assert!(
        found == wanted,
        "{} differs from what schemas/ say; write it with `make schemas`",
        file.display()
    );
    for line in [
        "  'orders/CreateOrder': {",
        "    total: bigint;",
        "    shipped_at?: Instant | null;",
        "    edited_at: Long | null;",
        "  'chirp/chirps': { partition: ['author_id', 'chirp_id'], clustering: [], numbers: [] },",
        "  'orders/shop_orders': { partition: ['user_id'], clustering: ['-created_at', '-order_id'], numbers: ['created_at'] },",
    ] {
        assert!(wanted.lines().any(|it| it == line), "{line}");
    }
    assert!(!wanted.contains("bucket:"), "buckets are no affair of readers");
}

#[test]
fn what_differs_is_named_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let schemas = folder.path().join("schemas/accounting");
    fs::create_dir_all(&schemas).unwrap();
    fs::create_dir_all(folder.path().join("topics")).unwrap();
    fs::copy(root.join("topics/accounting.toml"), folder.path().join("topics/accounting.toml")).unwrap();
    for name in ["commands.avsc", "steps.avsc", "events.avsc", "state.avsc", "views.cql"] {
        fs::copy(root.join("schemas/accounting").join(name), schemas.join(name)).unwrap();
    }
    let all = ["changes.avsc", "commands.avsc", "events.avsc", "outcomes.avsc", "state.avsc", "steps.avsc"];
    assert_eq!(stale(&schemas).unwrap(), all, "nothing is there yet");
    assert_eq!(render(&schemas).unwrap(), all);
    assert_eq!(stale(&schemas).unwrap(), [""; 0]);
    fs::write(schemas.join("registered/lookup.avsc"), "{}").unwrap();
    fs::write(schemas.join("registered/state.avsc"), "{}").unwrap();
    assert_eq!(
        stale(&schemas).unwrap(),
        ["state.avsc", "lookup.avsc"],
        "one too many, and another than it should be"
    );
    render(&schemas).unwrap();
    fs::remove_file(schemas.join("steps.avsc")).unwrap();
    assert_eq!(render(&schemas).unwrap(), ["steps.avsc"], "without steps there is no schema of them");
    assert!(
        !schemas.join("registered/steps.avsc").exists() && !schemas.join("registered/lookup.avsc").exists()
    );
}

/// Two domains whose messages are called alike, as the guest book's, with `change` made to the commands of the second.
fn twice(change: impl Fn(String) -> String) -> String {
    let folder = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/guestbook");
    let folders = ["guestbook", "visitors"].map(|domain| folder.path().join("schemas").join(domain));
    for to in &folders {
        fs::create_dir_all(to).unwrap();
        for name in ["commands.avsc", "events.avsc", "state.avsc", "views.cql"] {
            let text = fs::read_to_string(from.join(name)).unwrap();
            let is_second = to.ends_with("visitors") && name != "views.cql";
            fs::write(to.join(name), if is_second { change(text) } else { text }).unwrap();
        }
    }
    sdk(&folders).unwrap_err().to_string()
}

#[test]
fn names_that_packages_cannot_have_are_refused() {
    let error = twice(|text| text);
    assert!(error.contains("Sign is a message of guestbook, too"), "{error}");
    let error = twice(|text| text.replace("\"text\"", "\"domain\""));
    assert!(error.contains("domain: every message has something of that name"), "{error}");
}
