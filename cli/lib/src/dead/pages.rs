//! What is dead, page by page, for those who ask over HTTP.

use std::ops::ControlFlow;
use std::time::Instant;

use millrace_ports::Log as _;
use millrace_runtime::Topology;
use millrace_runtime::dead::{Content, Place, Selection};
use serde_json::{Value as Json, json};

use super::{open_to_look, print};
use crate::connect::Servers;
use crate::domain::{DomainEntry, by_name, select};
use crate::error::{CliError, chain};
use crate::examine::withheld::Withheld;

/// Which records are listed.
pub struct Wanted<'a> {
    /// Only of this domain.
    pub domain: Option<&'a str>,
    /// Also those with which something was done.
    pub all: bool,
    /// Only those behind this one: `domain/partition/offset`.
    pub cursor: Option<&'a str>,
    /// So many at most.
    pub limit: usize,
    /// Until when it may take.
    pub deadline: Instant,
}

/// A page of what is dead, as `dead list --json` says it: by domain, partition and offset.
///
/// # Errors
/// A domain that there is not, a cursor that is none, no time left, servers that do not answer.
pub fn page(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    wanted: &Wanted<'_>,
) -> Result<Json, CliError> {
    let names: Vec<String> = wanted.domain.map(str::to_owned).into_iter().collect();
    let begins = wanted.cursor.map(|cursor| place(domains, cursor)).transpose()?;
    let log = servers.kafka()?;
    let (mut found, mut next, mut away) = (Vec::new(), None, None);
    'all: for (number, entry) in domains.iter().enumerate() {
        if !select(domains, &names)?.iter().any(|one| one.name() == entry.name()) {
            continue;
        }
        let letters = open_to_look(servers, &**entry)?;
        let partitions = log.partitions(&Topology::new(servers.prefix(), entry.name()).dead)?;
        for partition in 0..partitions {
            let behind = match begins {
                Some((of, at)) if (number, partition) < (of, at.partition) => continue,
                Some((of, at)) if (number, partition) == (of, at.partition) => at.offset,
                _ => -1,
            };
            let mut is_over = false;
            letters.each(
                &Selection { partition: Some(partition), ..Selection::default() },
                &mut |record| {
                    is_over = Instant::now() >= wanted.deadline;
                    if is_over {
                        return ControlFlow::Break(());
                    }
                    if record.place.offset <= behind || !wanted.all && record.done.is_some() {
                        return ControlFlow::Continue(());
                    }
                    if found.len() == wanted.limit {
                        next = found.last().map(|record: &Json| {
                            let of = |name: &str| record[name].as_i64().unwrap_or_default();
                            format!(
                                "{}/{}/{}",
                                record["domain"].as_str().unwrap_or_default(),
                                of("partition"),
                                of("offset")
                            )
                        });
                        return ControlFlow::Break(());
                    }
                    found.push(Json::Object(print::object(entry.name(), &record)));
                    ControlFlow::Continue(())
                },
            )?;
            if is_over {
                return Err(CliError::overdue(format!(
                    "{} has more dead records than there was time for",
                    entry.name()
                ))
                .hint("Name a domain, or look with `millrace dead list`."));
            }
            if next.is_some() {
                break 'all;
            }
        }
        away = away.or(letters.registry_away().map(|fault| chain(&fault)));
    }
    Ok(json!({"records": found, "cursor": next, "registry_away": away}))
}

fn place(domains: &[Box<dyn DomainEntry>], cursor: &str) -> Result<(usize, Place), CliError> {
    let wrong = || CliError::usage("cursor: give the cursor of the page before, as it stands");
    let mut parts = cursor.splitn(3, '/');
    let mut part = || parts.next().ok_or_else(wrong);
    let (name, partition, offset) = (part()?, part()?, part()?);
    let number = domains.iter().position(|entry| entry.name() == name).ok_or_else(wrong)?;
    let place = Place {
        partition: partition.parse().map_err(|_| wrong())?,
        offset: offset.parse().map_err(|_| wrong())?,
    };
    Ok((number, place))
}

/// One record as `dead show --json` says it, without what is withheld: bytes that cannot be read are counted and not shown.
///
/// # Errors
/// There is none, servers that do not answer.
pub fn record(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    domain: &str,
    place: Place,
) -> Result<Json, CliError> {
    let entry = by_name(domains, domain)?;
    let mut shown = open_to_look(servers, entry)?.show(place)?;
    let bytes = match &mut shown.content {
        Content::Message(message) => {
            Withheld::of(entry).message(message);
            None
        }
        // nobody knows what is in them
        Content::Bytes(bytes, why) => Some((bytes.len(), std::mem::take(why))),
        Content::Nothing => None,
    };
    let Some((bytes, why)) = bytes else { return Ok(Json::Object(print::whole(entry.name(), &shown))) };
    shown.content = Content::Nothing;
    let mut whole = print::whole(entry.name(), &shown);
    whole.insert("unreadable".to_owned(), Json::from(why));
    whole.insert("value_bytes".to_owned(), Json::from(bytes));
    Ok(Json::Object(whole))
}
