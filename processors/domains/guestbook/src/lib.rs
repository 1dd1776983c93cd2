//! A guest book: people sign it, once each.

use millrace_kernel::codes::ALREADY_EXISTS;
use millrace_kernel::{
    Addressed, Command, Domain, Event, NoSettings, NoStep, Projection, Projector, Rejections, Rows, Schemas,
    Stamp, StateReader, Violation, stateless,
};

/// Messages, states and rows, generated from `schemas/guestbook`.
pub mod messages {
    include!(concat!(env!("OUT_DIR"), "/messages.rs"));
}
use messages::commands::CommandData;
use messages::events::{EventData, Signed};
use messages::rows::EntriesRow;
use messages::state::{Entry, State};

/// The domain, as the engine knows it.
pub struct Guestbook;

impl Domain for Guestbook {
    type Command = CommandData;
    type Step = NoStep;
    type Event = EventData;
    type State = State;
    type Settings = NoSettings;
    const NAME: &'static str = "guestbook";
    const SCHEMAS: Schemas = messages::SCHEMAS;

    fn decide(
        states: &impl StateReader<State = State>,
        command: &Command<CommandData>,
        _stamp: Stamp,
    ) -> Result<Vec<EventData>, Rejections> {
        let CommandData::Sign(sign) = &command.data;
        let mut rejections = Rejections::none();
        if rejections.well_formed("guest_id", &sign.guest_id) {
            rejections.require(states.get(&command.data.aggregate_id()).is_none(), || {
                Violation::on(ALREADY_EXISTS, "guest_id", "everybody signs once; who are you?")
            });
        }
        rejections.prose("text", &sign.text);
        rejections.or(|| vec![Signed { guest_id: sign.guest_id.clone(), text: sign.text.clone() }.into()])
    }

    fn evolve(_state: Option<State>, event: &EventData, _recorded_at: i64) -> Option<State> {
        let EventData::Signed(signed) = event;
        Some(State::Entry(Entry { text: signed.text.clone() }))
    }

    fn projections(_settings: &NoSettings) -> Vec<Projection<EventData>> {
        vec![Projection {
            name: "entries",
            views: &[EntriesRow::TABLE],
            revision: "1".to_owned(),
            projector: Box::new(|_partition| stateless(Entries)),
        }]
    }
}

/// A row for each entry.
struct Entries;

impl Projector<EventData> for Entries {
    fn apply(&self, event: &Event<EventData>, rows: &mut Rows<'_>) {
        let EventData::Signed(signed) = &event.data;
        let (guest_id, text) = (signed.guest_id.as_str().into(), signed.text.as_str().into());
        rows.push(EntriesRow { guest_id, text, signed_at: event.recorded_at }.put(event.recorded_at));
    }
}
