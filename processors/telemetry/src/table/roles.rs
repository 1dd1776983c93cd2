//! How a process and its roles are.

use millrace_runtime::health::LaneState;

use super::Kind::{Counter, Gauge};
use super::Source::Look;
use super::{Metric, known, truth};

pub(super) static METRICS: &[Metric] = &[
    Metric {
        name: "millrace_build_info",
        kind: Gauge,
        unit: "",
        labels: &["version"],
        help: "Always 1; the label tells which version runs.",
        advice: "",
        source: Look(|_, put| put(1.0, &[env!("CARGO_PKG_VERSION")])),
    },
    Metric {
        name: "millrace_live",
        kind: Gauge,
        unit: "",
        labels: &[],
        help: "1 while every thread takes its steps; 0 as `/live` answers 503: a step has not ended for minutes.",
        advice: "Restart the process; others take over what it holds. Keep its log lines: it is a bug or a machine without CPU.",
        source: Look(|seen, put| put(truth(seen.health.live), &[])),
    },
    Metric {
        name: "millrace_ready",
        kind: Gauge,
        unit: "",
        labels: &[],
        help: "1 while every role is a member of its group and every partition is at work, as `/ready` says.",
        advice: "For a while after a start or a move: wait, `millrace_restore_left_records` falls. For long: `millrace_lane_faulted_seconds` says where, `/ready` says why.",
        source: Look(|seen, put| put(truth(seen.health.ready), &[])),
    },
    Metric {
        name: "millrace_healthy",
        kind: Gauge,
        unit: "",
        labels: &[],
        help: "1 while nothing is in the way of any partition, as `/health` says; starting is well.",
        advice: "`/health` says what, where, since when and what happens next.",
        source: Look(|seen, put| put(truth(seen.health.healthy), &[])),
    },
    Metric {
        name: "millrace_lane_running",
        kind: Gauge,
        unit: "",
        labels: &["role", "partition"],
        help: "1 while a partition is at work here, 0 while it starts or something is in its way. Partition -1 is the role as a whole; roles that end in `.standby` are copies that stand by.",
        advice: "See `millrace_lane_faulted_seconds`.",
        source: Look(|seen, put| {
            for lane in &seen.health.lanes {
                put(truth(lane.state == LaneState::Running), &[&lane.role, &lane.partition.to_string()]);
            }
        }),
    },
    Metric {
        name: "millrace_lane_faulted_seconds",
        kind: Gauge,
        unit: "s",
        labels: &["role", "partition"],
        help: "For how long something has been in the way of a partition; 0 when nothing is. It tries again by itself.",
        advice: "`/health` and the log name the server, the reason and the way out. Nothing is lost or skipped meanwhile; the lag grows.",
        source: Look(|seen, put| {
            for lane in &seen.health.lanes {
                let is_faulted =
                    matches!(lane.state, LaneState::Faulted | LaneState::Impaired | LaneState::Hanging);
                let seconds = if is_faulted { lane.since_seconds } else { 0.0 };
                put(seconds, &[&lane.role, &lane.partition.to_string()]);
            }
        }),
    },
    Metric {
        name: "millrace_faults_total",
        kind: Counter,
        unit: "{fault}",
        labels: &["role", "kind"],
        help: "How often something was in the way of a partition: `log` (Kafka), `store` (the tables: a write that failed), `registry`, `state` (local state, restored records, or a topic that lacks what it had), `fenced` (another instance took over), `clock`, `unreadable`, `bug`, `panic`.",
        advice: "Single ones pass by themselves. A steady rate: look at the kind's server. `bug`, `panic` and `unreadable` need a person: the log has the record's place.",
        source: Look(|seen, put| {
            for role in &seen.roles {
                known(&role.role, &role.counts.faults, &FAULTS, put);
            }
        }),
    },
    Metric {
        name: "millrace_rebalances_total",
        kind: Counter,
        unit: "{rebalance}",
        labels: &["role", "event"],
        help: "How often partitions came (`assigned`), were asked back (`revoked`), or were taken as this process was thought dead (`lost`).",
        advice: "Some with every start, stop and scaling. A steady rate, or any `lost`: the process is starved of CPU or paused for longer than its session timeout.",
        source: Look(|seen, put| {
            for role in &seen.roles {
                known(&role.role, &role.counts.rebalances, &["assigned", "revoked", "lost"], put);
            }
        }),
    },
    Metric {
        name: "millrace_partitions",
        kind: Gauge,
        unit: "{partition}",
        labels: &["role"],
        help: "How many partitions this process works on. Summed over all processes it is the topic's number of partitions, or some have no owner.",
        advice: "Less than that for longer than a session timeout: too few processes run, or one cannot join its group.",
        source: Look(|seen, put| {
            for role in &seen.roles {
                put(role.lanes.iter().filter(|(_, numbers)| numbers.is_held).count() as f64, &[&role.role]);
            }
        }),
    },
];

/// What may be in the way of a partition.
const FAULTS: [&str; 9] =
    ["log", "store", "registry", "state", "fenced", "clock", "unreadable", "bug", "panic"];
