//! Batches that cannot be committed in time: they halve, what is committed stays, and nothing is done twice.

use crate::common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use common::{post, register};
use millrace_domain_chirp::{Chirp, Settings};
use millrace_kernel::{Command, Metadata, Status};
use millrace_runtime::ProcessorSettings;
use millrace_testkit::log::memory::{Faults, NoFaults, Operation, Verdict};
use millrace_testkit::pipeline::Pipeline;

const COMMANDS: usize = 300;

/// How a batch that is too large fails.
#[derive(Clone, Copy, PartialEq)]
enum Fails {
    /// Its records are not acknowledged in time, and it is aborted.
    NotWritten,
    /// The answer to its commit does not come in time: it is committed, and nobody knows.
    CommitUnknown,
    /// The same, and it is not committed.
    CommitLost,
}

#[derive(Default)]
struct Seen {
    batches: Vec<usize>,
    readers_opened: usize,
}

/// A link on which no transaction of more than so many records is through in time.
#[derive(Clone)]
struct SlowLink {
    most: usize,
    fails: Fails,
    writing: usize,
    seen: Arc<Mutex<Seen>>,
}

impl Faults for SlowLink {
    fn before(&mut self, operation: &Operation<'_>) -> Verdict {
        let mut seen = self.seen.lock().unwrap();
        match operation {
            Operation::OpenReader => seen.readers_opened += 1,
            Operation::Write { records, .. } => {
                seen.batches.push(*records);
                self.writing = *records;
                if *records > self.most && self.fails == Fails::NotWritten {
                    return Verdict::LoseAnswer;
                }
            }
            Operation::Commit { .. } if self.writing > self.most => match self.fails {
                Fails::NotWritten => {}
                Fails::CommitUnknown => return Verdict::LoseAnswer,
                Fails::CommitLost => return Verdict::Refuse,
            },
            _ => {}
        }
        Verdict::Proceed
    }
}

fn send(pipeline: &Pipeline<Chirp>, id: &str, data: millrace_domain_chirp::CommandData) {
    pipeline.send(&Command { id: id.into(), metadata: Metadata::default(), data });
}

/// A full backlog behind a slow link; all of it is answered, each once.
fn through(fails: Fails) -> (Pipeline<Chirp>, Arc<Mutex<Seen>>) {
    let settings = ProcessorSettings { batch_max_records: 128, ..ProcessorSettings::default() };
    let mut pipeline = Pipeline::new(1, Settings::default(), settings);
    pipeline.start_processor();
    send(&pipeline, "r", register("ann", "Ann"));
    pipeline.settle();
    let seen: Arc<Mutex<Seen>> = Arc::default();
    pipeline.log.inject(Box::new(SlowLink { most: 20, fails, writing: 0, seen: Arc::clone(&seen) }));
    for n in 0..COMMANDS {
        send(&pipeline, &format!("c{n}"), post("ann", &format!("c{n}"), "x"));
    }
    pipeline.settle();
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    for outcome in pipeline.outcomes() {
        assert_eq!((outcome.status, outcome.duplicate), (Status::Accepted, false), "{outcome:?}");
        *answers.entry(outcome.command_id.to_string()).or_default() += 1;
    }
    assert_eq!(answers.len(), COMMANDS + 1);
    assert!(answers.values().all(|count| *count == 1), "{answers:?}");
    assert_eq!(
        pipeline.events().iter().filter(|(_, event)| event.command_id.starts_with('c')).count(),
        COMMANDS
    );
    (pipeline, seen)
}

#[test]
fn a_batch_that_is_not_written_in_time_halves_and_what_is_committed_stays() {
    let (mut pipeline, seen) = through(Fails::NotWritten);
    {
        let mut seen = seen.lock().unwrap();
        assert_eq!(seen.readers_opened, 0, "nothing was restored");
        assert!(seen.batches.iter().any(|it| *it > 20) && seen.batches.iter().any(|it| *it <= 20));
        seen.batches.clear();
    }
    // the link is as it was, and so are the batches
    pipeline.log.inject(Box::new(NoFaults));
    for n in 0..40 {
        send(&pipeline, &format!("d{n}"), post("ann", &format!("d{n}"), "x"));
        pipeline.settle();
    }
    let fast = SlowLink { most: usize::MAX, fails: Fails::NotWritten, writing: 0, seen: Arc::clone(&seen) };
    pipeline.log.inject(Box::new(fast));
    for n in 0..128 {
        send(&pipeline, &format!("e{n}"), post("ann", &format!("e{n}"), "x"));
    }
    pipeline.settle();
    let largest = seen.lock().unwrap().batches.iter().max().copied();
    assert!(largest >= Some(128), "{largest:?}");
}

#[test]
fn a_commit_whose_answer_does_not_come_is_found_out_and_halves_too() {
    for fails in [Fails::CommitUnknown, Fails::CommitLost] {
        let (_, seen) = through(fails);
        assert!(seen.lock().unwrap().readers_opened > 0, "it was read again what has become of it");
    }
}

#[test]
fn one_message_that_is_not_written_in_time_is_tried_again_until_it_is() {
    let mut pipeline = Pipeline::<Chirp>::new(1, Settings::default(), ProcessorSettings::default());
    pipeline.start_processor();
    send(&pipeline, "r", register("ann", "Ann"));
    pipeline.settle();
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let shut = SlowLink { most: 0, fails: Fails::NotWritten, writing: 0, seen: Arc::clone(&seen) };
    pipeline.log.inject(Box::new(shut));
    send(&pipeline, "c", post("ann", "c", "x"));
    let troubles: Vec<String> = (0..60).filter_map(|_| pipeline.lane(0, 0).trouble).collect();
    assert!(troubles.len() > 5 && troubles.iter().all(|it| it.contains("1 messages")), "{troubles:?}");
    pipeline.log.inject(Box::new(NoFaults));
    pipeline.settle();
    assert!(pipeline.outcomes().iter().any(|it| it.command_id == "c"));
}
