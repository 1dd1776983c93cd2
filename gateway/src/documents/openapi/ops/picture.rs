//! The schema of the picture of the system.

use serde_json::{Value as Json, json};

/// What `millrace architecture --json` prints.
pub(super) fn architecture() -> Json {
    let text = |doc: &str| json!({"type": "string", "description": doc});
    let texts = |doc: &str| json!({"type": "array", "items": {"type": "string"}, "description": doc});
    let number = |doc: &str| json!({"type": "number", "description": doc});
    let count = |doc: &str| json!({"type": "integer", "format": "int64", "description": doc});
    let maybe = |doc: &str| json!({"type": ["string", "null"], "description": doc});
    let one_of = |names: &[&str], doc: &str| json!({"type": "string", "enum": names, "description": doc});
    let instance = json!({
        "type": "object",
        "properties": {
            "name": text("A member of a group, or the address where it answers."),
            "client": text("What its client calls itself."),
            "host": text("Where it connects from."),
            "partitions": count("How many partitions it holds."),
        },
        "required": ["name", "partitions"],
    });
    let deployed = json!({
        "type": "object",
        "properties": {"service": text("Its name."), "replicas": count("How many of it are started.")},
        "required": ["service", "replicas"],
    });
    let kinds =
        ["caller", "gateway", "processor", "policy", "projector", "topic", "tables", "stranger", "service"];
    let element = json!({
        "type": "object",
        "properties": {
            "id": text("Names it among all; the same from one look to the next."),
            "kind": one_of(&kinds, "Of what kind it is."),
            "context": maybe("The bounded context that it belongs to, if to one."),
            "name": text("What it is called there."),
            "about": text("What it does."),
            "technology": text("What it is made with."),
            "standing": one_of(
                &["declared", "live", "silent", "undeclared", "gone"],
                "Whether it is declared, and there: `declared` where that cannot be seen."
            ),
            "group": text("Its consumer group."),
            "topic": text("The full name of a topic."),
            "partitions": count("How many partitions a topic has."),
            "parts": texts("The tables of a family, or the types of events that a policy reads."),
            "instances": {"type": "array", "items": instance, "description": "Its instances, as far as they are listed."},
            "instance_count": count("How many instances were seen."),
            "deployed": {"type": "array", "items": deployed, "description": "Services of a compose file that run it."},
            "records_per_second": number("What came into a topic, markers of transactions included."),
        },
        "required": ["id", "kind", "context", "name", "about", "technology", "standing"],
    });
    let ways = ["asks", "sends", "reads", "follows", "looks_up", "writes", "fills", "queries"];
    let edge = json!({
        "type": "object",
        "properties": {
            "from": text("The element where data comes from."),
            "to": text("The element where it goes."),
            "kind": one_of(&ways, "What goes along it."),
            "about": text("More of it."),
            "declared": {"type": "boolean", "description": "Whether somebody has declared it."},
            "observed": {"type": "boolean", "description": "Whether it was seen; absent where it cannot be."},
            "records_per_second": number("Records a second, markers of transactions included."),
            "lag_records": count("How much of what is there is still to be read."),
            "lag_seconds": number("For how long the first of it has waited."),
        },
        "required": ["from", "to", "kind", "declared"],
    });
    let sources = json!({
        "type": "object",
        "properties": {
            "compose": maybe("The compose file, if one was read."),
            "observed": maybe("The brokers that were asked, if they answered."),
            "window_seconds": {"type": ["number", "null"], "description": "Over how long rates were taken."},
            "not_observed": maybe("Why nothing was observed."),
        },
        "required": ["compose", "observed", "window_seconds", "not_observed"],
    });
    json!({
        "type": "object",
        "description": "The system as it is declared and as it was seen.",
        "properties": {
            "format": count("The version of this form."),
            "sources": sources,
            "contexts": texts("The bounded contexts."),
            "elements": {"type": "array", "items": element, "description": "Everything there is."},
            "edges": {"type": "array", "items": edge, "description": "Where data goes."},
            "notes": texts("What could not be seen, or is left out."),
        },
        "required": ["format", "sources", "contexts", "elements", "edges", "notes"],
    })
}
