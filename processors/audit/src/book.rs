//! Entries by key that need no more memory however many they are: near at hand what was used of late, the rest on the
//! [shelf](crate::shelf).

use hashbrown::HashMap;
use millrace_kernel::Known;

use crate::fault::AuditFault;
use crate::shelf::{Entry, Shelf, spoilt};

/// What an entry takes in memory beside its own bytes: two allocations, and a table that is half full.
const ENTRY_BYTES: usize = 96;
/// Entries that are gone through at once.
const PAGE: usize = 500;

/// Entries by key.
pub(crate) struct Book<'s> {
    shelf: &'s Shelf<'s>,
    number: i64,
    /// What is used moves from the farther half to the nearer one; when that is full, the farther one goes to the store.
    near: Half,
    far: Half,
    /// Whether the store has anything of it.
    is_written: bool,
    /// The first fault of a look-up that could not tell it.
    fault: Option<AuditFault>,
}

#[derive(Default)]
struct Half {
    entries: HashMap<Box<[u8]>, Near>,
    bytes: usize,
}

struct Near {
    /// Nothing: removed.
    value: Option<Vec<u8>>,
    /// The store has another.
    is_new: bool,
}

/// A place in a book that is gone through; what is put behind it meanwhile may come or not.
pub(crate) enum Cursor {
    Keys(std::vec::IntoIter<Box<[u8]>>),
    Behind(Option<Box<[u8]>>),
    End,
}

impl Half {
    fn insert(&mut self, shelf: &Shelf<'_>, key: Box<[u8]>, entry: Near) {
        let size = size(&key, &entry);
        self.bytes += size;
        shelf.hold(size, 0);
        self.entries.insert(key, entry);
    }

    fn take(&mut self, shelf: &Shelf<'_>, key: &[u8]) -> Option<(Box<[u8]>, Near)> {
        let (key, entry) = self.entries.remove_entry(key)?;
        let size = size(&key, &entry);
        self.bytes -= size;
        shelf.hold(0, size);
        Some((key, entry))
    }
}

fn size(key: &[u8], entry: &Near) -> usize {
    key.len() + entry.value.as_ref().map_or(0, Vec::len) + ENTRY_BYTES
}

impl<'s> Book<'s> {
    pub fn new(shelf: &'s Shelf<'s>) -> Self {
        let number = shelf.join();
        Self { shelf, number, near: Half::default(), far: Half::default(), is_written: false, fault: None }
    }

