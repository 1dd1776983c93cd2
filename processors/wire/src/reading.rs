//! Bytes in the wire format as values of one schema, whichever version of it they were written with.

use std::sync::Arc;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use millrace_kernel::avro::{BadDatum, Input};
use millrace_kernel::{Metadata, Text};
use thiserror::Error;

use crate::foreign::{Failure, Foreign, Meaning, Version};
use crate::registry::{Registry, RegistryFault};
use crate::schema::{Compiled, DATA, branches, compile};

/// Length of magic byte and schema id.
const HEADER_LENGTH: usize = 5;

/// A message whose envelope could be read, but whose `data` is of a type that the schema
/// of this build does not have: a newer producer's.
#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    /// The message's id.
    pub id: Text,
    /// Its metadata, as far as it is known here.
    pub metadata: Metadata,
    /// The name of its type, without the namespace; empty where the schema gives it none.
    pub message_type: String,
    /// Why it cannot be read.
    pub reason: String,
}

/// Why bytes are not the message they should be.
#[derive(Debug, Error)]
pub enum DecodeFailure {
    /// They never will be: not Avro or of another topic's schema.
    #[error("{0}")]
    Unreadable(String),
    /// They may become one: the registry does not know the schema yet, or not as one of this topic's. A replica of a
    /// registry lags behind a registration for a moment. Who cannot wait takes them for unreadable.
    #[error("{why}")]
    NotYet {
        /// The schema's id.
        id: u32,
        /// What the registry said.
        why: String,
    },
    /// The envelope is good, the message type is not one of this build's.
    #[error("message {} is of a type that is not known here: {}", .0.id, .0.reason)]
    UnknownType(Box<Unknown>),
    /// The registry did not answer; the bytes may be good.
    #[error(transparent)]
    Registry(#[from] RegistryFault),
}

/// A schema that could not be used at all.
#[derive(Debug, Error)]
pub enum CodecError {
    /// The schema of this build does not parse.
    #[error("the schema of {subject} does not parse: {message}")]
    Schema {
        /// The subject it is for.
        subject: String,
        /// What is wrong with it.
        message: String,
    },
    /// The registry refused it or did not answer.
    #[error(transparent)]
    Registry(#[from] RegistryFault),
}

/// Reads the messages of one topic as values of a schema, which need not be registered: that of a reader may have fewer types
/// than the topic holds.
pub struct Reading {
    schema: &'static Compiled,
    /// The registry's id of the very schema, if it is registered.
    own: Option<u32>,
    pub(crate) foreign: Foreign,
}

impl Reading {
    /// Reads what stands under `subject` as values of `schema`. Nothing is registered, and nobody is asked yet.
    ///
    /// # Errors
    /// A schema that does not parse.
    pub fn new(registry: Arc<dyn Registry>, subject: &str, schema: &str) -> Result<Self, CodecError> {
        let compiled =
            compile(schema).map_err(|message| CodecError::Schema { subject: subject.to_owned(), message })?;
        Ok(Self::of(registry, subject, compiled, None))
    }

    pub(crate) fn of(
        registry: Arc<dyn Registry>,
        subject: &str,
        schema: &'static Compiled,
        own: Option<u32>,
    ) -> Self {
        Self { schema, own, foreign: Foreign::new(registry, subject, schema) }
    }

