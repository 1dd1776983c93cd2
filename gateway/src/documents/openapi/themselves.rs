//! What the gateway says of itself: the documents, and the keys for which secrets are sealed.

use serde_json::{Map, Value as Json, json};

use super::{object, problems};
use crate::http::problem::UNKNOWN;
use crate::seal::ALGORITHM;

/// Adds them.
pub(super) fn describe(paths: &mut Map<String, Json>) {
    paths.insert("/v1/keys".to_owned(), keys());
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
        answers.extend(problems::of_open(&[]));
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

fn keys() -> Json {
    let key = json!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "pattern": "^[0-9a-f]{16}$", "description": "The beginning of the SHA-256 of the key."},
            "algorithm": {"type": "string", "const": ALGORITHM, "description": "`crypto_box_seal` of libsodium."},
            "public_key": {
                "type": "string", "contentEncoding": "base64", "minLength": 44, "maxLength": 44,
                "description": "The 32 bytes of the key.",
            },
        },
        "required": ["id", "algorithm", "public_key"],
    });
    let schema = json!({
        "type": "object",
        "properties": {
            "keys": {"type": "array", "items": key, "minItems": 1, "description": "Newest first: seal for the first one."},
        },
        "required": ["keys"],
    });
    let content = json!({"application/json": {"schema": schema}});
    let mut answers = vec![(200, json!({"description": "The keys.", "content": content}))];
    answers.extend(problems::of_open(&[UNKNOWN]));
    json!({"get": {
        "operationId": "keys.read",
        "tags": ["documents"],
        "summary": "Read the keys for which secrets are sealed",
        "description": "Public keys, for clients that seal the secrets of their commands themselves. With a box goes its \
                        fingerprint: HMAC-SHA-256 of the secret, keyed with the 32 bytes of the public key, in base64url without \
                        padding. 404 where there is no key, so no secret can be sent to be sealed.",
        "security": [],
        "responses": object(answers),
    }})
}
