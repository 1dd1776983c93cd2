//! A command explained: where it stands, what was decided, every event and step of its process,
//! and the rows that follow.

mod effects;
mod elsewhere;
mod find;
mod walk;

use std::sync::Arc;

use millrace_kernel::{Command, Digest, Domain, FollowUp, Metadata, Named, Outcome, Status, codes};
use millrace_ports::{Log, TopicPartition, ViewStore};
use millrace_runtime::Topology;
use millrace_runtime::dead::headers::Mark;
use millrace_runtime::processor::codecs::Codecs;
use millrace_wire::Registry;
use serde::Serialize;
use serde_json::Value as Json;

pub use self::elsewhere::{Elsewhere, consequences};
use crate::difference::EventPlace;
use crate::fault::AuditFault;
use crate::shelf::Shelf;
use crate::verify::Committed;
use crate::watch::Watcher;

/// What is asked about, and with what.
pub struct Question<'a, D: Domain> {
    /// The topics.
    pub log: &'a dyn Log,
    /// The schemas.
    pub registry: &'a Arc<dyn Registry>,
    /// What the names of topics begin with.
    pub prefix: &'a str,
    /// The domain's settings in force.
    pub settings: &'a D::Settings,
    /// The tables, opened; without them nothing is said of rows and states.
    pub store: Option<&'a dyn ViewStore>,
    /// How far the processors have come.
    pub committed: Committed<'a>,
    /// Look no further back than this, microseconds since the epoch.
    pub since: Option<i64>,
    /// Most rows to show for one event and projection.
    pub most_rows: usize,
    /// How much is held in memory at once, and the scratch store for the rest.
    pub shelf: &'a Shelf<'a>,
    /// Is told how far it has come.
    pub watcher: &'a dyn Watcher,
}

/// A record of the command.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Asked {
    /// Where it stands, or stood before it was moved to the dead topic.
    pub place: EventPlace,
    /// When it arrived, microseconds since the epoch.
    pub at: i64,
    /// Its record key.
    pub key: Option<String>,
    /// The message's name; none when this build does not know it.
    #[serde(rename = "type")]
    pub kind: Option<&'static str>,
    /// Who, when, and on which expectation.
    pub metadata: Metadata,
    /// Its fields.
    pub data: Json,
    /// Of type and data, as in the outcome; none when this build does not know the type.
    pub digest: Option<Digest>,
    /// The producer's trace.
    pub traceparent: Option<String>,
    /// Whether the processors have read past it.
    pub is_decided: bool,
    /// Why it is in the dead topic, and where, if it is.
    pub dead: Option<Dead>,
}

/// Why something is in the dead topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dead {
    /// Where it stands there.
    pub place: EventPlace,
    /// The reason.
    pub reason: String,
    /// What an operator has done with it since, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<Mark>,
}

/// An outcome.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answered {
    /// Where it stands.
    pub place: EventPlace,
    /// What it says.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// A message of the process and what it caused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Act {
    /// The message's name.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whether it is a step, not the command itself.
    pub is_step: bool,
    /// Its id.
    pub id: String,
    /// The record key, which picks the partition.
    pub key: String,
    /// Where it stands; none while the step cannot be found.
    pub place: Option<EventPlace>,
    /// Where its topic begins, if that is why it cannot be found: what was decided long ago is deleted.
    pub trimmed: Option<EventPlace>,
    /// When it was written, microseconds since the epoch.
    pub at: Option<i64>,
    /// Whether the processors have read past it.
    pub is_decided: bool,
    /// Why it is in the dead topic, if it is.
    pub dead: Option<Dead>,
    /// Its events, in order.
    pub events: Vec<Happened>,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Happened {
    /// Its name.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// The aggregate.
    pub aggregate_id: String,
    /// The aggregate's version.
    pub version: i64,
    /// When it was recorded, microseconds since the epoch.
    pub recorded_at: i64,
    /// Where it stands.
    pub place: EventPlace,
    /// Its fields.
    pub data: Json,
    /// The steps it asks for, by name.
    pub asks_for: Vec<&'static str>,
    /// Whether it ends the process.
    pub ends: bool,
    /// The state it leaves; null when the aggregate does not exist, or was not looked at.
    pub state: Json,
    /// The rows that follow, by projection.
    pub rows: Vec<Follows>,
}

