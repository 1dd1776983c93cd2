//! The schema registry, as far as Millrace needs one.

use std::sync::Mutex;
use std::time::Duration;

use schema_registry_converter::blocking::schema_registry::{self as client, SrSettings};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RawError, SchemaType, SrCall, SuppliedSchema};
use thiserror::Error;

/// The registry did not give an answer, or refused one.
#[derive(Debug, Error)]
pub enum RegistryFault {
    /// It cannot be reached or is not well; trying again helps sooner or later.
    #[error("schema registry {url}: {message}")]
    Unavailable {
        /// Where it should be.
        url: String,
        /// What the client said.
        message: String,
    },
    /// It refuses a schema, for instance as not compatible with the versions before.
    #[error("schema registry {url} refuses the schema of subject {subject}: {message}")]
    Refused {
        /// Where it is.
        url: String,
        /// The subject concerned.
        subject: String,
        /// Its reason.
        message: String,
    },
}

/// A schema registry.
pub trait Registry: Send + Sync {
    /// Registers `schema` under `subject`, or finds it there; its id.
    ///
    /// # Errors
    /// [`RegistryFault`].
    fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryFault>;

    /// The id of `schema` if it is registered under `subject` already.
    ///
    /// # Errors
    /// [`RegistryFault::Unavailable`].
    fn find(&self, subject: &str, schema: &str) -> Result<Option<u32>, RegistryFault>;

    /// The schema with this id; `None` when the registry knows no such id.
    ///
    /// # Errors
    /// [`RegistryFault::Unavailable`].
    fn schema(&self, id: u32) -> Result<Option<String>, RegistryFault>;

    /// Whether `schema` may follow the versions under `subject`; true for a new subject.
    ///
    /// # Errors
    /// [`RegistryFault`].
    fn is_compatible(&self, subject: &str, schema: &str) -> Result<bool, RegistryFault>;

    /// Sets the compatibility level of `subject`, such as `BACKWARD_TRANSITIVE`.
    ///
    /// # Errors
    /// [`RegistryFault`].
    fn set_compatibility(&self, subject: &str, level: &str) -> Result<(), RegistryFault>;
}

/// Any registry with the Confluent REST API.
pub struct ConfluentRegistry {
    url: String,
    settings: SrSettings,
    http: reqwest::blocking::Client,
    credentials: Option<(String, Option<String>)>,
}

/// How long one call to the registry may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// `error_code` of an unknown subject, version or schema id.
const NOT_FOUND_CODES: [u32; 4] = [404, 40401, 40402, 40403];

impl ConfluentRegistry {
    /// A client for the registry at `url`, with basic authentication if given. No call is
    /// made yet.
    ///
    /// # Errors
    /// [`RegistryFault::Unavailable`] when `url` is none or the machine's TLS setup is broken.
    pub fn new(url: &str, credentials: Option<(String, Option<String>)>) -> Result<Self, RegistryFault> {
        let url = url.trim_end_matches('/').to_owned();
        let unusable = |message: String| RegistryFault::Unavailable { url: url.clone(), message };
        let mut builder = SrSettings::new_builder(url.clone());
        builder.set_timeout(CALL_TIMEOUT).no_proxy();
        if let Some((user, password)) = &credentials {
            builder.set_basic_authorization(user, password.as_deref());
        }
        let settings = builder.build().map_err(|e| unusable(chain(&e.error, &e)))?;
        let http = reqwest::blocking::Client::builder()
            .timeout(CALL_TIMEOUT)
            .no_proxy()
            .build()
            .map_err(|e| unusable(chain(&e.to_string(), &e)))?;
        Ok(Self { url, settings, http, credentials })
    }

    fn fault(&self, subject: &str, error: &SRCError) -> RegistryFault {
        match registry_error(error) {
            Some(raw) if raw.error_code < 50_000 && raw.error_code != 0 => RegistryFault::Refused {
                url: self.url.clone(),
                subject: subject.to_owned(),
                message: raw.message.clone(),
            },
            _ => self.unavailable(&error.error, error),
        }
    }

    // the client's error repeats its cause in its own text, so the head is given apart
    fn unavailable(&self, head: &str, error: &dyn std::error::Error) -> RegistryFault {
        RegistryFault::Unavailable { url: self.url.clone(), message: chain(head, error) }
    }
}

