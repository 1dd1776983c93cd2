//! A client of the gateway: commands, rows, and rows as they change.

mod problem;
mod subscription;

use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};

pub use self::problem::Problem;
pub use self::subscription::Subscription;
use crate::envelope::{Outcome, Status};
use crate::json::JsonSource;
use crate::{Command, Messages, View, command_to_json, outcome_from_json};

/// How long the gateway is to wait for an outcome, in seconds.
const WAIT_S: u64 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A connection that says nothing for so long is dead: whoever waits is answered sooner, and a stream gives a sign of life every 15 s.
const SILENCE: Duration = Duration::from_secs(40);

/// What became of a command, and what a reader must see to see it: for [`Querying::after`].
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What became of it.
    pub outcome: Outcome,
    /// Empty where it was rejected.
    pub position: String,
}

impl Answer {
    /// Whether every rule held.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.outcome.status == Status::Accepted
    }
}

/// A page of rows, and where it goes on, if it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<V> {
    /// In the order of the view.
    pub rows: Vec<V>,
    /// For [`Querying::cursor`].
    pub cursor: Option<String>,
}

/// Which rows of a key are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Querying<'a> {
    /// So many at most; the gateway's own number where it is `None`.
    pub limit: Option<u32>,
    /// Goes on behind the page that had it.
    pub cursor: Option<&'a str>,
    /// The position of an answer: no older rows than these show.
    pub after: Option<&'a str>,
}

type Token = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// Commands, rows, and rows as they change, over HTTP. It blocks, and may be used by several threads.
pub struct HttpClient {
    base: String,
    agent: Agent,
    token: Option<Token>,
    user_id: Option<String>,
    patience: Duration,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("base", &self.base).finish_non_exhaustive()
    }
}

