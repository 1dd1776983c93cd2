//! Every message and state of a domain, through its schema and back: one call for a domain.

use std::collections::BTreeSet;
use std::fmt::Debug;

use apache_avro::types::Value as Avro;
use millrace_kernel::bookkeeping::{
    self, DeadStep, Floor, FloorSpan, Inbox, OpenProcess, ParkedKey, PseudonymCheck, Repeats,
};
use millrace_kernel::{
    Addressed, AggregateId, Bookkeeping, Command, Datum, Domain, Event, Lengths, Limited, Message, Metadata,
    Outcome, Position, ProcessContext, Sample, Samples, Seed, StateData, Status, Step, StepSource, Version,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::schema::round_trip;

/// How many seeds are tried; each gives one value of every message.
const SEEDS: u64 = 40;

/// Sends samples of every command, step, event and state of the domain, of what the engine keeps among the states, and of
/// the outcomes through their schemas and back; another implementation of Avro must read and write the same bytes. Each
/// message stands in the branch of its name, says where it belongs, and a command's texts are no longer than they may be.
/// Returns how many kinds of messages and states there are.
///
/// # Panics
/// When any of that is not so; the message says with which seed.
#[must_use]
pub fn all_round_trip<D: Domain>() -> usize {
    let mut kinds = BTreeSet::new();
    for number in 0..SEEDS {
        // printed when something below panics
        println!("{}: samples of seed {number}", D::NAME);
        let seed = &mut Seed::new(number);
        commands::<D>(seed, &mut kinds);
        steps::<D>(seed, &mut kinds);
        events::<D>(seed, &mut kinds);
        states::<D>(seed, &mut kinds);
        round_trip(D::SCHEMAS.outcomes, &outcome(seed));
    }
    kinds.len()
}

fn commands<D: Domain>(seed: &mut Seed, kinds: &mut BTreeSet<String>) {
    for (index, data) in D::Command::samples(seed).into_iter().enumerate() {
        let mut lengths = Lengths::default();
        data.measure(&mut lengths);
        assert_eq!(lengths.longer(), [""; 0], "a sample keeps to the limits: {data:?}");
        assert!(!data.fields().is_empty(), "a command names at least its aggregate: {data:?}");
        let command = Command { id: seed.id(64), metadata: metadata(seed), data };
        message(D::SCHEMAS.commands, &command, &command.data, index, "command", kinds);
    }
}

fn steps<D: Domain>(seed: &mut Seed, kinds: &mut BTreeSet<String>) {
    for (index, data) in D::Step::samples(seed).into_iter().enumerate() {
        let schema = D::SCHEMAS.steps.expect("a domain with steps has a schema of them");
        let step = Step {
            id: seed.id(64),
            metadata: metadata(seed),
            source: StepSource {
                domain: seed.maybe(Seed::free_text),
                partition: Sample::sample(seed),
                sequence: Sample::sample(seed),
            },
            process: seed.maybe(|seed| ProcessContext {
                command_id: seed.id(64),
                positions: seed.some(position),
                versions: seed.some(version),
            }),
            data,
        };
        message(schema, &step, &step.data, index, "step", kinds);
    }
}

fn events<D: Domain>(seed: &mut Seed, kinds: &mut BTreeSet<String>) {
    for (index, data) in D::Event::samples(seed).into_iter().enumerate() {
        let event = Event {
            id: seed.id(64),
            metadata: metadata(seed),
            aggregate_id: data.aggregate_id().as_str().into(),
            version: Sample::sample(seed),
            command_id: seed.id(64),
            command_offset: Sample::sample(seed),
            recorded_at: Sample::sample(seed),
            data,
        };
        message(D::SCHEMAS.events, &event, &event.data, index, "event", kinds);
    }
}

/// A message in its envelope, which is the `index`-th of its kind.
fn message<T, M: Message>(
    schema: &str,
    envelope: &T,
    data: &M,
    index: usize,
    kind: &str,
    kinds: &mut BTreeSet<String>,
) where
    T: Datum + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let seen = round_trip(schema, envelope);
    let (branch, fields) = branch_of(&seen);
    assert_eq!(branch, index, "{} stands where its schema has it", data.name());
    let json = serde_json::to_value(data).expect("a message is JSON");
    let own = &json[data.name()];
    assert_eq!(own.as_object().map(|own| own.keys().cloned().collect()), Some(fields), "{}", data.name());
    addressed(data, own);
    kinds.insert(format!("{kind} {}", data.name()));
}

/// The texts of its key and its aggregate's id are those of its fields.
fn addressed(data: &impl Message, own: &Json) {
    let (id, key) = (data.aggregate_id(), data.routing_key());
    let texts: Vec<String> = own
        .as_object()
        .into_iter()
        .flat_map(|own| own.values())
        .filter_map(Json::as_str)
        .map(str::to_owned)
        .collect();
    let is_one = |text: &str| texts.iter().any(|it| it == text || it.to_ascii_lowercase() == text);
    assert!(is_one(&key), "{}: {key} is none of its texts", data.name());
    assert_eq!(id.routing_key(), key, "{}: {id} lives where its key belongs", data.name());
    assert!(!Bookkeeping::is_kept_under(&id), "{id} is the engine's");
    assert!(id.as_str().split('/').skip(1).all(is_one), "{}: {id} is not made of its texts", data.name());
    assert_eq!(AggregateId::parse(id.as_str()), Some(id));
}

