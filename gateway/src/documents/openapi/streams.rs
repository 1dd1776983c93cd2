//! Views, and what a domain has of its own, as they change.

use serde_json::{Map, Value as Json, json};

use super::views::value;
use super::{headers, object, problems};
use crate::documents::schema::Longs;
use crate::http::problem::{BAD_PARAMETER, Kind, LOG_AWAY, NOT_YET, TABLES_AWAY, UNKNOWN};
use crate::http::views::MOST;
use crate::ports::{Description, LiveResource};

/// What may be wrong before a stream begins.
const PROBLEMS: &[Kind] = &[BAD_PARAMETER, LOG_AWAY, TABLES_AWAY, NOT_YET];
/// And what may be wrong with one of what a domain has of its own: there may be no such thing.
const PROBLEMS_OF_OWN: &[Kind] = &[BAD_PARAMETER, UNKNOWN, LOG_AWAY, TABLES_AWAY, NOT_YET];

const ABOUT: &str = "\
Server-sent events: `snapshot` `{rows, more}`, `live`, `change` `{key, row, traceparent?}` with the whole row or null, `reset` `{reason}`, \
`error` with a problem. From `live` on a copy is that of one moment at each token, which is the event's `id`: whoever connects again with it \
as `Last-Event-ID`, at any gateway, misses nothing.";

/// Adds the views of a domain that can be subscribed to.
pub(super) fn describe(domain: &Description, paths: &mut Map<String, Json>) {
    for view in domain.views.iter().filter(|view| view.table.live.is_some()) {
        let table = &view.table;
        let key = table.logical_partition().iter().map(|column| {
            json!({
                "name": column.name, "in": "query", "required": true, "description": column.comment,
                "schema": value(column, Longs::Number),
            })
        });
        let limit = "The first so many rows, and what comes in front of the last of them; without it, all.";
        let operation =
            operation(domain.name, &table.name, &table.comment, key.collect(), (limit, MOST), PROBLEMS);
        paths.insert(format!("/v1/streams/{}/{}", domain.name, table.name), operation);
    }
}

/// Adds something of a domain's own.
pub(super) fn describe_own(domain: &str, live: &dyn LiveResource, paths: &mut Map<String, Json>) {
    let whose = json!({
        "name": live.parameter(), "in": "query", "required": true, "description": "Whose it is.",
        "schema": {"type": "string", "minLength": 1},
    });
    let (most, usually) = live.limits();
    let limit = format!("The first so many items, {usually} unless it says otherwise.");
    let operation =
        operation(domain, live.name(), "As it changes.", vec![whose], (&limit, most), PROBLEMS_OF_OWN);
    paths.insert(format!("/v1/streams/{domain}/{}", live.name()), operation);
}

fn operation(
    domain: &str,
    name: &str,
    about: &str,
    mut parameters: Vec<Json>,
    (limit, most): (&str, usize),
    kinds: &[Kind],
) -> Json {
    parameters.push(json!({
        "name": "limit", "in": "query", "description": limit,
        "schema": {"type": "integer", "minimum": 1, "maximum": most},
    }));
    parameters.push(json!({
        "name": "Last-Event-ID", "in": "header", "schema": {"type": "string"},
        "description": "Goes on behind the event with this id.",
    }));
    parameters.push(headers::parameter("MillraceAfter"));
    let content = json!({"text/event-stream": {"schema": {"type": "string"}}});
    let mut answers = vec![(200, json!({"description": "Events, without an end.", "content": content}))];
    answers.extend(problems::answers(kinds));
    json!({"get": {
        "operationId": format!("{domain}.follow.{name}"),
        "tags": [domain],
        "summary": format!("Follow {name}"),
        "description": format!("{about}\n\n{ABOUT}"),
        "parameters": parameters,
        "responses": object(answers),
    }})
}
