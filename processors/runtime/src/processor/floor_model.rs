//! The window with its floor against a model that remembers everything: no command is accepted twice, and nobody is
//! refused for having waited.

use std::collections::{BTreeMap, BTreeSet};

use millrace_kernel::bookkeeping;
use proptest::prelude::*;

use super::floor::{Floor, Seen};
use super::hashed::Hash;
use super::window::{Known, Window};

const SECOND: i64 = 1_000_000;
const SPAN: i64 = 20 * SECOND;
const MARGIN: i64 = 5 * SECOND;
const BEGIN: i64 = 1_000_000 * SECOND;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A producer appends a command so long after the last one was appended, if that is not in the future.
    New { after: i64, issued_before: i64 },
    /// It appends one of those again that it has appended before, counted from the newest.
    Again { back: usize },
    /// Time passes in which nothing is decided, though commands may come.
    Pass { micros: i64 },
    /// Another owner begins with what the topics hold; retention has taken the answers of all but the
    /// newest so many microseconds.
    Restore { retention: Option<i64> },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after = || prop_oneof![3 => 0..SECOND, 1 => 0..10 * SECOND];
    let lead = prop_oneof![4 => 0..SECOND, 2 => -MARGIN..MARGIN, 1 => 0..60 * SECOND];
    let step = prop_oneof![
        16 => (after(), lead).prop_map(|(after, issued_before)| Step::New { after, issued_before }),
        6 => (0..12_usize).prop_map(|back| Step::Again { back }),
        4 => (0..200_usize).prop_map(|back| Step::Again { back }),
        3 => prop_oneof![0..10 * SECOND, 0..120 * SECOND].prop_map(|micros| Step::Pass { micros }),
        1 => Just(Step::Restore { retention: None }),
    ];
    proptest::collection::vec(step, 1..250)
}

fn losing(steps: Vec<Step>, retention: i64) -> Vec<Step> {
    let lose = |step| match step {
        Step::Restore { .. } => Step::Restore { retention: Some(retention) },
        other => other,
    };
    steps.into_iter().map(lose).collect()
}

/// A partition that does with each command what the engine does, and all that it has done.
struct Partition {
    max_ids: usize,
    window: Window,
    /// What the state topic says.
    topic: Option<bookkeeping::Floor>,
    /// Whether the others who decided here were builds that say nothing.
    is_untold: bool,
    /// All first answers: command and `recorded_at`.
    answers: Vec<(usize, i64)>,
    /// When each command was issued.
    issued: Vec<i64>,
    accepted: BTreeSet<usize>,
    refused: BTreeMap<usize, i64>,
    now: i64,
    appended: i64,
    recorded: i64,
}

fn window(max_ids: usize) -> Window {
    let second = SECOND as u64;
    Window::new(SPAN as u64 / second, max_ids).with_floor(MARGIN as u64 / second)
}

fn id(command: usize) -> String {
    format!("command-{command}")
}

impl Partition {
    fn new(max_ids: usize) -> Self {
        Self {
            max_ids,
            window: window(max_ids),
            // the first batch writes that nothing was forgotten
            topic: Some(bookkeeping::Floor::default()),
            is_untold: false,
            answers: Vec::new(),
            issued: Vec::new(),
            accepted: BTreeSet::new(),
            refused: BTreeMap::new(),
            now: BEGIN,
            appended: BEGIN,
            recorded: BEGIN,
        }
    }

    fn known(&self, command: usize) -> Option<Known> {
        let id = id(command);
        self.window.answer(Hash::of(&id), id.as_bytes(), None).unwrap()
    }

    fn floor(&self) -> &Floor {
        self.window.floor().unwrap()
    }

    /// Decides a command appended at `self.appended`.
    fn take(&mut self, command: usize) -> Result<(), TestCaseError> {
        self.recorded = self.now.max(self.recorded + 1);
        let issued = self.issued[command];
        let is_new = match self.known(command) {
            Some(Known::Answer(_)) => false,
            Some(Known::Past) => true,
            None if issued <= self.floor().record().issued_at => {
                let late = self.appended - issued;
                self.refused.insert(command, late);
                true
            }
            None => {
                prop_assert!(self.accepted.insert(command), "command {} is accepted twice", command);
                true
            }
        };
        let mut seen = Seen::default();
        seen.note(self.appended, Some(issued), self.recorded, MARGIN);
        self.window.begin(&seen, self.recorded);
        if is_new {
            let id = id(command);
            self.window.remember(Hash::of(&id), id.as_bytes(), self.recorded, b"x");
            self.answers.push((command, self.recorded));
        }
        self.window.end();
        if let Some(record) = self.window.floor_mut().and_then(Floor::news) {
            prop_assert!(record.spans.len() <= 64);
            self.topic = Some(record);
        }
        Ok(())
    }