/// The registry's own error, if the call got as far as one.
fn registry_error(error: &SRCError) -> Option<&RawError> {
    std::error::Error::source(error)?.downcast_ref::<RawError>()
}

fn is_not_found(error: &SRCError) -> bool {
    registry_error(error).is_some_and(|raw| NOT_FOUND_CODES.contains(&raw.error_code))
}

/// An error with all its causes in one line, each said once.
fn chain(head: &str, error: &dyn std::error::Error) -> String {
    let mut text = head.to_owned();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn avro(schema: &str) -> SuppliedSchema {
    SuppliedSchema::new(None, SchemaType::Avro, schema.to_owned())
}

impl Registry for ConfluentRegistry {
    fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryFault> {
        client::post_schema(&self.settings, subject.to_owned(), avro(schema))
            .map(|registered| registered.id)
            .map_err(|e| self.fault(subject, &e))
    }

    fn find(&self, subject: &str, schema: &str) -> Result<Option<u32>, RegistryFault> {
        let body = serde_json::json!({ "schemaType": "AVRO", "schema": schema }).to_string();
        match client::perform_sr_call(&self.settings, SrCall::PostForVersion(subject, &body)) {
            Ok(found) => Ok(found.id),
            Err(e) if is_not_found(&e) => Ok(None),
            Err(e) => Err(self.fault(subject, &e)),
        }
    }

    fn schema(&self, id: u32) -> Result<Option<String>, RegistryFault> {
        match client::get_schema_by_id(id, &self.settings) {
            Ok(found) => Ok(Some(found.schema)),
            Err(e) if is_not_found(&e) => Ok(None),
            Err(e) => Err(self.unavailable(&e.error, &e)),
        }
    }

    fn is_compatible(&self, subject: &str, schema: &str) -> Result<bool, RegistryFault> {
        match client::is_compatible_schema(&self.settings, subject.to_owned(), avro(schema)) {
            Ok(answer) => Ok(answer),
            Err(e) if is_not_found(&e) => Ok(true),
            Err(e) => Err(self.fault(subject, &e)),
        }
    }

    // the client library has no call for this one
    fn set_compatibility(&self, subject: &str, level: &str) -> Result<(), RegistryFault> {
        let mut request = self
            .http
            .put(format!("{}/config/{subject}", self.url))
            .header("Content-Type", "application/vnd.schemaregistry.v1+json")
            .body(serde_json::json!({ "compatibility": level }).to_string());
        if let Some((user, password)) = &self.credentials {
            request = request.basic_auth(user, password.as_deref());
        }
        request
            .send()
            .and_then(reqwest::blocking::Response::error_for_status)
            .map(drop)
            .map_err(|e| self.unavailable(&e.to_string(), &e))
    }
}

/// A registry in memory, for simulations. It accepts every schema.
#[derive(Debug, Default)]
pub struct MemoryRegistry {
    schemas: Mutex<Vec<String>>,
}

impl MemoryRegistry {
    fn position(&self, schema: &str) -> Option<u32> {
        let schemas = self.schemas.lock().expect("no holder of this lock can panic");
        schemas.iter().position(|known| known == schema).map(|index| index as u32 + 1)
    }
}

impl Registry for MemoryRegistry {
    fn register(&self, _subject: &str, schema: &str) -> Result<u32, RegistryFault> {
        if let Some(id) = self.position(schema) {
            return Ok(id);
        }
        let mut schemas = self.schemas.lock().expect("no holder of this lock can panic");
        schemas.push(schema.to_owned());
        Ok(schemas.len() as u32)
    }

    fn find(&self, _subject: &str, schema: &str) -> Result<Option<u32>, RegistryFault> {
        Ok(self.position(schema))
    }

    fn schema(&self, id: u32) -> Result<Option<String>, RegistryFault> {
        let schemas = self.schemas.lock().expect("no holder of this lock can panic");
        Ok((id as usize).checked_sub(1).and_then(|index| schemas.get(index).cloned()))
    }

    fn is_compatible(&self, _subject: &str, _schema: &str) -> Result<bool, RegistryFault> {
        Ok(true)
    }

    fn set_compatibility(&self, _subject: &str, _level: &str) -> Result<(), RegistryFault> {
        Ok(())
    }
}
