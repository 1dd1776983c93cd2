//! Values that are as good as any other: for tests that want one of every message.
//!
//! What is generated from a schema has samples; the same seed gives the same.

use crate::blob::Blob;
use crate::digest::Digest;
use crate::id::MAX_ID_LENGTH;
use crate::inline::Text;
use crate::rejection::Violation;

/// A type with samples.
pub trait Sample: Sized {
    /// A value; another each time.
    fn sample(seed: &mut Seed) -> Self;
}

/// A union of messages with samples.
pub trait Samples: Sized {
    /// One value of every branch, in the schema's order.
    fn samples(seed: &mut Seed) -> Vec<Self>;
}

/// Where samples come from: numbers that only look random (SplitMix64).
#[derive(Clone, Debug)]
pub struct Seed(u64);

/// Longest text where the schema sets no limit, in Unicode scalar values.
const MAX_FREE_CHARS: usize = 40;

/// Letters that somebody somewhere encodes wrongly.
const LETTERS: [char; 16] =
    ['a', 'Z', '0', ' ', 'ä', 'ß', 'é', '€', '🐦', '"', '\\', '<', '{', '/', '\u{a0}', '中'];

/// What may stand in an id.
const OF_IDS: &[u8; 66] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-";

impl Seed {
    /// Samples of this number.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number less than `end`, which is more than 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.number() % end as u64) as usize
    }

    /// An id: one that keeps to the rule, often a short one, sometimes the longest. It has at most `most` characters.
    pub fn id(&mut self, most: usize) -> Text {
        let length = if self.below(8) == 0 { MAX_ID_LENGTH } else { 1 + self.below(16) }.min(most);
        let id: String = (0..length).map(|_| char::from(OF_IDS[self.below(OF_IDS.len())])).collect();
        id.into()
    }

    /// A text of at most `most` Unicode scalar values; sometimes empty, sometimes as long as it may be.
    pub fn text(&mut self, most: usize) -> Text {
        let length = match self.below(8) {
            0 => most,
            1 => 0,
            _ => self.below(most.min(MAX_FREE_CHARS) + 1),
        };
        let text: String = (0..length).map(|_| LETTERS[self.below(LETTERS.len())]).collect();
        text.into()
    }

    /// A text without a limit.
    pub fn free_text(&mut self) -> Text {
        self.text(MAX_FREE_CHARS)
    }

    /// A value or none.
    pub fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 1).then(|| value(self))
    }

    /// Up to three values.
    pub fn some<T>(&mut self, mut value: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(4)).map(|_| value(self)).collect()
    }
}

impl Sample for i64 {
    /// Small ones, any, and those at the ends.
    fn sample(seed: &mut Seed) -> Self {
        match seed.below(8) {
            0 => Self::MAX,
            1 => Self::MIN,
            2..=4 => seed.below(200) as Self - 100,
            _ => seed.number() as Self,
        }
    }
}

impl Sample for i32 {
    fn sample(seed: &mut Seed) -> Self {
        match seed.below(8) {
            0 => Self::MAX,
            1 => Self::MIN,
            _ => seed.number() as Self,
        }
    }
}

impl Sample for bool {
    fn sample(seed: &mut Seed) -> Self {
        seed.below(2) == 1
    }
}

impl Sample for f64 {
    /// Finite, so that it equals itself.
    fn sample(seed: &mut Seed) -> Self {
        (seed.number() as i32 as Self) / 8.0
    }
}

impl Sample for Violation {
    fn sample(seed: &mut Seed) -> Self {
        let field = seed.maybe(|seed| seed.free_text().into());
        Self { code: seed.id(MAX_ID_LENGTH).into(), message: seed.free_text().into(), field }
    }
}

impl Sample for Blob {
    fn sample(seed: &mut Seed) -> Self {
        let length = seed.below(MAX_FREE_CHARS);
        (0..length).map(|_| seed.number() as u8).collect::<Vec<u8>>().into()
    }
}

impl Sample for Digest {
    fn sample(seed: &mut Seed) -> Self {
        let mut bytes = [0; Self::LENGTH];
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&seed.number().to_le_bytes());
        }
        let known = if bool::sample(seed) { Self::LENGTH } else { Self::SHORT_LENGTH };
        Self::from_bytes(&bytes[..known]).expect("it has one of both lengths")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id;

    #[test]
    fn the_same_seed_gives_the_same_and_another_does_not() {
        let of = |seed| {
            let mut seed = Seed::new(seed);
            (seed.id(64), seed.text(5), i64::sample(&mut seed))
        };
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }

    #[test]
    fn samples_keep_to_the_rules() {
        let mut seed = Seed::new(1);
        let (mut is_full, mut is_empty) = (false, false);
        for _ in 0..200 {
            let id = seed.id(MAX_ID_LENGTH);
            assert!(id::is_valid(&id), "{id}");
            let text = seed.text(5).chars().count();
            assert!(text <= 5);
            (is_full, is_empty) = (is_full || text == 5, is_empty || text == 0);
            assert_eq!(seed.text(0), "");
            assert!(f64::sample(&mut seed).is_finite());
        }
        assert!(is_full && is_empty, "a text is sometimes as long as it may be, and sometimes empty");
    }
}
