//! A copy of the commands' schema under another namespace, registered by a foreign producer: its commands are commands
//! like any other, it is told that there is such a version, and whoever pinned the version they write is not disturbed.

use std::path::Path;
use std::process::Command;

use millrace_blackbox::{Embedded, LATER, SMALL_THRESHOLDS, System, python, script};
use millrace_services::wait_until;

#[test]
fn a_foreign_copy_of_the_schema_breaks_nobody() {
    let system = Embedded::start(SMALL_THRESHOLDS);
    let cli = system.cli();
    cli.ok(&["schemas", "check", "chirp"]);
    copy_cat(&system, "foreign-1", "acme");
    let answered = wait_until(LATER, "the foreign command to be answered", || {
        cli.run(&["explain", "foreign-1", "--json"]).stdout.contains("accepted")
    });
    answered.unwrap_or_else(|overdue| panic!("{overdue}\n{}", cli.run(&["dead", "list"])));
    cli.ok(&["explain", "foreign-1"]).says(&["RegisterUser", "accepted"]);

    cli.ok(&["schemas", "check", "chirp"]).says(&[
        "registered chirp.commands-value",
        "the latest is version 2",
        "com.acme.social",
        "not this build's",
    ]);
    let checked = cli.ok(&["schemas", "check", "chirp", "--json"]).json_lines();
    let of =
        |subject: &str| checked.iter().find(|line| line["subject"] == subject).cloned().unwrap_or_default();
    assert_eq!(of("chirp.commands-value")["latest_of_others"]["version"], 2);
    assert!(of("chirp.events-value")["latest_of_others"].is_null());

    run_readme_recipe(&system);
    let there = wait_until(LATER, "the recipe's user to be there", || {
        cli.run(&["query", "user_profiles", "user_id=bob"]).stdout.contains("Bob")
    });
    there.unwrap_or_else(|overdue| panic!("{overdue}\n{}", cli.run(&["dead", "list"])));
}

fn copy_cat(system: &dyn System, id: &str, user: &str) {
    let mut command = Command::new(python());
    command.arg(script("copycat.py")).args(["--kafka", system.kafka(), "--registry", system.registry()]);
    must_succeed(command.args(["--id", id, "--user", user]));
}

/// README's Python, as it stands there but for the addresses.
fn run_readme_recipe(system: &dyn System) {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).expect("README.md can be read");
    let (_, behind) = readme.split_once("```python\n").expect("README has a recipe in Python");
    let (recipe, _) = behind.split_once("```").expect("it ends");
    for address in ["http://127.0.0.1:8081", "127.0.0.1:9092"] {
        assert!(recipe.contains(address), "the recipe names {address}");
    }
    let recipe =
        recipe.replace("http://127.0.0.1:8081", system.registry()).replace("127.0.0.1:9092", system.kafka());
    must_succeed(Command::new(python()).args(["-c", &recipe]));
}

fn must_succeed(command: &mut Command) {
    let output = command.output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
