//! Compatibility is judged as a real registry judges it: every pair of the schemas below, asked of both.

use millrace_embedded::registry::{AvroSchema, unreadable};
use millrace_services::{Services, unique};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client;

/// Schemas that differ in one thing each, so that most pairs ask one question.
const SCHEMAS: [&str; 42] = [
    r#""int""#,
    r#""long""#,
    r#""double""#,
    r#""string""#,
    r#""bytes""#,
    r#"["null","int"]"#,
    r#"["null","long"]"#,
    r#"["int","string"]"#,
    r#"["null","int","string"]"#,
    r#"{"type":"long","logicalType":"timestamp-micros"}"#,
    r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#,
    r#"{"type":"record","name":"R","fields":[]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":["null","int"],"default":null}]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"}]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int","default":0}]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"c","type":"int","aliases":["b"]}]}"#,
    r#"{"type":"record","name":"n.R","fields":[]}"#,
    r#"{"type":"record","name":"Q","fields":[],"aliases":["R"]}"#,
    r#"{"type":"record","name":"n.Q","fields":[],"aliases":["R"]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"b","type":{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}}]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}},{"name":"b","type":"P"}]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"b","type":{"type":"record","name":"P","fields":[{"name":"x","type":"long"},{"name":"y","type":"int","default":1}]}}]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"b","type":{"type":"record","name":"P","fields":[{"name":"x","type":"int"},{"name":"y","type":"int"}]}}]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"b","type":["null",{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}]}]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"n","type":["null","R"]}]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"n","type":["null","R"]},{"name":"v","type":"int","default":0}]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"n","type":["null","R"]},{"name":"v","type":"int"}]}"#,
    r#"{"type":"enum","name":"E","symbols":["a","b"]}"#,
    r#"{"type":"enum","name":"E","symbols":["a","b","c"]}"#,
    r#"{"type":"enum","name":"E","symbols":["a","b"],"default":"a"}"#,
    r#"{"type":"enum","name":"F","symbols":["a","b"],"aliases":["E"]}"#,
    r#"{"type":"fixed","name":"X","size":4}"#,
    r#"{"type":"fixed","name":"X","size":5}"#,
    r#"{"type":"fixed","name":"q.X","size":4}"#,
    r#"{"type":"array","items":"int"}"#,
    r#"{"type":"array","items":"long"}"#,
    r#"{"type":"map","values":["null","int"]}"#,
    r#"[{"type":"record","name":"R","fields":[]},{"type":"record","name":"Q","fields":[]}]"#,
    r#"[{"type":"record","name":"n.R","fields":[]},{"type":"record","name":"m.R","fields":[]}]"#,
    r#"[{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]},"null"]"#,
];

#[test]
fn a_real_registry_judges_the_same() {
    let url = &Services::registry().unwrap().url;
    let client = client();
    // The registry of the tests does not repeat our content type, so no `support::call` here.
    let ask = |method: Method, path: &str, body: Value| -> Value {
        let request = client.request(method, format!("{url}{path}")).body(body.to_string());
        let response = request.header("Content-Type", "application/json").send().unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.text().unwrap());
        serde_json::from_str(&response.text().unwrap()).unwrap()
    };
    let mut differences = Vec::new();
    for writer in SCHEMAS {
        let subject = unique("peer");
        ask(Method::POST, &format!("/subjects/{subject}/versions"), json!({"schema": writer}));
        ask(Method::PUT, &format!("/config/{subject}"), json!({"compatibility": "BACKWARD"}));
        let parsed = AvroSchema::parse(writer).unwrap();
        for reader in SCHEMAS {
            let path = format!("/compatibility/subjects/{subject}/versions/latest");
            let theirs =
                ask(Method::POST, &path, json!({"schema": reader}))["is_compatible"].as_bool().unwrap();
            let problems = unreadable(&AvroSchema::parse(reader).unwrap(), &parsed).unwrap();
            if theirs != problems.is_empty() {
                differences.push(format!("{reader} reads {writer}: theirs {theirs}, ours {problems:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
