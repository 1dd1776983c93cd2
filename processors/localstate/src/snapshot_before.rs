//! Snapshots as builds before 0.2 wrote them: all of the index, which is read into memory at once. The next snapshot is of today's kind.

use crate::frame::LAYOUT;
use crate::index::Index;
use crate::log::Held;
use crate::note::Reading;
use crate::snapshot::{Said, Saved};

/// What such a file begins with.
pub(crate) const MAGIC: &[u8; 8] = b"mr-index";

/// What the bytes of a file say; `None` where they are not what was written.
pub(crate) fn parse(bytes: &[u8]) -> Option<Saved> {
    let (bytes, checksum) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(bytes).to_le_bytes() != *checksum {
        return None;
    }
    let (layout, bytes) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
    let (length, bytes) = bytes.split_first_chunk::<4>()?;
    let (said, shards) = bytes.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    if *layout != LAYOUT.to_le_bytes() {
        return None;
    }
    let mut said = Reading(said);
    let mut found = Said::parse(&mut said, |_| Some(0))?;
    let mut are_places_held = true;
    let index = Index::load(shards, |place| {
        let it: Option<&mut Held> = found.held.get_mut(usize::from(place.slot())).and_then(Option::as_mut);
        match it {
            Some(held) if place.offset() < held.length => held.live += 1,
            _ => are_places_held = false,
        }
    })?;
    (are_places_held && said.0.is_empty() && found.is_consistent()).then_some(Saved { said: found, index })
}
