//! Fifty people at one board, each with a copy of their own that may be old: no card is ever moved back by somebody who has
//! not seen where it was.
//!
//! The oracle knows no versions. It keeps of each card everything that was ever said of it, and of each person up to which
//! word they have seen that; a move counts exactly if its mover has seen the last one.

use crate::common;

use std::collections::{BTreeMap, VecDeque};

use common::*;
use millrace_domain_projects::board::{Place, shown};
use millrace_domain_projects::member::USER;
use millrace_domain_projects::messages::rows::ProjectBoardRow;
use millrace_domain_projects::{CommandData, EventData, Projects, State, task as tasks};
use millrace_kernel::{Metadata, NoSettings};
use millrace_testkit::tables::{Dice, filled, rows};
use millrace_testkit::world::{Answer, World};

/// How many schedules every run tries; `MILLRACE_TEST_SCHEDULES` says how many else.
const SCHEDULES: u64 = 2_000;
const PEOPLE: usize = 50;
const CARDS: usize = 12;
/// Of which so many are there when everybody looks for the first time.
const AT_FIRST: usize = 8;
const ACTS: usize = 300;

/// What was said of a card.
#[derive(Clone, Debug, PartialEq)]
enum Word {
    Stands(&'static str, String),
    Called(String),
    Gone,
}

/// A command on its way, with what its sender had seen.
struct OnTheWay {
    card: String,
    /// How many words of the card its sender has seen.
    seen: usize,
    word: Word,
    metadata: Metadata,
    command: CommandData,
}

/// Somebody at the board: what they have seen of each card, and what of that the board has told them to expect.
#[derive(Default)]
struct Person {
    seen: BTreeMap<String, (usize, i64)>,
    /// What they have sent and nobody has decided yet, in their order.
    sent: VecDeque<OnTheWay>,
}

struct Table {
    world: World<Projects>,
    said: BTreeMap<String, Vec<Word>>,
    people: Vec<Person>,
    stale: usize,
    accepted: usize,
}

impl Table {
    fn new() -> Self {
        let mut world = World::<Projects>::new(1);
        world.set_elsewhere(USER, &["ann"], true);
        world.command(project("p", "ann", ""));
        let people = (0..PEOPLE).map(|_| Person::default()).collect();
        Self { world, said: BTreeMap::new(), people, stale: 0, accepted: 0 }
    }

    fn version(&self, card: &str) -> i64 {
        self.world.states().get(&tasks::id("p", card)).map_or(0, |it| it.version)
    }

    /// Somebody looks at the board again, or at some cards of it: what they see is of now.
    fn look(&mut self, person: usize, dice: &mut Dice, whole: bool) {
        for (card, said) in &self.said {
            if whole || dice.below(3) == 0 {
                let version = self.world.states().get(&tasks::id("p", card)).map_or(0, |it| it.version);
                self.people[person].seen.insert(card.clone(), (said.len(), version));
            }
        }
    }

    /// Somebody puts a new card on the board.
    fn put(&mut self, person: usize, card: &str, column: &'static str, rank: String) {
        let command = task("p", card, column, &rank);
        let (card, word) = (card.to_owned(), Word::Stands(column, rank));
        let sent = OnTheWay { card, seen: 0, word, metadata: Metadata::default(), command };
        self.people[person].sent.push_back(sent);
    }

    /// Somebody drags, renames, puts or takes off a card, as their copy shows it.
    fn act(&mut self, person: usize, dice: &mut Dice) {
        let card = format!("c{}", dice.below(CARDS));
        let (column, rank) = (COLUMNS[dice.below(3)], format!("{:02}", dice.below(60)));
        let somebody = &self.people[person];
        let known = somebody.seen.get(&card).copied();
        // whoever waits for an answer about a card lets it be
        if somebody.sent.iter().any(|it| it.card == card) {
            return;
        }
        let Some((seen, version)) = known else {
            self.put(person, &card, column, rank);
            return;
        };
        let (command, word, expected) = match dice.below(10) {
            0 => {
                let title = format!("t{rank}");
                (rename("p", &card, &title), Word::Called(title), None)
            }
            1 if dice.below(3) == 0 => (drop_task("p", &card), Word::Gone, Some(version)),
            _ => (shift("p", &card, column, &rank), Word::Stands(column, rank), Some(version)),
        };
        let metadata = Metadata { expected_version: expected, ..Metadata::default() };
        self.people[person].sent.push_back(OnTheWay { card, seen, word, metadata, command });
    }

