//! The servers of `millrace up`, and who finds no place at them.

use super::Kind::{Counter, Gauge};
use super::Metric;
use super::Source::Look;

pub(super) static METRICS: &[Metric] = &[
    Metric {
        name: "millrace_connections",
        kind: Gauge,
        unit: "{connection}",
        labels: &["server"],
        help: "Connections of clients to the `broker` and the `registry` of `millrace up`; its own roles come by others.",
        advice: "See `millrace_connections_turned_away_total`.",
        source: Look(|seen, put| {
            seen.servers.iter().for_each(|it| put(it.connections as f64, &[it.server]));
        }),
    },
    Metric {
        name: "millrace_connections_allowed",
        kind: Gauge,
        unit: "{connection}",
        labels: &["server"],
        help: "How many there may be at a time: `up.max_connections`.",
        advice: "",
        source: Look(|seen, put| {
            seen.servers.iter().for_each(|it| put(it.allowed as f64, &[it.server]));
        }),
    },
    Metric {
        name: "millrace_connections_turned_away_total",
        kind: Counter,
        unit: "{connection}",
        labels: &["server", "how"],
        help: "Connections that were closed as there were too many, or too many open files: newcomers that got no place (`refused`), and those that asked nothing and were closed for a newcomer (`closed`). Clients call either a broker that is down.",
        advice: "Find out who connects (`ss -tnp`); raise `up.max_connections`, and the limit of open files (`process_max_fds`) with it.",
        source: Look(|seen, put| {
            for it in &seen.servers {
                put(it.refused as f64, &[it.server, "refused"]);
                put(it.closed as f64, &[it.server, "closed"]);
            }
        }),
    },
];
