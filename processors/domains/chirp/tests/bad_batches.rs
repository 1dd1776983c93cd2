//! Batches that no client can decompress: of commands they are passed over, with their offsets in the dead topic;
//! everywhere else the partition stands still and says so.

use crate::common;

use std::sync::Arc;
use std::time::Duration;

use common::{post, register};
use millrace_domain_chirp::{Chirp, Settings};
use millrace_kernel::{Command, Metadata, Status};
use millrace_ports::{Clock, Log, TopicPartition};
use millrace_runtime::ProcessorSettings;
use millrace_runtime::dead::headers::{self, DeadKind};
use millrace_runtime::dead::{Action, DeadTopic, Selection};
use millrace_testkit::pipeline::Pipeline;

fn pipeline() -> Pipeline<Chirp> {
    let mut pipeline = Pipeline::new(1, Settings::default(), ProcessorSettings::default());
    pipeline.start_processor();
    send(&pipeline, "r1", register("ann", "Ann"));
    pipeline.settle();
    pipeline
}

fn send(pipeline: &Pipeline<Chirp>, id: &str, data: millrace_domain_chirp::CommandData) -> i64 {
    pipeline.send(&Command { id: id.into(), metadata: Metadata::default(), data }).1
}

fn commands(pipeline: &Pipeline<Chirp>) -> TopicPartition {
    TopicPartition::new(Arc::clone(&pipeline.names().commands), 0)
}

fn status_of(pipeline: &Pipeline<Chirp>, id: &str) -> Vec<Status> {
    let all = pipeline.outcomes();
    all.iter().filter(|outcome| outcome.command_id == id).map(|outcome| outcome.status).collect()
}

#[test]
fn a_batch_of_commands_is_passed_over_and_its_offsets_are_in_the_dead_topic() {
    let mut pipeline = pipeline();
    let at = commands(&pipeline);
    send(&pipeline, "before", post("ann", "before", "x"));
    let first = send(&pipeline, "lost-1", post("ann", "lost-1", "x"));
    let last = send(&pipeline, "lost-2", post("ann", "lost-2", "x"));
    send(&pipeline, "behind", post("ann", "behind", "x"));
    pipeline.log.spoil(&at, first..last + 1).unwrap();
    pipeline.settle();
    for id in ["before", "behind"] {
        assert_eq!(status_of(&pipeline, id), [Status::Accepted], "{id}");
    }
    let dead = pipeline.log.committed_records(&pipeline.names().dead);
    assert_eq!(dead.len(), 1);
    let header = |name| headers::text(&dead[0].headers, name).unwrap_or_default();
    assert_eq!(header(headers::KIND), "batch");
    assert_eq!((header(headers::TOPIC), header(headers::PARTITION)), (&*at.topic, "0"));
    assert_eq!((header(headers::OFFSET), header(headers::LAST)), (&*first.to_string(), &*last.to_string()));
    assert!(header(headers::REASON).contains("cannot be decompressed"), "{}", header(headers::REASON));
    assert_eq!((&dead[0].key, &dead[0].value), (&None, &None));
    // it is passed for good
    assert_eq!(pipeline.committed_commands(0), Some(last + 2));
    pipeline.kill(0);
    send(&pipeline, "later", post("ann", "later", "x"));
    pipeline.settle();
    assert_eq!(status_of(&pipeline, "later"), [Status::Accepted]);
    assert_eq!(pipeline.log.committed_records(&pipeline.names().dead).len(), 1);
}

#[test]
fn a_batch_at_the_end_of_its_partition_and_two_in_a_row_are_passed_over() {
    let mut pipeline = pipeline();
    let at = commands(&pipeline);
    let first = send(&pipeline, "lost-1", post("ann", "lost-1", "x"));
    send(&pipeline, "lost-2", post("ann", "lost-2", "x"));
    send(&pipeline, "lost-3", post("ann", "lost-3", "x"));
    pipeline.log.spoil(&at, first..first + 1).unwrap();
    pipeline.log.spoil(&at, first + 1..first + 3).unwrap();
    pipeline.settle();
    assert_eq!(pipeline.log.committed_records(&pipeline.names().dead).len(), 2);
    assert_eq!(pipeline.committed_commands(0), Some(first + 3));
    send(&pipeline, "later", post("ann", "later", "x"));
    pipeline.settle();
    assert_eq!(status_of(&pipeline, "later"), [Status::Accepted]);
}

#[test]
fn a_batch_is_listed_and_is_not_put_back() {
    let mut pipeline = pipeline();
    let lost = send(&pipeline, "lost", post("ann", "lost", "x"));
    pipeline.log.spoil(&commands(&pipeline), lost..lost + 1).unwrap();
    pipeline.settle();
    let topic = DeadTopic::<Chirp>::open(Arc::new(pipeline.log.clone()), pipeline.registry(), "").unwrap();
    let topic = topic.with_patience(Duration::ZERO);
    let all = topic.list(&Selection::default()).unwrap();
    assert_eq!((all.len(), all[0].kind), (1, DeadKind::Batch));
    assert_eq!((all[0].source_offset, all[0].source_last), (lost, Some(lost)));
    let this = Selection { offset: Some(all[0].place.offset), ..Selection::default() };
    let plan = topic.plan(&this, Action::Redrive).unwrap();
    assert_eq!((plan.moved.len(), plan.passed_over.len()), (0, 1));
    let why = &plan.passed_over[0].why;
    assert!(why.contains("nothing of its records was kept") && why.contains("millrace dead skip"), "{why}");
    topic.act(&this, Action::Skip, &*pipeline.clock as &dyn Clock, &mut |_| {}).unwrap();
    assert!(topic.list(&this).unwrap()[0].done.is_some());
    pipeline.settle();
    assert_eq!(pipeline.committed_commands(0), Some(lost + 1), "nothing was put back");
}

#[test]
fn elsewhere_a_partition_stands_still_and_says_where() {
    let mut pipeline = pipeline();
    pipeline.start_projectors();
    pipeline.settle();
    let events = TopicPartition::new(Arc::clone(&pipeline.names().events), 0);
    let end = pipeline.log.high_watermark(&events).unwrap();
    pipeline.log.spoil(&events, end..end + 1).unwrap();
    send(&pipeline, "p1", post("ann", "c1", "x"));
    send(&pipeline, "p2", post("ann", "c2", "x"));
    assert!(!pipeline.comes_to_rest(), "the projectors try again and again");
    assert_eq!(status_of(&pipeline, "p2"), [Status::Accepted], "commands are decided all the same");
    let told: Vec<String> =
        (1..pipeline.instances()).filter_map(|projector| pipeline.lane(projector, 0).trouble).collect();
    assert_eq!(told.len(), pipeline.instances() - 1, "every projector of that partition stands still");
    for trouble in &told {
        assert!(trouble.contains(&format!("{events} holds a batch at offset {end}")), "{trouble}");
    }
    assert!(pipeline.store.rows("chirps_by_author").is_empty(), "nothing behind it was applied");
    assert!(pipeline.log.committed_records(&pipeline.names().dead).is_empty());
}
