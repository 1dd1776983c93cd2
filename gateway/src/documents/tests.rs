//! What a document says of a small domain.

use std::sync::Arc;

use millrace_domain_guestbook::Guestbook;
use millrace_kernel::{Domain as _, table};
use millrace_runtime::Topology;
use serde_json::{Value as Json, json};

use super::Described;
use crate::auth::Authenticator;
use crate::message::MessageTypes;
use crate::ports::{Description, TopicDescription, ViewDescription};

fn guestbook() -> Description {
    let schemas = Guestbook::SCHEMAS;
    let tables = table::parse_tables(schemas.views).unwrap();
    let topic = |suffix: &str, schema| TopicDescription {
        name: format!("guestbook.{suffix}"),
        suffix: suffix.to_owned(),
        schema,
        partitions: 4,
        copies: 1,
        config: vec![("cleanup.policy".to_owned(), "delete".to_owned())],
    };
    Description {
        name: "guestbook",
        types: MessageTypes::read("guestbook", schemas.commands).unwrap(),
        views: tables
            .into_iter()
            .map(|table| Arc::new(ViewDescription { table, projection: "guestbook.entries".to_owned() }))
            .collect(),
        refuses_expired: false,
        topology: Topology::new("", "guestbook"),
        topics: vec![
            topic("commands", Some(schemas.commands)),
            topic("outcomes", Some(schemas.outcomes)),
            topic("commands.dead", None),
        ],
        schemas,
    }
}

fn documents() -> (Json, Json) {
    let guestbook = guestbook();
    let described = Described { domains: &[&guestbook], resources: &[], authenticator: &Authenticator::None };
    let read = |text: String| serde_json::from_str(&text).unwrap();
    (read(described.openapi()), read(described.asyncapi()))
}

/// Every `$ref` in a document.
fn references(document: &Json, found: &mut Vec<String>) {
    match document {
        Json::Object(members) => members.iter().for_each(|(name, value)| match value.as_str() {
            Some(to) if name == "$ref" => found.push(to.to_owned()),
            _ => references(value, found),
        }),
        Json::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn everything_that_is_referred_to_is_there() {
    let (openapi, asyncapi) = documents();
    for document in [openapi, asyncapi] {
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 5);
        for to in found {
            // no name has a slash in it but those of paths, which nobody refers to
            assert!(document.pointer(&to[1..]).is_some(), "{to}");
        }
    }
}

#[test]
fn a_command_is_a_path_with_the_limits_of_its_schema() {
    let (openapi, _) = documents();
    assert_eq!(openapi["openapi"], "3.1.0");
    let post = &openapi["paths"]["/v1/commands/guestbook/Sign"]["post"];
    assert_eq!(post["operationId"], "guestbook.Sign");
    let body = &post["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!((&body["required"], &body["additionalProperties"]), (&json!(["data"]), &json!(false)));
    let data = &openapi["components"]["schemas"]["guestbook.Sign"];
    let properties = &data["properties"];
    assert_eq!(
        properties["text"],
        json!({"type": "string", "maxLength": 280, "description": "What they write."})
    );
    assert_eq!(
        (&properties["guest_id"]["maxLength"], &properties["guest_id"]["minLength"]),
        (&json!(64), &json!(1))
    );
    assert_eq!(data["additionalProperties"], json!(false));
    let statuses: Vec<&String> = post["responses"].as_object().unwrap().keys().collect();
    assert_eq!(
        statuses,
        ["200", "202", "400", "401", "403", "408", "413", "415", "421", "422", "429", "503"]
    );
    assert!(post["responses"]["503"]["headers"]["Retry-After"].is_object());
}

#[test]
fn whoever_asks_may_read_for_which_keys_secrets_are_sealed() {
    let (openapi, _) = documents();
    let get = &openapi["paths"]["/v1/keys"]["get"];
    assert_eq!(get["security"], json!([]));
    let statuses: Vec<&String> = get["responses"].as_object().unwrap().keys().collect();
    assert_eq!(statuses, ["200", "403", "404", "421", "503"]);
}

#[test]
fn nobody_is_asked_for_a_name_where_nobody_is() {
    let (openapi, _) = documents();
    assert_eq!(openapi["security"], json!([{}]));
    assert_eq!(openapi["components"].get("securitySchemes"), None);
}

#[test]
fn a_topic_is_a_channel_with_the_schema_that_is_registered() {
    let (_, asyncapi) = documents();
    let channel = &asyncapi["channels"]["guestbook.commands"];
    assert_eq!(channel["address"], "guestbook.commands");
    assert_eq!(channel["bindings"]["kafka"]["partitions"], 4);
    assert_eq!(channel["bindings"]["kafka"]["topicConfiguration"], json!({"cleanup.policy": ["delete"]}));
    let message = &asyncapi["components"]["messages"]["guestbook.commands"];
    assert_eq!(message["payload"]["schema"]["namespace"], "millrace.guestbook.commands");
    assert_eq!(asyncapi["operations"]["send.guestbook"]["action"], "send");
    assert_eq!(asyncapi["operations"]["outcomes.guestbook"]["action"], "receive");
    assert_eq!(asyncapi["components"]["messages"]["guestbook.commands.dead"].get("payload"), None);
}

#[test]
fn a_view_is_a_path_with_its_key_and_its_columns() {
    let (openapi, _) = documents();
    let get = &openapi["paths"]["/v1/views/guestbook/entries"]["get"];
    let parameters = get["parameters"].as_array().unwrap();
    let names: Vec<&str> = parameters.iter().filter_map(|parameter| parameter["name"].as_str()).collect();
    assert_eq!(names, ["guest_id", "limit", "cursor"]);
    let schemas = &openapi["components"]["schemas"];
    let row = &schemas["guestbook.entries"];
    assert_eq!(row["required"], json!(["guest_id", "text", "signed_at"]));
    assert_eq!(row["properties"]["signed_at"]["type"], "integer");
    assert_eq!(schemas["guestbook.entriesLongsAsText"]["properties"]["signed_at"]["type"], "string");
    assert_eq!(row["properties"]["text"]["description"], "What they wrote.");
}
