//! Reading from the versions that answer now, by the plain names of views and projections.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use millrace_kernel::{Page, PageQuery, Table, Value, Write};
use millrace_ports::{StoreFault, TableChange, ViewStore};

use super::{Version, catalogue};
use crate::progress::{FAN_OUTS, PLACES, PROGRESS};

/// Which versions answer for the families of a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    versions: BTreeMap<String, Version>,
}

impl Live {
    /// Looks them up, for families given as (name, views).
    ///
    /// # Errors
    /// [`StoreFault`].
    pub fn read<'f>(
        store: &dyn ViewStore,
        families: impl IntoIterator<Item = (&'f str, &'f [&'static str])>,
    ) -> Result<Self, StoreFault> {
        let mut versions = BTreeMap::new();
        for (family, views) in families {
            versions.insert(family.to_owned(), catalogue::live(store, views)?);
        }
        Ok(Self { versions })
    }

    /// The version that answers for a family.
    #[must_use]
    pub fn version(&self, family: &str) -> Version {
        self.versions.get(family).copied().unwrap_or(Version::FIRST)
    }
}

/// A store in which the plain names of a domain's views and projections mean the versions that
/// answered when it was opened: what is read through it is all of one version. It is for reading,
/// and takes no writes to views.
pub struct LiveStore {
    inner: Arc<dyn ViewStore>,
    tables: HashMap<String, String>,
    projections: HashMap<Value, Value>,
}

/// The tables whose rows begin with the name of a projection.
const OF_PROJECTIONS: [&str; 3] = [PROGRESS, FAN_OUTS, PLACES];

impl LiveStore {
    /// Opens the `declared` tables of `domain`, those of its families, given as (name, views), in
    /// the versions that are `live`.
    ///
    /// # Errors
    /// [`StoreFault::Schema`] when one is missing or differs.
    pub fn open<'f>(
        inner: Arc<dyn ViewStore>,
        live: &Live,
        domain: &str,
        families: impl IntoIterator<Item = (&'f str, &'f [&'static str])>,
        declared: &[Table],
    ) -> Result<Self, StoreFault> {
        let (mut tables, mut projections) = (HashMap::new(), HashMap::new());
        for (family, views) in families {
            let version = live.version(family);
            if version == Version::FIRST {
                continue;
            }
            tables.extend(views.iter().map(|view| ((*view).to_owned(), version.table(view))));
            let plain = format!("{domain}.{family}");
            projections.insert(Value::from(plain.as_str()), Value::from(version.of(&plain).as_str()));
        }
        let name = |table: &Table| tables.get(&table.name).unwrap_or(&table.name).clone();
        let opened: Vec<Table> =
            declared.iter().map(|table| Table { name: name(table), ..table.clone() }).collect();
        inner.open_tables(&opened)?;
        Ok(Self { inner, tables, projections })
    }

    fn table<'n>(&'n self, name: &'n str) -> &'n str {
        self.tables.get(name).map_or(name, String::as_str)
    }

    fn redirect(&self, query: &PageQuery) -> PageQuery {
        let mut there = PageQuery { table: self.table(&query.table).to_owned(), ..query.clone() };
        if OF_PROJECTIONS.contains(&query.table.as_str())
            && let Some(name) = there.key.first_mut()
            && let Some(of_version) = self.projections.get(name)
        {
            name.clone_from(of_version);
        }
        there
    }

    /// Rows say the projection's plain name, by which they were asked for.
    fn restore(query: &PageQuery, page: &mut Page) {
        let Some(asked) = query.key.first().filter(|_| OF_PROJECTIONS.contains(&query.table.as_str())) else {
            return;
        };
        page.rows.iter_mut().filter_map(|row| row.first_mut()).for_each(|name| name.clone_from(asked));
    }
}

impl ViewStore for LiveStore {
    fn plan_tables(&self, tables: &[Table]) -> Result<Vec<TableChange>, StoreFault> {
        self.inner.plan_tables(tables)
    }

    fn create_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
        self.inner.create_tables(tables)
    }

    fn open_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
        self.inner.open_tables(tables)
    }

    fn drop_tables(&self, names: &[String]) -> Result<(), StoreFault> {
        self.inner.drop_tables(names)
    }

    fn apply(&self, writes: &[Write]) -> Result<(), StoreFault> {
        if let Some(write) = writes.iter().find(|write| self.tables.contains_key(write.table())) {
            let message = format!("{} is opened for reading", write.table());
            return Err(StoreFault::Refused { step: "write rows", message });
        }
        self.inner.apply(writes)
    }

    fn read(&self, queries: &[PageQuery]) -> Result<Vec<Page>, StoreFault> {
        if self.tables.is_empty() {
            return self.inner.read(queries);
        }
        let there: Vec<PageQuery> = queries.iter().map(|query| self.redirect(query)).collect();
        let mut pages = self.inner.read(&there)?;
        queries.iter().zip(&mut pages).for_each(|(query, page)| Self::restore(query, page));
        Ok(pages)
    }

    fn scan(&self, table: &str, after: &[Value], limit: usize) -> Result<Page, StoreFault> {
        self.inner.scan(self.table(table), after, limit)
    }
}
