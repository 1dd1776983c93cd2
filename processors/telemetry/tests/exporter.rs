//! What the runtime counts is what a scrape shows, and no longer than it is so.

use std::sync::Arc;

use millrace_runtime::Health;
use millrace_runtime::health::LaneState;
use millrace_runtime::metrics::{Distribution, MessageResult};
use millrace_telemetry::{Options, Telemetry};

fn begun() -> (Telemetry, Health) {
    let telemetry = Telemetry::start(&Options::default()).unwrap();
    let health = Health::default().measured(telemetry.metrics());
    telemetry.observe(&health);
    (telemetry, health)
}

/// The lines of one metric.
fn lines(telemetry: &Telemetry, name: &str) -> Vec<String> {
    let text = telemetry.text().unwrap();
    let of_it = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    of_it.map(str::to_owned).collect()
}

#[test]
fn counts_are_shown_by_type_and_result() {
    let (telemetry, health) = begun();
    health.metrics().role("d.processor").count(|counts| {
        counts.message("Open", false, MessageResult::Accepted);
        counts.message("Open", false, MessageResult::Rejected);
        counts.message("Close", true, MessageResult::Accepted);
        counts.violation("NotFound", 2);
    });
    let accepted = r#"millrace_commands_total{result="accepted",role="d.processor",type="Open"} 1"#;
    assert!(
        lines(&telemetry, "millrace_commands_total").contains(&accepted.to_owned()),
        "{}",
        telemetry.text().unwrap()
    );
    assert_eq!(lines(&telemetry, "millrace_commands_total").len(), 2);
    assert_eq!(lines(&telemetry, "millrace_steps_total").len(), 1);
    let code = r#"millrace_rejections_total{code="NotFound",role="d.processor"} 2"#;
    assert_eq!(lines(&telemetry, "millrace_rejections_total"), [code]);
    // what has not happened is told as well, so that its first time is a rise
    assert!(lines(&telemetry, "millrace_dead_letters_total").iter().all(|line| line.ends_with(" 0")));
    assert_eq!(lines(&telemetry, "millrace_dead_letters_total").len(), 5);
}

#[test]
fn distributions_are_shown_with_their_bounds_and_phases() {
    let (telemetry, health) = begun();
    let role = health.metrics().role("d.processor");
    role.record(Distribution::DecideSeconds, 0.004);
    role.record(Distribution::CommitSeconds, 0.3);
    let buckets = lines(&telemetry, "millrace_transaction_seconds_bucket");
    let of = |phase: &str, bound: &str| {
        let (phase, bound) = (format!("phase=\"{phase}\""), format!("le=\"{bound}\""));
        let found = buckets.iter().find(|line| line.contains(&phase) && line.contains(&bound));
        found
            .unwrap_or_else(|| panic!("no {phase} {bound} in {buckets:#?}"))
            .rsplit(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!((of("decide", "0.003"), of("decide", "0.005")), ("0".to_owned(), "1".to_owned()));
    assert_eq!((of("commit", "0.25"), of("commit", "0.5")), ("0".to_owned(), "1".to_owned()));
}

#[test]
fn a_partition_that_has_moved_away_is_not_shown_any_more() {
    let (telemetry, health) = begun();
    let lane = health.metrics().role("d.processor").lane(3);
    lane.update(|numbers| {
        (numbers.is_held, numbers.records, numbers.aggregates) = (true, 7, 5);
        numbers.read_up_to(&Arc::from("d.commands"), 10);
        numbers.inputs[0].end = Some(12);
    });
    health.set("d.processor", 3, LaneState::Running, "deciding");
    let lag = r#"millrace_lag_records{partition="3",role="d.processor"} 2"#;
    assert_eq!(lines(&telemetry, "millrace_lag_records"), [lag]);
    assert_eq!(lines(&telemetry, "millrace_lane_running").len(), 1);
    health.remove("d.processor", 3);
    // all metrics of a scrape are of one look, which lasts a moment
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !lines(&telemetry, "millrace_lag_records").is_empty() {
        assert!(std::time::Instant::now() < deadline, "it is still shown");
    }
    assert!(lines(&telemetry, "millrace_aggregates").is_empty());
    assert!(lines(&telemetry, "millrace_lane_running").is_empty());
    let done = r#"millrace_records_total{partition="3",role="d.processor"} 7"#;
    assert_eq!(lines(&telemetry, "millrace_records_total"), [done], "what it has done stays");
}

#[test]
fn an_endpoint_that_is_none_is_refused_by_its_name() {
    let options = Options { endpoint: "not a url".to_owned(), sends_metrics: true };
    let Err(error) = Telemetry::start(&options) else { panic!("it was taken") };
    assert!(error.to_string().contains("not a url"), "{error}");
}
