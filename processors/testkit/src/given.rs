//! Given/when/then for decisions: a rule is a row of a table, read like a specification.
//!
//! ```ignore
//! given::<Chirp>([registered("bob")]).when(post("c1", "bob", " ")).then_rejected(&[("InvalidArgument", "content")]);
//! ```
//!
//! Beside the expectation every row proves what must hold of any decision: decided twice it
//! gives the same; it reads nothing but its own routing key and declared lookups; a refusal
//! says why, for every violation; one that says `NotPermitted` says nothing else that it would not
//! say if nothing had ever happened; and events fold back into states that survive the form of
//! the state topic.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use millrace_kernel::codes::{NOT_FOUND, NOT_PERMITTED};
use millrace_kernel::{
    Addressed, AggregateId, Command, Domain, Metadata, PseudonymKey, PseudonymKeys, Published, Rejections,
    Stamp, StateData, StateReader, Text, Violation, decide,
};

/// When the first event of a test is recorded; microseconds since the epoch.
pub const EPOCH: i64 = 1_700_000_000_000_000;

/// Keys of pseudonyms with these ids, newest first, as every test makes them.
///
/// # Panics
/// When there can be no such keys.
#[must_use]
pub fn test_keys(ids: &[&str]) -> PseudonymKeys {
    let key = |id: &&str| PseudonymKey::new(id, std::array::from_fn(|at| id.as_bytes()[at % id.len()]));
    let valid = ids.iter().map(key).collect::<Result<_, _>>().expect("ids of keys");
    PseudonymKeys::new(valid, BTreeSet::new()).expect("keys")
}

/// The states of all aggregates, folded from events.
pub struct States<D: Domain> {
    all: BTreeMap<AggregateId, Versioned<D::State>>,
    /// What exists in other domains.
    elsewhere: BTreeSet<(Published, AggregateId)>,
    /// The keys of pseudonyms.
    keys: PseudonymKeys,
}

/// An aggregate's version and state.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned<S> {
    /// The version of its newest event.
    pub version: i64,
    /// The `recorded_at` of its newest event.
    pub recorded_at: i64,
    /// Its state; `None` when there is none (any more).
    pub state: Option<Arc<S>>,
}

impl<D: Domain> Default for States<D> {
    fn default() -> Self {
        Self { all: BTreeMap::new(), elsewhere: BTreeSet::new(), keys: test_keys(&["k1"]) }
    }
}

impl<D: Domain> Clone for States<D> {
    fn clone(&self) -> Self {
        Self { all: self.all.clone(), elsewhere: self.elsewhere.clone(), keys: self.keys.clone() }
    }
}

impl<D: Domain> States<D> {
    /// Folds `event` in and returns its aggregate's new version. Folds twice and compares,
    /// and sends the state through the record of the state topic.
    ///
    /// # Panics
    /// When folding is not deterministic or the record loses something.
    pub fn fold(&mut self, event: &D::Event, recorded_at: i64) -> i64 {
        let id = event.aggregate_id();
        let before = self.all.get(&id);
        let version = before.map_or(0, |before| before.version) + 1;
        let state = before.and_then(|before| before.state.as_deref().cloned());
        let after = D::evolve(state.clone(), event, recorded_at);
        assert_eq!(after, D::evolve(state, event, recorded_at), "evolve is deterministic: {event:?}");
        let record = D::State::to_record(&id, version, recorded_at, D::REVISION, after.as_ref());
        assert_eq!(
            D::State::from_record(record),
            ((&id).into(), version, recorded_at, after.clone()),
            "the state topic's record holds all of the state"
        );
        self.all.insert(id, Versioned { version, recorded_at, state: after.map(Arc::new) });
        version
    }

    /// From now on, an aggregate of another domain exists, or does so no more.
    pub fn set_elsewhere(&mut self, of: Published, parts: &[&str], exists: bool) {
        let id = (of, AggregateId::new(of.kind, parts));
        match exists {
            true => self.elsewhere.insert(id),
            false => self.elsewhere.remove(&id),
        };
    }

    /// From now on these are the keys of pseudonyms; at first it is `k1` of [`test_keys`].
    pub fn set_keys(&mut self, keys: PseudonymKeys) {
        self.keys = keys;
    }

    /// The version and state of an aggregate, if it ever had an event.
    #[must_use]
    pub fn get(&self, id: &AggregateId) -> Option<&Versioned<D::State>> {
        self.all.get(id)
    }

    /// All aggregates that ever had an event.
    pub fn iter(&self) -> impl Iterator<Item = (&AggregateId, &Versioned<D::State>)> {
        self.all.iter()
    }

