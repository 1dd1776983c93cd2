//! Dead records put back where they came from, or dropped for good: each exactly once.
//!
//! What is put back and the note in the dead topic that it was are one transaction. Before it looks
//! what is still to be done, an operator's tool fences off whoever is at work on the same partition,
//! so neither a crash in the middle nor two operators at once put a record back twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_kernel::id::redriven_id;
use millrace_kernel::{Command, Domain};
use millrace_ports::{Clock, LogFault, Outgoing, Record, Transaction, TransactionalWriter};
use millrace_wire::DecodeFailure;

use super::headers::{self, DeadKind, LinePlace, Mark, header};
use super::topic::{DeadError, DeadRecord, DeadTopic, Place, Selection, Values, in_order, waiting};

/// Most records in one transaction.
const BATCH_RECORDS: usize = 500;
/// About how many bytes of values stand in one transaction.
const BATCH_BYTES: usize = 4_000_000;
/// How long a transaction may take.
const COMMIT_WAIT: Duration = Duration::from_secs(30);

/// What is done with the records that are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// They are put back.
    Redrive,
    /// They are dropped. What waits behind them goes on once it is put back.
    Skip,
}

/// What would be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The records that are put back or dropped, in order.
    pub moved: Vec<Moved>,
    /// Those that are meant and stay where they are.
    pub passed_over: Vec<PassedOver>,
}

/// A record that stays where it is, as nobody could put it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// The dead record.
    pub record: DeadRecord,
    /// Why, and what can be done.
    pub why: String,
}

/// What was done with a record, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The dead record.
    pub record: DeadRecord,
    /// The topic it was put back to; `None` when only a note was written.
    pub to: Option<String>,
    /// The id under which the message comes back, if it has one.
    pub id: Option<String>,
}

impl<D: Domain> DeadTopic<D> {
    /// What [`DeadTopic::act`] would do now.
    ///
    /// # Errors
    /// [`DeadError`].
    pub fn plan(&self, selection: &Selection, action: Action) -> Result<Plan, DeadError> {
        let order = in_order(&waiting(self.read(0..self.partitions)?), selection)?;
        self.planned_all(order, action)
    }

    /// What cannot be put back is passed over, and what waits behind it in its line as well.
    fn planned_all(&self, order: Vec<DeadRecord>, action: Action) -> Result<Plan, DeadError> {
        let mut plan = Plan::default();
        let mut stuck: BTreeMap<(i32, i64), Place> = BTreeMap::new();
        for record in order {
            let line = record.line.map(|place| (record.place.partition, place.line));
            let before = line.and_then(|line| stuck.get(&line)).copied();
            let planned = match before {
                Some(before) => Err(format!("it waits behind {before}, which cannot be put back")),
                None => self.planned(&record, action)?,
            };
            match planned {
                Ok(moved) => plan.moved.push(moved),
                Err(why) => {
                    stuck.extend(line.map(|line| (line, before.unwrap_or(record.place))));
                    plan.passed_over.push(PassedOver { record, why });
                }
            }
        }
        Ok(plan)
    }

