//! `millrace schemas`: this build's schemas against those in the registry.

use millrace_kernel::Schemas;
use millrace_runtime::Topology;
use millrace_wire::{Latest, Registry};
use serde_json::json;

use crate::connect::Servers;
use crate::domain::{DomainEntry, select};
use crate::error::CliError;
use crate::output;
use crate::topics::declaration;

/// A schema and where it belongs.
struct Subject {
    name: String,
    schema: &'static str,
    compatibility: Option<String>,
}

/// Runs `schemas check` or `schemas register`.
///
/// # Errors
/// A registry that does not answer, or schemas that are not compatible.
pub fn run(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    names: &[String],
    register: bool,
    as_json: bool,
) -> Result<(), CliError> {
    let selected = select(domains, names)?;
    let registry = servers.registry()?;
    let mut incompatible = Vec::new();
    let mut is_behind = false;
    for entry in selected {
        for subject in subjects(entry, servers.prefix())? {
            let (status, id) =
                if register { put(&*registry, &subject)? } else { look(&*registry, &subject)? };
            if status == "incompatible" {
                incompatible.push(subject.name.clone());
            }
            let newer = newer(&*registry, &subject, id)?;
            is_behind |= newer.is_some();
            if as_json {
                let level = &subject.compatibility;
                let latest = newer.map(|latest| json!({"version": latest.version, "id": latest.id}));
                let line = json!({"subject": subject.name, "status": status, "id": id, "compatibility": level,
                                  "latest_of_others": latest});
                output::json(&line)?;
            } else {
                let id = id.map(|id| format!(" (id {id})")).unwrap_or_default();
                let level = subject.compatibility.map(|level| format!(", {level}")).unwrap_or_default();
                let newer = newer.map(|latest| told(&latest, subject.schema)).unwrap_or_default();
                output::line(format!("{status} {}{id}{level}{newer}", subject.name))?;
            }
        }
    }
    if is_behind && !as_json {
        output::line(
            "The latest version of a subject is not this build's: a newer build registered it, or a foreign producer \
             with auto.register.schemas. Both are read; but a producer that takes the latest version writes with it, so \
             let producers name the version they were written for.",
        )?;
    }
    if incompatible.is_empty() {
        return Ok(());
    }
    let text = format!("not compatible with what is registered: {}", incompatible.join(", "));
    Err(CliError::failed(text)
        .hint("A new field needs a default, and nothing that was there may change its meaning."))
}

/// Registers a domain's schemas, in silence.
///
/// # Errors
/// As [`run`].
pub fn register(registry: &dyn Registry, prefix: &str, entry: &dyn DomainEntry) -> Result<(), CliError> {
    subjects(entry, prefix)?.iter().try_for_each(|subject| put(registry, subject).map(drop))
}

fn look(registry: &dyn Registry, subject: &Subject) -> Result<(&'static str, Option<u32>), CliError> {
    if let Some(id) = registry.find(&subject.name, subject.schema)? {
        return Ok(("registered", Some(id)));
    }
    match registry.is_compatible(&subject.name, subject.schema)? {
        true => Ok(("new", None)),
        false => Ok(("incompatible", None)),
    }
}

/// The newest version, where this build's is registered and is another.
fn newer(registry: &dyn Registry, subject: &Subject, id: Option<u32>) -> Result<Option<Latest>, CliError> {
    let Some(id) = id else { return Ok(None) };
    Ok(registry.latest(&subject.name)?.filter(|latest| latest.id != id))
}

/// That `latest` is not `own`, and by what name it can be told.
fn told(latest: &Latest, own: &str) -> String {
    let Latest { version, id, schema } = latest;
    match (namespace(schema), namespace(own)) {
        (theirs, ours) if theirs == ours => {
            format!("; the latest is version {version} (id {id}), not this build's")
        }
        (theirs, _) => {
            let theirs = theirs.unwrap_or_else(|| "without one".to_owned());
            format!("; the latest is version {version} (id {id}) of namespace {theirs}, not this build's")
        }
    }
}

fn namespace(schema: &str) -> Option<String> {
    let schema: serde_json::Value = serde_json::from_str(schema).ok()?;
    let name = schema["name"].as_str().and_then(|name| Some(name.rsplit_once('.')?.0));
    name.or_else(|| schema["namespace"].as_str()).map(str::to_owned)
}

fn put(registry: &dyn Registry, subject: &Subject) -> Result<(&'static str, Option<u32>), CliError> {
    let set_level = || match &subject.compatibility {
        Some(level) => registry.set_compatibility(&subject.name, level),
        None => Ok(()),
    };
    if let Some(id) = registry.find(&subject.name, subject.schema)? {
        set_level()?;
        return Ok(("registered", Some(id)));
    }
    // before the new version, so that it is held to the level; a registry may refuse the
    // level of a subject it does not know yet, hence again behind it
    let early = set_level();
    let id = registry.register(&subject.name, subject.schema)?;
    if early.is_err() {
        set_level()?;
    }
    Ok(("new", Some(id)))
}

/// The subjects of a domain: every declared topic that has a schema.
fn subjects(entry: &dyn DomainEntry, prefix: &str) -> Result<Vec<Subject>, CliError> {
    let schemas = entry.schemas();
    declaration(entry)?
        .topics
        .into_iter()
        .filter_map(|(suffix, topic)| {
            let file = topic.schema?;
            let name = Topology::subject(&format!("{prefix}{}.{suffix}", entry.name()));
            Some(match text_of(&schemas, &file) {
                Some(schema) => Ok(Subject { name, schema, compatibility: topic.compatibility }),
                None => Err(CliError::failed(format!(
                    "topics/{}.toml: there is no schema file {file}",
                    entry.name()
                ))),
            })
        })
        .collect()
}

/// What is in a file of `registered/`.
#[must_use]
pub fn text_of(schemas: &Schemas, file: &str) -> Option<&'static str> {
    match file {
        "commands.avsc" => Some(schemas.commands),
        "steps.avsc" => schemas.steps,
        "events.avsc" => Some(schemas.events),
        "state.avsc" => Some(schemas.state),
        "outcomes.avsc" => Some(schemas.outcomes),
        "lookup.avsc" => schemas.lookup,
        "changes.avsc" => schemas.changes,
        _ => None,
    }
}
