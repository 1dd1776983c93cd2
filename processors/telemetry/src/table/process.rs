//! The process itself, under the names that Prometheus' own libraries use.

use super::Kind::{Counter, Gauge};
use super::Metric;
use super::Source::Look;

pub(super) static METRICS: &[Metric] = &[
    Metric {
        name: "process_cpu_seconds_total",
        kind: Counter,
        unit: "s",
        labels: &[],
        help: "Processor time that the process has taken.",
        advice: "",
        source: Look(|seen, put| seen.process.cpu_seconds.into_iter().for_each(|value| put(value, &[]))),
    },
    Metric {
        name: "process_resident_memory_bytes",
        kind: Gauge,
        unit: "By",
        labels: &[],
        help: "Memory that the process holds.",
        advice: "Bounded with local state (`processor.state_cache_bytes`, and what has changed since the last checkpoint); without, it grows with the aggregates and the window.",
        source: Look(|seen, put| seen.process.resident_bytes.into_iter().for_each(|value| put(value, &[]))),
    },
    Metric {
        name: "process_open_fds",
        kind: Gauge,
        unit: "{file}",
        labels: &[],
        help: "Files that the process has open, connections included.",
        advice: "Near `process_max_fds`: connections of others are refused first. Raise the limit (`ulimit -n`, LimitNOFILE of systemd), or find out who connects.",
        source: Look(|seen, put| seen.process.open_files.into_iter().for_each(|value| put(value, &[]))),
    },
    Metric {
        name: "process_max_fds",
        kind: Gauge,
        unit: "{file}",
        labels: &[],
        help: "How many files it may have open; absent where nothing limits it.",
        advice: "",
        source: Look(|seen, put| seen.process.most_files.into_iter().for_each(|value| put(value, &[]))),
    },
];
