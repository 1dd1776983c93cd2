//! The view store on ScyllaDB or Cassandra, through the scylla driver. No other crate names
//! the driver, and nothing here is known to only one of the two servers.
//!
//! - Every write carries the time of its cause (`USING TIMESTAMP`), so the servers themselves
//!   see to it that late and repeated writes lose and deletes stay. That holds for as long as
//!   they keep deletes: `gc_grace_seconds`, ten days unless set otherwise.
//! - Statements are prepared and go straight to a replica. Writes to one partition travel
//!   together as an unlogged batch; writes to several partitions never do.
//! - The port is synchronous, the driver is not: it lives on a runtime of its own, and callers
//!   wait on a channel. So a store may be used from any thread, also from one that belongs to
//!   another runtime.

mod apply;
mod config;
mod connect;
mod copies;
mod cql;
mod engine;
mod fault;
mod insert;
mod layout;
mod link;
mod read;
mod scan;
mod tls;
mod value;

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use millrace_kernel::{Page, PageQuery, Put, Table, Value, Write};
use millrace_ports::tables::{Tables, columns_table};
use millrace_ports::{StoreFault, StoreWarning, Submitted, TableChange, ViewStore};

pub use crate::config::{Consistency, ScyllaConfig, Tls};
use crate::engine::Engine;
use crate::link::{Haste, Link};

/// The tables of one keyspace.
pub struct ScyllaStore {
    engine: Engine,
    link: Arc<Link>,
    opened: RwLock<Arc<Tables>>,
}

impl ScyllaStore {
    /// Connects to the cluster. The keyspace need not be there yet.
    ///
    /// # Errors
    /// [`StoreFault::Unavailable`] naming the hosts and what to check.
    pub fn connect(config: ScyllaConfig) -> Result<Self, StoreFault> {
        let engine = Engine::start()?;
        let link = engine.wait("connect", async move {
            let session = connect::session(&config).await?;
            Ok(Link::new(session, config))
        })?;
        Ok(Self { engine, link: Arc::new(link), opened: RwLock::default() })
    }

    fn opened(&self) -> Arc<Tables> {
        self.opened.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Writes that are being sent.
struct UnderWay(mpsc::Receiver<Result<(), StoreFault>>);

impl Submitted for UnderWay {
    fn settle(&mut self, wait: Duration) -> Result<bool, StoreFault> {
        match self.0.recv_timeout(wait) {
            Ok(answer) => answer.map(|()| true),
            Err(RecvTimeoutError::Timeout) => Ok(false),
            Err(RecvTimeoutError::Disconnected) => Err(engine::ended_early(apply::STEP)),
        }
    }
}

impl ViewStore for ScyllaStore {
    fn plan_tables(&self, tables: &[Table]) -> Result<Vec<TableChange>, StoreFault> {
        let (link, tables) = (self.link.clone(), tables.to_vec());
        self.engine.wait("compare tables", async move { layout::plan(&link, &tables).await })
    }

    fn warnings(&self) -> Result<Vec<StoreWarning>, StoreFault> {
        let link = self.link.clone();
        self.engine.wait("look at the keyspace", async move { layout::warnings(&link).await })
    }

    fn create_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
        let (link, tables) = (self.link.clone(), tables.to_vec());
        self.engine.wait("create tables", async move { layout::create(&link, &tables).await })
    }

    fn open_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
        let (link, wanted) = (self.link.clone(), tables.to_vec());
        self.engine.wait("open tables", async move { layout::check(&link, &wanted).await })?;
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        let mut all: Tables = opened.as_ref().clone();
        for table in tables.iter().cloned().chain([columns_table()]) {
            all.add(table);
        }
        *opened = all.into();
        Ok(())
    }

    fn drop_tables(&self, names: &[String]) -> Result<(), StoreFault> {
        let (link, gone) = (self.link.clone(), names.to_vec());
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        let mut left: Tables = opened.as_ref().clone();
        names.iter().for_each(|name| left.remove(name));
        *opened = left.into();
        drop(opened);
        self.engine.wait("drop tables", async move { layout::drop(&link, &gone).await })
    }

    fn apply(&self, writes: &[Write]) -> Result<(), StoreFault> {
        let units = apply::units(&self.opened(), &self.link.config.keyspace, writes)?;
        if units.is_empty() {
            return Ok(());
        }
        let link = self.link.clone();
        self.engine.wait(apply::STEP, async move { apply::send(&link, units, Haste::Now).await })
    }

    fn insert(&self, row: &Put) -> Result<bool, StoreFault> {
        let table = self.opened().check_write(&Write::Put(row.clone()))?.clone();
        let (link, row) = (self.link.clone(), row.clone());
        self.engine.wait(insert::STEP, async move { insert::insert(&link, &table, row).await })
    }

