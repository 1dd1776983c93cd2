//! What is answered, route by route.
//!
//! | address | file |
//! |---|---|
//! | `POST /v1/commands/{domain}/{Type}` | `commands.rs` |
//! | `GET /v1/outcomes/{domain}/{key}` | `outcomes.rs` |
//! | `GET /v1/views/{domain}/{view}` | `views.rs` |
//! | `GET /v1/streams/{domain}/{view}` | `streams.rs` |
//! | `GET /v1/socket` | `socket/` |
//! | `GET /v1/keys` | `keys.rs` |
//! | `GET /v1/ops/…` | `ops.rs` |
//! | `POST /v1/spans` | `spans.rs` |
//! | `GET /v1/feeds/{user}`, and what else a domain has of its own | `own.rs` |
//! | how long a read may take, and what it must not be older than | `read.rs` |
//! | requests, counted | `measure.rs` |
//! | `GET /openapi.json`, `GET /asyncapi.json` | `documents.rs`; what stands in them: `../documents/` |
//! | `GET /`, `GET /shop` and the other pages | `../pages.rs` |
//! | every problem there is | `problem.rs` |

mod answer;
mod body;
mod commands;
mod documents;
mod keys;
mod measure;
pub(crate) mod ops;
mod outcomes;
mod own;
pub mod problem;
mod read;
mod socket;
pub(crate) mod spans;
pub(crate) mod streams;
#[cfg(test)]
mod tests;
pub(crate) mod views;

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use millrace_runtime::metrics::GatewayMeter;

use self::problem::{BAD_PARAMETER, Problem, UNKNOWN, WRONG_METHOD};
use crate::gateway::Gateway;
use crate::message::short;
use crate::pages;

/// Everything that is answered.
pub(crate) fn router(gateway: Gateway) -> Router {
    let mut router = Router::new();
    for own in gateway.own() {
        let state = (gateway.clone(), Arc::clone(own));
        let path = format!("/v1/{}/{{id}}", own.resource.name());
        router = router.merge(Router::new().route(&path, get(own::get)).with_state(state));
    }
    let router = router.merge(pages::router(gateway.pages()).with_state(()));
    router
        .route("/v1/commands/{domain}/{kind}", post(commands::post))
        .route("/v1/outcomes/{domain}/{key}", get(outcomes::get))
        .route("/openapi.json", get(documents::openapi))
        .route("/asyncapi.json", get(documents::asyncapi))
        .route("/v1/views/{domain}/{view}", get(views::get))
        .route("/v1/streams/{domain}/{view}", get(streams::get))
        .route("/v1/socket", get(socket::get))
        .route("/v1/keys", get(keys::get))
        .route("/v1/ops/architecture", get(ops::architecture))
        .route("/v1/ops/status", get(ops::status))
        .route("/v1/ops/faults", get(ops::faults))
        .route("/v1/ops/views", get(ops::views))
        .route("/v1/ops/explain", get(ops::explain))
        .route("/v1/ops/history", get(ops::history))
        .route("/v1/ops/dead", get(ops::dead))
        .route("/v1/ops/dead/{domain}/{partition}/{offset}", get(ops::dead_record))
        .route("/v1/spans", post(spans::post))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(gateway)
}

/// The same with every request counted by `meter`, those that are refused before any route, too.
pub(crate) fn measured(routes: Router, meter: Arc<GatewayMeter>) -> Router {
    routes.layer(from_fn_with_state(meter, measure::measure))
}

async fn unknown(uri: Uri) -> Problem {
    Problem::new(UNKNOWN, format!("There is nothing at {}.", short(uri.path())))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::new(
        WRONG_METHOD,
        format!("{} is not for {}; see Allow.", short(method.as_str()), short(uri.path())),
    )
}

/// The parts of a path.
fn path<T>(at: Result<Path<T>, PathRejection>) -> Result<T, Problem> {
    at.map(|Path(parts)| parts).map_err(|error| Problem::new(BAD_PARAMETER, format!("The path: {error}.")))
}

/// The parameters of an address in their order, each once.
fn query(given: Option<&str>) -> Result<Vec<(String, String)>, Problem> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(given.unwrap_or_default().as_bytes()) {
        if found.iter().any(|(known, _)| *known == name) {
            let detail = format!("{} is given twice.", short(&name));
            return Err(Problem::new(BAD_PARAMETER, detail).with("parameter", &*name));
        }
        found.push((name.into_owned(), value.into_owned()));
    }
    Ok(found)
}
