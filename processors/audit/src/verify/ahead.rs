//! Writes of events that the live views need not show yet, first come first served. With wide fan-outs they are many.

use millrace_kernel::{Delete, Put, Value, Write};
use serde::{Deserialize, Serialize};

use crate::book::Book;
use crate::fault::AuditFault;
use crate::shelf::{Shelf, spoilt};

/// Writes that are kept together.
const TOGETHER: usize = 500;

/// Writes by the event that asks for them.
pub(super) struct Ahead<'s> {
    /// By number.
    kept: Book<'s>,
    first: u64,
    next: u64,
    /// All tables that are written to.
    tables: &'static [&'static str],
}

/// Some writes of an event.
#[derive(Serialize, Deserialize)]
struct Piece {
    offset: i64,
    writes: Vec<Kept>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    table: usize,
    timestamp: i64,
    action: Action,
    values: Vec<Value>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Action {
    Put,
    Delete,
    DeleteRange,
}

impl<'s> Ahead<'s> {
    pub fn new(shelf: &'s Shelf<'s>, tables: &'static [&'static str]) -> Self {
        Self { kept: Book::new(shelf), first: 0, next: 0, tables }
    }

    /// Adds writes of an event that is not before those there are.
    pub fn push(&mut self, offset: i64, writes: Vec<Write>) -> Result<(), AuditFault> {
        let mut writes = writes.into_iter().peekable();
        while writes.peek().is_some() {
            let piece = writes.by_ref().take(TOGETHER).map(|write| self.keep(write));
            let piece = Piece { offset, writes: piece.collect::<Result<_, _>>()? };
            let encoded = serde_json::to_vec(&piece).map_err(|why| spoilt("rows", why.to_string()))?;
            self.kept.put(&self.next.to_be_bytes(), encoded)?;
            self.next += 1;
        }
        Ok(())
    }

    /// The next writes of an event before `offset`, which are kept no longer.
    pub fn pop(&mut self, before: i64) -> Result<Option<(i64, Vec<Write>)>, AuditFault> {
        if self.first == self.next {
            return Ok(None);
        }
        let piece = self.piece(self.first)?;
        if piece.0 >= before {
            return Ok(None);
        }
        self.kept.remove(&self.first.to_be_bytes())?;
        self.first += 1;
        Ok(Some(piece))
    }

    /// Gives every write to `each`, with the offset of its event.
    pub fn each(&mut self, each: &mut dyn FnMut(i64, &Write)) -> Result<(), AuditFault> {
        for number in self.first..self.next {
            let (offset, writes) = self.piece(number)?;
            writes.iter().for_each(|write| each(offset, write));
        }
        Ok(())
    }

    fn keep(&self, write: Write) -> Result<Kept, AuditFault> {
        let (name, timestamp) = (write.table(), write.timestamp());
        let table = self.tables.iter().position(|table| *table == name);
        let table = table.ok_or_else(|| spoilt(name, "no table of its family"))?;
        let (action, values) = match write {
            Write::Put(put) => (Action::Put, put.values),
            Write::Delete(delete) if delete.range => (Action::DeleteRange, delete.key),
            Write::Delete(delete) => (Action::Delete, delete.key),
        };
        Ok(Kept { table, timestamp, action, values })
    }

    fn piece(&mut self, number: u64) -> Result<(i64, Vec<Write>), AuditFault> {
        let missing = || spoilt("rows", "they are missing");
        let piece = self.kept.get(&number.to_be_bytes())?.ok_or_else(missing)?;
        let Piece { offset, writes } =
            serde_json::from_slice(piece).map_err(|why| spoilt("rows", why.to_string()))?;
        let write = |Kept { table, timestamp, action, values }: Kept| {
            let table = *self.tables.get(table)?;
            Some(match action {
                Action::Put => Write::Put(Put { table, values, timestamp }),
                Action::Delete => Write::Delete(Delete { table, key: values, range: false, timestamp }),
                Action::DeleteRange => Write::Delete(Delete { table, key: values, range: true, timestamp }),
            })
        };
        let writes = writes.into_iter().map(write).collect::<Option<_>>().ok_or_else(missing)?;
        Ok((offset, writes))
    }
}
