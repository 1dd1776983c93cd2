//! Answers to commands, one behind the other in one piece of memory, and found by command id.

use std::borrow::Cow;

use millrace_kernel::Digest;

use super::hashed::{Hash, Hashed};

/// Answers begin at multiples of so many bytes.
const UNIT: usize = 8;
/// Length of what stands before a command id: the lengths of it and of what follows.
const LENGTHS: usize = 8;
/// Length of what stands before an outcome: number and `recorded_at`.
const HEADER: usize = 16;
/// Room for answers there is at least, in bytes: they seldom come alone.
const FIRST_ROOM: usize = 4 << 10;

/// How a command was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    /// Counts the answers of the partition.
    pub(super) number: u64,
    pub(super) recorded_at: i64,
    /// As it stands in the outcomes topic, but see [`with_short_digest`].
    pub(super) outcome: &'a [u8],
}

impl<'a> Answer<'a> {
    /// Reads an answer as it lies on disk: number, `recorded_at`, and what is kept of the outcome.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (recorded_at, outcome) = rest.split_first_chunk()?;
        let (number, recorded_at) = (u64::from_le_bytes(*number), i64::from_le_bytes(*recorded_at));
        Some(Self { number, recorded_at, outcome })
    }
}

/// What is kept of an outcome: all of it, but of a whole digest, with which it ends, the first bytes. There are millions,
/// and these tell other content as well. What is kept is an outcome like any other.
pub(super) fn with_short_digest(outcome: &[u8], has_whole_digest: bool) -> Cow<'_, [u8]> {
    let Some(length) = outcome.len().checked_sub(Digest::LENGTH + 1).filter(|_| has_whole_digest) else {
        return Cow::Borrowed(outcome);
    };
    let (before, digest) = outcome.split_at(length);
    let mut kept = Vec::with_capacity(length + 1 + Digest::SHORT_LENGTH);
    kept.extend_from_slice(before);
    // a length of Avro: twice the number, in one byte
    kept.push(2 * Digest::SHORT_LENGTH as u8);
    kept.extend_from_slice(&digest[1..=Digest::SHORT_LENGTH]);
    Cow::Owned(kept)
}

/// A number of answers. What is appended never moves, and all of it is forgotten at once.
#[derive(Debug)]
pub(super) struct Answers {
    bytes: Vec<u8>,
    /// Where the last one begins.
    last: usize,
    places: Hashed,
    oldest_at: i64,
    newest: (u64, i64),
}

impl Default for Answers {
    fn default() -> Self {
        let (places, newest) = (Hashed::default(), (0, i64::MIN));
        Self { bytes: Vec::new(), last: 0, places, oldest_at: i64::MAX, newest }
    }
}

impl Answers {
    /// Adds an answer; it takes the place of an earlier one to the same command.
    pub(super) fn put(&mut self, hash: Hash, command_id: &[u8], answer: Answer<'_>) {
        let place = self.bytes.len();
        self.last = place;
        let value = HEADER + answer.outcome.len();
        let length = (LENGTHS + command_id.len() + value).next_multiple_of(UNIT);
        self.bytes.reserve((length + UNIT).max(FIRST_ROOM));
        self.bytes.extend_from_slice(&(command_id.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(&(value as u32).to_le_bytes());
        self.bytes.extend_from_slice(command_id);
        self.bytes.extend_from_slice(&answer.number.to_le_bytes());
        self.bytes.extend_from_slice(&answer.recorded_at.to_le_bytes());
        self.bytes.extend_from_slice(answer.outcome);
        // one store, where filling up to a length is a call
        self.bytes.extend_from_slice(&[0; UNIT]);
        self.bytes.truncate(place + length);
        let bytes = &self.bytes;
        let is_it = |place| entry(bytes, place_in(place)).is_some_and(|(id, _)| id == command_id);
        self.places.put(hash, (place / UNIT) as u32, is_it);
        self.oldest_at = self.oldest_at.min(answer.recorded_at);
        self.newest = (self.newest.0.max(answer.number), self.newest.1.max(answer.recorded_at));
    }

    /// Brings near where an answer would be found: see [`Hashed::glance`].
    pub(super) fn glance(&self, hash: Hash) -> u32 {
        self.places.glance(hash)
    }

    pub(super) fn get(&self, hash: Hash, command_id: &[u8]) -> Option<Answer<'_>> {
        let mut found = None;
        self.places.find(hash, |place| match entry(&self.bytes, place_in(place)) {
            Some((id, value)) if id == command_id => {
                found = Answer::parse(value);
                true
            }
            _ => false,
        });
        found
    }

    /// Every command id with its answer as it lies on disk, in the order of their coming.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut place = 0;
        std::iter::from_fn(move || {
            let (id, value) = entry(&self.bytes, place)?;
            place += (LENGTHS + id.len() + value.len()).next_multiple_of(UNIT);
            Some((id, value))
        })
    }

