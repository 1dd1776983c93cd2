//! The domains beside the one that is judged: it looks up what they publish, and reacts to what happens there. The engine's own
//! code decides about them, with processes that die at any moment, on the log of the judged domain and each with a number of
//! partitions of its own. They depend on each other as they do outside, the later ones on the earlier ones.

mod living;
mod people;

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_kernel::{Command, Domain, Event, Published, Value};
use millrace_testkit::pipeline::Pipeline;

pub use self::living::Living;
pub use self::people::{PEOPLE, PeopleBeside, person};
use crate::dice::Dice;
use crate::holds;
use crate::luck::Luck;
use crate::oracle::world::Failure;
use crate::plan::Beside;
use crate::workload::{Known, Place, Workload};

/// A domain that lives beside another one.
pub trait Neighbour: 'static {
    /// The domain.
    type Domain: Domain;
    /// What whoever asks for something there remembers.
    type Producer;

    /// Somebody who has asked for nothing yet.
    fn producer(dice: &mut Dice) -> Self::Producer;
    /// What is asked for next there, as number `n`.
    fn command(
        producer: &mut Self::Producer,
        dice: &mut Dice,
        n: usize,
    ) -> Command<<Self::Domain as Domain>::Command>;
    /// The aggregate that others can look up from this event on, if there is one.
    fn made_known(event: &<Self::Domain as Domain>::Event) -> Option<String>;
    /// The aggregate that nobody finds any more from this event on, if there is one.
    fn made_unknown(event: &<Self::Domain as Domain>::Event) -> Option<String>;
    /// What must hold there when nothing goes on any more, but that every command is answered once.
    ///
    /// # Errors
    /// What does not.
    fn judge(_pipeline: &Pipeline<Self::Domain>) -> Result<(), Failure> {
        Ok(())
    }
}

/// An event of a neighbour, and the steps of the judged domain that must follow from it; mostly none.
#[derive(Clone, Debug)]
pub struct Happened<S> {
    /// The event's id.
    pub event_id: String,
    /// When it was recorded.
    pub recorded_at: i64,
    /// What must follow.
    pub steps: Vec<S>,
}

/// A neighbour, whatever its messages.
trait Resident<S> {
    fn domain(&self) -> &'static str;
    fn begin(&mut self, luck: &Luck, commands: usize) -> bool;
    fn step(&mut self, luck: &Luck, chance: u64) -> String;
    fn note(&mut self, act: usize, luck: &Luck);
    fn known(&self, id: &str, sent: usize, decided: usize) -> Known;
    fn happened(&self) -> &[Happened<S>];
    fn came(&self) -> &[String];
    fn comes_to_rest(&mut self) -> bool;
    fn judge(&self) -> Result<(), Failure>;
}

/// All neighbours of a history, each before those that depend on it.
pub struct Neighbours<S>(Vec<Box<dyn Resident<S>>>);

impl<S> Default for Neighbours<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S: 'static> Neighbours<S> {
    /// One more, which may depend on those before. `reacts` is what the judged domain must do about an event of it.
    ///
    /// # Panics
    /// When `beside` says nothing of it.
    #[must_use]
    pub fn with<N: Neighbour, D: Domain>(
        mut self,
        pipeline: &Pipeline<D>,
        beside: &[Beside],
        luck: &Luck,
        reacts: fn(&Event<<N::Domain as Domain>::Event>) -> Vec<S>,
    ) -> Self {
        let own = beside.iter().find(|it| it.domain == <N::Domain as Domain>::NAME);
        let own = own.expect("whoever is beside has a setup");
        self.0.push(Box::new(Living::<N, S>::beside(pipeline, own, luck, reacts)));
        self
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What had happened there before the history begins, nothing going wrong; whether it came to rest.
    pub fn begin(&mut self, luck: &Luck, beside: &[Beside]) -> bool {
        self.0.iter_mut().zip(beside).all(|(it, setup)| it.begin(luck, setup.before))
    }

    /// Something happens at one of them, as `chance` wants it; what, in words.
    pub fn step(&mut self, luck: &Luck, chance: u64) -> Option<String> {
        let one = match self.0.len() {
            0 => return None,
            1 => 0,
            count => Dice::new(chance.rotate_left(31)).below(count),
        };
        Some(self.0[one].step(luck, chance))
    }

    /// Notes what could be seen first after this act.
    pub fn note(&mut self, act: usize, luck: &Luck) {
        self.0.iter_mut().for_each(|it| it.note(act, luck));
    }

    /// Whether an aggregate of a neighbour is known to a decision about what was sent with the act `sent`, if what it came to
    /// could be seen after the act `decided`.
    ///
    /// # Panics
    /// When that domain is not beside.
    #[must_use]
    pub fn known(&self, of: Published, id: &str, sent: usize, decided: usize) -> Known {
        let its = self.0.iter().find(|it| it.domain() == of.domain);
        its.expect("what is looked up is of a domain beside").known(id, sent, decided)
    }

    /// What happened at all of them, with whose it is.
    pub fn happened(&self) -> impl Iterator<Item = (&'static str, &Happened<S>)> {
        self.0.iter().flat_map(|it| it.happened().iter().map(|event| (it.domain(), event)))
    }

    /// What has come to be looked up at one of them, in the order in which that could be seen.
    #[must_use]
    pub fn came(&self, domain: &str) -> &[String] {
        self.0.iter().find(|it| it.domain() == domain).map_or(&[], |it| it.came())
    }

    /// Steps everything until nothing is left to do; whether that ever happens.
    pub fn comes_to_rest(&mut self) -> bool {
        self.0.iter_mut().all(|it| it.comes_to_rest())
    }

    /// Judges them when nothing goes on any more.
    ///
    /// # Errors
    /// What does not hold.
    pub fn judge(&self) -> Result<(), Failure> {
        self.0.iter().try_for_each(|it| it.judge())
    }
}

/// The tables of a neighbour that has projectors are the fold of its events when nothing goes on any more.
///
/// # Errors
/// It is not so.
pub fn tables_are_the_fold<W: Workload>(
    pipeline: &Pipeline<W::Domain>,
    settings: &W::Settings,
) -> Result<(), Failure> {
    let has_projectors = (0..pipeline.instances()).any(|at| {
        use millrace_testkit::pipeline::RoleKind;
        matches!(pipeline.process(at), Some((_, RoleKind::Projector(..))))
    });
    if !has_projectors {
        return Ok(());
    }
    let mut partitions: BTreeMap<i32, W::Rows> = BTreeMap::new();
    let mut expected: BTreeMap<Place, Vec<Value>> = BTreeMap::new();
    for (number, event) in pipeline.events() {
        let rows = partitions.entry(number).or_default();
        for place in W::fold(rows, settings, number, &event) {
            match W::row(rows, &place) {
                Some(row) => expected.insert(place, row),
                None => expected.remove(&place),
            };
        }
    }
    for view in W::families().iter().flat_map(|(_, views)| *views) {
        let mut found = pipeline.store.rows(view);
        let own = expected.iter().filter(|((table, _), _)| table == view);
        let mut expected: Vec<Vec<Value>> = own.map(|(_, row)| row.clone()).collect();
        let in_order = |rows: &mut Vec<Vec<Value>>| rows.sort_by_cached_key(|row| format!("{row:?}"));
        in_order(&mut found);
        in_order(&mut expected);
        holds!(found == expected, "tables beside are the fold", "{view}: {found:?}, expected {expected:?}");
    }
    Ok(())
}

/// The store of a neighbour's tables, which fails as its luck will have it.
type Unreliable = Arc<crate::store::UnreliableStore>;
