//! Estimations under simulation, beside projects, which says who may and which project ends, and identity, which says who there
//! is: three domains on one log, each with processes that die.

mod blind;
mod model;
mod probe;
mod producer;
mod rows;

use std::collections::BTreeMap;

use millrace_domain_estimation::messages::steps::{
    ConcludeEstimation, DelistEstimation, EndEstimation, EndProjectEstimations, EnlistEstimation,
    SettleEstimation,
};
use millrace_domain_estimation::{CommandData, Estimations, EventData, State, StepData};
use millrace_domain_projects::EventData as OfProjects;
use millrace_kernel::{Command, Event, NoSettings, Text, Value, Violation};
use millrace_testkit::pipeline::Pipeline;

use self::model::Rounds;
use crate::dice::Dice;
use crate::holds;
use crate::identity::IdentityBeside;
use crate::luck::Luck;
use crate::neighbours::Neighbours;
use crate::oracle::world::{Failure, Seen, World};
use crate::plan::Beside;
use crate::projects::ProjectsBeside;
use crate::workload::{Around, Ask, Broken, Next, Place, Workload};

/// The workload.
pub struct EstimationWorkload;

fn enlist(project_id: &Text, estimation_id: &Text, is_first: bool) -> Next<StepData> {
    let (project_id, estimation_id) = (project_id.clone(), estimation_id.clone());
    Next::Steps(vec![EnlistEstimation { project_id, estimation_id, is_first }.into()])
}

fn conclude(estimation_id: &Text, violations: &[Violation]) -> Next<StepData> {
    let (estimation_id, violations) = (estimation_id.clone(), violations.to_vec());
    Next::Steps(vec![ConcludeEstimation { estimation_id, violations }.into()])
}

fn refused(violations: &[Violation]) -> Next<StepData> {
    Next::Rejected(violations.iter().map(|it| (it.code.clone(), it.field.clone())).collect())
}

/// What must follow here when something happens in projects.
fn of_projects(event: &Event<OfProjects>) -> Vec<StepData> {
    match &event.data {
        OfProjects::ProjectDeleted(e) => {
            vec![EndProjectEstimations { project_id: e.project_id.clone() }.into()]
        }
        _ => Vec::new(),
    }
}

impl Workload for EstimationWorkload {
    type CommandData = CommandData;
    type StepData = StepData;
    type EventData = EventData;
    type State = State;
    type Settings = NoSettings;
    type Domain = Estimations;
    type Producer = producer::Producer;
    type Model = Rounds;
    type Rows = rows::Rows;

    const NAME: &'static str = "estimation";

    fn settings(_: &mut Dice) -> NoSettings {
        NoSettings::default()
    }

    fn producer(dice: &mut Dice) -> producer::Producer {
        producer::Producer::new(dice)
    }

    fn command(producer: &mut producer::Producer, dice: &mut Dice, n: usize) -> Command<CommandData> {
        producer.command(dice, n)
    }

    fn introduce(_: usize) -> Option<CommandData> {
        None
    }

    fn stray(_: &str) -> Option<CommandData> {
        None
    }

    fn probe(
        seen: &Seen<Self>,
        neighbours: &Neighbours<StepData>,
        _: &NoSettings,
        dice: &mut Dice,
    ) -> Option<Ask<CommandData>> {
        probe::probe(seen, neighbours, dice)
    }

    fn beside(_: i32, dice: &mut Dice) -> Vec<Beside> {
        vec![IdentityBeside::setup(dice), ProjectsBeside::setup(dice)]
    }

    fn neighbours(pipeline: &Pipeline<Estimations>, beside: &[Beside], luck: &Luck) -> Neighbours<StepData> {
        Neighbours::default()
            .with::<IdentityBeside, _>(pipeline, beside, luck, |_| Vec::new())
            .with::<ProjectsBeside, _>(pipeline, beside, luck, of_projects)
    }

    fn meet(neighbours: &Neighbours<StepData>, dice: &mut Dice) -> Option<Ask<CommandData>> {
        probe::meet(neighbours, dice)
    }

    fn routing_key(command: &CommandData) -> &str {
        match command {
            CommandData::OpenEstimation(c) => &c.estimation_id,
            CommandData::SubmitEstimate(c) => &c.estimation_id,
            CommandData::CloseEstimation(c) => &c.estimation_id,
            CommandData::ReopenEstimation(c) => &c.estimation_id,
        }
    }

