//! What a few users ask of fewer teams and their projects, so that they get in each other's way.

use std::collections::BTreeMap;

use millrace_domain_projects::CommandData;
use millrace_domain_projects::messages::commands::{
    CreateMembership, CreateMembershipForProject, CreateProject, CreateTask, DeleteMembership, DeleteProject,
    DeleteTask, MoveTask, RenameTask, UpdateMembership, UpdateProject,
};
use millrace_kernel::{Command, Metadata, Text};

use super::model::ROLES;
use super::names::{project, team, user};
use crate::dice::Dice;
use crate::identity::USERS;

/// How many cards there may be on a board.
const CARDS: usize = 4;
/// The columns that boards have.
const COLUMNS: [&str; 3] = ["todo", "doing", "done"];
/// Where cards stand in them.
const RANKS: [&str; 4] = ["0", "M", "m", "m5"];

/// What a history's people are like.
pub struct Producer {
    users: usize,
    teams: usize,
    /// How many projects there may be at first; later there are more, as an id stays taken.
    projects: usize,
    /// How often nobody in particular asks, so many times in a thousand commands.
    operators: u32,
    /// How often a project is deleted.
    deletions: u32,
    /// How often something was asked of a card, by project and card.
    cards: BTreeMap<(usize, usize), i64>,
}

fn task(n: usize) -> Text {
    format!("task-{n}").as_str().into()
}

/// Somebody becomes a member of a team, or its first owner.
pub fn join(user_id: Text, team_id: Text, role: &str) -> CommandData {
    CreateMembership { membership_id: "m".into(), team_id, user_id, role: role.into() }.into()
}

/// Somebody becomes a member of a team through a project.
pub fn join_for_project(project_id: Text, user_id: Text, team_id: Text, role: &str) -> CommandData {
    let (membership_id, role) = ("m".into(), role.into());
    CreateMembershipForProject { project_id, membership_id, team_id, user_id, role }.into()
}

/// Somebody begins a project.
pub fn begin(project_id: Text, user_id: Text, team_id: Text) -> CommandData {
    CreateProject {
        project_id,
        name: "Mill race".into(),
        prefix: "MIL".into(),
        description: "".into(),
        user_id,
        team_id,
        active: true,
        public: false,
        column_order: COLUMNS.map(Text::from).to_vec(),
    }
    .into()
}

/// A project goes to a team, or to none.
pub fn to_team(project_id: Text, team_id: Text) -> CommandData {
    let (name, prefix, description, user_id) = (None, None, None, None);
    let (active, public, column_order, team_id) = (None, None, None, Some(team_id));
    UpdateProject { project_id, name, prefix, description, user_id, team_id, active, public, column_order }
        .into()
}

/// A role; hardly ever none that there is.
pub fn role(dice: &mut Dice) -> &'static str {
    if dice.per_mille(20) { "king" } else { dice.pick(&ROLES).0 }
}

/// A column of most boards, and a place in it; hardly ever none that there can be.
pub fn place(dice: &mut Dice) -> (Text, Text) {
    let column = if dice.per_mille(30) { "nowhere" } else { *dice.pick(&COLUMNS) };
    let rank = if dice.per_mille(20) { "a b" } else { *dice.pick(&RANKS) };
    (column.into(), rank.into())
}

impl Producer {
    /// The people of one history.
    pub fn new(dice: &mut Dice) -> Self {
        Self {
            users: dice.within(3, USERS as i64) as usize,
            teams: dice.within(1, 3) as usize,
            projects: dice.within(1, 3) as usize,
            operators: dice.within(200, 800) as u32,
            deletions: if dice.per_mille(500) { 60 } else { 15 },
            cards: BTreeMap::new(),
        }
    }

