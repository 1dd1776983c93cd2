//! The one table of metrics, and all that is written about it: the manual, the dashboard, the alerts.

#[allow(dead_code, reason = "it uses less of it than others do")]
use crate::common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::Place;
use millrace_telemetry::{Kind, metrics};

const DASHBOARD: &str = "deploy/grafana/millrace.json";
const ALERTS: &str = "deploy/prometheus/alerts.yml";

fn text(path: &str) -> String {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every series that the table leads to in Prometheus.
fn series() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for metric in metrics() {
        match metric.kind {
            Kind::Histogram(_) => {
                names.extend(["bucket", "sum", "count"].map(|part| format!("{}_{part}", metric.name)))
            }
            _ => drop(names.insert(metric.name.to_owned())),
        }
    }
    names
}

/// Words that can only be names of our metrics.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_part(c));
    words
        .filter(|word| word.starts_with("millrace_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// The queries of the dashboard.
fn queries(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(query) if name == "expr" || name == "definition" => found.push(query.to_owned()),
                    _ => queries(value, found),
                }
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

#[test]
fn the_manual_is_the_table() {
    let rendered = Place::new().run(&["metrics"]).is(0, &["millrace_commands_total"]).stdout;
    let document = text("docs/operations.md");
    let (_, rest) =
        document.split_once("<!-- metrics: rendered -->\n").expect("a mark in docs/operations.md");
    let (there, _) = rest.split_once("<!-- metrics: end -->").expect("a mark in docs/operations.md");
    assert!(rendered == there, "docs/operations.md is not what the table says; run `make docs`");
    for metric in metrics() {
        assert!(there.contains(&format!("`{}`", metric.name)), "{} is not explained", metric.name);
    }
}

#[test]
fn the_dashboard_shows_metrics_that_exist_and_leaves_none_out() {
    let dashboard: serde_json::Value = serde_json::from_str(&text(DASHBOARD)).unwrap();
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    assert!(found.len() > 30, "only {} queries were found", found.len());
    let (shown, series) = (named(&found.join("\n")), series());
    let unknown: Vec<_> = shown.difference(&series).collect();
    assert!(unknown.is_empty(), "the dashboard names what is not exported: {unknown:?}");
    for metric in metrics() {
        let is_shown = shown.iter().any(|name| name.starts_with(metric.name));
        assert!(is_shown, "the dashboard leaves out {}", metric.name);
    }
}

#[test]
fn every_alert_is_of_metrics_that_exist_and_is_explained() {
    let (alerts, operations) = (text(ALERTS), text("docs/operations.md"));
    let expressions = alerts.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let named = named(&expressions.collect::<Vec<_>>().join("\n"));
    let series = series();
    let unknown: Vec<_> = named.difference(&series).collect();
    assert!(unknown.is_empty() && named.len() > 10, "alerts name what is not exported: {unknown:?}");
    let names: Vec<&str> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::trim).collect();
    assert!(names.len() > 10, "only {} alerts were found", names.len());
    for name in &names {
        assert!(operations.contains(&format!("- **{name}**")), "docs/operations.md does not explain {name}");
    }
    let explained = operations.lines().filter_map(|line| line.strip_prefix("- **Millrace")?.split_once("**"));
    for (name, _) in explained {
        assert!(names.contains(&&*format!("Millrace{name}")), "there is no alert Millrace{name}");
    }
}