    /// The first of what somebody has sent arrives.
    fn arrive(&mut self, person: usize) {
        let Some(sent) = self.people[person].sent.pop_front() else { return };
        let OnTheWay { card, seen, word, metadata, command } = sent;
        let said = self.said.entry(card.clone()).or_default();
        let is_gone = said.last() == Some(&Word::Gone);
        // a new name moves nothing, so it may be said of a card whatever has been said of it meanwhile
        let may = match &word {
            Word::Called(_) => !said.is_empty() && !is_gone,
            Word::Stands(..) if metadata.expected_version.is_none() => said.is_empty(),
            _ => seen == said.len() && !is_gone,
        };
        let before = self.world.events().len();
        let id = self.world.send_with(metadata, command.clone());
        match self.world.answer(&id).expect("it is answered") {
            Answer::Accepted => {
                assert!(may, "{command:?} was not based on {said:?}");
                said.push(word);
                self.accepted += 1;
                let so_many = self.said[&card].len();
                let version = self.version(&card);
                self.people[person].seen.insert(card, (so_many, version));
            }
            Answer::Rejected(violations) => {
                assert!(!may, "{command:?} was refused: {violations:?}");
                assert_eq!(self.world.events().len(), before, "what is refused changes nothing");
                self.stale += usize::from(violations[0].code == "VersionConflict");
            }
        }
    }

    /// Where each card is, as it was last said.
    fn places(&self) -> BTreeMap<&str, (&str, &str)> {
        let there = self.said.iter().filter(|(_, said)| said.last() != Some(&Word::Gone));
        there
            .filter_map(|(card, said)| {
                let last = said.iter().rev().find_map(|word| match word {
                    Word::Stands(column, rank) => Some((*column, rank.as_str())),
                    Word::Called(_) | Word::Gone => None,
                });
                Some((card.as_str(), last?))
            })
            .collect()
    }
}

fn schedule(seed: u64) -> (usize, usize) {
    let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
    let mut table = Table::new();
    for card in 0..AT_FIRST {
        table.put(0, &format!("c{card}"), "todo", format!("{card:02}"));
        table.arrive(0);
    }
    for person in 0..PEOPLE {
        table.look(person, &mut dice, true);
    }
    for _ in 0..ACTS {
        let person = dice.below(PEOPLE);
        match dice.below(8) {
            0 => table.look(person, &mut dice, true),
            1 => table.look(person, &mut dice, false),
            2..=4 => table.act(person, &mut dice),
            _ => table.arrive(person),
        }
    }
    for person in 0..PEOPLE {
        while !table.people[person].sent.is_empty() {
            table.arrive(person);
        }
    }
    let places = table.places();
    // the states say so
    for (card, (column, rank)) in &places {
        let state = table.world.state(&tasks::id("p", card)).and_then(State::task).unwrap();
        assert_eq!(
            (&*state.column, &*state.rank, state.deleted),
            (*column, *rank, false),
            "seed {seed}: {card}"
        );
    }
    // and so does the table
    let store = filled::<Projects>(table.world.events(), &NoSettings {}, 1, &mut dice);
    let rows = rows(&store, ProjectBoardRow::TABLE, ProjectBoardRow::from_values);
    let found: BTreeMap<&str, (&str, &str)> =
        rows.iter().map(|row| (&*row.task_id, (&*row.column, &*row.rank))).collect();
    assert_eq!((rows.len(), &found), (places.len(), &places), "seed {seed}");
    // which a page shows column by column
    let cards = rows.iter().map(|it| Place { rank: &it.rank, task_id: &it.task_id, column: &it.column });
    for (column, cards) in shown(&COLUMNS, cards) {
        let mut expected: Vec<_> = places.iter().filter(|(_, (is, _))| *is == column).collect();
        expected.sort_by_key(|(card, (_, rank))| (*rank, **card));
        assert_eq!(cards, expected.iter().map(|(card, _)| **card).collect::<Vec<_>>(), "seed {seed}");
    }
    let moves = table.world.events().iter().filter(|(_, it)| matches!(it.data, EventData::TaskMoved(_)));
    (moves.count(), table.stale)
}

#[test]
fn no_card_is_moved_back_by_who_has_not_seen_it() {
    let count = std::env::var("MILLRACE_TEST_SCHEDULES").ok().map_or(SCHEDULES, |text| text.parse().unwrap());
    let (mut moves, mut stale) = (0, 0);
    for seed in 0..count {
        let (moved, refused) = schedule(seed);
        (moves, stale) = (moves + moved, stale + refused);
    }
    println!("{count} schedules, {moves} moves, {stale} stale ones refused");
    let at_least = usize::try_from(count).unwrap();
    assert!(moves > 10 * at_least && stale > 30 * at_least, "worth their name: {moves} moves, {stale} stale");
}
