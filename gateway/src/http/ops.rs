//! `GET /v1/ops/architecture`: what operators see of the whole.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;

use super::problem::{BAD_PARAMETER, FORBIDDEN, NO_ANSWER, Problem};
use super::{answer, query};
use crate::auth::Principal;
use crate::gateway::Gateway;
use crate::message::short;

/// The role of whoever may ask.
pub(crate) const OPERATOR: &str = "operator";

/// The picture of the system.
pub(super) async fn architecture(
    State(gateway): State<Gateway>,
    principal: Principal,
    RawQuery(given): RawQuery,
) -> Result<Response, Problem> {
    if !(principal.is_trusted() || principal.has_role(OPERATOR)) {
        let detail = format!("This is for users with the role {OPERATOR} alone.");
        return Err(Problem::new(FORBIDDEN, detail));
    }
    if let Some((name, _)) = query(given.as_deref())?.first() {
        let detail = format!("{}: this address takes no parameters.", short(name));
        return Err(Problem::new(BAD_PARAMETER, detail).with("parameter", name.as_str()));
    }
    let (operations, turn) = gateway.operations().await;
    let asked = tokio::task::spawn_blocking(move || {
        let drawn = operations.architecture();
        drop(turn);
        drawn
    });
    let drawn = match asked.await {
        Ok(Ok(drawn)) => drawn,
        Ok(Err(trouble)) => return Err(Problem::new(NO_ANSWER, trouble.to_string())),
        Err(_) => return Err(Problem::new(NO_ANSWER, "The picture could not be drawn.")),
    };
    let mut response = answer::json(&drawn);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
