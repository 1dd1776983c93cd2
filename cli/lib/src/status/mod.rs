//! `millrace status`: how far roles and projections have come.

pub mod behind;
pub mod faults;
mod open;
pub mod processes;
mod reads;
pub mod samples;
pub mod scrape;
mod screen;
pub mod views;
pub mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_kafka::{Admin, KafkaLog};
use millrace_ports::{Log as _, LogFault, TopicPartition, ViewStore};
use millrace_runtime::Topology;
use millrace_runtime::processor::looked_up::LookupTopics;
use millrace_runtime::progress::{Progress, read_progress, system_tables};
use millrace_runtime::topic_rules::{self, Deviation, deviations};
use millrace_runtime::versions::catalogue::live;
use millrace_runtime::versions::{Filled, State, Version};
use serde::Serialize;

use self::behind::{Behind, behind};
use self::open::{Open, open};
use self::processes::Process;
use self::reads::{Unwell, unreadable};
use crate::config::Config;
use crate::connect::Servers;
use crate::dead::standstill;
use crate::domain::{DomainEntry, Family, tables};
use crate::error::CliError;
use crate::tables::Catalogue;
use crate::{foreign, output};

/// A role that leaves work undone for so long is not well.
const STUCK_AFTER_SECONDS: f64 = 30.0;

/// Everything, in the form that `--json` prints.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    healthy: bool,
    roles: Vec<Role>,
    projections: Vec<Projection>,
    /// What the registry says, if it is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<String>,
    /// Settings of topics that break a promise; left out where there are none, as scripts know the report without.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    topics: Vec<Deviation>,
    /// Transactions that have been open for longer than those of processors may be; left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    transactions: Vec<Open>,
    /// Tables that cannot be read, and what else is wrong with them; left out where nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tables: Vec<Unwell>,
    /// What processes say of themselves; left out where it is not known how to ask them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    processes: Vec<Process>,
}

impl Report {
    /// Whether nothing is in anybody's way.
    fn is_healthy(&self) -> bool {
        self.roles.iter().all(|role| role.healthy)
            && !self.projections.iter().any(|projection| projection.lag_seconds > STUCK_AFTER_SECONDS)
            && self.registry.is_none()
            && !self.topics.iter().any(|it| it.stops)
            && !self.transactions.iter().any(|it| it.is_stuck(STUCK_AFTER_SECONDS))
            && !self.tables.iter().any(|it| it.stops)
            && self.processes.iter().all(Process::is_healthy)
    }
}

/// A consumer group.
#[derive(Debug, Serialize)]
struct Role {
    role: String,
    group: String,
    members: usize,
    partitions: i32,
    lag_records: i64,
    lag_seconds: f64,
    healthy: bool,
    /// What becomes of the tables that a projector fills.
    #[serde(skip_serializing_if = "Option::is_none")]
    tables: Option<Answering>,
    /// Dead records that nothing was done with.
    dead_letters: usize,
    /// Commands whose process waits for a dead step, the longest first.
    waiting_processes: Vec<String>,
    /// Keys whose commands wait behind a dead one, the longest first.
    waiting_keys: Vec<String>,
}

/// What becomes of a version of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Answering {
    /// Readers read it.
    Live,
    /// It is kept, to go back to or to switch to.
    Kept,
    /// It is being built.
    Building,
}

impl Answering {
    /// For people.
    fn words(self) -> &'static str {
        match self {
            Self::Live => "answers",
            Self::Kept => "is kept",
            Self::Building => "is being built",
        }
    }
}

impl Role {
    /// Work that waits is looked after when somebody is there for it, and comes to it in time.
    /// Where nothing waits, nobody needs to be there.
    fn is_healthy(members: usize, waiting: Behind) -> bool {
        (members > 0 || waiting.records == 0) && waiting.seconds <= STUCK_AFTER_SECONDS
    }

