//! The one table of metrics: name, kind, unit, labels, meaning, and what to do.
//!
//! The exporter shows what stands here and in the parts beneath, `docs/operations.md` is rendered from it, and the dashboard
//! and the alerts may name nothing else.

mod behind;
mod decided;
mod gateway;
mod kept;
mod process;
mod roles;
mod rows;
mod servers;

use std::collections::BTreeMap;

use millrace_runtime::metrics::Distribution;

use crate::seen::Seen;

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only ever rises, until the process ends.
    Counter,
    /// Is what it is now.
    Gauge,
    /// Values, counted by the bounds below which they are.
    Histogram(&'static [f64]),
}

/// Takes a value and the values of the labels, in their order.
pub(crate) type Put<'a> = &'a mut dyn FnMut(f64, &[&str]);

/// Where its values come from.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// Looked at when somebody asks.
    Look(fn(&Seen, Put<'_>)),
    /// Recorded when it happens; of those with a second label, the value of that.
    Recorded(&'static [(Distribution, &'static str)]),
}

/// A metric.
pub struct Metric {
    /// Its name in Prometheus, and in OTLP as well.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its unit, as OpenTelemetry writes them.
    pub unit: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
    /// What to look at or to do when it is not as it should be; empty where nothing follows from it.
    pub advice: &'static str,
    pub(crate) source: Source,
}

/// Bounds of batch sizes.
const SIZES: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0];
/// Bounds of times, in seconds.
const TIMES: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25,
    0.5, 1.0, 2.5, 5.0, 10.0,
];

fn truth(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

/// Every metric there is, in the order in which they are explained.
pub fn metrics() -> impl Iterator<Item = &'static Metric> {
    let parts = [
        roles::METRICS,
        decided::METRICS,
        behind::METRICS,
        kept::METRICS,
        rows::METRICS,
        gateway::METRICS,
        servers::METRICS,
        process::METRICS,
    ];
    parts.into_iter().flatten()
}

/// Counts of things whose names are known beforehand. Those that have not happened are told, too:
/// Prometheus sees no rise of a counter that begins with 1.
fn known(role: &str, counts: &BTreeMap<&'static str, u64>, names: &[&str], put: Put<'_>) {
    for name in names {
        put(counts.get(name).copied().unwrap_or(0) as f64, &[role, name]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Kind::{Counter, Histogram};
    use super::Source::Recorded;
    use super::*;

    #[test]
    fn names_say_what_prometheus_expects() {
        let mut names = BTreeSet::new();
        for metric in metrics() {
            assert!(names.insert(metric.name), "{} stands twice", metric.name);
            let is_counter = metric.kind == Counter;
            assert_eq!(metric.name.ends_with("_total"), is_counter, "{}", metric.name);
            let unit = match metric.unit {
                "s" => "_seconds",
                "By" => "_bytes",
                _ => "",
            };
            assert!(
                metric.name.trim_end_matches("_total").ends_with(unit),
                "{} is in {}",
                metric.name,
                metric.unit
            );
            for text in [metric.help, metric.advice] {
                assert!(text.is_empty() || text.ends_with('.'), "{}: end it with a full stop", metric.name);
            }
            assert!(!metric.help.is_empty(), "{} says nothing", metric.name);
        }
    }

    #[test]
    fn what_is_recorded_is_a_histogram_and_nothing_else_is() {
        for metric in metrics() {
            let is_recorded = matches!(metric.source, Recorded(_));
            assert_eq!(is_recorded, matches!(metric.kind, Histogram(_)), "{}", metric.name);
            if let Histogram(bounds) = metric.kind {
                assert!(bounds.is_sorted(), "{}", metric.name);
            }
        }
    }
}
