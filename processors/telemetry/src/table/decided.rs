//! What is decided, and how fast.

use millrace_runtime::metrics::{Distribution, MessageResult};

use super::Kind::{Counter, Histogram};
use super::Source::{Look, Recorded};
use super::{Metric, Put, SIZES, TIMES, known};
use crate::seen::Seen;

pub(super) static METRICS: &[Metric] = &[
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
];

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
