//! Paths, answers and error codes of the REST interface.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestRegistry, record};

const A: &str = r#"{"name":"a","type":"int"}"#;
const B: &str = r#"{"name":"b","type":"int","default":0}"#;

#[test]
fn one_schema_has_one_id_and_every_subject_its_versions() {
    let registry = TestRegistry::in_memory();
    let (first, second) = (record(A), record(&format!("{A},{B}")));
    let one = registry.register("s", &first);
    assert_eq!(registry.register("s", &first), one, "again");
    assert_eq!(registry.register("t", &format!(" {first} ")), one, "elsewhere, spelled otherwise");
    let two = registry.register("s", &second);
    assert_ne!(two, one);

    assert_eq!(registry.get("/subjects"), (200, json!(["s", "t"])));
    assert_eq!(registry.get("/subjects/s/versions"), (200, json!([1, 2])));
    let (_, latest) = registry.get("/subjects/s/versions/latest");
    assert_eq!(latest, json!({"subject": "s", "version": 2, "id": two, "schema": second}));
    assert_eq!(registry.get("/subjects/s/versions/1").1["id"], one);
    assert_eq!(registry.get("/subjects/s/versions/-1").1["id"], two);
    assert_eq!(registry.get(&format!("/schemas/ids/{one}")), (200, json!({"schema": first})));
    assert_eq!(registry.get(&format!("/schemas/ids/{one}/schema")).1["name"], "R");
    assert_eq!(registry.get("/subjects/s/versions/2/schema").1["fields"][1]["name"], "b");
    assert_eq!(registry.get(&format!("/schemas/ids/{one}/subjects")), (200, json!(["s", "t"])));
    let uses = json!([{"subject": "s", "version": 1}, {"subject": "t", "version": 1}]);
    assert_eq!(registry.get(&format!("/schemas/ids/{one}/versions")), (200, uses));
    let (status, found) = registry.post("/subjects/s", json!({"schema": first}));
    assert_eq!((status, &found["version"], &found["id"]), (200, &json!(1), &json!(one)));
    assert_eq!(registry.get("/schemas/types"), (200, json!(["AVRO"])));
    assert_eq!(registry.get("/"), (200, json!({})));
    assert_eq!(registry.get("/subjects?subjectPrefix=:*:t"), (200, json!(["t"])));
    assert_eq!(registry.get("/subjects?offset=1&limit=5"), (200, json!(["t"])));
    assert_eq!(registry.get("/schemas?latestOnly=true").1.as_array().unwrap().len(), 2);
}

