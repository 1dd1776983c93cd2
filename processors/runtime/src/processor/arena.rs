//! One piece of memory for the keys and values of a batch.

use bytes::{Bytes, BytesMut};

/// Room there is at least, in bytes.
const LEAST: usize = 64 << 10;

/// Keeps bytes one behind the other, each piece to be handed out. When all that was handed out is gone, the same
/// memory is used again: so it stays near to the processor, and nobody has to find room for each piece.
#[derive(Debug, Default)]
pub(super) struct Arena {
    bytes: BytesMut,
    used: usize,
}

impl Arena {
    /// A copy of `bytes`, kept here.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> Bytes {
        self.used += bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.bytes.split().freeze()
    }

    /// How many bytes are kept.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Room for as much as was kept since the last call.
    pub(super) fn renew(&mut self) {
        self.bytes.reserve(self.used.max(LEAST));
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn memory_is_used_again_once_nobody_holds_a_part_of_it() {
        let mut arena = Arena::default();
        arena.renew();
        let held = arena.keep(b"held");
        let mut places = BTreeSet::new();
        for round in 0..20_u8 {
            let parts: Vec<Bytes> = (0..32).map(|number| arena.keep(&[number ^ round; LEAST / 8])).collect();
            for (number, part) in parts.iter().enumerate() {
                assert!(part.iter().all(|byte| *byte == number as u8 ^ round), "no part disturbs another");
            }
            // it has grown to what was used before
            if round > 0 {
                assert_eq!(parts[31].as_ptr() as usize - parts[0].as_ptr() as usize, 31 * LEAST / 8);
            }
            places.insert(parts[0].as_ptr());
            drop(parts);
            arena.renew();
        }
        assert_eq!(held, b"held"[..], "what is held stays as it is");
        assert!(places.len() <= 4, "{} places for 20 batches", places.len());
    }
}
