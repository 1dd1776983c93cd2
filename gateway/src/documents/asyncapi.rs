//! The AsyncAPI document: every topic is a channel, with the schema of its records as it is registered.

use serde_json::{Map, Value as Json, json};

use super::schema::parsed;
use super::{Described, VERSION};
use crate::ports::{Description, TopicDescription};

/// The media type of a schema, as the specification lists it.
const AVRO: &str = "application/vnd.apache.avro;version=1.9.0";
/// The media type of a record's value.
const CONTENT: &str = "application/vnd.apache.avro";
/// Which edition of Kafka's bindings is meant.
const BINDING: &str = "0.5.0";

const ABOUT: &str = "\
The topics behind the gateway, for those who speak Kafka. Operations are those of a client: it sends commands and receives \
events and outcomes.

Values are Avro in the registry's wire format: a zero byte, the schema's id in four bytes, the datum. The key of a command \
is its routing key in UTF-8 and picks the partition by murmur2: clients on librdkafka set `partitioner=murmur2_random`. \
Events, outcomes, states and steps are read with `isolation.level=read_committed`.";

/// What is known of a kind of topic, by what follows the domain's name.
struct Kind {
    title: &'static str,
    what: &'static str,
    key: &'static str,
    /// The field of the value that tells which command it is about.
    correlation: Option<&'static str>,
}

fn kind(suffix: &str) -> Kind {
    let of = |title, what, key, correlation| Kind { title, what, key, correlation };
    match suffix {
        "commands" => of(
            "Commands",
            "What was asked, by anyone.",
            "The routing key: the first field that the attribute `aggregate` of the command names.",
            Some("id"),
        ),
        "steps" => of(
            "Steps",
            "Follow-up commands of processes; only processors write here.",
            "The routing key.",
            None,
        ),
        "events" => of(
            "Events",
            "What happened: the source of truth, kept for ever.",
            "The routing key.",
            Some("command_id"),
        ),
        "state" => {
            of("States", "The newest state and version of every aggregate.", "The aggregate's id.", None)
        }
        "outcomes" => of("Outcomes", "What became of each command.", "The command's id.", Some("command_id")),
        "commands.dead" => of(
            "Dead commands",
            "Commands that could not be read or that fail every time, as they came, with the reason in the headers.",
            "As it came.",
            None,
        ),
        _ => of("Lookup", "What exists, for decisions in other partitions.", "The aggregate's id.", None),
    }
}

/// The document.
pub(super) fn document(described: &Described<'_>) -> Json {
    let (mut channels, mut messages, mut operations) = (Map::new(), Map::new(), Map::new());
    for domain in described.domains {
        for topic in &domain.topics {
            let id = format!("{}.{}", domain.name, topic.suffix);
            let kind = kind(&topic.suffix);
            channels.insert(id.clone(), channel(domain, topic, &id, &kind));
            messages.insert(id.clone(), message(topic, &id, &kind));
            if let Some((name, operation)) = operation(domain, &topic.suffix, &id) {
                operations.insert(name, operation);
            }
        }
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Millrace",
            "version": VERSION,
            "description": ABOUT,
            "license": {"name": env!("CARGO_PKG_LICENSE")},
            "tags": described.domains.iter().map(|domain| json!({"name": domain.name})).collect::<Vec<_>>(),
        },
        "defaultContentType": CONTENT,
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    })
}

fn channel(domain: &Description, topic: &TopicDescription, id: &str, kind: &Kind) -> Json {
    let mut kafka = json!({
        "topic": topic.name,
        "partitions": topic.partitions,
        "replicas": topic.copies,
    });
    // those of its settings that the binding has names for
    let mut settings = Map::new();
    for (name, value) in &topic.config {
        match name.as_str() {
            "cleanup.policy" => {
                settings.insert(name.clone(), value.split(',').map(str::trim).collect());
            }
            "retention.ms" | "retention.bytes" | "delete.retention.ms" | "max.message.bytes" => {
                settings.insert(name.clone(), value.parse::<i64>().map_or(Json::Null, Json::from));
            }
            _ => {}
        }
    }
    if !settings.is_empty() {
        kafka["topicConfiguration"] = Json::Object(settings);
    }
    kafka["bindingVersion"] = Json::from(BINDING);
    json!({
        "address": topic.name,
        "title": kind.title,
        "description": kind.what,
        "tags": [{"name": domain.name}],
        "messages": {"record": {"$ref": format!("#/components/messages/{id}")}},
        "bindings": {"kafka": kafka},
    })
}

fn message(topic: &TopicDescription, id: &str, kind: &Kind) -> Json {
    let mut message = json!({"name": id, "title": kind.title, "summary": kind.what});
    let mut kafka = json!({"key": {"type": "string", "description": kind.key}});
    if let Some(schema) = topic.schema {
        message["contentType"] = Json::from(CONTENT);
        message["payload"] = json!({"schemaFormat": AVRO, "schema": parsed(schema)});
        kafka["schemaIdLocation"] = Json::from("payload");
        kafka["schemaIdPayloadEncoding"] = Json::from("confluent");
        kafka["schemaLookupStrategy"] = Json::from("TopicNameStrategy");
    }
    if let Some(field) = kind.correlation {
        message["correlationId"] = json!({
            "description": "The command's id.",
            "location": format!("$message.payload#/{field}"),
        });
    }
    kafka["bindingVersion"] = Json::from(BINDING);
    message["headers"] = json!({
        "type": "object",
        "properties": {
            "traceparent": {"type": "string", "description": "The trace it belongs to (W3C Trace Context)."},
        },
    });
    message["bindings"] = json!({"kafka": kafka});
    message
}

/// What a client does with a topic, where it does something.
fn operation(domain: &Description, suffix: &str, id: &str) -> Option<(String, Json)> {
    let reference = |id: &str| json!({"$ref": format!("#/channels/{id}")});
    let messages = |id: &str| json!([{"$ref": format!("#/channels/{id}/messages/record")}]);
    let of = |verb: &str, action: &str, summary: String| {
        let operation = json!({
            "action": action, "channel": reference(id), "summary": summary,
            "tags": [{"name": domain.name}], "messages": messages(id),
        });
        (format!("{verb}.{}", domain.name), operation)
    };
    let name = domain.name;
    match suffix {
        "commands" => {
            let mut found = of("send", "send", format!("Ask something of {name}; the outcome is the reply."));
            let outcomes = format!("{name}.outcomes");
            found.1["reply"] = json!({"channel": reference(&outcomes), "messages": messages(&outcomes)});
            Some(found)
        }
        "events" => Some(of("events", "receive", format!("Learn what happened in {name}."))),
        "outcomes" => Some(of("outcomes", "receive", format!("Learn what became of commands of {name}."))),
        _ => None,
    }
}