/// What follows from an event in one projection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Follows {
    /// `<domain>.<family>`.
    pub projection: String,
    /// Whether the projection says the rows are in the tables.
    pub applied: bool,
    /// The rows it writes and deletes, as many as were asked for.
    pub writes: Vec<RowWrite>,
    /// How many more there are.
    pub more: usize,
}

/// A row that is written or deleted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowWrite {
    /// `put`, `delete`, or `delete_after`: everything behind the key.
    pub action: &'static str,
    /// The table.
    pub table: &'static str,
    /// The key, by column.
    pub key: Json,
    /// The other columns; null for a delete.
    pub values: Json,
    /// Of several writes to a row the one with the greatest stays; microseconds since the epoch.
    pub timestamp: i64,
}

/// Where a command stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Standing {
    /// It has its outcome.
    Answered {
        /// Accepted or rejected.
        status: Status,
        /// From the command's arrival to the outcome, microseconds.
        after_micros: Option<i64>,
    },
    /// Its process has ended, and its outcome is not kept any more.
    Ended,
    /// The processors have not come to it yet.
    Waiting {
        /// How many offsets they are away.
        records: i64,
    },
    /// Its process is open.
    Open {
        /// The step that is awaited, by name.
        step: Option<&'static str>,
        /// Where it stands.
        place: Option<EventPlace>,
        /// Why it does not go on by itself, if it does not.
        dead: Option<Dead>,
    },
    /// It is in the dead topic, or nothing became of it since it was.
    Dead(Dead),
    /// It was decided long ago: its outcome and, if it had any, its process are not kept.
    Forgotten,
    /// It was decided, and nothing shows what became of it.
    Lost,
}

/// All there is to say of a command.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The domain.
    pub domain: &'static str,
    /// The command.
    pub command_id: String,
    /// Where it stands.
    pub standing: Standing,
    /// Its records, oldest first: more than one when it was sent again.
    pub asked: Vec<Asked>,
    /// Its outcomes, oldest first.
    pub outcomes: Vec<Answered>,
    /// How many more records and outcomes there are than are listed, of an id that was sent again and again.
    #[serde(skip_serializing_if = "is_none")]
    pub unlisted: u64,
    /// The command and the steps of its process, with what each caused.
    pub acts: Vec<Act>,
    /// What other domains have done about its events, and others about theirs: told by [`consequences`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Elsewhere>,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What was looked through, when nothing was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Searched {
    /// A topic.
    pub topic: String,
    /// How many of its records were looked at.
    pub records: u64,
    /// The time of the oldest of them, microseconds since the epoch.
    pub back_to: Option<i64>,
}

/// All that the parts share.
struct Scene<'a, D: Domain> {
    question: &'a Question<'a, D>,
    names: Topology,
    codecs: Codecs<D>,
    partitions: i32,
}

impl<D: Domain> Scene<'_, D> {
    fn at(&self, topic: &Arc<str>, partition: i32) -> TopicPartition {
        TopicPartition::new(Arc::clone(topic), partition)
    }

    /// The next offset that the processors read of a partition of commands or steps.
    fn decided(&self, at: &TopicPartition) -> Result<i64, AuditFault> {
        let group = self.names.processor_group();
        let committed = (self.question.committed)(&group, std::slice::from_ref(at))?;
        Ok(committed.get(at).copied().unwrap_or(0))
    }
}

/// Explains a command, or says what was looked through in vain.
///
/// # Errors
/// [`AuditFault`], also for an event that cannot be read.
pub fn explain<D: Domain>(
    question: &Question<'_, D>,
    command_id: &str,
) -> Result<Result<Explanation, Vec<Searched>>, AuditFault> {
    let names = Topology::of::<D>(question.prefix);
    // who asks for topics that are not there must not leave schemas of them
    let partitions = question.log.partitions(&names.commands)?;
    let codecs = Codecs::register(question.registry, &names)?;
    let scene = Scene { question, codecs, partitions, names };
    let found = match scene.find(command_id)? {
        Ok(found) => found,
        Err(searched) => return Ok(Err(searched)),
    };
    let mut acts = scene.walk(command_id, &found)?;
    scene.show_effects(&mut acts)?;
    let standing = scene.standing(&found, &acts)?;
    let asked = found.asked.into_iter().map(|(asked, _)| asked).collect();
    Ok(Ok(Explanation {
        domain: D::NAME,
        command_id: command_id.to_owned(),
        standing,
        asked,
        outcomes: found.outcomes,
        unlisted: found.unlisted,
        acts,
        elsewhere: Vec::new(),
    }))
}

