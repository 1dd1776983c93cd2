//! Messages to Avro bytes in the registry's wire format (magic byte 0, schema id, body),
//! and back.
//!
//! `wire` knows no broker and no domain. Where the writer's schema is the one the code was
//! built with, bytes and Rust types convert directly; another writer's schema is fetched
//! from the registry and resolved by `apache-avro`.

mod bounds;
pub mod codec;
mod foreign;
mod reading;
pub mod registry;
mod schema;
mod writer;

pub use codec::{Codec, DecodeFailure, Unknown};
pub use reading::Reading;
pub use registry::{ConfluentRegistry, Latest, MemoryRegistry, Registry, RegistryAccess, RegistryFault};
