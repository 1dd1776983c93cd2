//! Events whose rows are written in turns, as they are kept on disk: whoever begins again goes on where they are.

use millrace_kernel::{Delete, FanOut, Put, Stage, Value, Write};
use serde::{Deserialize, Serialize};

use super::turns::Parked;
use crate::progress::Cause;

/// A parked event, with the rows that are not written yet.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    line: u64,
    cause: Cause,
    recorded_at: i64,
    stages: Vec<StoredStage>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredStage {
    writes: Vec<StoredWrite>,
    fan_outs: Vec<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredWrite {
    table: String,
    /// The values of a row, or the key of what is deleted.
    values: Vec<Value>,
    timestamp: i64,
    deletes: Option<Deletes>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Deletes {
    Row,
    Range,
}

impl Stored {
    pub(super) fn of(line: u64, recorded_at: i64, parked: &Parked) -> Self {
        let stages = parked.stages.iter().map(|stage| StoredStage {
            writes: stage.writes.iter().map(StoredWrite::of).collect(),
            fan_outs: stage.fan_outs.iter().map(|fan_out| fan_out.0).collect(),
        });
        Self { line, cause: parked.cause, recorded_at, stages: stages.collect() }
    }

    /// Line, time and event again; nothing when it writes a table that is not among `views`.
    pub(super) fn restore(self, offset: i64, views: &[&'static str]) -> Option<(u64, i64, Parked)> {
        let stage = |stage: StoredStage| {
            let writes: Option<Vec<Write>> =
                stage.writes.into_iter().map(|write| write.restore(views)).collect();
            Some(Stage { writes: writes?, fan_outs: stage.fan_outs.into_iter().map(FanOut).collect() })
        };
        let stages = self.stages.into_iter().map(stage).collect::<Option<_>>()?;
        Some((self.line, self.recorded_at, Parked { offset, cause: self.cause, stages, is_kept: true }))
    }

    /// The fan-outs that are under way.
    pub(super) fn fan_outs(&self) -> impl Iterator<Item = FanOut> {
        self.stages.iter().flat_map(|stage| &stage.fan_outs).map(|number| FanOut(*number))
    }
}

impl StoredWrite {
    fn of(write: &Write) -> Self {
        let table = write.table().to_owned();
        match write {
            Write::Put(put) => {
                Self { table, values: put.values.clone(), timestamp: put.timestamp, deletes: None }
            }
            Write::Delete(delete) => Self {
                table,
                values: delete.key.clone(),
                timestamp: delete.timestamp,
                deletes: Some(if delete.range { Deletes::Range } else { Deletes::Row }),
            },
        }
    }

    fn restore(self, views: &[&'static str]) -> Option<Write> {
        let table = views.iter().find(|view| **view == self.table)?;
        let (values, timestamp) = (self.values, self.timestamp);
        Some(match self.deletes {
            None => Write::Put(Put { table, values, timestamp }),
            Some(deletes) => {
                let range = matches!(deletes, Deletes::Range);
                Write::Delete(Delete { table, key: values, range, timestamp })
            }
        })
    }
}
