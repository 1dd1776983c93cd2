//! What is wrong is called by its name: by the status, by `/health`, and to whoever sends a command.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;

use millrace_blackbox::{Cli, Embedded, Foreign, LATER, SOON, System, python};
use millrace_services::{wait_for, wait_until};
use serde_json::{Value, json};

/// Room for what is there at the start, and a little more.
const SMALL: usize = 12 << 20;

fn status(cli: &Cli) -> Value {
    cli.run(&["status", "--json"]).json()
}

/// Sends chirps until one is not accepted, and gives its id and what was said.
fn send_until_refused(cli: &Cli) -> (String, String) {
    let content = format!("content={}", "x".repeat(140));
    for number in 0..200 {
        let id = format!("c{number}");
        let chirp = format!("chirp_id={id}");
        let call =
            ["send", "PostChirp", "author_id=ann", &chirp, &content, "--id", &id, "--wait", "--timeout", "3"];
        let ran = cli.run(&call);
        if ran.code != Some(0) {
            return (id, ran.to_string());
        }
    }
    panic!("everything is accepted");
}

#[test]
fn a_full_disk_is_named_and_nothing_is_lost() {
    let system = Embedded::on_small_disk("", SMALL);
    let cli = system.cli();
    cli.ok(&["send", "RegisterUser", "user_id=ann", "username=Ann", "--wait-for", "user_profiles"]);
    system.fill_disk();
    let before = system.up.output().lines().count();

    // small files have room for a while
    let (id, said) = send_until_refused(&cli);
    assert!(said.contains("is full") && said.contains("bytes free"), "{said}");
    let disk = || {
        let report: Value = serde_json::from_str(&system.health("/health")).expect("JSON");
        let lanes = report["lanes"].as_array().expect("a list").clone();
        lanes.into_iter().find(|lane| lane["role"] == "broker.disk")
    };
    let lane = wait_for(SOON, "the broker to name it", disk).unwrap_or_else(|overdue| panic!("{overdue}"));
    assert!(lane["detail"].as_str().is_some_and(|text| text.contains("is full")), "{lane}");
    cli.run(&["status"]).exits(1).says(&["NOT healthy", "broker.disk", "is full", "make room"]);
    assert_eq!(status(&cli)["healthy"], false);

    // it is one condition, however many writes are refused: after ten seconds it was said a few times
    let lasted = || disk().filter(|lane| lane["since_seconds"].as_f64() > Some(10.0));
    wait_for(SOON, "it to last", lasted).unwrap_or_else(|overdue| panic!("{overdue}"));
    let output = system.up.output();
    let lines: Vec<&str> = output.lines().skip(before).collect();
    let named = lines.iter().filter(|line| line.contains("is full")).count();
    assert!((1..40).contains(&named), "{named} lines name it:\n{}", lines.join("\n"));
    assert!(lines.len() < 80, "{} lines:\n{}", lines.len(), lines.join("\n"));

    system.make_room();
    let well = wait_until(LATER, "all to be well", || disk().is_none() && status(&cli)["healthy"] == true);
    well.unwrap_or_else(|overdue| panic!("{overdue}\n{}", system.up.tail()));
    let content = format!("content={}", "x".repeat(140));
    let chirp = format!("chirp_id={id}");
    cli.ok(&["send", "PostChirp", "author_id=ann", &chirp, &content, "--id", &id, "--wait"]);
    cli.wait_caught_up(LATER);
    cli.ok(&["verify", "chirp"]);
    let rows = cli.ok(&["query", "chirps_by_author", "author_id=ann", "--json"]).json_lines();
    let number: usize = id[1..].parse().expect("a number");
    assert_eq!(rows.len(), number + 1, "all that was accepted is there");
}

#[test]
fn a_start_on_a_full_disk_says_so() {
    let mut system = Embedded::launch_on_small_disk("", SMALL, SMALL);
    let ended = system.up.ended(SOON);
    assert_eq!(ended.code(), Some(1), "{}", system.up.tail());
    let said = system.up.output();
    assert!(said.contains("is full: 0 bytes free") && said.contains("Make room"), "{said}");
}

