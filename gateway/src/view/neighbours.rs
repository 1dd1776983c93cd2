//! Other domains, where one says who may read the views of another.

use std::fmt::{Debug, Formatter, Result as Written};
use std::sync::Arc;

use millrace_kernel::Table;
use millrace_kernel::readers::{Unmet, check_readers_elsewhere};
use millrace_ports::{StoreFault, ViewStore};

use crate::ports::{Description, DomainLink, ViewDescription};

/// The domains of a gateway.
pub(crate) trait Neighbours {
    /// The views of a domain, if it is one of them.
    fn views(&self, domain: &str) -> Option<&[Arc<ViewDescription>]>;

    /// Its tables.
    fn tables(&self, domain: &str) -> Option<Tables>;
}

/// The way to the tables of a domain.
#[derive(Clone)]
pub(crate) struct Tables(Arc<Open>);

/// Opens the tables of a domain.
type Open = dyn Fn() -> Result<Arc<dyn ViewStore>, StoreFault> + Send + Sync;

impl Tables {
    /// Those of this domain.
    pub(crate) fn of(link: Arc<dyn DomainLink>) -> Self {
        Self(Arc::new(move || link.tables()))
    }

    /// Them, in the versions that answer now. It may wait for them.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn open(&self) -> Result<Arc<dyn ViewStore>, StoreFault> {
        (self.0)()
    }
}

impl Debug for Tables {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        f.write_str("Tables")
    }
}

/// Whether each view of these domains that another domain is to say the readers of can ask it. Where it cannot, nobody could
/// read those views, and nobody would know why.
///
/// # Errors
/// The first that cannot.
pub(crate) fn check<'d>(domains: impl Iterator<Item = &'d Description> + Clone) -> Result<(), String> {
    let tables =
        |domain: &Description| -> Vec<Table> { domain.views.iter().map(|view| view.table.clone()).collect() };
    let all: Vec<(&str, Vec<Table>)> = domains.map(|domain| (domain.name, tables(domain))).collect();
    let of = |name: &str| all.iter().find(|(domain, _)| *domain == name).map(|(_, tables)| tables.as_slice());
    for (domain, tables) in &all {
        check_readers_elsewhere(domain, tables, of).map_err(|unmet| match unmet {
            Unmet::Absent(why) => format!("{why}: a gateway serves both, or neither"),
            Unmet::Wrong(why) => why,
        })?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
