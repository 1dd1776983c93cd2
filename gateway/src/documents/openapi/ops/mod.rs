//! What operators are told of the whole, and what pages tell of traces.

mod answers;
mod picture;

use serde_json::{Map, Value as Json, json};

use super::{object, problems};
use crate::http::ops::{EVENTS, OPERATOR, RECORDS, ROWS};
use crate::http::problem::{
    BAD_PARAMETER, BUSY, INVALID, Kind, LOG_AWAY, MALFORMED, TOO_LARGE, TOO_SLOW, UNKNOWN, WRONG_TYPE,
};
use crate::http::spans::{LONGEST, MOST};

/// A call without more parameters than these.
struct Call {
    path: &'static str,
    name: &'static str,
    /// Of what schema it answers.
    schema: &'static str,
    summary: &'static str,
    about: &'static str,
    parameters: Vec<Json>,
    problems: &'static [Kind],
}

/// What is told alone, whoever asks.
const LOOKS: &[Kind] = &[BAD_PARAMETER, BUSY, LOG_AWAY];
/// What is looked for.
const SEARCHES: &[Kind] = &[BAD_PARAMETER, UNKNOWN, BUSY, LOG_AWAY];

/// Adds the paths and their schemas.
pub(super) fn describe(paths: &mut Map<String, Json>, schemas: &mut Map<String, Json>) {
    schemas.insert("Architecture".to_owned(), picture::architecture());
    schemas.extend(answers::schemas());
    for call in calls() {
        let content = json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{}", call.schema)}}});
        let mut answers = vec![(200, json!({"description": "As it is now.", "content": content}))];
        answers.extend(problems::answers(call.problems));
        let mut operation = json!({
            "operationId": format!("operations.{}", call.name),
            "tags": ["operations"],
            "summary": call.summary,
            "description": format!("{} For users with the role `{OPERATOR}`.", call.about),
            "responses": object(answers),
        });
        if !call.parameters.is_empty() {
            operation["parameters"] = Json::Array(call.parameters);
        }
        paths.insert(call.path.to_owned(), json!({"get": operation}));
    }
    paths.insert("/v1/spans".to_owned(), spans());
}

