//! The gateway from the other side: `send`, `query` and `feed` with `--http URL`.

use std::fs;
use std::io::Read;
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use ureq::http::{Response, header};
use ureq::{Agent, RequestBuilder};

use crate::config::secrets::without_passwords;
use crate::error::CliError;

/// The longest that a gateway waits.
const MOST_SECONDS: u64 = 60;
/// How much longer an answer may take than the gateway waits.
const MORE: Duration = Duration::from_secs(15);
/// How long a stream may say nothing; a gateway gives a sign of life every fifteen seconds.
const SILENT: Duration = Duration::from_secs(60);
/// How soon it is tried again where the gateway does not say.
const AGAIN: Duration = Duration::from_millis(200);

/// A gateway, as a client of it.
pub struct HttpClient {
    url: String,
    /// Where the token is that says who asks; none where it is empty.
    token_file: String,
    agent: Agent,
}

/// An answer.
struct Answer {
    status: u16,
    position: String,
    location: Option<String>,
    body: Value,
}

/// What became of a command that was sent by HTTP.
pub struct Answered {
    /// The outcome, or the problem document of a rejection, which has its members; none when it is still to come.
    pub outcome: Option<Value>,
    /// Whether it was rejected.
    pub is_rejected: bool,
    /// Where the outcome is looked for.
    pub location: Option<String>,
    /// What a reader must see.
    pub position: String,
}

impl HttpClient {
    /// A client of the gateway at `url`, which shows the token in `token_file`, if that names one.
    ///
    /// # Errors
    /// It is no URL.
    pub fn new(url: &str, token_file: &str) -> Result<Self, CliError> {
        let is_url = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
        if !is_url || url.contains(['?', '#']) {
            return Err(CliError::usage(format!(
                "--http: {:?} is no URL of a gateway",
                without_passwords(url)
            ))
            .hint("Write it as http://127.0.0.1:8080."));
        }
        let patience = Duration::from_secs(MOST_SECONDS) + MORE;
        // problems have bodies, and are no failures of the client
        let agent = Agent::config_builder().timeout_global(Some(patience)).http_status_as_error(false);
        let (url, token_file) = (url.trim_end_matches('/').to_owned(), token_file.to_owned());
        Ok(Self { url, token_file, agent: agent.build().new_agent() })
    }

