//! A hash table of numbers: what they stand for, such as a place in a list, lies with its owner.

use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

use hashbrown::DefaultHashBuilder;

/// One for the process, so that a hash holds in every table; of its own, so that nobody outside knows
/// which ids share one.
static HASHER: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

/// The hash of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hash(u32);

impl Hash {
    pub(super) fn of(id: impl AsRef<[u8]>) -> Self {
        let mut hasher = HASHER.build_hasher();
        hasher.write(id.as_ref());
        Self((hasher.finish() >> 32) as u32)
    }
}

/// Least room of a table that holds anything.
const LEAST: usize = 16;
/// Room of a table that need not be spared.
const SMALL: usize = 1 << 12;

/// Numbers by hash, in one list without links: a look-up in a large table waits for memory once.
#[derive(Debug, Default)]
pub(super) struct Hashed {
    /// A hash above a number and 1; 0 is free. Each stands at its home or as near behind it as there
    /// was room, beyond the end from the beginning on.
    words: Vec<u64>,
    used: usize,
}

fn word(hash: Hash, number: u32) -> u64 {
    (u64::from(hash.0) << 32) | (u64::from(number) + 1)
}

fn hash_in(word: u64) -> Hash {
    Hash((word >> 32) as u32)
}

fn number_in(word: u64) -> u32 {
    (word as u32).wrapping_sub(1)
}

impl Hashed {
    fn home(&self, hash: Hash) -> usize {
        ((u64::from(hash.0) * self.words.len() as u64) >> 32) as usize
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.words.len() { 0 } else { at + 1 }
    }

    /// Where the number stands for which `is_it` holds, among those of `hash`; else where there is room.
    fn search(&self, hash: Hash, mut is_it: impl FnMut(u32) -> bool) -> Result<usize, usize> {
        let mut at = self.home(hash);
        loop {
            match self.words[at] {
                0 => return Err(at),
                word if hash_in(word) == hash && is_it(number_in(word)) => return Ok(at),
                _ => at = self.after(at),
            }
        }
    }

    /// The number that probably is the one for `hash`, or any other, without a decision that would have to wait for
    /// memory: to look at many of them first lets the processor wait for all at once.
    pub(super) fn glance(&self, hash: Hash) -> u32 {
        self.words.get(self.home(hash)).map_or(0, |word| *word as u32)
    }

    /// The number for which `is_it` holds, among those of `hash`.
    pub(super) fn find(&self, hash: Hash, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.used == 0 {
            return None;
        }
        self.search(hash, is_it).ok().map(|at| number_in(self.words[at]))
    }

    /// Puts `number` in place of the one for which `is_it` holds, or adds it.
    pub(super) fn put(&mut self, hash: Hash, number: u32, is_it: impl FnMut(u32) -> bool) {
        self.make_room();
        match self.search(hash, is_it) {
            Ok(at) => self.words[at] = word(hash, number),
            Err(at) => {
                self.words[at] = word(hash, number);
                self.used += 1;
            }
        }
    }

    /// Adds a number that is not there yet.
    pub(super) fn add(&mut self, hash: Hash, number: u32) {
        self.put(hash, number, |_| false);
    }

    pub(super) fn remove(&mut self, hash: Hash, number: u32) {
        if self.used == 0 {
            return;
        }
        let Ok(mut free) = self.search(hash, |found| found == number) else { return };
        self.used -= 1;
        // those behind move up, unless that would be before their homes
        let mut at = free;
        loop {
            at = self.after(at);
            let word = self.words[at];
            if word == 0 {
                break;
            }
            let home = self.home(hash_in(word));
            let stays = if free <= at { free < home && home <= at } else { free < home || home <= at };
            if !stays {
                self.words[free] = word;
                free = at;
            }
        }
        self.words[free] = 0;
    }

    /// At most three quarters are used.
    fn make_room(&mut self) {
        if (self.used + 1) * 4 <= self.words.len() * 3 {
            return;
        }
        // small ones grow soon, and large ones are to waste little
        let more = if self.words.len() < SMALL { self.words.len() } else { self.words.len() / 2 };
        let room = (self.words.len() + more).max(LEAST);
        let words = std::mem::replace(&mut self.words, vec![0; room]);
        for word in words.into_iter().filter(|word| *word != 0) {
            let (Ok(at) | Err(at)) = self.search(hash_in(word), |_| false);
            self.words[at] = word;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// Forgets all, and keeps the room.
    pub(super) fn clear(&mut self) {
        self.words.fill(0);
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Crowded: at both ends, and many of one hash.
    fn hash() -> impl Strategy<Value = u32> {
        prop_oneof![Just(0_u32), 0..40_u32, u32::MAX - 40..=u32::MAX, any::<u32>()]
    }

    proptest! {
        #[test]
        fn it_holds_what_a_set_holds(steps in proptest::collection::vec((hash(), 0..9_u32, 0..4_u8), 1..400)) {
            let (mut hashed, mut expected) = (Hashed::default(), BTreeSet::new());
            for (hash, number, what) in steps {
                if what == 0 {
                    hashed.remove(Hash(hash), number);
                    expected.remove(&(hash, number));
                } else {
                    hashed.put(Hash(hash), number, |found| found == number);
                    expected.insert((hash, number));
                }
                prop_assert_eq!(hashed.len(), expected.len());
            }
            for (hash, number) in &expected {
                prop_assert_eq!(hashed.find(Hash(*hash), |found| found == *number), Some(*number));
                prop_assert_eq!(hashed.find(Hash(*hash), |found| found == 9), None);
            }
            hashed.clear();
            prop_assert!(expected.iter().all(|(hash, _)| hashed.find(Hash(*hash), |_| true).is_none()));
        }
    }
}
