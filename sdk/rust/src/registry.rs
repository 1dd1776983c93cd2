//! A schema registry with Confluent's REST API.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::http::agent;
use crate::{BadMessage, Command, Event, Failure, Messages, Read, Reading, Topic, Versions};

const TYPE: &str = "application/vnd.schemaregistry.v1+json";
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no message, or no schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryFailure {
    /// It is no message and never will be.
    Bad(BadMessage),
    /// The deployment does not know the schema that this package was made with.
    NotRegistered(String),
    /// The registry does not answer, or not so.
    Away(String),
}

impl fmt::Display for RegistryFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(bad) => bad.fmt(f),
            Self::NotRegistered(why) | Self::Away(why) => f.write_str(why),
        }
    }
}

impl Error for RegistryFailure {}

/// Asks for schemas and their ids. Nothing is registered.
#[derive(Clone, Debug)]
pub struct Registry {
    base: String,
    agent: Agent,
    authorization: Option<String>,
}

impl Registry {
    /// The registry at this address, such as `http://127.0.0.1:8081`.
    #[must_use]
    pub fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), agent: agent(PATIENCE), authorization: None }
    }

    /// The same, with a value for the header `Authorization`.
    #[must_use]
    pub fn with_authorization(mut self, value: impl Into<String>) -> Self {
        self.authorization = Some(value.into());
        self
    }

    /// The id under which a topic's schema is registered; `prefix` is what the names of topics begin with.
    ///
    /// # Errors
    /// [`RegistryFailure::NotRegistered`] where the deployment is of another version.
    pub fn id_of(&self, prefix: &str, topic: Topic) -> Result<u32, RegistryFailure> {
        let subject = format!("{prefix}{}-value", topic.name);
        let path = form_urlencoded::byte_serialize(subject.as_bytes()).collect::<String>();
        let body = json!({"schemaType": "AVRO", "schema": topic.schema}).to_string();
        let request = self.agent.post(format!("{}/subjects/{path}", self.base));
        let found = self.read_answer(self.prepared(request).send(&body))?;
        found.and_then(|found| u32::try_from(found["id"].as_u64()?).ok()).ok_or_else(|| {
            RegistryFailure::NotRegistered(format!(
                "registry {}: the schema of {} that this package was made with is not registered under {subject}; the deployment \
                 is older, or of another kind: take the package of its version",
                self.base, topic.name
            ))
        })
    }

    /// The schema of an id, if there is one.
    ///
    /// # Errors
    /// [`RegistryFailure::Away`].
    pub fn schema(&self, schema_id: u32) -> Result<Option<String>, RegistryFailure> {
        let request = self.agent.get(format!("{}/schemas/ids/{schema_id}?deleted=true", self.base));
        let found = self.read_answer(self.prepared(request).call())?;
        Ok(found.and_then(|found| Some(found["schema"].as_str()?.to_owned())))
    }

    /// The event in a frame, whose schema is asked for if it is not known.
    ///
    /// # Errors
    /// [`RegistryFailure`].
    pub fn event<D: Messages>(
        &self,
        reading: &mut Reading<D>,
        framed: &[u8],
    ) -> Result<Read<Event<D>>, RegistryFailure> {
        self.learning(reading, |reading| reading.event(framed), Reading::learn)
    }

    /// The command in a frame, whose schema is asked for if it is not known.
    ///
    /// # Errors
    /// [`RegistryFailure`].
    pub fn command<D: Messages>(
        &self,
        reading: &mut Reading<D>,
        framed: &[u8],
    ) -> Result<Read<Command<D>>, RegistryFailure> {
        self.learning(reading, |reading| reading.command(framed), Reading::learn)
    }

    /// The outcome in a frame, whose schema is asked for if it is not known.
    ///
    /// # Errors
    /// [`RegistryFailure`].
    pub fn outcome(
        &self,
        versions: &mut Versions,
        framed: &[u8],
    ) -> Result<crate::envelope::Outcome, RegistryFailure> {
        self.learning(versions, |versions| versions.outcome(framed), Versions::learn)
    }

    fn learning<R, T>(
        &self,
        reader: &mut R,
        read: impl Fn(&R) -> Result<T, Failure>,
        learn: impl FnOnce(&mut R, u32, &str),
    ) -> Result<T, RegistryFailure> {
        let bad = |failure| match failure {
            Failure::Bad(bad) => RegistryFailure::Bad(bad),
            Failure::UnknownSchema(id) => {
                RegistryFailure::Bad(BadMessage::at("", format!("the registry has no schema {id}")))
            }
        };
        match read(reader) {
            Err(Failure::UnknownSchema(id)) => {
                let schema = self.schema(id)?.ok_or_else(|| bad(Failure::UnknownSchema(id)))?;
                learn(reader, id, &schema);
                read(reader).map_err(bad)
            }
            other => other.map_err(bad),
        }
    }

    fn prepared<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        let request = request.header("Accept", TYPE).header("Content-Type", TYPE);
        match &self.authorization {
            Some(value) => request.header("Authorization", value),
            None => request,
        }
    }

    /// The document; `None` where there is no such thing.
    fn read_answer(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<Option<Value>, RegistryFailure> {
        let away = |why: &dyn fmt::Display| RegistryFailure::Away(format!("registry {}: {why}", self.base));
        let mut answer = answer.map_err(|error| away(&error))?;
        let text = answer.body_mut().read_to_string().map_err(|error| away(&error))?;
        match answer.status().as_u16() {
            200..300 => serde_json::from_str(&text).map(Some).map_err(|error| away(&error)),
            404 => Ok(None),
            status => {
                let said: String = text.chars().take(500).collect();
                Err(away(&format!("{status} {said}")))
            }
        }
    }
}
