//! Rows for all readers of an author, made in pieces while other events are taken in.
//!
//! The audience is walked in its order, a piece at a time, and is that of the event: who has followed
//! since is passed over, and who unfollows before their turn gets their row put aside at that moment. So
//! a fan-out holds a place in the audience and a chirp, however many readers there are.

use std::collections::BTreeMap;
use std::ops::Bound;

use millrace_kernel::{FanOut, Write};

use super::author::{Author, Chirp};
use super::people::{OfPeople, People, Person, Reader};
use super::rows::Of;

/// What a fan-out tells every reader.
#[derive(Clone, Debug)]
pub enum News {
    /// A new chirp.
    Posted(Chirp),
    /// The new text of a chirp.
    Edited(Chirp),
    /// That a chirp is gone.
    Deleted(Chirp),
    /// Where chirps are read from now on.
    Crossed {
        /// The author's, as of the event.
        pulled_until: i64,
    },
}

/// An author's readers, with what rows for them are made of.
pub struct Audience<'a> {
    of: Of<'a>,
    people: &'a People,
    readers: &'a OfPeople<Reader>,
}

impl<'a> Audience<'a> {
    /// The audience of an author, who has this number.
    pub fn new(
        number: Person,
        author: &'a Author,
        people: &'a People,
        readers: &'a OfPeople<Reader>,
    ) -> Self {
        Self { of: Of { author_id: people.id(number), author }, people, readers }
    }

    /// All who follow the author, and since when.
    pub fn followers(&self) -> impl Iterator<Item = (Person, i64)> {
        self.of.author.followers.iter().map(|(reader, since)| (*reader, *since))
    }

    /// The row of an event of `at` for a reader who has followed `since`, if it concerns them.
    pub fn row(&self, news: &News, reader: Person, since: i64, at: i64) -> Option<Write> {
        if since > at {
            return None;
        }
        let is_shown = |chirp: &Chirp| {
            self.of.author.has_pushed(since, chirp.posted_at)
                && self.readers.get(reader).is_some_and(|state| state.had(chirp.posted_at, at))
        };
        let reader_id = self.people.id(reader);
        match news {
            News::Posted(chirp) => Some(self.of.home(reader_id, chirp, at)),
            News::Edited(chirp) => is_shown(chirp).then(|| self.of.home(reader_id, chirp, at)),
            News::Deleted(chirp) => is_shown(chirp).then(|| self.of.no_home(reader_id, chirp, at)),
            News::Crossed { pulled_until } => Some(self.of.following(reader_id, since, *pulled_until, at)),
        }
    }
}

/// A fan-out under way.
#[derive(Debug)]
struct UnderWay {
    news: News,
    at: i64,
    /// The readers up to here have their rows.
    passed: Option<Person>,
    /// Rows of readers who have unfollowed before their turn.
    aside: Vec<Write>,
}

/// All fan-outs under way, by author and number.
#[derive(Debug, Default)]
pub struct FanOuts {
    under_way: BTreeMap<(Person, u32), UnderWay>,
    next: u32,
}

impl FanOuts {
    /// Begins one of an event of `at`, to everyone who follows the author now.
    pub fn begin(&mut self, author: Person, news: News, at: i64) -> FanOut {
        self.next = self.next.wrapping_add(1);
        self.under_way.insert((author, self.next), UnderWay { news, at, passed: None, aside: Vec::new() });
        FanOut(u64::from(author.number()) << 32 | u64::from(self.next))
    }

    /// Puts aside what a reader must still get who is about to stop following: whoever sees the
    /// follow until then must see the chirps.
    pub fn leave(&mut self, author: Person, audience: &Audience<'_>, reader: Person, since: i64) {
        for (_, it) in self.under_way.range_mut((author, 0)..=(author, u32::MAX)) {
            if it.passed.is_none_or(|passed| passed < reader) {
                it.aside.extend(audience.row(&it.news, reader, since, it.at));
            }
        }
    }

    /// Makes the next rows of a fan-out; returns whether there are more.
    pub fn go_on(
        &mut self,
        fan_out: FanOut,
        audience: &Audience<'_>,
        most: usize,
        rows: &mut Vec<Write>,
    ) -> bool {
        let key = Self::key(fan_out);
        let Some(it) = self.under_way.get_mut(&key) else { return false };
        let full = rows.len().saturating_add(most);
        rows.extend(it.aside.drain(..it.aside.len().min(most)));
        let behind = it.passed.map_or(Bound::Unbounded, Bound::Excluded);
        for (reader, since) in audience.of.author.followers.range((behind, Bound::Unbounded)) {
            if rows.len() >= full {
                return true;
            }
            it.passed = Some(*reader);
            rows.extend(audience.row(&it.news, *reader, *since, it.at));
        }
        if !it.aside.is_empty() {
            return true;
        }
        self.under_way.remove(&key);
        false
    }

    /// Whose fan-out it is.
    pub fn author(fan_out: FanOut) -> Person {
        Self::key(fan_out).0
    }

    fn key(FanOut(number): FanOut) -> (Person, u32) {
        (Person::of_number((number >> 32) as u32), number as u32)
    }
}
