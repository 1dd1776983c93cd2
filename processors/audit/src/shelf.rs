//! Where entries go that memory has no room for: one table of a scratch store, in which every book has its partition.

use std::cell::{Cell, OnceCell};
use std::fmt::Write as _;

use millrace_kernel::table::{Column, Storage};
use millrace_kernel::{ColumnType, Delete, PageQuery, Put, Table, Value, Write};
use millrace_ports::ViewStore;

use crate::fault::AuditFault;

/// Writes that are put into the store at once.
const BATCH: usize = 4_000;
/// The table, and its columns behind the key.
const TABLE: &str = "millrace_entries";

/// An entry as it was put: key and value.
pub(crate) type Entry = (Box<[u8]>, Vec<u8>);

/// Makes a store for scratch, without tables.
pub type MakeScratch<'a> = &'a dyn Fn() -> Result<Box<dyn ViewStore>, AuditFault>;

/// What an examination may hold in memory of what grows with the topics, and where the rest of it goes.
pub struct Shelf<'a> {
    scratch: MakeScratch<'a>,
    most_bytes: usize,
    store: OnceCell<Box<dyn ViewStore>>,
    books: Cell<usize>,
    numbers: Cell<i64>,
    held: Cell<usize>,
    most_held: Cell<usize>,
    written: Cell<u64>,
}

impl<'a> Shelf<'a> {
    /// Holds about `most_bytes` in memory, twice as much at worst; `scratch` makes a store for what is beyond it, when there is any.
    #[must_use]
    pub fn new(scratch: MakeScratch<'a>, most_bytes: usize) -> Self {
        let (books, numbers, written) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let (held, most_held) = (Cell::new(0), Cell::new(0));
        Self { scratch, most_bytes, store: OnceCell::new(), books, numbers, held, most_held, written }
    }

    /// Most bytes that were held in memory at once.
    #[must_use]
    pub fn most_held(&self) -> usize {
        self.most_held.get()
    }

