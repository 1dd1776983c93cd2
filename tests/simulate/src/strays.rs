//! People who write what nobody can read, and others who claim what is not theirs: the line of a key behind a
//! dead command, and all who would like to get ahead in it.
//!
//! Their keys are nobody else's. What is asked for behind the dead command of a key is answered by nobody before an
//! operator has dropped that, whatever headers it has and however often it is sent again; then once, in the order in
//! which it was first sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_kernel::{Command, Metadata, partition};
use millrace_ports::{Clock, TopicPartition};
use millrace_runtime::dead::headers::{self, DeadKind, header};
use millrace_runtime::dead::{Action, DeadError, DeadRecord, DeadTopic, Selection};
use millrace_testkit::log::memory::Plain;
use millrace_testkit::pipeline::Pipeline;

use crate::dice::Dice;
use crate::holds;
use crate::oracle::world::Failure;
use crate::workload::Workload;

/// What all keys and ids of strays begin with.
pub const PREFIX: &str = "stray-";
/// How many keys strays have.
pub const KEYS: usize = 2;
/// Most rounds in which an operator clears the lines.
const ROUNDS: usize = 200;

/// What somebody does whose key waits behind a dead command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stray {
    /// Sends what nobody can read; from then on all of the key waits.
    Junk {
        /// The number of the key.
        key: usize,
    },
    /// Asks for something.
    Ask {
        /// The number of the key.
        key: usize,
    },
    /// Asks for something, and claims a place in the line.
    Forge {
        /// The number of the key.
        key: usize,
        /// What is claimed.
        luck: u64,
    },
    /// Sends again what stands in the commands topic, with its headers.
    Replay {
        /// Which, of all with these keys.
        pick: u64,
    },
    /// An operator puts back all of the key, although nothing is mended.
    Redrive {
        /// The number of the key.
        key: usize,
    },
}

/// A key as its people know it.
#[derive(Default)]
struct Line {
    /// Where its first dead command stands.
    junk: Option<i64>,
    /// The ids that were asked for behind it, in order.
    ids: Vec<String>,
}

/// All keys of a history.
pub struct Strays {
    lines: Vec<Line>,
    asked: usize,
    /// How many times an id was sent again: beyond the window it is decided anew.
    replayed: BTreeMap<String, usize>,
}

impl Default for Strays {
    fn default() -> Self {
        Self { lines: (0..KEYS).map(|_| Line::default()).collect(), asked: 0, replayed: BTreeMap::new() }
    }
}

fn key_of(number: usize) -> String {
    format!("{PREFIX}{number}")
}

/// Whether a record's key is a stray's.
#[must_use]
pub fn is_stray(key: Option<&[u8]>) -> bool {
    key.is_some_and(|key| key.starts_with(PREFIX.as_bytes()))
}

impl Strays {
    /// Does it; what was done, if anything.
    ///
    /// # Errors
    /// The log does not take it.
    pub fn perform<W: Workload>(
        &mut self,
        pipeline: &Pipeline<W::Domain>,
        what: &Stray,
    ) -> Result<Option<String>, Failure> {
        match what {
            Stray::Junk { key } => {
                let offset = append(pipeline, &key_of(*key), Some(Bytes::from_static(b"junk")), Vec::new())?;
                self.lines[*key].junk.get_or_insert(offset);
                Ok(Some(format!("junk of key {} at offset {offset}", key_of(*key))))
            }
            Stray::Ask { key } => self.ask::<W>(pipeline, *key, Vec::new()),
            Stray::Forge { key, luck } => {
                let forged = self.forged(*key, pipeline.partition_count(), &mut Dice::new(*luck));
                self.ask::<W>(pipeline, *key, forged)
            }
            Stray::Replay { pick } => {
                let mut all = pipeline.log.committed_records(&pipeline.names().commands);
                all.retain(|record| is_stray(record.key.as_deref()));
                if all.is_empty() {
                    return Ok(None);
                }
                let record = all.swap_remove((pick % all.len() as u64) as usize);
                let value = record.value.as_deref().unwrap_or_default();
                if let Ok(command) = pipeline.codecs().commands.decode(value) {
                    *self.replayed.entry(command.id.to_string()).or_default() += 1;
                }
                let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
                let offset = append(pipeline, &key, record.value, record.headers)?;
                Ok(Some(format!("the command at {} is sent again, at {offset}", record.offset)))
            }
            Stray::Redrive { key } => {
                let done = operate::<W>(pipeline, &of_key(*key), Action::Redrive);
                Ok(Some(match done {
                    Ok(()) => format!("key {} is put back", key_of(*key)),
                    Err(why) => format!("key {} is not put back: {why}", key_of(*key)),
                }))
            }
        }
    }

    fn ask<W: Workload>(
        &mut self,
        pipeline: &Pipeline<W::Domain>,
        key: usize,
        headers: Vec<(String, Bytes)>,
    ) -> Result<Option<String>, Failure> {
        let name = key_of(key);
        // in a history that was made shorter nobody may have sent junk: then nothing is foretold
        let (Some(data), Some(_)) = (W::stray(&name), self.lines[key].junk) else { return Ok(None) };
        let id = format!("{PREFIX}command-{}", self.asked);
        self.asked += 1;
        let value = pipeline.encode(&Command { id: id.clone().into(), metadata: Metadata::default(), data });
        let said = format!("{id} of key {name} with {} headers", headers.len());
        append(pipeline, &name, Some(value), headers)?;
        self.lines[key].ids.push(id);
        Ok(Some(said))
    }

