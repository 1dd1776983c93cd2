//! `millrace tables`: what `schemas/<d>/views.cql` declares against what the store has.

use std::collections::BTreeSet;

use millrace_kernel::{PageQuery, Table, Value, Write};
use millrace_ports::{Clock, StoreFault, SystemClock, ViewStore};
use millrace_runtime::progress::{VIEWS, system_tables};
use millrace_runtime::versions::catalogue::{self, switch};
use millrace_runtime::versions::{Filled, State, Version};
use serde_json::json;

use crate::config::Config;
use crate::connect::Servers;
use crate::domain::{self, DomainEntry, Family, select};
use crate::error::CliError;
use crate::{foreign, output};

/// Runs `tables plan` or `tables apply`.
///
/// # Errors
/// A store that does not answer, or tables that differ from their declaration.
pub fn run(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    names: &[String],
    apply: bool,
    as_json: bool,
) -> Result<(), CliError> {
    let mut is_same = true;
    let mut is_as_declared = true;
    let mut made = BTreeSet::new();
    for entry in select(domains, names)? {
        let store = servers.store(entry)?;
        let families = Catalogue::read(&*store, entry, servers.config)?;
        let changes = store.plan_tables(&families.tables(entry)?)?;
        // before anything is done: what it comes to cannot be changed as easily
        for (change, note) in changes.iter().filter_map(|it| Some((it, it.note.as_ref()?))) {
            if !as_json {
                output::line(format!("{} will hold {note}", change.table))?;
            }
        }
        if apply {
            create(&*store, entry, servers.config)?;
        }
        for (family, others) in families.foreign() {
            is_as_declared = false;
            foreign::say(format!(
                "{}.{}: its tables are filled as {others}, which this build and these settings would not do; \
                 they stay as they are. `millrace rebuild {}.{}` makes the next version.",
                entry.name(),
                family.name,
                entry.name(),
                family.name
            ));
        }
        for warning in store.warnings()? {
            let verdict = if warning.stops { "NOT READ OR WRITTEN" } else { "mind" };
            foreign::say(format!("{verdict}: {}", foreign::inert(&warning.text)));
        }
        for change in changes {
            is_same = false;
            match as_json {
                true => {
                    let mut object = json!({
                        "domain": entry.name(), "table": change.table, "statement": change.statement, "done": apply,
                    });
                    if let Some(note) = change.note {
                        object["note"] = note.into();
                    }
                    output::json(&object)?;
                }
                // a table and its documentation are several statements
                false if apply => {
                    let name = format!("{}.{}", entry.name(), change.table);
                    if made.insert(name.clone()) {
                        output::line(format!("made {name}"))?;
                    }
                }
                false => output::line(format!("{}\n", change.statement.trim_end()))?,
            }
        }
    }
    match is_same && !as_json {
        true if is_as_declared => output::line("Nothing to do: every table is as declared."),
        true => output::line("Nothing else to do: every other table is as declared."),
        false => Ok(()),
    }
}

/// Makes a domain's tables that are missing and names the live version of its views.
///
/// # Errors
/// As [`run`].
pub fn create(store: &dyn ViewStore, entry: &dyn DomainEntry, config: &Config) -> Result<(), CliError> {
    store.create_tables(&system_tables())?;
    let catalogue = Catalogue::read(store, entry, config)?;
    store.create_tables(&catalogue.tables(entry)?)?;
    let now = SystemClock.now_micros();
    let mut writes = Vec::new();
    for (family, versions) in &catalogue.families {
        if versions.is_empty() {
            let (version, revision) = (Version::FIRST, family.revision.clone());
            let first = Filled { version, revision, state: State::Complete, changed_at: now };
            writes.push(Write::Put(first.row(&format!("{}.{}", entry.name(), family.name))));
        }
        let key = |view: &str| vec![Value::from(view)];
        let query = |view: &&str| PageQuery {
            table: VIEWS.to_owned(),
            key: key(view),
            after: Vec::new(),
            limit: 1,
            in_turn: false,
        };
        let present = store.read(&family.views.iter().map(query).collect::<Vec<_>>())?;
        let missing = family.views.iter().zip(present).filter(|(_, page)| page.rows.is_empty());
        let missing: Vec<&str> = missing.map(|(view, _)| *view).collect();
        writes.extend(switch(&missing, catalogue::live(store, family.views)?, now));
    }
    Ok(store.apply(&writes)?)
}

