//! One message decided: a pure function from what the partition knows to what follows.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use millrace_kernel::bookkeeping::Bookkeeping;
use millrace_kernel::{
    Addressed, AggregateId, Command, Domain, Event, Metadata, Outcome, Published, Stamp, StateData,
    StateReader, Status, Step, Text, Violation, codes, partition,
};
use millrace_ports::Record;
use millrace_wire::Unknown;

use super::intake::{Gap, Intake};
use super::line::PutBack;
use super::lookup::{LookupPartition, LookupTables};
use super::metadata;
use super::pseudonyms::Pseudonyms;
use super::state::{Layers, Versioned};
use crate::dead::Burial;
use crate::dead::headers::DeadKind;
use crate::planted::{self, Bug};
use crate::settings::ProcessorSettings;
use crate::topology::Topology;

/// Longest message of a violation, in bytes.
const MAX_MESSAGE_LENGTH: usize = 1_024;

/// The partition in which everything here happens, and the time.
pub struct Place<'a> {
    /// Names of the domain's topics.
    pub names: &'a Topology,
    /// The partition.
    pub partition: i32,
    /// How many partitions the domain has.
    pub partitions: i32,
    /// The clock, microseconds since the epoch.
    pub clock_micros: i64,
    /// What an operator has set.
    pub settings: &'a ProcessorSettings,
    /// What every step says of the keys of pseudonyms, in a domain that has some.
    pub says_keys: Option<&'a (String, Bytes)>,
}

/// All that follows from one message, as values.
pub struct Decided<D: Domain> {
    /// What happened, in order.
    pub events: Vec<Event<D::Event>>,
    /// What is asked of other partitions.
    pub steps: Vec<Step<D::Step>>,
    /// The command's answer; several when it was sent several times while its process ran.
    pub outcomes: Vec<Answer>,
    /// New versions of aggregates; version 0 without state means: forget it.
    pub changes: Vec<(AggregateId, Versioned<D::State>)>,
    /// Why the record belongs into the dead topic, if it does.
    pub dead: Option<Burial>,
    /// The partition's newest `recorded_at` after this message.
    pub last_recorded_at: i64,
    /// When the command says that it was issued, microseconds since the epoch.
    pub issued_at: Option<i64>,
}

/// An answer to be written.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The command's first answer.
    First(Outcome),
    /// An answer to a record that came the wrong way. It is not remembered: the same command may
    /// have been, or still be, answered where it belongs.
    Unremembered(Outcome),
    /// The first answer again.
    Again(Outcome),
    /// The encoded first answer, to be marked as a repetition.
    Repeat(bytes::Bytes),
}

impl<D: Domain> Decided<D> {
    pub(super) fn nothing(last_recorded_at: i64) -> Self {
        Self {
            events: Vec::new(),
            steps: Vec::new(),
            outcomes: Vec::new(),
            changes: Vec::new(),
            dead: None,
            last_recorded_at,
            issued_at: None,
        }
    }
}

/// What a decision sees, and which lookups it missed.
pub(super) struct DecisionView<'a, S> {
    layers: &'a Layers<'a, S>,
    lookups: &'a LookupTables,
    domain: &'static str,
    pseudonyms: &'a Pseudonyms,
    routing_key: &'a str,
    missed: RefCell<Vec<LookupPartition>>,
}

impl<S> StateReader for DecisionView<'_, S> {
    type State = S;

    fn get(&self, id: &AggregateId) -> Option<Arc<S>> {
        assert!(
            id.routing_key() == self.routing_key,
            "{id} was read by a decision of routing key {}: its answer would depend on the number of partitions",
            self.routing_key
        );
        self.layers.get(id).state
    }

    fn exists(&self, id: &AggregateId) -> bool {
        self.looked_up(self.domain, id)
    }

    fn exists_elsewhere(&self, of: Published, parts: &[&str]) -> bool {
        self.looked_up(of.domain, &AggregateId::new(of.kind, parts))
    }

    fn pseudonyms(&self, kind: &str, text: &str) -> Vec<Text> {
        self.pseudonyms.names(self.domain, kind, text)
    }
}

