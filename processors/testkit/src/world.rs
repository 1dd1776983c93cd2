//! A whole domain in memory: commands and the steps of their processes, run to the end in
//! any order a test likes. Decisions are watched as in [`crate::given`].
//!
//! It is no simulator of the engine: nothing crashes, and everything is sequential. It makes
//! honest histories for the tests of processes and projections.

use std::collections::{BTreeMap, HashMap};

use millrace_kernel::codes::VERSION_CONFLICT;
use millrace_kernel::{
    Addressed, AggregateId, Command, Domain, Event, FollowUp, Metadata, Named, PseudonymKeys, Published,
    Stamp, Violation, id, partition,
};

use crate::given::{EPOCH, States};

/// What became of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// All its events, also those of its process, have happened.
    Accepted,
    /// It was refused, at once or at the end of its process.
    Rejected(Vec<Violation>),
}

/// A step that waits to be decided.
#[derive(Clone, Debug)]
pub struct Pending<S> {
    /// The command whose process it belongs to, or the event of another domain that has asked for it.
    pub command_id: String,
    /// Whether somebody waits for the end of it: nobody does for what another domain's event sets in motion.
    pub is_awaited: bool,
    /// The step's id.
    pub id: String,
    /// `recorded_at` of the event that asked for it.
    pub cause_recorded_at: i64,
    /// The step.
    pub step: S,
}

/// What events come from.
struct Cause<'a> {
    command_id: &'a str,
    id: &'a str,
    recorded_at: i64,
}

/// A domain with its partitions.
pub struct World<D: Domain> {
    partitions: i32,
    clock: i64,
    states: States<D>,
    last_recorded: HashMap<i32, i64>,
    events: Vec<(i32, Event<D::Event>)>,
    steps: Vec<Pending<D::Step>>,
    answers: BTreeMap<String, Answer>,
    sent: usize,
}

impl<D: Domain> World<D> {
    /// An empty world with so many partitions.
    #[must_use]
    pub fn new(partitions: i32) -> Self {
        Self {
            partitions,
            clock: EPOCH,
            states: States::default(),
            last_recorded: HashMap::new(),
            events: Vec::new(),
            steps: Vec::new(),
            answers: BTreeMap::new(),
            sent: 0,
        }
    }

    /// Lets time pass. Without it, partitions record at the same times.
    pub fn tick(&mut self, micros: i64) {
        self.clock += micros;
    }

    /// Sends a command and runs everything that follows, first come, first served.
    pub fn command(&mut self, command: impl Into<D::Command>) -> Answer {
        let command_id = self.send(None, command);
        self.settle();
        self.answer(&command_id).cloned().unwrap_or_else(|| panic!("{command_id} has no answer"))
    }

    /// Decides a command and leaves the steps of its process pending. Returns its id.
    pub fn send(&mut self, acting: Option<&str>, command: impl Into<D::Command>) -> String {
        self.send_with(Metadata { user_id: acting.map(Into::into), ..Metadata::default() }, command)
    }

    /// As [`World::send`], with all that may stand beside a command.
    pub fn send_with(&mut self, metadata: Metadata, command: impl Into<D::Command>) -> String {
        self.sent += 1;
        let command_id = format!("command-{}", self.sent);
        let command = Command { id: command_id.clone().into(), metadata, data: command.into() };
        let key = command.data.routing_key().into_owned();
        if let Some(conflict) = self.conflict(&command) {
            self.answers.insert(command_id.clone(), Answer::Rejected(vec![conflict]));
            return command_id;
        }
        match self.states.decide(&command, Stamp { now: self.clock }) {
            Ok(events) => {
                let cause = Cause { command_id: &command_id, id: &command_id, recorded_at: i64::MIN };
                self.record(cause, &key, events, true, true);
            }
            Err(rejections) => {
                self.answers.insert(command_id.clone(), Answer::Rejected(rejections.into_violations()));
            }
        }
        command_id
    }

    /// What the engine says, before anything is decided, to a command that is based on another version.
    fn conflict(&self, command: &Command<D::Command>) -> Option<Violation> {
        let expected = command.metadata.expected_version?;
        let target = self.states.get(&command.data.aggregate_id());
        let state = target.and_then(|target| target.state.as_deref());
        let is_met =
            expected == target.map_or(0, |target| target.version) || (expected == 0 && D::is_absent(state));
        let message = "the aggregate has another version";
        (!is_met).then(|| Violation::on(VERSION_CONFLICT, "metadata.expected_version", message))
    }

