//! `GET /v1/ops/…`: what operators are told of the whole.

use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde_json::Value as Json;
use tokio::time::timeout;

use super::problem::{BAD_PARAMETER, BUSY, FORBIDDEN, LOG_AWAY, NO_ANSWER, Problem, UNKNOWN};
use super::{answer, path, query, read};
use crate::auth::Principal;
use crate::gateway::Gateway;
use crate::message::short;
use crate::ports::{Question, Untold};
use crate::view::Longs;

/// The role of whoever may ask.
pub(crate) const OPERATOR: &str = "operator";
/// How long an answer may take: topics are read for it.
const WITHIN: Duration = Duration::from_secs(30);
/// How long one waits for one's turn before.
const TURN: Duration = Duration::from_secs(15);
/// Most of what a page has, and what it has when nobody says.
pub(crate) const EVENTS: (usize, usize) = (500, 100);
pub(crate) const RECORDS: (usize, usize) = (200, 50);
pub(crate) const ROWS: (usize, usize) = (100, 10);

/// Who asks, and what for; longs as they are wanted.
struct Asked {
    gateway: Gateway,
    given: Vec<(String, String)>,
    longs: Longs,
}

impl Asked {
    fn by(
        gateway: Gateway,
        principal: &Principal,
        given: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        if !(principal.is_trusted() || principal.has_role(OPERATOR)) {
            let detail = format!("This is for users with the role {OPERATOR} alone.");
            return Err(Problem::new(FORBIDDEN, detail));
        }
        Ok(Self { gateway, given: query(given)?, longs: answer::longs(headers) })
    }

    /// Refuses parameters beside these.
    fn knows(&self, known: &[&str]) -> Result<(), Problem> {
        let Some((name, _)) = self.given.iter().find(|(name, _)| !known.contains(&name.as_str())) else {
            return Ok(());
        };
        let those = match known {
            [] => "no parameters".to_owned(),
            known => known.join(", "),
        };
        let detail = format!("{}: this address takes {those}.", short(name));
        Err(Problem::new(BAD_PARAMETER, detail).with("parameter", name.as_str()))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.given
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
            .filter(|text| !text.is_empty())
    }

    fn needed(&self, name: &str, what: &str) -> Result<String, Problem> {
        self.text(name).ok_or_else(|| {
            Problem::new(BAD_PARAMETER, format!("{name}: name {what}.")).with("parameter", name)
        })
    }

    fn count(&self, name: &str, (most, usual): (usize, usize)) -> Result<usize, Problem> {
        match self.text(name) {
            Some(text) if name == "limit" => read::limit(&text, most),
            Some(text) => text.parse().ok().filter(|count| *count <= most).ok_or_else(|| {
                Problem::new(BAD_PARAMETER, format!("{name}: a number from 0 to {most}."))
                    .with("parameter", name)
            }),
            None => Ok(usual),
        }
    }

    fn version(&self, name: &str, least: i64) -> Result<Option<i64>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().ok().filter(|version| *version >= least).map(Some).ok_or_else(|| {
            Problem::new(BAD_PARAMETER, format!("{name}: a version is a whole number from {least}."))
                .with("parameter", name)
        })
    }

    async fn answered(self, question: Question) -> Result<Response, Problem> {
        let Ok((operations, turn)) = timeout(TURN, self.gateway.operations(question.is_search())).await
        else {
            return Err(Problem::new(BUSY, "Other operators are asking; ask again.").retry_after(5));
        };
        let asked = tokio::task::spawn_blocking(move || {
            let told = operations.answer(&question, std::time::Instant::now() + WITHIN);
            drop(turn);
            told
        });
        let mut told = match asked.await {
            Ok(Ok(told)) => told,
            Ok(Err(why)) => return Err(untold(why)),
            Err(_) => return Err(Problem::new(NO_ANSWER, "There is no answer: that is a bug.")),
        };
        if self.longs == Longs::Texts {
            texts(&mut told);
        }
        let mut response = answer::json_with(&told, self.longs);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}

fn untold(why: Untold) -> Problem {
    match why {
        Untold::Wrong(why) => Problem::new(BAD_PARAMETER, why),
        Untold::Missing(why) => Problem::new(UNKNOWN, why),
        Untold::LogAway(why) => Problem::new(LOG_AWAY, why).retry_after(1),
        Untold::Overdue(why) => {
            Problem::new(NO_ANSWER, format!("{why}. The command line has no such limit."))
        }
        Untold::Trouble(why) => Problem::new(NO_ANSWER, why).retry_after(5),
    }
}

