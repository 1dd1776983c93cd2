//! The one table of metrics: name, kind, unit, labels, meaning, and what to do.
//!
//! The exporter shows what stands here, `docs/operations.md` is rendered from it, and the dashboard
//! and the alerts may name nothing else.

use std::collections::BTreeMap;

use millrace_runtime::health::LaneState;
use millrace_runtime::metrics::{Distribution, MessageResult};

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

use Kind::{Counter, Gauge, Histogram};
use Source::{Look, Recorded};

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

/// Every metric there is.
pub static METRICS: &[Metric] = &[
    // how the process is
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
                let is_faulted = matches!(lane.state, LaneState::Faulted | LaneState::Hanging);
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
    // what is decided
    Metric {
        name: "millrace_commands_total",
        kind: Counter,
        unit: "{command}",
        labels: &["role", "type", "result"],
        help: "Commands by type and by what became of them, counted when their transaction is committed: `accepted`, `rejected`, `begun` (a process, answered when it ends), `duplicate` (an id that was used before), `dead` (in the dead topic), `waiting` (in the dead topic behind a dead one of its key). Types `(unknown)` and `(unreadable)` are those this build does not know and cannot read.",
        advice: "A jump of `rejected`: see `millrace_rejections_total`. `(unknown)`: processors are older than producers; deploy processors first.",
        source: Look(|seen, put| messages(seen, false, put)),
    },
    Metric {
        name: "millrace_steps_total",
        kind: Counter,
        unit: "{step}",
        labels: &["role", "type", "result"],
        help: "Steps of processes by type and by what became of them: `accepted`, `duplicate` (taken before), `dead`.",
        advice: "`dead`: a process waits; `millrace dead list`.",
        source: Look(|seen, put| messages(seen, true, put)),
    },
    Metric {
        name: "millrace_rejections_total",
        kind: Counter,
        unit: "{violation}",
        labels: &["role", "code"],
        help: "Violated rules of rejected commands by their code; a command may violate several.",
        advice: "`Misrouted`: a producer with the wrong partitioner or key (producers.md says what each client needs). `InvalidArgument`: a producer that sends what the schema allows and the domain does not. `VersionConflict`: writers compete for one aggregate. `Expired`: a producer that repeats old commands, or whose clock is behind. `Poisoned`: see dead letters.",
        source: Look(|seen, put| {
            for role in &seen.roles {
                let codes = role.counts.violations().iter();
                codes.for_each(|(code, count)| put(*count as f64, &[&role.role, code]));
            }
        }),
    },
    Metric {
        name: "millrace_outcomes_total",
        kind: Counter,
        unit: "{outcome}",
        labels: &["role", "status"],
        help: "Outcomes that were written: `accepted`, `rejected`, `duplicate`. Those of processes are counted when they end.",
        advice: "",
        source: Look(|seen, put| {
            for role in seen.roles.iter().filter(|role| role.role.ends_with(".processor")) {
                for (status, count) in ["accepted", "rejected", "duplicate"].iter().zip(role.counts.outcomes)
                {
                    put(count as f64, &[&role.role, status]);
                }
            }
        }),
    },
    Metric {
        name: "millrace_dead_letters_total",
        kind: Counter,
        unit: "{record}",
        labels: &["role", "kind"],
        help: "Records that went to the dead topic: `unreadable`, `poisoned` (its decision fails every time), `waiting` (behind a dead one of its key), `step`, `batch` (records that cannot be decompressed).",
        advice: "`millrace dead list` and `show` give the reason; mend it, then `millrace dead redrive`. See dead-letters.md.",
        source: Look(|seen, put| {
            for role in seen.roles.iter().filter(|role| role.role.ends_with(".processor")) {
                known(
                    &role.role,
                    &role.counts.dead,
                    &["unreadable", "poisoned", "waiting", "step", "batch"],
                    put,
                );
            }
        }),
    },
    Metric {
        name: "millrace_batch_records",
        kind: Histogram(SIZES),
        unit: "{record}",
        labels: &["role"],
        help: "Commands and steps in a committed transaction. It grows by itself with the load: the next batch is decided while one commits.",
        advice: "At `processor.batch_max_records` all the time with a lag that grows: the partition is at its limit; add processes, then partitions.",
        source: Recorded(&[(Distribution::BatchRecords, "")]),
    },
    Metric {
        name: "millrace_transaction_seconds",
        kind: Histogram(TIMES),
        unit: "s",
        labels: &["role", "phase"],
        help: "Time of a transaction by phase: `decide` (deciding and encoding its records), `write` (from its begin until the broker has acknowledged all records), `commit` (the commit itself; where the log does not tell the two apart, both). `decide` runs while the transaction before is under way.",
        advice: "`write` or `commit` slow: the brokers (disk, replication, `min.insync.replicas`). `decide` slow: the domain's code, or a cache too small for what is in use (`processor.state_cache_bytes`).",
        source: Recorded(&[
            (Distribution::DecideSeconds, "decide"),
            (Distribution::WriteSeconds, "write"),
            (Distribution::CommitSeconds, "commit"),
        ]),
    },
    Metric {
        name: "millrace_command_seconds",
        kind: Histogram(TIMES),
        unit: "s",
        labels: &["role"],
        help: "Time from the broker's stamp on the oldest command of a batch to the commit of that batch: the longest anyone in it waited. As exact as the two clocks agree.",
        advice: "Higher than the transaction's phases together: commands wait; see the lag.",
        source: Recorded(&[(Distribution::CommandSeconds, "")]),
    },
    Metric {
        name: "millrace_records_total",
        kind: Counter,
        unit: "{record}",
        labels: &["role", "partition"],
        help: "Commands and steps that were committed, or events whose rows were written, by partition.",
        advice: "Very uneven rates: some keys are much hotter than others.",
        source: Look(|seen, put| {
            for role in &seen.roles {
                for (partition, numbers) in &role.lanes {
                    put(numbers.records as f64, &[&role.role, &partition.to_string()]);
                }
            }
        }),
    },
    // how far behind
    Metric {
        name: "millrace_lag_records",
        kind: Gauge,
        unit: "{record}",
        labels: &["role", "partition"],
        help: "Records of a partition that are not committed yet, or whose rows are not written: up to the high watermark, so markers of transactions count until they were read. Absent until the end of the partition was asked for.",
        advice: "See `millrace_lag_seconds`.",
        source: Look(|seen, put| {
            for (role, partition, numbers) in seen.held() {
                if let Some(records) = numbers.lag_records() {
                    put(records as f64, &[role, &partition]);
                }
            }
        }),
    },
    Metric {
        name: "millrace_lag_seconds",
        kind: Gauge,
        unit: "s",
        labels: &["role", "partition"],
        help: "For how long the oldest record that is not done has been there; 0 when there is none. A chirp that is still being told to a million readers is one of a projector's.",
        advice: "Grows by a second a second: nothing moves; look at `millrace_lane_faulted_seconds`, `millrace_paused`, `millrace_stable_offset_stuck_seconds`. Grows slower: more comes than is done; add processes up to the number of partitions. A projector's, while `millrace_lag_records` is low and rows are written: a large fan-out, which holds up nobody but its author.",
        source: Look(|seen, put| {
            for (role, partition, numbers) in seen.held() {
                put(numbers.lag().as_secs_f64(), &[role, &partition]);
            }
        }),
    },
    Metric {
        name: "millrace_in_hand_records",
        kind: Gauge,
        unit: "{record}",
        labels: &["role", "partition"],
        help: "Records that were read and are not committed, or whose rows are not written. Bounded, whatever the lag: what is behind that stays in Kafka.",
        advice: "At its bound (two batches) all the time: what comes next is the slow part, see `millrace_transaction_seconds` and `millrace_rows_seconds`.",
        source: Look(|seen, put| {
            seen.held()
                .for_each(|(role, partition, numbers)| put(numbers.in_hand as f64, &[role, &partition]));
        }),
    },
    Metric {
        name: "millrace_paused",
        kind: Gauge,
        unit: "",
        labels: &["role", "partition", "why"],
        help: "1 while a partition takes nothing more: it waits for a look-up table to reach what a command needs (`lookup`), for the tables to take rows (`store`), for this machine's clock to be set right (`clock`), for the dead topic to say what was put back (`dead`), or for the registry to know a schema (`schema`).",
        advice: "`lookup` for seconds: the look-up's topic does not move, see `/health` of the role that ends in `.lookups`. `store`: the tables' server. `clock`: set the clock. `dead` for seconds: a transaction is left open on the dead topic. `schema`: ten seconds a minute at most; a producer sends ids the registry does not know, see `millrace dead list`.",
        source: Look(|seen, put| {
            for (role, partition, numbers) in seen.held() {
                for why in ["lookup", "store", "clock", "dead", "schema"] {
                    put(truth(numbers.paused == Some(why)), &[role, &partition, why]);
                }
            }
        }),
    },
    Metric {
        name: "millrace_stable_offset_behind_records",
        kind: Gauge,
        unit: "{record}",
        labels: &["role", "topic", "partition"],
        help: "Offsets between where committed reads come to (the last stable offset) and the high watermark of an input: what open transactions have written, and all that stands behind them.",
        advice: "Moves all the time under load. See `millrace_stable_offset_stuck_seconds`.",
        source: Look(|seen, put| {
            for (role, partition, numbers) in seen.held() {
                for input in &numbers.inputs {
                    if let (Some(stable), Some(end)) = (input.stable, input.end) {
                        put((end - stable).max(0) as f64, &[role, &input.topic, &partition]);
                    }
                }
            }
        }),
    },
    Metric {
        name: "millrace_stable_offset_stuck_seconds",
        kind: Gauge,
        unit: "s",
        labels: &["role", "topic", "partition", "holder"],
        help: "For how long the last stable offset of an input has stood still though there is more: a transaction is open, and nobody can read what is behind it. `holder` names who writes there by this system's own transactional ids; Kafka's client library cannot ask the broker.",
        advice: "Over `transaction.timeout.ms` (for processors the setting `transaction_timeout_ms`): `kafka-transactions.sh --bootstrap-server … find-hanging --broker-id N` names it, `abort` ends it. A processor's own ends when its next owner fences it.",
        source: Look(|seen, put| {
            for (role, partition, numbers) in seen.held() {
                for input in numbers.inputs.iter().filter(|input| input.end.is_some()) {
                    let seconds = input.stuck_since.map_or(0.0, |since| since.elapsed().as_secs_f64());
                    put(seconds, &[role, &input.topic, &partition, &input.holder]);
                }
            }
        }),
    },
    Metric {
        name: "millrace_clock_ahead_seconds",
        kind: Gauge,
        unit: "s",
        labels: &["role", "partition"],
        help: "How far this machine's clock is ahead of the broker's, negative when behind; known once a record has ended a silence.",
        advice: "Over a minute: set up time synchronisation. An hour ahead: nothing is decided until it is right.",
        source: Look(|seen, put| {
            for (role, partition, numbers) in seen.processing() {
                if let Some(ahead_ms) = numbers.clock_ahead_ms {
                    put(ahead_ms as f64 / 1_000.0, &[role, &partition]);
                }
            }
        }),
    },
    // restoring, and what is kept
    Metric {
        name: "millrace_restore_read_records",
        kind: Gauge,
        unit: "{record}",
        labels: &["role", "partition"],
        help: "Records read to restore a partition when it came here last: states and answers of a processor, events that a projector folds again.",
        advice: "With `--state-dir` a restart reads only what is new. Many after a restart: local state was lost or set aside; the log says why.",
        source: Look(|seen, put| {
            seen.held()
                .for_each(|(role, partition, numbers)| put(numbers.restore_read as f64, &[role, &partition]));
        }),
    },
    Metric {
        name: "millrace_restore_left_records",
        kind: Gauge,
        unit: "{record}",
        labels: &["role", "partition"],
        help: "How many records are missing, at most, until a partition that is being restored is at work; 0 after that. Markers of transactions count.",
        advice: "Standing still: `millrace_lane_faulted_seconds`, or a transaction open on the state topic.",
        source: Look(|seen, put| {
            seen.held()
                .for_each(|(role, partition, numbers)| put(numbers.restore_left as f64, &[role, &partition]));
        }),
    },
    Metric {
        name: "millrace_aggregates",
        kind: Gauge,
        unit: "{aggregate}",
        labels: &["role", "partition"],
        help: "Aggregates in memory: all of a partition's, or with local state those used last.",
        advice: "",
        source: Look(|seen, put| {
            seen.processing()
                .for_each(|(role, partition, numbers)| put(numbers.aggregates as f64, &[role, &partition]));
        }),
    },
    Metric {
        name: "millrace_window_ids",
        kind: Gauge,
        unit: "{id}",
        labels: &["role", "partition"],
        help: "Command ids of the de-duplication window in memory: all of them, or with local state those since the last checkpoint.",
        advice: "At `processor.dedup_window_ids` without local state: repeated ids older than that are not recognised any more.",
        source: Look(|seen, put| {
            seen.processing()
                .for_each(|(role, partition, numbers)| put(numbers.window_ids as f64, &[role, &partition]));
        }),
    },
    Metric {
        name: "millrace_store_bytes",
        kind: Gauge,
        unit: "By",
        labels: &["role", "partition"],
        help: "Size of a partition's local state on disk.",
        advice: "A full disk stops no decision: checkpoints are put off, and a restart reads more.",
        source: Look(|seen, put| {
            for (role, partition, numbers) in seen.processing() {
                let bytes = numbers.store.as_ref().and_then(|folder| seen.store_bytes.get(folder));
                if let Some(bytes) = bytes {
                    put(*bytes as f64, &[role, &partition]);
                }
            }
        }),
    },
    Metric {
        name: "millrace_open_processes",
        kind: Gauge,
        unit: "{process}",
        labels: &["role", "partition"],
        help: "Processes over several partitions that have not ended.",
        advice: "Standing still while commands come: steps do not move, see the lag of the partitions they go to, and `millrace_dead_steps`.",
        source: Look(|seen, put| {
            seen.processing().for_each(|(role, partition, numbers)| {
                put(numbers.open_processes as f64, &[role, &partition])
            });
        }),
    },
    Metric {
        name: "millrace_dead_steps",
        kind: Gauge,
        unit: "{step}",
        labels: &["role", "partition"],
        help: "Steps in the dead topic whose processes wait for them.",
        advice: "`millrace dead list` names them, `redrive` lets their processes go on.",
        source: Look(|seen, put| {
            seen.processing()
                .for_each(|(role, partition, numbers)| put(numbers.dead_steps as f64, &[role, &partition]));
        }),
    },
    Metric {
        name: "millrace_parked_keys",
        kind: Gauge,
        unit: "{key}",
        labels: &["role", "partition"],
        help: "Keys whose commands wait behind a dead one.",
        advice: "`millrace dead redrive DOMAIN --key KEY`.",
        source: Look(|seen, put| {
            seen.processing()
                .for_each(|(role, partition, numbers)| put(numbers.parked_keys as f64, &[role, &partition]));
        }),
    },
    // tables
    Metric {
        name: "millrace_rows_total",
        kind: Counter,
        unit: "{row}",
        labels: &["role", "operation"],
        help: "Rows that were written (`put`) and deleted (`delete`), acknowledged by the store.",
        advice: "",
        source: Look(|seen, put| {
            for role in seen.roles.iter().filter(|role| !role.role.ends_with(".processor")) {
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
    // the process itself, under the names that Prometheus' own libraries use
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
];

/// What may be in the way of a partition.
const FAULTS: [&str; 9] =
    ["log", "store", "registry", "state", "fenced", "clock", "unreadable", "bug", "panic"];

/// Counts of things whose names are known beforehand. Those that have not happened are told, too:
/// Prometheus sees no rise of a counter that begins with 1.
fn known(role: &str, counts: &BTreeMap<&'static str, u64>, names: &[&str], put: Put<'_>) {
    for name in names {
        put(counts.get(name).copied().unwrap_or(0) as f64, &[role, name]);
    }
}

fn messages(seen: &Seen, is_step: bool, put: Put<'_>) {
    for role in &seen.roles {
        for message in role.counts.messages().iter().filter(|message| message.is_step == is_step) {
            for result in MessageResult::ALL {
                let count = message.of(result);
                if count > 0 {
                    put(count as f64, &[&role.role, message.name, result.name()]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_say_what_prometheus_expects() {
        let mut names = BTreeSet::new();
        for metric in METRICS {
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
        for metric in METRICS {
            let is_recorded = matches!(metric.source, Recorded(_));
            assert_eq!(is_recorded, matches!(metric.kind, Histogram(_)), "{}", metric.name);
            if let Histogram(bounds) = metric.kind {
                assert!(bounds.is_sorted(), "{}", metric.name);
            }
        }
    }
}
