//! What is written to tables.

use millrace_runtime::metrics::Distribution;

use super::Kind::{Counter, Histogram};
use super::Source::{Look, Recorded};
use super::{Metric, TIMES};

pub(super) static METRICS: &[Metric] = &[
    Metric {
        name: "millrace_rows_total",
        kind: Counter,
        unit: "{row}",
        labels: &["role", "operation"],
        help: "Rows that were written (`put`) and deleted (`delete`), acknowledged by the store.",
        advice: "",
        source: Look(|seen, put| {
            for role in seen.roles.iter().filter(|role| role.role.contains(".projector.")) {
                put(role.counts.puts as f64, &[&role.role, "put"]);
                put(role.counts.deletes as f64, &[&role.role, "delete"]);
            }
        }),
    },
    Metric {
        name: "millrace_rows_seconds",
        kind: Histogram(TIMES),
        unit: "s",
        labels: &["role"],
        help: "Time in which the rows of a batch of events were written.",
        advice: "Slow with a lag that grows: the tables' server is the bottleneck.",
        source: Recorded(&[(Distribution::RowsSeconds, "")]),
    },
];