/// The versions of a domain's families, in a store.
pub struct Catalogue {
    /// Every family with its versions, the oldest first.
    pub families: Vec<(Family, Vec<Filled>)>,
}

impl Catalogue {
    /// Reads it; where there are no tables, there are no versions.
    ///
    /// # Errors
    /// A store that does not answer.
    pub fn read(store: &dyn ViewStore, entry: &dyn DomainEntry, config: &Config) -> Result<Self, CliError> {
        let is_new = match store.open_tables(&system_tables()) {
            Ok(()) => false,
            Err(StoreFault::Schema { .. }) => true,
            Err(fault) => return Err(fault.into()),
        };
        let mut families = Vec::new();
        for family in entry.families(config)? {
            let versions = match is_new {
                true => Vec::new(),
                false => catalogue::read(store, &format!("{}.{}", entry.name(), family.name))?,
            };
            families.push((family, versions));
        }
        Ok(Self { families })
    }

    /// The tables that this build looks after: the engine's own, and those of the versions that it
    /// fills.
    ///
    /// # Errors
    /// A `views.cql` that cannot be read, which is a bug in the domain.
    pub fn tables(&self, entry: &dyn DomainEntry) -> Result<Vec<Table>, CliError> {
        let declared = domain::tables(entry)?;
        let mut tables = system_tables();
        for (family, versions) in &self.families {
            let first = versions.is_empty().then_some(Version::FIRST);
            for version in fitting(family, versions).into_iter().chain(first) {
                tables.extend(version.tables(&declared, family.views));
            }
        }
        Ok(tables)
    }

    /// Families of which this build fills no version though there are some, and how those are filled.
    fn foreign(&self) -> impl Iterator<Item = (&Family, String)> {
        let of = |(family, versions): &'_ (Family, Vec<Filled>)| {
            let there: Vec<_> = versions.iter().filter(|it| it.state != State::Dropped).collect();
            let is_foreign = !there.is_empty() && fitting(family, versions).is_empty();
            is_foreign.then(|| there.iter().map(|it| format!("{:?}", it.revision)).collect::<Vec<_>>())
        };
        self.families.iter().filter_map(move |it| Some((&it.0, of(it)?.join(" and "))))
    }
}

/// The versions that this build fills.
pub fn fitting(family: &Family, versions: &[Filled]) -> Vec<Version> {
    let is_fitting = |it: &&Filled| it.state != State::Dropped && it.revision == family.revision;
    versions.iter().filter(is_fitting).map(|it| it.version).collect()
}

/// Makes sure that the tables which answer are filled as this build would fill them: else every row
/// might differ from what it expects.
///
/// # Errors
/// They are not, with how both would do it; a store that does not answer.
pub fn check_revisions(
    store: &dyn ViewStore,
    entry: &dyn DomainEntry,
    config: &Config,
) -> Result<(), CliError> {
    for (family, versions) in Catalogue::read(store, entry, config)?.families {
        let live = catalogue::live(store, family.views)?;
        let filled = versions.iter().find(|it| it.version == live);
        if let Some(filled) = filled.filter(|it| it.revision != family.revision) {
            return Err(CliError::failed(format!(
                "{}.{}: version {} answers and is filled as {:?}, but this build and these settings would fill it \
                 as {:?}",
                entry.name(),
                family.name,
                live.0,
                filled.revision,
                family.revision
            ))
            .hint(format!(
                "Use the build and the settings that fill it, or fill the next version with these: `millrace rebuild {}.{}`.",
                entry.name(),
                family.name
            )));
        }
    }
    Ok(())
}