    fn step_key(step: &StepData) -> String {
        let key = match step {
            StepData::EnlistEstimation(s) => &s.project_id,
            StepData::DelistEstimation(s) => &s.project_id,
            StepData::EndProjectEstimations(s) => &s.project_id,
            StepData::ConcludeEstimation(s) => &s.estimation_id,
            StepData::SettleEstimation(s) => &s.estimation_id,
            StepData::EndEstimation(s) => &s.estimation_id,
        };
        key.to_string()
    }

    fn failure(command: &CommandData) -> Option<&'static str> {
        Some(match command {
            CommandData::OpenEstimation(_) => "EstimationOpeningFailed",
            CommandData::SubmitEstimate(_) => "EstimateSubmissionFailed",
            CommandData::CloseEstimation(_) => "EstimationClosingFailed",
            CommandData::ReopenEstimation(_) => "EstimationReopeningFailed",
        })
    }

    fn aggregate(event: &EventData) -> String {
        let estimation = |id: &str| format!("Estimation/{id}");
        let of_project = |id: &str| format!("ProjectEstimations/{id}");
        match event {
            EventData::EstimationRequested(e) => estimation(&e.estimation_id),
            EventData::EstimationRefused(e) => estimation(&e.estimation_id),
            EventData::EstimationOpened(e) => estimation(&e.estimation_id),
            EventData::EstimateSubmitted(e) => estimation(&e.estimation_id),
            EventData::EstimationClosed(e) => estimation(&e.estimation_id),
            EventData::EstimationSettled(e) => estimation(&e.estimation_id),
            EventData::EstimationReopeningRequested(e) => estimation(&e.estimation_id),
            EventData::EstimationReopeningRefused(e) => estimation(&e.estimation_id),
            EventData::EstimationReopened(e) => estimation(&e.estimation_id),
            EventData::EstimationEnded(e) => estimation(&e.estimation_id),
            EventData::EstimationEndingNoted(e) => estimation(&e.estimation_id),
            EventData::EstimationEnlisted(e) => of_project(&e.project_id),
            EventData::EstimationEnlistingRefused(e) => of_project(&e.project_id),
            EventData::EstimationDelisted(e) => of_project(&e.project_id),
            EventData::ProjectEstimationsEnded(e) => of_project(&e.project_id),
        }
    }

    fn target(command: &CommandData) -> String {
        format!("Estimation/{}", Self::routing_key(command))
    }

    fn decide(
        model: &Rounds,
        command: &Command<CommandData>,
        around: &dyn Around,
    ) -> Result<Vec<EventData>, Vec<Broken>> {
        model.decide(command, around)
    }

    fn decide_step(model: &Rounds, step: &StepData) -> Vec<EventData> {
        model.decide_step(step)
    }

    fn apply(model: &mut Rounds, event: &Event<EventData>) {
        model.apply(&event.data);
    }

    fn next(event: &EventData) -> Next<StepData> {
        match event {
            EventData::EstimationRequested(e) => enlist(&e.project_id, &e.estimation_id, true),
            EventData::EstimationReopeningRequested(e) => enlist(&e.project_id, &e.estimation_id, false),
            EventData::EstimationEnlisted(e) => conclude(&e.estimation_id, &[]),
            EventData::EstimationEnlistingRefused(e) => conclude(&e.estimation_id, &e.violations),
            EventData::EstimationClosed(e) => {
                let (project_id, estimation_id) = (e.project_id.clone(), e.estimation_id.clone());
                Next::Steps(vec![DelistEstimation { project_id, estimation_id }.into()])
            }
            EventData::EstimationDelisted(e) => {
                Next::Steps(vec![SettleEstimation { estimation_id: e.estimation_id.clone() }.into()])
            }
            EventData::EstimationOpened(_)
            | EventData::EstimationReopened(_)
            | EventData::EstimationSettled(_) => Next::Accepted,
            EventData::EstimationRefused(e) => refused(&e.violations),
            EventData::EstimationReopeningRefused(e) => refused(&e.violations),
            EventData::ProjectEstimationsEnded(e) if !e.estimation_ids.is_empty() => {
                let end = |estimation_id: &Text| {
                    let (estimation_id, project_id) = (estimation_id.clone(), e.project_id.clone());
                    EndEstimation { estimation_id, project_id }.into()
                };
                Next::Steps(e.estimation_ids.iter().map(end).collect())
            }
            EventData::ProjectEstimationsEnded(_)
            | EventData::EstimateSubmitted(_)
            | EventData::EstimationEnded(_)
            | EventData::EstimationEndingNoted(_) => Next::Nothing,
        }
    }

    fn state(model: &Rounds, aggregate_id: &str) -> Option<State> {
        model.state(aggregate_id)
    }

    fn made_known(_: &EventData) -> Option<String> {
        None
    }

    fn blur(event: &mut EventData) {
        match event {
            EventData::EstimationRefused(e) => no_words(&mut e.violations),
            EventData::EstimationReopeningRefused(e) => no_words(&mut e.violations),
            EventData::EstimationEnlistingRefused(e) => no_words(&mut e.violations),
            _ => {}
        }
    }

    fn blur_step(step: &mut StepData) {
        if let StepData::ConcludeEstimation(s) = step {
            no_words(&mut s.violations);
        }
    }

    fn families() -> &'static [(&'static str, &'static [&'static str])] {
        &[
            ("estimation.estimations", &["estimations_by_project", "estimates"]),
            ("estimation.own_estimates", &["my_estimates"]),
        ]
    }

    fn fold(rows: &mut rows::Rows, _: &NoSettings, _: i32, event: &Event<EventData>) -> Vec<Place> {
        rows.fold(event)
    }

    fn row(rows: &rows::Rows, place: &Place) -> Option<Vec<Value>> {
        rows.row(place)
    }

    fn look(world: &World<'_, Self>, _: &mut Dice) -> Result<u64, Failure> {
        blind::look(world).map(|()| 0)
    }

    fn judge(world: &World<'_, Self>, _: &mut Dice) -> Result<u64, Failure> {
        blind::look(world)?;
        let mut rounds = Rounds::default();
        for (_, seen) in world.partitions() {
            seen.events.iter().for_each(|(_, event)| rounds.apply(&event.data));
        }
        all_agree(&rounds)?;
        for (_, event) in world.neighbours.happened() {
            for step in &event.steps {
                let StepData::EndProjectEstimations(step) = step else { continue };
                let has_ended = rounds.lists.get(&step.project_id).is_some_and(|list| list.ended);
                holds!(has_ended, "a project that was deleted has ended here", "{event:?}");
            }
        }
        Ok(0)
    }
}

