//! The messages of all domains as every language has them: one model for all back ends.

use std::collections::BTreeMap;
use std::path::Path;

use millrace_kernel::table::Table;
use serde_json::Value;

use crate::SchemagenError;
use crate::address::Address;
use crate::avro::{Enum, Record, Type};
use crate::envelope::{COMMANDS, EVENTS, Kind, OUTCOMES};
use crate::folder::Folder;

/// What every message has in some language.
const RESERVED: [&str; 6] = ["aggregate_id", "domain", "read", "routing_key", "type", "write"];

/// What the packages are made of.
pub struct Model {
    /// What stands around messages, which is alike in all domains, each after what it is made of: the records of outcomes, and
    /// `Metadata`.
    pub envelope: Vec<Item>,
    /// The domains, by name.
    pub domains: Vec<Domain>,
}

/// A domain.
pub struct Domain {
    /// Its name, as topics and addresses have it.
    pub name: String,
    /// What may be asked of it.
    pub commands: Topic,
    /// What has happened in it.
    pub events: Topic,
    /// The schema of its outcomes as it is registered, on one line.
    pub outcomes: String,
    /// What its messages are made of beside what all domains have, each after what it is made of.
    pub items: Vec<Item>,
    /// Its views.
    pub views: Vec<Table>,
}

/// The messages of a topic.
pub struct Topic {
    /// In the order of the union's branches.
    pub messages: Vec<Message>,
    /// The schema as it is registered, on one line.
    pub schema: String,
}

/// A command or an event.
pub struct Message {
    /// Its fields.
    pub record: Record,
    /// Where it belongs.
    pub address: Address,
}

/// A type that is no message.
pub enum Item {
    /// A record.
    Record(Box<Record>),
    /// An enumeration.
    Enum(Enum),
}

impl Item {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Record(record) => &record.name,
            Self::Enum(one) => &one.name,
        }
    }
}

impl Model {
    /// Reads the folders `schemas/<d>`.
    ///
    /// # Errors
    /// [`SchemagenError`] names the file and what is wrong with it, or the name that two domains give.
    pub fn read(folders: &[impl AsRef<Path>]) -> Result<Self, SchemagenError> {
        let mut envelope = Vec::new();
        let mut domains = Vec::new();
        for folder in folders {
            let folder = Folder::read(folder.as_ref())?;
            if envelope.is_empty() {
                for kind in [&OUTCOMES, &COMMANDS] {
                    for field in folder.schema(kind).into_iter().flat_map(|schema| &schema.record.fields) {
                        gather(&field.kind, &mut envelope);
                    }
                }
                if let Some(outcomes) = folder.schema(&OUTCOMES) {
                    // `Outcome` after what it is made of
                    let at = envelope.iter().position(|item| item.name() == "Metadata");
                    let mut record = outcomes.record.clone();
                    record.namespace = None;
                    envelope.insert(at.unwrap_or(envelope.len()), Item::Record(Box::new(record)));
                }
            }
            domains.push(Domain::of(&folder, &envelope)?);
        }
        domains.sort_by(|one, other| one.name.cmp(&other.name));
        let model = Self { envelope, domains };
        model.check_names()?;
        Ok(model)
    }

    /// Refuses a name that two domains give: `Commands` and `Events` have every name once.
    fn check_names(&self) -> Result<(), SchemagenError> {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for domain in &self.domains {
            for message in domain.messages() {
                if let Some(other) = seen.insert(&message.record.name, &domain.name) {
                    return Err(SchemagenError::Invalid {
                        file: format!("schemas/{}", domain.name),
                        message: format!(
                            "{} is a message of {other}, too; the packages name every message once, so choose another name",
                            message.record.name
                        ),
                    });
                }
            }
        }
        Ok(())
    }
}

impl Domain {
    fn of(folder: &Folder, envelope: &[Item]) -> Result<Self, SchemagenError> {
        let topic = |kind: &'static Kind| {
            let schema = folder.schema(kind);
            let messages = schema.map(crate::folder::Schema::messages).unwrap_or_default();
            let messages = messages
                .into_iter()
                .map(|(record, address)| Message { record: record.clone(), address: address.clone() });
            Topic { messages: messages.collect(), schema: registered(folder, kind) }
        };
        let mut domain = Self {
            name: folder.domain.clone(),
            commands: topic(&COMMANDS),
            events: topic(&EVENTS),
            outcomes: registered(folder, &OUTCOMES),
            items: Vec::new(),
            views: folder.tables.iter().filter(|table| !table.is_directory()).cloned().collect(),
        };
        let mut items = Vec::new();
        for message in domain.messages() {
            for field in &message.record.fields {
                gather(&field.kind, &mut items);
            }
        }
        items.retain(|item| envelope.iter().all(|known| known.name() != item.name()));
        domain.items = items;
        domain.check_fields()?;
        domain.check_names(envelope)?;
        Ok(domain)
    }

    /// Commands, then events.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.commands.messages.iter().chain(&self.events.messages)
    }

    /// Refuses fields that are called like what every message has.
    fn check_fields(&self) -> Result<(), SchemagenError> {
        for Message { record, .. } in self.messages() {
            if let Some(field) = record.fields.iter().find(|field| RESERVED.contains(&field.name.as_str())) {
                return Err(SchemagenError::Invalid {
                    file: format!("schemas/{}", self.name),
                    message: format!(
                        "field {}.{}: every message has something of that name in the packages; choose another name",
                        record.name, field.name
                    ),
                });
            }
        }
        Ok(())
    }

    /// Refuses names that would be two types of one module.
    fn check_names(&self, envelope: &[Item]) -> Result<(), SchemagenError> {
        let mut seen = std::collections::BTreeSet::new();
        let own = self.messages().map(|message| message.record.name.as_str());
        for name in own.chain(self.items.iter().map(Item::name)).chain(envelope.iter().map(Item::name)) {
            if !seen.insert(name) {
                return Err(SchemagenError::Invalid {
                    file: format!("schemas/{}", self.name),
                    message: format!(
                        "commands, events and what they are made of have {name} twice; the packages have them in one \
                         module, so choose another name"
                    ),
                });
            }
        }
        Ok(())
    }
}

/// The records and enumerations that a type is made of, each once and after what it is made of itself.
fn gather(kind: &Type, into: &mut Vec<Item>) {
    let item = match kind {
        Type::Nullable(inner) | Type::Array(inner) => return gather(inner, into),
        Type::Record(record) => {
            record.fields.iter().for_each(|field| gather(&field.kind, into));
            Item::Record(record.clone())
        }
        Type::Enum(one) => Item::Enum(one.clone()),
        _ => return,
    };
    if into.iter().all(|known| known.name() != item.name()) {
        into.push(item);
    }
}

/// The schema as it is registered, on one line.
fn registered(folder: &Folder, kind: &Kind) -> String {
    let text = folder.schema(kind).map(|schema| schema.registered.as_str()).unwrap_or("null");
    serde_json::from_str::<Value>(text).map(|schema| schema.to_string()).unwrap_or_default()
}
