//! `millrace views`: the views, the versions of their tables, and how far each has come.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_ports::{Log as _, TopicPartition};
use millrace_runtime::Topology;
use millrace_runtime::progress::{read_progress, system_tables};
use millrace_runtime::versions::catalogue::live;
use millrace_runtime::versions::{State, Version};
use serde::Serialize;

use super::Answering;
use super::behind::{Behind, behind};
use crate::connect::Servers;
use crate::domain::{DomainEntry, select};
use crate::error::CliError;
use crate::output;
use crate::tables::{Catalogue, fitting};

/// A view family with its tables.
#[derive(Debug, Serialize)]
pub struct FamilyReport {
    /// The domain.
    domain: String,
    /// The family.
    family: String,
    /// Its views.
    views: Vec<String>,
    /// The version that answers.
    live: i32,
    /// All versions that have tables, the oldest first.
    versions: Vec<VersionReport>,
}

/// A version of a family's tables.
#[derive(Debug, Serialize)]
struct VersionReport {
    version: i32,
    /// What becomes of it.
    standing: Answering,
    /// How it is filled; null where nobody has said.
    revision: Option<String>,
    /// Whether this build fills it.
    own: bool,
    /// When it came to be as it is, RFC 3339.
    changed_at: Option<String>,
    /// How many processes fill it.
    members: usize,
    /// How many events there are, and of how many the rows are there.
    events: i64,
    applied: i64,
    lag_records: i64,
    lag_seconds: f64,
}

/// Runs `millrace views`.
///
/// # Errors
/// Servers that do not answer.
pub fn run(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    names: &[String],
    as_json: bool,
) -> Result<(), CliError> {
    let families = gather(servers, domains, names)?;
    if as_json {
        return families.iter().try_for_each(output::json);
    }
    let titles = ["family", "views", "version", "filled by", "events", "records behind", "seconds behind"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for family in &families {
        for version in &family.versions {
            let done = match version.events {
                0 => "-".to_owned(),
                all => format!(
                    "{} of {}",
                    output::number(version.applied.unsigned_abs()),
                    output::number(all.unsigned_abs())
                ),
            };
            rows.push(vec![
                format!("{}.{}", family.domain, family.family),
                family.views.join(", "),
                format!("{} {}", version.version, version.standing.words()),
                match version.members {
                    0 => "nobody".to_owned(),
                    count => count.to_string(),
                },
                done,
                output::number(version.lag_records.unsigned_abs()),
                format!("{:.1}", version.lag_seconds),
            ]);
        }
    }
    output::line(output::columns(&rows, output::WIDEST_CELL).trim_end())
}

/// The families of these domains, or of all.
///
/// # Errors
/// Servers that do not answer, a domain that there is not.
pub fn gather(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    names: &[String],
) -> Result<Vec<FamilyReport>, CliError> {
    let log = servers.kafka()?;
    let admin = log.admin()?;
    let mut found = Vec::new();
    for entry in select(domains, names)? {
        let topics = Topology::new(servers.prefix(), entry.name());
        let partitions = log.partitions(&topics.events)?;
        let at = |partition| TopicPartition::new(Arc::clone(&topics.events), partition);
        let events: Vec<TopicPartition> = (0..partitions).map(at).collect();
        let mut ends = 0;
        for at in &events {
            ends += log.high_watermark(at)?;
        }
        let store = servers.store_to_read(entry)?;
        store.open_tables(&system_tables())?;
        for (family, filled) in Catalogue::read(&*store, entry, servers.config)?.families {
            let answers = live(&*store, family.views)?;
            let own = fitting(&family, &filled);
            let known = filled.iter().filter(|it| it.state != State::Dropped);
            let mut versions: BTreeMap<Version, _> = known.map(|it| (it.version, Some(it))).collect();
            versions.entry(answers).or_insert(None);
            let mut reports = Vec::new();
            for (version, filled) in versions {
                let published =
                    read_progress(&*store, &version.of(&format!("{}.{}", entry.name(), family.name)))?;
                let next: BTreeMap<TopicPartition, i64> =
                    published.iter().map(|it| (at(it.partition), it.events_offset)).collect();
                let Behind { records, seconds } = Behind::total(&behind(&log, &events, &next)?);
                let group = topics.projector_group(&version.of(family.name));
                reports.push(VersionReport {
                    version: version.0,
                    standing: match filled.map(|it| it.state) {
                        _ if version == answers => Answering::Live,
                        Some(State::Building) => Answering::Building,
                        _ => Answering::Kept,
                    },
                    revision: filled.map(|it| it.revision.clone()),
                    own: own.contains(&version),
                    changed_at: filled.map(|it| output::time(it.changed_at)),
                    members: admin.members(&group)?,
                    events: ends,
                    applied: next.values().sum(),
                    lag_records: records,
                    lag_seconds: seconds,
                });
            }
            found.push(FamilyReport {
                domain: entry.name().to_owned(),
                family: family.name.to_owned(),
                views: family.views.iter().map(|view| (*view).to_owned()).collect(),
                live: answers.0,
                versions: reports,
            });
        }
    }
    Ok(found)
}