    /// Decides a command as the engine would, twice, and watches what it reads.
    ///
    /// # Panics
    /// When the decision breaks one of the rules for decisions.
    ///
    /// # Errors
    /// What the domain rejects.
    pub fn decide(&self, command: &Command<D::Command>, stamp: Stamp) -> Result<Vec<D::Event>, Rejections> {
        let target = command.data.aggregate_id();
        let routing_key = command.data.routing_key();
        let view = Watched { states: self, routing_key: &routing_key };
        let decided = decide::<D>(&view, command, stamp);
        assert_eq!(decided, decide::<D>(&view, command, stamp), "deciding twice gives the same: {command:?}");
        match &decided {
            Ok(events) => {
                assert!(
                    events.iter().any(|event| event.aggregate_id() == target),
                    "an accepted command emits an event of its target {target}: {events:?}"
                );
                same_routing_key::<D>(events, &routing_key);
            }
            Err(rejections) => {
                assert!(!rejections.is_empty(), "a refusal has a reason: {command:?}");
                for violation in rejections.violations() {
                    assert!(
                        violation.message.len() > 10 && !violation.code.is_empty(),
                        "a violation says what would be right: {violation:?}"
                    );
                }
                withholds::<D>(rejections, command, stamp);
            }
        }
        decided
    }

    /// As [`States::decide`], for a step of a process.
    ///
    /// # Panics
    /// When the decision breaks one of the rules for decisions.
    #[must_use]
    pub fn decide_step(&self, step: &D::Step, stamp: Stamp) -> Vec<D::Event> {
        let target = step.aggregate_id();
        let view = Watched { states: self, routing_key: target.routing_key() };
        let events = D::decide_step(&view, step, stamp);
        assert_eq!(events, D::decide_step(&view, step, stamp), "deciding twice gives the same: {step:?}");
        same_routing_key::<D>(&events, target.routing_key());
        events
    }
}

/// Whoever is not permitted is told what is wrong with what they say, and nothing of what there is: the same as if
/// nothing had ever happened, but that then nobody knows whose it is, and there is no such thing.
fn withholds<D: Domain>(rejections: &Rejections, command: &Command<D::Command>, stamp: Stamp) {
    let has = |violations: &[Violation]| violations.iter().any(|it| it.code == NOT_PERMITTED);
    if !has(rejections.violations()) {
        return;
    }
    let (states, routing_key) = (States::<D>::default(), command.data.routing_key());
    let nothing = decide::<D>(&Watched { states: &states, routing_key: &routing_key }, command, stamp);
    let of_nothing = nothing.err().map(Rejections::into_violations).unwrap_or_default();
    let said = rejections.violations().iter();
    let (said, expected): (Vec<_>, Vec<_>) = if has(&of_nothing) {
        (said.collect(), of_nothing.iter().collect())
    } else {
        let is_form = |it: &&Violation| it.code != NOT_FOUND;
        (said.filter(|it| it.code != NOT_PERMITTED).collect(), of_nothing.iter().filter(is_form).collect())
    };
    assert_eq!(said, expected, "a refusal tells somebody who is not permitted what there is: {command:?}");
}

fn same_routing_key<D: Domain>(events: &[D::Event], routing_key: &str) {
    for event in events {
        let id = event.aggregate_id();
        assert_eq!(id.routing_key(), routing_key, "{id} does not live in the partition that decides");
    }
}

/// A view that fails the test when a decision reads what it must not.
struct Watched<'a, D: Domain> {
    states: &'a States<D>,
    routing_key: &'a str,
}

impl<D: Domain> StateReader for Watched<'_, D> {
    type State = D::State;

    fn get(&self, id: &AggregateId) -> Option<Arc<D::State>> {
        assert_eq!(
            id.routing_key(),
            self.routing_key,
            "{id} was read: the answer would depend on the number of partitions"
        );
        self.states.get(id).and_then(|found| found.state.clone())
    }

    fn exists(&self, id: &AggregateId) -> bool {
        assert!(D::LOOKUPS.contains(&id.kind()), "{id} was looked up, but {} is not declared", id.kind());
        D::is_visible(self.states.get(id).and_then(|found| found.state.as_deref()))
    }

    fn exists_elsewhere(&self, of: Published, parts: &[&str]) -> bool {
        assert!(D::LOOKUPS_ELSEWHERE.contains(&of), "{of} was looked up, but is not declared");
        self.states.elsewhere.contains(&(of, AggregateId::new(of.kind, parts)))
    }

    fn pseudonyms(&self, kind: &str, text: &str) -> Vec<Text> {
        assert!(D::PSEUDONYMS.contains(&kind), "{kind} was asked for, but is not declared");
        self.states.keys.names(D::NAME, kind, text)
    }
}

