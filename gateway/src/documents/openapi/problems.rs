//! Problems as schemas, and the answers that are problems.

use serde_json::{Map, Value as Json, json};

use super::Answers;
use super::headers;
use crate::documents::schema::{Longs, Translator, list, nullable, parsed};
use crate::http::problem::{
    self, BAD_PARAMETER, FORBIDDEN, FOREIGN_HOST, FOREIGN_ORIGIN, INVALID, KEY_REUSED, KEYS_AWAY, KINDS,
    Kind, MEDIA_TYPE, NO_ANSWER, REJECTED, TOO_MANY, UNAUTHENTICATED, WRONG_TYPE,
};
use crate::ports::Description;

/// A schema of every kind of problem, by its name.
pub(super) fn schemas(outcomes: Option<&Description>) -> Map<String, Json> {
    KINDS.iter().map(|kind| (name(*kind), schema(*kind, outcomes))).collect()
}

/// What stands before every route may answer these, whatever is asked.
const OF_ALL: [Kind; 3] = [FOREIGN_ORIGIN, FOREIGN_HOST, NO_ANSWER];
/// And before a route that wants to know who asks, these.
const OF_NAMED: [Kind; 4] = [UNAUTHENTICATED, FORBIDDEN, TOO_MANY, KEYS_AWAY];

/// The answers that are these problems, or one of those that stand before every route that wants to know who asks; by
/// their status.
pub(super) fn answers(kinds: &[Kind]) -> Answers {
    by_status(kinds.iter().chain(&OF_ALL).chain(&OF_NAMED))
}

/// The answers of a route that is open to all, but for the one it is there for: these problems, or one of those that stand before
/// every route.
pub(super) fn of_open(kinds: &[Kind]) -> Answers {
    by_status(kinds.iter().chain(&OF_ALL))
}

fn by_status<'k>(kinds: impl Iterator<Item = &'k Kind>) -> Answers {
    let mut by_status: Vec<(u16, Vec<Kind>)> = Vec::new();
    for kind in kinds {
        let status = kind.status.as_u16();
        match by_status.iter_mut().find(|(of, _)| *of == status) {
            Some((_, kinds)) => kinds.push(*kind),
            None => by_status.push((status, vec![*kind])),
        }
    }
    by_status.sort_by_key(|(status, _)| *status);
    by_status.into_iter().map(|(status, kinds)| (status, answer(&kinds))).collect()
}

fn answer(kinds: &[Kind]) -> Json {
    let said: Vec<String> = kinds.iter().map(|kind| format!("{}.", kind.title)).collect();
    let mut refs = kinds.iter().map(|kind| json!({"$ref": format!("#/components/schemas/{}", name(*kind))}));
    let schema = match (refs.next(), kinds.len()) {
        (Some(only), 1) => only,
        (first, _) => json!({"oneOf": first.into_iter().chain(refs).collect::<Vec<_>>()}),
    };
    let mut of_answer = Map::new();
    if kinds.contains(&UNAUTHENTICATED) {
        of_answer.insert("WWW-Authenticate".to_owned(), headers::reference("WWWAuthenticate"));
    }
    if kinds.contains(&TOO_MANY) {
        of_answer.insert("RateLimit".to_owned(), headers::reference("RateLimit"));
        of_answer.insert("RateLimit-Policy".to_owned(), headers::reference("RateLimitPolicy"));
    }
    if kinds.iter().any(|kind| kind.status.is_server_error() || *kind == TOO_MANY) {
        of_answer.insert("Retry-After".to_owned(), headers::reference("RetryAfter"));
    }
    if kinds.contains(&WRONG_TYPE) {
        of_answer.insert("Accept".to_owned(), headers::reference("Accept"));
    }
    if kinds.contains(&REJECTED) {
        of_answer.insert("Millrace-Position".to_owned(), headers::reference("MillracePosition"));
    }
    let mut answer = json!({"description": said.join(" ")});
    if !of_answer.is_empty() {
        answer["headers"] = Json::Object(of_answer);
    }
    answer["content"] = json!({MEDIA_TYPE: {"schema": schema}});
    answer
}

