//! A path for every command.

use serde_json::{Map, Value as Json, json};

use super::{content, headers, object, problems};
use crate::documents::schema::{Translator, list, parsed, type_of};
use crate::http::problem::{
    BAD_PARAMETER, BUSY, INVALID, KEY_REUSED, Kind, LOG_AWAY, MALFORMED, REJECTED, TOO_LARGE, TOO_SLOW,
    WRONG_TYPE,
};
use crate::ports::Description;

/// What may be wrong with a command. That there is no such one never is: each has its path.
const PROBLEMS: &[Kind] = &[
    MALFORMED,
    INVALID,
    BAD_PARAMETER,
    TOO_SLOW,
    TOO_LARGE,
    WRONG_TYPE,
    REJECTED,
    KEY_REUSED,
    BUSY,
    LOG_AWAY,
];

/// Adds the commands of a domain.
pub(super) fn describe(domain: &Description, paths: &mut Map<String, Json>, schemas: &mut Map<String, Json>) {
    let schema = parsed(domain.schemas.commands);
    for command in list(type_of(&schema, "data")) {
        let kind = command["name"].as_str().unwrap_or_default();
        let name = format!("{}.{kind}", domain.name);
        let rules = domain.schemas.texts.iter().filter(|rule| rule.command == kind);
        let sealed = domain.schemas.sealed.iter().filter(|rule| rule.command == kind);
        let data = Translator::asked(rules).sealing(sealed).record(command);
        let is_needed = data.get("required").is_some();
        paths.insert(format!("/v1/commands/{}/{kind}", domain.name), path(domain, command, &name, is_needed));
        schemas.insert(name, data);
    }
}

fn path(domain: &Description, command: &Json, name: &str, is_needed: bool) -> Json {
    let doc = command["doc"].as_str().unwrap_or_default();
    let aggregate = command["aggregate"].as_str().unwrap_or_default();
    let mut description = format!("{doc}\n\nIt is decided for the aggregate `{aggregate}`.");
    if domain.refuses_expired {
        description.push_str(
            " This domain must know when a command was issued, as it never does one twice: give `metadata.issued_at`, or an \
             `Idempotency-Key` that is a UUIDv7, whose time is taken; and the same again when you repeat it.",
        );
    }
    let mut body = json!({
        "type": "object",
        "properties": {
            "data": {"$ref": format!("#/components/schemas/{name}")},
            "metadata": {"anyOf": [{"$ref": "#/components/schemas/Metadata"}, {"type": "null"}]},
        },
        "additionalProperties": false,
    });
    if is_needed {
        body["required"] = json!(["data"]);
    }
    let mut answers = vec![
        (
            200,
            json!({
                "description": "Accepted: this is its outcome.",
                "headers": {
                    "Millrace-Position": headers::reference("MillracePosition"),
                    "Idempotency-Key": headers::reference("IdempotencyKey"),
                },
                "content": content("Outcome"),
            }),
        ),
        (
            202,
            json!({
                "description": "It is in the log, and nobody has waited, or not long enough, for its outcome.",
                "headers": {
                    "Location": headers::reference("Location"),
                    "Idempotency-Key": headers::reference("IdempotencyKey"),
                },
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pending"}}},
            }),
        ),
    ];
    answers.extend(problems::answers(PROBLEMS));
    let summary = doc.split_once(['.', ';', ':']).map_or(doc, |(first, _)| first);
    json!({"post": {
        "operationId": name,
        "tags": [domain.name],
        "summary": summary,
        "description": description,
        "parameters": [headers::parameter("IdempotencyKey"), headers::parameter("Prefer")],
        "requestBody": {"required": true, "content": {"application/json": {"schema": body}}},
        "responses": object(answers),
    }})
}

/// What travels with every command.
pub(super) fn metadata(domain: &Description) -> Json {
    let schema = parsed(domain.schemas.commands);
    Translator::asked(std::iter::empty()).record(type_of(&schema, "metadata"))
}

/// What is answered for an outcome that is still to come.
pub(super) fn pending() -> Json {
    json!({
        "type": "object",
        "description": "The outcome is still to come.",
        "properties": {
            "status": {"type": "string", "const": "pending"},
            "location": {"type": "string", "format": "uri-reference", "description": "Where it will be."},
        },
        "required": ["status", "location"],
    })
}
