//! The schema registry, as far as Millrace needs one.

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use thiserror::Error;
use ureq::http::{Response, Uri};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body, RequestBuilder};

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
    http: Agent,
    /// The value of the header `Authorization`.
    authorization: Option<String>,
}

/// How long one call to the registry may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// `error_code` of an unknown subject, version or schema id.
const NOT_FOUND_CODES: [u32; 4] = [404, 40401, 40402, 40403];
/// From here on an `error_code` tells of the registry's own trouble.
const OWN_TROUBLE: u32 = 50_000;
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// Why a call did not give what it should.
enum NoAnswer {
    /// The registry says so itself.
    Said(Complaint),
    /// It did not get as far, or what came is not a registry's.
    Unheard(String),
}

/// A registry's error as it is sent.
#[derive(Deserialize)]
struct Complaint {
    error_code: u32,
    #[serde(default)]
    message: String,
}

/// A schema as it is sent; what is there depends on the call.
#[derive(Deserialize)]
struct Registered {
    id: Option<u32>,
    schema: Option<String>,
}

#[derive(Deserialize)]
struct Verdict {
    is_compatible: bool,
}

impl ConfluentRegistry {
    /// A client for the registry at `url`, with basic authentication if given. No call is
    /// made yet, and nothing is read: the machine's certificates are first needed for the first
    /// connection to an `https` address.
    ///
    /// # Errors
    /// [`RegistryFault::Unavailable`] when `url` is none.
    pub fn new(url: &str, credentials: Option<(String, Option<String>)>) -> Result<Self, RegistryFault> {
        let url = url.trim_end_matches('/').to_owned();
        if let Err(error) = url.parse::<Uri>() {
            return Err(RegistryFault::Unavailable { url, message: error.to_string() });
        }
        let tls =
            TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier);
        let http = Agent::config_builder()
            .timeout_global(Some(CALL_TIMEOUT))
            .proxy(None)
            .tls_config(tls.build())
            .http_status_as_error(false)
            .build()
            .new_agent();
        let authorization = credentials.map(|(user, password)| {
            format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.unwrap_or_default())))
        });
        Ok(Self { url, http, authorization })
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, NoAnswer> {
        let request = self.http.get(format!("{}{path}", self.url));
        parse(&text(self.prepare(request).call())?)
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &Json) -> Result<T, NoAnswer> {
        let request = self.http.post(format!("{}{path}", self.url));
        parse(&text(self.prepare(request).content_type(CONTENT_TYPE).send(body.to_string()))?)
    }

    fn put(&self, path: &str, body: &Json) -> Result<(), NoAnswer> {
        let request = self.http.put(format!("{}{path}", self.url));
        text(self.prepare(request).content_type(CONTENT_TYPE).send(body.to_string())).map(drop)
    }

    fn prepare<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        let request = request.header("Accept", CONTENT_TYPE);
        match &self.authorization {
            Some(value) => request.header("Authorization", value),
            None => request,
        }
    }

    fn fault(&self, subject: &str, no_answer: NoAnswer) -> RegistryFault {
        match no_answer {
            NoAnswer::Said(Complaint { error_code, message }) if error_code < OWN_TROUBLE => {
                RegistryFault::Refused { url: self.url.clone(), subject: subject.to_owned(), message }
            }
            other => self.unavailable(other),
        }
    }

    fn unavailable(&self, no_answer: NoAnswer) -> RegistryFault {
        let message = match no_answer {
            NoAnswer::Said(Complaint { error_code, message }) => format!("error {error_code}: {message}"),
            NoAnswer::Unheard(why) => why,
        };
        RegistryFault::Unavailable { url: self.url.clone(), message }
    }
}

impl NoAnswer {
    fn is_not_found(&self) -> bool {
        matches!(self, Self::Said(complaint) if NOT_FOUND_CODES.contains(&complaint.error_code))
    }
}

/// What a registry has answered, if it did what it was asked to.
fn text(answer: Result<Response<Body>, ureq::Error>) -> Result<String, NoAnswer> {
    let unheard = |error: ureq::Error| NoAnswer::Unheard(error.to_string());
    let mut answer = answer.map_err(unheard)?;
    let status = answer.status();
    let text = answer.body_mut().read_to_string().map_err(unheard)?;
    if status.is_success() {
        return Ok(text);
    }
    // whatever stands before a registry answers in its own way
    Err(match parse::<Complaint>(&text) {
        Ok(complaint) if complaint.error_code != 0 => NoAnswer::Said(complaint),
        _ => NoAnswer::Unheard(format!("it answers with HTTP status {status}")),
    })
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, NoAnswer> {
    serde_json::from_str(text)
        .map_err(|error| NoAnswer::Unheard(format!("its answer is not a registry's: {error}")))
}

fn avro(schema: &str) -> Json {
    json!({ "schemaType": "AVRO", "schema": schema })
}

/// A subject as part of a path.
fn part(subject: &str) -> String {
    subject.replace('%', "%25").replace('/', "%2F")
}

impl Registry for ConfluentRegistry {
    fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryFault> {
        let path = format!("/subjects/{}/versions", part(subject));
        let registered: Registered =
            self.post(&path, &avro(schema)).map_err(|why| self.fault(subject, why))?;
        registered.id.ok_or_else(|| self.unavailable(NoAnswer::Unheard("it gave no id".to_owned())))
    }

    fn find(&self, subject: &str, schema: &str) -> Result<Option<u32>, RegistryFault> {
        match self.post::<Registered>(&format!("/subjects/{}", part(subject)), &avro(schema)) {
            Ok(found) => Ok(found.id),
            Err(why) if why.is_not_found() => Ok(None),
            Err(why) => Err(self.fault(subject, why)),
        }
    }

    fn schema(&self, id: u32) -> Result<Option<String>, RegistryFault> {
        // a schema that was deleted under its subject still explains records
        match self.get::<Registered>(&format!("/schemas/ids/{id}?deleted=true")) {
            Ok(Registered { schema: Some(schema), .. }) => Ok(Some(schema)),
            Ok(_) => Err(self.unavailable(NoAnswer::Unheard(format!("it gave no schema for id {id}")))),
            Err(why) if why.is_not_found() => Ok(None),
            Err(why) => Err(self.unavailable(why)),
        }
    }

    fn is_compatible(&self, subject: &str, schema: &str) -> Result<bool, RegistryFault> {
        let path = format!("/compatibility/subjects/{}/versions", part(subject));
        match self.post::<Verdict>(&path, &avro(schema)) {
            Ok(verdict) => Ok(verdict.is_compatible),
            Err(why) if why.is_not_found() => Ok(true),
            Err(why) => Err(self.fault(subject, why)),
        }
    }

    fn set_compatibility(&self, subject: &str, level: &str) -> Result<(), RegistryFault> {
        self.put(&format!("/config/{}", part(subject)), &json!({ "compatibility": level }))
            .map_err(|why| self.unavailable(why))
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
