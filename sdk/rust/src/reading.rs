//! Topics, read by whichever version of its schema each message was written with.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

use serde_json::Value;

use crate::envelope::{Metadata, Outcome};
use crate::messages::{command_envelope, event_envelope};
use crate::resolve::Resolution;
use crate::{
    BadMessage, Command, Event, Input, Messages, Topic, decode_command, decode_event, decode_outcome, unframe,
};

/// Why a message was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is none and never will be.
    Bad(BadMessage),
    /// It was written with the schema of this id, of which nothing is known yet: learn it.
    UnknownSchema(u32),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(bad) => bad.fmt(f),
            Self::UnknownSchema(id) => write!(f, "schema {id} is not known yet"),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Bad(_) | Self::UnknownSchema(_) => None,
        }
    }
}

impl From<BadMessage> for Failure {
    fn from(bad: BadMessage) -> Self {
        Self::Bad(bad)
    }
}

/// A message that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Read<M> {
    /// One that this version has.
    Known(M),
    /// One of a type that this version does not have: of a newer deployment.
    Unknown(Box<UnknownMessage>),
}

/// What is known of a message of a type that this version does not have.
#[derive(Clone, Debug, PartialEq)]
pub struct UnknownMessage {
    /// Whose it is.
    pub domain: &'static str,
    /// The name of its type.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Who, when and why.
    pub metadata: Metadata,
    /// What stands around an event's data; commands have none.
    pub event: Option<Event<()>>,
}

/// The schemas that messages of a topic were written with.
pub struct Versions {
    topic: Topic,
    known: HashMap<u32, Version>,
}

enum Version {
    Own,
    Other(Box<Resolution>),
    Bad(String),
}

impl Versions {
    /// Of a topic.
    #[must_use]
    pub fn new(topic: Topic) -> Self {
        Self { topic, known: HashMap::new() }
    }

    /// Takes note of what the registry has under an id.
    pub fn learn(&mut self, schema_id: u32, schema: &str) {
        let version = if is_same(schema, self.topic.schema) {
            Version::Own
        } else {
            match Resolution::new(schema, self.topic.schema) {
                Ok(resolution) => Version::Other(Box::new(resolution)),
                Err(why) => Version::Bad(why),
            }
        };
        self.known.insert(schema_id, version);
    }

    /// What `own` makes of the body in a frame, or `unknown` of one whose message this version does not have.
    fn read<T>(
        &self,
        framed: &[u8],
        own: impl FnOnce(&[u8]) -> Result<T, BadMessage>,
        unknown: impl FnOnce(&[u8], String) -> Result<T, BadMessage>,
    ) -> Result<T, Failure> {
        let (schema_id, body) = unframe(framed)?;
        match self.known.get(&schema_id) {
            None => Err(Failure::UnknownSchema(schema_id)),
            Some(Version::Own) => Ok(own(body)?),
            Some(Version::Bad(why)) => Err(BadMessage::at("", format!("schema {schema_id}: {why}")).into()),
            Some(Version::Other(resolution)) => match resolution.resolve(body)? {
                (body, None) => Ok(own(&body)?),
                (body, Some(name)) => Ok(unknown(&body, name)?),
            },
        }
    }

    /// The outcome in a frame.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn outcome(&self, framed: &[u8]) -> Result<Outcome, Failure> {
        self.read(framed, decode_outcome, |_, name| Err(BadMessage::at("", format!("{name} is no outcome"))))
    }
}

/// Reads the commands or events of a domain, whichever version of the schema each was written with.
pub struct Reading<D> {
    versions: Versions,
    of: PhantomData<fn() -> D>,
}

impl<D: Messages> Default for Reading<D> {
    fn default() -> Self {
        Self { versions: Versions::new(D::TOPIC), of: PhantomData }
    }
}

impl<D: Messages> Reading<D> {
    /// Takes note of what the registry has under an id.
    pub fn learn(&mut self, schema_id: u32, schema: &str) {
        self.versions.learn(schema_id, schema);
    }

    /// The command in a frame.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn command(&self, framed: &[u8]) -> Result<Read<Command<D>>, Failure> {
        let unknown = |body: &[u8], name| {
            let Command { id, metadata, data: () } = command_envelope(&mut Input::new(body))?;
            let message = UnknownMessage { domain: D::TOPIC.domain, name, id, metadata, event: None };
            Ok(Read::Unknown(Box::new(message)))
        };
        self.versions.read(framed, |body| decode_command(body).map(Read::Known), unknown)
    }

    /// The event in a frame.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn event(&self, framed: &[u8]) -> Result<Read<Event<D>>, Failure> {
        let unknown = |body: &[u8], name| {
            let event = event_envelope(&mut Input::new(body))?;
            let (id, metadata) = (event.id.clone(), event.metadata.clone());
            let message = UnknownMessage { domain: D::TOPIC.domain, name, id, metadata, event: Some(event) };
            Ok(Read::Unknown(Box::new(message)))
        };
        self.versions.read(framed, |body| decode_event(body).map(Read::Known), unknown)
    }
}

/// Whether two texts are one schema, however they are written.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    let plain = |text| serde_json::from_str::<Value>(text).map(plain);
    one == other || matches!((plain(one), plain(other)), (Ok(one), Ok(other)) if one == other)
}

/// A schema without what changes no bytes.
fn plain(schema: Value) -> Value {
    match schema {
        Value::Array(all) => all.into_iter().map(plain).collect(),
        Value::Object(members) => members
            .into_iter()
            .filter(|(name, _)| name != "doc" && name != "aggregate")
            .map(|(name, value)| (name, plain(value)))
            .collect(),
        other => other,
    }
}
