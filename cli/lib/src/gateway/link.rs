//! The way from the gateway to a domain's types and tables.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_gateway::ports::{CommandEncoder, DomainLink, Trouble};
use millrace_kernel::{Change, Outcome};
use millrace_ports::{StoreFault, ViewStore};
use millrace_runtime::Topology;
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

    fn changes(&self, family: &str) -> Result<Codec<Change>, Trouble> {
        let topic = self.entry.topology(self.prefix()).changes(family);
        let schema = self.entry.schemas().changes.unwrap_or_default();
        let found = Codec::find(Arc::clone(&self.registry), &Topology::subject(&topic), schema);
        let codec = found.map_err(|error| Trouble(error.to_string()))?;
        codec.ok_or_else(|| {
            Trouble(format!("the schema of {topic} is not registered: run `millrace schemas register`"))
        })
    }

    fn versions(&self) -> Result<HashMap<String, i32>, StoreFault> {
        self.tables()?;
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let live = opened.live.as_ref().map(|(live, _)| live);
        Ok(live.map(|live| self.live.versions(live)).unwrap_or_default())
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