    /// The command id that was answered last.
    pub(super) fn last_id(&self) -> Option<&[u8]> {
        entry(&self.bytes, self.last).map(|(id, _)| id)
    }

    /// How many commands were answered.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How much memory the answers take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The least `recorded_at`; greater than the newest when it is empty.
    pub(super) fn oldest_at(&self) -> i64 {
        self.oldest_at
    }

    /// The greatest number and the greatest `recorded_at`.
    pub(super) fn newest(&self) -> (u64, i64) {
        self.newest
    }

    /// Forgets all, and keeps the room.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
        self.oldest_at = i64::MAX;
        self.newest = (0, i64::MIN);
    }
}

fn place_in(number: u32) -> usize {
    number as usize * UNIT
}

/// The command id and the answer at a place.
fn entry(bytes: &[u8], place: usize) -> Option<(&[u8], &[u8])> {
    let (id, rest) = bytes.get(place..)?.split_first_chunk()?;
    let (value, rest) = rest.split_first_chunk()?;
    let (id, value) = (u32::from_le_bytes(*id) as usize, u32::from_le_bytes(*value) as usize);
    Some((rest.get(..id)?, rest.get(id..id + value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_digest_the_first_bytes_are_kept() {
        let mut outcome = b"before".to_vec();
        outcome.push(2 * Digest::LENGTH as u8);
        outcome.extend(0..Digest::LENGTH as u8);
        assert_eq!(&with_short_digest(&outcome, true)[..], b"before\x10\0\x01\x02\x03\x04\x05\x06\x07");
        assert_eq!(&with_short_digest(&outcome, false)[..], &outcome[..]);
    }

    #[test]
    fn an_answer_keeps_its_bytes() {
        let mut answers = Answers::default();
        let outcomes: Vec<Vec<u8>> = (0..300).map(|length| vec![length as u8; length]).collect();
        for (number, outcome) in outcomes.iter().enumerate() {
            let id = format!("command-{number}");
            let answer = Answer { number: number as u64, recorded_at: 1_000 + number as i64, outcome };
            answers.put(Hash::of(&id), id.as_bytes(), answer);
            assert_eq!(answers.last_id(), Some(id.as_bytes()));
        }
        assert_eq!((answers.len(), answers.oldest_at(), answers.newest()), (300, 1_000, (299, 1_299)));
        for (number, (id, value)) in answers.iter().enumerate() {
            assert_eq!(id, format!("command-{number}").as_bytes());
            let answer = Answer::parse(value).unwrap();
            assert_eq!((answer.number, answer.outcome), (number as u64, &outcomes[number][..]));
            assert_eq!(answers.get(Hash::of(id), id), Some(answer));
        }
        assert_eq!(answers.iter().count(), 300);
        assert_eq!(answers.get(Hash::of("command-300"), b"command-300"), None);
        assert_eq!(answers.get(Hash::of("command-1"), b"command-300"), None, "the id counts, not its hash");
    }

    #[test]
    fn the_newest_answer_counts_and_nothing_stays_after_it_was_cleared() {
        let mut answers = Answers::default();
        for number in 0..3 {
            answers.put(Hash::of("c"), b"c", Answer { number, recorded_at: 5, outcome: b"x" });
        }
        assert_eq!(answers.len(), 1);
        assert_eq!(answers.get(Hash::of("c"), b"c").map(|answer| answer.number), Some(2));
        answers.clear();
        assert!(answers.is_empty() && answers.iter().next().is_none());
        assert_eq!(answers.get(Hash::of("c"), b"c"), None);
        assert_eq!(Answer::parse(b"short"), None);
    }
}
