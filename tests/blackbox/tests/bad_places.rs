//! Ports, folders and topics that are not as they must be: refused at once, with exit code 1 and a way out.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use millrace_blackbox::{Cli, Cluster, Embedded, Foreign, SMALL_THRESHOLDS, SOON, System, workdir};
use millrace_services::free_port;
use serde_json::json;

/// Runs an `up` that must refuse to start, and gives what it says.
fn refused(data: &Path, kafka_port: u16, registry_port: u16) -> String {
    let dir = workdir("");
    let data = data.to_str().expect("a path in plain letters");
    let (kafka, registry) = (kafka_port.to_string(), registry_port.to_string());
    let call = ["up", "--data", data, "--kafka-port", &kafka, "--registry-port", &registry];
    let ran = Cli::new(dir.path(), Vec::new()).run_bare(&call).exits(1);
    assert!(!ran.stdout.contains("ready "), "{ran}");
    assert!(!ran.stderr.contains("panicked"), "{ran}");
    ran.stderr
}

#[test]
fn a_port_that_is_taken() {
    let dir = workdir("");
    let port = free_port().unwrap();
    let _taken = TcpListener::bind(("127.0.0.1", port.number())).unwrap();
    for (kafka, registry) in [(port.number(), 0), (0, port.number())] {
        let said = refused(&dir.path().join("data"), kafka, registry);
        assert!(said.contains(&port.number().to_string()), "which port? {said}");
        assert!(said.contains("-port"), "it does not name the flag that chooses another: {said}");
    }
}

#[test]
fn a_data_folder_in_use() {
    let mut first = Embedded::start("");
    let data = first.dir().join("data");
    let said = refused(&data, 0, 0);
    assert!(said.contains("in use") && said.contains(data.to_str().unwrap()), "{said}");
    assert!(first.up.is_running());
    first.cli().ok(&["status"]);
}

#[test]
fn a_data_folder_that_cannot_be_written() {
    let dir = workdir("");
    let file = dir.path().join("a-file");
    fs::write(&file, "no folder").unwrap();
    for data in [file.as_path(), Path::new("/proc/millrace-data")] {
        let said = refused(data, 0, 0);
        assert!(said.contains(data.to_str().unwrap()), "which folder? {said}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "no folder", "the file is as it was");
}

#[test]
fn a_topic_with_another_number_of_partitions() {
    let cluster = Cluster::start("partitions", SMALL_THRESHOLDS, 0);
    Foreign::of(&cluster).ask(&json!({"op": "grow", "topic": "events", "partitions": 7}));
    for role in ["processor", "projector"] {
        let mut process = cluster.role(role, 0);
        let status = process.ended(SOON);
        assert_eq!(status.code(), Some(1), "{}", process.tail());
        let said = process.output();
        for word in ["chirp.events", "7", "4", "topics"] {
            assert!(said.contains(word), "`{word}` is missing: {said}");
        }
    }
}

#[test]
fn settings_that_cannot_work() {
    for (settings, words) in [
        ("[chirp]\ncelebrity_above = 10\ncelebrity_below = 20\n", ["celebrity_below", "celebrity_above"]),
        ("[chirp]\ntimeline_cup = 1\n", ["timeline_cup", "millrace.toml"]),
        ("[chirp\n", ["millrace.toml", "line 1"]),
    ] {
        let dir = workdir(settings);
        let data = dir.path().join("data");
        let call = [
            "up",
            "--data",
            data.to_str().unwrap(),
            "--kafka-port",
            "0",
            "--registry-port",
            "0",
            "--http-port",
            "0",
        ];
        let ran = Cli::new(dir.path(), Vec::new()).run_bare(&call);
        assert!(matches!(ran.code, Some(1 | 2)), "{ran}");
        ran.says(&words);
    }
}
