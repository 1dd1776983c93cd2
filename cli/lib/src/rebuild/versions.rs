//! The versions of one family, and what is known of them in Kafka and in the tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_kafka::{Admin, KafkaLog};
use millrace_kernel::Table;
use millrace_ports::{Clock, Log as _, SystemClock, TopicPartition, ViewStore};
use millrace_runtime::Topology;
use millrace_runtime::progress::{Progress, read_progress, system_tables};
use millrace_runtime::versions::{CatalogueFault, Filled, State, Version, catalogue};

use crate::connect::Servers;
use crate::domain::{self, DomainEntry, Family, by_name};
use crate::error::CliError;
use crate::status::behind::{Behind, behind};
use crate::views;

/// A family, its tables and its events.
pub struct Versions<'a> {
    pub servers: &'a Servers<'a>,
    pub entry: &'a dyn DomainEntry,
    pub family: Family,
    pub store: Arc<dyn ViewStore>,
    pub log: KafkaLog,
    pub admin: Admin,
    /// The family's tables as this build declares them.
    pub declared: Vec<Table>,
    names: Topology,
    /// The partitions of the events.
    pub events: Vec<TopicPartition>,
}

impl<'a> Versions<'a> {
    /// Finds the family that `view` means, and connects to its servers.
    ///
    /// # Errors
    /// There is no such view or family; servers that do not answer.
    pub fn open(
        servers: &'a Servers<'a>,
        domains: &'a [Box<dyn DomainEntry>],
        view: &str,
    ) -> Result<Self, CliError> {
        let (entry, family) = find(servers, domains, view)?;
        let (store, log) = (servers.store(entry)?, servers.kafka()?);
        store.open_tables(&system_tables())?;
        let names = Topology::new(servers.prefix(), entry.name());
        let partitions = log.partitions(&names.events)?;
        let events = (0..partitions).map(|it| TopicPartition::new(Arc::clone(&names.events), it)).collect();
        let mut declared = domain::tables(entry)?;
        declared.retain(|table| family.views.contains(&table.name.as_str()));
        let admin = log.admin()?;
        Ok(Self { servers, entry, family, store, log, admin, declared, names, events })
    }

    /// `<domain>.<family>`
    pub fn name(&self) -> String {
        format!("{}.{}", self.entry.name(), self.family.name)
    }

    /// All versions that have tables, the oldest first.
    pub fn all(&self) -> Result<Vec<Filled>, CliError> {
        let mut all = catalogue::read(&*self.store, &self.name())?;
        all.retain(|it| it.state != State::Dropped);
        Ok(all)
    }

    /// Versions that are recorded as dropped, and whose progress is there all the same: whoever dropped them did not come to
    /// the end, where that goes behind the tables.
    pub fn half_dropped(&self) -> Result<Vec<Filled>, CliError> {
        let mut found = Vec::new();
        for filled in catalogue::read(&*self.store, &self.name())? {
            if filled.state == State::Dropped && !self.progress(filled.version)?.is_empty() {
                found.push(filled);
            }
        }
        Ok(found)
    }

    /// The number of the next version: one that never was.
    pub fn next(&self) -> Result<Version, CliError> {
        let all = catalogue::read(&*self.store, &self.name())?;
        Ok(all.iter().map(|it| it.version).max().unwrap_or(Version::FIRST).next())
    }

    /// The version that answers.
    pub fn live(&self) -> Result<Version, CliError> {
        Ok(catalogue::live(&*self.store, self.family.views)?)
    }

    /// Records a new version; whether nobody else was first.
    pub fn claim(&self, new: &Filled) -> Result<bool, CliError> {
        Ok(catalogue::claim(&*self.store, &self.name(), new)?)
    }

    /// Brings a version to another state.
    pub fn record(&self, filled: &Filled, state: State) -> Result<Filled, CliError> {
        let recorded = catalogue::record(&*self.store, &self.name(), filled, state, SystemClock.now_micros());
        recorded.map_err(|why| self.unchanged(filled.version, why))
    }

