//! A pipeline of the fragile domain, and what an operator does about its dead records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_domain_chirp::{CommandData, EventData, Settings};
use millrace_kernel::{Command, Metadata, Outcome, Status};
use millrace_runtime::ProcessorSettings;
use millrace_runtime::dead::headers::DeadKind;
use millrace_runtime::dead::{Action, DeadError, DeadRecord, DeadTopic, Moved, PassedOver, Selection};
use millrace_testkit::pipeline::Pipeline;

use super::fragile::Fragile;
use super::register;

pub const PARTITIONS: i32 = 4;

pub fn pipeline() -> Pipeline<Fragile> {
    let settings = ProcessorSettings { batch_max_records: 3, ..ProcessorSettings::default() };
    let mut pipeline = Pipeline::new(PARTITIONS, Settings::default(), settings);
    pipeline.start_processor();
    send(&pipeline, "r1", register("ann", "Ann"));
    pipeline.settle();
    pipeline
}

pub fn send(pipeline: &Pipeline<Fragile>, id: &str, data: CommandData) {
    pipeline.send(&Command { id: id.into(), metadata: Metadata::default(), data });
}

pub fn dead(pipeline: &Pipeline<Fragile>) -> DeadTopic<Fragile> {
    DeadTopic::open(Arc::new(pipeline.log.clone()), pipeline.registry(), "")
        .unwrap()
        // in one thread with the pipeline nothing happens while this waits
        .with_patience(Duration::ZERO)
}

pub fn list(pipeline: &Pipeline<Fragile>) -> Vec<DeadRecord> {
    let mut all = dead(pipeline).list(&Selection::default()).unwrap();
    all.retain(|record| record.done.is_none());
    all
}

pub fn act(
    pipeline: &Pipeline<Fragile>,
    selection: &Selection,
    action: Action,
) -> (Vec<Moved>, Result<Vec<PassedOver>, DeadError>) {
    let mut done = Vec::new();
    let clock = Arc::clone(&pipeline.clock);
    let result = dead(pipeline).act(selection, action, &*clock, &mut |moved| done.extend_from_slice(moved));
    (done, result)
}

pub fn redrive(pipeline: &mut Pipeline<Fragile>) -> usize {
    let (done, result) = act(pipeline, &Selection::default(), Action::Redrive);
    result.unwrap();
    pipeline.settle();
    done.len()
}

/// How often each command was answered, and the codes of the answers.
pub fn answers(pipeline: &Pipeline<Fragile>) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let code = |outcome: &Outcome| match (outcome.status, outcome.violations.first()) {
        (Status::Accepted, _) => "accepted".to_owned(),
        (_, Some(violation)) => violation.code.clone(),
        (_, None) => "none".to_owned(),
    };
    for outcome in pipeline.outcomes() {
        all.entry(outcome.command_id.to_string()).or_default().push(code(&outcome));
    }
    all
}

/// The commands of ann whose events were recorded, in order.
pub fn recorded(pipeline: &Pipeline<Fragile>) -> Vec<String> {
    let events = pipeline.events().into_iter();
    let chirps = events.filter(|(_, e)| !matches!(e.data, EventData::UserRegistered(_)));
    let ids = chirps.filter(|(_, e)| e.aggregate_id.starts_with("Chirp/ann/")).map(|(_, e)| e.command_id);
    ids.map(Into::into).collect()
}

pub fn kinds(records: &[DeadRecord]) -> Vec<(DeadKind, Option<i64>)> {
    records.iter().map(|record| (record.kind, record.line.map(|place| place.number))).collect()
}
