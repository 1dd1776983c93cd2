//! Headers of requests and answers, each said once.

use serde_json::{Map, Value as Json, json};

use crate::token::key;

/// What may stand in `Idempotency-Key`: the key as it is, or in quotation marks as the draft writes it.
const KEY: &str = r#"^([!#-~]([ -~]*[!-~])?|"([ !#-\[\]-~]|\\["\\])+")$"#;
/// Keys that mean a folder where they stand in an address.
const FOLDERS: [&str; 4] = [".", "..", r#"".""#, r#""..""#];
/// What a command has written: its domain, and places in the log.
const POSITION: &str = r"[a-z][a-z0-9_]*:([cs][0-9]{1,10}\.[0-9]{1,19}(\.[0-9]{1,10})?(\+[cs][0-9]{1,10}\.[0-9]{1,19}(\.[0-9]{1,10})?)*)?";

/// Those of requests, by the names under which they are referred to.
pub(super) fn of_requests() -> Map<String, Json> {
    let header = |name: &str, description: String, schema: Json| json!({"name": name, "in": "header", "description": description, "schema": schema});
    let all = [
        ("IdempotencyKey", header(
            "Idempotency-Key",
            "What the client calls this command: the same key is the same command, wherever and however often it is sent, \
             for as long as the domain remembers it. The header is an Internet-Draft \
             (draft-ietf-httpapi-idempotency-key-header) and no standard yet. Without it the gateway makes a key, which the \
             answer has.".to_owned(),
            json!({"type": "string", "minLength": 1, "maxLength": key::LONGEST, "pattern": KEY, "not": {"enum": FOLDERS}}),
        )),
        ("MillraceAfter", header(
            "Millrace-After",
            "The `Millrace-Position` of an answer, as it stands, or several, separated by commas: rows are never older than \
             what these have written. Until they are there the request waits, as long as `Prefer` says.".to_owned(),
            json!({"type": "string", "pattern": format!("^[ \\t]*({POSITION})?([ \\t]*,[ \\t]*({POSITION})?)*[ \\t]*$")}),
        )),
        ("Prefer", header(
            "Prefer",
            "`wait=S`: how many seconds to wait (RFC 7240), 10 unless said and 60 at most. Of commands also \
             `respond-async`: not to wait. What is not understood is passed over.".to_owned(),
            json!({"type": "string"}),
        )),
    ];
    all.into_iter().map(|(name, header)| (name.to_owned(), header)).collect()
}

/// Those of answers.
pub(super) fn of_answers() -> Map<String, Json> {
    let header = |required: bool, description: &str, schema: Json| json!({"description": description, "required": required, "schema": schema});
    let text = || json!({"type": "string"});
    let all = [
        (
            "MillracePosition",
            header(
                false,
                "What the command has written. Whoever reads with `Millrace-After` and this reads nothing older.",
                json!({"type": "string", "pattern": format!("^{POSITION}$")}),
            ),
        ),
        ("IdempotencyKey", header(true, "The command's key, also where the gateway has made it.", text())),
        (
            "Location",
            header(true, "Where the outcome will be.", json!({"type": "string", "format": "uri-reference"})),
        ),
        (
            "RetryAfter",
            header(
                true,
                "After so many seconds the same may be asked again, here or at another gateway.",
                json!({"type": "integer", "minimum": 0}),
            ),
        ),
        (
            "WWWAuthenticate",
            header(true, "How to say who asks (RFC 6750), and what is wrong with what was said.", text()),
        ),
        (
            "RateLimit",
            header(
                true,
                "How much is left of the limit, and until when. An Internet-Draft (draft-ietf-httpapi-ratelimit-headers) and no \
             standard yet.",
                text(),
            ),
        ),
        ("RateLimitPolicy", header(true, "The limit. Of the same draft.", text())),
        ("Accept", header(true, "The type that is taken.", text())),
    ];
    all.into_iter().map(|(name, header)| (name.to_owned(), header)).collect()
}

/// A header of an answer.
pub(super) fn reference(name: &str) -> Json {
    json!({"$ref": format!("#/components/headers/{name}")})
}

/// A header of a request.
pub(super) fn parameter(name: &str) -> Json {
    json!({"$ref": format!("#/components/parameters/{name}")})
}
