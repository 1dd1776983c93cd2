//! Clubs, which only those can join who are there, and which nobody stays in who goes.

use millrace_kernel::codes::{ALREADY_EXISTS, NOT_FOUND};
use millrace_kernel::{
    Command, Domain, Event, NoSettings, Policy, Projection, Published, Reaction, Rejections, Schemas, Stamp,
    StateReader, Violation,
};

use super::clubs_messages::SCHEMAS;
use super::clubs_messages::commands::CommandData;
use super::clubs_messages::events::{DepartureNoted, EventData, Joined, MembershipsEnded};
use super::clubs_messages::state::{Departures, Member, State};
use super::clubs_messages::steps::{EndMemberships, NoteDeparture, StepData};
use super::people_events;

/// What people publishes.
pub const PERSON: Published = Published::of("people", "Person");

/// In which list a departure is noted: few, so that people of all partitions meet there.
const LISTS: usize = 3;

/// The domain that looks up what another publishes, and reacts to what happens there.
pub struct Clubs;

/// Who goes is in no club any more.
pub struct WhoGoes;

impl Reaction for WhoGoes {
    type Event = people_events::events::EventData;
    type Step = StepData;
    const DOMAIN: &'static str = people_events::DOMAIN;
    const SCHEMA: &'static str = people_events::SCHEMA;

    fn react(event: &Event<people_events::events::EventData>) -> Vec<StepData> {
        let people_events::events::EventData::PersonRemoved(removed) = &event.data;
        let list = format!("list-{}", removed.person_id.len() % LISTS);
        vec![
            EndMemberships { person_id: removed.person_id.clone() }.into(),
            NoteDeparture { list: list.into(), person_id: removed.person_id.clone() }.into(),
        ]
    }
}

fn member(states: &impl StateReader<State = State>, person_id: &str) -> Member {
    let found = states.get(&millrace_kernel::AggregateId::new("Member", &[person_id]));
    let known = found.as_deref().and_then(State::member).cloned();
    known.unwrap_or(Member { clubs: Vec::new(), has_gone: false })
}

impl Domain for Clubs {
    type Command = CommandData;
    type Step = StepData;
    type Event = EventData;
    type State = State;
    type Settings = NoSettings;
    const NAME: &'static str = "clubs";
    const SCHEMAS: Schemas = SCHEMAS;
    const LOOKUPS_ELSEWHERE: &'static [Published] = &[PERSON];

    fn decide(
        states: &impl StateReader<State = State>,
        command: &Command<CommandData>,
        _stamp: Stamp,
    ) -> Result<Vec<EventData>, Rejections> {
        let CommandData::Join(join) = &command.data;
        let member = member(states, &join.person_id);
        let mut rejections = Rejections::none();
        let is_there = states.exists_elsewhere(PERSON, &[&join.person_id]);
        rejections.require(is_there && !member.has_gone, || {
            Violation::on(NOT_FOUND, "person_id", "there is nobody of this id")
        });
        rejections.require(!member.clubs.contains(&join.club_id), || {
            Violation::on(ALREADY_EXISTS, "club_id", "they are in this club already")
        });
        rejections
            .or(|| vec![Joined { person_id: join.person_id.clone(), club_id: join.club_id.clone() }.into()])
    }

    fn decide_step(
        states: &impl StateReader<State = State>,
        step: &StepData,
        _stamp: Stamp,
    ) -> Vec<EventData> {
        match step {
            StepData::EndMemberships(step) => {
                let clubs = i32::try_from(member(states, &step.person_id).clubs.len()).unwrap_or(i32::MAX);
                vec![MembershipsEnded { person_id: step.person_id.clone(), clubs }.into()]
            }
            StepData::NoteDeparture(step) => {
                let (list, person_id) = (step.list.clone(), step.person_id.clone());
                vec![DepartureNoted { list, person_id }.into()]
            }
        }
    }

    fn evolve(state: Option<State>, event: &EventData, _recorded_at: i64) -> Option<State> {
        let member = state.as_ref().and_then(State::member).cloned();
        Some(match event {
            EventData::Joined(joined) => {
                let mut clubs = member.map(|member| member.clubs).unwrap_or_default();
                clubs.push(joined.club_id.clone());
                State::Member(Member { clubs, has_gone: false })
            }
            EventData::MembershipsEnded(_) => State::Member(Member { clubs: Vec::new(), has_gone: true }),
            EventData::DepartureNoted(_) => {
                let before = state.as_ref().and_then(State::departures).map_or(0, |list| list.count);
                State::Departures(Departures { count: before + 1 })
            }
        })
    }

    fn policies() -> Vec<Policy<StepData>> {
        vec![Policy::of::<WhoGoes>()]
    }

    fn projections(_settings: &NoSettings) -> Vec<Projection<EventData>> {
        Vec::new()
    }
}
