//! `GET /v1/views/{domain}/{view}?key=value&limit=&cursor=`.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use millrace_ports::StoreFault;
use serde_json::{Value as Json, json};

use super::problem::{BAD_PARAMETER, Problem, UNKNOWN};
use super::read::{Reading, limit};
use super::{answer, path, query};
use crate::auth::Principal;
use crate::gateway::Gateway;
use crate::log::Channel;
use crate::message::short;
use crate::nearest::suggestion;
use crate::ports::ViewDescription;
use crate::view::{From, KeyProblem, Permit, columns, key, read, read_cursor, row, write_cursor};

/// Rows of a page when nobody says.
pub(crate) const USUALLY: usize = 100;
/// Rows of a page at most.
pub(crate) const MOST: usize = 1_000;

/// Reads a page of a view.
pub(super) async fn get(
    State(gateway): State<Gateway>,
    principal: Principal,
    at: Result<Path<(String, String)>, PathRejection>,
    RawQuery(given): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (domain, name) = path(at)?;
    let channel = gateway.channel(&domain)?;
    gateway.greet_meanwhile(&principal);
    let view = view(channel, &name)?;
    let (mut most, mut cursor, mut conditions) = (USUALLY, None, Vec::new());
    for (name, value) in query(given.as_deref())? {
        match name.as_str() {
            "limit" => most = limit(&value, MOST)?,
            "cursor" => cursor = Some(value),
            _ => conditions.push((name, value)),
        }
    }
    let permit = Permit::of(&principal, view, channel.description.name, &gateway)?;
    let table = view.table.clone();
    let conditions: Vec<(&str, &str)> = conditions.iter().map(|(name, value)| (&**name, &**value)).collect();
    let key = key(&table, &conditions, false).map_err(wrong_key)?;
    if key.is_empty() && matches!(permit, Permit::Some(_)) {
        let detail = format!("{}: name its key; of all its rows only some are yours.", table.name);
        return Err(Problem::new(BAD_PARAMETER, detail));
    }
    let behind = match cursor {
        None => None,
        Some(cursor) => Some(read_cursor(&table, &key, &cursor).ok_or_else(|| {
            let detail =
                "cursor: give it as a page of this view and this key has given it, or none to begin.";
            Problem::new(BAD_PARAMETER, detail).with("parameter", "cursor")
        })?),
    };

    let reading = Reading::begin(&gateway, channel, std::slice::from_ref(&view.projection), &headers).await?;
    let longs = answer::longs(&headers);
    let page = reading.ask(move |tables| {
        let (mut shown, mut behind) = (Vec::new(), behind);
        // one more, to know whether there is more; a cursor is of a row that is shown, as it holds its key
        loop {
            let mut rows = Vec::new();
            read::<StoreFault>(
                tables,
                &table,
                From::key(key.clone(), behind.take()),
                most + 1,
                &mut |row| {
                    rows.push(row.to_vec());
                    Ok(())
                },
            )?;
            let is_end = rows.len() <= most;
            behind = rows.last().map(|row| row[..table.key_columns()].to_vec());
            shown.extend(permit.filter(tables, rows)?);
            if is_end || shown.len() > most {
                break;
            }
        }
        let cursor = (shown.len() > most).then(|| write_cursor(&table, &shown[most - 1]));
        shown.truncate(most);
        let shown = shown.iter().map(|values| Json::Object(row(columns(&table), values, longs)));
        Ok(page(shown.collect(), cursor))
    });
    Ok(answer::json_with(&page.await?, longs))
}

/// A page as it is answered: its rows, and where it goes on, if it does.
pub(super) fn page(rows: Vec<Json>, cursor: Option<String>) -> Json {
    match cursor {
        Some(cursor) => json!({"rows": rows, "cursor": cursor}),
        None => json!({"rows": rows}),
    }
}

/// The view of that name.
pub(super) fn view<'c>(channel: &'c Channel, name: &str) -> Result<&'c Arc<ViewDescription>, Problem> {
    let views = &channel.description.views;
    views.iter().find(|view| view.table.name == name).ok_or_else(|| {
        let near = suggestion(name, views.iter().map(|view| view.table.name.as_str()));
        let domain = channel.description.name;
        Problem::new(UNKNOWN, format!("{domain} has no view {}{near}", short(name)))
    })
}

pub(super) fn wrong_key(problem: KeyProblem) -> Problem {
    let KeyProblem { message, help, name } = problem;
    let detail = match help {
        Some(help) => format!("{message}. {help}"),
        None => format!("{message}."),
    };
    Problem::new(BAD_PARAMETER, detail).with("parameter", name)
}
