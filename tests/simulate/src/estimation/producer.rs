//! What people of a few teams ask about a few estimations.

use millrace_domain_estimation::CommandData;
use millrace_domain_estimation::messages::commands::{
    CloseEstimation, OpenEstimation, ReopenEstimation, SubmitEstimate,
};
use millrace_kernel::{Command, Metadata, Text};

use super::model::SCALES;
use crate::dice::Dice;
use crate::projects::names::{project, team, user};

/// How many there are of each at most.
const PROJECTS: usize = 3;
const TEAMS: usize = 2;

/// What a history's people are like.
pub struct Producer {
    members: usize,
    /// How many estimations there are at first; later there are more, as an id stays taken.
    estimations: usize,
    /// How often nobody in particular asks, so many times in a thousand commands.
    operators: u32,
}

/// The estimation of this number: of which project and team it is follows from that, as everybody knows it.
fn estimation(n: usize) -> Text {
    format!("estimation-{n}").as_str().into()
}

/// Something of a scale; hardly ever not.
pub fn points(dice: &mut Dice) -> i64 {
    // 2 and 3 are on most of them, so that most of what is said can be
    match dice.below(20) {
        0 => 4_000,
        1..10 => 2,
        _ => {
            let (_, values) = *dice.pick(&SCALES);
            *dice.pick(values)
        }
    }
}

/// Somebody says how large it is.
pub fn say(
    estimation_id: &Text,
    project_id: &Text,
    team_id: &Text,
    member_id: Text,
    points: i64,
) -> CommandData {
    let (estimation_id, project_id, team_id) = (estimation_id.clone(), project_id.clone(), team_id.clone());
    SubmitEstimate { estimation_id, project_id, team_id, member_id, points }.into()
}

/// Something is to be estimated.
pub fn open(estimation_id: Text, project_id: Text, team_id: Text, dice: &mut Dice) -> CommandData {
    let title = if dice.per_mille(30) { " " } else { "The weir" }.into();
    let scale = if dice.per_mille(30) { "2,1" } else { dice.pick(&SCALES).0 }.into();
    OpenEstimation { estimation_id, project_id, team_id, title, scale }.into()
}

impl Producer {
    /// The people of one history.
    pub fn new(dice: &mut Dice) -> Self {
        Self {
            members: dice.within(3, 6) as usize,
            estimations: dice.within(1, 4) as usize,
            operators: dice.within(300, 900) as u32,
        }
    }

    /// The next command, which is number `n`.
    pub fn command(&self, dice: &mut Dice, n: usize) -> Command<CommandData> {
        let number = dice.below(self.estimations + n / 20);
        let estimation_id = estimation(number);
        // mostly what others ask as well
        let own = dice.per_mille(930);
        let project_id = project(if own { number % PROJECTS } else { dice.below(PROJECTS + 1) });
        let team_id = team(if own { 0 } else { dice.below(TEAMS) });
        let member_id = user(dice.below(self.members));
        let mut metadata = Metadata::default();
        if !dice.per_mille(self.operators) {
            let is_own = dice.per_mille(800);
            metadata.user_id = Some(if is_own { member_id.clone() } else { user(dice.below(self.members)) });
        }
        if dice.per_mille(40) {
            metadata.expected_version = Some(dice.within(0, 8));
        }
        let data: CommandData = match dice.below(20) {
            _ if dice.below(4) > n => open(estimation_id, project_id, team_id, dice),
            0..4 => open(estimation_id, project_id, team_id, dice),
            4..13 => say(&estimation_id, &project_id, &team_id, member_id, points(dice)),
            13..17 => CloseEstimation { estimation_id, project_id, team_id }.into(),
            _ => ReopenEstimation { estimation_id, project_id, team_id }.into(),
        };
        Command { id: format!("command-{n}").into(), metadata, data }
    }
}
