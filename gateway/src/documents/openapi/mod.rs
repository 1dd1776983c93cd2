//! The OpenAPI document: what exists, and nothing else.

mod commands;
mod headers;
mod ops;
mod outcomes;
mod own;
mod problems;
mod streams;
mod themselves;
mod views;

use serde_json::{Map, Value as Json, json};

use super::schema::{Longs, Translator, parsed};
use super::{Described, VERSION};
use crate::auth::Authenticator;

/// What begins the document.
const ABOUT: &str = "\
Commands and queries over HTTP. Nothing here belongs to a gateway: commands go to the log, and whoever asks again may ask \
another gateway.

**Numbers.** A `long` (`int64`) is a JSON number of up to 64 bits; JavaScript's `JSON.parse` rounds those beyond 2^53 - 1. \
With `Accept: application/json; longs=string` every `long` of an answer is a string.

**Problems** are `application/problem+json` (RFC 9457). Programs go by `type`, which never changes its meaning; `detail` is \
for people. Also `urn:millrace:problem:wrong-method` (405, with `Allow`) is answered where another method is meant.

**One connection for everything**: `GET /v1/socket` opens a WebSocket with subscriptions and commands in frames of JSON, which is no \
matter of this kind of document; docs/http-api.md lists the frames.

**Answers may get further members**; take no notice of what you do not know. What is asked may not have any: unknown members \
and parameters are refused.";

/// Answers by their status.
pub(super) type Answers = Vec<(u16, Json)>;

/// The document.
pub(super) fn document(described: &Described<'_>) -> Json {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    if let Some(first) = described.domains.first() {
        // the same of every domain: only the namespace is another
        let outcome = |longs| Translator::answered(longs).record(&parsed(first.schemas.outcomes));
        schemas.insert("Outcome".to_owned(), outcome(Longs::Number));
        schemas.insert(with_texts("Outcome"), outcome(Longs::Text));
        schemas.insert("Metadata".to_owned(), commands::metadata(first));
        schemas.insert("Pending".to_owned(), commands::pending());
    }
    for domain in described.domains {
        commands::describe(domain, &mut paths, &mut schemas);
        views::describe(domain, &mut paths, &mut schemas);
        streams::describe(domain, &mut paths);
        for (_, resource) in described.resources.iter().filter(|(of, _)| *of == domain.name) {
            own::describe(domain.name, &**resource, &mut paths, &mut schemas);
            if let Some(live) = resource.live() {
                streams::describe_own(domain.name, live, &mut paths);
            }
        }
    }
    if !described.domains.is_empty() {
        outcomes::describe(described.domains, &mut paths);
    }
    ops::describe(&mut paths, &mut schemas);
    themselves::describe(&mut paths);
    schemas.extend(problems::schemas(described.domains.first().copied()).into_iter().filter(|(name, _)| {
        // of what belongs to no path, such as another method, the text at the beginning tells
        paths.values().any(|path| refers(path, &format!("#/components/schemas/{name}")))
    }));

    let mut components = json!({
        "schemas": schemas,
        "parameters": headers::of_requests(),
        "headers": headers::of_answers(),
    });
    let schemes = schemes(described.authenticator);
    let security: Vec<Json> = match schemes.is_empty() {
        true => vec![json!({})],
        false => schemes.keys().map(|name| json!({name: []})).collect(),
    };
    if !schemes.is_empty() {
        components["securitySchemes"] = Json::Object(schemes);
    }
    let tags = described.domains.iter().map(|domain| {
        json!({"name": domain.name, "description": format!("Commands and views of {}.", domain.name)})
    });
    let own = [
        json!({"name": "outcomes", "description": "What became of commands, looked for afterwards."}),
        json!({"name": "operations", "description": "What operators see of the whole."}),
        json!({"name": "documents", "description": "What the gateway says of itself."}),
    ];
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Millrace",
            "version": VERSION,
            "description": ABOUT,
            "license": {"name": LICENSE, "identifier": LICENSE},
        },
        "servers": [{"url": "/", "description": "The gateway that serves this document."}],
        "security": security,
        "tags": tags.chain(own).collect::<Vec<_>>(),
        "paths": paths,
        "components": components,
    })
}

const LICENSE: &str = env!("CARGO_PKG_LICENSE");

/// How clients say who they are; nothing where they are not asked.
fn schemes(authenticator: &Authenticator) -> Map<String, Json> {
    match authenticator {
        Authenticator::None => Map::new(),
        Authenticator::Jwt(_) => {
            let scheme = json!({
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "A JSON Web Token of one of the gateway's issuers. It travels in this header alone, never in an address.",
            });
            Map::from_iter([("bearer".to_owned(), scheme)])
        }
    }
}

/// The name of a schema with all longs as texts.
fn with_texts(name: &str) -> String {
    format!("{name}LongsAsText")
}

/// The content of an answer in JSON, with longs as numbers and as texts.
fn content(schema: &str) -> Json {
    let of = |name: &str| json!({"schema": {"$ref": format!("#/components/schemas/{name}")}});
    json!({
        "application/json": of(schema),
        "application/json; longs=string": of(&with_texts(schema)),
    })
}

/// Whether something refers to `to`.
fn refers(json: &Json, to: &str) -> bool {
    match json {
        Json::Object(members) => {
            members.iter().any(|(name, value)| name == "$ref" && value == to || refers(value, to))
        }
        Json::Array(items) => items.iter().any(|item| refers(item, to)),
        _ => false,
    }
}

/// Answers as an object, in the order of their status.
fn object(mut answers: Answers) -> Json {
    answers.sort_by_key(|(status, _)| *status);
    answers.into_iter().map(|(status, answer)| (status.to_string(), answer)).collect::<Map<_, _>>().into()
}
