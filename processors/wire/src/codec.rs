//! One codec per topic: its schema, the schema's id, and other writers' schemas as met.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use bytes::Bytes;
use millrace_kernel::avro::{BadDatum, Input};
use millrace_kernel::{Datum, Metadata, Text};
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

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Turns values of `T` into bytes in the wire format and back. `T` must be made from the schema.
pub struct Codec<T> {
    schema: &'static Compiled,
    id: u32,
    foreign: Foreign,
    of: PhantomData<fn(T) -> T>,
}

impl<T: Datum> Codec<T> {
    /// The codec of `subject`, whose `schema` is registered if it is not yet.
    ///
    /// # Errors
    /// A schema that does not parse or is refused, or a registry that does not answer.
    pub fn register(registry: Arc<dyn Registry>, subject: &str, schema: &str) -> Result<Self, CodecError> {
        let compiled =
            compile(schema).map_err(|message| CodecError::Schema { subject: subject.to_owned(), message })?;
        let id = match registry.find(subject, schema)? {
            Some(id) => id,
            None => registry.register(subject, schema)?,
        };
        Ok(Self { schema: compiled, id, foreign: Foreign::new(registry, subject, compiled), of: PhantomData })
    }

    /// The codec of `subject` if its `schema` is registered; nothing is registered. For those who only send or read.
    ///
    /// # Errors
    /// As [`Codec::register`].
    pub fn find(
        registry: Arc<dyn Registry>,
        subject: &str,
        schema: &str,
    ) -> Result<Option<Self>, CodecError> {
        let compiled =
            compile(schema).map_err(|message| CodecError::Schema { subject: subject.to_owned(), message })?;
        let Some(id) = registry.find(subject, schema)? else { return Ok(None) };
        let foreign = Foreign::new(registry, subject, compiled);
        Ok(Some(Self { schema: compiled, id, foreign, of: PhantomData }))
    }

    /// The registry's id of the schema this build was made with.
    #[must_use]
    pub fn schema_id(&self) -> u32 {
        self.id
    }

    /// `value` in the wire format.
    #[must_use]
    pub fn encode(&self, value: &T) -> Bytes {
        self.encode_to(value, Bytes::copy_from_slice)
    }

    /// What `keep` makes of `value` in the wire format.
    pub fn encode_to<R>(&self, value: &T, keep: impl FnOnce(&[u8]) -> R) -> R {
        self.write_to(|out| value.write(out), keep)
    }

    /// What `keep` makes of what `write` appends, a value of the schema, in the wire format.
    pub fn write_to<R>(&self, write: impl FnOnce(&mut Vec<u8>), keep: impl FnOnce(&[u8]) -> R) -> R {
        // what is kept has the right size: buffers that grow are too large
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            scratch.push(0);
            scratch.extend_from_slice(&self.id.to_be_bytes());
            write(scratch);
            keep(scratch)
        })
    }

    /// The value that `bytes` hold.
    ///
    /// # Errors
    /// [`DecodeFailure`], which tells bad bytes from a registry that is away.
    pub fn decode(&self, bytes: &[u8]) -> Result<T, DecodeFailure> {
        self.decode_with(bytes, T::read)
    }

    /// What `read` makes of the message that `bytes` hold; it must take all of it.
    ///
    /// # Errors
    /// As [`Codec::decode`].
    pub fn decode_with<U>(
        &self,
        bytes: &[u8],
        read: impl Fn(&mut Input<'_>) -> Result<U, BadDatum>,
    ) -> Result<U, DecodeFailure> {
        self.decode_by(bytes, read, |id| self.foreign.meaning(id))
    }

    /// As [`Codec::decode`], but the registry is not asked: a schema that nobody has asked for with
    /// [`Codec::ask_again`] is [`DecodeFailure::NotYet`], too.
    ///
    /// # Errors
    /// As [`Codec::decode`], never for the registry.
    pub fn decode_known(&self, bytes: &[u8]) -> Result<T, DecodeFailure> {
        self.decode_by(bytes, T::read, |id| self.foreign.remembered(id))
    }

    /// As [`Codec::decode`], but what meant nothing a moment ago is asked for again: for whoever stands still at a
    /// message and tries again seldom.
    ///
    /// # Errors
    /// As [`Codec::decode`].
    pub fn decode_fresh(&self, bytes: &[u8]) -> Result<T, DecodeFailure> {
        match self.decode_known(bytes) {
            Err(DecodeFailure::NotYet { id, .. }) => {
                self.ask_again(&[id])?;
                self.decode_known(bytes)
            }
            decoded => decoded,
        }
    }

    fn decode_by<U>(
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
        if id == self.id {
            return self.decode_body(body, read).or_else(unreadable);
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

    /// The ids of schemas of `messages` that mean nothing here so far, each once and at most so many.
    pub fn not_known<'a>(&self, messages: impl Iterator<Item = &'a [u8]>, most: usize) -> Vec<u32> {
        let mut ids = Vec::new();
        for id in messages.filter_map(schema_of) {
            if ids.len() == most {
                break;
            }
            if id != self.id && !ids.contains(&id) && !self.foreign.is_known(id) {
                ids.push(id);
            }
        }
        ids
    }

    /// Asks the registry again for schema ids that [`DecodeFailure::NotYet`] has named, all together. Without that it
    /// is asked again only after some seconds.
    ///
    /// # Errors
    /// [`RegistryFault`]; what was answered before it counts.
    pub fn ask_again(&self, ids: &[u32]) -> Result<(), RegistryFault> {
        self.foreign.ask_again(ids)
    }

    /// Straight from the bytes of this build's own schema.
    fn decode_body<U>(
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
        self.decode_body(&own, read).map_err(|e| unreadable(&e))
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
fn schema_of(message: &[u8]) -> Option<u32> {
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
