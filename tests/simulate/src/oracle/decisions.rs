//! Every command and step decided once more, by naive code, in the order in which they were committed.
//!
//! The log says in which order commands came, and in which order steps; how the two were mixed is
//! told by the times of what came of them, which rise within a partition.

use std::collections::{BTreeMap, VecDeque};

use millrace_kernel::{
    Command, Digest, Domain, Named, Outcome, Position, Status, Step, Text, Version, Violation, codes,
};

use super::around::Seeing;
use super::world::{At, Diary, Failure, Partition, World};
use crate::holds;
use crate::lives::Lives;
use crate::workload::{Broken, Next, Workload};

/// Why a command is answered without a decision.
const UNDECIDED: [&str; 4] = [codes::MISROUTED, codes::POISONED, codes::SKIPPED, codes::EXPIRED];

/// What the answer to a command must say of it.
struct Asked {
    command_type: &'static str,
    failure: Option<&'static str>,
    digest: Digest,
}

/// What a partition remembers of a command it has answered.
struct Answered {
    command_id: String,
    at: i64,
}

/// What is known at the end of a history.
pub struct Judged<W: Workload> {
    /// The state of everything.
    pub model: W::Model,
}

/// Judges all decisions.
///
/// # Errors
/// What does not hold.
pub fn judge<W: Workload>(world: &World<'_, W>) -> Result<Judged<W>, Failure> {
    let mut model = W::Model::default();
    let lives = lives(world);
    for (number, seen) in world.partitions() {
        let replay = Replay {
            world,
            number,
            seen,
            lives: &lives,
            model: &mut model,
            versions: BTreeMap::new(),
            answered: Vec::new(),
            newest: 0,
            open: BTreeMap::new(),
            answers: Answers::of(seen),
            expected: BTreeMap::new(),
            came: BTreeMap::new(),
            asked: BTreeMap::new(),
            events: events_by_cause(seen),
            taken_steps: BTreeMap::new(),
        };
        replay.run()?;
    }
    Ok(Judged { model })
}

/// When what others look up here was there.
fn lives<W: Workload>(world: &World<'_, W>) -> Lives {
    let mut lives = world.diary.lookups.clone();
    for (number, seen) in world.partitions() {
        for (offset, event) in &seen.events {
            let act = || Diary::visible(&world.diary.events[number as usize], *offset);
            if let Some(id) = W::made_known(&event.data) {
                lives.turned(&id, event.version, true, act());
            }
            if let Some(id) = W::made_unknown(&event.data) {
                lives.turned(&id, event.version, false, act());
            }
        }
    }
    lives
}

/// Indices of events, by topic of the cause (`true` = steps) and its offset.
fn events_by_cause<W: Workload>(seen: &Partition<W>) -> BTreeMap<(bool, i64), Vec<usize>> {
    let mut found: BTreeMap<(bool, i64), Vec<usize>> = BTreeMap::new();
    for (index, (_, event)) in seen.events.iter().enumerate() {
        found.entry((event.is_caused_by_step(), event.command_offset)).or_default().push(index);
    }
    found
}

/// The outcomes of a partition, by command.
struct Answers<'a> {
    first: BTreeMap<&'a str, VecDeque<&'a At<Outcome>>>,
    again: BTreeMap<&'a str, usize>,
    /// All of them, each of which answers one sending: both stand in one order.
    all: BTreeMap<&'a str, Vec<&'a At<Outcome>>>,
}

impl<'a> Answers<'a> {
    fn of<W: Workload>(seen: &'a Partition<W>) -> Self {
        let mut answers = Self { first: BTreeMap::new(), again: BTreeMap::new(), all: BTreeMap::new() };
        for at in &seen.outcomes {
            answers.all.entry(&at.1.command_id).or_default().push(at);
            if at.1.duplicate {
                *answers.again.entry(&at.1.command_id).or_default() += 1;
            } else {
                answers.first.entry(&at.1.command_id).or_default().push_back(at);
            }
        }
        answers
    }
}