impl<S> DecisionView<'_, S> {
    fn looked_up(&self, domain: &str, id: &AggregateId) -> bool {
        let (exists, at) = self.lookups.exists(domain, id);
        if !exists {
            self.missed.borrow_mut().push(at);
        }
        exists
    }
}

/// A decision that failed: a bug in the domain, the same every time.
pub(crate) struct Failed(pub(crate) String);

/// Decides messages of one partition against its layers of state.
pub struct Decider<'a, D: Domain> {
    /// Where and when.
    pub place: &'a Place<'a>,
    /// What is known.
    pub layers: &'a Layers<'a, D::State>,
    /// What is known of other partitions.
    pub lookups: &'a LookupTables,
    /// The names of what must stand in no key.
    pub pseudonyms: &'a Pseudonyms,
    /// Whether a miss in this partition of a lookup table is final for the message.
    pub is_covered: &'a dyn Fn(LookupPartition) -> bool,
    /// Why what would follow from the message cannot be written, once that was seen: then its decision fails.
    pub unwritable: Option<&'a str>,
    /// What the message was put back as, if it was.
    pub put_back: Option<&'a PutBack>,
}

/// A decision, or the lookups that must catch up before it can be made.
pub enum Verdict<D: Domain> {
    /// What follows.
    Decided(Box<Decided<D>>),
    /// These misses are not final yet.
    Behind(Vec<LookupPartition>),
}

