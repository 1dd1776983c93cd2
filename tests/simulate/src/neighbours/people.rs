//! People, who come and go, beside clubs.

use millrace_kernel::{Command, Metadata};
use millrace_testkit::neighbours::People;
use millrace_testkit::neighbours::people_messages::commands::{AddPerson, CommandData, RemovePerson};
use millrace_testkit::neighbours::people_messages::events::EventData;

use super::Neighbour;
use crate::dice::Dice;

/// How many people there are at most.
pub const PEOPLE: usize = 24;

/// The name of a person.
#[must_use]
pub fn person(n: usize) -> String {
    format!("person-{n}")
}

/// [`People`] as a neighbour.
pub struct PeopleBeside;

impl Neighbour for PeopleBeside {
    type Domain = People;
    type Producer = ();

    fn producer(_: &mut Dice) {}

    fn command((): &mut (), dice: &mut Dice, n: usize) -> Command<CommandData> {
        let id = person(dice.below(PEOPLE));
        let data: CommandData = match dice.below(4) {
            0 => RemovePerson { person_id: id.into() }.into(),
            _ => AddPerson { person_id: id.into() }.into(),
        };
        Command { id: format!("ask-{n}").into(), metadata: Metadata::default(), data }
    }

    fn made_known(event: &EventData) -> Option<String> {
        match event {
            EventData::PersonAdded(e) => Some(format!("Person/{}", e.person_id)),
            EventData::PersonRemoved(_) => None,
        }
    }

    fn made_unknown(event: &EventData) -> Option<String> {
        match event {
            EventData::PersonRemoved(e) => Some(format!("Person/{}", e.person_id)),
            EventData::PersonAdded(_) => None,
        }
    }
}
