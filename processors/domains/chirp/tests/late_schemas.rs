//! Commands whose schema the registry does not know yet: they wait for it, and garbage does not make others wait for
//! ever.

use crate::common;

use std::sync::Arc;

use bytes::Bytes;
use common::late::LateRegistry;
use common::{post, register};
use millrace_domain_chirp::{Chirp, Settings};
use millrace_kernel::{Command, Domain, Metadata, Outcome, Status};
use millrace_ports::Clock;
use millrace_runtime::health::LaneState;
use millrace_runtime::{ProcessorSettings, Topology};
use millrace_testkit::pipeline::Pipeline;
use millrace_wire::Registry;

const SECOND: i64 = 1_000_000;

struct Stage {
    pipeline: Pipeline<Chirp>,
    registry: Arc<LateRegistry>,
}

impl Stage {
    /// One partition, with a user in it.
    fn new() -> Self {
        let mut pipeline = Pipeline::new(1, Settings::default(), ProcessorSettings::default());
        let registry = Arc::new(LateRegistry::default());
        pipeline.ask(Arc::clone(&registry) as Arc<dyn Registry>);
        pipeline.start_processor();
        let mut stage = Self { pipeline, registry };
        stage.send("r1", register("ann", "Ann"));
        stage.pipeline.settle();
        assert_eq!(stage.answers("r1").len(), 1);
        stage
    }

    fn send(&mut self, id: &str, data: millrace_domain_chirp::CommandData) {
        self.pipeline.send(&Command { id: id.into(), metadata: Metadata::default(), data });
    }

    /// Appends bytes of a schema with this id.
    fn send_of(&mut self, id: u32, body: &[u8]) {
        let commands = Arc::clone(&self.pipeline.names().commands);
        let value = [&[0][..], &id.to_be_bytes(), body].concat();
        self.pipeline.send_raw(&commands, Some(Bytes::from_static(b"ann")), Some(Bytes::from(value)));
    }

    fn answers(&self, id: &str) -> Vec<Outcome> {
        let mut all = self.pipeline.outcomes();
        all.retain(|outcome| outcome.command_id == id);
        all
    }

    fn dead(&self) -> usize {
        self.pipeline.log.committed_records(&self.pipeline.names().dead).len()
    }

    /// Steps for so long, by the broker's clock.
    fn run_for(&mut self, seconds: i64) {
        let until = self.pipeline.clock.now_micros() + seconds * SECOND;
        while self.pipeline.clock.now_micros() < until {
            self.pipeline.turn(0, 0);
            self.pipeline.clock.pass(SECOND / 20);
        }
    }

    /// A newer version of the commands' schema that the registry does not know yet, and a command in it.
    fn newer(&self, id: &str) -> (u32, Vec<u8>) {
        let own = Chirp::SCHEMAS.commands;
        let newer = own.replacen(r#""namespace":"#, r#""doc":"newer","namespace":"#, 1);
        let newer = if newer == own { format!("{own} ") } else { newer };
        let subject = Topology::subject(&self.pipeline.names().commands);
        let schema = self.registry.register_late(&subject, &newer);
        let command =
            Command { id: id.into(), metadata: Metadata::default(), data: post("ann", id, "hello") };
        (schema, self.pipeline.encode(&command)[5..].to_vec())
    }
}

#[test]
fn a_command_that_is_quicker_than_its_schema_waits_for_it() {
    let mut stage = Stage::new();
    let (schema, body) = stage.newer("early");
    stage.send("before", post("ann", "before", "hello"));
    stage.send_of(schema, &body);
    stage.send("behind", post("ann", "behind", "hello"));
    stage.run_for(4);
    assert_eq!(stage.answers("before").len(), 1, "what came before it does not wait");
    assert!(stage.answers("early").is_empty() && stage.answers("behind").is_empty());
    stage.registry.catch_up();
    stage.run_for(2);
    assert_eq!(stage.answers("early")[0].status, Status::Accepted);
    assert_eq!(stage.answers("behind")[0].status, Status::Accepted);
    assert_eq!(stage.dead(), 0);
}

#[test]
fn garbage_waits_ten_seconds_together_and_then_is_final() {
    let mut stage = Stage::new();
    let asked = stage.registry.asked();
    for number in 0..200 {
        stage.send_of(70_000 + number % 20, b"x");
    }
    stage.send("good", post("ann", "good", "hello"));
    stage.run_for(9);
    assert_eq!((stage.dead(), stage.answers("good").len()), (0, 0));
    stage.run_for(3);
    assert_eq!(stage.dead(), 200);
    assert_eq!(stage.answers("good")[0].status, Status::Accepted);
    let asked = stage.registry.asked() - asked;
    assert!(asked <= 20 * 22, "20 ids for ten seconds, twice a second: {asked}");

    // the minute's time is used up: more of it holds up nobody
    let before = stage.registry.asked();
    for number in 0..200 {
        stage.send_of(80_000 + number % 20, b"x");
    }
    stage.send("next", post("ann", "next", "hello"));
    stage.run_for(1);
    assert_eq!(stage.dead(), 400);
    assert_eq!(stage.answers("next")[0].status, Status::Accepted);
    let asked = stage.registry.asked() - before;
    assert!((20..=60).contains(&asked), "each of 20 ids is asked for, and not for each record: {asked}");
}

#[test]
fn what_was_appended_long_ago_does_not_wait() {
    let mut stage = Stage::new();
    stage.send_of(70_000, b"x");
    stage.send("good", post("ann", "good", "hello"));
    stage.pipeline.clock.pass(11 * SECOND);
    stage.run_for(1);
    assert_eq!(stage.dead(), 1);
    assert_eq!(stage.answers("good").len(), 1);
}

#[test]
fn a_registry_that_is_away_holds_up_only_what_needs_it_and_takes_no_state_away() {
    let mut stage = Stage::new();
    let (schema, body) = stage.newer("early");
    stage.registry.set_away(true);
    stage.send("before", post("ann", "before", "hello"));
    stage.send_of(schema, &body);
    stage.send("behind", post("ann", "behind", "hello"));
    let mut faults = 0;
    for _ in 0..100 {
        faults += usize::from(stage.pipeline.lane(0, 0).trouble.is_some());
        stage.pipeline.clock.pass(SECOND / 20);
        let (state, detail) = stage.pipeline.describe(0, 0).unwrap();
        assert_eq!(state, LaneState::Running, "what was restored stays: {detail}");
    }
    assert!(faults > 2, "it is said: {faults}");
    assert_eq!(stage.answers("before").len(), 1, "what came before it does not wait");
    assert!(stage.answers("early").is_empty() && stage.answers("behind").is_empty());
    stage.registry.set_away(false);
    stage.registry.catch_up();
    stage.run_for(2);
    assert_eq!(stage.answers("early")[0].status, Status::Accepted);
    assert_eq!(stage.answers("behind")[0].status, Status::Accepted);
    assert_eq!(stage.dead(), 0);
}