    /// The next command, which is number `n`.
    pub fn command(&mut self, dice: &mut Dice, n: usize) -> Command<CommandData> {
        let (who, project_number) = (dice.below(self.users), dice.below(self.projects + n / 25));
        let (user_id, team_id) = (user(who), team(dice.below(self.teams)));
        let mut metadata = Metadata::default();
        if !dice.per_mille(self.operators) {
            let is_own = dice.per_mille(700);
            metadata.user_id = Some(if is_own { user_id.clone() } else { user(dice.below(self.users)) });
        }
        if dice.per_mille(30) {
            metadata.expected_version = Some(dice.within(0, 4));
        }
        let project_id = project(project_number);
        // somebody has to begin
        let kind = if dice.below(6) > n { dice.below(30) } else { dice.below(100) };
        let data: CommandData = match kind {
            0..7 => join(user_id, team_id, "owner"),
            7..13 => join(user_id, team_id, role(dice)),
            13..23 => begin(project_id, user_id, self.team(dice, team_id)),
            23..36 => join_for_project(project_id, user_id, team_id, role(dice)),
            36..44 => UpdateMembership { team_id, user_id, role: role(dice).into() }.into(),
            44..52 => DeleteMembership { team_id, user_id }.into(),
            52..58 => self.update(dice, project_id, user_id, team_id, n),
            58..60 if !dice.per_mille(self.deletions * 10) => self.malformed(dice, project_id, user_id),
            58..60 => DeleteProject { project_id }.into(),
            _ => return self.of_card(dice, metadata, project_number, n),
        };
        Command { id: format!("command-{n}").into(), metadata, data }
    }

    /// A team, or none.
    fn team(&self, dice: &mut Dice, team_id: Text) -> Text {
        if dice.per_mille(200) { "".into() } else { team_id }
    }

    fn update(
        &self,
        dice: &mut Dice,
        project_id: Text,
        user_id: Text,
        team_id: Text,
        n: usize,
    ) -> CommandData {
        let some = |dice: &mut Dice| dice.per_mille(300);
        let columns: [&[&str]; 4] = [&["todo", "done"], &["doing"], &COLUMNS, &["todo", "todo"]];
        UpdateProject {
            project_id,
            name: some(dice).then(|| format!("name {n}").as_str().into()),
            prefix: some(dice).then(|| if dice.per_mille(100) { "x" } else { "ABC" }.into()),
            description: some(dice).then(|| if dice.per_mille(300) { "" } else { "more" }.into()),
            user_id: some(dice).then_some(user_id),
            team_id: some(dice).then(|| self.team(dice, team_id)),
            active: some(dice).then(|| dice.per_mille(500)),
            public: some(dice).then(|| dice.per_mille(500)),
            column_order: some(dice).then(|| dice.pick(&columns).iter().map(|it| (*it).into()).collect()),
        }
        .into()
    }

    /// A project about which much is wrong.
    fn malformed(&self, dice: &mut Dice, project_id: Text, user_id: Text) -> CommandData {
        CreateProject {
            project_id,
            name: " ".into(),
            prefix: "abc".into(),
            description: "".into(),
            user_id,
            team_id: team(dice.below(self.teams + 1)),
            active: false,
            public: true,
            column_order: Vec::new(),
        }
        .into()
    }

    fn of_card(
        &mut self,
        dice: &mut Dice,
        mut metadata: Metadata,
        number: usize,
        n: usize,
    ) -> Command<CommandData> {
        let card = dice.below(CARDS);
        let (project_id, task_id, (column, rank)) = (project(number), task(card), place(dice));
        let asked = self.cards.entry((number, card)).or_default();
        let title: Text = if dice.per_mille(30) { " " } else { "Clean the weir" }.into();
        let data: CommandData = match dice.below(40) {
            0..13 => CreateTask { project_id, task_id, title, column, rank }.into(),
            13..30 => {
                // whoever moves a card has seen it some time ago, or says nothing of it
                metadata.expected_version = dice.per_mille(920).then(|| dice.within(1, (*asked).max(1)));
                MoveTask { project_id, task_id, column, rank }.into()
            }
            30..36 => RenameTask { project_id, task_id, title }.into(),
            _ => DeleteTask { project_id, task_id }.into(),
        };
        *asked += 1;
        Command { id: format!("command-{n}").into(), metadata, data }
    }
}
