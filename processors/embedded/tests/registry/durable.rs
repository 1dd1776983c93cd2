//! What was acknowledged is there after a restart, an orderly one and `kill -9`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use millrace_embedded::registry::Registry;
use reqwest::Method;
use serde_json::json;

use crate::support::{TestRegistry, client, config, record};

const FOLDER_VARIABLE: &str = "REGISTRY_TEST_FOLDER";

#[test]
fn everything_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let registry = TestRegistry::on_disk(dir.path());
    let first = registry.register("s", &record(r#"{"name":"a","type":"int"}"#));
    let second = registry.register("s", &record(""));
    registry.register("gone", "\"bytes\"");
    registry.delete("/subjects/gone");
    registry.delete("/subjects/gone?permanent=true");
    registry.delete("/subjects/s/versions/1");
    registry.put("/config", json!({"compatibility": "NONE"}));
    registry.put("/config/s", json!({"compatibility": "FULL"}));
    registry.put("/mode/s", json!({"mode": "READONLY"}));
    registry.shutdown();

    let registry = TestRegistry::on_disk(dir.path());
    assert_eq!(registry.get("/subjects?deleted=true"), (200, json!(["s"])));
    assert_eq!(registry.get("/subjects/s/versions"), (200, json!([2])));
    assert_eq!(registry.get("/subjects/s/versions?deleted=true"), (200, json!([1, 2])));
    assert_eq!(registry.get("/subjects/s/versions/2").1["id"], second);
    assert_eq!(registry.get(&format!("/schemas/ids/{first}")).0, 200);
    assert_eq!(registry.get("/config").1["compatibilityLevel"], "NONE");
    assert_eq!(registry.get("/config/s").1["compatibilityLevel"], "FULL");
    assert_eq!(registry.get("/mode/s").1["mode"], "READONLY");
    // 3 was the removed one's.
    assert_eq!(registry.register("t", "\"double\""), 4);
}

#[test]
fn what_is_set_to_what_it_is_makes_no_journal_grow() {
    let dir = tempfile::tempdir().unwrap();
    let registry = TestRegistry::on_disk(dir.path());
    let set = |level: &str| {
        registry.put("/config", json!({"compatibility": level}));
        registry.put("/config/s", json!({"compatibility": level}));
        registry.put("/mode/s", json!({"mode": "READWRITE"}));
    };
    let lines = || fs::read_to_string(dir.path().join("registry.jsonl")).unwrap().lines().count();
    set("FULL");
    let before = lines();
    set("FULL");
    set("FULL");
    assert_eq!(lines(), before);
    set("NONE");
    assert_eq!(lines(), before + 2, "both levels");
    registry.shutdown();
}

#[test]
fn acknowledged_schemas_survive_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let mut server = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "durable::serve_until_killed", "--ignored", "--nocapture"])
            .env(FOLDER_VARIABLE, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let url =
            lines.map_while(Result::ok).find_map(|line| Some(line.split_once("serving ")?.1.to_owned()));
        let url = url.unwrap();
        // One thread registers as fast as it can; the server is killed in the midst of it.
        let (sender, answers) = channel();
        let writer = thread::spawn(move || {
            let client = client();
            for number in 0.. {
                let subject = format!("s-{round}-{number}");
                let schema = format!(r#"{{"type":"enum","name":"E{round}x{number}","symbols":[]}}"#);
                let request = client
                    .request(Method::POST, format!("{url}/subjects/{subject}/versions"))
                    .header("Content-Type", "application/json")
                    .body(json!({"schema": schema}).to_string());
                let Ok(response) = request.send() else { break };
                let Ok(body) = response.text() else { break };
                let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
                if sender.send((subject, answer["id"].as_u64().unwrap())).is_err() {
                    break;
                }
            }
        });
        for _ in 0..30 {
            acknowledged.push(answers.recv_timeout(Duration::from_secs(30)).unwrap());
        }
        server.kill().unwrap();
        server.wait().unwrap();
        writer.join().unwrap();
        acknowledged.extend(answers.try_iter());
    }
    let registry = TestRegistry::on_disk(dir.path());
    assert!(acknowledged.len() >= 90);
    for (subject, id) in acknowledged {
        assert_eq!(registry.get(&format!("/subjects/{subject}/versions/latest")).1["id"], id, "{subject}");
    }
}

/// Not a test: the process that the test above kills.
#[test]
#[ignore = "serves until it is killed; started by acknowledged_schemas_survive_kill"]
fn serve_until_killed() {
    let dir = std::env::var_os(FOLDER_VARIABLE).expect("started by the other test only");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let registry = Registry::start(config(Some(dir.as_ref()))).await.unwrap();
        println!("serving {}", registry.url());
        std::io::stdout().flush().unwrap();
        std::future::pending::<()>().await;
    });
}