/// Number of the branch of `data` in a message, and the names of its fields.
fn branch_of(message: &Avro) -> (usize, Vec<String>) {
    let Avro::Record(fields) = message else { panic!("{message:?} is no record") };
    let data = fields.iter().find(|(name, _)| name == "data").map(|(_, value)| value);
    let Some(Avro::Union(index, inner)) = data else { panic!("data is no union: {data:?}") };
    let Avro::Record(inner) = &**inner else { panic!("the branch is no record: {inner:?}") };
    (*index as usize, inner.iter().map(|(name, _)| name.clone()).collect())
}

fn states<D: Domain>(seed: &mut Seed, kinds: &mut BTreeSet<String>) {
    let id = AggregateId::new("Kind", &[&seed.id(64), &seed.id(64)]);
    let aggregates = D::State::samples(seed);
    let own = aggregates.len();
    let all = aggregates.into_iter().chain(engines(seed).into_iter().map(D::State::from_bookkeeping));
    for (index, state) in [None].into_iter().chain(all.map(Some)).enumerate() {
        let (version, recorded_at) = (Sample::sample(seed), Sample::sample(seed));
        let revision = Sample::sample(seed);
        let record = D::State::to_record(&id, version, recorded_at, revision, state.as_ref());
        assert_eq!(D::State::revision(&record), revision);
        round_trip(D::SCHEMAS.state, &record);
        let (mut one, mut other) = (Vec::new(), Vec::new());
        record.write(&mut one);
        D::State::write_record(&id, version, recorded_at, revision, state.as_ref(), &mut other);
        assert_eq!(one, other, "written without the record in between: {state:?}");
        let set = set_in(&record);
        assert_eq!(set.len(), usize::from(state.is_some()), "{set:?} are set for {state:?}");
        if (1..=own).contains(&index) {
            kinds.extend(set.iter().map(|name| format!("state {name}")));
        }
        let is_engines = state.as_ref().and_then(StateData::as_bookkeeping).is_some();
        assert_eq!(is_engines, index > own, "{state:?}");
        assert_eq!(D::State::from_record(record), ((&id).into(), version, recorded_at, state));
    }
}

/// The kinds that are set in a record of the state topic.
fn set_in(record: &impl Serialize) -> Vec<String> {
    let json = serde_json::to_value(record).expect("a state is JSON");
    let fields = json.as_object().expect("a state is a record");
    fields.iter().filter(|(_, value)| value.is_object()).map(|(name, _)| name.clone()).collect()
}

/// One of everything that the engine keeps among the states.
fn engines(seed: &mut Seed) -> Vec<Bookkeeping> {
    let all = vec![
        Bookkeeping::Process(OpenProcess {
            command_type: seed.free_text(),
            started_at: Sample::sample(seed),
            duplicates: Sample::sample(seed),
            digest: seed.maybe(Sample::sample),
        }),
        Bookkeeping::Inbox(Inbox { sequence: Sample::sample(seed) }),
        Bookkeeping::DeadStep(DeadStep {
            command_id: seed.maybe(Seed::free_text),
            step_type: seed.maybe(Seed::free_text),
            since: Sample::sample(seed),
        }),
        Bookkeeping::ParkedKey(ParkedKey {
            line: Sample::sample(seed),
            next: Sample::sample(seed),
            newest: Sample::sample(seed),
            since: Sample::sample(seed),
        }),
        Bookkeeping::Floor(Floor {
            issued_at: Sample::sample(seed),
            recorded_at: Sample::sample(seed),
            spans: seed.some(|seed| FloorSpan {
                recorded_at: Sample::sample(seed),
                appended_at: Sample::sample(seed),
                issued_at: Sample::sample(seed),
            }),
        }),
        Bookkeeping::Repeats(Repeats { left: Sample::sample(seed), outcome: outcome(seed) }),
        Bookkeeping::PseudonymKey(PseudonymCheck { check: seed.free_text() }),
    ];
    assert_eq!(all.len(), bookkeeping::Bookkeeping::KINDS.len(), "of every kind that the engine keeps");
    all
}

fn outcome(seed: &mut Seed) -> Outcome {
    Outcome {
        command_id: seed.id(64),
        status: if Sample::sample(seed) { Status::Accepted } else { Status::Rejected },
        duplicate: Sample::sample(seed),
        positions: seed.some(position),
        versions: seed.some(version),
        violations: seed.some(Sample::sample),
        recorded_at: Sample::sample(seed),
        command_type: seed.maybe(Seed::free_text),
        failure: seed.maybe(Seed::free_text),
        digest: seed.maybe(Sample::sample),
    }
}

/// Often none at all, as most producers give none.
fn metadata(seed: &mut Seed) -> Metadata {
    if Sample::sample(seed) {
        return Metadata::default();
    }
    Metadata {
        trace_id: seed.maybe(Seed::free_text),
        user_id: seed.maybe(Seed::free_text),
        correlation_id: seed.maybe(Seed::free_text),
        causation_id: seed.maybe(Seed::free_text),
        issued_at: seed.maybe(Sample::sample),
        expected_version: seed.maybe(Sample::sample),
    }
}

fn position(seed: &mut Seed) -> Position {
    Position {
        topic: seed.free_text(),
        partition: Sample::sample(seed),
        offset: Sample::sample(seed),
        epoch: Sample::sample(seed),
    }
}

fn version(seed: &mut Seed) -> Version {
    Version { aggregate_id: seed.free_text(), version: Sample::sample(seed) }
}