/// At rest projects know what is open and nothing else, nothing is on its way, and of what is not open nobody knows what was said.
fn all_agree(rounds: &Rounds) -> Result<(), Failure> {
    let mut open: Vec<(&Text, &Text)> = Vec::new();
    let mut counts: BTreeMap<&Text, i32> = BTreeMap::new();
    for (id, it) in &rounds.estimations {
        let is_at_rest = ["OPEN", "CLOSED", "ENDED"].contains(&it.status.as_str());
        holds!(is_at_rest, "estimations are at rest", "{id}: {it:?}");
        *counts.entry(&it.project_id).or_default() += 1;
        if it.status == "OPEN" {
            holds!(!it.is_over, "no estimation outlives its project", "{id}: {it:?}");
            open.push((&it.project_id, id));
        } else {
            holds!(it.estimates.is_empty(), "what was said is kept while it is open", "{id}: {it:?}");
        }
    }
    let listed = rounds.lists.iter();
    let listed =
        listed.flat_map(|(project_id, list)| list.estimation_ids.iter().map(move |id| (project_id, id)));
    let mut listed: Vec<(&Text, &Text)> = listed.collect();
    open.sort();
    listed.sort();
    holds!(listed == open, "projects know what is open", "{listed:?}, expected {open:?}");
    for (project_id, list) in &rounds.lists {
        let count = counts.remove(project_id).unwrap_or(0);
        // what was refused at its end because the project had ended is counted, and has left nothing else
        let is_right = list.opened == count || list.ended && list.opened > count;
        holds!(is_right, "projects count their estimations", "{project_id}: {list:?}, there are {count}");
        let is_left = list.ended && !list.estimation_ids.is_empty();
        holds!(!is_left, "estimations end with their project", "{project_id}: {list:?}");
    }
    holds!(counts.is_empty(), "a project knows of its estimations", "{counts:?}");
    Ok(())
}

fn no_words(violations: &mut [Violation]) {
    violations.iter_mut().for_each(|violation| violation.message.clear());
}
