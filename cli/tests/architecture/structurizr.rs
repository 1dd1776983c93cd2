//! Workspaces, parsed by the real `structurizr-dsl`.

use std::path::PathBuf;

use millrace::architecture::overlay::lay;
use millrace::architecture::render::dsl;
use millrace_services::structurizr;

use super::small::{declared, seen};
use crate::common::Place;

/// What the parser says of one workspace.
pub fn parsed(workspace: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file: PathBuf = dir.path().join("workspace.dsl");
    std::fs::write(&file, workspace).unwrap();
    structurizr(&[file]).unwrap_or_else(|error| panic!("{error}\n{workspace}"))
}

fn has(said: &str, line: &[&str]) -> bool {
    said.lines().any(|it| {
        let parts: Vec<&str> = it.split('\t').collect();
        parts.len() >= line.len() && line.iter().zip(&parts).all(|(wanted, part)| part.contains(wanted))
    })
}

#[test]
fn small_systems_are_what_the_parser_reads() {
    let said = parsed(&dsl::workspace(&lay(&declared(), Some(&seen(1)), &seen(3))));
    for line in [
        &["element", "SoftwareSystem", "shop", "Context"][..],
        &["element", "Container", "policy of people", "Policy,Silent", "SILENT"],
        &["element", "SoftwareSystem", "group reports", "Undeclared", "UNDECLARED"],
        &["element", "Container", "shop.notes", "Undeclared"],
        &["relationship", "people", "shop", "policy: UserRemoved, UserRenamed", "Silent"],
        &["relationship", "shop.events", "group reports", "30 behind, 12 s", "Undeclared"],
        &["relationship", "people.user.lookup", "processor", "people.User"],
        &["view", "contexts"],
        &["view", "shop"],
        &["view", "instances"],
        &["drawn", "shop"],
    ] {
        assert!(has(&said, line), "{line:?} is missing in\n{said}");
    }
    parsed(&dsl::workspace(&declared()));
}

#[test]
fn this_system_is_taken_from_declarations_and_the_compose_file() {
    let place = Place::new();
    let compose = concat!(env!("CARGO_MANIFEST_DIR"), "/../docker-compose.yml");
    let ran = place.run(&["architecture", "--declared", "--compose", compose, "--format", "dsl"]).is(0, &[]);
    let said = parsed(&ran.stdout);
    for line in [
        &["element", "SoftwareSystem", "projects", "Context"][..],
        &["element", "Container", "policy of identity", "Policy"],
        &["element", "DeploymentNode", "processor-1"],
        &["relationship", "identity", "projects", "looked up: identity.User"],
        &["view", "instances"],
    ] {
        assert!(has(&said, line), "{line:?} is missing in\n{said}");
    }
}

#[test]
fn what_the_parser_refuses_is_said_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("wrong.dsl");
    std::fs::write(&file, "workspace {\n  model {\n    a -> b\n  }\n}\n").unwrap();
    let refused = structurizr(&[file]).unwrap_err().to_string();
    assert!(refused.contains("line 3"), "{refused}");
}
