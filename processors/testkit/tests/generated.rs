//! What is generated from schemas that use all there is, and a domain that has as little as can be.

use std::borrow::Cow;

use bytes::Bytes;
use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_ARGUMENT};
use millrace_kernel::{
    Addressed, Command, Domain, Event, Lengths, Limited, Metadata, NoSettings, Personal, Projection,
    Projector, Rejections, Rows, Sample, Samples, Schemas, Secret, Seed, Stamp, StateData, StateReader,
    Status, Text, Violation, id, stateless,
};
use millrace_ports::Log;
use millrace_runtime::ProcessorSettings;
use millrace_testkit::given::given;
use millrace_testkit::messages::all_round_trip;
use millrace_testkit::pipeline::Pipeline;

// what a domain does not use of all this is not what is tried here
#[allow(dead_code)]
mod guestbook {
    include!(concat!(env!("OUT_DIR"), "/guestbook.rs"));
}
#[allow(dead_code)]
mod shop {
    include!(concat!(env!("OUT_DIR"), "/shop.rs"));
}

use guestbook::commands::{CommandData, Place, Sign};
use guestbook::events::{EventData, Signed};
use guestbook::state::{Entry, State};

/// A domain without steps, settings and look-ups: all that its author has to write.
struct GuestBook;

impl Domain for GuestBook {
    type Command = CommandData;
    type Step = guestbook::steps::StepData;
    type Event = EventData;
    type State = State;
    type Settings = NoSettings;
    const NAME: &'static str = "guestbook";
    const SCHEMAS: Schemas = guestbook::SCHEMAS;
    const REVISION: i32 = 3;

    fn decide(
        states: &impl StateReader<State = State>,
        command: &Command<CommandData>,
        _: Stamp,
    ) -> Result<Vec<EventData>, Rejections> {
        let CommandData::Sign(sign) = &command.data;
        let mut rejections = Rejections::none();
        if id::is_valid(&sign.guest_id) {
            rejections.require(states.get(&command.data.aggregate_id()).is_none(), || {
                Violation::on(ALREADY_EXISTS, "guest_id", "everybody signs once; come back another year")
            });
        }
        rejections.or(|| vec![Signed { guest_id: sign.guest_id.clone(), text: sign.text.clone() }.into()])
    }

    fn evolve(_: Option<State>, event: &EventData, _: i64) -> Option<State> {
        let EventData::Signed(signed) = event;
        Some(State::Entry(Entry { text: signed.text.open().into() }))
    }

    fn projections(_: &NoSettings) -> Vec<Projection<EventData>> {
        vec![Projection {
            name: "entries",
            views: &[guestbook::rows::EntriesRow::TABLE],
            revision: "1".to_owned(),
            projector: Box::new(|_| stateless(Entries)),
        }]
    }
}

struct Entries;

impl Projector<EventData> for Entries {
    fn apply(&self, event: &Event<EventData>, rows: &mut Rows<'_>) {
        let EventData::Signed(signed) = &event.data;
        let row = guestbook::rows::EntriesRow {
            guest_id: signed.guest_id.as_str().into(),
            text: signed.text.open().into(),
        };
        rows.push(row.put(event.recorded_at));
    }
}

fn sign(guest: &str, text: &str) -> Sign {
    let from = Place { town: "Ulm".into(), country: None };
    Sign { guest_id: guest.into(), text: text.into(), from, with: Vec::new() }
}

fn signed(guest: &str, text: &str) -> EventData {
    Signed { guest_id: guest.into(), text: text.into() }.into()
}

#[test]
fn all_round_trips() {
    assert_eq!(all_round_trip::<GuestBook>(), 1 + 1 + 1, "a command, an event and a kind of state; no step");
}

#[test]
fn every_text_of_a_command_has_its_limit_in_characters() {
    let just = "ä".repeat(20);
    given::<GuestBook>([]).when(sign("ann", &just)).then_events([signed("ann", &just)]);
    given::<GuestBook>([]).when(sign("ann", &"ä".repeat(21))).then_rejected(&[(INVALID_ARGUMENT, "text")]);
    given::<GuestBook>([]).when(sign(&"a".repeat(65), "")).then_rejected(&[(INVALID_ARGUMENT, "guest_id")]);
    let mut all = sign("ann", &"x".repeat(21));
    all.from = Place { town: "x".repeat(11).into(), country: Some("xxx".into()) };
    all.with = vec!["y".repeat(64).into(), "y".repeat(65).into(), "z".repeat(65).into()];
    given::<GuestBook>([signed("ann", "hi")]).when(all).then_rejected(&[
        (ALREADY_EXISTS, "guest_id"),
        (INVALID_ARGUMENT, "text"),
        (INVALID_ARGUMENT, "from.town"),
        (INVALID_ARGUMENT, "from.country"),
        (INVALID_ARGUMENT, "with"),
    ]);
}

