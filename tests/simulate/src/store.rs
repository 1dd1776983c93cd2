//! The tables as projectors see them: the store in memory behind whatever goes wrong on the way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millrace_kernel::{Page, PageQuery, Table, Value, Write};
use millrace_ports::{StoreFault, TableChange, ViewStore};
use millrace_testkit::store::memory::MemoryStore;

use crate::luck::{Luck, StoreVerdict};

/// A store that fails as its luck will have it.
pub struct UnreliableStore {
    store: Arc<MemoryStore>,
    luck: Luck,
    late: Mutex<Vec<Vec<Write>>>,
}

impl UnreliableStore {
    /// Passes on to `store` what `luck` lets through.
    #[must_use]
    pub fn new(store: Arc<MemoryStore>, luck: Luck) -> Self {
        Self { store, luck, late: Mutex::default() }
    }

    fn late(&self) -> MutexGuard<'_, Vec<Vec<Write>>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies what was accepted late.
    ///
    /// # Errors
    /// Those of the store behind.
    pub fn apply_late(&self) -> Result<(), StoreFault> {
        let late = std::mem::take(&mut *self.late());
        late.iter().try_for_each(|writes| self.store.apply(writes))
    }
}

impl ViewStore for UnreliableStore {
    fn plan_tables(&self, tables: &[Table]) -> Result<Vec<TableChange>, StoreFault> {
        self.store.plan_tables(tables)
    }

    fn create_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
        self.store.create_tables(tables)
    }

    fn open_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
        self.store.open_tables(tables)
    }

    fn drop_tables(&self, names: &[String]) -> Result<(), StoreFault> {
        self.store.drop_tables(names)
    }

    fn apply(&self, writes: &[Write]) -> Result<(), StoreFault> {
        let (verdict, mut dice) = self.luck.store_verdict();
        let mut writes = writes.to_vec();
        dice.shuffle(&mut writes);
        match verdict {
            StoreVerdict::Apply => return self.store.apply(&writes),
            StoreVerdict::Refuse => {}
            StoreVerdict::Timeout => self.store.apply(&writes)?,
            StoreVerdict::Partly => {
                let some = dice.below(writes.len() + 1);
                self.store.apply(&writes[..some])?;
            }
            StoreVerdict::Late => self.late().push(writes),
        }
        Err(StoreFault::Unavailable { step: "write rows", message: "injected by the test".to_owned() })
    }

    fn scan(&self, table: &str, after: &[Value], limit: usize) -> Result<Page, StoreFault> {
        self.store.scan(table, after, limit)
    }

    fn read(&self, queries: &[PageQuery]) -> Result<Vec<Page>, StoreFault> {
        self.store.read(queries)
    }
}
