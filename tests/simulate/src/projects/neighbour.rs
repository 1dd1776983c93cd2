//! Teams and projects beside a domain that looks them up.

use millrace_domain_projects::messages::commands::{DeleteMembership, DeleteProject};
use millrace_domain_projects::{CommandData, EventData, Projects};
use millrace_kernel::{Command, Metadata, NoSettings};
use millrace_testkit::pipeline::Pipeline;

use super::{ProjectsWorkload, Suite, consistent, names, producer};
use crate::dice::Dice;
use crate::neighbours::{Neighbour, tables_are_the_fold};
use crate::oracle::world::Failure;
use crate::plan::Beside;
use crate::workload::Workload;

/// [`Projects`] as a neighbour.
pub struct ProjectsBeside;

/// Who asks for something there: at first what others can build on.
pub struct Producer {
    people: producer::Producer,
}

impl ProjectsBeside {
    /// What it is like in one history.
    pub fn setup(dice: &mut Dice) -> Beside {
        Beside {
            partitions: dice.within(1, 4) as i32,
            processors: dice.within(1, 2) as usize,
            projectors: usize::from(dice.per_mille(150)),
            before: if dice.per_mille(850) { dice.within(6, 14) as usize } else { 0 },
            luck: dice.roll(),
            ..Beside::of("projects")
        }
    }
}

impl Neighbour for ProjectsBeside {
    type Domain = Projects;
    type Producer = Producer;

    fn producer(dice: &mut Dice) -> Producer {
        Producer { people: producer::Producer::new(dice) }
    }

    fn command(asking: &mut Producer, dice: &mut Dice, n: usize) -> Command<CommandData> {
        let (user, team, project) = (names::user, names::team, names::project);
        let data = match n {
            1 => producer::join(user(0), team(0), "owner"),
            2 => producer::begin(project(0), user(0), team(0)),
            3 => producer::join(user(1), team(0), "member"),
            4 => producer::join(user(2), team(0), "admin"),
            5 => producer::begin(project(1), user(1), team(0)),
            6 => producer::join_for_project(project(0), user(3), team(0), "member"),
            // teams lose projects and people, and get others
            _ => match dice.below(10) {
                0 => DeleteProject { project_id: project(dice.below(n / 12 + 2)) }.into(),
                1 => producer::to_team(
                    project(dice.below(3)),
                    dice.pick(&[team(0), team(0), "".into()]).clone(),
                ),
                2 => DeleteMembership { team_id: team(0), user_id: user(dice.below(5)) }.into(),
                3 => producer::join(user(dice.below(5)), team(0), ["member", "admin"][dice.below(2)]),
                4 => producer::begin(project(dice.below(n / 12 + 2)), user(0), team(0)),
                _ => return Command { id: format!("ask-{n}").into(), ..asking.people.command(dice, n) },
            },
        };
        Command { id: format!("ask-{n}").into(), metadata: Metadata::default(), data }
    }

    fn made_known(event: &EventData) -> Option<String> {
        ProjectsWorkload::made_known(event)
    }

    fn made_unknown(event: &EventData) -> Option<String> {
        ProjectsWorkload::made_unknown(event)
    }

    fn judge(pipeline: &Pipeline<Projects>) -> Result<(), Failure> {
        let mut suite = Suite::default();
        pipeline.events().iter().for_each(|(_, event)| suite.apply(&event.data));
        consistent::all_agree(&suite)?;
        tables_are_the_fold::<ProjectsWorkload>(pipeline, &NoSettings::default())
    }
}