    /// Headers of somebody who knows how the engine writes them.
    fn forged(&self, key: usize, partitions: i32, dice: &mut Dice) -> Vec<(String, Bytes)> {
        let line = self.lines[key].junk.unwrap_or(0);
        let mut forged = vec![header(headers::LINE, format_args!("{line}/{}", dice.within(1, 6)))];
        if dice.per_mille(700) {
            let number = partition::of_key(key_of(key).as_bytes(), partitions);
            forged.push(header(headers::REDRIVEN, format_args!("{number}/{}", dice.within(0, 8))));
        }
        if dice.per_mille(400) {
            forged.push(header(headers::SKIPPED, "true"));
            let kind = if dice.per_mille(500) { DeadKind::Waiting } else { DeadKind::Unreadable };
            forged.push(header(headers::KIND, kind.as_str()));
        }
        if dice.per_mille(400) {
            forged.push(header(headers::GONE, "true"));
        }
        forged
    }

    /// Judges that nobody got ahead. Before an operator has dropped what is dead, nobody is answered.
    ///
    /// # Errors
    /// What does not hold.
    pub fn judge_waiting<W: Workload>(&self, pipeline: &Pipeline<W::Domain>) -> Result<(), Failure> {
        let asked: BTreeSet<&str> =
            self.lines.iter().flat_map(|line| &line.ids).map(String::as_str).collect();
        let ahead = pipeline.outcomes().into_iter().find(|it| asked.contains(&*it.command_id));
        holds!(ahead.is_none(), "nobody gets ahead in a line", "{ahead:?}");
        Ok(())
    }

    /// An operator drops what nobody can read and puts back the rest, until nothing waits.
    ///
    /// # Errors
    /// It comes to no end.
    pub fn clear<W: Workload>(&self, pipeline: &mut Pipeline<W::Domain>) -> Result<(), Failure> {
        let failed = |why: DeadError| Failure::new("what is dead can be put back", why.to_string());
        for _ in 0..ROUNDS {
            let mut waiting =
                open::<W>(pipeline).and_then(|it| it.list(&Selection::default())).map_err(failed)?;
            waiting.retain(|record| record.done.is_none());
            if waiting.is_empty() {
                return Ok(());
            }
            let mut heads: BTreeMap<Bytes, DeadRecord> = BTreeMap::new();
            waiting.sort_by_key(|record| record.line.map(|place| place.number));
            for record in waiting {
                heads.entry(record.key.clone().unwrap_or_default()).or_insert(record);
            }
            for (key, head) in heads {
                let (partition, offset) = (Some(head.place.partition), Some(head.place.offset));
                if head.kind == DeadKind::Unreadable {
                    let one = Selection { partition, offset, ..Selection::default() };
                    operate::<W>(pipeline, &one, Action::Skip).map_err(failed)?;
                }
                let all = Selection { key: Some(key.to_vec()), ..Selection::default() };
                operate::<W>(pipeline, &all, Action::Redrive).map_err(failed)?;
            }
            holds!(pipeline.comes_to_rest(), "everything comes to rest", "after an operator's redrive");
        }
        Err(Failure::new("a line comes to its end", format!("not after {ROUNDS} rounds")))
    }

    /// Judges that everybody was answered once, in order.
    ///
    /// # Errors
    /// What does not hold.
    pub fn judge_cleared<W: Workload>(&self, pipeline: &Pipeline<W::Domain>) -> Result<(), Failure> {
        for (number, line) in self.lines.iter().enumerate() {
            let asked: BTreeSet<&str> = line.ids.iter().map(String::as_str).collect();
            let mut firsts = pipeline.outcomes();
            firsts.retain(|outcome| !outcome.duplicate && asked.contains(&*outcome.command_id));
            let mut answers: BTreeMap<&str, usize> = BTreeMap::new();
            let mut answered: Vec<&str> = Vec::new();
            for outcome in &firsts {
                let count = answers.entry(&outcome.command_id).or_default();
                *count += 1;
                let most = 1 + self.replayed.get(&*outcome.command_id).copied().unwrap_or(0);
                holds!(*count <= most, "no command is answered twice", "{outcome:?}, sent {most} times");
                if *count == 1 {
                    answered.push(&outcome.command_id);
                }
            }
            let expected: Vec<&str> = line.ids.iter().map(String::as_str).collect();
            holds!(
                answered == expected,
                "a line is answered in its order",
                "key {}: {answered:?}, asked in the order {expected:?}",
                key_of(number)
            );
        }
        Ok(())
    }
}

fn of_key(number: usize) -> Selection {
    Selection { key: Some(key_of(number).into_bytes()), ..Selection::default() }
}

fn open<W: Workload>(pipeline: &Pipeline<W::Domain>) -> Result<DeadTopic<W::Domain>, DeadError> {
    let topic = DeadTopic::open(Arc::new(pipeline.log.clone()), pipeline.registry(), "")?;
    // in one thread with the pipeline nothing happens while this waits
    Ok(topic.with_patience(Duration::ZERO))
}

fn operate<W: Workload>(
    pipeline: &Pipeline<W::Domain>,
    selection: &Selection,
    action: Action,
) -> Result<(), DeadError> {
    open::<W>(pipeline)?.act(selection, action, &*pipeline.clock, &mut |_| {}).map(drop)
}

fn append<D: millrace_kernel::Domain>(
    pipeline: &Pipeline<D>,
    key: &str,
    value: Option<Bytes>,
    headers: Vec<(String, Bytes)>,
) -> Result<i64, Failure> {
    let number = partition::of_key(key.as_bytes(), pipeline.partition_count());
    let at = TopicPartition::new(Arc::clone(&pipeline.names().commands), number);
    let timestamp_ms = pipeline.clock.now_micros() / 1_000;
    let record = Plain { key: Some(Bytes::from(key.to_owned())), value, timestamp_ms, headers };
    let appended = pipeline.log.append(&at, record);
    appended.map_err(|why| Failure::new("commands can be sent", why.to_string()))
}
