//! What is restored, and what is kept.

use super::Kind::Gauge;
use super::Metric;
use super::Source::Look;

pub(super) static METRICS: &[Metric] = &[
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
        advice: "`millrace dead keys` names them, `millrace dead redrive DOMAIN --key KEY` lets them go on.",
        source: Look(|seen, put| {
            seen.processing()
                .for_each(|(role, partition, numbers)| put(numbers.parked_keys as f64, &[role, &partition]));
        }),
    },
];
