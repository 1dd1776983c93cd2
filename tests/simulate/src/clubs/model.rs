//! Who is in which club, as a plain fold of events.

use std::collections::BTreeMap;

use millrace_kernel::Text;
use millrace_testkit::neighbours::PERSON;
use millrace_testkit::neighbours::clubs_messages::commands::Join;
use millrace_testkit::neighbours::clubs_messages::events::{
    DepartureNoted, EventData, Joined, MembershipsEnded,
};
use millrace_testkit::neighbours::clubs_messages::state::{Departures, Member, State};
use millrace_testkit::neighbours::clubs_messages::steps::StepData;

use crate::workload::{Around, Broken};

/// Everybody's clubs, and whether they have gone; how many departures each list has.
#[derive(Default)]
pub struct Book {
    members: BTreeMap<Text, (Vec<Text>, bool)>,
    departures: BTreeMap<Text, i64>,
}

impl Book {
    /// What asking to join comes to.
    pub fn join(&self, join: &Join, around: &dyn Around) -> Result<Vec<EventData>, Vec<Broken>> {
        let (clubs, has_gone) = self.members.get(&join.person_id).cloned().unwrap_or_default();
        let is_there = around.knows_elsewhere(PERSON, &format!("Person/{}", join.person_id));
        let mut broken = Vec::new();
        if !is_there || has_gone {
            broken.push(("NotFound".to_owned(), Some("person_id".to_owned())));
        }
        if clubs.contains(&join.club_id) {
            broken.push(("AlreadyExists".to_owned(), Some("club_id".to_owned())));
        }
        if !broken.is_empty() {
            return Err(broken);
        }
        Ok(vec![Joined { person_id: join.person_id.clone(), club_id: join.club_id.clone() }.into()])
    }

    /// What a step comes to.
    pub fn step(&self, step: &StepData) -> EventData {
        match step {
            StepData::EndMemberships(step) => {
                let clubs = self.members.get(&step.person_id).map_or(0, |(clubs, _)| clubs.len() as i32);
                MembershipsEnded { person_id: step.person_id.clone(), clubs }.into()
            }
            StepData::NoteDeparture(step) => {
                DepartureNoted { list: step.list.clone(), person_id: step.person_id.clone() }.into()
            }
        }
    }

    /// Takes in an event.
    pub fn apply(&mut self, event: &EventData) {
        match event {
            EventData::Joined(event) => {
                self.members.entry(event.person_id.clone()).or_default().0.push(event.club_id.clone());
            }
            EventData::MembershipsEnded(event) => {
                self.members.insert(event.person_id.clone(), (Vec::new(), true));
            }
            EventData::DepartureNoted(event) => {
                *self.departures.entry(event.list.clone()).or_default() += 1;
            }
        }
    }

    /// The state of an aggregate, if it has one.
    pub fn state(&self, aggregate_id: &str) -> Option<State> {
        let (kind, id) = aggregate_id.split_once('/')?;
        if kind == "Departures" {
            return self.departures.get(id).map(|count| State::Departures(Departures { count: *count }));
        }
        let (clubs, has_gone) = self.members.get(id)?.clone();
        Some(State::Member(Member { clubs, has_gone }))
    }
}
