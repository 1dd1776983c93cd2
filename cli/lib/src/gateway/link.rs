//! The way from the gateway to a domain's types and tables.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_gateway::ports::{CommandEncoder, DomainLink, Trouble};
use millrace_kernel::Outcome;
use millrace_ports::{StoreFault, ViewStore};
use millrace_runtime::versions::Live;
use millrace_wire::{Codec, Registry};

use crate::config::Config;
use crate::connect::{LiveTables, Servers};
use crate::domain::DomainEntry;
use crate::error::CliError;
use crate::outcomes::Outcomes;

/// How long it is believed that the versions that answered still do. The old ones are kept up to date until somebody
/// drops them.
const FRESH: Duration = Duration::from_secs(1);

/// A domain, and the servers that its types and tables are on.
pub struct Link {
    config: Config,
    entry: Arc<dyn DomainEntry>,
    registry: Arc<dyn Registry>,
    live: LiveTables,
    opened: Mutex<Opened>,
}

#[derive(Default)]
struct Opened {
    /// The connection, once there was one.
    store: Option<Arc<dyn ViewStore>>,
    live: Option<(Live, Arc<dyn ViewStore>)>,
    looked_at: Option<Instant>,
}

impl Link {
    /// The way to `entry`; nothing is asked yet.
    ///
    /// # Errors
    /// Settings or declarations of the domain that are wrong.
    pub fn new(
        config: Config,
        entry: Arc<dyn DomainEntry>,
        registry: Arc<dyn Registry>,
    ) -> Result<Self, CliError> {
        let live = LiveTables::of(&config, &*entry)?;
        Ok(Self { config, entry, registry, live, opened: Mutex::default() })
    }

    fn prefix(&self) -> &str {
        &self.config.settings.topic_prefix
    }
}

fn trouble(error: CliError) -> Trouble {
    Trouble(error.text())
}

impl DomainLink for Link {
    fn encoder(&self) -> Result<Box<dyn CommandEncoder>, Trouble> {
        self.entry.encoder(Arc::clone(&self.registry), self.prefix()).map_err(trouble)
    }

    fn outcomes(&self) -> Result<Codec<Outcome>, Trouble> {
        Outcomes::codec(Arc::clone(&self.registry), &*self.entry, self.prefix()).map_err(trouble)
    }

    fn tables(&self) -> Result<Arc<dyn ViewStore>, StoreFault> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = opened.looked_at.is_some_and(|at| at.elapsed() < FRESH);
        if let Some((_, store)) = opened.live.as_ref().filter(|_| is_fresh) {
            return Ok(Arc::clone(store));
        }
        let store = match &opened.store {
            Some(store) => Arc::clone(store),
            None => Servers::new(&self.config).store_to_read_unreached(&*self.entry)?,
        };
        opened.store = Some(Arc::clone(&store));
        let live = self.live.open(&store, opened.live.as_ref())?;
        opened.looked_at = Some(Instant::now());
        Ok(Arc::clone(&opened.live.insert(live).1))
    }
}
