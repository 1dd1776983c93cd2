//! What the gateway answers and what the topics hold, as documents for programs: OpenAPI 3.1, as generators do not read
//! 3.2 yet, and AsyncAPI 3.0. Both are made from the schemas as data, like all that they describe.
//!
//! | to find out | open |
//! |---|---|
//! | how a type of Avro is one of JSON Schema | `schema.rs` |
//! | what stands in the OpenAPI document, route by route | `openapi/` |
//! | topics as channels | `asyncapi.rs` |

mod asyncapi;
mod openapi;
mod schema;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::auth::Authenticator;
use crate::ports::{Description, Resource};

/// What is described.
#[derive(Clone, Copy)]
pub struct Described<'a> {
    /// The domains, in the order in which they shall stand.
    pub domains: &'a [&'a Description],
    /// What they have of their own, each with its domain's name.
    pub resources: &'a [(&'static str, Arc<dyn Resource>)],
    /// How it is known who asks.
    pub authenticator: &'a Authenticator,
}

impl Described<'_> {
    /// The OpenAPI document, as text.
    #[must_use]
    pub fn openapi(&self) -> String {
        written(&openapi::document(self))
    }

    /// The AsyncAPI document, as text.
    #[must_use]
    pub fn asyncapi(&self) -> String {
        written(&asyncapi::document(self))
    }
}

/// The version of this build, which both documents carry.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// As people read it and as it is compared line by line.
fn written(document: &serde_json::Value) -> String {
    format!("{document:#}\n")
}