    /// The value of a key.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<&[u8]>, AuditFault> {
        self.find(key)?;
        Ok(self.near.entries.get(key).and_then(|entry| entry.value.as_deref()))
    }

    /// Puts a value under a key.
    pub fn put(&mut self, key: &[u8], value: Vec<u8>) -> Result<(), AuditFault> {
        self.set(key, Some(value))
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: &[u8]) -> Result<(), AuditFault> {
        if self.is_written {
            return self.set(key, None);
        }
        self.near.take(self.shelf, key);
        self.far.take(self.shelf, key);
        Ok(())
    }

    /// Before the first entry.
    pub fn cursor(&mut self) -> Result<Cursor, AuditFault> {
        if self.is_written {
            self.save()?;
            return Ok(Cursor::Behind(None));
        }
        let entries = self.near.entries.keys().chain(self.far.entries.keys());
        let mut keys: Vec<Box<[u8]>> = entries.cloned().collect();
        keys.sort_unstable();
        Ok(Cursor::Keys(keys.into_iter()))
    }

    /// The next entries; none behind the last.
    pub fn page(&mut self, cursor: &mut Cursor) -> Result<Vec<Entry>, AuditFault> {
        let mut found = Vec::new();
        while found.is_empty() {
            match cursor {
                Cursor::End => break,
                Cursor::Keys(keys) => {
                    for key in keys.take(PAGE) {
                        if let Some(value) = self.get(&key)?.map(<[u8]>::to_vec) {
                            found.push((key, value));
                        }
                    }
                    if keys.len() == 0 {
                        *cursor = Cursor::End;
                    }
                }
                Cursor::Behind(after) => {
                    let page = self.shelf.entries(self.number, after.as_deref(), PAGE)?;
                    let last = page.last().filter(|_| page.len() == PAGE).map(|(key, _)| key.clone());
                    *cursor = last.map_or(Cursor::End, |last| Cursor::Behind(Some(last)));
                    found.extend(page.into_iter().filter_map(|(key, value)| match self.at_hand(&key) {
                        Some(entry) => Some((key, entry.value.clone()?)),
                        None => Some((key, value)),
                    }));
                }
            }
        }
        Ok(found)
    }

    /// Leaves what is beyond its share of memory to others, as it is not asked for a while.
    pub fn rest(&mut self) -> Result<(), AuditFault> {
        if self.near.bytes + self.far.bytes > self.shelf.share() {
            self.save()?;
            for half in [&mut self.near, &mut self.far] {
                self.shelf.hold(0, std::mem::take(half).bytes);
            }
        }
        Ok(())
    }

    /// What a look-up as [`Known`] could not tell since the last call.
    pub fn take_fault(&mut self) -> Result<(), AuditFault> {
        self.fault.take().map_or(Ok(()), Err)
    }

    fn at_hand(&self, key: &[u8]) -> Option<&Near> {
        self.near.entries.get(key).or_else(|| self.far.entries.get(key))
    }

    fn set(&mut self, key: &[u8], value: Option<Vec<u8>>) -> Result<(), AuditFault> {
        self.far.take(self.shelf, key);
        let known = self.near.take(self.shelf, key).map(|(key, _)| key);
        self.bring_near(known.unwrap_or_else(|| key.into()), Near { value, is_new: true })
    }

    /// Brings the entry of a key near, if there is one.
    fn find(&mut self, key: &[u8]) -> Result<(), AuditFault> {
        if self.near.entries.contains_key(key) {
            return Ok(());
        }
        if let Some((key, entry)) = self.far.take(self.shelf, key) {
            return self.bring_near(key, entry);
        }
        if self.is_written
            && let Some(value) = self.shelf.read(self.number, key)?
        {
            return self.bring_near(key.into(), Near { value: Some(value), is_new: false });
        }
        Ok(())
    }

    fn bring_near(&mut self, key: Box<[u8]>, entry: Near) -> Result<(), AuditFault> {
        let room = self.shelf.room(self.near.bytes + self.far.bytes);
        let is_full = self.near.bytes + size(&key, &entry) > room / 2;
        if is_full && self.near.bytes > 0 {
            self.write(|book| &mut book.far)?;
            self.shelf.hold(0, self.far.bytes);
            self.far = std::mem::take(&mut self.near);
        }
        self.near.insert(self.shelf, key, entry);
        Ok(())
    }

    /// Writes all that the store does not have.
    fn save(&mut self) -> Result<(), AuditFault> {
        self.write(|book| &mut book.far)?;
        self.write(|book| &mut book.near)
    }

    fn write(&mut self, half: impl Fn(&mut Self) -> &mut Half) -> Result<(), AuditFault> {
        let (shelf, number) = (self.shelf, self.number);
        let half = half(self);
        if !half.entries.values().any(|entry| entry.is_new) {
            return Ok(());
        }
        let new = half.entries.iter().filter(|(_, entry)| entry.is_new);
        shelf.write(number, new.map(|(key, entry)| (&**key, entry.value.as_deref())))?;
        half.entries.values_mut().for_each(|entry| entry.is_new = false);
        self.is_written = true;
        Ok(())
    }
}

impl Drop for Book<'_> {
    fn drop(&mut self) {
        self.shelf.hold(0, self.near.bytes + self.far.bytes);
        self.shelf.leave(self.number, self.is_written);
    }
}

/// What projectors know, where it may be more than memory holds.
impl Known for Book<'_> {
    fn get(&mut self, key: &[u8]) -> Option<&[u8]> {
        if let Err(fault) = self.find(key) {
            self.fault.get_or_insert(fault);
            return None;
        }
        self.near.entries.get(key).and_then(|entry| entry.value.as_deref())
    }

    fn put(&mut self, key: &[u8], value: Vec<u8>) {
        if let Err(fault) = self.set(key, Some(value)) {
            self.fault.get_or_insert(fault);
        }
    }

    fn remove(&mut self, key: &[u8]) {
        if let Err(fault) = Book::remove(self, key) {
            self.fault.get_or_insert(fault);
        }
    }

    fn distrust(&mut self, key: &[u8], why: String) {
        self.fault.get_or_insert(spoilt(&String::from_utf8_lossy(key), why));
    }
}

/// Offsets of a partition, packed: who asks in their order looks each piece up once.
pub(crate) struct Offsets<'s>(Book<'s>);

