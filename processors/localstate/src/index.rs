//! Where the newest record of every key lies: what changed since the newest snapshot is a table in memory, sixteen bytes a
//! key; the rest are the snapshot's pages.
//!
//! Keys are known by 64-bit hashes. Whoever reads a record compares its key; two keys of one hash are
//! noticed there.

use std::io;
use std::num::NonZeroU64;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::pages::Pages;

/// Into how many tables an index is cut, in bits: none of them is ever large enough to stop anyone
/// while it grows.
const SHARD_BITS: u32 = 12;
/// What its shard leaves of a hash, in bits.
pub(crate) const REST_BITS: u32 = 64 - SHARD_BITS;
/// Into how many. The fuzzer makes six indexes for an input, and none of them holds many keys.
pub(crate) const SHARDS: usize = if cfg!(fuzzing) { 16 } else { 1 << SHARD_BITS };
/// Length of an entry, as it is saved.
pub(crate) const ENTRY_BYTES: usize = 12;
/// Bits of a [`Place`].
const PLACE_BITS: u32 = 44;
const OFFSET_BITS: u32 = 28;
/// Records begin at multiples of so many bytes.
pub(crate) const UNIT: u64 = 8;
/// Longest file whose every record has a place, in bytes.
pub(crate) const FILE_LIMIT: u64 = UNIT << OFFSET_BITS;
/// Fullest a table gets, in eighths.
const FULL_EIGHTHS: usize = 7;
/// Room for runs that reach beyond the last home.
const SLACK: usize = 48;

/// A slot of a file and an offset in it, which is never 0: a file begins with its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(NonZeroU64);

impl Place {
    /// The place at `offset` of the file in `slot`.
    pub(crate) fn new(slot: u16, offset: u64) -> Self {
        debug_assert!(offset > 0 && offset < FILE_LIMIT && offset.is_multiple_of(UNIT));
        let number = (u64::from(slot) << OFFSET_BITS) | (offset / UNIT);
        Self(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN))
    }

    /// That a key of the pages has no record any more: offset 0 is no record's.
    const GONE: Self = Self(NonZeroU64::new(1 << OFFSET_BITS).unwrap());

    fn is_there(self) -> bool {
        self != Self::GONE
    }

    pub(crate) fn slot(self) -> u16 {
        (self.0.get() >> OFFSET_BITS) as u16
    }

    pub(crate) fn offset(self) -> u64 {
        (self.0.get() & ((1 << OFFSET_BITS) - 1)) * UNIT
    }
}

/// A key's hash and its newest place; `None` removes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    pub(crate) hash: u64,
    pub(crate) to: Option<Place>,
}

/// The places of all keys.
pub(crate) struct Index {
    shards: Box<[RwLock<Shard>]>,
}

