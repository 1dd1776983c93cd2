//! What a bounded context tells the engine about itself.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aggregate::{AggregateId, StateReader};
use crate::avro::Datum;
use crate::bookkeeping::Bookkeeping;
use crate::claims::ClaimRule;
use crate::inline::Text;
use crate::limits::{Limited, TextRule};
use crate::message::{Addressed, Command, Failing, Named, Stamp};
use crate::policy::Policy;
use crate::projection::Projection;
use crate::published::Published;
use crate::rejection::Rejections;
use crate::sample::{Samples, Seed};
use crate::sealed::SealedRule;
use crate::withheld::WithheldRule;

/// What is registered of a domain (`schemas/<d>/registered/`), its tables and topics, and the manual of its settings,
/// compiled in.
#[derive(Clone, Copy, Debug)]
pub struct Schemas {
    /// The schema of the commands.
    pub commands: &'static str,
    /// What the texts of the commands may be, which is not registered.
    pub texts: &'static [TextRule],
    /// Which secrets of the commands are sealed, which is not registered.
    pub sealed: &'static [SealedRule],
    /// Which fields of the commands a token of who sends them says as well, which is not registered.
    pub claims: &'static [ClaimRule],
    /// The command that makes somebody known who signs in, if there is one.
    pub sign_in: Option<&'static str>,
    /// Which fields of messages and states are shown to nobody over HTTP, which is not registered.
    pub withheld: &'static [WithheldRule],
    /// The schema of the steps, in a domain that has some.
    pub steps: Option<&'static str>,
    /// The schema of the events.
    pub events: &'static str,
    /// The schema of the states.
    pub state: &'static str,
    /// The schema of the outcomes.
    pub outcomes: &'static str,
    /// The schema of what is looked up, in a domain where something is.
    pub lookup: Option<&'static str>,
    /// The schema of changes of rows, in a domain with views that can be subscribed to.
    pub changes: Option<&'static str>,
    /// `views.cql`
    pub views: &'static str,
    /// `topics/<d>.toml`
    pub topics: &'static str,
    /// `src/settings.rs`, in a domain that has some.
    pub settings: Option<SettingsDoc>,
}

/// A settings struct as its source describes it: its section of the manual.
#[derive(Clone, Copy, Debug)]
pub struct SettingsDoc {
    /// Its name.
    pub name: &'static str,
    /// Its doc comment, in Markdown.
    pub doc: &'static str,
    /// Its public fields.
    pub fields: &'static [SettingDoc],
}

/// A field of a settings struct.
#[derive(Clone, Copy, Debug)]
pub struct SettingDoc {
    /// Its name.
    pub name: &'static str,
    /// The last part of its type.
    pub kind: &'static str,
    /// Its doc comment, in Markdown.
    pub doc: &'static str,
}

/// The state of any aggregate of a domain, and its form in the state topic.
///
/// Generated from `state.avsc`: one record per kind of aggregate, and the engine's bookkeeping.
pub trait StateData: Sized + Clone + Debug + PartialEq + Send + Sync + 'static {
    /// The record of the state topic.
    type Record: Datum + Serialize + DeserializeOwned + Clone + Debug + PartialEq;

    /// The kinds of aggregates that are marked `"lookup": true`.
    const LOOKUPS: &'static [&'static str];

    /// The record of an aggregate at `version`; without state it holds the version alone.
    fn to_record(
        aggregate_id: &AggregateId,
        version: i64,
        recorded_at: i64,
        revision: i32,
        state: Option<&Self>,
    ) -> Self::Record;

    /// Appends the record that [`StateData::to_record`] gives to `out`, without making it.
    fn write_record(
        aggregate_id: &AggregateId,
        version: i64,
        recorded_at: i64,
        revision: i32,
        state: Option<&Self>,
        out: &mut Vec<u8>,
    );

    /// The parts of a record: aggregate id, version, `recorded_at` and state.
    fn from_record(record: Self::Record) -> (Text, i64, i64, Option<Self>);

    /// The revision of the fold that has made a record: [`Domain::REVISION`].
    fn revision(record: &Self::Record) -> i32;

    /// What the engine remembers, as a state.
    fn from_bookkeeping(bookkeeping: Bookkeeping) -> Self;

    /// What the engine remembers, if this is no aggregate's state.
    fn as_bookkeeping(&self) -> Option<&Bookkeeping>;

    /// A state of every kind of aggregate, in the schema's order.
    fn samples(seed: &mut Seed) -> Vec<Self>;
}

/// A union of a domain's messages, generated from its schema.
pub trait Message:
    Named
    + Addressed
    + Samples
    + Datum
    + Clone
    + Debug
    + PartialEq
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<T> Message for T where
    T: Named
        + Addressed
        + Samples
        + Datum
        + Clone
        + Debug
        + PartialEq
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// What an event sets in motion beyond its own partition.
#[derive(Clone, Debug, PartialEq)]
pub enum FollowUp<S> {
    /// Nothing: the event belongs to no process.
    None,
    /// The process starts or goes on with these steps.
    Steps(Vec<S>),
    /// The process has ended well: its command is accepted.
    Completed,
    /// The process has ended badly: its command is rejected for these reasons.
    Refused(Rejections),
}

