//! States that have changed since the last checkpoint, one behind the other in one piece of memory.

use millrace_kernel::AggregateId;
use millrace_kernel::bookkeeping::Bookkeeping;
use millrace_ports::{Change, Space};

/// Changes begin at multiples of so many bytes.
const UNIT: usize = 8;
/// Four numbers: length of the id, room for the state, its length, kind of change.
const HEADER: usize = 16;
/// Instead of a length: the aggregate is forgotten.
const FORGOTTEN: u32 = u32::MAX;
/// Kinds of change: of an aggregate, of what the engine keeps, and one that a later one has replaced.
const AGGREGATE: u32 = 0;
const KEPT: u32 = 1;
const REPLACED: u32 = 2;

/// Where a change stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ChangePlace(u32);

/// Changed states, of each aggregate the newest.
#[derive(Debug, Default)]
pub(super) struct Changes {
    bytes: Vec<u8>,
    count: usize,
}

impl Changes {
    /// Adds a change of an aggregate that has none here yet; without a state it is forgotten.
    pub(super) fn add(&mut self, id: &AggregateId, state: Option<&[u8]>) -> ChangePlace {
        self.count += 1;
        self.append(id, state)
    }

    fn append(&mut self, id: &AggregateId, state: Option<&[u8]>) -> ChangePlace {
        let place = ChangePlace((self.bytes.len() / UNIT) as u32);
        let kind = if Bookkeeping::is_kept_under(id) { KEPT } else { AGGREGATE };
        let length = state.map_or(FORGOTTEN, |state| state.len() as u32);
        let text = id.as_str().as_bytes();
        let used = HEADER + text.len() + state.map_or(0, <[u8]>::len);
        let room = used.next_multiple_of(UNIT) - HEADER - text.len();
        let end = self.bytes.len() + HEADER + text.len() + room;
        self.bytes.reserve(end + UNIT - self.bytes.len());
        for number in [text.len() as u32, room as u32, length, kind] {
            self.bytes.extend_from_slice(&number.to_le_bytes());
        }
        self.bytes.extend_from_slice(text);
        self.bytes.extend_from_slice(state.unwrap_or_default());
        // one store, where filling up to a length is a call
        self.bytes.extend_from_slice(&[0; UNIT]);
        self.bytes.truncate(end);
        place
    }

    /// Puts another change in the place of one that was added before; where it stands then.
    pub(super) fn replace(
        &mut self,
        place: ChangePlace,
        id: &AggregateId,
        state: Option<&[u8]>,
    ) -> ChangePlace {
        let at = place.0 as usize * UNIT;
        let Some(found) = self.at(at) else { return self.add(id, state) };
        if state.is_some_and(|state| state.len() > found.room) {
            self.bytes[at + 12..at + 16].copy_from_slice(&REPLACED.to_le_bytes());
            return self.append(id, state);
        }
        let begin = at + HEADER + found.id.len();
        let length = state.map_or(FORGOTTEN, |state| state.len() as u32);
        self.bytes[at + 8..at + 12].copy_from_slice(&length.to_le_bytes());
        if let Some(state) = state {
            self.bytes[begin..begin + state.len()].copy_from_slice(state);
        }
        place
    }

    fn at(&self, place: usize) -> Option<Found<'_>> {
        let bytes = self.bytes.get(place..).filter(|bytes| !bytes.is_empty())?;
        let (header, rest) = bytes.split_at_checked(HEADER)?;
        let number = |at: usize| header[at..at + 4].try_into().map(u32::from_le_bytes).ok();
        let (id, room) = (number(0)? as usize, number(4)? as usize);
        let (id, rest) = rest.split_at_checked(id)?;
        let length = number(8)?;
        let state = if length == FORGOTTEN { None } else { Some(rest.get(..length as usize)?) };
        Some(Found { id, room, state, kind: number(12)? })
    }

    /// All changes, for a store.
    pub(super) fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        let mut place = 0;
        std::iter::from_fn(move || {
            loop {
                let found = self.at(place)?;
                place += HEADER + found.id.len() + found.room;
                let space = match found.kind {
                    AGGREGATE => Space::Aggregates,
                    KEPT => Space::Kept,
                    _ => continue,
                };
                return Some(Change { space, key: found.id, value: found.state });
            }
        })
    }

    /// How many aggregates have changed.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// How much memory the changes take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets all, and keeps the room.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }
}

struct Found<'a> {
    id: &'a [u8],
    room: usize,
    state: Option<&'a [u8]>,
    kind: u32,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn of_each_aggregate_the_newest_change_stays() {
        let mut changes = Changes::default();
        let mut expected = BTreeMap::new();
        let mut places = BTreeMap::new();
        let mut seed = 7_u64;
        let mut roll = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..2_000 {
            let kind = ["Account", "Process"][roll(2) as usize];
            let id = AggregateId::new(kind, &[&"n".repeat(1 + roll(40) as usize)]);
            let state = (roll(4) > 0).then(|| vec![roll(256) as u8; roll(60) as usize]);
            let place = match places.get(&id) {
                Some(place) => changes.replace(*place, &id, state.as_deref()),
                None => changes.add(&id, state.as_deref()),
            };
            places.insert(id.clone(), place);
            let space = if kind == "Process" { Space::Kept } else { Space::Aggregates };
            expected.insert((space, id.as_str().to_owned()), state);
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let found: BTreeMap<_, _> =
            changes.iter().map(|it| ((it.space, text(it.key)), it.value.map(<[u8]>::to_vec))).collect();
        assert_eq!(changes.iter().count(), expected.len());
        assert_eq!(changes.len(), expected.len());
        assert_eq!(found, expected);
        changes.clear();
        assert_eq!((changes.len(), changes.bytes(), changes.iter().count()), (0, 0, 0));
    }
}