struct Replay<'a, W: Workload> {
    world: &'a World<'a, W>,
    number: i32,
    seen: &'a Partition<W>,
    lives: &'a Lives,
    model: &'a mut W::Model,
    versions: BTreeMap<String, i64>,
    answered: Vec<Answered>,
    /// The newest time of the partition so far.
    newest: i64,
    /// Commands whose process has not ended, with how many more answers are due.
    open: BTreeMap<String, usize>,
    answers: Answers<'a>,
    /// How many repeated answers are due for a command.
    expected: BTreeMap<String, usize>,
    /// How often each id has come.
    came: BTreeMap<String, usize>,
    /// What was decided last under each id.
    asked: BTreeMap<String, Asked>,
    events: BTreeMap<(bool, i64), Vec<usize>>,
    /// Steps by who wrote them and in which place, with where they stood first.
    taken_steps: BTreeMap<Source, i64>,
}

/// Who wrote a step, and in which place.
type Source = (Option<Text>, i32, i64);

fn source_of<S>(step: &Step<S>) -> Source {
    (step.source.domain.clone(), step.source.partition, step.source.sequence)
}

/// The next of one kind of input, and when it was decided; `None` when that left no trace.
type Turn<T> = Option<(i64, T, Option<i64>)>;

impl<W: Workload> Replay<'_, W> {
    fn run(mut self) -> Result<(), Failure> {
        let (mut commands, mut steps) = (0, 0);
        loop {
            let command = self.seen.commands.get(commands).map(|(offset, command)| {
                let at = self.time_of(false, *offset).or_else(|| self.time_of_rejection(command));
                (*offset, command, at)
            });
            let step =
                self.seen.steps.get(steps).map(|(offset, step)| (*offset, step, self.time_of(true, *offset)));
            if is_first(&command, &step) || self.waits(steps, &command) {
                let Some((offset, command, _)) = command else { break };
                self.command(command, offset)?;
                commands += 1;
            } else {
                let Some((offset, step, _)) = step else { break };
                self.step(step, offset)?;
                steps += 1;
            }
        }
        self.end()
    }

    /// Whether the step at this place, which has left no trace, was decided behind the command that is next: something would
    /// have come of it before. All that is known of when it was decided is which steps came before and behind it.
    fn waits(&self, place: usize, command: &Turn<&Command<W::CommandData>>) -> bool {
        let time = |at: usize| self.seen.steps.get(at).map(|(offset, _)| self.time_of(true, *offset));
        let (Some(None), Some((_, _, at))) = (time(place), command) else { return false };
        let (_, step) = &self.seen.steps[place];
        if self.taken_steps.contains_key(&source_of(step))
            || W::decide_step(self.model, &step.data).is_empty()
        {
            return false;
        }
        let next = (place..).map_while(time).flatten().next();
        at.zip(next).is_none_or(|(at, next)| at < next)
    }

    fn time_of(&self, is_step: bool, offset: i64) -> Option<i64> {
        let first = self.events.get(&(is_step, offset))?.first()?;
        Some(self.seen.events[*first].1.recorded_at)
    }

    /// A command that left no event was rejected at the time of its answer, unless that repeats another.
    fn time_of_rejection(&self, command: &Command<W::CommandData>) -> Option<i64> {
        let (_, outcome) = self.answer_to_this(&command.id)?;
        (!outcome.duplicate).then_some(outcome.recorded_at)
    }

    /// The answer to the sending of an id that is at hand.
    fn answer_to_this(&self, command_id: &str) -> Option<&At<Outcome>> {
        let came = self.came.get(command_id).copied().unwrap_or(0);
        self.answers.all.get(command_id)?.get(came).copied()
    }

    /// Whether the id is one that the partition must know.
    fn is_repeated(&self, command_id: &str) -> bool {
        self.open.contains_key(command_id) || self.is_remembered(command_id)
    }

    fn is_remembered(&self, command_id: &str) -> bool {
        let newest_first = self.answered.iter().rev().take(self.world.setup.window_ids);
        let span = self.world.setup.window_seconds as i64 * 1_000_000;
        let mut recent = newest_first.take_while(|answer| answer.at >= self.newest - span);
        recent.any(|answer| answer.command_id == command_id)
    }

    fn command(&mut self, command: &Command<W::CommandData>, offset: i64) -> Result<(), Failure> {
        let id = command.id.as_str();
        let number = self.number;
        let shown = || format!("partition {number} offset {offset}: {command:?}");
        let left_events = self.events.contains_key(&(false, offset));
        let answer = self.answer_to_this(id).cloned();
        *self.came.entry(id.to_owned()).or_default() += 1;
        if self.is_repeated(id) {
            holds!(!left_events, "a repeated id changes nothing", "{}", shown());
            match self.open.get_mut(id) {
                Some(waiting) => *waiting += 1,
                None => *self.expected.entry(id.to_owned()).or_default() += 1,
            }
            return Ok(());
        }
        let was_known = self.answered.iter().any(|answer| answer.command_id == id);
        if was_known && answer.as_ref().is_some_and(|(_, outcome)| outcome.duplicate) && !left_events {
            // older than the window, and remembered all the same: the window is the least there is
            *self.expected.entry(id.to_owned()).or_default() += 1;
            return Ok(());
        }
        holds!(answer.is_some(), "every command is answered", "{}", shown());
        let asked = Asked {
            command_type: command.data.name(),
            failure: W::failure(&command.data),
            digest: Digest::of(&command.data),
        };
        self.asked.insert(id.to_owned(), asked);
        if <W::Domain as Domain>::REFUSES_EXPIRED {
            let issued_at = command.metadata.issued_at;
            if let Some(violation) = answer.as_ref().and_then(expired) {
                let appended = self.world.diary.appended.get(&(number, offset)).copied().unwrap_or(0);
                let latest = appended - self.world.setup.margin_seconds as i64 * 1_000_000;
                let is_early = issued_at.is_some_and(|at| at <= latest);
                holds!(was_known || is_early, "nobody is refused for having waited", "{}", shown());
                holds!(!left_events, "what has expired changes nothing", "{}", shown());
                return self.answer(id, &[(violation.code.clone(), violation.field.clone())], &shown());
            }
            holds!(!was_known || issued_at.is_none(), "nothing is done twice", "{}", shown());
        }
        let foretold = self.foretell(command, offset, answer.as_ref());
        let events = self.take_events(false, offset, foretold.as_deref().unwrap_or_default(), &shown())?;
        match foretold {
            Err(broken) => self.answer(id, &broken, &shown()),
            Ok(_) => match self.ending(&events) {
                Ending::None | Ending::Accepted => self.answer(id, &[], &shown()),
                Ending::Rejected(broken) => self.answer(id, &broken, &shown()),
                Ending::Open => {
                    self.open.insert(id.to_owned(), 0);
                    Ok(())
                }
            },
        }
    }

    fn foretell(
        &self,
        command: &Command<W::CommandData>,
        offset: i64,
        answer: Option<&At<Outcome>>,
    ) -> Result<Vec<W::EventData>, Vec<Broken>> {
        if let Some(expected) = command.metadata.expected_version {
            let target = W::target(&command.data);
            let version = self.versions.get(&target).copied().unwrap_or(0);
            let is_absent = W::state(self.model, &target).is_none();
            if expected != version && !(expected == 0 && is_absent) {
                let field = "metadata.expected_version".to_owned();
                return Err(vec![("VersionConflict".to_owned(), Some(field))]);
            }
        }
        let number = self.number as usize;
        let diary = &self.world.diary;
        let left = self.left(offset);
        let answered =
            answer.map_or(usize::MAX, |(offset, _)| Diary::visible(&diary.outcomes[number], *offset));
        // a process has left its events long before it is answered
        let decided = left.first().map_or(usize::MAX, |(at, _)| Diary::visible(&diary.events[number], *at));
        let sent = diary.sent.get(&(self.number, offset)).copied().unwrap_or(0);
        let mut around = Seeing::new(self.lives, self.world.neighbours, sent, decided.min(answered));
        let is_it = |foretold: &Result<Vec<W::EventData>, Vec<Broken>>| match foretold {
            Ok(events) => blurred::<W>(left.iter().map(|(_, event)| *event)) == blurred::<W>(events),
            Err(broken) => {
                left.is_empty() && answer.is_some_and(|(_, outcome)| broken_of(outcome) == *broken)
            }
        };
        let foretold = W::decide(self.model, command, &around);
        if is_it(&foretold) {
            return foretold;
        }
        // where either answer of a look-up is right, what has come of it says which one it was
        while around.answers_otherwise() {
            let other = W::decide(self.model, command, &around);
            if is_it(&other) {
                return other;
            }
        }
        foretold
    }

    /// The events that the command at `offset` has left, and where they stand.
    fn left(&self, offset: i64) -> Vec<(i64, &W::EventData)> {
        let indices = self.events.get(&(false, offset)).map(Vec::as_slice).unwrap_or_default();
        let at = |index: &usize| (self.seen.events[*index].0, &self.seen.events[*index].1.data);
        indices.iter().map(at).collect()
    }

    fn step(&mut self, step: &Step<W::StepData>, offset: i64) -> Result<(), Failure> {
        let number = self.number;
        let shown = || format!("partition {number} offset {offset}: {step:?}");
        if let Some(first) = self.taken_steps.insert(source_of(step), offset) {
            let again = self.events.contains_key(&(true, offset));
            holds!(!again, "a repeated step changes nothing", "first at {first}: {}", shown());
            return Ok(());
        }
        let foretold = W::decide_step(self.model, &step.data);
        let events = self.take_events(true, offset, &foretold, &shown())?;
        // nobody waits for what another domain's event has set in motion
        let Some(process) = &step.process else { return Ok(()) };
        let command = process.command_id.as_str();
        match self.ending(&events) {
            Ending::None | Ending::Open => Ok(()),
            Ending::Accepted => self.close(command, &[], &shown()),
            Ending::Rejected(broken) => self.close(command, &broken, &shown()),
        }
    }

    /// The events that a message has left, which must be those foretold.
    fn take_events(
        &mut self,
        is_step: bool,
        offset: i64,
        foretold: &[W::EventData],
        shown: &str,
    ) -> Result<Vec<W::EventData>, Failure> {
        let indices = self.events.get(&(is_step, offset)).cloned().unwrap_or_default();
        let found = blurred::<W>(indices.iter().map(|index| &self.seen.events[*index].1.data));
        let foretold = blurred::<W>(foretold);
        holds!(
            found == foretold,
            "events are what was foretold",
            "{shown} left {found:?}, foretold {foretold:?}"
        );
        for index in indices {
            let event = &self.seen.events[index].1;
            W::apply(self.model, event);
            self.versions.insert(event.aggregate_id.to_string(), event.version);
            self.newest = self.newest.max(event.recorded_at);
        }
        Ok(found)
    }

    fn ending(&self, events: &[W::EventData]) -> Ending {
        let mut ending = Ending::None;
        for event in events {
            match W::next(event) {
                Next::Nothing => {}
                Next::Steps(_) => ending = Ending::Open,
                Next::Accepted => ending = Ending::Accepted,
                Next::Rejected(broken) => ending = Ending::Rejected(broken),
            }
        }
        ending
    }

    /// A process has ended: all who have waited are answered.
    fn close(&mut self, command_id: &str, broken: &[Broken], shown: &str) -> Result<(), Failure> {
        let waiting = self.open.remove(command_id);
        holds!(waiting.is_some(), "a process ends where it began", "{shown}");
        *self.expected.entry(command_id.to_owned()).or_default() += waiting.unwrap_or(0);
        self.answer(command_id, broken, shown)
    }

    /// The first answer of a command, which must be as foretold.
    fn answer(&mut self, command_id: &str, broken: &[Broken], shown: &str) -> Result<(), Failure> {
        let next = self.answers.first.get_mut(command_id).and_then(VecDeque::pop_front);
        let Some((_, outcome)) = next else {
            return Err(Failure::new("every command is answered", shown));
        };
        let expected = if broken.is_empty() { Status::Accepted } else { Status::Rejected };
        let found = broken_of(outcome);
        holds!(
            outcome.status == expected && found == broken,
            "the answer is the one foretold",
            "{shown}: {:?} {found:?}, foretold {expected:?} {broken:?}",
            outcome.status
        );
        let is_for = |codes: &[&str]| broken.iter().any(|(code, _)| codes.contains(&code.as_str()));
        let asked = self.asked.get(command_id);
        let must = (
            asked.map(|it| it.command_type),
            asked.and_then(|it| it.failure).filter(|_| !broken.is_empty() && !is_for(&UNDECIDED)),
            asked.map(|it| it.digest).filter(|_| !is_for(&[codes::EXPIRED])),
        );
        let says = (outcome.command_type.as_deref(), outcome.failure.as_deref(), outcome.digest);
        holds!(says == must, "an answer says what was asked", "{shown}: {says:?}, must be {must:?}");
        self.newest = self.newest.max(outcome.recorded_at);
        self.answered.push(Answered { command_id: command_id.to_owned(), at: outcome.recorded_at });
        Ok(())
    }

    fn end(self) -> Result<(), Failure> {
        let number = self.number;
        holds!(self.open.is_empty(), "every process ends", "partition {number}: {:?}", self.open);
        for (id, left) in &self.answers.first {
            holds!(left.is_empty(), "no command is answered twice", "partition {number}: {left:?}");
            let again = self.answers.again.get(id).copied().unwrap_or(0);
            let expected = self.expected.get(*id).copied().unwrap_or(0);
            holds!(
                again == expected,
                "every sending is answered once",
                "partition {number}: {id} has {again} repeated answers, {expected} are due"
            );
        }
        positions(self.world, self.seen)
    }
}

