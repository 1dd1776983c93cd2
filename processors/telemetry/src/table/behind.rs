//! How far behind everything is.

use super::Kind::Gauge;
use super::Source::Look;
use super::{Metric, truth};

pub(super) static METRICS: &[Metric] = &[
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
];