/// Writes whole numbers as texts that clients might round.
fn texts(json: &mut Json) {
    const EXACT: u64 = (1 << 53) - 1;
    match json {
        Json::Object(members) => members.values_mut().for_each(texts),
        Json::Array(items) => items.iter_mut().for_each(texts),
        Json::Number(number) => {
            if let Some(long) = number.as_i64().filter(|long| long.unsigned_abs() > EXACT) {
                *json = Json::from(long.to_string());
            }
        }
        _ => {}
    }
}

/// The picture of the system.
pub(super) async fn architecture(
    State(gateway): State<Gateway>,
    principal: Principal,
    RawQuery(given): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    plain(gateway, &principal, given, &headers, Question::Architecture).await
}

/// How it is.
pub(super) async fn status(
    State(gateway): State<Gateway>,
    principal: Principal,
    RawQuery(given): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    plain(gateway, &principal, given, &headers, Question::Status).await
}

/// What is in the way.
pub(super) async fn faults(
    State(gateway): State<Gateway>,
    principal: Principal,
    RawQuery(given): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    plain(gateway, &principal, given, &headers, Question::Faults).await
}

/// The views and their versions.
pub(super) async fn views(
    State(gateway): State<Gateway>,
    principal: Principal,
    RawQuery(given): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    plain(gateway, &principal, given, &headers, Question::Views).await
}

/// What is asked without parameters.
async fn plain(
    gateway: Gateway,
    principal: &Principal,
    given: Option<String>,
    headers: &HeaderMap,
    question: Question,
) -> Result<Response, Problem> {
    let asked = Asked::by(gateway, principal, given.as_deref(), headers)?;
    asked.knows(&[])?;
    asked.answered(question).await
}

/// What became of a command.
pub(super) async fn explain(
    State(gateway): State<Gateway>,
    principal: Principal,
    RawQuery(given): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked::by(gateway, &principal, given.as_deref(), &headers)?;
    asked.knows(&["command_id", "domain", "since", "rows"])?;
    let question = Question::Explain {
        command_id: asked.needed("command_id", "a command by its id")?,
        domain: asked.text("domain"),
        since: asked.text("since"),
        rows: asked.count("rows", ROWS)?,
    };
    asked.answered(question).await
}

/// An aggregate's events.
pub(super) async fn history(
    State(gateway): State<Gateway>,
    principal: Principal,
    RawQuery(given): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked::by(gateway, &principal, given.as_deref(), &headers)?;
    asked.knows(&["aggregate_id", "domain", "version", "at", "cursor", "limit"])?;
    let (version, at) = (asked.version("version", 1)?, asked.text("at"));
    if version.is_some() && at.is_some() {
        let detail = "version and at: one of the two says up to where.";
        return Err(Problem::new(BAD_PARAMETER, detail).with("parameter", "at"));
    }
    let question = Question::History {
        aggregate_id: asked.needed("aggregate_id", "an aggregate, such as User/ann")?,
        domain: asked.text("domain"),
        version,
        at,
        after: asked.version("cursor", 0)?.unwrap_or(0),
        limit: asked.count("limit", EVENTS)?,
    };
    asked.answered(question).await
}

/// What is dead.
pub(super) async fn dead(
    State(gateway): State<Gateway>,
    principal: Principal,
    RawQuery(given): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked::by(gateway, &principal, given.as_deref(), &headers)?;
    asked.knows(&["domain", "all", "cursor", "limit"])?;
    let all = match asked.text("all").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::new(BAD_PARAMETER, "all: true or false.").with("parameter", "all")),
    };
    let question = Question::Dead {
        domain: asked.text("domain"),
        all,
        cursor: asked.text("cursor"),
        limit: asked.count("limit", RECORDS)?,
    };
    asked.answered(question).await
}

/// A dead record.
pub(super) async fn dead_record(
    State(gateway): State<Gateway>,
    principal: Principal,
    at: Result<Path<(String, i32, i64)>, PathRejection>,
    RawQuery(given): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked::by(gateway, &principal, given.as_deref(), &headers)?;
    asked.knows(&[])?;
    let (domain, partition, offset) = path(at)?;
    asked.answered(Question::DeadRecord { domain, partition, offset }).await
}
