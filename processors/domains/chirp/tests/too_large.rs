//! What is too large to be written: the message it would follow from counts as one whose decision fails every
//! time. It is answered, buried, and blocks nothing.

use std::borrow::Cow;

use crate::common;

use common::{edit, post, register};
use millrace_domain_chirp::messages::events::{ChirpPosted, UsernameClaimRefused};
use millrace_domain_chirp::messages::state::Chirp as ChirpState;
use millrace_domain_chirp::{Chirp, CommandData, EventData, Settings, State, StepData};
use millrace_kernel::avro::{BadDatum, Input};
use millrace_kernel::{
    Addressed, AggregateId, Command, Datum, Domain, Failing, FollowUp, Lengths, Limited, Metadata, Named,
    Outcome, Projection, Rejections, Samples, Schemas, Seed, Stamp, StateReader, Status, Violation,
};
use millrace_ports::MAX_RECORD_BYTES;
use millrace_runtime::ProcessorSettings;
use millrace_runtime::dead::headers::{self, DeadKind};
use millrace_testkit::pipeline::Pipeline;
use serde::{Deserialize, Serialize};

/// More than any record has room for.
const HUGE: usize = 4_000_000;

/// Chirp without measure: texts of any length, edits that add to what is there, and reasons without end.
struct Roomy;

/// Chirp's commands, with texts as long as anybody likes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Unlimited(CommandData);

impl Limited for Unlimited {
    fn fields(&self) -> &'static [&'static str] {
        self.0.fields()
    }
    fn measure(&self, _: &mut Lengths) {}
}

impl Failing for Unlimited {
    fn failure_of(command_type: &str) -> Option<&'static str> {
        CommandData::failure_of(command_type)
    }
}

impl Named for Unlimited {
    fn name(&self) -> &'static str {
        self.0.name()
    }
}

impl Addressed for Unlimited {
    fn aggregate_id(&self) -> AggregateId {
        self.0.aggregate_id()
    }
    fn routing_key(&self) -> Cow<'_, str> {
        self.0.routing_key()
    }
}

impl Samples for Unlimited {
    fn samples(seed: &mut Seed) -> Vec<Self> {
        CommandData::samples(seed).into_iter().map(Self).collect()
    }
}

impl Datum for Unlimited {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }
    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        CommandData::read(input).map(Self)
    }
}

impl Domain for Roomy {
    type Command = Unlimited;
    type Step = StepData;
    type Event = EventData;
    type State = State;
    type Settings = Settings;
    const NAME: &'static str = Chirp::NAME;
    const SCHEMAS: Schemas = Chirp::SCHEMAS;

    fn decide(
        states: &impl StateReader<State = State>,
        command: &Command<Unlimited>,
        stamp: Stamp,
    ) -> Result<Vec<EventData>, Rejections> {
        match &command.data.0 {
            CommandData::PostChirp(c) if c.content == "refused" => {
                let reasons: Vec<_> = (0..300_000).map(|_| Violation::of("NotFound", "no")).collect();
                Err(reasons.into())
            }
            CommandData::PostChirp(c) if c.content == "many" => {
                let (chirp_id, author_id, content) = (&c.chirp_id, &c.author_id, "x".repeat(900));
                let one = || {
                    let (chirp_id, author_id) = (chirp_id.clone(), author_id.clone());
                    ChirpPosted { chirp_id, author_id, content: content.clone().into() }.into()
                };
                Ok((0..20_000).map(|_| one()).collect())
            }
            CommandData::PostChirp(c) => {
                let (chirp_id, author_id) = (c.chirp_id.clone(), c.author_id.clone());
                Ok(vec![ChirpPosted { chirp_id, author_id, content: c.content.clone() }.into()])
            }
            CommandData::EditChirp(c) => {
                let (chirp_id, author_id) = (c.chirp_id.clone(), c.author_id.clone());
                let content = c.content.clone();
                Ok(vec![
                    millrace_domain_chirp::messages::events::ChirpEdited { chirp_id, author_id, content }
                        .into(),
                ])
            }
            data => {
                let (id, metadata) = (command.id.clone(), command.metadata.clone());
                Chirp::decide(states, &Command { id, metadata, data: data.clone() }, stamp)
            }
        }
    }
    fn decide_step(
        states: &impl StateReader<State = State>,
        step: &StepData,
        stamp: Stamp,
    ) -> Vec<EventData> {
        match step {
            StepData::ClaimUsername(s) if s.username == "huge" => {
                let violations = vec![Violation::of("AlreadyExists", "x".repeat(HUGE))];
                let (username, user_id) = (s.username.clone(), s.user_id.clone());
                vec![UsernameClaimRefused { username, user_id, violations }.into()]
            }
            _ => Chirp::decide_step(states, step, stamp),
        }
    }
    fn evolve(state: Option<State>, event: &EventData, recorded_at: i64) -> Option<State> {
        match (event, state) {
            (EventData::ChirpEdited(e), Some(State::Chirp(chirp))) => {
                let content = format!("{}{}", chirp.content, e.content).into();
                Some(State::Chirp(ChirpState { content, ..chirp }))
            }
            (_, state) => Chirp::evolve(state, event, recorded_at),
        }
    }
    fn follow_up(event: &EventData) -> FollowUp<StepData> {
        Chirp::follow_up(event)
    }
    fn is_visible(state: Option<&State>) -> bool {
        Chirp::is_visible(state)
    }
    fn projections(settings: &Settings) -> Vec<Projection<EventData>> {
        Chirp::projections(settings)
    }
}