#[test]
fn a_transaction_of_a_stranger_is_named_where_it_stands() {
    let system = Embedded::start("[processor]\ntransaction_timeout_ms = 5000\n");
    let cli = system.cli();
    let mut foreign = Foreign::of(&system);
    foreign.register("ann");
    cli.wait_caught_up(LATER);
    assert!(status(&cli).get("transactions").is_none());
    let chirp = |id: &str| json!({"chirp_id": id, "author_id": "ann", "content": "x"});
    let (partition, _) = foreign.send("c0", "PostChirp", chirp("c0"));
    foreign.hold("c1", "PostChirp", partition, chirp("c1"));
    foreign.send("c2", "PostChirp", chirp("c2"));

    let named = wait_for(SOON, "the status to name it", || status(&cli)["transactions"].get(0).cloned());
    let named = named.unwrap_or_else(|overdue| panic!("{overdue}"));
    assert_eq!(
        (&named["topic"], &named["partition"]),
        (&json!("chirp.commands"), &json!(partition)),
        "{named}"
    );
    assert!(named["seconds"].as_f64() > Some(5.0) && named["records"] == 2, "{named}");
    assert!(named["producer_id"].is_i64() && named["transactional_id"] == "somebody-else", "{named}");
    let place = format!("chirp.commands[{partition}]");
    cli.run(&["status"]).says(&[&place, "a transaction has been open since", "kafka-transactions.sh"]);
    // it might have ended by itself until then
    let faulted = || {
        let report: Value = serde_json::from_str(&system.health("/health")).expect("JSON");
        let lanes = report["lanes"].as_array().expect("a list").clone();
        lanes.into_iter().find(|lane| lane["role"] == "chirp.processor.inputs")
    };
    let lane = wait_for(SOON, "/health to name it", faulted).unwrap_or_else(|overdue| panic!("{overdue}"));
    assert!(lane["detail"].as_str().is_some_and(|text| text.contains(&place)), "{lane}");
    assert!(lane["next"].as_str().is_some_and(|text| text.contains("forceTerminateTransaction")), "{lane}");

    foreign.release();
    assert_eq!(foreign.outcome("c2")["status"], "accepted");
    wait_until(SOON, "it to be over", || faulted().is_none()).unwrap_or_else(|overdue| panic!("{overdue}"));
    cli.wait_caught_up(LATER);
}

#[test]
fn tables_that_cannot_be_read_are_named() {
    let system = Embedded::start("");
    let cli = system.cli();
    cli.ok(&["send", "RegisterUser", "user_id=ann", "username=Ann", "--wait-for", "user_profiles"]);
    cli.wait_caught_up(LATER);
    let sql = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute(sys.argv[2])";
    let run = |statement: &str| {
        let file = system.data().join("tables/chirp.sqlite");
        let ran =
            Command::new(python()).args(["-c", sql]).arg(file).arg(statement).output().expect("Python runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    run("ALTER TABLE user_profiles RENAME TO elsewhere");
    cli.run(&["status"]).exits(1).says(&["NOT healthy", "chirp.user_profiles", "tables plan"]);
    let report = status(&cli);
    assert_eq!(
        (&report["healthy"], report["tables"].as_array().map(Vec::len)),
        (&json!(false), Some(1)),
        "{report}"
    );
    assert!(report["roles"].as_array().is_some_and(|roles| !roles.is_empty()), "the rest is shown: {report}");
    run("ALTER TABLE elsewhere RENAME TO user_profiles");
    cli.ok(&["status"]);
}

/// A request for records that waits for minutes: `Fetch` of version 4 for no topic.
const PATIENT: [u8; 35] = [
    0, 0, 0, 31, // bytes that follow
    0, 1, 0, 4, 0, 0, 0, 1, 0xff, 0xff, // Fetch, version 4, correlation 1, no client id
    0xff, 0xff, 0xff, 0xff, // no replica
    0, 4, 0, 0, // for 262 s
    0, 0, 0, 1, // at least one byte
    0, 0, 0, 1, // at most one
    0, // uncommitted
    0, 0, 0, 0, // topics
];

#[test]
fn too_many_connections_are_called_so() {
    // the least that may be set
    const MOST: usize = 10;
    let system = Embedded::start(&format!("[up]\nmax_connections = {MOST}\n"));
    let cli = system.cli();
    let _busy: Vec<TcpStream> = (0..MOST)
        .map(|_| {
            let mut stream = TcpStream::connect(system.kafka()).expect("it listens");
            stream.write_all(&PATIENT).expect("it reads");
            stream
        })
        .collect();
    let full = format!("millrace_connections{{server=\"broker\"}} {MOST}");
    let taken = || system.health("/metrics").contains(&full);
    wait_until(SOON, "both to be answered", taken).unwrap_or_else(|overdue| panic!("{overdue}"));
    let call = ["send", "RegisterUser", "user_id=ann", "username=Ann"];
    cli.run(&call).exits(1).says(&["too many connections", &format!("{MOST} of {MOST}")]);
    let report: Value = serde_json::from_str(&system.health("/health")).expect("JSON");
    let lanes = report["lanes"].as_array().expect("a list");
    assert!(
        lanes.iter().any(|lane| lane["role"] == "broker.connections" && lane["state"] == "faulted"),
        "{report}"
    );
    let metrics = system.health("/metrics");
    let refused = metrics.lines().find(|line| {
        line.starts_with("millrace_connections_turned_away_total")
            && line.contains("refused")
            && line.contains("broker")
    });
    assert!(refused.is_some_and(|line| !line.ends_with(" 0")), "{refused:?}");
    assert!(metrics.contains("process_open_fds ") && metrics.contains("process_max_fds "));
}
