//! A domain that `millrace new-domain` writes is whole: it builds, passes its own tests and answers its first command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Place, Up};

fn root() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

/// What the command looks at of a checkout.
fn checkout() -> Place {
    let place = Place::new();
    fs::create_dir_all(place.path().join("cli/src")).unwrap();
    fs::create_dir_all(place.path().join("processors/domains")).unwrap();
    for file in ["cli/src/main.rs", "cli/Cargo.toml", "Cargo.lock"] {
        fs::copy(root().join(file), place.path().join(file)).unwrap();
    }
    place
}

fn text(place: &Place, file: &str) -> String {
    fs::read_to_string(place.path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn a_new_domain_is_written_and_registered() {
    let place = checkout();
    let ran = place.run(&["new-domain", "order_desk"]);
    let ran = ran.is(0, &["schemas/order_desk/commands.avsc", "changed  cli/src/main.rs", "SignOrderDesk"]);
    assert!(!ran.stdout.contains("by hand"), "{}", ran.stdout);
    for file in [
        "schemas/order_desk/commands.avsc",
        "schemas/order_desk/registered/outcomes.avsc",
        "schemas/order_desk/views.cql",
        "processors/domains/order_desk/Cargo.toml",
        "processors/domains/order_desk/src/lib.rs",
        "processors/domains/order_desk/tests/decisions.rs",
    ] {
        let text = text(&place, file);
        assert!(!text.to_lowercase().contains("guestbook"), "{file}: {text}");
    }
    assert!(text(&place, "schemas/order_desk/views.cql").contains("CREATE TABLE order_desk_entries"));
    let main = text(&place, "cli/src/main.rs");
    assert!(main.contains("use millrace_domain_order_desk::OrderDesk;\n"), "{main}");
    assert!(main.contains(".domain::<OrderDesk>()\n        .run()"), "{main}");
    let mut uses: Vec<&str> = main.lines().filter(|line| line.starts_with("use millrace_domain_")).collect();
    let found = uses.clone();
    uses.sort_unstable();
    assert_eq!(found, uses, "as rustfmt has them");
    let manifest: toml::Table = text(&place, "cli/Cargo.toml").parse().unwrap();
    assert!(manifest["dependencies"]["millrace-domain-order_desk"]["path"].is_str());
    let lock = text(&place, "Cargo.lock");
    let whole: toml::Table = lock.parse().unwrap();
    let packages = whole["package"].as_array().unwrap();
    let names: Vec<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert!(names.is_sorted() && names.contains(&"millrace-domain-order_desk"), "as cargo has them");
    let of_binary = &packages[names.iter().position(|name| *name == "millrace-cli").unwrap()]["dependencies"];
    assert!(of_binary.as_array().unwrap().contains(&"millrace-domain-order_desk".into()));

    // once more, and nothing is changed
    let (main, manifest) = (text(&place, "cli/src/main.rs"), text(&place, "cli/Cargo.toml"));
    place.run(&["new-domain", "order_desk"]).is(2, &["commands.avsc is there already"]);
    assert_eq!((text(&place, "cli/src/main.rs"), text(&place, "cli/Cargo.toml")), (main, manifest));
}

#[test]
fn what_cannot_be_a_domain_is_refused_and_nothing_is_written() {
    let place = checkout();
    for name in
        ["", "Shop", "order-desk", "1st", "a__b", "a_", "../x", "millrace_x", "system", &"x".repeat(33)]
    {
        place.run(&["new-domain", "--", name]).is(2, &["cannot be the name of a domain", "order_desk"]);
    }
    for name in ["event", "self", "option", "entries"] {
        place.run(&["new-domain", name]).is(2, &["its type would be", "Choose another"]);
    }
    place.run(&["new-domain", "chirp"]).is(2, &["there is a domain chirp already"]);
    assert!(!place.path().join("schemas").exists());
    Place::new().run(&["new-domain", "shop"]).is(1, &["is not in a checkout of Millrace"]);

    // a binary that somebody has written anew is left alone
    fs::write(place.path().join("cli/src/main.rs"), "fn main() {}\n").unwrap();
    let ran =
        place.run(&["new-domain", "shop"]).is(0, &["add by hand to cli/src/main.rs", ".domain::<Shop>()"]);
    assert!(ran.stdout.contains("changed  cli/Cargo.toml"), "{}", ran.stdout);
    assert_eq!(text(&place, "cli/src/main.rs"), "fn main() {}\n");
}

/// A workspace of the new domain alone, with this one's crates and what was built of them. The engine answers in its tests.
#[test]
fn a_new_domain_builds_and_passes_its_tests() {
    let place = checkout();
    place.run(&["new-domain", "library"]).is(0, &["Next:"]);
    let mut manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let workspace = manifest["workspace"].as_table_mut().unwrap();
    workspace.insert("members".into(), vec!["processors/domains/library"].into());
    workspace.remove("exclude");
    let dependencies = workspace["dependencies"].as_table_mut().unwrap();
    let library = place.path().join("processors/domains/library/Cargo.toml");
    let mut packages: toml::Table = fs::read_to_string(&library).unwrap().parse().unwrap();
    let used = packages["dev-dependencies"].as_table_mut().unwrap();
    for (name, dependency) in dependencies.iter_mut() {
        if let Some(path) = dependency.get("path").and_then(toml::Value::as_str) {
            let whole = root().join(path).display().to_string();
            dependency.as_table_mut().unwrap().insert("path".into(), whole.into());
        }
        // With all that the whole workspace uses cargo chooses the same features of everything, so that nothing is built
        // once more. These are of build scripts, of the fuzzer and of the binary alone.
        if !["syn", "libfuzzer-sys", "millrace"].contains(&name.as_str()) && !used.contains_key(name) {
            let mut chosen = toml::Table::from_iter([("workspace".to_owned(), true.into())]);
            if ["millrace-embedded", "millrace-localstate"].contains(&name.as_str()) {
                chosen.insert("features".into(), vec!["fuzzing"].into());
            }
            used.insert(name.clone(), chosen.into());
        }
    }
    fs::write(place.path().join("Cargo.toml"), manifest.to_string()).unwrap();
    fs::write(&library, packages.to_string()).unwrap();
    let target = Path::new(env!("CARGO_BIN_EXE_millrace")).ancestors().nth(2).unwrap();
    let done = Command::new(env!("CARGO"))
        .args(["test", "--offline"])
        .current_dir(place.path())
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && said.contains("4 passed"), "{said}{wrong}");
}

/// What a new domain begins as is answered by the binary.
#[test]
fn the_guest_book_answers() {
    let up = Up::start();
    let sign = ["send", "Sign", "guest_id=ann", "text=hi", "--wait-for", "entries"];
    up.place.run(&sign).is(0, &["accepted"]);
    up.place.run(&sign).is(1, &["everybody signs once"]);
    up.place.run(&["query", "entries", "guest_id=ann"]).is(0, &["hi"]);
    up.place.run(&["verify", "guestbook"]).is(0, &["guestbook: clean"]);
}