/// A bounded context: pure functions over its messages and states.
///
/// All of it is deterministic: no clock, no randomness, no I/O. The same input gives the
/// same answer on every replay.
pub trait Domain: Send + Sync + 'static {
    /// One of the commands in `commands.avsc`.
    type Command: Message + Limited + Failing;
    /// One of the steps in `steps.avsc`; [`NoStep`](crate::NoStep) where there are none.
    type Step: Message;
    /// One of the events in `events.avsc`.
    type Event: Message;
    /// The states of `state.avsc`.
    type State: StateData;

    /// The domain's own settings, `[<domain>]` in `millrace.toml`; every field documented.
    /// [`NoSettings`](crate::NoSettings) where there are none.
    type Settings: Clone + Debug + Default + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The domain's name: prefix of its topics, name of its keyspace.
    const NAME: &'static str;
    /// The domain's schemas, tables and topics.
    const SCHEMAS: Schemas;
    /// The revision of [`Domain::evolve`]: raised when the same events come to give other states. It is written with every
    /// state, so that those of an earlier fold can be told.
    const REVISION: i32 = 0;
    /// Kinds of aggregates that decisions look up in other partitions: those marked so in `state.avsc`.
    const LOOKUPS: &'static [&'static str] = <Self::State as StateData>::LOOKUPS;
    /// Kinds of aggregates of other domains whose existence decisions look up. Those domains must publish them, which is
    /// checked when a build starts.
    const LOOKUPS_ELSEWHERE: &'static [Published] = &[];
    /// Kinds of aggregates whose ids are [pseudonyms](StateReader::pseudonyms). A domain that has one needs a key, and stands
    /// still with another key than the one its claims were made with.
    const PSEUDONYMS: &'static [&'static str] = &[];
    /// Whether, once a command of a key is in the dead topic, later commands of that key wait
    /// there behind it, in order and without an answer, until an operator redrives or skips them.
    /// Then nothing is decided as if the dead one had never been sent; the price is that whoever
    /// may write to the commands topic can stop a key with a record that cannot be read.
    const KEEPS_ORDER_BEHIND_DEAD: bool = false;

    /// Whether a command is refused as `Expired` that was issued before the partition has forgotten which
    /// commands it answered: it may be one of them. For domains that cannot afford to do a thing twice; the
    /// price is that producers must set `issued_at`, and that their clocks must not be far behind.
    const REFUSES_EXPIRED: bool = false;

    /// Decides a command: at least one event, or every rule that was violated. Whoever asks for a decision goes
    /// through [`decide`](crate::decide), which adds the limits of the schema.
    ///
    /// # Errors
    /// All violations, `NotPermitted` first, then by field in the schema's order.
    fn decide(
        states: &impl StateReader<State = Self::State>,
        command: &Command<Self::Command>,
        stamp: Stamp,
    ) -> Result<Vec<Self::Event>, Rejections>;

    /// Decides a step. A step is never refused: what it cannot do is an event, too.
    ///
    /// # Panics
    /// Where the domain has steps and leaves this out: its first step goes to the dead topic.
    fn decide_step(
        _states: &impl StateReader<State = Self::State>,
        step: &Self::Step,
        _stamp: Stamp,
    ) -> Vec<Self::Event> {
        panic!("{} has no decide_step, so nobody decides {}", Self::NAME, step.name())
    }

    /// Folds an event into the state of its aggregate; total, it cannot fail. `recorded_at`
    /// of the event is in microseconds since the epoch.
    fn evolve(state: Option<Self::State>, event: &Self::Event, recorded_at: i64) -> Option<Self::State>;

    /// What an event sets in motion: the domain's processes, as a function of events. Nothing, unless the domain says so.
    fn follow_up(_event: &Self::Event) -> FollowUp<Self::Step> {
        FollowUp::None
    }

    /// Whether an aggregate with this state exists for those who look it up. Only asked for
    /// the kinds in [`Domain::LOOKUPS`].
    fn is_visible(state: Option<&Self::State>) -> bool {
        state.is_some()
    }

    /// Whether `expected_version` 0 ("must not exist") holds for a target in this state.
    fn is_absent(state: Option<&Self::State>) -> bool {
        state.is_none()
    }

    /// What the domain does about the events of others: at most one policy for each other domain.
    fn policies() -> Vec<Policy<Self::Step>> {
        Vec::new()
    }

    /// The view families of the domain; each is a consumer group of its own.
    fn projections(settings: &Self::Settings) -> Vec<Projection<Self::Event>>;
}