/// Keys of one beginning.
#[derive(Default)]
struct Shard {
    /// What changed since the pages were written.
    table: Table,
    pages: Option<Arc<Pages>>,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect() }
    }

    /// An index that is what `pages` say.
    pub(crate) fn of(pages: &Arc<Pages>) -> Self {
        let shard = || Shard { table: Table::default(), pages: Some(Arc::clone(pages)) };
        Self { shards: (0..SHARDS).map(|_| RwLock::new(shard())).collect() }
    }

    /// Where a key's newest record lies.
    ///
    /// # Errors
    /// Its page cannot be read.
    pub(crate) fn get(&self, hash: u64) -> io::Result<Option<Place>> {
        let shard = self.read(shard_of(hash));
        match (shard.table.get(rest_of(hash)), &shard.pages) {
            (Some(place), _) => Ok(Some(place).filter(|place| place.is_there())),
            (None, Some(pages)) => Ok(pages.get(shard_of(hash), rest_of(hash))?.map(Entry::place)),
            (None, None) => Ok(None),
        }
    }

    /// At most so many keys have places: what changed since the pages were written is counted in addition.
    pub(crate) fn most_keys(&self) -> u64 {
        let changed: usize = (0..self.shards.len()).map(|shard| self.read(shard).table.used).sum();
        self.read(0).pages.as_ref().map_or(0, |pages| pages.keys()) + changed as u64
    }

    /// Carries out `moves` in their order. What each of them displaced is given to `left` if it is known; what was in the
    /// pages is told by [`Index::each`].
    pub(crate) fn apply(&self, moves: &[Move], mut left: impl FnMut(Place)) {
        for_each_shard(moves, |shard, moves| {
            let mut shard = self.write(shard);
            for one in moves {
                let rest = rest_of(one.hash);
                let before = match one.to {
                    Some(place) => shard.table.insert(rest, place),
                    // those behind it are in the pages, maybe
                    None if shard.pages.is_some() => shard.table.insert(rest, Place::GONE),
                    None => shard.table.remove(rest),
                };
                before.into_iter().filter(|place| place.is_there()).for_each(&mut left);
            }
        });
    }

    /// Those of `claims` that are where the index says, in the order of their places.
    ///
    /// # Errors
    /// A page cannot be read.
    pub(crate) fn confirmed(&self, claims: &[Move]) -> io::Result<Vec<Move>> {
        let mut confirmed: Vec<Move> = Vec::new();
        for claim in claims {
            if claim.to.is_some() && self.get(claim.hash)? == claim.to {
                confirmed.push(*claim);
            }
        }
        confirmed.sort_unstable_by_key(|claim| claim.to.map(|place| place.0));
        Ok(confirmed)
    }

    /// Forgets all keys whose newest place is not kept, of an index without pages.
    pub(crate) fn retain(&self, is_kept: impl Fn(Place) -> bool) {
        for shard in 0..self.shards.len() {
            // whoever reads meanwhile waits only for the exchange
            let kept = self.read(shard).table.filtered(&is_kept);
            self.write(shard).table = kept;
        }
    }

    /// Gives the entries of a shard to `each`, in their order, and the places in the pages that are no longer the newest
    /// to `left`, each with the number of its file.
    ///
    /// # Errors
    /// A page cannot be read, or what `each` says.
    pub(crate) fn each(
        &self,
        shard: usize,
        mut each: impl FnMut(Entry) -> io::Result<()>,
        mut left: impl FnMut(Place, u64),
    ) -> io::Result<()> {
        let shard_number = shard;
        let shard = self.read(shard);
        let paged =
            shard.pages.as_ref().map(|pages| pages.shard(shard_number)).transpose()?.unwrap_or_default();
        let file_in = |slot| shard.pages.as_ref().map_or(0, |pages| pages.file_in(slot));
        let mut paged = paged.into_iter().peekable();
        for changed in shard.table.entries() {
            while let Some(entry) = paged.next_if(|entry| entry.rest() < changed.rest()) {
                each(entry)?;
            }
            if let Some(entry) = paged.next_if(|entry| entry.rest() == changed.rest()) {
                left(entry.place(), file_in(entry.place().slot()));
            }
            if changed.place().is_there() {
                each(changed)?;
            }
        }
        paged.try_for_each(each)
    }

    /// From now on `pages` say what this index says; nobody moves a key meanwhile.
    pub(crate) fn rest_on(&self, pages: &Arc<Pages>) {
        for shard in 0..self.shards.len() {
            *self.write(shard) = Shard { table: Table::default(), pages: Some(Arc::clone(pages)) };
        }
    }

    /// How many parts [`Index::each`] has.
    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Takes the content of a snapshot as builds before wrote it, from the front of `bytes`: all of it, in memory. `None` when
    /// it is not that. Every place is given to `each`.
    pub(crate) fn load(mut bytes: &[u8], mut each: impl FnMut(Place)) -> Option<Self> {
        let index = Self::new();
        for shard in 0..index.shards.len() {
            let (count, rest) = bytes.split_first_chunk::<4>()?;
            let length = (u32::from_le_bytes(*count) as usize).checked_mul(ENTRY_BYTES)?;
            let (entries, rest) = rest.split_at_checked(length)?;
            let entries = entries.as_chunks::<ENTRY_BYTES>().0.iter().map(|entry| Entry::parse(*entry));
            entries.clone().for_each(|entry| each(entry.place()));
            let table = Table::of(length / ENTRY_BYTES, entries)?;
            index.write(shard).table = table;
            bytes = rest;
        }
        bytes.is_empty().then_some(index)
    }

    fn read(&self, shard: usize) -> RwLockReadGuard<'_, Shard> {
        self.shards[shard].read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, shard: usize) -> RwLockWriteGuard<'_, Shard> {
        self.shards[shard].write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shard_of(hash: u64) -> usize {
    (hash >> REST_BITS) as usize % SHARDS
}

fn rest_of(hash: u64) -> u64 {
    hash & ((1 << REST_BITS) - 1)
}

/// Gives the moves of each shard to `act`, in their order: what lies together in memory is touched together.
fn for_each_shard(moves: &[Move], mut act: impl FnMut(usize, &[Move])) {
    let mut ends = vec![0_u32; SHARDS + 1];
    moves.iter().for_each(|one| ends[shard_of(one.hash) + 1] += 1);
    for shard in 1..ends.len() {
        ends[shard] += ends[shard - 1];
    }
    let mut sorted = vec![Move { hash: 0, to: None }; moves.len()];
    for one in moves {
        // from where its shard begins to where it ends
        let at = &mut ends[shard_of(one.hash)];
        sorted[*at as usize] = *one;
        *at += 1;
    }
    let mut from = 0;
    for (shard, end) in ends[..SHARDS].iter().enumerate() {
        let upto = *end as usize;
        if upto > from {
            act(shard, &sorted[from..upto]);
        }
        from = upto;
    }
}

/// 52 bits of a hash above 44 bits of a place; all zero is none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry([u32; 3]);

const NONE: Entry = Entry([0; 3]);

impl Entry {
    fn new(rest: u64, place: Place) -> Self {
        let place = place.0.get();
        let high = (place >> 32) as u32 | ((rest as u32) << (PLACE_BITS - 32));
        Self([place as u32, high, (rest >> (64 - PLACE_BITS)) as u32])
    }