    /// How many entries went to the scratch store.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.get()
    }

    /// A scratch store of its own.
    pub(crate) fn scratch(&self) -> Result<Box<dyn ViewStore>, AuditFault> {
        (self.scratch)()
    }

    /// What each book may hold whatever others do, in bytes.
    pub(crate) fn share(&self) -> usize {
        self.most_bytes / self.books.get().max(1)
    }

    /// What a book may hold that holds so many bytes now: what others leave, and its share in any case.
    pub(crate) fn room(&self, own: usize) -> usize {
        let others = self.held.get().saturating_sub(own);
        self.most_bytes.saturating_sub(others).max(self.share())
    }

    /// A number that no other book has.
    pub(crate) fn join(&self) -> i64 {
        self.books.set(self.books.get() + 1);
        self.next()
    }

    /// A book is closed; what is left of it in the store is removed.
    pub(crate) fn leave(&self, number: i64, is_written: bool) {
        self.books.set(self.books.get().saturating_sub(1));
        if let (true, Some(store)) = (is_written, self.store.get()) {
            let (key, timestamp) = (vec![Value::BigInt(number)], self.next());
            // room for others; all of it goes with the store
            drop(store.apply(&[Write::Delete(Delete { table: TABLE, key, range: true, timestamp })]));
        }
    }

    /// So many more bytes are held, or fewer.
    pub(crate) fn hold(&self, more: usize, fewer: usize) {
        let held = (self.held.get() + more).saturating_sub(fewer);
        self.held.set(held);
        self.most_held.set(self.most_held.get().max(held));
    }

    fn next(&self) -> i64 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    fn store(&self) -> Result<&dyn ViewStore, AuditFault> {
        if self.store.get().is_none() {
            let store = self.scratch()?;
            store.create_tables(&[table()])?;
            store.open_tables(&[table()])?;
            drop(self.store.set(store));
        }
        self.store.get().map(|store| &**store).ok_or_else(|| spoilt(TABLE, "it was not made"))
    }

    /// Writes entries of a book; nothing removes one.
    pub(crate) fn write<'e>(
        &self,
        book: i64,
        entries: impl Iterator<Item = (&'e [u8], Option<&'e [u8]>)>,
    ) -> Result<(), AuditFault> {
        let store = self.store()?;
        let timestamp = self.next();
        let mut batch = Vec::new();
        for (key, value) in entries {
            let key = vec![Value::BigInt(book), Value::from(to_text(key))];
            batch.push(match value {
                Some(value) => {
                    let values = key.into_iter().chain([Value::from(to_text(value))]).collect();
                    Write::Put(Put { table: TABLE, values, timestamp })
                }
                None => Write::Delete(Delete { table: TABLE, key, range: false, timestamp }),
            });
            if batch.len() >= BATCH {
                self.written.set(self.written.get() + batch.len() as u64);
                store.apply(&std::mem::take(&mut batch))?;
            }
        }
        self.written.set(self.written.get() + batch.len() as u64);
        Ok(store.apply(&batch)?)
    }

    /// The entry of a key.
    pub(crate) fn read(&self, book: i64, key: &[u8]) -> Result<Option<Vec<u8>>, AuditFault> {
        let key = vec![Value::BigInt(book), Value::from(to_text(key))];
        Ok(self.page(key, Vec::new(), 1)?.pop().map(|(_, value)| value))
    }

    /// At most `limit` entries behind the key `after`, in the store's order.
    pub(crate) fn entries(
        &self,
        book: i64,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, AuditFault> {
        let after = after.map(|key| Value::from(to_text(key))).into_iter().collect();
        self.page(vec![Value::BigInt(book)], after, limit)
    }

    fn page(&self, key: Vec<Value>, after: Vec<Value>, limit: usize) -> Result<Vec<Entry>, AuditFault> {
        let query = PageQuery { table: TABLE.to_owned(), key, after, limit, in_turn: false };
        let rows = self.store()?.read(&[query])?.into_iter().flat_map(|page| page.rows);
        rows.map(|row| match row.as_slice() {
            [_, Value::Text(key), Value::Text(value)] => match (from_text(key), from_text(value)) {
                (Some(key), Some(value)) => Ok((key.into(), value)),
                _ => Err(spoilt(key, "it is no text of this kind")),
            },
            _ => Err(spoilt(TABLE, "a row has other columns")),
        })
        .collect()
    }
}

/// Something in the scratch store that nobody has put there.
pub(crate) fn spoilt(what: &str, why: impl Into<String>) -> AuditFault {
    AuditFault::Scratch { what: what.to_owned(), why: why.into() }
}

fn table() -> Table {
    let column =
        |name: &str, kind| Column { name: name.to_owned(), kind, comment: "Of the audit.".to_owned() };
    Table {
        name: TABLE.to_owned(),
        comment: "What an audit has no room for in memory. Bound: it goes with the audit.".to_owned(),
        columns: vec![
            column("book", ColumnType::BigInt),
            column("name", ColumnType::Text),
            column("value", ColumnType::Text),
        ],
        partition_columns: 1,
        clustering_descending: vec![false],
        storage: Storage::default(),
        readers: Vec::new(),
        live: None,
    }
}

/// Bytes as a text that tells which they were: as they are behind `=`, or as digits behind `x`.
fn to_text(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return format!("={text}");
    }
    let mut text = String::with_capacity(1 + bytes.len() * 2);
    text.push('x');
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn from_text(text: &str) -> Option<Vec<u8>> {
    if let Some(text) = text.strip_prefix('=') {
        return Some(text.as_bytes().to_vec());
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let digits = text.strip_prefix('x')?.as_bytes();
    digits.chunks(2).map(|pair| Some((digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were() {
        for bytes in [&b""[..], b"a", b"=x", b"x00", b"\0", b"\xff\x00\x80", "ü".as_bytes()] {
            assert_eq!(from_text(&to_text(bytes)).as_deref(), Some(bytes));
        }
        for other in ["", "a", "x0", "xg0"] {
            assert_eq!(from_text(other), None, "{other}");
        }
    }
}