    /// Puts back or drops what is meant and not done yet, in order; tells what it has done, batch
    /// by batch. Nothing is done twice, whatever happens, and whoever else is at it. What cannot be put back is
    /// passed over, and given back in the end.
    ///
    /// # Errors
    /// [`DeadError`]; what was told is done. [`LogFault::Fenced`] when somebody else is at work on
    /// the same records.
    pub fn act(
        &self,
        selection: &Selection,
        action: Action,
        clock: &dyn Clock,
        tell: &mut dyn FnMut(&[Moved]),
    ) -> Result<Vec<PassedOver>, DeadError> {
        let plan = self.plan(selection, action)?;
        let partitions: BTreeSet<i32> = plan.moved.iter().map(|moved| moved.record.place.partition).collect();
        let is_at_work = |passed: &PassedOver| partitions.contains(&passed.record.place.partition);
        let mut passed_over = plan.passed_over;
        passed_over.retain(|passed| !is_at_work(passed));
        for partition in partitions {
            let mut writer = self.log.writer(&self.names.dead_transactional_id(partition))?;
            writer.fence()?;
            // only now nobody else can add to what is done
            let all = self.read(partition..partition + 1)?;
            let heads = heads(&all);
            let firsts = firsts(&all);
            let order = in_order(&waiting(all), selection)?;
            let mut values = Values::open(self, partition)?;
            let mut batch = Batch::default();
            let plan = self.planned_all(order, action)?;
            passed_over.extend(plan.passed_over);
            for moved in plan.moved {
                let Some(source) = values.at(moved.record.place.offset)? else { continue };
                let head = moved.record.line.and_then(|place| heads.get(&place.line).copied());
                batch.is_head_gone =
                    moved.record.line.is_some_and(|it| it.number > 1 && head == Some(it.number));
                let id = moved.record.id.as_ref();
                let is_first = id.and_then(|id| firsts.get(id)).is_none_or(|it| *it == moved.record.line);
                self.add(&mut batch, moved, &source, is_first, action, clock.now_micros())?;
                if batch.moved.len() >= BATCH_RECORDS || batch.bytes >= BATCH_BYTES {
                    tell(&std::mem::take(&mut batch).commit(&mut *writer)?);
                }
            }
            if !batch.moved.is_empty() {
                tell(&batch.commit(&mut *writer)?);
            }
        }
        Ok(passed_over)
    }

    /// What becomes of one record, or why nothing.
    fn planned(&self, record: &DeadRecord, action: Action) -> Result<Result<Moved, String>, DeadError> {
        let at = record.place;
        let refused = |why: String| Ok(Err(why));
        let is_known =
            [&self.names.commands, &self.names.steps].into_iter().any(|name| **name == *record.topic);
        if action == Action::Skip {
            // nothing waits for a record that has no line and is no step
            let waits = record.line.is_some() || record.kind == DeadKind::Step;
            let to = (waits && is_known).then(|| record.topic.clone());
            return Ok(Ok(Moved { to, id: record.id.clone(), record: record.clone() }));
        }
        if !is_known {
            return refused(format!("it came from {:?}, which is no input of this domain", record.topic));
        }
        if record.kind == DeadKind::Batch {
            return refused(
                "nothing of its records was kept, as they could not be decompressed; let their producer send them again, \
                 and drop it with `millrace dead skip`"
                    .to_owned(),
            );
        }
        if let Some(length) = record.cut {
            return refused(format!(
                "it is not whole, only a part of its {length} bytes was kept; drop it with `millrace dead skip`"
            ));
        }
        let mut id = record.id.clone();
        if record.kind == DeadKind::Poisoned {
            let (Some(first), Some(_)) = (&record.id, &record.message_type) else {
                return refused("this build cannot read the command to give it a new id".to_owned());
            };
            id = Some(redriven_id(first, at.partition, at.offset).to_string());
        }
        Ok(Ok(Moved { to: Some(record.topic.clone()), id, record: record.clone() }))
    }

    fn add(
        &self,
        batch: &mut Batch,
        moved: Moved,
        source: &Record,
        is_first: bool,
        action: Action,
        now_micros: i64,
    ) -> Result<(), DeadError> {
        let now_ms = now_micros / 1_000;
        let DeadRecord { place, kind, line, source_offset, .. } = moved.record;
        let mut put_back = None;
        if let Some(topic) = &moved.to {
            let mut all = headers::foreign(&source.headers);
            all.push(header(headers::REDRIVEN, format_args!("{}/{}", place.partition, place.offset)));
            all.extend(line.map(|place| header(headers::LINE, place)));
            if batch.is_head_gone {
                all.push(header(headers::GONE, "true"));
            }
            if kind == DeadKind::Step {
                all.push(header(headers::ORIGIN, source_offset));
            }
            let mut value = source.value.clone();
            match action {
                Action::Skip => {
                    all.push(header(headers::KIND, kind.as_str()));
                    all.push(header(headers::SKIPPED, "true"));
                }
                Action::Redrive if kind == DeadKind::Poisoned => {
                    let id = moved.id.as_deref().unwrap_or_default();
                    value = Some(self.renamed(place, source, id, now_micros)?);
                }
                Action::Redrive if kind == DeadKind::Waiting && is_first => {
                    value = self.issued_anew(source, now_micros)?.or(value);
                }
                Action::Redrive => {}
            }
            batch.bytes += value.as_ref().map_or(0, Bytes::len);
            put_back = Some(headers::digest(value.as_deref()));
            batch.transaction.records.push(Outgoing {
                topic: topic.as_str().into(),
                partition: place.partition,
                key: source.key.clone(),
                value,
                timestamp_ms: now_ms,
                headers: all,
            });
        }
        let mark = if action == Action::Skip { Mark::Skipped } else { Mark::Redriven };
        let mut note = vec![header(headers::MARK, mark.as_str()), header(headers::MARKED, place.offset)];
        note.push(header(headers::KIND, kind.as_str()));
        note.extend(put_back.map(|digest| header(headers::DIGEST, digest)));
        batch.transaction.records.push(Outgoing {
            topic: Arc::clone(&self.names.dead),
            partition: place.partition,
            key: source.key.clone(),
            value: None,
            timestamp_ms: now_ms,
            headers: note,
        });
        batch.moved.push(moved);
        Ok(())
    }