enum Ending {
    None,
    Open,
    Accepted,
    Rejected(Vec<Broken>),
}

fn is_first<A, B>(a: &Turn<A>, b: &Turn<B>) -> bool {
    match (a, b) {
        // what left no trace changed nothing, so it may as well come first
        (Some((_, _, None)), _) | (Some(_), None) | (None, None) => true,
        (None, Some(_)) | (Some(_), Some((_, _, None))) => false,
        (Some((_, _, Some(a))), Some((_, _, Some(b)))) => a < b,
    }
}

/// The rules that an answer says were broken.
fn broken_of(outcome: &Outcome) -> Vec<Broken> {
    outcome.violations.iter().map(|v| (v.code.clone(), v.field.clone())).collect()
}

/// Events without what is for people to read.
fn blurred<'a, W: Workload>(events: impl IntoIterator<Item = &'a W::EventData>) -> Vec<W::EventData> {
    let mut events: Vec<W::EventData> = events.into_iter().cloned().collect();
    events.iter_mut().for_each(W::blur);
    events
}

/// Why a command has expired, if its answer says so.
fn expired(at: &At<Outcome>) -> Option<&Violation> {
    let first = at.1.violations.first().filter(|_| !at.1.duplicate);
    first.filter(|violation| violation.code == codes::EXPIRED)
}

