//! Rows for all readers of an author, made in pieces while other events are taken in.
//!
//! The audience is walked in its order, a piece at a time, and is that of the event: who has followed
//! since is passed over, and who unfollows before their turn is put aside at that moment. So
//! a fan-out holds a place in the audience and a chirp, however many readers there are. It is part of what is known, so
//! that whoever begins again goes on at that place.

use millrace_kernel::{FanOut, Known, Place, Write};
use serde::{Deserialize, Serialize};

use super::author::{Author, Chirp, since_of};
use super::people::{self, Person, Reader};
use super::rows::Of;

/// What a fan-out tells every reader.
#[derive(Clone, Debug, Serialize, Deserialize)]
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

impl News {
    /// The row of an event of `at` for a reader who has followed `since`, if it concerns them.
    pub fn row(
        &self,
        known: &mut dyn Known,
        (author, of): (&Author, &Of),
        (reader, since): (Person, i64),
        at: i64,
    ) -> Option<Write> {
        if since > at {
            return None;
        }
        if let Self::Edited(chirp) | Self::Deleted(chirp) = self {
            let is_shown = author.has_pushed(since, chirp.posted_at)
                && Reader::of(known, reader).had(chirp.posted_at, at);
            if !is_shown {
                return None;
            }
        }
        let reader_id = reader.id(known);
        Some(match self {
            Self::Posted(chirp) | Self::Edited(chirp) => of.home(reader_id, chirp, at),
            Self::Deleted(chirp) => {
                of.deleted(reader_id, chirp.posted_at, chirp.chirp_id.clone(), chirp.edited_at, at)
            }
            Self::Crossed { pulled_until } => of.following(reader_id, since, *pulled_until, at),
        })
    }
}

/// A fan-out under way.
#[derive(Debug, Serialize, Deserialize)]
struct UnderWay {
    news: News,
    at: i64,
    /// A digest of the event and of the audience in its order, as of the event: [`Place::order`].
    order: u64,
    /// The readers up to this number have their rows.
    passed: Option<u32>,
    /// Readers who have unfollowed before their turn, and since when they followed.
    aside: Vec<(u32, i64)>,
}

impl UnderWay {
    fn key(author: Person, number: u32) -> Vec<u8> {
        [&author.key(b'w')[..], &number.to_be_bytes()].concat()
    }

    fn of(known: &mut dyn Known, key: &[u8]) -> Option<Self> {
        match known.get(key).map(serde_json::from_slice).transpose() {
            Ok(found) => found,
            Err(error) => {
                known.distrust(key, error.to_string());
                None
            }
        }
    }

    /// The one of that number, with its author and where it is kept.
    fn find(known: &mut dyn Known, FanOut(number): FanOut) -> Option<(Self, Person, Vec<u8>)> {
        let person = Person::of_number((number >> 32) as u32);
        let key = Self::key(person, number as u32);
        Some((Self::of(known, &key)?, person, key))
    }

    fn keep(&self, known: &mut dyn Known, key: &[u8]) {
        known.put(key, serde_json::to_vec(self).expect("numbers and texts are JSON"));
    }
}

/// Begins one of an event of `at`, to everyone who follows the author now.
pub fn begin(known: &mut dyn Known, author: &mut Author, news: News, at: i64) -> FanOut {
    let number = author.begin_fan_out();
    author.keep(known);
    let of = [author.person.bytes(), (author.count_followers(known) as u32).to_be_bytes()].concat();
    let order = people::digest(people::order(known), &[&at.to_be_bytes(), &of]);
    let it = UnderWay { news, at, order, passed: None, aside: Vec::new() };
    it.keep(known, &UnderWay::key(author.person, number));
    FanOut(u64::from(author.person.number()) << 32 | u64::from(number))
}

/// Puts aside a reader who is about to stop following and must still get what they have not: whoever sees the
/// follow until then must see the chirps.
pub fn leave(known: &mut dyn Known, author: &Author, reader: Person, since: i64) {
    let of = Of::author(known, author);
    for number in author.fan_outs() {
        let key = UnderWay::key(author.person, *number);
        let Some(mut it) = UnderWay::of(known, &key) else { continue };
        let is_to_come = it.passed.is_none_or(|passed| passed < reader.number());
        // what it says of them now it says later, too
        if is_to_come && it.news.row(known, (author, &of), (reader, since), it.at).is_some() {
            it.aside.push((reader.number(), since));
            it.keep(known, &key);
        }
    }
}

/// Where a fan-out is. Numbers are given in the order of the log, and the audience is walked in theirs: so whoever comes to
/// the event elsewhere finds the same readers up to there, and need not tell them again.
pub fn place(known: &mut dyn Known, fan_out: FanOut) -> Option<Place> {
    let (it, _, _) = UnderWay::find(known, fan_out)?;
    let passed = it.passed?;
    // who was put aside before their turn may have been passed without a row
    let is_whole = it.aside.iter().all(|(reader, _)| *reader > passed);
    is_whole.then_some(Place { passed, order: it.order })
}

/// Lets a fan-out go on at a place that it had elsewhere, if it is of this one.
pub fn go_on_at(known: &mut dyn Known, fan_out: FanOut, place: Place) -> bool {
    let Some((mut it, _, key)) = UnderWay::find(known, fan_out) else { return false };
    let is_same = it.order == place.order;
    if is_same && it.passed.is_none_or(|passed| passed < place.passed) {
        it.passed = Some(place.passed);
        it.keep(known, &key);
    }
    is_same
}

/// Makes the next rows of a fan-out; returns whether there are more.
pub fn go_on(known: &mut dyn Known, fan_out: FanOut, most: usize, rows: &mut Vec<Write>) -> bool {
    let Some((mut it, person, key)) = UnderWay::find(known, fan_out) else { return false };
    let mut author = Author::of(known, person);
    let of = Of::author(known, &author);
    let full = rows.len().saturating_add(most);
    let aside = it.aside.len().min(most);
    for (reader, since) in it.aside.drain(..aside) {
        rows.extend(it.news.row(known, (&author, &of), (Person::of_number(reader), since), it.at));
    }
    let followers = author.followers();
    let from = match it.passed {
        None => 0,
        Some(passed) => followers.rank(known, &Person::of_number(passed.saturating_add(1)).bytes()),
    };
    let mut has_more = false;
    followers.walk(known, from, &mut |known, reader, since| {
        if rows.len() >= full {
            has_more = true;
            return false;
        }
        let reader = Person::of_bytes(reader);
        it.passed = Some(reader.number());
        rows.extend(it.news.row(known, (&author, &of), (reader, since_of(since)), it.at));
        true
    });
    if has_more || !it.aside.is_empty() {
        it.keep(known, &key);
        return true;
    }
    known.remove(&key);
    author.end_fan_out(fan_out.0 as u32);
    author.keep(known);
    false
}
