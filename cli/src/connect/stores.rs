//! The view store of a configuration: CQL or SQLite.

use std::path::Path;
use std::sync::Arc;

use millrace_ports::{StoreFault, ViewStore};
use millrace_sqlite::SqliteStore;

use crate::config::Settings;

/// The tables of `domain`.
///
/// # Errors
/// Nobody has said where they are, or what the store says.
pub fn open(settings: &Settings, domain: &str) -> Result<Arc<dyn ViewStore>, StoreFault> {
    let refused = |message: String| StoreFault::Refused { step: "open the tables", message };
    if !settings.cql.is_empty() {
        return Err(refused("CQL is not there yet".to_owned()));
    }
    if settings.sqlite.is_empty() {
        return Err(refused(
            "nobody has said where they are; give --cql HOSTS or --sqlite DIR, or start `millrace up`"
                .to_owned(),
        ));
    }
    Ok(Arc::new(SqliteStore::open(Path::new(&settings.sqlite), domain)?))
}
