//! Random histories: commands of everybody and the steps that follow, in any order, while people go. Naive code says what is
//! refused, and what must hold in the end.

use crate::common;

use std::collections::BTreeMap;

use common::consistent::is_consistent;
use common::model::Model;
use common::*;
use millrace_domain_projects::member::USER;
use millrace_domain_projects::{CommandData, Projects};
use millrace_kernel::{Addressed, Metadata};
use millrace_testkit::tables::Dice;
use millrace_testkit::world::{Answer, World};

const PEOPLE: [&str; 6] = ["ann", "bob", "eve", "ida", "max", "zoe"];

/// The domain, and what naive code makes of its events.
pub struct History {
    pub world: World<Projects>,
    model: Model,
    /// Commands that were sent.
    sent: Vec<String>,
}

impl History {
    /// Everybody is there, and in no team.
    pub fn new(partitions: i32) -> Self {
        let (mut world, mut model) = (World::new(partitions), Model::default());
        for user in PEOPLE {
            world.set_elsewhere(USER, &[user], true);
            model.users.insert(user.to_owned());
        }
        Self { world, model, sent: Vec::new() }
    }

    /// Sends a command, which must be refused for what naive code says, or not.
    pub fn send(&mut self, actor: Option<&str>, expected_version: Option<i64>, command: CommandData) {
        for (_, event) in &self.world.events()[self.model.seen..] {
            self.model.apply(&event.data);
        }
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

    /// Something that somebody does, or a step.
    pub fn act(&mut self, dice: &mut Dice) {
        let pick = |dice: &mut Dice, all: &[&'static str]| all[dice.below(all.len())];
        let (user, other) = (pick(dice, &PEOPLE), pick(dice, &PEOPLE));
        let (team, board) = (pick(dice, &["t", "u"]), pick(dice, &["p", "q", "r"]));
        let (role, card) = (pick(dice, &ROLES), pick(dice, &["a", "b", "c", "d"]));
        let (column, rank) = (pick(dice, &COLUMNS), pick(dice, &["0", "M", "m", "m5"]));
        let command: CommandData = match dice.below(30) {
            0 | 1 => join(user, team, "owner"),
            2 | 3 => join(user, team, role),
            4..=6 => give(board, user, team, role),
            7 | 8 => promote(user, team, role),
            9 => leave(user, team),
            10 | 11 => project(board, user, pick(dice, &["t", "u", ""])).into(),
            12 => to_team(board, pick(dice, &["t", "u", ""])),
            13 => columns(board, [&["todo", "done"][..], &["doing"], &COLUMNS][dice.below(3)]),
            14 if dice.below(3) == 0 => drop_project(board),
            15 | 16 => task(board, card, column, rank),
            17 | 18 => shift(board, card, column, rank),
            19 => rename(board, card, rank),
            20 => drop_task(board, card),
            21 if dice.below(4) == 0 => {
                self.world.set_elsewhere(USER, &[user], false);
                self.model.users.remove(user);
                self.world.react([end_member(user)]);
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
        let actor = match dice.below(5) {
            0 | 1 => None,
            2 => Some(other),
            _ => Some(user),
        };
        let version = self.world.states().get(&command.aggregate_id()).map_or(0, |it| it.version);
        let is_move = matches!(command, CommandData::MoveTask(_));
        let based_on = is_move.then(|| version - i64::from(dice.below(4) == 0));
        self.send(actor, based_on, command);
    }
}

#[test]
fn whatever_the_order_everybody_may_what_they_may_and_lists_agree() {
    let mut codes: BTreeMap<String, usize> = BTreeMap::new();
    let (mut accepted, mut gone) = (0, 0);
    for seed in 0..200_u64 {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9) + 1);
        let mut history = History::new(4);
        for _ in 0..400 {
            history.act(&mut dice);
        }
        history.world.settle();
        for command in &history.sent {
            match history.world.answer(command).expect("it has ended") {
                Answer::Accepted => accepted += 1,
                Answer::Rejected(violations) => {
                    for it in violations {
                        *codes.entry(it.code.clone()).or_default() += 1;
                    }
                }
            }
        }
        gone += PEOPLE.len() - history.model.users.len();
        is_consistent(history.world.states(), &format!("seed {seed}"));
    }
    assert!(
        accepted > 5_000 && gone > 200,
        "the histories are worth their name: {accepted}, {gone}, {codes:?}"
    );
    for code in ["AlreadyExists", "InvalidState", "NotFound", "NotPermitted", "VersionConflict"] {
        assert!(codes.get(code).is_some_and(|count| *count > 100), "{code}: {codes:?}");
    }
}
