//! The servers of a configuration: how they are reached, and what is said when they are not.

mod live;
mod reach;
mod security;
mod stores;

use std::sync::Arc;
use std::time::Duration;

use millrace_kafka::{KafkaConfig, KafkaLog};
use millrace_localstate::LocalDir;
use millrace_ports::{LocalStores, StoreFault, SystemClock, ViewStore};
use millrace_runtime::Topology;
use millrace_runtime::progress::system_tables;
use millrace_runtime::role::Ports;
use millrace_wire::{ConfluentRegistry, Registry};

pub use self::live::LiveTables;
use crate::config::{Config, secrets};
use crate::domain::DomainEntry;
use crate::error::CliError;
use crate::pseudonyms;
use crate::status::processes;

/// How long a question to a server may take in a command that ends by itself.
const PATIENCE: Duration = Duration::from_secs(8);

/// Where Kafka, the registry and the tables are.
#[derive(Clone, Copy)]
pub struct Servers<'a> {
    /// The configuration they come from.
    pub config: &'a Config,
}

impl<'a> Servers<'a> {
    /// The servers of `config`; nothing is connected yet.
    #[must_use]
    pub fn new(config: &'a Config) -> Self {
        Self { config }
    }

    /// The prefix of every name in Kafka.
    #[must_use]
    pub fn prefix(&self) -> &'a str {
        &self.config.settings.topic_prefix
    }

    /// Kafka, for a command that ends by itself: it answers now, or the command fails.
    ///
    /// # Errors
    /// No broker answers, with the address and the flag that sets it.
    pub fn kafka(&self) -> Result<KafkaLog, CliError> {
        self.reach("Kafka", "kafka", reach::hosts(&self.config.settings.kafka, 9092))?;
        self.kafka_unreached(PATIENCE)
    }

    /// The registry, for a command that ends by itself.
    ///
    /// # Errors
    /// As [`Servers::kafka`].
    pub fn registry(&self) -> Result<Arc<dyn Registry>, CliError> {
        self.reach("the schema registry", "registry", reach::of_url(&self.config.settings.registry)?)?;
        self.registry_unreached()
    }

    /// The tables of a domain, for a command that ends by itself.
    ///
    /// # Errors
    /// As [`Servers::kafka`]; or nobody has said where the tables are.
    pub fn store(&self, entry: &dyn DomainEntry) -> Result<Arc<dyn ViewStore>, CliError> {
        self.reach_store()?;
        Ok(self.store_unreached(entry)?)
    }

    /// The same, for a command that only reads: it makes neither folder nor file.
    ///
    /// # Errors
    /// As [`Servers::store`]; or there are none.
    pub fn store_to_read(&self, entry: &dyn DomainEntry) -> Result<Arc<dyn ViewStore>, CliError> {
        self.reach_store()?;
        Ok(stores::open(self.config, entry.name(), false)?)
    }

    fn reach_store(&self) -> Result<(), CliError> {
        let settings = &self.config.settings;
        self.say_where_tables_are()?;
        if !settings.cql.is_empty() {
            self.reach("CQL", "cql", reach::hosts(&settings.cql, 9042))?;
        }
        Ok(())
    }

    /// Makes sure that somebody has said where the tables are.
    ///
    /// # Errors
    /// Nobody has.
    pub fn say_where_tables_are(&self) -> Result<(), CliError> {
        let settings = &self.config.settings;
        match settings.sqlite.is_empty() && settings.cql.is_empty() {
            true => Err(CliError::failed("nobody has said where the tables are")
                .hint("Give --cql HOSTS or --sqlite DIR, or start everything here with `millrace up`.")),
            false => Ok(()),
        }
    }

    /// The tables of a domain, ready to be read: of each view the version that answers now.
    ///
    /// # Errors
    /// As [`Servers::store`]; or tables that are missing or differ.
    pub fn open_store(&self, entry: &dyn DomainEntry) -> Result<Arc<dyn ViewStore>, CliError> {
        let store = self.store_to_read(entry)?;
        store.open_tables(&system_tables())?;
        Ok(LiveTables::of(self.config, entry)?.open(&store, None)?.1)
    }

    /// The tables of a domain, for a role that only reads them: they may be away.
    ///
    /// # Errors
    /// What the store says.
    pub fn store_to_read_unreached(&self, entry: &dyn DomainEntry) -> Result<Arc<dyn ViewStore>, StoreFault> {
        let store = stores::open(self.config, entry.name(), false)?;
        store.open_tables(&system_tables())?;
        Ok(store)
    }

    /// Kafka, for a role, which waits for it by itself.
    ///
    /// # Errors
    /// Settings that no client can be made of.
    pub fn kafka_of_role(&self) -> Result<KafkaLog, CliError> {
        self.kafka_unreached(Duration::from_secs(5))
    }

    /// The tables of a domain, for a role, which waits for a server that is away by itself.
    ///
    /// # Errors
    /// What the store says.
    pub fn store_unreached(&self, entry: &dyn DomainEntry) -> Result<Arc<dyn ViewStore>, StoreFault> {
        stores::open(self.config, entry.name(), true)
    }

    /// The outside world of a role that decides: with the keys of pseudonyms, which others need not be able to read.
    ///
    /// # Errors
    /// As [`Servers::ports`]; or keys that cannot be read, or that others can read.
    pub fn ports_to_decide(&self, state_dir: &str) -> Result<Ports, CliError> {
        Ok(Ports { pseudonyms: pseudonyms::of(self.config)?, ..self.ports(state_dir)? })
    }

    /// The outside world of a role, which waits for servers that are away by itself and keeps what it knows in
    /// `state_dir`, if that is set.
    ///
    /// # Errors
    /// Settings that no client can be made of.
    pub fn ports(&self, state_dir: &str) -> Result<Ports, CliError> {
        Ok(Ports {
            log: Arc::new(self.kafka_of_role()?),
            registry: self.registry_unreached()?,
            clock: Arc::new(SystemClock),
            local: (!state_dir.is_empty())
                .then(|| Arc::new(LocalDir::new(state_dir)) as Arc<dyn LocalStores>),
            pseudonyms: Arc::default(),
            transaction_timeout: self.config.settings.processor.transaction_timeout(),
        })
    }

    fn kafka_unreached(&self, request_timeout: Duration) -> Result<KafkaLog, CliError> {
        let settings = &self.config.settings;
        let mut config = KafkaConfig::new(settings.kafka.as_str());
        config.request_timeout = request_timeout;
        config.is_plain = Topology::is_for_all_clients;
        config.transaction_timeout = settings.processor.transaction_timeout();
        config.properties = security::kafka(self.config)?;
        Ok(KafkaLog::connect(config)?)
    }

    /// The registry, for whoever can do without it; nothing is asked yet.
    ///
    /// # Errors
    /// Settings that no client can be made of.
    pub fn registry_unreached(&self) -> Result<Arc<dyn Registry>, CliError> {
        let access = security::registry(self.config)?;
        Ok(Arc::new(ConfluentRegistry::new(&self.config.settings.registry, &access)?))
    }

    /// Fails soon and clearly when none of `addresses` can be connected to.
    fn reach(&self, what: &str, key: &str, addresses: Vec<String>) -> Result<(), CliError> {
        let Err(why) = reach::any(&addresses) else { return Ok(()) };
        let origin = self.config.origin(key);
        let shown = secrets::shown(&[key], &addresses.join(","));
        let text = format!("{what} at {shown} does not answer: {why}");
        let flag = format!("--{key}");
        Err(CliError::failed(text).hint(match &self.config.up {
            Some(up) => format!(
                "The address is from {}, which `millrace up --data {}` wrote: is it running?\n\
                 Otherwise give another address with {flag}.",
                up.file.display(),
                up.data.display()
            ),
            None if origin == "default" => format!(
                "That is the default. Start everything on this machine with `millrace up`, or give another \
                 address with {flag}."
            ),
            None if origin == flag => format!("Start it, or give another address with {flag}."),
            None => format!("The address is from {origin}. Start it, or give another one with {flag}."),
        }))
    }
}

/// What may be why Kafka does not answer, as lines: what processes say of themselves, and what the broker does with a
/// connection. Nothing where nothing is known.
#[must_use]
pub fn why_not(config: &Config) -> Vec<String> {
    let mut lines = processes::troubles(config);
    let addresses = reach::hosts(&config.settings.kafka, 9092);
    if let Some(address) = addresses.iter().find(|address| reach::is_turned_away(address)) {
        lines.push(format!(
            "{address} closes connections as soon as they are made: the broker has too many connections or open files \
             (its log says which; of `millrace up` see up.max_connections), or it is no broker, or expects TLS."
        ));
    }
    lines
}
