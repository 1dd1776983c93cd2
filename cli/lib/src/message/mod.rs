//! Commands as people write them: the types of all domains, and a command as a line of a file.

pub use millrace_gateway::message::{
    Field, FieldType, MessageType, MessageTypes, Problem, Sealing, check_data, check_metadata, from_json,
    from_text,
};
use millrace_gateway::seal::PublicKey;
use millrace_kernel::Metadata;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::domain::{DomainEntry, message_types, step_types};
use crate::error::CliError;
use crate::foreign;
use crate::nearest::suggestion;

/// The message types of all domains of the binary.
pub struct Catalogue {
    domains: Vec<MessageTypes>,
    steps: Vec<MessageTypes>,
}

/// A message type and the domain it belongs to.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// The domain's types.
    pub domain: &'a MessageTypes,
    /// The type.
    pub kind: &'a MessageType,
}

impl Catalogue {
    /// The types of `domains`.
    ///
    /// # Errors
    /// A schema that cannot be read, which is a bug in its domain.
    pub fn of(domains: &[Box<dyn DomainEntry>]) -> Result<Self, CliError> {
        let steps = domains.iter().map(|entry| step_types(&**entry)).collect::<Result<_, _>>()?;
        let domains = domains.iter().map(|entry| message_types(&**entry)).collect::<Result<_, _>>()?;
        Ok(Self { domains, steps })
    }

    /// The type that `name` means: `Type`, or `domain.Type`.
    ///
    /// # Errors
    /// No such type, or several domains have it.
    pub fn find(&self, name: &str) -> Result<Found<'_>, Problem> {
        let (domain, kind) = match name.split_once('.') {
            Some((domain, kind)) => (Some(domain), kind),
            None => (None, name),
        };
        let mut found = self
            .domains
            .iter()
            .filter(|types| domain.is_none_or(|wanted| types.domain == wanted))
            .filter_map(|types| Some(Found { domain: types, kind: types.get(kind)? }));
        match (found.next(), found.next()) {
            (Some(found), None) => Ok(found),
            (Some(one), Some(other)) => Err(Problem::new(format!(
                "several domains have a {kind}; write {}.{kind} or {}.{kind}",
                one.domain.domain, other.domain.domain
            ))),
            (None, _) => Err(self.unknown(name, domain, kind)),
        }
    }

    fn unknown(&self, name: &str, domain: Option<&str>, kind: &str) -> Problem {
        let known = |types: &MessageTypes| {
            let names: Vec<&str> = types.types.iter().map(|t| t.name.as_str()).collect();
            format!("{}: {}", types.domain, names.join(", "))
        };
        if let Some(domain) = domain
            && !self.domains.iter().any(|types| types.domain == domain)
        {
            let near = suggestion(domain, self.domains.iter().map(|types| types.domain.as_str()));
            return Problem::new(format!("there is no domain {}{near}", foreign::short(domain)));
        }
        let is_asked = |types: &&MessageTypes| domain.is_none_or(|wanted| types.domain == wanted);
        if let Some(types) = self.steps.iter().filter(is_asked).find(|types| types.get(kind).is_some()) {
            return Problem::new(format!(
                "{kind} is no command but a step of a process of {}; only processors write steps",
                types.domain
            ))
            .with_help(
                "Send the command that begins the process.\n".to_owned()
                    + &self.domains.iter().filter(is_asked).map(known).collect::<Vec<_>>().join("\n"),
            );
        }
        let names = self.domains.iter().flat_map(|types| types.types.iter().map(|t| t.name.as_str()));
        Problem::new(format!("{} is no command{}", foreign::short(name), suggestion(kind, names)))
            .with_help(self.domains.iter().map(known).collect::<Vec<_>>().join("\n"))
    }
}

/// A command as it stands in a line of a file: type, id, metadata and data, all checked.
pub struct Written<'a> {
    /// The type.
    pub found: Found<'a>,
    /// The id: the one that is given, or a new one.
    pub id: String,
    /// The metadata.
    pub metadata: Metadata,
    /// The data, complete and of the right types, with its secrets sealed.
    pub data: Value,
}

/// The fields of a command written as one JSON object.
const MEMBERS: [&str; 4] = ["type", "id", "metadata", "data"];

/// Reads `{"type": …, "id"?: …, "metadata"?: {…}, "data": {…}}`. Secrets that are not sealed yet are sealed for this key.
///
/// # Errors
/// What is wrong, with the path of the field.
pub fn from_object<'a>(
    catalogue: &'a Catalogue,
    seals_for: Option<&PublicKey>,
    written: Value,
) -> Result<Written<'a>, Problem> {
    let Value::Object(mut members) = written else {
        return Err(Problem::new("a command is an object: {\"type\": …, \"data\": {…}}"));
    };
    if let Some(unknown) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        let near = suggestion(unknown, MEMBERS);
        return Err(Problem::new(format!("{} is not a part of a command{near}", foreign::short(unknown)))
            .at(unknown)
            .with_help(format!("A command has: {}", MEMBERS.join(", "))));
    }
    let kind = match members.remove("type") {
        Some(Value::String(kind)) => kind,
        Some(_) => return Err(Problem::new("type: expected text").at("type")),
        None => return Err(Problem::new("type is missing")),
    };
    let found = catalogue.find(&kind).map_err(|problem| problem.at("type"))?;
    let id = match members.remove("id") {
        None | Some(Value::Null) => Uuid::now_v7().to_string(),
        Some(Value::String(id)) => id,
        Some(_) => return Err(Problem::new("id: expected text").at("id")),
    };
    let metadata = match members.remove("metadata") {
        None | Some(Value::Null) => Metadata::default(),
        Some(metadata) => check_metadata(&found.domain.metadata, metadata).map_err(|problems| {
            problems.into_iter().next().unwrap_or_else(|| Problem::new("metadata is refused"))
        })?,
    };
    let data = match members.remove("data") {
        Some(data @ Value::Object(_)) => data,
        Some(_) => return Err(Problem::new("data: expected an object").at("data")),
        None => Value::Object(Map::new()),
    };
    let data = check_data(found.kind, data, Sealing::with(seals_for, &id))?;
    Ok(Written { found, id, metadata, data })
}
