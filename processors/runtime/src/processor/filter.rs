//! Which command ids a part of the window may hold, in memory: nearly every look-up asks for a
//! new one, and must not go to disk to learn that.

use hashbrown::HashSet;

/// Bits for each id in a sealed filter: one new id in two thousand is looked for in vain.
const BITS_PER_ID: u64 = 16;
/// Bits set for each id.
const PROBES: u64 = 8;

/// The number that stands for a command id in filters. It is written to disk: changing it
/// changes the format of stores.
pub(super) fn hash_of(id: &str) -> u64 {
    // FNV-1a, and the finaliser of murmur3 so that all bits depend on all others
    let mut hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// A set of ids that may say yes wrongly, and never no.
pub(super) enum Filter {
    /// Grows with what it holds.
    Open(HashSet<u64>),
    /// Takes two bytes an id, and no more of them.
    Sealed(Vec<u64>),
}

impl Filter {
    pub(super) fn new() -> Self {
        Self::Open(HashSet::new())
    }

    /// Adds ids while it is open.
    pub(super) fn extend(&mut self, hashes: impl IntoIterator<Item = u64>) {
        match self {
            Self::Open(set) => set.extend(hashes),
            Self::Sealed(bits) => hashes.into_iter().for_each(|hash| mark(bits, hash)),
        }
    }

    /// Makes it small; it will not grow any more.
    pub(super) fn seal(&mut self) {
        let Self::Open(set) = self else { return };
        let words = (set.len() as u64 * BITS_PER_ID).div_ceil(64).max(1);
        let mut bits = vec![0; words as usize];
        set.iter().for_each(|hash| mark(&mut bits, *hash));
        *self = Self::Sealed(bits);
    }

    pub(super) fn may_hold(&self, hash: u64) -> bool {
        match self {
            Self::Open(set) => set.contains(&hash),
            Self::Sealed(bits) => probes(bits.len(), hash).all(|(word, bit)| bits[word] & bit != 0),
        }
    }
}

fn mark(bits: &mut [u64], hash: u64) {
    for (word, bit) in probes(bits.len(), hash) {
        bits[word] |= bit;
    }
}

/// All probes of an id fall into one line of the processor's cache.
fn probes(words: usize, hash: u64) -> impl Iterator<Item = (usize, u64)> {
    let lines = words.div_ceil(8) as u64;
    let line = ((u128::from(hash) * u128::from(lines)) >> 64) as usize * 8;
    let width = (words - line).min(8) as u64;
    let step = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..PROBES).map(move |n| {
        let mixed = (hash ^ step.wrapping_mul(n + 1)).wrapping_mul(0xff51_afd7_ed55_8ccd) >> 40;
        let at = mixed % (width * 64);
        (line + (at / 64) as usize, 1 << (at % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_denies_what_it_holds_and_seldom_claims_what_it_does_not() {
        let held = |n: usize| hash_of(&format!("command-{n}"));
        let other = |n: usize| hash_of(&format!("another-{n}"));
        let mut filter = Filter::new();
        filter.extend((0..20_000).map(held));
        assert!((0..20_000).all(|n| !filter.may_hold(other(n))), "an open one is exact");
        filter.seal();
        assert!((0..20_000).all(|n| filter.may_hold(held(n))));
        let wrong = (0..20_000).filter(|n| filter.may_hold(other(*n))).count();
        assert!(wrong < 200, "{wrong} of 20,000 unknown ids would be looked for");
    }
}
