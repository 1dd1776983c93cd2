//! What was written before the envelopes had the fields that came last: bytes of those schemas, which stand in `earlier/`.

use std::sync::Arc;

use bytes::Bytes;
use millrace_domain_chirp::messages::state::User;
use millrace_domain_chirp::messages::steps::ClaimUsername;
use millrace_domain_chirp::{Chirp, Settings, State, StepData};
use millrace_kernel::bookkeeping::{Bookkeeping, OpenProcess};
use millrace_kernel::{
    Command, Datum, Domain, Metadata, Outcome, Position, ProcessContext, StateData, Status, Step, StepSource,
    Version, Violation, codes, partition,
};
use millrace_runtime::{ProcessorSettings, Topology};
use millrace_testkit::pipeline::Pipeline;
use millrace_wire::{Codec, MemoryRegistry, Registry};

use crate::common::post;

const OUTCOMES: &str = include_str!("earlier/outcomes.avsc");
const STATE: &str = include_str!("earlier/state.avsc");
const STEPS: &str = include_str!("earlier/steps.avsc");
const AT: i64 = 1_700_000_000_000_000;

/// What `schema`, of this build, makes of a message in hexadecimal digits that was written with the `earlier` one.
fn read<T: Datum>(earlier: &str, schema: &str, digits: &str) -> T {
    let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
    let id = registry.register("t-value", earlier).unwrap();
    let codec: Codec<T> = Codec::register(registry, "t-value", schema).unwrap();
    assert_ne!(codec.schema_id(), id, "the schemas differ");
    let mut message = vec![0];
    message.extend(id.to_be_bytes());
    message
        .extend((0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()));
    codec.decode(&message).unwrap()
}

fn positions() -> Vec<Position> {
    vec![Position { topic: "chirp.commands".into(), partition: 3, offset: 41, epoch: 0 }]
}

fn versions() -> Vec<Version> {
    vec![Version { aggregate_id: "User/bob".into(), version: 2 }]
}

#[test]
fn outcomes_are_read() {
    let digits = "0463310200021c63686972702e636f6d6d616e64730652000210557365722f626f620400021a416c726561647945786973\
                  74730a74616b656e0210757365726e616d65008080f28183898506";
    let expected = Outcome {
        command_id: "c1".into(),
        status: Status::Rejected,
        duplicate: false,
        positions: positions(),
        versions: versions(),
        violations: vec![Violation::on(codes::ALREADY_EXISTS, "username", "taken")],
        recorded_at: AT,
        command_type: None,
        failure: None,
        digest: None,
    };
    assert_eq!(read::<Outcome>(OUTCOMES, Chirp::SCHEMAS.outcomes, digits), expected);
}

#[test]
fn states_are_read() {
    let user = "10557365722f626f62048080f281838985060206426f620280f7f78083898506000000000000000000";
    let process = "1450726f636573732f6331028080f281838985060000000002185265676973746572557365728080f2818389850604\
                   0000000000";
    let bob = State::User(User { username: "Bob".into(), registered_at: Some(AT - 1_000_000) });
    let open = State::Bookkeeping(Bookkeeping::Process(OpenProcess {
        command_type: "RegisterUser".into(),
        started_at: AT,
        duplicates: 2,
        digest: None,
    }));
    for (digits, id, version, state) in [(user, "User/bob", 2, bob), (process, "Process/c1", 1, open)] {
        let record = read::<<State as StateData>::Record>(STATE, Chirp::SCHEMAS.state, digits);
        assert_eq!(State::revision(&record), 0, "of the first fold");
        assert_eq!(State::from_record(record), (id.into(), version, AT, Some(state)));
    }
}

#[test]
fn steps_are_read() {
    let digits = "04733100000002046531028080f2818389850600068080d0e2c6bfce972f046331021c63686972702e636f6d6d616e6473\
                  0652000210557365722f626f6204000006626f6206426f62";
    let expected: Step<StepData> = Step {
        id: "s1".into(),
        metadata: Metadata { causation_id: Some("e1".into()), issued_at: Some(AT), ..Metadata::default() },
        source: StepSource { domain: None, partition: 3, sequence: AT * 1_000 },
        process: Some(ProcessContext {
            command_id: "c1".into(),
            positions: positions(),
            versions: versions(),
        }),
        data: ClaimUsername { user_id: "bob".into(), username: "Bob".into() }.into(),
    };
    assert_eq!(read::<Step<StepData>>(STEPS, Chirp::SCHEMAS.steps.unwrap(), digits), expected);
}

/// A window that is restored from answers of an earlier build gives them again.
#[test]
fn answers_of_an_earlier_build_are_given_again() {
    let mut pipeline = Pipeline::<Chirp>::new(2, Settings::default(), ProcessorSettings::default());
    let command =
        |id: &str| Command { id: id.into(), metadata: Metadata::default(), data: post("ann", "c1", "hi") };
    pipeline.start_processor();
    pipeline.send(&command("p0"));
    pipeline.settle();
    pipeline.kill(0);

    let outcomes = pipeline.names().outcomes.clone();
    let id = pipeline.registry().register(&Topology::subject(&outcomes), OUTCOMES).unwrap();
    let recorded_at = millrace_ports::Clock::now_micros(&*pipeline.clock);
    let mut value = vec![0];
    value.extend(id.to_be_bytes());
    "p1".to_owned().write(&mut value);
    Status::Rejected.write(&mut value);
    false.write(&mut value);
    // no positions, no versions, no violations
    value.extend([0, 0, 0]);
    recorded_at.write(&mut value);
    let here = partition::of_key(b"ann", 2);
    pipeline.send_to(&outcomes, here, Some(Bytes::from_static(b"p1")), Some(value.into()));
    pipeline.start_processor();
    pipeline.send(&command("p1"));
    pipeline.settle();
    let all = pipeline.outcomes();
    let [_, first, again] = &all[..] else { panic!("{all:?}") };
    assert!(again.is_again(first), "{again:?}");
    assert_eq!((again.recorded_at, again.digest, again.command_type.clone()), (recorded_at, None, None));
    assert!(pipeline.events().is_empty(), "nothing is done twice");
}
