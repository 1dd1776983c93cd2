//! What a domain has of its own: `GET /v1/feeds/{user}?limit=&cursor=`.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use millrace_ports::tables::MAX_KEY_BYTES;

use super::problem::{BAD_PARAMETER, FORBIDDEN, Problem, TABLES_AWAY, UNKNOWN};
use super::read::{Reading, limit};
use super::views::page;
use super::{answer, path, query};
use crate::auth::Principal;
use crate::gateway::{Gateway, Own};
use crate::message::short;
use crate::ports::ResourceFault;

/// Reads a page of it.
pub(super) async fn get(
    State((gateway, own)): State<(Gateway, Arc<Own>)>,
    principal: Principal,
    at: Result<Path<String>, PathRejection>,
    RawQuery(given): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = path(at)?;
    if !(own.resource.is_public() || principal.is_trusted() || principal.user() == Some(&*id)) {
        let detail = format!("What is at {}/{} is for that user alone.", own.resource.name(), short(&id));
        return Err(Problem::new(FORBIDDEN, detail));
    }
    if id.len() > MAX_KEY_BYTES {
        return Err(Problem::new(UNKNOWN, "There is nothing of so long a name."));
    }
    let (most, usually) = own.resource.limits();
    let (mut wanted, mut cursor) = (usually, None);
    for (name, value) in query(given.as_deref())? {
        match name.as_str() {
            "limit" => wanted = limit(&value, most)?,
            "cursor" => cursor = Some(value),
            other => {
                let detail = format!("{}: this address takes limit and cursor.", short(other));
                return Err(Problem::new(BAD_PARAMETER, detail).with("parameter", other));
            }
        }
    }
    let reading = Reading::begin(&gateway, &own.channel, &own.projections, &headers).await?;
    let resource = Arc::clone(&own.resource);
    let read = reading.ask(move |tables| Ok(resource.read(tables, &id, cursor.as_deref(), wanted)));
    match read.await? {
        Ok(found) => Ok(answer::json(&page(found.items, found.cursor))),
        Err(ResourceFault::Cursor(why)) => {
            Err(Problem::new(BAD_PARAMETER, format!("cursor: {why}.")).with("parameter", "cursor"))
        }
        Err(ResourceFault::Unknown(why)) => Err(Problem::new(UNKNOWN, format!("{why}."))),
        Err(ResourceFault::Tables(why)) => {
            tracing::debug!("a read is not answered: {why}");
            Err(Problem::new(TABLES_AWAY, "The tables cannot be read now; ask again.").retry_after(1))
        }
    }
}