    fn verdict(&self) -> &'static str {
        match (self.healthy, self.members) {
            (true, _) if self.tables == Some(Answering::Kept) => "  kept, nobody reads it",
            (true, _) if self.tables == Some(Answering::Building) => "  being built",
            (true, _) => "",
            (false, 0) => "  NOBODY IS THERE",
            (false, _) => "  STUCK?",
        }
    }
}

/// A view of one source partition.
#[derive(Debug, Serialize)]
struct Projection {
    view: String,
    partition: i32,
    position: i64,
    lag_records: i64,
    lag_seconds: f64,
}

/// Runs `millrace status`.
///
/// # Errors
/// Servers that do not answer; or something is not healthy.
pub fn run(servers: &Servers<'_>, domains: &[Box<dyn DomainEntry>], as_json: bool) -> Result<(), CliError> {
    let report = gather(servers, domains)?;
    match as_json {
        true => output::json(&report)?,
        false => print(&report)?,
    }
    match report.healthy {
        true => Ok(()),
        false => Err(CliError::said()),
    }
}

/// Asks Kafka and the tables how everything is.
///
/// # Errors
/// Servers that do not answer.
pub fn gather(servers: &Servers<'_>, domains: &[Box<dyn DomainEntry>]) -> Result<Report, CliError> {
    let log = servers.kafka()?;
    let admin = log.admin()?;
    let mut report = Report { processes: processes::ask(servers.config), ..Report::default() };
    for entry in domains {
        look(servers, &log, &admin, &**entry, &mut report)?;
    }
    report.healthy = report.is_healthy();
    Ok(report)
}

fn look(
    servers: &Servers<'_>,
    log: &KafkaLog,
    admin: &Admin,
    entry: &dyn DomainEntry,
    report: &mut Report,
) -> Result<(), CliError> {
    let names = entry.topology(servers.prefix());
    let partitions = log.partitions(&names.commands)?;
    let places = |topic: &Arc<str>| -> Vec<TopicPartition> {
        (0..partitions).map(|partition| TopicPartition::new(Arc::clone(topic), partition)).collect()
    };
    let mut inputs: Vec<_> = names.inputs().into_iter().flat_map(places).collect();
    let lookups = LookupTopics::new(&names, entry.lookups(), entry.lookups_elsewhere());
    let configs = match admin.configs(&topic_rules::topics(&names, &lookups)) {
        // who may not look is shown the rest
        Err(LogFault::Refused { .. }) => BTreeMap::new(),
        configs => configs?,
    };
    report.topics.extend(deviations(&names, &lookups, &servers.config.settings.processor, &configs));
    let group = names.processor_group();
    let committed = admin.group_offsets(&group, &inputs)?;
    let behind = behind(log, &inputs, &committed)?;
    let dead = standstill(Arc::new(log.clone()), servers, entry)?;
    report.registry = report.registry.take().or(dead.registry);
    let (members, waiting) = (admin.members(&group)?, Behind::total(&behind));
    report.roles.push(Role {
        role: format!("{}.processor", entry.name()),
        group,
        members,
        partitions,
        lag_records: waiting.records,
        lag_seconds: waiting.seconds,
        healthy: Role::is_healthy(members, waiting),
        tables: None,
        dead_letters: dead.records,
        waiting_processes: dead.processes,
        waiting_keys: dead.keys,
    });

    policies(log, admin, entry, &names, report)?;
    let events = places(&names.events);
    // what no transaction can be open in is what nobody but the broker writes to
    inputs.extend(events.iter().cloned());
    let own = lookups.own.iter().map(|(_, topic)| topic);
    inputs.extend([&names.state].into_iter().chain(own).flat_map(places));
    report.transactions.extend(open(log, &inputs, servers.config.settings.processor.transaction_timeout())?);
    servers.say_where_tables_are()?;
    // who cannot look at the tables is shown the rest
    if let Err(error) = look_at_tables(servers, log, admin, entry, &names, &events, report) {
        report.tables.push(Unwell::all(entry.name(), &error));
    }
    Ok(())
}

