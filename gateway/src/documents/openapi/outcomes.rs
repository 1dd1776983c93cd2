//! Outcomes that were not waited for.

use serde_json::{Map, Value as Json, json};

use super::{content, headers, object, problems};
use crate::http::problem::{BAD_PARAMETER, BUSY, Kind, LOG_AWAY, NO_OUTCOME, UNKNOWN};
use crate::ports::Description;
use crate::token::{key, prefer};

const PROBLEMS: &[Kind] = &[BAD_PARAMETER, UNKNOWN, NO_OUTCOME, BUSY, LOG_AWAY];

/// Adds the path under which outcomes are looked for.
pub(super) fn describe(domains: &[&Description], paths: &mut Map<String, Json>) {
    let names: Vec<&str> = domains.iter().map(|domain| domain.name).collect();
    let parameters = json!([
        {
            "name": "domain", "in": "path", "required": true, "description": "The command's domain.",
            "schema": {"type": "string", "enum": names},
        },
        {
            "name": "key", "in": "path", "required": true,
            "description": "The command's key, as it was sent or as the answer had it.",
            "schema": {"type": "string", "minLength": 1, "maxLength": key::LONGEST},
        },
        {
            "name": "at", "in": "query", "required": true,
            "description": "Where to look, as it stands in the `Location` of the answer 202.",
            "schema": {"type": "string", "pattern": "^[0-9]{1,10}\\.[0-9]{1,19}\\.[0-9]{1,19}$"},
        },
        {
            "name": "timeout", "in": "query",
            "description": "How many seconds to wait for it.",
            "schema": {
                "type": "integer", "minimum": 0, "maximum": prefer::LONGEST.as_secs(),
                "default": prefer::USUALLY.as_secs(),
            },
        },
    ]);
    let mut answers = vec![(
        200,
        json!({
            "description": "The outcome: accepted or rejected.",
            "headers": {"Millrace-Position": headers::reference("MillracePosition")},
            "content": content("Outcome"),
        }),
    )];
    answers.extend(problems::answers(PROBLEMS));
    let operation = json!({"get": {
        "operationId": "outcomes.find",
        "tags": ["outcomes"],
        "summary": "Look for an outcome that was not waited for",
        "description": "Only who has sent the command finds its outcome.",
        "parameters": parameters,
        "responses": object(answers),
    }});
    paths.insert("/v1/outcomes/{domain}/{key}".to_owned(), operation);
}
