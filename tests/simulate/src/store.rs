//! The tables as projectors see them: the store in memory behind whatever goes wrong on the way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millrace_kernel::{Page, PageQuery, Put, Table, Value, Write};
use millrace_ports::{StoreFault, TableChange, ViewStore};
use millrace_testkit::store::memory::MemoryStore;

use crate::luck::{Luck, StoreVerdict};

fn injected(step: &'static str) -> StoreFault {
    StoreFault::Unavailable { step, message: "injected by the test".to_owned() }
}

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
        match self.luck.store_verdict().0 {
            StoreVerdict::Apply => return self.store.create_tables(tables),
            StoreVerdict::Refuse | StoreVerdict::Late => {}
            StoreVerdict::Timeout => self.store.create_tables(tables)?,
            StoreVerdict::Partly => self.store.create_tables(&tables[..tables.len() / 2])?,
        }
        Err(injected("create tables"))
    }

    fn open_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
        self.store.open_tables(tables)
    }

    fn drop_tables(&self, names: &[String]) -> Result<(), StoreFault> {
        // nothing comes late to a table that is gone
        self.late().iter_mut().for_each(|writes| {
            writes.retain(|write| !names.iter().any(|name| name == write.table()));
        });
        match self.luck.store_verdict().0 {
            StoreVerdict::Apply => return self.store.drop_tables(names),
            StoreVerdict::Refuse | StoreVerdict::Late => {}
            StoreVerdict::Timeout => self.store.drop_tables(names)?,
            StoreVerdict::Partly => self.store.drop_tables(&names[..names.len() / 2])?,
        }
        Err(injected("drop tables"))
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
        Err(injected("write rows"))
    }

    fn insert(&self, row: &Put) -> Result<bool, StoreFault> {
        match self.luck.store_verdict().0 {
            StoreVerdict::Apply => return self.store.insert(row),
            StoreVerdict::Refuse | StoreVerdict::Late => {}
            StoreVerdict::Timeout | StoreVerdict::Partly => drop(self.store.insert(row)?),
        }
        Err(injected("insert a row"))
    }

    fn scan(&self, table: &str, after: &[Value], limit: usize) -> Result<Page, StoreFault> {
        self.store.scan(table, after, limit)
    }

    fn read(&self, queries: &[PageQuery]) -> Result<Vec<Page>, StoreFault> {
        self.store.read(queries)
    }
}