/// `bad-parameter` as `BadParameterProblem`.
fn name(kind: Kind) -> String {
    let parts = kind.name.split('-').map(|part| {
        let (first, rest) = part.split_at_checked(1).unwrap_or(("", part));
        format!("{}{rest}", first.to_ascii_uppercase())
    });
    format!("{}Problem", parts.collect::<String>())
}

fn schema(kind: Kind, outcomes: Option<&Description>) -> Json {
    let mut properties = Map::new();
    let of_all = [
        ("type", json!({"type": "string", "const": format!("{}{}", problem::TYPE, kind.name)})),
        ("title", json!({"type": "string", "const": kind.title})),
        ("status", json!({"type": "integer", "const": kind.status.as_u16()})),
        (
            "detail",
            json!({"type": "string", "description": "What is wrong and what would be right, for people."}),
        ),
    ];
    let mut required: Vec<String> = of_all.iter().map(|(name, _)| (*name).to_owned()).collect();
    properties.extend(of_all.map(|(name, schema)| (name.to_owned(), schema)));
    let (members, always) = members(kind, outcomes);
    properties.extend(members);
    required.extend(always);
    json!({
        "type": "object",
        "description": format!("{}. A problem document (RFC 9457).", kind.title),
        "properties": properties,
        "required": required,
    })
}

/// What a kind of problem says beside that, and which of it is always there.
fn members(kind: Kind, outcomes: Option<&Description>) -> (Map<String, Json>, Vec<String>) {
    let mut members = Map::new();
    let mut always = Vec::new();
    let text = |doc: &str| json!({"type": "string", "description": doc});
    if kind == INVALID {
        let error = json!({
            "type": "object",
            "properties": {
                "pointer": text("Where it is in the body, as a JSON pointer (RFC 6901)."),
                "detail": text("What is wrong and what would be right, for people."),
            },
            "required": ["pointer", "detail"],
        });
        let all = json!({
            "type": "array", "items": error, "minItems": 1,
            "description": "Everything that is wrong; of very much only the first.",
        });
        members.insert("errors".to_owned(), all);
        always.push("errors".to_owned());
    }
    if kind == BAD_PARAMETER {
        members.insert("parameter".to_owned(), text("The parameter of the address that it is about."));
        members.insert("header".to_owned(), text("The header that it is about."));
    }
    if kind == KEY_REUSED {
        members.insert("command_id".to_owned(), text("The id of the command that the key stands for."));
        always.push("command_id".to_owned());
    }
    if kind == REJECTED
        && let Some(domain) = outcomes
    {
        let outcome = Translator::answered(Longs::Either).record(&parsed(domain.schemas.outcomes));
        for (name, mut schema) in outcome["properties"].as_object().cloned().unwrap_or_default() {
            // `status` is the number of the answer here
            if name == "status" {
                continue;
            }
            if name == "violations" {
                let pointer = nullable(text("The field's place in the body, as a JSON pointer (RFC 6901)."));
                let mut required = list(&schema["items"]["required"]).to_vec();
                required.push(Json::from("pointer"));
                schema["items"]["properties"]["pointer"] = pointer;
                schema["items"]["required"] = Json::Array(required);
            }
            members.insert(name.clone(), schema);
            always.push(name);
        }
    }
    (members, always)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_of_one_status_are_one_answer() {
        let answers = answers(&[REJECTED, INVALID, KEY_REUSED]);
        assert_eq!(
            answers.iter().map(|(status, _)| *status).collect::<Vec<_>>(),
            [400, 401, 403, 421, 422, 429, 503]
        );
        let one_of = list(&answers[4].1["content"][MEDIA_TYPE]["schema"]["oneOf"]);
        assert_eq!(one_of[1], json!({"$ref": "#/components/schemas/KeyReusedProblem"}));
    }
}
