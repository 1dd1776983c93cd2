//! Random histories: commands of everybody and the steps that follow, in any order, while people and projects go. Naive code
//! says what is refused, what a round comes to, and what must hold in the end.

use crate::common;

use std::collections::BTreeMap;

use common::consistent::is_consistent;
use common::model::{Model, SCALES};
use common::*;
use millrace_domain_estimation::{CommandData, Estimations, who};
use millrace_kernel::{Addressed, Metadata};
use millrace_testkit::tables::Dice;
use millrace_testkit::world::{Answer, World};

/// How many random histories every run tries; `MILLRACE_TEST_HISTORIES` says how many else.
pub fn histories(usual: u64) -> u64 {
    std::env::var("MILLRACE_TEST_HISTORIES").ok().map_or(usual, |text| text.parse().unwrap())
}

const PEOPLE: [&str; 5] = ["ann", "bob", "eve", "ida", "max"];
const TEAMS: [&str; 2] = ["t", "u"];
const PROJECTS: [&str; 4] = ["p", "q", "r", "s"];
const ESTIMATIONS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// The domain, and what naive code makes of its events.
pub struct History {
    pub world: World<Estimations>,
    model: Model,
    /// Commands that were sent.
    sent: Vec<String>,
    /// Projects that were deleted.
    pub deleted: Vec<&'static str>,
}

impl History {
    /// Most are members of team `t`, some of `u`; each team has two projects.
    pub fn new(partitions: i32) -> Self {
        let (world, model) = (World::new(partitions), Model::default());
        let mut history = Self { world, model, sent: Vec::new(), deleted: Vec::new() };
        for (at, user) in PEOPLE.into_iter().enumerate() {
            history.rank(user, "t", at < 4, at < 2);
            history.rank(user, "u", at > 2, at > 3);
        }
        for (at, project) in PROJECTS.into_iter().enumerate() {
            history.hand(project, Some(TEAMS[at % 2]));
        }
        history
    }

    /// From now on somebody may estimate, or manage, or not.
    fn rank(&mut self, user: &str, team: &str, contributes: bool, manages: bool) {
        self.world.set_elsewhere(who::CONTRIBUTOR, &[user, team], contributes);
        self.world.set_elsewhere(who::MANAGER, &[user, team], manages);
        let key = (user.to_owned(), team.to_owned());
        for (all, is_in) in [(&mut self.model.contributors, contributes), (&mut self.model.managers, manages)]
        {
            match is_in {
                true => all.insert(key.clone()),
                false => all.remove(&key),
            };
        }
    }

    /// From now on this team works on a project, or there is none.
    fn hand(&mut self, project: &'static str, team: Option<&str>) {
        for other in TEAMS {
            self.world.set_elsewhere(who::PROJECT_TEAM, &[project, other], Some(other) == team);
        }
        match team {
            Some(team) => {
                self.model.teams.insert(project.to_owned(), team.to_owned());
            }
            None => {
                self.model.teams.remove(project);
                self.deleted.push(project);
                self.world.react([end_project(project)]);
            }
        }
    }

    /// Sends a command, which must be refused for what naive code says, or not.
    pub fn send(&mut self, actor: Option<&str>, expected_version: Option<i64>, command: CommandData) {
        self.catch_up();
        let expected = self.model.expects(&command, actor, expected_version);
        let metadata = Metadata { user_id: actor.map(Into::into), expected_version, ..Metadata::default() };
        let said = format!("{actor:?} {command:?}");
        let id = self.world.send_with(metadata, command);
        let answer = self.world.answer(&id);
        if expected.is_empty() {
            assert!(!matches!(answer, Some(Answer::Rejected(_))), "{said}: {answer:?}");
        } else {
            assert_eq!(answer.map(reasons), Some(expected), "{said}");
        }
        self.sent.push(id);
    }

    fn catch_up(&mut self) {
        for (_, event) in &self.world.events()[self.model.seen..] {
            self.model.apply(&event.data);
        }
    }