    fn submit(&self, writes: Arc<Vec<Write>>) -> Result<Box<dyn Submitted>, StoreFault> {
        let units = apply::units(&self.opened(), &self.link.config.keyspace, &writes)?;
        let link = self.link.clone();
        let sending = async move { apply::send(&link, units, Haste::Unhurried).await };
        Ok(Box::new(UnderWay(self.engine.begin(apply::STEP, sending)?)))
    }

    fn read(&self, queries: &[PageQuery]) -> Result<Vec<Page>, StoreFault> {
        let opened = self.opened();
        let mut tables = Vec::with_capacity(queries.len());
        for query in queries {
            tables.push(opened.check_query(query)?.clone());
        }
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        let (link, queries) = (self.link.clone(), queries.to_vec());
        self.engine.wait("read rows", async move { read::pages(&link, tables, queries).await })
    }

    fn scan(&self, table: &str, after: &[Value], limit: usize) -> Result<Page, StoreFault> {
        let table = self.opened().check_scan(table, after)?.clone();
        let (link, after) = (self.link.clone(), after.to_vec());
        self.engine.wait("go through a table", async move { scan::scan(&link, &table, &after, limit).await })
    }
}

#[cfg(test)]
mod tests {
    use millrace_kernel::table::parse_tables;
    use millrace_kernel::{Put, Write};
    use millrace_ports::ViewStore;
    use millrace_services::{Services, keyspace};

    use super::{ScyllaConfig, ScyllaStore, layout};

    const NOTES: &str = "CREATE TABLE notes (
  author text, -- Who.
  body text, -- What.
  PRIMARY KEY ((author))
) WITH comment = 'Notes.';";

    /// Without its keyspace's replication the driver sends every statement to any node, which passes it on.
    #[test]
    fn the_driver_knows_where_rows_are() {
        let server = Services::cql().unwrap_or_else(|error| panic!("no CQL server: {error}"));
        let config = ScyllaConfig::new([server.contact_point.clone()], keyspace("routing"));
        let tables = parse_tables(NOTES).unwrap();
        let first = ScyllaStore::connect(config.clone()).unwrap();
        first.create_tables(&tables).unwrap();
        let second = ScyllaStore::connect(config.clone()).unwrap();
        for store in [first, second] {
            store.open_tables(&tables).unwrap();
            let state = store.link.session.get_cluster_state();
            let found = state.get_keyspace(&config.keyspace).expect("the keyspace is known");
            assert!(found.tables.contains_key("notes"), "and its tables: {:?}", found.tables.keys());
        }
    }

    /// As of a keyspace that somebody has made for more data centres than there are.
    #[test]
    fn a_keyspace_that_asks_for_more_copies_than_there_are_nodes_is_named() {
        let server = Services::cql().unwrap_or_else(|error| panic!("no CQL server: {error}"));
        let tables = parse_tables(NOTES).unwrap();
        let mut config = ScyllaConfig::new([server.contact_point.clone()], keyspace("copies"));
        let store = ScyllaStore::connect(config.clone()).unwrap();
        let planned = store.plan_tables(&tables).unwrap();
        let note = planned[0].note.as_deref().expect("copies are said before they are made");
        assert!(note.starts_with("of each row 1 copy in ") && note.contains("which has 1 node"), "{note}");
        store.create_tables(&tables).unwrap();
        assert_eq!(store.warnings().unwrap(), []);
        assert!(store.plan_tables(&tables).unwrap().is_empty());

        let nodes = layout::nodes(&store.link);
        let centre = nodes.keys().next().expect("a node has a data centre").clone();
        config.keyspace = keyspace("more_copies");
        config.replication = Some(format!("{{'class': 'NetworkTopologyStrategy', '{centre}': 2}}"));
        let store = ScyllaStore::connect(config).unwrap();
        // the tables are made; what says what their columns mean is a row, and no row can be written
        let fault = store.create_tables(&tables).unwrap_err();
        assert!(fault.to_string().contains("more copies than there are nodes"), "{fault}");
        let found = store.warnings().unwrap();
        assert!(found.len() == 1 && found[0].stops, "{found:?}");
        assert!(
            found[0].text.contains(&format!("2 copies in data centre {centre}, which has 1 node")),
            "{found:?}"
        );
        // so does whoever writes all the same
        store.open_tables(&tables).unwrap();
        let values = vec!["ann".into(), "hello".into()];
        let fault = store.apply(&[Write::Put(Put { table: "notes", values, timestamp: 1 })]).unwrap_err();
        assert!(fault.to_string().contains("more copies than there are nodes"), "{fault}");
    }
}
