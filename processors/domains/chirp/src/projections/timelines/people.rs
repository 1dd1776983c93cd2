//! Users as small numbers, and what a partition knows of readers.

use std::collections::HashMap;
use std::sync::Arc;

/// A user, by a number that is good in one projector only: an edge of the graph costs bytes,
/// not strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person(u32);

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
}

impl Default for Reader {
    fn default() -> Self {
        Self { authors: Vec::new(), rows: 0, floor: i64::MIN }
    }
}
