//! One codec per topic: its schema, the schema's id, and other writers' schemas as met.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use millrace_kernel::Datum;
use millrace_kernel::avro::{BadDatum, Input};

pub use crate::reading::{CodecError, DecodeFailure, Unknown};
use crate::reading::{Reading, schema_of};
use crate::registry::{Registry, RegistryFault};
use crate::schema::compile;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Turns values of `T` into bytes in the wire format and back. `T` must be made from the schema.
pub struct Codec<T> {
    reading: Reading,
    id: u32,
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
        Ok(Self { reading: Reading::of(registry, subject, compiled, Some(id)), id, of: PhantomData })
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
        Ok(Some(Self { reading: Reading::of(registry, subject, compiled, Some(id)), id, of: PhantomData }))
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
        self.reading.read(bytes, read)
    }

    /// As [`Codec::decode`], but the registry is not asked: a schema that nobody has asked for with
    /// [`Codec::ask_again`] is [`DecodeFailure::NotYet`], too.
    ///
    /// # Errors
    /// As [`Codec::decode`], never for the registry.
    pub fn decode_known(&self, bytes: &[u8]) -> Result<T, DecodeFailure> {
        self.reading.read_by(bytes, T::read, |id| self.reading.foreign.remembered(id))
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

    /// The ids of schemas of `messages` that mean nothing here so far, each once and at most so many.
    pub fn not_known<'a>(&self, messages: impl Iterator<Item = &'a [u8]>, most: usize) -> Vec<u32> {
        let mut ids = Vec::new();
        for id in messages.filter_map(schema_of) {
            if ids.len() == most {
                break;
            }
            if id != self.id && !ids.contains(&id) && !self.reading.foreign.is_known(id) {
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
        self.reading.foreign.ask_again(ids)
    }
}
