//! What a running system measures is true, and the dashboard, the alerts and the manual name nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use millrace_blackbox::{Embedded, Foreign, Http, Metrics, SMALL_THRESHOLDS, SOON, System};
use serde_json::{Value, json};

fn repository(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The metrics of a running `millrace up`, at the address it has written down.
fn metrics(system: &Embedded) -> Metrics {
    let written = fs::read_to_string(system.dir().join("data/up.toml")).expect("it has written up.toml");
    let address = written.lines().find_map(|line| line.strip_prefix("health = \"")?.strip_suffix('"'));
    Metrics::at(address.unwrap_or_else(|| panic!("no health endpoint in\n{written}")))
}

/// The names of our metrics in queries.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .filter(|word| word.starts_with("millrace_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

fn queries(value: &Value, found: &mut String) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| match value.as_str() {
            Some(query) if name == "expr" || name == "definition" => *found += &format!("{query}\n"),
            _ => queries(value, found),
        }),
        Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

/// A few commands of every kind, with every result.
fn work(system: &Embedded, foreign: &mut Foreign) {
    let cli = system.cli();
    let send = |arguments: &[&str]| cli.run(&[&["send"], arguments, &["--wait"]].concat());
    for user in ["ann", "bob"] {
        let fields = [format!("user_id={user}"), format!("username={user}")];
        send(&["RegisterUser", &fields[0], &fields[1], "--id", &format!("register-{user}")]).exits(0);
    }
    // once more, which changes nothing
    send(&["RegisterUser", "user_id=ann", "username=ann", "--id", "register-ann"]).exits(0);
    send(&["FollowUser", "follower_id=bob", "followee_id=ann"]).exits(0);
    send(&["FollowUser", "follower_id=ann", "followee_id=nobody"]).exits(1);
    send(&["PostChirp", "chirp_id=c1", "author_id=ann", "content=hi", "--wait-for", "home_timelines"])
        .exits(0);
    foreign.raw(Some("ann"), None, Some("ff00ff00ff"));
    Http::at(system.http()).get("/v1/views/chirp/user_profiles", &[]).is(200);
}

#[test]
fn what_dashboard_alerts_and_manual_name_is_there_and_true() {
    let system = Embedded::start(SMALL_THRESHOLDS);
    let metrics = metrics(&system);
    let mut foreign = Foreign::of(&system);
    work(&system, &mut foreign);

    let of = r#"role="chirp.processor""#;
    let count = |kind: &str, result: &str, expected: f64| {
        let labels = [of, &*format!(r#"type="{kind}""#), &*format!(r#"result="{result}""#)];
        metrics.until("millrace_commands_total", &labels, SOON, |value| value == expected);
    };
    // a registration is a process over two partitions
    count("RegisterUser", "begun", 2.0);
    count("RegisterUser", "duplicate", 1.0);
    count("FollowUser", "accepted", 1.0);
    count("FollowUser", "rejected", 1.0);
    count("PostChirp", "accepted", 1.0);
    count("(unreadable)", "dead", 1.0);
    metrics.until("millrace_rejections_total", &[of, r#"code="NotFound""#], SOON, |value| value == 1.0);
    metrics.until("millrace_dead_letters_total", &[of, r#"kind="unreadable""#], SOON, |value| value == 1.0);
    metrics.until("millrace_outcomes_total", &[of, r#"status="accepted""#], SOON, |value| value == 4.0);
    metrics.until("millrace_outcomes_total", &[of, r#"status="duplicate""#], SOON, |value| value == 1.0);
    let rows = [r#"role="chirp.projector."#, r#"operation="put""#];
    metrics.until("millrace_rows_total", &rows, SOON, |value| value > 5.0);
    // of what was decided nothing is left
    metrics.until("millrace_lag_records", &[], SOON, |value| value == 0.0);
    metrics.until("millrace_lag_seconds", &[], SOON, |value| value == 0.0);
    metrics.until("millrace_ready", &[], SOON, |value| value == 1.0);
    metrics
        .until("millrace_transaction_seconds_count", &[of, r#"phase="commit""#], SOON, |value| value > 3.0);
    metrics.until("millrace_transaction_seconds_count", &[of, r#"phase="write""#], SOON, |value| value > 3.0);
    metrics.until("millrace_store_bytes", &[of], SOON, |value| value > 0.0);

    let mut shown = String::new();
    queries(&serde_json::from_str(&repository("deploy/grafana/millrace.json")).unwrap(), &mut shown);
    let alerts = repository("deploy/prometheus/alerts.yml");
    let alerts: Vec<&str> = alerts.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    let mut names = named(&shown);
    names.extend(named(&alerts.join("\n")));
    assert!(names.len() > 30, "only {} metrics are named: {names:?}", names.len());
    metrics.until_all(&names.into_iter().collect::<Vec<_>>(), SOON);

    let manual = repository("docs/operations.md");
    for name in metrics.names() {
        let parts = ["_bucket", "_sum", "_count"];
        let metric = parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(&name);
        assert!(
            manual.contains(&format!("**`{metric}`**")) || manual.contains(&format!("**`{name}`**")),
            "docs/operations.md says nothing of {name}"
        );
    }
}

#[test]
fn a_transaction_that_nobody_ends_is_told_with_its_place() {
    let system = Embedded::start(SMALL_THRESHOLDS);
    let metrics = metrics(&system);
    let mut foreign = Foreign::of(&system);
    foreign.register("ann");
    let (partition, _) =
        foreign.send("c0", "PostChirp", json!({"chirp_id": "c0", "author_id": "ann", "content": "x"}));
    let place = format!(r#"partition="{partition}""#);
    let here = [r#"topic="chirp.commands""#, &*place];
    metrics.until("millrace_stable_offset_stuck_seconds", &here, SOON, |value| value == 0.0);

    foreign.hold("c1", "PostChirp", partition, json!({"chirp_id": "c1", "author_id": "ann", "content": "x"}));
    foreign.send("c2", "PostChirp", json!({"chirp_id": "c2", "author_id": "ann", "content": "x"}));
    metrics.until("millrace_stable_offset_stuck_seconds", &here, SOON, |value| value >= 2.0);
    metrics.until("millrace_stable_offset_behind_records", &here, SOON, |value| value == 2.0);
    let of = [r#"role="chirp.processor""#, &*place];
    metrics.until("millrace_lag_records", &of, SOON, |value| value >= 2.0);
    metrics.until("millrace_lag_seconds", &of, SOON, |value| value >= 2.0);

    foreign.release();
    assert_eq!(foreign.outcome("c2")["status"], "accepted");
    metrics.until("millrace_stable_offset_stuck_seconds", &here, SOON, |value| value == 0.0);
    metrics.until("millrace_lag_records", &of, SOON, |value| value == 0.0);
    metrics.until("millrace_lag_seconds", &of, SOON, |value| value == 0.0);
}