    pub(crate) fn parse(bytes: [u8; ENTRY_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        Self([[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(u32::from_le_bytes))
    }

    pub(crate) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let [[a, b, c, d], [e, f, g, h], [i, j, k, l]] = self.0.map(u32::to_le_bytes);
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }

    pub(crate) fn rest(self) -> u64 {
        (u64::from(self.0[2]) << (64 - PLACE_BITS)) | u64::from(self.0[1] >> (PLACE_BITS - 32))
    }

    /// Of an entry that was read from a file it may be no place.
    fn checked_place(self) -> Option<Place> {
        let high = u64::from(self.0[1] & ((1 << (PLACE_BITS - 32)) - 1)) << 32;
        NonZeroU64::new(high | u64::from(self.0[0])).map(Place)
    }

    pub(crate) fn place(self) -> Place {
        self.checked_place().unwrap_or(Place(NonZeroU64::MIN))
    }
}

/// A hash table whose entries stand in the order of their hashes, as near behind their homes as
/// they can: a look-up ends where a greater one stands.
#[derive(Default)]
struct Table {
    entries: Vec<Entry>,
    homes: usize,
    used: usize,
}

impl Table {
    fn home(&self, rest: u64) -> usize {
        ((u128::from(rest) * self.homes as u128) >> REST_BITS) as usize
    }

    fn entries(&self) -> impl Iterator<Item = Entry> + Clone {
        self.entries.iter().copied().filter(|entry| *entry != NONE)
    }

    /// Where `rest` stands, or where it would.
    fn find(&self, rest: u64) -> Result<usize, usize> {
        let mut at = self.home(rest);
        loop {
            match self.entries.get(at) {
                Some(entry) if *entry != NONE && entry.rest() < rest => at += 1,
                Some(entry) if *entry != NONE && entry.rest() == rest => return Ok(at),
                _ => return Err(at),
            }
        }
    }

    fn get(&self, rest: u64) -> Option<Place> {
        self.find(rest).ok().map(|at| self.entries[at].place())
    }

    fn insert(&mut self, rest: u64, place: Place) -> Option<Place> {
        let entry = Entry::new(rest, place);
        if let Ok(at) = self.find(rest) {
            return Some(std::mem::replace(&mut self.entries[at], entry).place());
        }
        if self.used * 8 >= self.homes * FULL_EIGHTHS {
            self.grow();
        }
        let (Ok(at) | Err(at)) = self.find(rest);
        let run = self.entries.get(at..).unwrap_or_default();
        let length = run.iter().position(|entry| *entry == NONE).unwrap_or(run.len());
        self.make_room(at + length);
        self.entries.copy_within(at..at + length, at + 1);
        self.entries[at] = entry;
        self.used += 1;
        None
    }

    /// Runs may reach beyond the last home.
    fn make_room(&mut self, at: usize) {
        if at >= self.entries.len() {
            self.entries.reserve_exact(at + SLACK - self.entries.len());
            self.entries.resize(at + SLACK, NONE);
        }
    }

    fn remove(&mut self, rest: u64) -> Option<Place> {
        let at = self.find(rest).ok()?;
        let removed = self.entries[at].place();
        let mut end = at + 1;
        while end < self.entries.len()
            && self.entries[end] != NONE
            && self.home(self.entries[end].rest()) < end
        {
            end += 1;
        }
        self.entries.copy_within(at + 1..end, at);
        self.entries[end - 1] = NONE;
        self.used -= 1;
        Some(removed)
    }

    fn grow(&mut self) {
        *self = Self::with_homes(self.homes + self.homes / 6 + 8, self.entries());
    }

    /// A table of entries that come in their order; `None` when they do not.
    fn of(count: usize, entries: impl Iterator<Item = Entry> + Clone) -> Option<Self> {
        let mut last = None;
        let in_order = |entry: Entry| {
            let rest = entry.rest();
            entry.checked_place().is_some() && last.replace(rest).is_none_or(|before| before < rest)
        };
        if !entries.clone().all(in_order) {
            return None;
        }
        let homes = count * 5 / 4 + usize::from(count > 0) * 8;
        Some(Self::with_homes(homes, entries))
    }

    fn with_homes(homes: usize, entries: impl Iterator<Item = Entry>) -> Self {
        let room = if homes == 0 { 0 } else { homes + SLACK };
        let mut table = Self { entries: vec![NONE; room], homes, used: 0 };
        let mut next = 0;
        for entry in entries {
            let at = table.home(entry.rest()).max(next);
            table.make_room(at);
            table.entries[at] = entry;
            table.used += 1;
            next = at + 1;
        }
        table
    }

    fn filtered(&self, is_kept: impl Fn(Place) -> bool) -> Self {
        Self::with_homes(self.homes, self.entries().filter(|entry| is_kept(entry.place())))
    }
}

#[cfg(test)]
mod tests;