    /// A command that was never answered, as issued now: it must not be refused for the time that it has
    /// waited. `None` where nothing is refused for that, or the command cannot be read.
    ///
    /// To be asked only of what waited behind another: whether it was answered before was looked at when it came. Of what
    /// could not be read nobody knows that, so it keeps its time, and is refused where it may have been.
    ///
    /// To be asked only of the first that waits of its id: another is a repeat, and would be taken again if
    /// its answer were forgotten before it is put back.
    fn issued_anew(&self, source: &Record, now_micros: i64) -> Result<Option<Bytes>, DeadError> {
        if !D::REFUSES_EXPIRED {
            return Ok(None);
        }
        let mut command = match self.commands()?.decode(source.value.as_deref().unwrap_or_default()) {
            Ok(command) if command.metadata.issued_at.is_some() => command,
            Err(DecodeFailure::Registry(fault)) => return Err(fault.into()),
            Ok(_) | Err(_) => return Ok(None),
        };
        command.metadata.issued_at = Some(now_micros);
        Ok(Some(self.commands()?.encode(&command)))
    }

    /// The command under its new id, as issued now: the old one was answered with `Poisoned`.
    fn renamed(&self, at: Place, source: &Record, id: &str, now_micros: i64) -> Result<Bytes, DeadError> {
        let command = match self.commands()?.decode(source.value.as_deref().unwrap_or_default()) {
            Ok(command) => command,
            Err(DecodeFailure::Registry(fault)) => return Err(fault.into()),
            Err(why) => return Err(DeadError::NotRedrivable { at, why: why.to_string() }),
        };
        let mut metadata = command.metadata;
        metadata.causation_id.get_or_insert(command.id);
        metadata.issued_at = Some(now_micros);
        Ok(self.commands()?.encode(&Command { id: id.into(), metadata, data: command.data }))
    }
}

/// Records on their way, and the notes about them.
#[derive(Default)]
struct Batch {
    transaction: Transaction,
    moved: Vec<Moved>,
    bytes: usize,
    /// Whether all before the record at hand has gone from its line.
    is_head_gone: bool,
}

/// Of every message id in a partition the place in its line at which it came first.
fn firsts(records: &[DeadRecord]) -> BTreeMap<String, Option<LinePlace>> {
    let mut firsts = BTreeMap::new();
    for record in records {
        if let Some(id) = &record.id {
            firsts.entry(id.clone()).or_insert(record.line);
        }
    }
    firsts
}

/// The smallest number of every line of a partition that the dead topic still holds.
fn heads(records: &[DeadRecord]) -> BTreeMap<i64, i64> {
    let mut heads = BTreeMap::new();
    for place in records.iter().filter_map(|record| record.line) {
        let head = heads.entry(place.line).or_insert(place.number);
        *head = place.number.min(*head);
    }
    heads
}

impl Batch {
    fn commit(self, writer: &mut dyn TransactionalWriter) -> Result<Vec<Moved>, LogFault> {
        writer.submit(self.transaction)?;
        let until = Instant::now() + COMMIT_WAIT;
        while !writer.settle(Duration::from_millis(100))? {
            if Instant::now() > until {
                let message = "no answer; `millrace dead list` tells what was done".to_owned();
                return Err(LogFault::Unavailable { step: "commit", message });
            }
        }
        Ok(self.moved)
    }
}
