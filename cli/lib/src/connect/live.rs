//! Of each view of a domain the version that answers now.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_kernel::Table;
use millrace_ports::{StoreFault, ViewStore};
use millrace_runtime::progress::system_tables;
use millrace_runtime::versions::{Live, LiveStore};

use crate::config::Config;
use crate::domain::{self, DomainEntry, Family};
use crate::error::CliError;

/// The views of a domain, as they are opened.
pub struct LiveTables {
    domain: &'static str,
    families: Vec<Family>,
    declared: Vec<Table>,
}

impl LiveTables {
    /// Those of `entry`.
    ///
    /// # Errors
    /// Settings or declarations that are wrong.
    pub fn of(config: &Config, entry: &dyn DomainEntry) -> Result<Self, CliError> {
        let mut declared = domain::tables(entry)?;
        declared.extend(system_tables());
        Ok(Self { domain: entry.name(), families: entry.families(config)?, declared })
    }

    /// The version of each view.
    #[must_use]
    pub fn versions(&self, live: &Live) -> HashMap<String, i32> {
        let of_family = |family: &Family| {
            let version = live.version(family.name).0;
            family.views.iter().map(move |view| ((*view).to_owned(), version)).collect::<Vec<_>>()
        };
        self.families.iter().flat_map(of_family).collect()
    }

    /// The tables of `store` by their plain names, and which versions these are; `known` again, where nothing has changed
    /// since.
    ///
    /// # Errors
    /// What the store says.
    pub fn open(
        &self,
        store: &Arc<dyn ViewStore>,
        known: Option<&(Live, Arc<dyn ViewStore>)>,
    ) -> Result<(Live, Arc<dyn ViewStore>), StoreFault> {
        let named = || self.families.iter().map(|family| (family.name, family.views));
        let live = Live::read(&**store, named())?;
        if let Some((_, opened)) = known.filter(|(same, _)| *same == live) {
            return Ok((live, Arc::clone(opened)));
        }
        let opened = LiveStore::open(Arc::clone(store), &live, self.domain, named(), &self.declared)?;
        Ok((live, Arc::new(opened)))
    }
}