#[test]
fn a_subject_is_any_text() {
    let registry = TestRegistry::in_memory();
    let id = registry.register("a%2Fb%20%C3%A9-value", r#""string""#);
    assert_eq!(registry.get("/subjects").1, json!(["a/b é-value"]));
    assert_eq!(registry.get("/subjects/a%2Fb%20%C3%A9-value/versions/latest").1["id"], id);
}

#[test]
fn refusals_have_the_codes_clients_know() {
    let registry = TestRegistry::in_memory();
    registry.register("s", &record(A));
    let schema = |text: &str| Some(json!({"schema": text}));
    let rows: Vec<(&str, &str, Option<Value>, u16, u64)> = vec![
        ("GET", "/subjects/none/versions", None, 404, 40401),
        ("GET", "/subjects/none/versions/1", None, 404, 40401),
        ("GET", "/subjects/s/versions/9", None, 404, 40402),
        ("GET", "/subjects/s/versions/0", None, 422, 42202),
        ("GET", "/subjects/s/versions/new", None, 422, 42202),
        ("GET", "/subjects/s/versions/99999999999", None, 422, 42202),
        ("GET", "/schemas/ids/99", None, 404, 40403),
        ("GET", "/schemas/ids/x", None, 404, 40403),
        ("POST", "/subjects/none", schema("\"int\""), 404, 40401),
        ("POST", "/subjects/s", schema("\"int\""), 404, 40403),
        ("POST", "/subjects/s", schema("nonsense"), 422, 42201),
        ("POST", "/subjects/s/versions", schema("nonsense"), 422, 42201),
        ("POST", "/subjects/s/versions", schema("\"int\""), 409, 409),
        ("POST", "/subjects/s/versions", Some(json!({"schema": "{}", "schemaType": "JSON"})), 422, 42201),
        ("POST", "/subjects/s/versions", Some(json!({"schema": "\"int\"", "references": [{}]})), 422, 42201),
        ("POST", "/subjects/s/versions", Some(json!({})), 400, 400),
        ("POST", "/subjects/s/versions", Some(json!([])), 400, 400),
        ("POST", "/compatibility/subjects/s/versions/7", schema("\"int\""), 404, 40402),
        ("POST", "/compatibility/subjects/s/versions/x", schema("\"int\""), 422, 42202),
        ("PUT", "/config", Some(json!({"compatibility": "SIDEWAYS"})), 422, 42203),
        ("PUT", "/config/s", Some(json!({})), 422, 42203),
        ("GET", "/config/s", None, 404, 40408),
        ("DELETE", "/config/s", None, 404, 40408),
        ("GET", "/mode/s", None, 404, 40409),
        ("PUT", "/mode", Some(json!({"mode": "IMPORT"})), 422, 42204),
        ("DELETE", "/subjects/none", None, 404, 40401),
        ("DELETE", "/subjects/s?permanent=true", None, 404, 40405),
        ("DELETE", "/subjects/s/versions/1?permanent=true", None, 404, 40407),
        ("DELETE", "/subjects/s/versions/5", None, 404, 40402),
        ("GET", "/nowhere", None, 404, 404),
        ("DELETE", "/schemas/types", None, 405, 405),
        ("GET", "/subjects?limit=x", None, 400, 400),
    ];
    for (method, path, body, status, code) in rows {
        let (got, answer) = registry.call(method.parse().unwrap(), path, body);
        assert_eq!((got, answer["error_code"].as_u64()), (status, Some(code)), "{method} {path}: {answer}");
        assert!(answer["message"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}: {answer}");
    }
    // Nothing of it left a trace.
    assert_eq!(registry.get("/subjects/s/versions"), (200, json!([1])));
    assert_eq!(registry.get("/config"), (200, json!({"compatibilityLevel": "BACKWARD"})));
}

#[test]
fn deleting_hides_first_and_removes_then() {
    let registry = TestRegistry::in_memory();
    let first = registry.register("s", &record(A));
    let second = registry.register("s", &record(&format!("{A},{B}")));

    assert_eq!(registry.delete("/subjects/s/versions/latest"), (200, json!(2)));
    assert_eq!(registry.delete("/subjects/s/versions/2").1["error_code"], 40406);
    assert_eq!(registry.get("/subjects/s/versions"), (200, json!([1])));
    assert_eq!(registry.get("/subjects/s/versions?deleted=true"), (200, json!([1, 2])));
    assert_eq!(registry.get("/subjects/s/versions/latest").1["id"], first);
    assert_eq!(registry.get("/subjects/s/versions/2").1["error_code"], 40402);
    // Records written with it can still be read.
    assert_eq!(registry.get(&format!("/schemas/ids/{second}")).0, 200);
    // Registered again it is a new version with the old id.
    assert_eq!(registry.register("s", &record(&format!("{A},{B}"))), second);
    assert_eq!(registry.get("/subjects/s/versions"), (200, json!([1, 3])));

    assert_eq!(registry.delete("/subjects/s"), (200, json!([1, 3])));
    assert_eq!(registry.delete("/subjects/s").1["error_code"], 40404);
    assert_eq!(registry.get("/subjects"), (200, json!([])));
    assert_eq!(registry.get("/subjects?deleted=true"), (200, json!(["s"])));
    assert_eq!(registry.get("/subjects?deletedOnly=true"), (200, json!(["s"])));
    assert_eq!(registry.delete("/subjects/s/versions/2?permanent=true"), (200, json!(2)));
    assert_eq!(registry.delete("/subjects/s?permanent=true"), (200, json!([1, 3])));
    assert_eq!(registry.get("/subjects?deleted=true"), (200, json!([])));
    assert_eq!(registry.get(&format!("/schemas/ids/{first}")).1["error_code"], 40403);
    // An id is never given to another schema: there may be records that carry it.
    assert!(registry.register("s", "\"bytes\"") > second);
}

#[test]
fn levels_decide_what_may_follow() {
    let registry = TestRegistry::in_memory();
    let union = |names: &[&str]| {
        let branches: Vec<Value> =
            names.iter().map(|name| json!({"type": "record", "name": name, "fields": []})).collect();
        record(&format!(r#"{{"name":"data","type":{}}}"#, json!(branches)))
    };
    registry.register("s", &union(&["Post"]));
    let wider = json!({"schema": union(&["Post", "Like"])});
    for (level, allowed) in [
        ("NONE", true),
        ("BACKWARD", true),
        ("BACKWARD_TRANSITIVE", true),
        ("FORWARD", false),
        ("FORWARD_TRANSITIVE", false),
        ("FULL", false),
        ("FULL_TRANSITIVE", false),
    ] {
        assert_eq!(registry.put("/config/s", json!({"compatibility": level})).1["compatibility"], level);
        for path in ["versions/latest", "versions/1", "versions"] {
            let (status, verdict) =
                registry.post(&format!("/compatibility/subjects/s/{path}?verbose=true"), wider.clone());
            assert_eq!((status, verdict["is_compatible"].as_bool()), (200, Some(allowed)), "{level} {path}");
            assert_eq!(verdict["messages"].as_array().unwrap().is_empty(), allowed, "{level} {path}");
        }
        if !allowed {
            let (status, refused) = registry.post("/subjects/s/versions", wider.clone());
            assert_eq!((status, refused["error_code"].as_u64()), (409, Some(409)));
            assert!(refused["message"].as_str().unwrap().contains("n.Like"), "{refused}");
        }
    }
    assert_eq!(registry.get("/config/s"), (200, json!({"compatibilityLevel": "FULL_TRANSITIVE"})));
    assert_eq!(registry.delete("/config/s").0, 200);
    assert_eq!(
        registry.get("/config/s?defaultToGlobal=true"),
        (200, json!({"compatibilityLevel": "BACKWARD"}))
    );
    registry.register("s", &union(&["Post", "Like"]));
    // Without verbose there is the verdict only.
    let (_, verdict) = registry.post("/compatibility/subjects/s/versions/latest", wider);
    assert_eq!(verdict, json!({"is_compatible": true}));
    // Nothing can be incompatible with a subject that has no version.
    let (_, verdict) =
        registry.post("/compatibility/subjects/new/versions/latest", json!({"schema": "\"int\""}));
    assert_eq!(verdict, json!({"is_compatible": true}));
}

#[test]
fn transitive_levels_look_at_every_version() {
    let registry = TestRegistry::in_memory();
    let typed = |kind: &str| record(&format!(r#"{{"name":"a","type":"{kind}","default":0}}"#));
    // int → (nothing) → string: each step is backward compatible, the whole way is not.
    let steps = [typed("int"), record(""), record(r#"{"name":"a","type":"string","default":""}"#)];
    for (subject, level, status) in [("near", "BACKWARD", 200), ("far", "BACKWARD_TRANSITIVE", 409)] {
        registry.put(&format!("/config/{subject}"), json!({"compatibility": level}));
        registry.register(subject, &steps[0]);
        registry.register(subject, &steps[1]);
        let (got, answer) =
            registry.post(&format!("/subjects/{subject}/versions"), json!({"schema": steps[2]}));
        assert_eq!(got, status, "{answer}");
    }
    // A deleted version is nobody's ancestor.
    registry.delete("/subjects/far/versions/1");
    registry.register("far", &steps[2]);
}

#[test]
fn a_read_only_registry_takes_nothing() {
    let registry = TestRegistry::in_memory();
    let id = registry.register("s", "\"int\"");
    assert_eq!(registry.get("/mode"), (200, json!({"mode": "READWRITE"})));
    assert_eq!(registry.put("/mode", json!({"mode": "READONLY"})), (200, json!({"mode": "READONLY"})));
    let refused = registry.post("/subjects/s/versions", json!({"schema": "\"long\""}));
    assert_eq!(refused.1["error_code"], 42205);
    assert_eq!(registry.delete("/subjects/s").1["error_code"], 42205);
    // What is there may be asked for by those who register at every start.
    assert_eq!(registry.register("s", "\"int\""), id);
    registry.put("/mode/s", json!({"mode": "READWRITE"}));
    registry.register("s", "\"long\"");
    assert_eq!(registry.delete("/mode/s"), (200, json!({"mode": "READWRITE"})));
}

#[test]
fn plain_json_is_given_to_those_who_ask_for_it() {
    let registry = TestRegistry::in_memory();
    let client = crate::support::client();
    let response = client
        .get(format!("{}/subjects", registry.url()))
        .header("Accept", "application/json")
        .send()
        .unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
}

#[test]
fn web_pages_can_neither_read_nor_write() {
    let mut config = crate::support::config(None);
    config.hosts = vec!["registry.example.org".to_owned()];
    let registry = TestRegistry::open(config).unwrap();
    registry.register("s", "\"int\"");
    let client = crate::support::client();
    let url = |path: &str| format!("{}{path}", registry.url());
    let body = r#"{"schema":"\"long\""}"#;
    // What a page may send to anybody without asking first, and what a body without a type is.
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain;application/json",
        "",
    ] {
        for (method, path) in
            [(Method::POST, "/subjects/s/versions"), (Method::PUT, "/config"), (Method::POST, "/subjects/s")]
        {
            let mut request = client.request(method.clone(), url(path)).body(body);
            if !kind.is_empty() {
                request = request.header("Content-Type", kind);
            }
            let response = request.send().unwrap();
            assert_eq!(response.status(), 415, "{method} {path} as {kind}");
            let answer: Value = response.json().unwrap();
            assert_eq!(answer["error_code"], 415);
        }
    }
    // What Confluent's clients and curl with -H send.
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "application/vnd.schemaregistry.v1+json",
        "application/vnd.schemaregistry+json; qs=0.9",
        "Application/JSON",
    ] {
        let request = client.post(url("/subjects/s")).body(r#"{"schema":"\"int\""}"#);
        assert_eq!(request.header("Content-Type", kind).send().unwrap().status(), 200, "{kind}");
    }
    // A page whose name was made to lead here.
    for host in ["evil.example", "evil.example:8081", "127.0.0.1.evil.example"] {
        for request in [
            client.get(url("/subjects")),
            client.delete(url("/subjects/s")),
            client.post(url("/subjects/s")).body(body),
        ] {
            let request = request.header("Host", host).header("Content-Type", "application/json");
            let response = request.send().unwrap();
            assert_eq!(response.status(), 403, "{host}");
            let answer: Value = response.json().unwrap();
            assert!(answer["message"].as_str().unwrap().contains(host), "{answer}");
        }
    }
    for host in ["localhost:1", "registry.example.org", "[::1]:8081", "10.0.0.1"] {
        assert_eq!(client.get(url("/subjects")).header("Host", host).send().unwrap().status(), 200, "{host}");
    }
    assert_eq!(registry.get("/subjects/s/versions"), (200, json!([1])));
    assert_eq!(registry.delete("/subjects/s"), (200, json!([1])), "a delete has no body and no type");
}