impl HttpClient {
    /// A client of the gateway at this address, such as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        let patience = Duration::from_secs(60);
        Self { base, agent: agent(SILENCE), token: None, user_id: None, patience }
    }

    /// The same, which asks `token` who asks, where the gateway wants to know.
    #[must_use]
    pub fn with_token(mut self, token: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        self.token = Some(Box::new(token));
        self
    }

    /// The same, whose commands are those of this user where they name none and the gateway believes everybody.
    #[must_use]
    pub fn acting(mut self, user_id: impl Into<String>) -> Self {
        self.user_id = Some(user_id.into());
        self
    }

    /// The same, which sends a command for so long while the gateway cannot say what became of it: a minute where nobody says.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends a command, again and again until it is known what became of it: accepted or rejected.
    ///
    /// # Errors
    /// [`Problem`] where it is none of both: a mistake, or nobody answered for all the time. Send the very same command then.
    pub fn send<D: Messages>(&self, command: &Command<D>) -> Result<Answer, Problem> {
        let mut body = command_to_json(command);
        if let (Some(user), Value::Object(metadata)) = (&self.user_id, &mut body["metadata"]) {
            metadata.entry("user_id").or_insert_with(|| user.as_str().into());
        }
        let body = body.to_string();
        let path = format!("/v1/commands/{}/{}", D::TOPIC.domain, command.data.name());
        let until = Instant::now() + self.patience;
        let found = self.persistently(until, || {
            let request = self
                .agent
                .post(format!("{}{path}", self.base))
                .header("Content-Type", "application/json")
                .header("Idempotency-Key", &command.id)
                .header("Prefer", format!("wait={WAIT_S}"));
            self.answered(self.allowed(request).send(&body))
        });
        let found = found.and_then(|answer| match (answer.status().as_u16(), header(&answer, "Location")) {
            (202, location) => {
                let sign = if location.contains('?') { '&' } else { '?' };
                let path = format!("{location}{sign}timeout={WAIT_S}");
                self.persistently(until, || self.get(&path, &[]))
            }
            _ => Ok(answer),
        });
        let unread = |bad: crate::BadMessage| Problem::unreadable(&self.base, &bad);
        match found {
            Ok(answer) => {
                let position = header(&answer, "Millrace-Position");
                let outcome = outcome_from_json(&self.document(answer)?).map_err(unread)?;
                Ok(Answer { outcome, position })
            }
            Err(mut problem) if problem.kind() == "rejected" => {
                problem.document["status"] = "rejected".into();
                let outcome = outcome_from_json(&problem.document).map_err(unread)?;
                Ok(Answer { outcome, position: String::new() })
            }
            Err(problem) => Err(problem),
        }
    }

    /// A page of rows of a view, by its partition key and any number of the columns behind it.
    ///
    /// # Errors
    /// [`Problem`].
    pub fn query<V: View>(&self, key: &[(&str, &str)], querying: &Querying<'_>) -> Result<Page<V>, Problem> {
        let limit = querying.limit.map(|limit| limit.to_string());
        let more = [("limit", limit.as_deref()), ("cursor", querying.cursor)];
        let more = more.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
        let path =
            format!("/v1/views/{}/{}?{}", V::DOMAIN, V::NAME, encoded(key.iter().copied().chain(more)));
        let wait = format!("wait={WAIT_S}");
        let mut headers = vec![("Prefer", wait.as_str())];
        headers.extend(querying.after.filter(|it| !it.is_empty()).map(|it| ("Millrace-After", it)));
        let mut document = self.document(self.get(&path, &headers)?)?;
        let rows = document["rows"].as_array().into_iter().flatten();
        let rows = rows.map(|row| V::read(&mut JsonSource(row))).collect::<Result<_, _>>();
        let rows = rows.map_err(|bad| Problem::unreadable(&self.base, &bad))?;
        let cursor = match document["cursor"].take() {
            Value::String(cursor) => Some(cursor),
            _ => None,
        };
        Ok(Page { rows, cursor })
    }

    /// The rows of a key of a view whenever they have changed: all, or the first so many and what comes in front.
    #[must_use]
    pub fn subscribe<V: View + Clone>(
        &self,
        key: &[(&str, &str)],
        limit: Option<u32>,
    ) -> Subscription<'_, V> {
        let limit = limit.map(|limit| limit.to_string());
        let parameters = key.iter().copied().chain(limit.as_deref().map(|limit| ("limit", limit)));
        let path = format!("/v1/streams/{}/{}?{}", V::DOMAIN, V::NAME, encoded(parameters));
        Subscription::new(self, path)
    }

    /// The public keys for which secrets of commands are sealed, newest first. None: then no secret can be sent.
    ///
    /// # Errors
    /// [`Problem`].
    pub fn keys(&self) -> Result<Vec<Vec<u8>>, Problem> {
        let document = match self.get("/v1/keys", &[]) {
            Ok(answer) => self.document(answer)?,
            Err(problem) if problem.status == 404 => return Ok(Vec::new()),
            Err(problem) => return Err(problem),
        };
        let keys = document["keys"].as_array().into_iter().flatten();
        let read = |key: &Value| STANDARD.decode(key["public_key"].as_str().unwrap_or_default());
        keys.map(read).collect::<Result<_, _>>().map_err(|error| Problem::unreadable(&self.base, &error))
    }

    /// Asks once.
    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Response<Body>, Problem> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.answered(self.allowed(request).call())
    }

    fn allowed<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match self.token.as_ref().and_then(|token| token()) {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn answered(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>, Problem> {
        let mut answer = answer.map_err(|error| Problem::unreached(&self.base, &error))?;
        let status = answer.status();
        match status.is_success() {
            true => Ok(answer),
            // whoever stands in front of the gateway says it in its own way
            false => {
                let document = answer.body_mut().read_to_string().unwrap_or_default();
                Err(Problem::of(status.as_u16(), serde_json::from_str(&document).unwrap_or_default()))
            }
        }
    }

    fn document(&self, mut answer: Response<Body>) -> Result<Value, Problem> {
        let text = answer.body_mut().read_to_string();
        let text = text.map_err(|error| Problem::unreached(&self.base, &error))?;
        serde_json::from_str(&text).map_err(|error| Problem::unreadable(&self.base, &error))
    }

    fn persistently<T>(&self, until: Instant, ask: impl Fn() -> Result<T, Problem>) -> Result<T, Problem> {
        let mut pause = FIRST_PAUSE;
        loop {
            match ask() {
                Err(problem) if problem.is_passing() && Instant::now() + pause < until => {}
                answer => return answer,
            }
            sleep(pause);
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }
}

/// What asks, over TLS where the address says so, and gives up on who says nothing for so long.
pub(crate) fn agent(silence: Duration) -> Agent {
    let tls =
        TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier).build();
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_per_read(Some(silence))
        .timeout_connect(Some(Duration::from_secs(10)))
        .tls_config(tls)
        .build()
        .into()
}

fn header(answer: &Response<Body>, name: &str) -> String {
    let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

fn encoded<'a>(parameters: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}