/// How far a domain has reacted to the events of others.
fn policies(
    log: &KafkaLog,
    admin: &Admin,
    entry: &dyn DomainEntry,
    names: &Topology,
    report: &mut Report,
) -> Result<(), CliError> {
    for (of, role) in entry.policies() {
        let (topic, group) = (names.events_elsewhere(of), names.policy_group(of));
        let partitions = log.partitions(&topic)?;
        let events: Vec<_> =
            (0..partitions).map(|partition| TopicPartition::new(Arc::clone(&topic), partition)).collect();
        let behind = behind(log, &events, &admin.group_offsets(&group, &events)?)?;
        let (members, waiting) = (admin.members(&group)?, Behind::total(&behind));
        report.roles.push(Role {
            role,
            group,
            members,
            partitions,
            lag_records: waiting.records,
            lag_seconds: waiting.seconds,
            healthy: Role::is_healthy(members, waiting),
            tables: None,
            dead_letters: 0,
            waiting_processes: Vec::new(),
            waiting_keys: Vec::new(),
        });
    }
    Ok(())
}

/// How far the tables have come, and whether they can be read.
fn look_at_tables(
    servers: &Servers<'_>,
    log: &KafkaLog,
    admin: &Admin,
    entry: &dyn DomainEntry,
    names: &Topology,
    events: &[TopicPartition],
    report: &mut Report,
) -> Result<(), CliError> {
    let partitions = i32::try_from(events.len()).unwrap_or(i32::MAX);
    let store = servers.store_to_read(entry)?;
    let warnings = store.warnings()?.into_iter();
    report.tables.extend(warnings.map(|it| Unwell::warning(entry.name(), it.text, it.stops)));
    store.open_tables(&system_tables())?;
    let declared = tables(entry)?;
    for (family, version, state) in versions(&*store, entry, servers.config)? {
        if state == Answering::Live {
            let live = version.tables(&declared, family.views);
            report.tables.extend(unreadable(&*store, entry.name(), &live));
        }
        let plain = format!("{}.{}", entry.name(), family.name);
        let published = read_progress(&*store, &version.of(&plain))?;
        let next: BTreeMap<TopicPartition, i64> = published
            .iter()
            .map(|p: &Progress| {
                (TopicPartition::new(Arc::clone(&names.events), p.partition), p.events_offset)
            })
            .collect();
        let behind = behind::behind(log, events, &next)?;
        let group = names.projector_group(&version.of(family.name));
        let (members, waiting) = (admin.members(&group)?, Behind::total(&behind));
        report.roles.push(Role {
            role: version.of(&format!("{}.projector.{}", entry.name(), family.name)),
            group,
            members,
            partitions,
            lag_records: waiting.records,
            lag_seconds: waiting.seconds,
            // nobody reads the others
            healthy: state != Answering::Live || Role::is_healthy(members, waiting),
            tables: Some(state),
            dead_letters: 0,
            waiting_processes: Vec::new(),
            waiting_keys: Vec::new(),
        });
        for view in family.views.iter().filter(|_| state == Answering::Live) {
            for place in events {
                let Behind { records, seconds } = behind.get(place).copied().unwrap_or_default();
                report.projections.push(Projection {
                    view: (*view).to_owned(),
                    partition: place.partition,
                    position: next.get(place).copied().unwrap_or(0),
                    lag_records: records,
                    lag_seconds: seconds,
                });
            }
        }
    }
    Ok(())
}

/// The versions of each family's tables, those that were dropped left out.
fn versions(
    store: &dyn ViewStore,
    entry: &dyn DomainEntry,
    config: &Config,
) -> Result<Vec<(Family, Version, Answering)>, CliError> {
    let mut found = Vec::new();
    for (family, versions) in Catalogue::read(store, entry, config)?.families {
        let live = live(store, family.views)?;
        let is_there = |it: &&Filled| it.state != State::Dropped && it.version != live;
        let others = versions.iter().filter(is_there).map(|it| match it.state {
            State::Building => (it.version, Answering::Building),
            _ => (it.version, Answering::Kept),
        });
        let all = [(live, Answering::Live)].into_iter().chain(others);
        found.extend(all.map(|(version, answering)| (family.clone(), version, answering)));
    }
    Ok(found)
}