    /// Something that somebody does, or a step.
    pub fn act(&mut self, dice: &mut Dice) {
        let pick = |dice: &mut Dice, all: &[&'static str]| all[dice.below(all.len())];
        let (user, other) = (pick(dice, &PEOPLE), pick(dice, &PEOPLE));
        let at = dice.below(PROJECTS.len());
        // mostly the team that works on it at first
        let team = TEAMS[(at + usize::from(dice.below(8) == 0)) % 2];
        let (id, project) = (pick(dice, &ESTIMATIONS), PROJECTS[at]);
        // mostly the project of which it is
        let known = self.world.state(&millrace_domain_estimation::estimation::id(id));
        let known = known.and_then(millrace_domain_estimation::State::estimation);
        let is_meant = dice.below(10) > 0;
        let of = match known.filter(|_| is_meant) {
            Some(it) => (it.project_id.to_string(), it.team_id.to_string()),
            None => (project.to_owned(), team.to_owned()),
        };
        let scale = known.map_or("fibonacci".to_owned(), |it| it.scale.to_string());
        let of = (id, &*of.0, &*of.1);
        let command: CommandData = match dice.below(24) {
            0..=2 => open_on(id, project, team, SCALES[dice.below(SCALES.len())].0),
            3..=10 => {
                let points = SCALES.iter().find(|(name, _)| *name == scale).map_or(&[1_i64][..], |it| it.1);
                let points = if dice.below(12) == 0 { 7 } else { points[dice.below(points.len())] };
                submit(of, user, points)
            }
            11 | 12 => close(of),
            13 | 14 => reopen(of),
            15 if dice.below(4) == 0 => {
                let manages = dice.below(3) == 0;
                return self.rank(user, team, manages || dice.below(2) == 0, manages);
            }
            16 if dice.below(12) == 0 => {
                let is_there = !self.deleted.contains(&project);
                if is_there {
                    self.hand(project, Some(team).filter(|_| dice.below(3) == 0));
                }
                return;
            }
            _ => {
                if !self.world.pending().is_empty() {
                    let index = dice.below(self.world.pending().len());
                    self.world.run_step(index, false);
                }
                return;
            }
        };
        self.world.tick(1_000);
        let actor = match dice.below(6) {
            0 | 1 => None,
            2 => Some(other),
            _ => Some(user),
        };
        let version = self.world.states().get(&command.aggregate_id()).map_or(0, |it| it.version);
        let based_on = (dice.below(6) == 0).then(|| version - i64::from(version > 0 && dice.below(3) == 0));
        // 0 is as good where there is nothing any more
        let based_on = based_on.filter(|it| *it > 0);
        self.send(actor, based_on, command);
    }
}

#[test]
fn whatever_the_order_everybody_may_what_they_may_and_lists_agree() {
    let mut codes: BTreeMap<String, usize> = BTreeMap::new();
    let (mut accepted, mut gone, mut turned) = (0, 0, 0);
    let count = histories(200);
    for seed in 0..count {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9) + 1);
        let mut history = History::new(4);
        for _ in 0..400 {
            history.act(&mut dice);
        }
        history.world.settle();
        history.catch_up();
        for command in &history.sent {
            match history.world.answer(command).expect("it has ended") {
                Answer::Accepted => accepted += 1,
                Answer::Rejected(violations) => {
                    for it in violations {
                        let field = it.field.as_deref().unwrap_or_default();
                        *codes.entry(format!("{}({field})", it.code)).or_default() += 1;
                    }
                }
            }
        }
        gone += history.deleted.len();
        let is_closed = |data: &_| matches!(data, millrace_domain_estimation::EventData::EstimationClosed(_));
        turned += history.world.events().iter().filter(|(_, it)| is_closed(&it.data)).count();
        is_consistent(history.world.states(), &format!("seed {seed}"));
    }
    let each = usize::try_from(count).unwrap();
    assert!(
        accepted > 20 * each && gone > each / 2 && turned > each,
        "the histories are worth their name: {accepted}, {gone}, {turned}, {codes:?}"
    );
    for reason in [
        "AlreadyExists(estimation_id)",
        "InvalidArgument(points)",
        "InvalidState(estimates)",
        "InvalidState(estimation_id)",
        "InvalidState(project_id)",
        "NotFound(estimation_id)",
        "NotFound(member_id)",
        "NotFound(project_id)",
        "NotPermitted(metadata.user_id)",
        "VersionConflict(metadata.expected_version)",
    ] {
        assert!(codes.get(reason).is_some_and(|count| *count > each / 20), "{reason}: {codes:?}");
    }
}
