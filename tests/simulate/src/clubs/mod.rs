//! Clubs under simulation, which only those can join who are there, and which nobody stays in who goes: both is for another
//! domain to know, which works beside this one and dies as often.

mod model;

use millrace_kernel::{Command, Event, Metadata, NoSettings, Value};
use millrace_testkit::neighbours::clubs_messages::commands::{CommandData, Join};
use millrace_testkit::neighbours::clubs_messages::events::EventData;
use millrace_testkit::neighbours::clubs_messages::state::State;
use millrace_testkit::neighbours::clubs_messages::steps::{EndMemberships, NoteDeparture, StepData};
use millrace_testkit::neighbours::{Clubs, PERSON, people_messages};
use millrace_testkit::pipeline::Pipeline;

use crate::dice::Dice;
use crate::luck::Luck;
use crate::neighbours::{Neighbours, PEOPLE, PeopleBeside, person};
use crate::oracle::world::{Failure, Seen, World};
use crate::plan::Beside;
use crate::workload::{Around, Ask, Broken, Next, Place, Workload};

/// How many clubs there are.
const CLUBS: usize = 3;

/// The workload.
pub struct ClubsWorkload;

fn join(dice: &mut Dice, person_id: String) -> CommandData {
    Join { person_id: person_id.into(), club_id: format!("club-{}", dice.below(CLUBS)).into() }.into()
}

/// What must follow here when somebody goes there.
fn gone(person_id: &str) -> Vec<StepData> {
    let list = format!("list-{}", person_id.len() % 3);
    vec![
        EndMemberships { person_id: person_id.into() }.into(),
        NoteDeparture { list: list.into(), person_id: person_id.into() }.into(),
    ]
}

impl Workload for ClubsWorkload {
    type CommandData = CommandData;
    type StepData = StepData;
    type EventData = EventData;
    type State = State;
    type Settings = NoSettings;
    type Domain = Clubs;
    type Producer = ();
    type Model = model::Book;
    type Rows = ();

    const NAME: &'static str = "clubs";

    fn settings(_: &mut Dice) -> NoSettings {
        NoSettings::default()
    }

    fn producer(_: &mut Dice) {}

    fn command((): &mut (), dice: &mut Dice, n: usize) -> Command<CommandData> {
        // some of them never come
        let who = dice.below(PEOPLE + 2);
        let data = join(dice, person(who));
        Command { id: format!("command-{n}").into(), metadata: Metadata::default(), data }
    }

    fn introduce(_: usize) -> Option<CommandData> {
        None
    }

    fn stray(_: &str) -> Option<CommandData> {
        None
    }

    fn probe(
        _: &Seen<Self>,
        _: &Neighbours<StepData>,
        _: &NoSettings,
        _: &mut Dice,
    ) -> Option<Ask<CommandData>> {
        None
    }

    fn beside(partitions: i32, _: &mut Dice) -> Vec<Beside> {
        vec![Beside { partitions: partitions + 1, ..Beside::of(PERSON.domain) }]
    }

    fn neighbours(pipeline: &Pipeline<Clubs>, beside: &[Beside], luck: &Luck) -> Neighbours<StepData> {
        Neighbours::default().with::<PeopleBeside, _>(pipeline, beside, luck, |event| match &event.data {
            people_messages::events::EventData::PersonRemoved(e) => gone(&e.person_id),
            people_messages::events::EventData::PersonAdded(_) => Vec::new(),
        })
    }

    fn meet(neighbours: &Neighbours<StepData>, dice: &mut Dice) -> Option<Ask<CommandData>> {
        let (_, person_id) = neighbours.came(PERSON.domain).last()?.split_once('/')?;
        Some((Metadata::default(), join(dice, person_id.to_owned())))
    }

    fn routing_key(command: &CommandData) -> &str {
        let CommandData::Join(join) = command;
        &join.person_id
    }

    fn step_key(step: &StepData) -> String {
        match step {
            StepData::EndMemberships(step) => step.person_id.to_string(),
            StepData::NoteDeparture(step) => step.list.to_string(),
        }
    }

    fn failure(_: &CommandData) -> Option<&'static str> {
        None
    }

    fn aggregate(event: &EventData) -> String {
        match event {
            EventData::Joined(event) => format!("Member/{}", event.person_id),
            EventData::MembershipsEnded(event) => format!("Member/{}", event.person_id),
            EventData::DepartureNoted(event) => format!("Departures/{}", event.list),
        }
    }

    fn target(command: &CommandData) -> String {
        format!("Member/{}", Self::routing_key(command))
    }

    fn decide(
        model: &model::Book,
        command: &Command<CommandData>,
        around: &dyn Around,
    ) -> Result<Vec<EventData>, Vec<Broken>> {
        let CommandData::Join(join) = &command.data;
        model.join(join, around)
    }

    fn decide_step(model: &model::Book, step: &StepData) -> Vec<EventData> {
        vec![model.step(step)]
    }

    fn apply(model: &mut model::Book, event: &Event<EventData>) {
        model.apply(&event.data);
    }

    fn next(_: &EventData) -> Next<StepData> {
        Next::Nothing
    }

    fn state(model: &model::Book, aggregate_id: &str) -> Option<State> {
        model.state(aggregate_id)
    }

    fn made_known(_: &EventData) -> Option<String> {
        None
    }

    fn blur(_: &mut EventData) {}

    fn blur_step(_: &mut StepData) {}

    fn families() -> &'static [(&'static str, &'static [&'static str])] {
        &[]
    }

    fn fold((): &mut (), _: &NoSettings, _: i32, _: &Event<EventData>) -> Vec<Place> {
        Vec::new()
    }

    fn row((): &(), _: &Place) -> Option<Vec<Value>> {
        None
    }

    fn look(_: &World<'_, Self>, _: &mut Dice) -> Result<u64, Failure> {
        Ok(0)
    }

    fn judge(_: &World<'_, Self>, _: &mut Dice) -> Result<u64, Failure> {
        Ok(0)
    }
}