impl<D: Domain> Decider<'_, D> {
    /// Decides what came with `record`.
    #[must_use]
    pub fn take(&self, intake: &Intake<D>, record: &Record) -> Verdict<D> {
        if record.topic == self.place.names.steps {
            return self.take_step(intake, record);
        }
        let (id, routing_key) = match intake {
            Intake::Gap(gap) => return self.bury_gap(gap, record),
            Intake::Command(command, _) => (Some(command.id.as_str()), Some(command.data.routing_key())),
            Intake::Unknown(unknown) => (Some(unknown.id.as_str()), None),
            Intake::Step(_) | Intake::NotYet { .. } | Intake::Dead(_) => (None, None),
        };
        let misrouted = id.and_then(|_| self.misrouted(record, routing_key.as_deref()));
        if self.put_back.is_some_and(|put_back| put_back.is_skipped) {
            return self.named(self.skip(id, record), intake);
        }
        let mut verdict = match (id, misrouted) {
            (Some(id), Some(violation)) => self.turn_away(id, violation),
            (id, _) => {
                let routing_key = routing_key.as_deref().unwrap_or_default();
                self.in_line(id, intake.metadata(), record, || self.decide(intake, routing_key, record))
            }
        };
        if let (Verdict::Decided(decided), Some(metadata)) = (&mut verdict, intake.metadata()) {
            decided.issued_at = metadata.issued_at;
        }
        self.named(verdict, intake)
    }

    fn decide(&self, intake: &Intake<D>, routing_key: &str, record: &Record) -> Verdict<D> {
        match intake {
            Intake::Command(command, target) => self
                .known_before(&command.id, Some(&command.metadata), record)
                .unwrap_or_else(|| self.command(command, target, routing_key, record)),
            Intake::Unknown(unknown) => self
                .known_before(&unknown.id, Some(&unknown.metadata), record)
                .unwrap_or_else(|| self.unknown(unknown, record)),
            Intake::Dead(reason) | Intake::NotYet { why: reason, .. } => {
                self.bury(DeadKind::Unreadable, with_schema_header(record, reason))
            }
            Intake::Gap(gap) => self.bury_gap(gap, record),
            Intake::Step(_) => self.bury(DeadKind::Unreadable, "a step among the commands".to_owned()),
        }
    }

    fn command(
        &self,
        command: &Command<D::Command>,
        target: &AggregateId,
        routing_key: &str,
        record: &Record,
    ) -> Verdict<D> {
        let before = self.layers.get(target);
        if let Some(expected) = command.metadata.expected_version {
            let is_met =
                expected == before.version || (expected == 0 && D::is_absent(before.state.as_deref()));
            if !is_met {
                // this comes before anybody asks who may, so it tells no user how often something has changed
                let message = match command.metadata.user_id {
                    None => format!("{target} has version {}, not {expected}", before.version),
                    Some(_) => {
                        format!(
                            "{target} does not have version {expected}; look at it again before you change it"
                        )
                    }
                };
                let conflict = Violation::on(codes::VERSION_CONFLICT, "metadata.expected_version", message);
                return self.reject(&command.id, vec![conflict]);
            }
        }
        let stamp = Stamp { now: command.metadata.issued_at.unwrap_or(record.timestamp_ms * 1_000) };
        let metadata_violations = self.metadata_violations(&command.metadata, record);
        let view = self.view(routing_key);
        let decision =
            self.writable().and_then(|()| guarded(|| millrace_kernel::decide::<D>(&view, command, stamp)));
        if let Some(behind) = self.behind(view) {
            return behind;
        }
        match decision {
            Err(Failed(why)) => self.poisoned(&command.id, &why),
            Ok(Err(rejections)) => {
                self.reject(&command.id, metadata::merged(rejections, metadata_violations))
            }
            Ok(Ok(_)) if !metadata_violations.is_empty() => self.reject(&command.id, metadata_violations),
            Ok(Ok(events)) => self.accept(command, routing_key, events, record),
        }
    }

    /// Answers a command whose type is not known here.
    fn unknown(&self, unknown: &Unknown, record: &Record) -> Verdict<D> {
        let message = format!("this processor does not know the message type: {}", unknown.reason);
        let mut violations = self.metadata_violations(&unknown.metadata, record);
        violations.push(Violation::on(codes::INVALID_ARGUMENT, "data", message));
        self.reject(&unknown.id, violations)
    }

    pub(super) fn writable(&self) -> Result<(), Failed> {
        self.unwritable.map_or(Ok(()), |why| Err(Failed(why.to_owned())))
    }

    pub(super) fn view<'v>(&'v self, routing_key: &'v str) -> DecisionView<'v, D::State> {
        DecisionView {
            layers: self.layers,
            lookups: self.lookups,
            domain: D::NAME,
            pseudonyms: self.pseudonyms,
            routing_key,
            missed: RefCell::default(),
        }
    }

    pub(super) fn behind(&self, view: DecisionView<'_, D::State>) -> Option<Verdict<D>> {
        let missed: Vec<_> =
            view.missed.into_inner().into_iter().filter(|at| !(self.is_covered)(*at)).collect();
        (!missed.is_empty()).then_some(Verdict::Behind(missed))
    }

    pub(super) fn misrouted(&self, record: &Record, routing_key: Option<&str>) -> Option<Violation> {
        let key = record.key.as_deref();
        let hint = "the record's key is the routing key, and its partition is murmur2 of the key, masked to 31 bits, \
                    modulo the number of partitions; docs/producers.md says how each client is told so";
        let message = match (key, routing_key) {
            (None, Some(_) | None) => format!("the record has no key; {hint}"),
            (Some(key), Some(routing_key)) if key != routing_key.as_bytes() => {
                format!("the record's key is not the command's routing key; {hint}")
            }
            (Some(key), _) if partition::of_key(key, self.place.partitions) != self.place.partition => {
                format!(
                    "the record's key belongs to partition {}, but it came in {}; {hint}",
                    partition::of_key(key, self.place.partitions),
                    self.place.partition
                )
            }
            _ => return None,
        };
        Some(Violation::of(codes::MISROUTED, message))
    }

    fn metadata_violations(&self, metadata: &Metadata, record: &Record) -> Vec<Violation> {
        metadata::violations(metadata, record.timestamp_ms, self.place.settings)
    }

    /// The next `recorded_at`: never before the clock, the partition's last or the cause.
    pub(super) fn tick(&self, last: &mut i64, cause: i64) -> i64 {
        *last = if planted::is_on(Bug::TimestampsNotMonotone) {
            self.place.clock_micros
        } else {
            self.place.clock_micros.max(*last + 1).max(cause + 1)
        };
        *last
    }

    pub(super) fn reject(&self, command_id: &str, violations: Vec<Violation>) -> Verdict<D> {
        self.refuse(command_id, violations, Answer::First)
    }

    fn turn_away(&self, command_id: &str, misrouted: Violation) -> Verdict<D> {
        self.refuse(command_id, vec![misrouted], Answer::Unremembered)
    }

    fn refuse(
        &self,
        command_id: &str,
        mut violations: Vec<Violation>,
        answer: impl FnOnce(Outcome) -> Answer,
    ) -> Verdict<D> {
        for violation in &mut violations {
            shorten(&mut violation.message);
        }
        let mut decided = Decided::nothing(self.layers.last_recorded_at());
        let recorded_at = self.tick(&mut decided.last_recorded_at, 0);
        decided.outcomes.push(answer(Outcome {
            command_id: command_id.into(),
            status: Status::Rejected,
            duplicate: false,
            positions: Vec::new(),
            versions: Vec::new(),
            violations,
            recorded_at,
            command_type: None,
            failure: None,
            digest: None,
        }));
        Verdict::Decided(Box::new(decided))
    }

    /// Answers nothing: the record is for the dead topic.
    pub(super) fn bury(&self, kind: DeadKind, reason: String) -> Verdict<D> {
        let mut decided = Decided::nothing(self.layers.last_recorded_at());
        decided.dead = Some(Burial { kind, reason, line: None, first: None });
        Verdict::Decided(Box::new(decided))
    }

    /// A batch of which nothing is known but where it stood. `record` stands for its last.
    fn bury_gap(&self, gap: &Gap, record: &Record) -> Verdict<D> {
        let (first, last) = (gap.first, record.offset);
        let reason = format!(
            "offsets {first} to {last} were passed over, and their commands are lost to this system: their batch \
             cannot be decompressed ({}); let their producer send them again, in batches that every client can read",
            gap.why
        );
        let mut decided = Decided::nothing(self.layers.last_recorded_at());
        decided.dead = Some(Burial { kind: DeadKind::Batch, reason, line: None, first: Some(first) });
        Verdict::Decided(Box::new(decided))
    }

    pub(super) fn poisoned(&self, command_id: &str, why: &str) -> Verdict<D> {
        let message = format!(
            "the decision fails every time ({why}); the command is in the dead topic; send it again under a new id once this is mended"
        );
        let mut verdict = self.reject(command_id, vec![Violation::of(codes::POISONED, message)]);
        if let Verdict::Decided(decided) = &mut verdict {
            let reason = format!("the decision fails every time: {why}");
            decided.dead = Some(Burial { kind: DeadKind::Poisoned, reason, line: None, first: None });
        }
        verdict
    }
}