    /// A request, or the same in the name of whose token is in the file.
    fn authorized<B>(&self, asked: RequestBuilder<B>) -> Result<RequestBuilder<B>, CliError> {
        if self.token_file.is_empty() {
            return Ok(asked);
        }
        let token = fs::read_to_string(&self.token_file)
            .map_err(|error| CliError::usage(format!("http_token_file: {}: {error}", self.token_file)))?;
        let token = token.trim();
        if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
            let wrong = format!("http_token_file: {} holds no token", self.token_file);
            return Err(CliError::usage(wrong).hint("It is one line, as `millrace token` prints it."));
        }
        Ok(asked.header(header::AUTHORIZATION, format!("Bearer {token}")))
    }

    /// `text` as a part of an address.
    #[must_use]
    pub fn encoded(text: &str) -> String {
        utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
    }

    /// Sends a command under `key` and waits for its outcome for so long; sends it again while the gateway cannot take it.
    ///
    /// # Errors
    /// No answer in time, or one that says that the command is wrong.
    pub fn send(
        &self,
        domain: &str,
        kind: &str,
        key: &str,
        body: &Value,
        wait: Duration,
    ) -> Result<Answered, CliError> {
        let path = format!("/v1/commands/{domain}/{kind}");
        let until = Instant::now() + wait;
        let mut answer = loop {
            let prefer = match wait.is_zero() {
                true => "respond-async".to_owned(),
                false => wish(until),
            };
            let asked = self.agent.post(format!("{}{path}", self.url)).header("idempotency-key", key);
            let asked = asked.header("prefer", prefer).header(header::CONTENT_TYPE, "application/json");
            let answer = self.answer(self.authorized(asked)?.send(body.to_string()))?;
            if answer.status != 503 || Instant::now() >= until {
                break answer;
            }
            std::thread::sleep(AGAIN);
        };
        while answer.status == 202 && !wait.is_zero() && Instant::now() < until {
            let location = answer.location.clone().unwrap_or_default();
            let seconds = left(until);
            let found = self.get(&format!("{location}&timeout={seconds}"), "")?;
            match found.status {
                200 => answer = found,
                404 | 503 => std::thread::sleep(AGAIN),
                _ => return Err(refused(&found)),
            }
        }
        let is_rejected = match answer.status {
            200 => answer.body["status"] == "rejected",
            202 => false,
            422 if answer.body.get("violations").is_some() => true,
            _ => return Err(refused(&answer)),
        };
        let Answer { status, position, location, body } = answer;
        let outcome = (status != 202).then_some(body);
        Ok(Answered { outcome, is_rejected, location, position })
    }

    /// Gives up to `limit` rows at `path` to `each`, pages of `most` rows, from `cursor` on.
    ///
    /// # Errors
    /// As [`HttpClient::send`], and what `each` says.
    pub fn rows(
        &self,
        path: &str,
        given: &[(&str, &str)],
        mut cursor: Option<String>,
        most: usize,
        mut limit: usize,
        each: &mut dyn FnMut(Value) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let parameters = |more: &[(&str, &str)]| {
            let pairs = given.iter().chain(more);
            pairs
                .map(|(name, value)| format!("{}={}", Self::encoded(name), Self::encoded(value)))
                .collect::<Vec<_>>()
                .join("&")
        };
        while limit > 0 {
            let page = limit.min(most).to_string();
            let mut more = vec![("limit", page.as_str())];
            more.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let answer = self.get(&format!("{path}?{}", parameters(&more)), "")?;
            if answer.status != 200 {
                return Err(refused(&answer));
            }
            let Value::Object(mut page) = answer.body else { return Err(strange()) };
            let Some(Value::Array(rows)) = page.remove("rows") else { return Err(strange()) };
            limit = limit.saturating_sub(rows.len());
            rows.into_iter().try_for_each(&mut *each)?;
            match page.remove("cursor") {
                Some(Value::String(next)) => cursor = Some(next),
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// What is told at `path` as server-sent events, from behind `token` on; it goes on until the gateway ends it.
    ///
    /// # Errors
    /// As [`HttpClient::send`].
    pub fn stream(
        &self,
        path: &str,
        given: &[(&str, &str)],
        token: Option<&str>,
    ) -> Result<impl Read + use<>, CliError> {
        let pairs = given.iter();
        let query: Vec<String> =
            pairs.map(|(name, value)| format!("{}={}", Self::encoded(name), Self::encoded(value))).collect();
        // it has no end that could be waited for, but a host that has gone says nothing
        let agent = Agent::config_builder().timeout_connect(Some(MORE)).timeout_per_read(Some(SILENT));
        let agent = agent.http_status_as_error(false).build().new_agent();
        let asked = agent.get(format!("{}{path}?{}", self.url, query.join("&")));
        let asked = asked.header(header::ACCEPT, "text/event-stream");
        let asked = match token {
            Some(token) => asked.header("last-event-id", token),
            None => asked,
        };
        let response = self.authorized(asked)?.call();
        match response {
            Ok(response) if response.status() == 200 => Ok(response.into_body().into_reader()),
            other => Err(refused(&self.answer(other)?)),
        }
    }

    /// Waits until a view shows what `position` tells of, until then.
    ///
    /// # Errors
    /// It does not in time.
    pub fn until_shown(
        &self,
        domain: &str,
        view: &str,
        position: &str,
        until: Instant,
    ) -> Result<(), CliError> {
        loop {
            let answer = self.get(&format!("/v1/views/{domain}/{view}?limit=1"), position)?;
            match answer.status {
                200 => return Ok(()),
                503 if Instant::now() < until => std::thread::sleep(AGAIN),
                _ => return Err(refused(&answer)),
            }
        }
    }

    fn get(&self, path: &str, after: &str) -> Result<Answer, CliError> {
        let asked = self.agent.get(format!("{}{path}", self.url));
        let asked = if after.is_empty() { asked } else { asked.header("millrace-after", after) };
        self.answer(self.authorized(asked)?.call())
    }

    fn answer(&self, asked: Result<Response<ureq::Body>, ureq::Error>) -> Result<Answer, CliError> {
        let failed = |why: String| {
            CliError::failed(format!("the gateway at {} does not answer: {why}", without_passwords(&self.url)))
                .hint("Start it with `millrace gateway`, or give another address with --http. What was sent may be sent again \
                       under its id, at any gateway.")
        };
        let mut response = asked.map_err(|error| failed(error.to_string()))?;
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (position, location) = (header("millrace-position").unwrap_or_default(), header("location"));
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string();
        let text = text.map_err(|error| failed(error.to_string()))?;
        let body = serde_json::from_str(&text).map_err(|_| strange())?;
        Ok(Answer { status, position, location, body })
    }
}

fn left(until: Instant) -> u64 {
    let left = until.saturating_duration_since(Instant::now()).as_secs();
    left.clamp(1, MOST_SECONDS)
}

fn wish(until: Instant) -> String {
    format!("wait={}", left(until))
}

fn strange() -> CliError {
    CliError::failed("whoever answers at --http is no gateway of Millrace, or a proxy in front of it")
}

/// What a problem document says.
fn refused(answer: &Answer) -> CliError {
    let nothing = Map::new();
    let problem = answer.body.as_object().unwrap_or(&nothing);
    let text = |name: &str| problem.get(name).and_then(Value::as_str);
    let said = text("detail").or(text("title")).unwrap_or("no reason is given");
    let error = match answer.status {
        400 | 404 | 413 | 415 => CliError::usage(said),
        401 => CliError::usage(format!("{}: {said}", answer.status))
            .hint("Write a token into a file and name that file as http_token_file in millrace.toml, or in MILLRACE_HTTP_TOKEN_FILE."),
        403 => CliError::usage(format!("{}: {said}", answer.status)),
        status => CliError::failed(format!("{status}: {said}")),
    };
    let others = problem.get("errors").and_then(Value::as_array).filter(|errors| errors.len() > 1);
    let lines: Vec<String> = others
        .into_iter()
        .flatten()
        .filter_map(|each| Some(format!("{}: {}", each["pointer"].as_str()?, each["detail"].as_str()?)))
        .collect();
    error.hints(&lines)
}