    /// Records that a version is dropped, while `live` answers.
    pub fn give_up(&self, filled: &Filled, live: Version) -> Result<(), CliError> {
        let (name, views) = (self.name(), self.family.views);
        catalogue::give_up(&*self.store, &name, views, (filled, live), SystemClock.now_micros())
            .map_err(|why| self.unchanged(filled.version, why))
    }

    /// Lets `version` answer.
    pub fn switch(&self, version: Version) -> Result<(), CliError> {
        catalogue::answer(&*self.store, self.family.views, version, SystemClock.now_micros())
            .map_err(|why| self.unchanged(version, why))?;
        self.show()
    }

    fn unchanged(&self, version: Version, why: CatalogueFault) -> CliError {
        let hint = match why {
            CatalogueFault::Store(fault) => return fault.into(),
            CatalogueFault::Changed { .. } => {
                "Another `rebuild` is at work; `millrace status` shows what answers now."
            }
            CatalogueFault::Ahead => {
                "Set the clocks of the machines right, and remove that row of millrace_versions or millrace_views."
            }
        };
        CliError::failed(format!("{}: version {}: {why}", self.name(), version.0)).hint(hint)
    }

    /// Where analysts have views of the store's own, those show the version that answers.
    pub fn show(&self) -> Result<(), CliError> {
        let live = self.live()?;
        let names: Vec<(String, String)> =
            self.family.views.iter().map(|view| ((*view).to_owned(), live.table(view))).collect();
        match live {
            Version::FIRST => Ok(()),
            _ => Ok(self.store.show_as(&names)?),
        }
    }

    /// How many processes fill a version.
    pub fn members(&self, version: Version) -> Result<usize, CliError> {
        Ok(self.admin.members(&self.names.projector_group(&version.of(self.family.name)))?)
    }

    /// How far a version has come.
    pub fn progress(&self, version: Version) -> Result<BTreeMap<i32, Progress>, CliError> {
        let rows = read_progress(&*self.store, &version.of(&self.name()))?;
        Ok(rows.into_iter().map(|it| (it.partition, it)).collect())
    }

    /// Where the events end.
    pub fn ends(&self) -> Result<BTreeMap<i32, i64>, CliError> {
        let end = |at: &TopicPartition| Ok((at.partition, self.log.high_watermark(at)?));
        self.events.iter().map(end).collect()
    }

    /// What a version that has come so far is still to take in, and for how long that has waited; a
    /// partition with nothing left is left out.
    pub fn behind(
        &self,
        progress: &BTreeMap<i32, Progress>,
    ) -> Result<BTreeMap<TopicPartition, Behind>, CliError> {
        let next = |at: &TopicPartition| Some((at.clone(), progress.get(&at.partition)?.events_offset));
        Ok(behind(&self.log, &self.events, &self.events.iter().filter_map(next).collect())?)
    }
}

fn find<'a>(
    servers: &Servers<'_>,
    domains: &'a [Box<dyn DomainEntry>],
    name: &str,
) -> Result<(&'a dyn DomainEntry, Family), CliError> {
    let (entries, wanted) = match name.split_once('.') {
        Some((domain, family)) => (vec![by_name(domains, domain)?], family),
        None => (domains.iter().map(|entry| &**entry).collect::<Vec<_>>(), name),
    };
    for entry in entries {
        if let Some(family) = entry.families(servers.config)?.into_iter().find(|it| it.name == wanted) {
            return Ok((entry, family));
        }
    }
    let view = views::find(domains, servers.config, name)?;
    let families = view.entry.families(servers.config)?;
    let family = families.into_iter().find(|family| Some(family.name) == view.family);
    let family = family.ok_or_else(|| {
        CliError::usage(format!("{name} is a table of the engine's own, which no projection fills"))
    })?;
    Ok((view.entry, family))
}
