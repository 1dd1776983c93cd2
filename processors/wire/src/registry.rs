//! The schema registry, as far as Millrace needs one.

mod access;
mod memory;

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use thiserror::Error;
use ureq::http::{Response, StatusCode, Uri};
use ureq::{Agent, Body, RequestBuilder};

pub use access::RegistryAccess;
pub use memory::MemoryRegistry;

/// The registry did not give an answer, or refused one.
#[derive(Clone, Debug, Error)]
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

/// The newest version of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latest {
    /// Its number, from 1.
    pub version: u32,
    /// The schema's id.
    pub id: u32,
    /// The schema.
    pub schema: String,
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

    /// The subjects of which the schema with this id is a version, versions that were deleted included; `None` when
    /// the registry cannot tell, as not every kind of registry answers that question.
    ///
    /// # Errors
    /// [`RegistryFault::Unavailable`].
    fn subjects(&self, id: u32) -> Result<Option<Vec<String>>, RegistryFault> {
        let _ = id;
        Ok(None)
    }

    /// The newest version under `subject`; `None` for a new subject.
    ///
    /// # Errors
    /// [`RegistryFault::Unavailable`].
    fn latest(&self, subject: &str) -> Result<Option<Latest>, RegistryFault>;

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
    /// Whether connections are encrypted, and this client has no certificate to show.
    is_unnamed: bool,
}

/// How long one call to the registry may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// `error_code` of an unknown subject, version or schema id.
const NOT_FOUND_CODES: [u32; 4] = [404, 40401, 40402, SCHEMA_NOT_FOUND];
/// `error_code` of an unknown schema id.
const SCHEMA_NOT_FOUND: u32 = 40403;
/// From here on an `error_code` tells of the registry's own trouble.
const OWN_TROUBLE: u32 = 50_000;
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// Why a call did not give what it should.
enum NoAnswer {
    /// The registry says so itself.
    Said(Complaint),
    /// It lets nobody in, or not this user; with its words, if it has any.
    Denied(StatusCode, String),
    /// Something answers with this status, and not in a registry's words.
    Status(StatusCode),
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
    version: Option<u32>,
    schema: Option<String>,
}

/// One of the versions that a schema is.
#[derive(Deserialize)]
struct SubjectVersion {
    subject: String,
}

#[derive(Deserialize)]
struct Verdict {
    is_compatible: bool,
}

impl ConfluentRegistry {
    /// A client for the registry at `url`. No call is made yet, and nothing is read but the files that `access` names: the
    /// machine's certificates are first needed for the first connection to an `https` address.
    ///
    /// # Errors
    /// [`RegistryFault::Unavailable`] when `url` is none, or a file cannot be used.
    pub fn new(url: &str, access: &RegistryAccess) -> Result<Self, RegistryFault> {
        let url = url.trim_end_matches('/').to_owned();
        let unavailable = |message: String| RegistryFault::Unavailable { url: url.clone(), message };
        url.parse::<Uri>().map_err(|error| unavailable(error.to_string()))?;
        let is_encrypted = url.to_lowercase().starts_with("https://");
        let tls = access.tls(is_encrypted).map_err(unavailable)?;
        let http = Agent::config_builder()
            .timeout_global(Some(CALL_TIMEOUT))
            .proxy(None)
            .tls_config(tls)
            .http_status_as_error(false)
            .build()
            .new_agent();
        let is_unnamed = is_encrypted && access.files.certificate_file.is_none();
        Ok(Self { authorization: access.authorization(), is_unnamed, url, http })
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
            NoAnswer::Denied(status, message) => {
                access::refused(status, &message, self.authorization.is_some())
            }
            NoAnswer::Status(status) => format!("it answers with HTTP status {status}"),
            NoAnswer::Unheard(why) => access::explained(why, self.is_unnamed),
        };
        RegistryFault::Unavailable { url: self.url.clone(), message }
    }
}

impl NoAnswer {
    fn is_not_found(&self) -> bool {
        matches!(self, Self::Said(complaint) if NOT_FOUND_CODES.contains(&complaint.error_code))
    }

    /// Whether it is of a kind that does not answer such a question, or not to everybody.
    fn is_unsupported(&self) -> bool {
        match self {
            Self::Said(complaint) => matches!(complaint.error_code, 400..=405 | 40101 | 40301),
            Self::Denied(..) => true,
            Self::Status(status) => matches!(status.as_u16(), 400..=405),
            Self::Unheard(_) => false,
        }
    }
}

/// What a registry has answered, if it did what it was asked to.
fn text(answer: Result<Response<Body>, ureq::Error>) -> Result<String, NoAnswer> {
    let unheard = |error: ureq::Error| match error {
        ureq::Error::Timeout(_) => {
            NoAnswer::Unheard(format!("no answer within {} s", CALL_TIMEOUT.as_secs()))
        }
        other => NoAnswer::Unheard(other.to_string()),
    };
    let mut answer = answer.map_err(unheard)?;
    let status = answer.status();
    let text = answer.body_mut().read_to_string().map_err(unheard)?;
    if status.is_success() {
        return Ok(text);
    }
    // whatever stands before a registry answers in its own way
    Err(match parse::<Complaint>(&text) {
        complaint if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            NoAnswer::Denied(status, complaint.map(|it| it.message).unwrap_or_default())
        }
        Ok(complaint) if complaint.error_code != 0 => NoAnswer::Said(complaint),
        _ => NoAnswer::Status(status),
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

    fn subjects(&self, id: u32) -> Result<Option<Vec<String>>, RegistryFault> {
        let versions: Vec<SubjectVersion> =
            match self.get(&format!("/schemas/ids/{id}/versions?deleted=true")) {
                Ok(versions) => versions,
                // it is gone meanwhile
                Err(NoAnswer::Said(complaint)) if complaint.error_code == SCHEMA_NOT_FOUND => Vec::new(),
                Err(why) if why.is_unsupported() => return Ok(None),
                Err(why) => return Err(self.unavailable(why)),
            };
        let plain = |subject: String| match subject.strip_prefix(":.").and_then(|it| it.split_once(':')) {
            // a registry with several contexts names the one it was asked in
            Some((_, plain)) => plain.to_owned(),
            None => subject,
        };
        Ok(Some(versions.into_iter().map(|version| plain(version.subject)).collect()))
    }

    fn latest(&self, subject: &str) -> Result<Option<Latest>, RegistryFault> {
        match self.get(&format!("/subjects/{}/versions/latest", part(subject))) {
            Ok(Registered { version: Some(version), id: Some(id), schema: Some(schema) }) => {
                Ok(Some(Latest { version, id, schema }))
            }
            Ok(_) => {
                let why = format!("it gave no whole version of {subject}");
                Err(self.unavailable(NoAnswer::Unheard(why)))
            }
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
