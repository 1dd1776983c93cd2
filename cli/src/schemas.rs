//! `millrace schemas`: this build's schemas against those in the registry.

use millrace_kernel::Schemas;
use millrace_runtime::Topology;
use millrace_wire::Registry;
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
    for entry in selected {
        for subject in subjects(entry, servers.prefix())? {
            let (status, id) =
                if register { put(&*registry, &subject)? } else { look(&*registry, &subject)? };
            if status == "incompatible" {
                incompatible.push(subject.name.clone());
            }
            if as_json {
                let level = &subject.compatibility;
                let line =
                    json!({"subject": subject.name, "status": status, "id": id, "compatibility": level});
                output::json(&line)?;
            } else {
                let id = id.map(|id| format!(" (id {id})")).unwrap_or_default();
                let level = subject.compatibility.map(|level| format!(", {level}")).unwrap_or_default();
                output::line(format!("{status} {}{id}{level}", subject.name))?;
            }
        }
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

fn text_of(schemas: &Schemas, file: &str) -> Option<&'static str> {
    match file {
        "commands.avsc" => Some(schemas.commands),
        "steps.avsc" => Some(schemas.steps),
        "events.avsc" => Some(schemas.events),
        "state.avsc" => Some(schemas.state),
        "outcomes.avsc" => Some(schemas.outcomes),
        "lookup.avsc" => Some(schemas.lookup),
        _ => None,
    }
}