/// What the engine remembers, as it stands among the states.
pub(super) fn kept<D: Domain>(bookkeeping: Bookkeeping, recorded_at: i64) -> Versioned<D::State> {
    let state = Some(Arc::new(D::State::from_bookkeeping(bookkeeping)));
    Versioned { version: 1, recorded_at, state }
}

/// Cuts a message that quotes too much of its command: an outcome must fit where the command did.
pub(super) fn shorten(message: &mut String) {
    if message.len() > MAX_MESSAGE_LENGTH {
        let end = (0..=MAX_MESSAGE_LENGTH).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
}

/// Runs a domain's function; a panic in it is a failed decision, not the end of the process.
pub(crate) fn guarded<T>(decision: impl FnOnce() -> T) -> Result<T, Failed> {
    catch_unwind(AssertUnwindSafe(decision)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        Failed(
            text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned()),
        )
    })
}

/// Where Confluent's newer serializers put a schema's id when they are told to.
const SCHEMA_ID_HEADER: &str = "__value_schema_id";

/// Why a message cannot be read, with what its producer can do about it where the id of its schema is somewhere else.
fn with_schema_header(record: &Record, reason: &str) -> String {
    if !record.headers.iter().any(|(name, _)| name == SCHEMA_ID_HEADER) {
        return reason.to_owned();
    }
    format!(
        "{reason}. The id of its schema is in the header {SCHEMA_ID_HEADER}, where it is not read: have the producer \
         put it before the value (PrefixSchemaIdSerializer, not HeaderSchemaIdSerializer)"
    )
}
