//! What teams think of how large something is: the bounded context, pure.
//!
//! `estimation` is the aggregate with what commands ask of it and how its state evolves, `scale` what may be estimated and what
//! a round comes to, `who` what decisions look up in projects. `listing` is what a project knows of its open estimations,
//! `steps` what processes decide about an estimation, `process` how one step leads to the next, `policy` what is done about
//! projects that go. `projections` turns events into rows. The messages, states and rows in `messages` are generated from
//! `schemas/estimation`. There is no broker, database, clock or async in here; the README beside says what the rules are where
//! `domains.md` is silent, and who learns of points and when.

pub mod estimation;
pub mod listing;
pub mod messages;
pub mod policy;
mod process;
pub mod projections;
pub mod scale;
mod steps;
pub mod who;

use millrace_kernel::{
    Command, Domain, FollowUp, NoSettings, Policy, Projection, Published, Rejections, Schemas, Stamp,
    StateReader,
};

pub use messages::{CommandData, EventData, State, StepData};

/// The domain, as the engine knows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimations;

impl Domain for Estimations {
    type Command = CommandData;
    type Step = StepData;
    type Event = EventData;
    type State = State;
    type Settings = NoSettings;

    const NAME: &'static str = "estimation";
    const SCHEMAS: Schemas = messages::SCHEMAS;
    const LOOKUPS_ELSEWHERE: &'static [Published] = &[who::PROJECT_TEAM, who::CONTRIBUTOR, who::MANAGER];

    fn decide(
        states: &impl StateReader<State = State>,
        command: &Command<CommandData>,
        _stamp: Stamp,
    ) -> Result<Vec<EventData>, Rejections> {
        let actor = command.metadata.user_id.as_deref();
        match &command.data {
            CommandData::OpenEstimation(c) => estimation::open(states, actor, c),
            CommandData::SubmitEstimate(c) => estimation::submit(states, actor, c),
            CommandData::CloseEstimation(c) => estimation::close(states, actor, c),
            CommandData::ReopenEstimation(c) => estimation::reopen(states, actor, c),
        }
    }

    fn decide_step(
        states: &impl StateReader<State = State>,
        step: &StepData,
        _stamp: Stamp,
    ) -> Vec<EventData> {
        match step {
            StepData::EnlistEstimation(s) => vec![listing::enlist(states, s)],
            StepData::DelistEstimation(s) => vec![listing::delist(s)],
            StepData::EndProjectEstimations(s) => listing::end(states, &s.project_id).into_iter().collect(),
            StepData::ConcludeEstimation(s) => steps::conclude(states, s).into_iter().collect(),
            StepData::SettleEstimation(s) => steps::settle(states, s).into_iter().collect(),
            StepData::EndEstimation(s) => steps::end(states, s).into_iter().collect(),
        }
    }

    fn evolve(state: Option<State>, event: &EventData, _recorded_at: i64) -> Option<State> {
        match event {
            EventData::EstimationRequested(_)
            | EventData::EstimationRefused(_)
            | EventData::EstimationOpened(_)
            | EventData::EstimateSubmitted(_)
            | EventData::EstimationClosed(_)
            | EventData::EstimationSettled(_)
            | EventData::EstimationReopeningRequested(_)
            | EventData::EstimationReopeningRefused(_)
            | EventData::EstimationReopened(_)
            | EventData::EstimationEnded(_)
            | EventData::EstimationEndingNoted(_) => estimation::evolve(state, event),
            EventData::EstimationEnlisted(_)
            | EventData::EstimationEnlistingRefused(_)
            | EventData::EstimationDelisted(_)
            | EventData::ProjectEstimationsEnded(_) => listing::evolve(state, event),
        }
    }

    fn follow_up(event: &EventData) -> FollowUp<StepData> {
        process::follow_up(event)
    }

    fn policies() -> Vec<Policy<StepData>> {
        vec![Policy::of::<policy::WhatGoes>()]
    }

    fn projections(_settings: &NoSettings) -> Vec<Projection<EventData>> {
        projections::all()
    }
}