fn calls() -> Vec<Call> {
    let text = |name: &str, doc: &str| json!({"name": name, "in": "query", "description": doc, "schema": {"type": "string", "minLength": 1}});
    let needed = |name: &str, doc: &str| {
        let mut parameter = text(name, doc);
        parameter["required"] = json!(true);
        parameter
    };
    let number = |name: &str, doc: &str, least: i64, most: Option<usize>, usual: Option<usize>| {
        let mut schema = json!({"type": "integer", "format": "int64", "minimum": least});
        if let Some(most) = most {
            schema["maximum"] = json!(most);
        }
        if let Some(usual) = usual {
            schema["default"] = json!(usual);
        }
        json!({"name": name, "in": "query", "description": doc, "schema": schema})
    };
    let domain = || text("domain", "Only of this domain.");
    let in_path = |name: &str, doc: &str, schema: Json| json!({"name": name, "in": "path", "required": true, "description": doc, "schema": schema});
    vec![
        Call {
            path: "/v1/ops/architecture",
            name: "architecture",
            schema: "Architecture",
            summary: "See the system as a picture",
            about: "Bounded contexts, processors, policies, projectors, gateways, topics, tables and callers, and what goes from the \
                    one to the other, declared and seen: what `millrace architecture --json` prints. A look takes a second or two; \
                    while the log is away, it is what is declared, and `sources.not_observed` says why.",
            parameters: Vec::new(),
            problems: &[BAD_PARAMETER, BUSY],
        },
        Call {
            path: "/v1/ops/status",
            name: "status",
            schema: "OperationsStatus",
            summary: "See how the roles are and how far the tables have come",
            about: "What `millrace status --json` prints. Whoever asks again within a moment is told the same.",
            parameters: Vec::new(),
            problems: LOOKS,
        },
        Call {
            path: "/v1/ops/faults",
            name: "faults",
            schema: "OperationsFaults",
            summary: "See what is in the way, what happens next, and what can be done",
            about: "What `millrace faults --json` prints; nothing where all is well.",
            parameters: Vec::new(),
            problems: LOOKS,
        },
        Call {
            path: "/v1/ops/views",
            name: "views",
            schema: "OperationsViews",
            summary: "See the views, the versions of their tables, and how far each has come",
            about: "What `millrace views --json` prints: which version answers, which are kept or being built.",
            parameters: Vec::new(),
            problems: LOOKS,
        },
        Call {
            path: "/v1/ops/explain",
            name: "explain",
            schema: "OperationsExplanation",
            summary: "See what became of a command, and why",
            about: "What `millrace explain --json` prints: its records, its outcomes, the decision, events, steps of its process, what \
                    other domains have done about it, and the rows that follow. What schemas call `withheld` is left out. Topics are \
                    read for it, for 30 seconds at most (`no-answer`); an earlier end is `since`.",
            parameters: vec![
                needed("command_id", "The command's id."),
                domain(),
                text("since", "Look no further back than this time, as RFC 3339."),
                number(
                    "rows",
                    "Show at most so many rows for one event and projection.",
                    0,
                    Some(ROWS.0),
                    Some(ROWS.1),
                ),
            ],
            problems: SEARCHES,
        },
        Call {
            path: "/v1/ops/history",
            name: "history",
            schema: "OperationsHistory",
            summary: "See an aggregate's events, what each has changed, and its state",
            about: "What `millrace history --changes --json` prints, page by page: `next` is the `cursor` of the page behind. What \
                    schemas call `withheld` is left out. The partition's events are read for it, for 30 seconds at most \
                    (`no-answer`).",
            parameters: vec![
                needed("aggregate_id", "The aggregate, as `<Aggregate>/<id>`: `User/ann`."),
                domain(),
                number("version", "Up to this version.", 1, None, None),
                text("at", "Up to this time, as RFC 3339; not beside `version`."),
                number(
                    "cursor",
                    "Only events of later versions than this: `next` of the page before.",
                    0,
                    None,
                    None,
                ),
                number("limit", "So many events at most.", 1, Some(EVENTS.0), Some(EVENTS.1)),
            ],
            problems: SEARCHES,
        },
        Call {
            path: "/v1/ops/dead",
            name: "dead.list",
            schema: "OperationsDead",
            summary: "See what could not be decided",
            about: "What `millrace dead list --json` prints, page by page, by domain, partition and offset.",
            parameters: vec![
                domain(),
                json!({"name": "all", "in": "query", "description": "Also those that were put back or dropped.", "schema": {"type": "boolean", "default": false}}),
                text("cursor", "The cursor of the page before, as it stands."),
                number("limit", "So many records at most.", 1, Some(RECORDS.0), Some(RECORDS.1)),
            ],
            problems: SEARCHES,
        },
        Call {
            path: "/v1/ops/dead/{domain}/{partition}/{offset}",
            name: "dead.show",
            schema: "OperationsDeadRecord",
            summary: "See a dead record with its headers and its message",
            about: "What `millrace dead show --json` prints. What schemas call `withheld` is left out; bytes that cannot be read are \
                    counted and not shown.",
            parameters: vec![
                in_path("domain", "The domain.", json!({"type": "string"})),
                in_path(
                    "partition",
                    "The partition of the dead topic.",
                    json!({"type": "integer", "format": "int32"}),
                ),
                in_path("offset", "The offset there.", json!({"type": "integer", "format": "int64"})),
            ],
            problems: SEARCHES,
        },
    ]
}

/// What pages tell of their part of traces.
fn spans() -> Json {
    let text = |doc: &str, most: usize| json!({"type": "string", "minLength": 1, "maxLength": most, "pattern": "^[ -~]*$", "description": doc});
    let number = |doc: &str, least: Option<i64>| {
        let mut schema = json!({"type": "number", "description": doc});
        if let Some(least) = least {
            schema["minimum"] = json!(least);
        }
        schema
    };
    let span = json!({
        "type": "object",
        "properties": {
            "name": text("What it is called.", LONGEST),
            "traceparent": text("Its own ids, as what stands below it names them (W3C Trace Context).", 256),
            "parent": {"type": ["string", "null"], "description": "The span above it, of the same trace; none where the trace begins with it."},
            "began_ms": number("When it began, in milliseconds since the epoch; within the last hour.", None),
            "ms": number("For how long it went on, in milliseconds; an hour at most.", Some(0)),
        },
        "required": ["name", "traceparent", "began_ms", "ms"],
        "additionalProperties": false,
    });
    let schema = json!({
        "type": "object",
        "properties": {"spans": {"type": "array", "items": span, "maxItems": MOST}},
        "required": ["spans"],
        "additionalProperties": false,
    });
    let mut answers =
        vec![(204, json!({"description": "They are taken; where no traces are recorded, they go nowhere."}))];
    answers.extend(problems::answers(&[MALFORMED, INVALID, TOO_SLOW, TOO_LARGE, WRONG_TYPE]));
    json!({"post": {
        "operationId": "spans.tell",
        "tags": ["operations"],
        "summary": "Tell of a page's part of a trace",
        "description": "A page sends a `traceparent` with a command. Where the answer has the header `traceresponse`, the trace is \
                        recorded, and the page tells of its own span here, as it can reach no collector; so does one that was told of \
                        a change with a `traceparent`.",
        "requestBody": {"required": true, "content": {"application/json": {"schema": schema}}},
        "responses": object(answers),
    }})
}
