//! The table of clients (`tests/clients`), as far as it takes no other tools than the tests have: the Python clients and
//! Kafka's console tools. `make test-clients` runs all of it.

use std::path::Path;
use std::process::Command;

use millrace_blackbox::{millrace, python};
use millrace_services::Services;

fn run(clients: &str, cases: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/run.py");
    let (kafka, registry) = (Services::kafka().unwrap(), Services::registry().unwrap());
    let output = Command::new(python())
        .arg(script)
        .args(["--clients", clients, "--cases", cases])
        .arg("--millrace")
        .arg(millrace())
        .env("MILLRACE_TEST_KAFKA", &kafka.bootstrap)
        .env("MILLRACE_TEST_REGISTRY", &registry.url)
        .output()
        .expect("Python starts");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    println!("{told}");
}

#[test]
fn the_python_clients_find_the_same_on_both_brokers() {
    let cases =
        "job,events,keys,records,codecs,group,transaction,fenced,lookups,admin,groups,static,new-groups";
    run("confluent-kafka,aiokafka,kafka-python", cases);
}

#[test]
fn the_console_tools_find_the_same_on_both_brokers() {
    run("console tools", "records,log-dirs");
}
