//! People, who come and go; whoever wants to know whether somebody is there looks it up.

use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_STATE, NOT_FOUND};
use millrace_kernel::{
    Addressed, Command, Domain, NoSettings, NoStep, Projection, Rejections, Schemas, Stamp, StateReader,
    Violation,
};

use super::people_messages::SCHEMAS;
use super::people_messages::commands::CommandData;
use super::people_messages::events::{EventData, PersonAdded, PersonRemoved};
use super::people_messages::state::{Person, State};

/// The domain that publishes its aggregates.
pub struct People;

impl Domain for People {
    type Command = CommandData;
    type Step = NoStep;
    type Event = EventData;
    type State = State;
    type Settings = NoSettings;
    const NAME: &'static str = "people";
    const SCHEMAS: Schemas = SCHEMAS;

    fn decide(
        states: &impl StateReader<State = State>,
        command: &Command<CommandData>,
        _stamp: Stamp,
    ) -> Result<Vec<EventData>, Rejections> {
        let known = states.get(&command.data.aggregate_id());
        let is_removed = known.as_deref().and_then(State::person).map(|person| person.removed);
        let mut rejections = Rejections::none();
        match (&command.data, is_removed) {
            (CommandData::AddPerson(_), Some(_)) => {
                rejections.push(Violation::on(
                    ALREADY_EXISTS,
                    "person_id",
                    "somebody has this id, or had it",
                ));
            }
            (CommandData::RemovePerson(_), None) => {
                rejections.push(Violation::on(NOT_FOUND, "person_id", "nobody has this id"));
            }
            (CommandData::RemovePerson(_), Some(true)) => {
                rejections.push(Violation::on(INVALID_STATE, "person_id", "they have gone already"));
            }
            (CommandData::AddPerson(_), None) | (CommandData::RemovePerson(_), Some(false)) => {}
        }
        rejections.or(|| match &command.data {
            CommandData::AddPerson(add) => vec![PersonAdded { person_id: add.person_id.clone() }.into()],
            CommandData::RemovePerson(it) => vec![PersonRemoved { person_id: it.person_id.clone() }.into()],
        })
    }

    fn evolve(_state: Option<State>, event: &EventData, _recorded_at: i64) -> Option<State> {
        Some(State::Person(Person { removed: matches!(event, EventData::PersonRemoved(_)) }))
    }

    fn is_visible(state: Option<&State>) -> bool {
        state.and_then(State::person).is_some_and(|person| !person.removed)
    }

    fn projections(_settings: &NoSettings) -> Vec<Projection<EventData>> {
        Vec::new()
    }
}
