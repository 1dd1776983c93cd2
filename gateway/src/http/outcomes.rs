//! `GET /v1/outcomes/{domain}/{key}?at=TOKEN&timeout=S`.

use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::answer;
use super::commands::positioned;
use super::problem::{BAD_PARAMETER, BUSY, LOG_AWAY, NO_OUTCOME, Problem};
use super::{path, query};
use crate::auth::Principal;
use crate::gateway::Gateway;
use crate::log::Searched;
use crate::token::{At, prefer};

/// Looks for an outcome that was not waited for.
pub(super) async fn get(
    State(gateway): State<Gateway>,
    principal: Principal,
    at: Result<Path<(String, String)>, PathRejection>,
    RawQuery(given): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (domain, key) = path(at)?;
    let channel = gateway.channel(&domain)?;
    let (mut at, mut wait) = (None, prefer::USUALLY);
    for (name, value) in query(given.as_deref())? {
        match name.as_str() {
            "at" => at = Some(value),
            "timeout" => {
                let seconds = value.parse().map(Duration::from_secs).ok().filter(|it| *it <= prefer::LONGEST);
                wait = seconds.ok_or_else(|| wrong("timeout", "a whole number of seconds, at most 60"))?;
            }
            other => return Err(wrong(other, "no parameter of this address: it takes at and timeout")),
        }
    }
    let at: At = at.as_deref().and_then(|at| at.parse().ok()).ok_or_else(|| {
        wrong("at", "needed as it stands in the Location of the answer 202; it says where to look")
    })?;
    let id = principal.command_id(&key);
    match channel.outcome_of(&id, at, wait, gateway.ending()).await {
        Searched::Found(outcome) => {
            let response = answer::json(&answer::outcome(&outcome, answer::longs(&headers)));
            Ok(positioned(response, channel.description.name, &outcome))
        }
        Searched::Nothing => {
            let detail =
                "No outcome of this command, sent by you, has come in time. It may still come: ask again.";
            Err(Problem::new(NO_OUTCOME, detail))
        }
        Searched::NoSuchPlace => Err(wrong("at", "of another domain: there is no such partition")),
        Searched::Busy => Err(Problem::new(BUSY, "So many look for outcomes already.").retry_after(1)),
        Searched::Away(why) => {
            tracing::debug!(domain, "an outcome is not looked for: {}", why.0);
            Err(Problem::new(LOG_AWAY, "The log cannot be reached.").retry_after(1))
        }
    }
}

fn wrong(name: &str, what: &str) -> Problem {
    Problem::new(BAD_PARAMETER, format!("{}: {what}.", crate::message::short(name))).with("parameter", name)
}