fn print(report: &Report) -> Result<(), CliError> {
    output::line(if report.healthy { "healthy" } else { "NOT healthy" })?;
    output::line("")?;
    let mut rows = vec![
        ["role", "members", "partitions", "records behind", "seconds behind", "dead"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for role in &report.roles {
        rows.push(vec![
            role.role.clone(),
            match role.members {
                0 => "nobody".to_owned(),
                count => count.to_string(),
            },
            role.partitions.to_string(),
            output::number(role.lag_records.unsigned_abs()),
            format!("{:.1}{}", role.lag_seconds, role.verdict()),
            match role.dead_letters {
                0 => "-".to_owned(),
                count => output::number(count as u64),
            },
        ]);
    }
    output::line(output::columns(&rows, output::WIDEST_CELL).trim_end())?;
    for role in &report.roles {
        for (names, what) in [
            (&role.waiting_processes, "process(es) wait for a dead step, the longest: command"),
            (&role.waiting_keys, "key(s) wait behind a dead command, the longest: key"),
        ] {
            if let Some(first) = names.first() {
                let (count, first) = (names.len(), foreign::cut(first, output::WIDEST_CELL));
                output::line(format!("{}: {count} {what} {first}; see `millrace dead list`", role.role))?;
            }
        }
    }
    if let Some(away) = &report.registry {
        output::line(format!(
            "the registry is away: {}; ids and processes of dead records are not known",
            foreign::inert(away)
        ))?;
    }
    for deviation in &report.topics {
        let verdict = if deviation.stops { "NOTHING IS DECIDED" } else { "mind" };
        let deviation = foreign::inert(&deviation.to_string()).into_owned();
        output::line(format!("{verdict}: {deviation}; see `millrace topics plan`"))?;
    }
    let transactions = report.transactions.iter().map(|it| format!("STUCK: {}", it.line()));
    let tables = report.tables.iter().map(|it| {
        let verdict = if it.stops { "NOT READ OR WRITTEN" } else { "mind" };
        format!("{verdict}: {}", it.line())
    });
    for line in transactions.chain(tables) {
        output::line(foreign::inert(&line))?;
    }
    for line in report.processes.iter().flat_map(Process::lines) {
        output::line(format!("IN THE WAY: {line}"))?;
    }
    output::line("")?;
    let mut views: BTreeMap<&str, (i64, f64)> = BTreeMap::new();
    for projection in &report.projections {
        let (records, seconds) = views.entry(&projection.view).or_default();
        *records += projection.lag_records;
        *seconds = projection.lag_seconds.max(*seconds);
    }
    let mut rows = vec![["view", "records behind", "seconds behind"].map(str::to_owned).to_vec()];
    for (view, (records, seconds)) in views {
        rows.push(vec![view.to_owned(), output::number(records.unsigned_abs()), format!("{seconds:.1}")]);
    }
    output::line(output::columns(&rows, output::WIDEST_CELL).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_waits_needs_somebody_who_comes_to_it() {
        let waiting = |records, seconds| Behind { records, seconds };
        let rows = [
            ("nobody, and nothing to do", 0, waiting(0, 0.0), true),
            ("nobody, and one record that has just come", 0, waiting(1, 0.1), false),
            ("somebody who is at it", 1, waiting(1_000, 29.0), true),
            ("somebody who does not come to it", 2, waiting(1, 31.0), false),
            ("nobody for long", 0, waiting(1, 3_600.0), false),
        ];
        for (what, members, behind, expected) in rows {
            assert_eq!(Role::is_healthy(members, behind), expected, "{what}");
        }
    }
}
