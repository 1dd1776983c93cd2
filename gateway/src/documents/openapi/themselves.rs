//! The documents, as they describe themselves.

use serde_json::{Map, Value as Json, json};

use super::{object, problems};

/// Adds both.
pub(super) fn describe(paths: &mut Map<String, Json>) {
    for (path, id, what, member) in [
        ("/openapi.json", "documents.openapi", "this document (OpenAPI 3.1)", "openapi"),
        ("/asyncapi.json", "documents.asyncapi", "the topics behind the gateway (AsyncAPI 3.0)", "asyncapi"),
    ] {
        let document = json!({
            "type": "object",
            "properties": {member: {"type": "string"}},
            "required": [member],
        });
        let content = json!({"application/json": {"schema": document}});
        let mut answers = vec![(200, json!({"description": "The document.", "content": content}))];
        answers.extend(problems::of_open());
        let operation = json!({"get": {
            "operationId": id,
            "tags": ["documents"],
            "summary": format!("Read {what}"),
            "description": "It says nothing of any data, and whoever asks may read it.",
            "security": [],
            "responses": object(answers),
        }});
        paths.insert(path.to_owned(), operation);
    }
}