    /// Leaves steps pending that an event of another domain asks for.
    pub fn react(&mut self, steps: impl IntoIterator<Item = D::Step>) {
        self.sent += 1;
        let cause = format!("event-{}", self.sent);
        for (n, step) in steps.into_iter().enumerate() {
            let id = id::step_id(&cause, &format!("{} {n}", step.name())).to_string();
            let cause_recorded_at = self.clock;
            let command_id = cause.clone();
            self.steps.push(Pending { command_id, is_awaited: false, id, cause_recorded_at, step });
        }
    }

    /// From now on, an aggregate of another domain exists, or does so no more.
    pub fn set_elsewhere(&mut self, of: Published, parts: &[&str], exists: bool) {
        self.states.set_elsewhere(of, parts, exists);
    }

    /// From now on these are the keys of pseudonyms; at first it is `k1` of [`crate::given::test_keys`].
    pub fn set_keys(&mut self, keys: PseudonymKeys) {
        self.states.set_keys(keys);
    }

    /// The steps that wait, oldest first.
    #[must_use]
    pub fn pending(&self) -> &[Pending<D::Step>] {
        &self.steps
    }

    /// Decides the pending step at `index`. With `again` it stays pending, as if the one who
    /// decided it had died before taking it off.
    pub fn run_step(&mut self, index: usize, again: bool) {
        let pending = if again { self.steps[index].clone() } else { self.steps.remove(index) };
        let events = self.states.decide_step(&pending.step, Stamp { now: self.clock });
        let key = pending.step.aggregate_id().routing_key().to_owned();
        let Pending { command_id, id, cause_recorded_at, .. } = &pending;
        let cause = Cause { command_id, id, recorded_at: *cause_recorded_at };
        self.record(cause, &key, events, false, pending.is_awaited);
    }

    /// Runs all steps to the end.
    pub fn settle(&mut self) {
        while !self.steps.is_empty() {
            self.run_step(0, false);
        }
    }

    /// What became of a command; `None` while its process is open.
    #[must_use]
    pub fn answer(&self, command_id: &str) -> Option<&Answer> {
        self.answers.get(command_id)
    }

    /// All events in the order they were recorded, with their partitions.
    #[must_use]
    pub fn events(&self) -> &[(i32, Event<D::Event>)] {
        &self.events
    }

    /// All states.
    #[must_use]
    pub fn states(&self) -> &States<D> {
        &self.states
    }

    /// The state of an aggregate.
    #[must_use]
    pub fn state(&self, id: &AggregateId) -> Option<&D::State> {
        self.states.get(id).and_then(|found| found.state.as_deref())
    }

    /// Records events as the engine does: `recorded_at` rises within the partition and is
    /// later than the cause's.
    fn record(
        &mut self,
        cause: Cause<'_>,
        key: &str,
        events: Vec<D::Event>,
        is_command: bool,
        is_awaited: bool,
    ) {
        let Cause { command_id, id: cause_id, recorded_at: cause_recorded_at } = cause;
        let partition = partition::of_key(key.as_bytes(), self.partitions);
        // the last event that says something of it decides, as in the engine
        let mut ends = is_command;
        for (index, data) in events.into_iter().enumerate() {
            let last = self.last_recorded.entry(partition).or_insert(i64::MIN);
            let recorded_at = self.clock.max(last.saturating_add(1)).max(cause_recorded_at.saturating_add(1));
            *last = recorded_at;
            let version = self.states.fold(&data, recorded_at);
            match D::follow_up(&data) {
                FollowUp::None => {}
                FollowUp::Steps(steps) => {
                    ends = false;
                    for (n, step) in steps.into_iter().enumerate() {
                        self.steps.push(Pending {
                            command_id: command_id.to_owned(),
                            is_awaited,
                            id: id::step_id(command_id, &format!("{} {n}", step.name())).to_string(),
                            cause_recorded_at: recorded_at,
                            step,
                        });
                    }
                }
                FollowUp::Completed => ends = true,
                FollowUp::Refused(_) if !is_awaited => ends = false,
                FollowUp::Refused(rejections) => {
                    ends = false;
                    let answer = Answer::Rejected(rejections.into_violations());
                    let first = self.answers.insert(command_id.to_owned(), answer);
                    assert_eq!(first, None, "{command_id} is answered once");
                }
            }
            let metadata = Metadata { causation_id: Some(cause_id.into()), ..Metadata::default() };
            self.events.push((
                partition,
                Event {
                    id: id::event_id(cause_id, index),
                    metadata,
                    aggregate_id: data.aggregate_id().as_str().into(),
                    version,
                    command_id: command_id.into(),
                    command_offset: self.events.len() as i64,
                    recorded_at,
                    data,
                },
            ));
        }
        if ends && is_awaited {
            let first = self.answers.insert(command_id.to_owned(), Answer::Accepted);
            assert_eq!(first, None, "{command_id} is answered once");
        }
    }
}
