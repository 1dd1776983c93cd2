//! The picture of this binary, where nothing runs.

use std::path::Path;

use serde_json::Value as Json;

use crate::common::Place;

/// Nobody listens there.
const NOBODY: &str = "127.0.0.1:1";

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn ids(drawn: &Json) -> Vec<&str> {
    drawn["elements"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect()
}

fn compose_file() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker-compose.yml").display().to_string()
}

#[test]
fn it_has_every_domain_policy_look_up_and_family() {
    let ran = Place::new().run(&["architecture", "--declared", "--json"]).is(0, &[]);
    let drawn = json(&ran.stdout);
    let folders =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../processors/domains")).unwrap();
    let folders = folders.flatten().filter(|it| it.path().join("Cargo.toml").is_file());
    let mut domains: Vec<String> = folders.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    let mut contexts: Vec<&str> =
        drawn["contexts"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    domains.sort();
    contexts.sort_unstable();
    assert_eq!(contexts, domains);
    let ids = ids(&drawn);
    for id in [
        "processor:chirp",
        "projector:chirp.timelines",
        "tables:chirp.timelines",
        "policy:projects.identity",
        "topic:identity.user.lookup",
        "gateway",
        "caller:producers",
    ] {
        assert!(ids.contains(&id), "no {id}");
    }
    let edges = drawn["edges"].as_array().unwrap();
    let edge = |from: &str, to: &str| edges.iter().find(|it| it["from"] == from && it["to"] == to);
    let reads = edge("topic:identity.events", "policy:projects.identity").expect("the policy reads");
    assert_eq!(reads["about"], "UserRemoved");
    assert!(edge("policy:projects.identity", "topic:projects.steps").is_some(), "and writes");
    let looks_up = edge("topic:identity.user.lookup", "processor:projects").expect("it looks up users");
    assert_eq!(
        (&looks_up["kind"], &looks_up["about"]),
        (&Json::from("looks_up"), &Json::from("identity.User"))
    );
    for it in drawn["elements"].as_array().unwrap().iter().filter(|it| it["kind"] == "tables") {
        let projector = it["id"].as_str().unwrap().replace("tables:", "projector:");
        let domain = it["context"].as_str().unwrap();
        assert!(
            edge(&format!("topic:{domain}.events"), &projector).is_some(),
            "{projector} is fed by nothing"
        );
        assert!(edge(&projector, it["id"].as_str().unwrap()).is_some(), "{projector} fills nothing");
        assert!(!it["parts"].as_array().unwrap().is_empty());
    }
    assert_eq!(drawn["notes"], Json::Array(Vec::new()), "all that is used is declared");
}

#[test]
fn without_brokers_it_says_so_and_draws_what_is_declared_and_composed() {
    let place = Place::new();
    std::fs::copy(compose_file(), place.path().join("docker-compose.yml")).unwrap();
    let ran = place.run(&["architecture", "--kafka", NOBODY]).is(0, &[]);
    assert!(ran.stderr.contains(NOBODY) && ran.stderr.contains("this is what is declared"), "{}", ran.stderr);
    for words in
        ["nothing was observed", "processor-1, processor-2", "gateway-1, gateway-2", "scylladb/scylla"]
    {
        assert!(ran.stdout.contains(words), "{words} is missing in\n{}", ran.stdout);
    }
    let ran = place.run(&["architecture", "--kafka", NOBODY, "--json"]).is(0, &[]);
    let drawn = json(&ran.stdout);
    assert!(drawn["sources"]["not_observed"].as_str().unwrap().contains(NOBODY));
    assert_eq!(drawn["sources"]["compose"], "docker-compose.yml");
    assert!(drawn["elements"].as_array().unwrap().iter().all(|it| it["standing"] == "declared"));
    let kafka = drawn["elements"].as_array().unwrap().iter().find(|it| it["id"] == "service:kafka").unwrap();
    assert_eq!(kafka["kind"], "service");
    assert!(!ids(&drawn).contains(&"service:processor-1"), "it is a role, and none that stands beside");
}

#[test]
fn a_file_is_written_whole_and_mistakes_are_named() {
    let place = Place::new();
    let out = ["architecture", "projects", "--declared", "--format", "mermaid", "--out", "projects.mmd"];
    place.run(&out).is(0, &[]);
    let drawn = std::fs::read_to_string(place.path().join("projects.mmd")).unwrap();
    assert!(drawn.starts_with("flowchart LR\n") && drawn.contains("policy of identity"), "{drawn}");
    assert!(!drawn.contains("chirp"), "another context is drawn");
    place.run(&["architecture", "project", "--declared"]).is(2, &["there is no domain project", "projects"]);
    place.run(&["architecture", "--declared", "--compose", "no.yml"]).is(1, &["no.yml"]);
    std::fs::write(place.path().join("docker-compose.yml"), "services: [\n").unwrap();
    let ran = place.run(&["architecture", "--declared"]).is(0, &["note: ", "docker-compose.yml: line "]);
    assert!(ran.stdout.contains("chirp"), "{}", ran.stdout);
    place.run(&["architecture", "--declared", "--compose", "docker-compose.yml"]).is(1, &["line "]);
    place.run(&["architecture", "--declared", "--out", "no/such/folder"]).is(1, &["no/such/folder"]);
}