/// Commands of any size get in, as compressed ones do; the other topics take what they always do.
fn pipeline() -> Pipeline<Roomy> {
    let mut pipeline = Pipeline::new(2, Settings::default(), ProcessorSettings::default());
    pipeline.log.limit_topic_bytes(&pipeline.names().commands, 100_000_000);
    pipeline.start_processor();
    pipeline.settle();
    pipeline
}

fn send(pipeline: &Pipeline<Roomy>, id: &str, data: CommandData) {
    pipeline.send(&Command { id: id.into(), metadata: Metadata::default(), data: Unlimited(data) });
}

fn answer(pipeline: &Pipeline<Roomy>, id: &str) -> Outcome {
    let mut answers: Vec<_> = pipeline.outcomes().into_iter().filter(|it| it.command_id == id).collect();
    assert_eq!(answers.len(), 1, "{id} has one answer");
    answers.remove(0)
}

fn assert_poisoned(pipeline: &Pipeline<Roomy>, id: &str, topic: &str) {
    let answer = answer(pipeline, id);
    let codes: Vec<&str> = answer.violations.iter().map(|it| it.code.as_str()).collect();
    assert_eq!(codes, ["Poisoned"], "{id}");
    assert!(answer.violations[0].message.contains(topic), "{id}: {}", answer.violations[0].message);
    assert!(pipeline.events().iter().all(|(_, event)| event.command_id != id), "{id} left no event");
}

#[test]
fn what_cannot_be_written_is_poisoned_and_blocks_nothing() {
    let mut pipeline = pipeline();
    let names = pipeline.names().clone();
    let large = "a".repeat(400_000);
    send(&pipeline, "before", post("ann", "c0", "x"));
    send(&pipeline, "event", post("ann", "c1", &"ab".repeat(HUGE / 2)));
    send(&pipeline, "outcome", post("ann", "c2", "refused"));
    for (id, content) in [("grow-1", &*large), ("grow-2", &large), ("grow-3", &large), ("grow-4", "a little")]
    {
        send(&pipeline, id, edit("ann", "c0", content));
    }
    send(&pipeline, "many", post("ann", "c5", "many"));
    send(&pipeline, "largest", post("ann", "c3", &"a".repeat(MAX_RECORD_BYTES - 1_000)));
    send(&pipeline, "after", post("ann", "c4", "x"));
    pipeline.settle();
    for id in ["before", "grow-1", "grow-2", "grow-4", "largest", "after"] {
        assert_eq!(answer(&pipeline, id).status, Status::Accepted, "{id}");
    }
    assert_poisoned(&pipeline, "event", &names.events);
    assert_poisoned(&pipeline, "outcome", &names.outcomes);
    assert_poisoned(&pipeline, "grow-3", &names.state);
    assert_poisoned(&pipeline, "many", "16777216 of a transaction");
    let dead = pipeline.log.committed_records(&names.dead);
    let kinds: Vec<_> = dead.iter().map(|it| headers::text(&it.headers, headers::KIND)).collect();
    assert_eq!(kinds, [Some(DeadKind::Poisoned.as_str()); 4]);
    assert!(headers::text(&dead[0].headers, headers::CUT).is_some(), "a part of it, and where it stood");
    assert_eq!(headers::text(&dead[0].headers, headers::OFFSET), Some("1"));

    // as any other that was answered
    send(&pipeline, "event", post("ann", "c1", "small"));
    pipeline.kill(0);
    pipeline.settle();
    let answers: Vec<_> = pipeline.outcomes().into_iter().filter(|it| it.command_id == "event").collect();
    assert_eq!(answers.iter().map(|it| it.duplicate).collect::<Vec<_>>(), [false, true]);
    assert!(answers.iter().all(|it| it.violations[0].code == "Poisoned"));
}

#[test]
fn a_step_whose_event_cannot_be_written_is_dead_and_blocks_nothing() {
    let mut pipeline = pipeline();
    send(&pipeline, "good", register("ann", "Ann"));
    send(&pipeline, "huge", register("bob", "huge"));
    send(&pipeline, "good-too", register("cleo", "Cleo"));
    pipeline.settle();
    for id in ["good", "good-too"] {
        assert_eq!(answer(&pipeline, id).status, Status::Accepted, "{id}");
    }
    let dead = pipeline.log.committed_records(&pipeline.names().dead);
    assert_eq!(headers::text(&dead[0].headers, headers::KIND), Some(DeadKind::Step.as_str()));
    let open = pipeline.outcomes().iter().all(|it| it.command_id != "huge");
    assert!(open, "its process waits for a redrive");
}

#[test]
fn a_topic_that_takes_less_than_every_topic_must_is_named_and_nothing_is_lost() {
    let mut pipeline = pipeline();
    let events = pipeline.names().events.clone();
    pipeline.log.limit_topic_bytes(&events, 1_000);
    send(&pipeline, "large", post("ann", "c1", &"a".repeat(2_000)));
    let named = (0..200).any(|turn| {
        pipeline.membership(0);
        pipeline.lane(0, turn).trouble.is_some_and(|it| it.contains(&*events) && it.contains("refused"))
    });
    assert!(named, "the fault names the topic");
    pipeline.log.limit_topic_bytes(&events, 1_048_588);
    pipeline.settle();
    assert_eq!(answer(&pipeline, "large").status, Status::Accepted);
}