/// Offsets in a piece.
const PIECE: i64 = 4_096;

impl<'s> Offsets<'s> {
    pub fn new(shelf: &'s Shelf<'s>) -> Self {
        Self(Book::new(shelf))
    }

    /// Takes in those from `first` up to `last`.
    pub fn insert(&mut self, first: i64, last: i64) -> Result<(), AuditFault> {
        let mut at = first.max(0);
        while at <= last {
            let piece = at / PIECE;
            let mut bits =
                self.0.get(&piece.to_be_bytes())?.map_or(vec![0; PIECE as usize / 8], <[u8]>::to_vec);
            let end = last.min((piece + 1) * PIECE - 1);
            for offset in at..=end {
                let bit = (offset % PIECE) as usize;
                bits[bit / 8] |= 1 << (bit % 8);
            }
            self.0.put(&piece.to_be_bytes(), bits)?;
            at = end + 1;
        }
        Ok(())
    }

    /// Whether an offset was taken in.
    pub fn contains(&mut self, offset: i64) -> Result<bool, AuditFault> {
        let bit = offset.rem_euclid(PIECE) as usize;
        let bits = self.0.get(&offset.div_euclid(PIECE).to_be_bytes())?;
        Ok(bits.is_some_and(|bits| bits[bit / 8] & (1 << (bit % 8)) != 0))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use millrace_ports::ViewStore;
    use millrace_testkit::store::memory::MemoryStore;

    use super::*;

    fn scratch() -> Result<Box<dyn ViewStore>, AuditFault> {
        Ok(Box::new(MemoryStore::new()))
    }

    fn all(book: &mut Book<'_>) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut cursor = book.cursor().unwrap();
        let mut all = BTreeMap::new();
        loop {
            let page = book.page(&mut cursor).unwrap();
            if page.is_empty() {
                return all;
            }
            for (key, value) in page {
                assert!(all.insert(key.to_vec(), value).is_none(), "each comes once");
            }
        }
    }

    #[test]
    fn it_answers_as_a_map_does_and_holds_no_more_than_it_may() {
        for most in [usize::MAX, 15_000, 4_000, 400] {
            let shelf = Shelf::new(&scratch, most);
            let mut dice = 7_u64;
            let (mut book, mut expected) = (Book::new(&shelf), BTreeMap::new());
            for round in 0..6_000_u64 {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let key = format!("key-{}", (dice >> 33) % 300).into_bytes();
                match (dice >> 20) % 4 {
                    0 => {
                        Book::remove(&mut book, &key).unwrap();
                        expected.remove(&key);
                    }
                    1 => {
                        let value = [&round.to_le_bytes()[..], &vec![b'v'; (round % 40) as usize]].concat();
                        Book::put(&mut book, &key, value.clone()).unwrap();
                        expected.insert(key, value);
                    }
                    _ => assert_eq!(
                        Book::get(&mut book, &key).unwrap(),
                        expected.get(&key).map(Vec::as_slice),
                        "{most}, round {round}"
                    ),
                }
                if round % 2_000 == 1_999 {
                    assert_eq!(all(&mut book), expected, "{most}");
                }
            }
            assert_eq!(shelf.written() > 0, most < usize::MAX, "{most}");
            // two entries are held however little is allowed
            assert!(
                shelf.most_held() <= most.max(400) && shelf.most_held() > 200,
                "{most}: {}",
                shelf.most_held()
            );
            drop(book);
            assert_eq!(all(&mut Book::new(&shelf)), BTreeMap::new(), "another has entries of its own");
        }
    }

    #[test]
    fn offsets_are_packed() {
        let shelf = Shelf::new(&scratch, 2_000);
        let mut offsets = Offsets::new(&shelf);
        for (first, last) in [(3, 3), (4_090, 4_100), (100_000, 140_000), (-5, -1), (9, 8)] {
            offsets.insert(first, last).unwrap();
        }
        for (offset, is_in) in
            [(3, true), (4, false), (4_095, true), (4_096, true), (4_101, false), (-1, false)]
        {
            assert_eq!(offsets.contains(offset).unwrap(), is_in, "{offset}");
        }
        assert!((100_000..=140_000).all(|offset| offsets.contains(offset).unwrap()));
        assert!(!offsets.contains(140_001).unwrap() && !offsets.contains(8).unwrap());
        assert!(shelf.written() > 0);
    }
}