    /// What `read` makes of the message that `bytes` hold; it must take all of it.
    ///
    /// # Errors
    /// [`DecodeFailure`], which tells bad bytes from a registry that is away, and a type that is not in the schema from both.
    pub fn read<U>(
        &self,
        bytes: &[u8],
        read: impl Fn(&mut Input<'_>) -> Result<U, BadDatum>,
    ) -> Result<U, DecodeFailure> {
        self.read_by(bytes, read, |id| self.foreign.meaning(id))
    }

    pub(crate) fn read_by<U>(
        &self,
        bytes: &[u8],
        read: impl Fn(&mut Input<'_>) -> Result<U, BadDatum>,
        meaning: impl Fn(u32) -> Result<Arc<Meaning>, Failure>,
    ) -> Result<U, DecodeFailure> {
        let unreadable = |why: String| Err(DecodeFailure::Unreadable(why));
        let Some(id) = schema_of(bytes) else {
            return unreadable(
                "not Avro in the registry's wire format: it does not begin with a zero byte and a schema id"
                    .to_owned(),
            );
        };
        let body = &bytes[HEADER_LENGTH..];
        if Some(id) == self.own {
            return self.read_body(body, read).or_else(unreadable);
        }
        match meaning(id) {
            Ok(meaning) => match &*meaning {
                Meaning::Alien(why) => unreadable(why.clone()),
                Meaning::Version(writer) => self.resolve(id, writer, body, read),
            },
            Err(Failure::NotYet(why)) => Err(DecodeFailure::NotYet { id, why }),
            Err(Failure::Registry(fault)) => Err(fault.into()),
        }
    }

    /// Straight from the bytes of this build's own schema.
    fn read_body<U>(
        &self,
        body: &[u8],
        read: impl Fn(&mut Input<'_>) -> Result<U, BadDatum>,
    ) -> Result<U, String> {
        let mut input = Input::new(body);
        let value = read(&mut input).map_err(|e| format!("not a {}: {e}", self.schema.name.full))?;
        if input.left() > 0 {
            // a reader that stops early took other bytes for a message
            return Err(format!("not a {}: bytes are left over behind the message", self.schema.name.full));
        }
        Ok(value)
    }

    /// From another version's bytes, by Avro's resolution rules.
    fn resolve<U>(
        &self,
        id: u32,
        writer: &Version,
        body: &[u8],
        read: impl Fn(&mut Input<'_>) -> Result<U, BadDatum>,
    ) -> Result<U, DecodeFailure> {
        let unreadable = |e: &dyn std::fmt::Display| {
            DecodeFailure::Unreadable(format!("not a message of schema {id}: {e}"))
        };
        // Before anything is made of them: the writer's schema may ask for any depth and any memory. The reader also
        // gives a null for a text that is cut off, instead of an error.
        writer.shape.check(body).map_err(|e| unreadable(&e))?;
        let writer = &writer.schema;
        let written = GenericDatumReader::builder(writer)
            .build()
            .and_then(|reader| reader.read_value(&mut &*body))
            .map_err(|e| unreadable(&e))?;
        let resolved = self.to_own_version(writer, written)?.map_err(|e| unreadable(&e))?;
        let own = GenericDatumWriter::builder(&self.schema.resolving)
            .build()
            .and_then(|writer| writer.write_value_to_vec(resolved))
            .map_err(|e| unreadable(&e))?;
        self.read_body(&own, read).map_err(|e| unreadable(&e))
    }

    /// `written` as a value of this build's schema, or why its shape does not allow that.
    fn to_own_version(
        &self,
        writer: &apache_avro::Schema,
        mut written: Avro,
    ) -> Result<Result<Avro, String>, DecodeFailure> {
        if self.schema.branches.is_empty() {
            return Ok(written.resolve(&self.schema.resolving).map_err(|e| e.to_string()));
        }
        let Some(Avro::Union(index, message)) =
            field_mut(&mut written, DATA).map(|data| std::mem::replace(data, Avro::Null))
        else {
            return Ok(Err("its `data` is not a union".to_owned()));
        };
        let name = branches(writer).get(index as usize).and_then(apache_avro::Schema::name);
        let own = name.and_then(|name| self.schema.branches.iter().position(|(own, _)| own.is(name)));
        let Some(own_index) = own else {
            let name = name.map_or("", |name| name.name());
            return match envelope(&written) {
                Some((id, metadata)) => Err(DecodeFailure::UnknownType(Box::new(Unknown {
                    id,
                    metadata,
                    message_type: name.to_owned(),
                    reason: format!("{name} is not one of {}", self.known_types()),
                }))),
                None => Ok(Err(format!("its type {name} is unknown and its envelope, too"))),
            };
        };
        if let Some(data) = field_mut(&mut written, DATA) {
            *data = *message;
        }
        let narrowed = &self.schema.branches[own_index].1;
        Ok(written.resolve(narrowed).map_err(|e| e.to_string()).map(|mut resolved| {
            if let Some(data) = field_mut(&mut resolved, DATA) {
                let message = std::mem::replace(data, Avro::Null);
                *data = Avro::Union(own_index as u32, Box::new(message));
            }
            resolved
        }))
    }

    fn known_types(&self) -> String {
        self.schema.branches.iter().map(|(name, _)| name.short.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// The id of a message's schema; `None` for what is not in the wire format.
pub(crate) fn schema_of(message: &[u8]) -> Option<u32> {
    match message {
        [0, a, b, c, d, ..] => Some(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => None,
    }
}

/// Id and metadata of a message whose data is of an unknown type.
fn envelope(message: &Avro) -> Option<(Text, Metadata)> {
    let id = text(field(message, "id")?)?;
    let given = field(message, "metadata")?;
    let metadata = Metadata {
        trace_id: field(given, "trace_id").and_then(text),
        user_id: field(given, "user_id").and_then(text),
        correlation_id: field(given, "correlation_id").and_then(text),
        causation_id: field(given, "causation_id").and_then(text),
        issued_at: field(given, "issued_at").and_then(number),
        expected_version: field(given, "expected_version").and_then(number),
    };
    Some((id, metadata))
}

fn field<'a>(record: &'a Avro, name: &str) -> Option<&'a Avro> {
    match record {
        Avro::Record(fields) => fields.iter().find(|(n, _)| n == name).map(|(_, value)| value),
        _ => None,
    }
}

fn field_mut<'a>(record: &'a mut Avro, name: &str) -> Option<&'a mut Avro> {
    match record {
        Avro::Record(fields) => fields.iter_mut().find(|(n, _)| n == name).map(|(_, value)| value),
        _ => None,
    }
}

fn text(value: &Avro) -> Option<Text> {
    match value {
        Avro::String(text) => Some(text.into()),
        Avro::Union(_, inner) => text(inner),
        _ => None,
    }
}

fn number(value: &Avro) -> Option<i64> {
    match value {
        Avro::Long(number) | Avro::TimestampMicros(number) => Some(*number),
        Avro::Union(_, inner) => number(inner),
        _ => None,
    }
}