/// A record of a command, and the command, if this build knows its type.
type FoundCommand<C> = (Asked, Option<Command<C>>);

/// What was found of a command, oldest first.
struct Found<C> {
    asked: Vec<FoundCommand<C>>,
    outcomes: Vec<Answered>,
    unlisted: u64,
}

impl<D: Domain> Scene<'_, D> {
    fn standing(&self, found: &Found<D::Command>, acts: &[Act]) -> Result<Standing, AuditFault> {
        let first = |is_wanted: &dyn Fn(&Outcome) -> bool| {
            found.outcomes.iter().find(|answered| is_wanted(&answered.outcome))
        };
        let answered = first(&|outcome| !outcome.duplicate && !is_turned_away(outcome))
            .or_else(|| first(&|outcome| !is_turned_away(outcome)));
        if let Some(Answered { outcome, .. }) = answered {
            let asked_at = found.asked.first().map(|(asked, _)| asked.at);
            let after_micros =
                asked_at.filter(|_| !outcome.duplicate).map(|at| (outcome.recorded_at - at).max(0));
            return Ok(Standing::Answered { status: outcome.status, after_micros });
        }
        if acts.iter().flat_map(|act| &act.events).any(|event| event.ends) {
            return Ok(Standing::Ended);
        }
        // what was put back may have died again: the newest place is where it stands
        let dead: Vec<&Dead> =
            found.asked.iter().rev().filter_map(|(asked, _)| asked.dead.as_ref()).collect();
        if let Some(live) = dead.iter().find(|dead| dead.done.is_none()) {
            return Ok(Standing::Dead((*live).clone()));
        }
        let awaited = acts.iter().find(|act| act.is_step && act.events.is_empty());
        if let Some(act) = awaited {
            let (step, place, dead) = (Some(act.kind), act.place.clone(), act.dead.clone());
            return Ok(Standing::Open { step, place, dead });
        }
        if let Some(first) = first(&|_| true) {
            return Ok(Standing::Answered { status: first.outcome.status, after_micros: None });
        }
        let Some((asked, _)) =
            found.asked.iter().find(|(asked, _)| !asked.is_decided).or(found.asked.first())
        else {
            return Ok(Standing::Forgotten);
        };
        let at = TopicPartition::new(asked.place.topic.as_str(), asked.place.partition);
        if !asked.is_decided {
            let records = asked.place.offset - self.decided(&at)? + 1;
            return Ok(Standing::Waiting { records });
        }
        if let Some(done) = dead.first() {
            return Ok(Standing::Dead((*done).clone()));
        }
        let outcomes = self.at(&self.names.outcomes, asked.place.partition);
        let is_kept = self.question.log.low_watermark(&outcomes)? == 0;
        Ok(if is_kept { Standing::Lost } else { Standing::Forgotten })
    }
}

/// Whether an outcome answers a record that came the wrong way: the same command may have been
/// answered, before or after, where it belongs.
fn is_turned_away(outcome: &Outcome) -> bool {
    outcome.violations.first().is_some_and(|violation| violation.code == codes::MISROUTED)
}

/// The names of the steps an event asks for, and whether it ends its process.
fn sets_in_motion<D: Domain>(event: &D::Event) -> (Vec<D::Step>, bool) {
    match D::follow_up(event) {
        FollowUp::None => (Vec::new(), false),
        FollowUp::Completed | FollowUp::Refused(_) => (Vec::new(), true),
        FollowUp::Steps(steps) => (steps, false),
    }
}

/// The name of a message.
fn name_of<T: Named>(message: &T) -> &'static str {
    message.name()
}