/// The topic of steps is neither made nor missed; a crash changes nothing.
#[test]
fn a_domain_without_steps_runs_without_their_topic() {
    let mut pipeline = Pipeline::<GuestBook>::new(2, NoSettings {}, ProcessorSettings::default());
    let names = pipeline.names().apart();
    assert!(pipeline.log.partitions(&names.steps).is_err(), "nobody has made it");
    pipeline.start_processor();
    pipeline.start_projectors();
    for (number, guest) in ["ann", "bob", "ann"].into_iter().enumerate() {
        let data = sign(guest, "hi").into();
        pipeline.send(&Command { id: format!("c{number}").into(), metadata: Metadata::default(), data });
        pipeline.settle();
        pipeline.kill(0);
        pipeline.start_processor();
    }
    pipeline.send_raw(&names.commands, Some(Bytes::from("x")), None);
    pipeline.settle();
    let mut answers: Vec<(Text, Status, Option<Text>)> =
        pipeline.outcomes().into_iter().map(|it| (it.command_id, it.status, it.failure)).collect();
    answers.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [
        ("c0", Status::Accepted, None),
        ("c1", Status::Accepted, None),
        ("c2", Status::Rejected, Some("SigningFailed".into())),
    ];
    assert_eq!(answers, expected.map(|(id, status, failure)| (id.into(), status, failure)));
    assert_eq!(pipeline.log.committed_records(&names.dead).len(), 1);
    assert!(pipeline.log.partitions(&names.steps).is_err(), "still not");
}

#[test]
fn an_event_with_all_fields_of_a_step_makes_it() {
    use shop::{events, steps};
    let mut seed = Seed::new(3);
    for _ in 0..50 {
        let ordered = events::Ordered::sample(&mut seed);
        let pack = steps::Pack::from(&ordered);
        let of = |value: serde_json::Value| {
            let mut value = value;
            value.as_object_mut().unwrap().remove("gift");
            value
        };
        assert_eq!(serde_json::to_value(&pack).unwrap(), of(serde_json::to_value(&ordered).unwrap()));
    }
}

#[test]
fn a_key_may_be_told_in_lower_case() {
    let order = order("AnN");
    let order: shop::commands::CommandData = order.into();
    assert_eq!(order.aggregate_id().as_str(), "Basket/ann/o1");
    assert_eq!(order.routing_key(), "ann");
    let plain: CommandData = sign("AnN", "").into();
    assert!(matches!(plain.routing_key(), Cow::Borrowed("AnN")), "nothing is allocated for it");
    assert_eq!(shop::state::State::LOOKUPS, ["Basket"]);
    assert!(shop::SCHEMAS.lookup.is_some() && shop::SCHEMAS.steps.is_some());
    assert_eq!(shop::steps::StepData::samples(&mut Seed::new(1)).len(), 2);
}

fn order(customer: &str) -> shop::commands::Order {
    shop::commands::Order {
        order_id: "o1".into(),
        customer: customer.into(),
        address: vec!["Elm Street".into(), "Ulm".into()],
        card: Some("4000 0000 0000 0002".into()),
    }
}

/// A state says by which fold it was made, a record of the engine's by none.
#[test]
fn states_have_the_revision_of_the_domain() {
    let mut pipeline = Pipeline::<GuestBook>::new(1, NoSettings {}, ProcessorSettings::default());
    pipeline.start_processor();
    let data = sign("ann", "hi").into();
    pipeline.send(&Command { id: "c1".into(), metadata: Metadata::default(), data });
    pipeline.settle();
    let records = pipeline.log.committed_records(&pipeline.names().state);
    let states = records.iter().filter_map(|record| record.value.as_deref());
    let revisions: Vec<i32> = states
        .map(|value| State::revision(&pipeline.codecs().state.decode(value).expect("it is a state")))
        .collect();
    assert_eq!(revisions, [GuestBook::REVISION]);
}

/// What belongs to a person and what is secret is text on the wire, and in no line that somebody prints.
#[test]
fn texts_that_are_not_for_everybody_are_wrapped() {
    let order = order("ann");
    let shown = format!("{order:?}");
    for hidden in ["Elm Street", "Ulm", "4000"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    assert!(shown.contains("ann") && shown.contains("(personal)") && shown.contains("(secret)"), "{shown}");
    assert_eq!(order.address[1], Personal::from("Ulm"));
    assert_eq!(order.card.as_ref().map(Secret::open), Some("4000 0000 0000 0002"));
    let json = serde_json::json!({
        "order_id": "o1", "customer": "ann", "address": ["Elm Street", "Ulm"], "card": "4000 0000 0000 0002",
    });
    assert_eq!(serde_json::to_value(&order).unwrap(), json);
    for schema in [shop::SCHEMAS.commands, shop::SCHEMAS.events, guestbook::SCHEMAS.commands] {
        assert!(!schema.contains("personal\"") && !schema.contains("secret\""), "{schema}");
    }
    // the text is measured, not what hides it
    let mut lengths = Lengths::default();
    let mut long = order;
    long.address.push("x".repeat(31).into());
    long.card = Some("x".repeat(20).into());
    shop::commands::CommandData::from(long).measure(&mut lengths);
    assert_eq!(lengths.longer(), ["address", "card"]);
}
