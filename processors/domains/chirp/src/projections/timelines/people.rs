//! Users as small numbers, and what a partition knows of readers.

use std::collections::HashMap;
use std::sync::Arc;

/// A user, by a number that is good in one projector only: an edge of the graph costs bytes,
/// not strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person(u32);

impl Person {
    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Who has this number.
    pub fn of_number(number: u32) -> Self {
        Self(number)
    }
}

/// All users seen in a partition.
#[derive(Debug, Default)]
pub struct People {
    numbers: HashMap<Arc<str>, Person>,
    ids: Vec<Arc<str>>,
}

impl People {
    /// The number of a user, given at first sight.
    pub fn number(&mut self, user_id: &str) -> Person {
        if let Some(person) = self.numbers.get(user_id) {
            return *person;
        }
        // four thousand million users in one partition would not fit its memory anyway
        let person = Person(self.ids.len() as u32);
        let user_id: Arc<str> = user_id.into();
        self.ids.push(user_id.clone());
        self.numbers.insert(user_id, person);
        person
    }

    /// The id of a user.
    pub fn id(&self, person: Person) -> Arc<str> {
        self.ids[person.0 as usize].clone()
    }
}

/// A reader of authors of this partition.
#[derive(Debug)]
pub struct Reader {
    /// The authors of this partition that they follow.
    pub authors: Vec<Person>,
    /// How many rows of their timeline this partition has written and not deleted.
    pub rows: usize,
    /// Their timeline may lack chirps of this partition posted before this.
    pub floor: i64,
    /// When the floor came there.
    pub floor_since: i64,
}

impl Reader {
    /// Whether their timeline had a chirp posted then when an event of `at` came. If the floor has
    /// been raised since, that is not known and need not be: what is below it is deleted by the
    /// later event, whichever of the two is written first.
    pub fn had(&self, posted_at: i64, at: i64) -> bool {
        self.floor <= posted_at || self.floor_since > at
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self { authors: Vec::new(), rows: 0, floor: i64::MIN, floor_since: i64::MIN }
    }
}

/// What is kept of every person, who are numbered from 0: side by side, so that going through an
/// audience goes through memory in order.
#[derive(Debug)]
pub struct OfPeople<T>(Vec<T>);

impl<T> Default for OfPeople<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Default> OfPeople<T> {
    /// What is kept of a person, if anything.
    pub fn get(&self, person: Person) -> Option<&T> {
        self.0.get(person.0 as usize)
    }

    /// As [`OfPeople::get`], to be changed; what is kept of somebody new is the default.
    pub fn entry(&mut self, person: Person) -> &mut T {
        let at = person.0 as usize;
        if self.0.len() <= at {
            self.0.resize_with(at + 1, T::default);
        }
        &mut self.0[at]
    }
}