    /// Begins again with what a restore reads.
    fn restore(&mut self, retention: Option<i64>) {
        self.window = window(self.max_ids);
        let floor = self.window.floor_mut().unwrap();
        let record = self.topic.clone().filter(|_| !self.is_untold);
        let since = match record {
            Some(record) => {
                let since = record.recorded_at.min(self.recorded - SPAN);
                floor.take(record);
                since
            }
            None => self.recorded - SPAN - 2 * MARGIN,
        };
        if self.is_untold && self.answers.first().is_some_and(|first| first.1 <= since) {
            floor.lost_before(since + 1);
        }
        let oldest = retention.map_or(0, |retention| self.now - retention);
        if self.answers.first().is_some_and(|first| first.1 < oldest) {
            let first = self.answers.iter().map(|answer| answer.1).find(|at| *at >= oldest);
            floor.lost_before(first.unwrap_or(self.recorded + 1));
        }
        for (command, at) in self.answers.iter().filter(|answer| answer.1 > since && answer.1 >= oldest) {
            let id = id(*command);
            self.window.remember(Hash::of(&id), id.as_bytes(), *at, b"x");
        }
    }

    fn run(&mut self, steps: &[Step]) -> Result<(), TestCaseError> {
        for step in steps {
            match *step {
                Step::New { after, issued_before } => {
                    self.appended = (self.appended + after).min(self.now);
                    self.issued.push(self.appended - issued_before.max(-MARGIN));
                    self.take(self.issued.len() - 1)?;
                }
                Step::Again { back } => {
                    if let Some(command) = self.issued.len().checked_sub(1 + back) {
                        self.take(command)?;
                    }
                }
                Step::Pass { micros } => self.now += micros,
                Step::Restore { retention } => self.restore(retention),
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn nothing_is_taken_twice_and_nobody_is_refused_for_waiting(steps in steps(), max_ids in 1..60_usize) {
        let mut partition = Partition::new(max_ids);
        partition.run(&steps)?;
        for (command, late) in &partition.refused {
            prop_assert!(
                *late >= MARGIN || partition.accepted.contains(command),
                "command {} was issued {} µs before it was appended and is refused", command, late
            );
        }
    }

    #[test]
    fn nothing_is_taken_twice_though_answers_are_lost(
        steps in steps(),
        max_ids in 1..60_usize,
        retention in 0..60 * SECOND,
        is_untold in any::<bool>(),
    ) {
        let mut partition = Partition { is_untold, ..Partition::new(max_ids) };
        partition.run(&losing(steps, retention))?;
    }
}

/// Commands come steadily, one a second.
fn steadily(partition: &mut Partition, seconds: i64) {
    for _ in 0..seconds {
        partition.now += SECOND;
        partition.run(&[Step::New { after: SECOND, issued_before: 0 }]).unwrap();
    }
}

#[test]
fn what_lies_below_the_floor_is_forgotten() {
    let mut partition = Partition::new(1_000);
    steadily(&mut partition, 1_000);
    let kept = (SPAN + 2 * MARGIN) / SECOND;
    assert!(
        (SPAN / SECOND..=kept + kept / 4).contains(&(partition.window.len() as i64)),
        "{}",
        partition.window.len()
    );
    let floor = partition.floor().record();
    let behind = partition.appended - floor.issued_at;
    assert!((SPAN + MARGIN..=SPAN + MARGIN + 4 * SECOND).contains(&behind), "{behind} µs");
}

#[test]
fn a_backlog_is_taken_whole_however_long_it_has_waited() {
    for max_ids in [10, 100_000] {
        let mut partition = Partition::new(max_ids);
        steadily(&mut partition, 100);
        // two hours in which commands come and nobody decides; then all of them at once, and one crash more
        partition.now += 7_200 * SECOND;
        for batch in 0..2 {
            let backlog = vec![Step::New { after: SECOND, issued_before: SECOND }; 3_600];
            partition.run(&backlog).unwrap();
            assert_eq!(partition.refused, BTreeMap::new(), "{max_ids} ids, part {batch}");
            partition.restore(None);
        }
        assert_eq!(partition.accepted.len(), 7_300, "{max_ids} ids");
    }
}

#[test]
fn a_window_full_of_ids_refuses_nobody_whose_clock_is_right() {
    let mut partition = Partition::new(10);
    partition.now += 3_600 * SECOND;
    let burst = vec![Step::New { after: 100, issued_before: 2 * SECOND }; 5_000];
    partition.run(&burst).unwrap();
    assert_eq!((partition.accepted.len(), partition.refused.len()), (5_000, 0));
    // and every one of them is known
    partition.run(&[Step::Again { back: 0 }]).unwrap();
    for back in 0..5_000 {
        partition.run(&[Step::Again { back }]).unwrap();
    }
    assert_eq!(partition.accepted.len(), 5_000);
}

#[test]
fn memory_is_bounded_when_commands_come_too_fast() {
    let mut partition = Partition::new(10);
    steadily(&mut partition, 30);
    let (mut at, mut number) = (partition.recorded, 0);
    let window = &mut partition.window;
    for _ in 0..1_300 {
        // a thousand in a millisecond, each issued when it is appended
        let mut seen = Seen::default();
        seen.note(at, Some(at), at, MARGIN);
        window.begin(&seen, at);
        for _ in 0..1_000 {
            at += 1;
            number += 1_u64;
            window.remember(Hash::of(number.to_le_bytes()), &number.to_le_bytes(), at, b"");
        }
        window.end();
    }
    assert!((850_000..1_200_000).contains(&window.len()), "{}", window.len());
    let floor = window.floor().unwrap().record();
    assert!(floor.issued_at >= at - 1_200_000, "who is not known any more is below the floor: {floor:?}");
    assert!(floor.issued_at < at - 800_000, "and nobody who comes in order: {floor:?}");
}
