//! The documents of the gateway that are checked in are those of this build.

#[allow(dead_code, reason = "it uses less of it than others do")]
use crate::common;

use std::fs;
use std::path::Path;

use common::Place;
use serde_json::Value;

fn document(flag: &str) -> String {
    Place::new().run(&["gateway", flag]).is(0, &[]).stdout
}

#[test]
fn the_documents_that_are_checked_in_are_those_of_this_build() {
    for (flag, name) in [("--openapi", "openapi.json"), ("--asyncapi", "asyncapi.json")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
        let kept = fs::read_to_string(&path).unwrap_or_default();
        let made = document(flag);
        let line = kept.lines().zip(made.lines()).position(|(kept, made)| kept != made);
        let line = line.unwrap_or_else(|| kept.lines().count().min(made.lines().count()));
        assert!(
            kept == made,
            "docs/{name} differs from line {} on; `make schemas` writes it, or\n  millrace gateway {flag} > docs/{name}\n\
             Look at the difference: what clients rely on may get more, and nothing in it may go.",
            line + 1
        );
    }
}

#[test]
fn a_document_asks_no_server_and_needs_no_rights() {
    let place = Place::with("topic_prefix = \"p.\"\n[gateway]\nlisten = \"127.0.0.1:1\"\n");
    let said = place.run(&["gateway", "--asyncapi"]).is(0, &[]).stdout;
    let document: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(document["channels"]["chirp.commands"]["address"], "p.chirp.commands");
    place.run(&["gateway", "--openapi", "--asyncapi"]).is(2, &["cannot be used with"]);
}
