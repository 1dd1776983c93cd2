//! Schemas of a few kilobytes that would take more time or memory than there is.

use std::io::Write as _;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::TestRegistry;

/// No answer may take longer, also on a busy machine.
const SOON: Duration = Duration::from_secs(10);

fn record(name: &str, fields: &str) -> String {
    format!(r#"{{"type":"record","name":"{name}","fields":[{fields}]}}"#)
}

/// Records that each name the one before in two branches: two to the power of `count` ways to the last one.
fn branches(count: usize, last: &str) -> String {
    let mut types = vec![record("N0", &format!(r#"{{"name":"x","type":"{last}"}}"#))];
    for n in 1..count {
        let branch = format!(r#"["null","N{}"]"#, n - 1);
        let fields = format!(r#"{{"name":"a","type":{branch}}},{{"name":"b","type":{branch}}}"#);
        types.push(record(&format!("N{n}"), &fields));
    }
    format!("[{}]", types.join(","))
}

/// Records that each have two fields of the one before, all with the default `{}`.
fn defaults(count: usize) -> String {
    let mut schema = record("N0", r#"{"name":"x","type":"int","default":0}"#);
    for n in 1..count {
        let (a, b) = (format!(r#"{{"name":"a","type":{schema},"default":{{}}}}"#), n - 1);
        schema = record(&format!("N{n}"), &format!(r#"{a},{{"name":"b","type":"N{b}","default":{{}}}}"#));
    }
    schema
}

/// Records called `record`, each in its own namespace, each with two copies of the one before: a parser that takes
/// `{"type": "record"}` for the name makes copies of copies.
fn copies(count: usize) -> String {
    let mut schema = r#"{"type":"record","name":"n0.record","fields":[]}"#.to_owned();
    for n in 1..count {
        let copy = r#"{"type":"record"}"#;
        let inner = format!(
            r#"{{"type":"record","name":"n{}.X{n}","fields":[{{"name":"a","type":{copy}}},{{"name":"b","type":{copy}}}]}}"#,
            n - 1
        );
        schema = format!(
            r#"{{"type":"record","name":"n{n}.record","fields":[{{"name":"d","type":{schema}}},{{"name":"x","type":{inner}}}]}}"#
        );
    }
    schema
}

/// The answer, which must come soon; other requests are answered meanwhile.
fn soon(registry: &TestRegistry, path: &str, schema: &str) -> (u16, Value) {
    let (done, finished) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let start = Instant::now();
            let answer = registry.post(path, json!({"schema": schema}));
            done.send((answer, start.elapsed())).unwrap();
        });
        let start = Instant::now();
        assert_eq!(registry.get("/subjects").0, 200);
        assert!(start.elapsed() < SOON, "others wait for {path}");
        let (answer, took) = finished.recv_timeout(SOON).expect("an answer within ten seconds");
        assert!(took < SOON, "{path} took {took:?}");
        answer
    })
}

#[test]
fn two_to_the_power_of_forty_ways_are_gone_once() {
    let registry = TestRegistry::in_memory();
    let (old, new, same) = (branches(40, "int"), branches(40, "string"), branches(41, "int"));
    assert_eq!(registry.put("/config/s", json!({"compatibility": "FULL_TRANSITIVE"})).0, 200);
    registry.register("s", &old);
    let (status, answer) = soon(&registry, "/subjects/s/versions", &new);
    assert_eq!((status, &answer["error_code"]), (409, &json!(409)), "{answer}");
    assert!(answer["message"].as_str().unwrap().len() < 100_000);
    let (status, answer) = soon(&registry, "/compatibility/subjects/s/versions/latest?verbose=true", &new);
    assert_eq!((status, &answer["is_compatible"]), (200, &json!(false)), "{answer}");
    let (status, answer) = soon(&registry, "/compatibility/subjects/s/versions", &same);
    assert_eq!((status, &answer["is_compatible"]), (200, &json!(false)), "{answer}");
    registry.shutdown();
}

#[test]
fn defaults_are_checked_once_each() {
    let registry = TestRegistry::in_memory();
    let (status, answer) = soon(&registry, "/subjects/s/versions", &defaults(40));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(soon(&registry, "/subjects/s", &defaults(40)).0, 200);
    registry.shutdown();
}

#[test]
fn what_would_be_copied_without_end_is_refused_in_words() {
    let registry = TestRegistry::in_memory();
    let doc = "x".repeat(4 << 20);
    let mut deep = format!(r#"{{"type":"record","name":"R0","doc":"{doc}","fields":[]}}"#);
    for n in 1..40 {
        deep = record(&format!("R{n}"), &format!(r#"{{"name":"f","type":{deep}}}"#));
    }
    let wide = format!("[{}]", (0..120_000).map(|_| r#""int""#).collect::<Vec<_>>().join(","));
    let rows = [
        ("copies", copies(30), "lacks its name"),
        ("deep", deep, "nested too deeply"),
        ("wide", wide, "more than the 100000 types"),
        (
            "nested arrays",
            format!("{}\"int\"{}", r#"{"type":"array","items":"#.repeat(5000), "}".repeat(5000)),
            "recursion limit",
        ),
        (
            "twice",
            r#"[{"type":"fixed","name":"F","size":1},{"type":"fixed","name":"F","size":2}]"#.to_owned(),
            "defined twice",
        ),
    ];
    for (name, schema, words) in rows {
        for path in ["/subjects/s/versions", "/compatibility/subjects/s/versions/latest"] {
            let (status, answer) = soon(&registry, path, &schema);
            assert_eq!((status, &answer["error_code"]), (422, &json!(42201)), "{name}: {answer}");
            let message = answer["message"].as_str().unwrap();
            assert!(message.contains(words) && message.len() < 2000, "{name}: {message}");
        }
    }
    registry.shutdown();
}

#[test]
fn as_deep_as_json_may_be_is_no_danger() {
    let registry = TestRegistry::in_memory();
    let nested = format!("{}\"int\"{}", r#"{"type":"array","items":"#.repeat(120), "}".repeat(120));
    registry.register("s", &nested);
    assert_eq!(
        soon(&registry, "/compatibility/subjects/s/versions/latest", &nested).1["is_compatible"],
        true
    );
    registry.shutdown();
}

#[test]
fn a_comparison_that_would_take_too_long_is_refused_in_words() {
    let registry = TestRegistry::in_memory();
    // Six hundred records of one name in as many namespaces: each may stand for each, which makes 360,000 pairs.
    let schema = |kind: &str| {
        let records: Vec<String> = (0..600)
            .map(|n| record(&format!("n{n}.N"), &format!(r#"{{"name":"x","type":"{kind}","default":0}}"#)))
            .collect();
        format!("[{}]", records.join(","))
    };
    registry.register("s", &schema("int"));
    let (status, answer) = soon(&registry, "/subjects/s/versions", &schema("long"));
    assert_eq!((status, &answer["error_code"]), (422, &json!(42201)), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("set the compatibility level NONE"), "{answer}");
    registry.shutdown();
}

#[test]
fn what_was_registered_once_stays_also_when_it_would_be_refused_today() {
    let dir = tempfile::tempdir().unwrap();
    // As an older build wrote it.
    let schema = copies(5);
    let change = json!({"change": "registered", "subject": "s", "version": 1, "id": 7, "schema": schema});
    let line = change.to_string();
    let mut file = std::fs::File::create(dir.path().join("registry.jsonl")).unwrap();
    writeln!(file, "{:08x} {line}", crc32c::crc32c(line.as_bytes())).unwrap();
    drop(file);
    let registry = TestRegistry::on_disk(dir.path());
    assert_eq!(registry.get("/schemas/ids/7").1["schema"], json!(schema));
    let (status, answer) = registry.post("/subjects/s/versions", json!({"schema": "\"int\""}));
    assert_eq!(status, 409);
    assert!(answer["message"].as_str().unwrap().contains("version 1: it cannot be read"), "{answer}");
    registry.put("/config/s", json!({"compatibility": "NONE"}));
    assert_eq!(registry.register("s", "\"int\""), 8);
    registry.shutdown();
}