/// Answers name the newest versions that their command has made, and where to wait for them; a
/// repeated answer is the first one again.
fn positions<W: Workload>(world: &World<'_, W>, seen: &Partition<W>) -> Result<(), Failure> {
    let names = world.pipeline.names();
    let mut firsts: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for (_, outcome) in seen.outcomes.iter().filter(|(_, outcome)| !outcome.duplicate) {
        firsts.entry(&outcome.command_id).or_default().push(outcome);
    }
    for (_, outcome) in &seen.outcomes {
        let first = firsts.get(outcome.command_id.as_str()).map(Vec::as_slice).unwrap_or_default();
        // an id that was forgotten and decided again has several
        let [first] = first else { continue };
        if outcome.duplicate {
            holds!(outcome.is_again(first), "a repeated answer is the first", "{outcome:?}, first {first:?}");
            continue;
        }
        let mut places: BTreeMap<i32, (i64, Position)> = BTreeMap::new();
        let mut versions: BTreeMap<&str, Version> = BTreeMap::new();
        for (number, other) in world.partitions() {
            for (_, event) in other.events.iter().filter(|(_, e)| e.command_id == outcome.command_id) {
                let topic = if event.is_caused_by_step() { &names.steps } else { &names.commands };
                let (topic, offset) = (topic.to_string(), event.command_offset);
                let position = Position { topic: topic.into(), partition: number, offset, epoch: 0 };
                places.insert(number, (event.recorded_at, position));
                let version = Version { aggregate_id: event.aggregate_id.clone(), version: event.version };
                versions.insert(&event.aggregate_id, version);
            }
        }
        let mut found = outcome.positions.clone();
        found.sort_by_key(|position| position.partition);
        let expected: Vec<Position> = places.into_values().map(|(_, position)| position).collect();
        holds!(found == expected, "an answer says where to wait", "{outcome:?}, expected {expected:?}");
        let mut found = outcome.versions.clone();
        found.sort_by(|a, b| a.aggregate_id.cmp(&b.aggregate_id));
        let expected: Vec<Version> = versions.into_values().collect();
        holds!(found == expected, "an answer names its versions", "{outcome:?}, expected {expected:?}");
    }
    Ok(())
}
