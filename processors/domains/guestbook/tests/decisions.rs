//! What the guest book decides, one row for each rejection; its messages, which survive their schema; and the engine, which
//! answers.

use millrace_domain_guestbook::Guestbook;
use millrace_domain_guestbook::messages::commands::Sign;
use millrace_domain_guestbook::messages::events::{EventData, Signed};
use millrace_domain_guestbook::messages::rows::EntriesRow;
use millrace_kernel::{Command, Metadata, NoSettings, Status};
use millrace_runtime::ProcessorSettings;
use millrace_testkit::given::given;
use millrace_testkit::messages::all_round_trip;
use millrace_testkit::pipeline::Pipeline;

fn sign(guest: &str, text: &str) -> Sign {
    Sign { guest_id: guest.into(), text: text.into() }
}

fn signed(guest: &str, text: &str) -> EventData {
    Signed { guest_id: guest.into(), text: text.into() }.into()
}

#[test]
fn a_guest_signs_once() {
    given::<Guestbook>([]).when(sign("ann", "hi")).then_events([signed("ann", "hi")]);
    given::<Guestbook>([signed("bob", "hi")]).when(sign("ann", "hi")).then_events([signed("ann", "hi")]);
    let known = given::<Guestbook>([signed("ann", "hi")]);
    known.when(sign("ann", "again")).then_rejected(&[("AlreadyExists", "guest_id")]);
}

#[test]
fn what_is_malformed_is_refused_with_all_that_is_wrong() {
    let all = [("InvalidArgument", "guest_id"), ("InvalidArgument", "text")];
    given::<Guestbook>([]).when(sign("a/b", " ")).then_rejected(&all);
    given::<Guestbook>([]).when(sign("ann", &"x".repeat(281))).then_rejected(&all[1..]);
    given::<Guestbook>([]).when(sign("ann", "\0")).then_rejected(&all[1..]);
}

#[test]
fn messages_and_states_survive_their_schemas() {
    assert_eq!(all_round_trip::<Guestbook>(), 3, "a command, an event and a state");
}

#[test]
fn the_engine_answers() {
    let mut pipeline = Pipeline::<Guestbook>::new(2, NoSettings {}, ProcessorSettings::default());
    pipeline.start_processor();
    pipeline.start_projectors();
    for id in ["first", "second"] {
        let (metadata, data) = (Metadata::default(), sign("ann", "hi").into());
        pipeline.send(&Command { id: id.into(), metadata, data });
        pipeline.settle();
    }
    let answers: Vec<Status> = pipeline.outcomes().iter().map(|outcome| outcome.status).collect();
    assert_eq!(answers, [Status::Accepted, Status::Rejected], "everybody signs once");
    let rows = pipeline.store.rows(EntriesRow::TABLE);
    assert_eq!(rows[0][..2], ["ann".into(), "hi".into()], "and stands there");
}