/// What `stranger` is answered to `command`, which must be the same, word for word, after either of two histories: it
/// depends on nothing in which they differ.
///
/// # Panics
/// When the answers differ.
///
/// # Errors
/// What the domain rejects.
pub fn to_a_stranger<D: Domain>(
    stranger: &str,
    command: impl Into<D::Command>,
    histories: [&[D::Event]; 2],
) -> Result<Vec<D::Event>, Rejections> {
    let metadata = Metadata { user_id: Some(stranger.into()), ..Metadata::default() };
    let command = Command { id: "stranger".into(), metadata, data: command.into() };
    let [one, other] = histories.map(|events| {
        let mut states = States::<D>::default();
        for (index, event) in events.iter().enumerate() {
            states.fold(event, EPOCH + index as i64 * 1_000);
        }
        states.decide(&command, Stamp { now: EPOCH })
    });
    assert_eq!(one, other, "{command:?} after {:?} and after {:?}", histories[0], histories[1]);
    one
}

/// What has happened before.
pub struct Given<D: Domain> {
    states: States<D>,
    history: Vec<(D::Event, i64)>,
    metadata: Metadata,
}

/// Starts a row: `events` have happened, a millisecond apart.
pub fn given<D: Domain>(events: impl IntoIterator<Item = D::Event>) -> Given<D> {
    let mut given = Given { states: States::default(), history: Vec::new(), metadata: Metadata::default() };
    for event in events {
        given.happen(event);
    }
    given
}

impl<D: Domain> Given<D> {
    fn happen(&mut self, event: D::Event) {
        let recorded_at = EPOCH + self.history.len() as i64 * 1_000;
        self.states.fold(&event, recorded_at);
        self.history.push((event, recorded_at));
    }

    /// The user who acts in what follows.
    #[must_use]
    pub fn acting(mut self, user_id: &str) -> Self {
        self.metadata.user_id = Some(user_id.into());
        self
    }

    /// The version on which what follows says that it is based. The engine compares it, not the decision.
    #[must_use]
    pub fn expecting(mut self, version: i64) -> Self {
        self.metadata.expected_version = Some(version);
        self
    }

    /// An aggregate exists in another domain.
    #[must_use]
    pub fn elsewhere(mut self, of: Published, parts: &[&str]) -> Self {
        self.states.set_elsewhere(of, parts, true);
        self
    }

    /// These are the keys of pseudonyms; without a word it is `k1` of [`test_keys`].
    #[must_use]
    pub fn with_keys(mut self, keys: PseudonymKeys) -> Self {
        self.states.set_keys(keys);
        self
    }

    /// Decides `command`.
    #[must_use]
    pub fn when(self, command: impl Into<D::Command>) -> When<D> {
        let data = command.into();
        let command = Command { id: "when".into(), metadata: self.metadata.clone(), data };
        let stamp = Stamp { now: EPOCH + self.history.len() as i64 * 1_000 };
        let decided = self.states.decide(&command, stamp);
        When { given: self, what: format!("{:?}", command.data), decided }
    }

    /// Decides a step of a process.
    #[must_use]
    pub fn when_step(self, step: impl Into<D::Step>) -> When<D> {
        let step = step.into();
        let stamp = Stamp { now: EPOCH + self.history.len() as i64 * 1_000 };
        let decided = Ok(self.states.decide_step(&step, stamp));
        When { given: self, what: format!("{step:?}"), decided }
    }
}

/// What was decided.
pub struct When<D: Domain> {
    given: Given<D>,
    what: String,
    decided: Result<Vec<D::Event>, Rejections>,
}

impl<D: Domain> When<D> {
    /// Expects exactly these events. Returns what is then given, for the next row of a story.
    ///
    /// # Panics
    /// When something else was decided.
    pub fn then_events(self, expected: impl IntoIterator<Item = D::Event>) -> Given<D> {
        let expected: Vec<D::Event> = expected.into_iter().collect();
        match self.decided {
            Ok(events) => assert_eq!(events, expected, "{}", self.what),
            Err(rejections) => panic!("{} was refused: {:?}", self.what, rejections.violations()),
        }
        let mut given = self.given;
        for event in expected {
            given.happen(event);
        }
        // what was folded one by one is what a restore folds from the start
        let mut again = States::<D>::default();
        for (event, recorded_at) in &given.history {
            again.fold(event, *recorded_at);
        }
        assert!(again.all == given.states.all, "states are folds of events");
        given
    }

    /// Expects exactly these violations, as (code, field), in this order; the field is empty
    /// for a violation of the command as a whole.
    ///
    /// # Panics
    /// When something else was decided.
    pub fn then_rejected(self, expected: &[(&str, &str)]) -> Given<D> {
        match &self.decided {
            Ok(events) => panic!("{} was accepted: {events:?}", self.what),
            Err(rejections) => {
                let found: Vec<(&str, &str)> = rejections
                    .violations()
                    .iter()
                    .map(|v| (v.code.as_str(), v.field.as_deref().unwrap_or_default()))
                    .collect();
                assert_eq!(found, expected, "{}", self.what);
            }
        }
        // nothing was decided, so nothing can have changed: the same is given as before
        self.given
    }
}
