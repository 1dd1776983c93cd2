//! Where a subscriber goes on, in few bytes: its place in the changes, and what it has seen of those sources that can write its
//! rows.

use std::collections::BTreeSet;

use millrace_kernel::Datum as _;
use millrace_kernel::avro::{BadDatum, Input};
use thiserror::Error;

use super::seen::{OfSource, Seen};
use crate::planted::{self, Bug};

/// What positions come to at most, in bytes: with what a gateway puts around them, 4 KB of text.
const MOST_BYTES: usize = 2_800;
/// Begins the bytes; another number would mean another form.
const FORM: i64 = 1;

/// A place in the changes of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positions {
    /// The version of the view's tables.
    pub version: i32,
    /// How often the domain was given other partitions.
    pub epoch: i32,
    /// The partition of the changes topic.
    pub partition: i32,
    /// The next offset to read there.
    pub offset: i64,
    /// What was seen.
    pub seen: Seen,
}

/// Bytes that are no positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("these are no positions")]
pub struct BadPositions;

impl From<BadDatum> for BadPositions {
    fn from(_: BadDatum) -> Self {
        Self
    }
}

impl Positions {
    /// Them as bytes. Where too much was seen that is not settled yet, it is left out: whoever goes on may then see it again.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let whole = self.encode_with(true);
        if whole.len() <= MOST_BYTES { whole } else { self.encode_with(false) }
    }

    fn encode_with(&self, with_beyond: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut number = |number: i64| number.write(&mut bytes);
        number(FORM);
        number(self.version.into());
        number(self.epoch.into());
        number(self.partition.into());
        number(self.offset);
        let is_forgetful = planted::is_on(Bug::TokenForgetsPartition);
        let forgotten = self.seen.sources.keys().next_back().filter(|_| is_forgetful);
        let sources = self.seen.sources.iter().filter(|(partition, _)| Some(*partition) != forgotten);
        number(sources.clone().count() as i64);
        for (partition, source) in sources {
            number((*partition).into());
            number(source.settled);
            let beyond = source.beyond.iter().filter(|_| with_beyond);
            number(beyond.clone().count() as i64);
            for (offset, row) in beyond {
                number(offset - source.settled);
                number(row.cast_signed());
            }
        }
        bytes
    }

    /// Reads them, nothing behind them.
    ///
    /// # Errors
    /// [`BadPositions`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BadPositions> {
        let mut input = Input::new(bytes);
        let mut number = || i64::read(&mut input);
        if number()? != FORM {
            return Err(BadPositions);
        }
        let small = |number: i64| i32::try_from(number).map_err(|_| BadPositions);
        let (version, epoch, partition) = (small(number()?)?, small(number()?)?, small(number()?)?);
        let offset = number()?;
        let mut seen = Seen::default();
        // every number takes a byte at least, so what is claimed is not believed
        for _ in 0..number()? {
            let (partition, settled) = (small(number()?)?, number()?);
            let mut beyond = BTreeSet::new();
            for _ in 0..number()? {
                let offset = settled.checked_add(number()?).ok_or(BadPositions)?;
                beyond.insert((offset, number()?.cast_unsigned()));
            }
            seen.sources.insert(partition, OfSource { settled, beyond });
        }
        let is_right = input.left() == 0 && partition >= 0 && offset >= 0;
        is_right.then_some(Self { version, epoch, partition, offset, seen }).ok_or(BadPositions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(partitions: i32, beyond: i64) -> Positions {
        let source = |partition: i32| {
            let settled = 4_000_000_000 + i64::from(partition);
            let beyond = (0..beyond).map(|n| (settled + n, u64::MAX - n.cast_unsigned())).collect();
            (partition, OfSource { settled, beyond })
        };
        let seen = Seen { sources: (0..partitions).map(source).collect() };
        Positions { version: 2, epoch: 0, partition: 3, offset: 1 << 40, seen }
    }

    #[test]
    fn what_is_written_is_read() {
        for (partitions, beyond) in [(0, 0), (1, 0), (4, 3), (256, 0), (1, 200)] {
            let positions = positions(partitions, beyond);
            assert_eq!(Positions::decode(&positions.encode()), Ok(positions));
        }
    }

    #[test]
    fn they_stay_small_and_forget_what_does_no_harm() {
        let large = positions(256, 30);
        let bytes = large.encode();
        assert!(bytes.len() <= MOST_BYTES, "{}", bytes.len());
        assert_eq!(Positions::decode(&bytes), Ok(positions(256, 0)));
    }

    #[test]
    fn what_is_no_positions_is_refused() {
        let good = positions(2, 1).encode();
        for cut in 0..good.len() {
            assert_eq!(Positions::decode(&good[..cut]), Err(BadPositions), "{cut}");
        }
        assert!(Positions::decode(&[&good[..], &[0]].concat()).is_err());
        let mut endless = Vec::new();
        [FORM, 1, 0, 0, 0, i64::MAX].iter().for_each(|number| number.write(&mut endless));
        assert!(Positions::decode(&endless).is_err());
    }
}
