//! The gateway's documents, read by programs that others wrote, and a live gateway asked by them (`tests/api/`).

use std::path::{Path, PathBuf};
use std::process::Command;

use millrace_blackbox::millrace;
use millrace_services::{api_node_env, api_python_env};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("it is there")
}

/// Runs a program that must find nothing wrong.
fn accepts(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}\n{said}");
    said
}

#[test]
fn validators_of_others_accept_the_documents() {
    let (python, node) = (api_python_env().unwrap(), api_node_env().unwrap());
    let openapi = root().join("docs/openapi.json");
    let said = accepts(Command::new(&python).args(["-m", "openapi_spec_validator"]).arg(&openapi));
    assert!(said.contains("OK"), "{said}");

    let redocly = node.join("node_modules/.bin/redocly");
    let rules = root().join("tests/api/redocly.yaml");
    let quiet = [("REDOCLY_TELEMETRY", "off"), ("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")];
    let mut lint = Command::new(&redocly);
    accepts(lint.args(["lint", "--config"]).arg(&rules).arg(&openapi).envs(quiet));

    // where its packages are
    let script = node.join("asyncapi.mjs");
    std::fs::copy(root().join("tests/api/asyncapi.mjs"), &script).expect("the folder can be written");
    let asyncapi = root().join("docs/asyncapi.json");
    let said = accepts(Command::new("node").arg(&script).arg(&asyncapi));
    assert!(said.contains(" channels, "), "{said}");
}

#[test]
fn a_live_gateway_answers_as_its_document_says() {
    let mut live = Command::new(api_python_env().unwrap());
    live.arg(root().join("tests/api/live.py")).args(["--cases", "250", "--millrace"]).arg(millrace());
    println!("{}", accepts(&mut live));
}
