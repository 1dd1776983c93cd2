//! What outcomes say of the commands that they answer: their type, their digest, and what a rejection is called.

use crate::common;

use common::{post, register};
use millrace_domain_chirp::{Chirp, CommandData, Settings};
use millrace_kernel::{Command, Digest, Metadata, Outcome, Status};
use millrace_runtime::ProcessorSettings;
use millrace_testkit::pipeline::Pipeline;

const PARTITIONS: i32 = 4;

fn pipeline() -> Pipeline<Chirp> {
    let mut pipeline = Pipeline::new(PARTITIONS, Settings::default(), ProcessorSettings::default());
    pipeline.give_disks();
    pipeline.start_processor();
    send(&mut pipeline, "r1", register("ann", "Ann"));
    pipeline
}

fn send(pipeline: &mut Pipeline<Chirp>, id: &str, data: CommandData) {
    pipeline.send(&Command { id: id.into(), metadata: Metadata::default(), data });
    pipeline.settle();
}

fn answers(pipeline: &Pipeline<Chirp>, id: &str) -> Vec<Outcome> {
    pipeline.outcomes().into_iter().filter(|outcome| outcome.command_id == id).collect()
}

/// Whoever repeats an id with other content is told by the digest, before and after a restart that reads the window from
/// the topic, or from a disk.
#[test]
fn an_id_that_is_used_for_other_content_is_told_by_its_digest() {
    for how in ["at once", "by another, from the topics", "by the same, from its disk"] {
        let mut pipeline = pipeline();
        let (first, other) = (post("ann", "c1", "first"), post("ann", "c2", "other"));
        send(&mut pipeline, "p1", first.clone());
        match how {
            "at once" => {}
            "by another, from the topics" => {
                pipeline.take_disks();
                pipeline.kill(0);
            }
            _ => {
                pipeline.leave(0);
                pipeline.start_processor();
            }
        }
        pipeline.settle();
        send(&mut pipeline, "p1", other.clone());
        send(&mut pipeline, "p1", first.clone());
        let all = answers(&pipeline, "p1");
        let [one, again, same] = &all[..] else { panic!("{how}: {all:?}") };
        assert_eq!((one.digest, one.command_type.as_deref()), (Some(Digest::of(&first)), Some("PostChirp")));
        for again in [again, same] {
            assert!(again.is_again(one), "{how}: {again:?}");
            let digest = again.digest.unwrap();
            assert_eq!(digest.as_bytes(), &Digest::of(&first).as_bytes()[..Digest::SHORT_LENGTH], "{how}");
            assert!(
                digest.agrees_with(Digest::of(&first)) && !digest.agrees_with(Digest::of(&other)),
                "{how}"
            );
        }
    }
}

/// What is sent again while the process runs is answered with the digest of the command that began it.
#[test]
fn a_process_answers_for_the_command_that_began_it() {
    let mut pipeline = pipeline();
    let (first, other) = (register("eve", "ANN"), register("eve", "Eve"));
    for data in [first.clone(), other.clone(), first.clone()] {
        pipeline.send(&Command { id: "taken".into(), metadata: Metadata::default(), data });
    }
    pipeline.settle();
    let all = answers(&pipeline, "taken");
    assert_eq!(all.len(), 3);
    for outcome in &all {
        assert_eq!(outcome.status, Status::Rejected);
        let named = (outcome.command_type.as_deref(), outcome.failure.as_deref());
        assert_eq!(named, (Some("RegisterUser"), Some("RegistrationFailed")));
        let digest = outcome.digest.unwrap();
        assert!(digest.agrees_with(Digest::of(&first)) && !digest.agrees_with(Digest::of(&other)));
    }
}

/// A rejection has a name where the schema gives it one, and the business has refused it.
#[test]
fn what_is_refused_by_the_business_has_its_name() {
    let mut pipeline = pipeline();
    send(&mut pipeline, "bad", register("bob", "no good name"));
    send(&mut pipeline, "unnamed", post("ann", "c1", " "));
    send(&mut pipeline, "good", register("bob", "Bob"));
    let data = register("far", "Far");
    let value = pipeline.encode(&Command { id: "astray".into(), metadata: Metadata::default(), data });
    let commands = pipeline.names().commands.clone();
    pipeline.send_raw(&commands, Some("not-far".into()), Some(value));
    pipeline.settle();
    let rows = [
        ("bad", Status::Rejected, "RegisterUser", Some("RegistrationFailed"), true),
        ("unnamed", Status::Rejected, "PostChirp", None, true),
        ("good", Status::Accepted, "RegisterUser", None, true),
        // it may be answered where it belongs, so this says nothing of what was first
        ("astray", Status::Rejected, "RegisterUser", None, false),
    ];
    for (id, status, command_type, failure, has_digest) in rows {
        let all = answers(&pipeline, id);
        let [outcome] = &all[..] else { panic!("{id}: {all:?}") };
        assert_eq!(outcome.status, status, "{id}");
        let named = (outcome.command_type.as_deref(), outcome.failure.as_deref(), outcome.digest.is_some());
        assert_eq!(named, (Some(command_type), failure, has_digest), "{id}");
        assert!(outcome.positions.iter().all(|position| position.epoch == 0), "{id}");
    }
}
