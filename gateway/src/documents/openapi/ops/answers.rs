//! Schemas of what operators are told. What stands in messages, states and rows belongs to the domains, and is not described here.

use serde_json::{Map, Value as Json, json};

/// All of them, by their names.
pub(super) fn schemas() -> Vec<(String, Json)> {
    [
        ("OperationsStatus", status()),
        ("OperationsFaults", faults()),
        ("OperationsViews", views()),
        ("OperationsExplanation", explanation()),
        ("OperationsHistory", history()),
        ("OperationsDead", dead()),
        ("OperationsDeadRecord", dead_record()),
    ]
    .into_iter()
    .map(|(name, schema)| (name.to_owned(), schema))
    .collect()
}

fn text(doc: &str) -> Json {
    json!({"type": "string", "description": doc})
}

fn maybe(doc: &str) -> Json {
    json!({"type": ["string", "null"], "description": doc})
}

fn count(doc: &str) -> Json {
    json!({"type": "integer", "format": "int64", "description": doc})
}

fn micros(doc: &str) -> Json {
    json!({"type": "integer", "format": "int64", "description": format!("{doc}, in microseconds since the epoch.")})
}

fn number(doc: &str) -> Json {
    json!({"type": "number", "description": doc})
}

fn flag(doc: &str) -> Json {
    json!({"type": "boolean", "description": doc})
}

fn list(items: Json, doc: &str) -> Json {
    json!({"type": "array", "items": items, "description": doc})
}

fn anything(doc: &str) -> Json {
    json!({"description": doc})
}

/// An object with these members, of which those are always there.
fn object(doc: &str, members: Vec<(&str, Json)>, required: &[&str]) -> Json {
    let members: Map<String, Json> =
        members.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({"type": "object", "description": doc, "properties": members, "required": required})
}

fn place() -> Json {
    let members = vec![
        ("topic", text("The topic.")),
        ("partition", count("The partition.")),
        ("offset", count("The offset.")),
    ];
    object("Where something stands.", members, &["topic", "partition", "offset"])
}

fn status() -> Json {
    let role = object(
        "A consumer group.",
        vec![
            ("role", text("The role.")),
            ("group", text("Its group.")),
            ("members", count("How many instances are in it.")),
            ("partitions", count("How many partitions it reads of a topic.")),
            ("lag_records", count("How many records wait.")),
            ("lag_seconds", number("For how long the first of them has.")),
            ("healthy", flag("Whether somebody looks after what waits, and comes to it in time.")),
            (
                "tables",
                json!({"type": "string", "enum": ["live", "kept", "building"], "description": "What becomes of the tables that a projector fills."}),
            ),
            ("dead_letters", count("Dead records that nothing was done with.")),
            (
                "waiting_processes",
                list(
                    text("The id of a command."),
                    "Commands whose process waits for a dead step, the longest first.",
                ),
            ),
            (
                "waiting_keys",
                list(text("A key."), "Keys whose commands wait behind a dead one, the longest first."),
            ),
        ],
        &["role", "group", "members", "partitions", "lag_records", "lag_seconds", "healthy", "dead_letters"],
    );
    let projection = object(
        "A view of one source partition.",
        vec![
            ("view", text("The view.")),
            ("partition", count("The partition of the events.")),
            ("position", count("The offset before which all events are in the tables.")),
            ("lag_records", count("How many events are not.")),
            ("lag_seconds", number("For how long the first of them has waited.")),
        ],
        &["view", "partition", "position", "lag_records", "lag_seconds"],
    );
    object(
        "How it is.",
        vec![
            ("healthy", flag("Whether nothing is in anybody's way.")),
            ("roles", list(role, "The consumer groups.")),
            ("projections", list(projection, "The views, by partition.")),
            ("registry", text("What the registry says, if it is away.")),
            ("topics", list(json!({"type": "object"}), "Settings of topics that break a promise.")),
            (
                "transactions",
                list(json!({"type": "object"}), "Transactions that have been open for too long."),
            ),
            ("tables", list(json!({"type": "object"}), "Tables with which something is wrong.")),
            (
                "processes",
                list(
                    json!({"type": "object"}),
                    "What processes say of themselves, where it is known how to ask them.",
                ),
            ),
        ],
        &["healthy", "roles", "projections"],
    )
}

fn faults() -> Json {
    let kinds = ["process", "lane", "role", "dead", "registry", "topic", "transaction", "tables"];
    let fault = object(
        "Something that is in the way.",
        vec![
            ("kind", json!({"type": "string", "enum": kinds, "description": "Of what kind it is."})),
            ("at", text("Where.")),
            ("what", text("What.")),
            ("seconds", number("For how long, where that is known.")),
            ("stops", flag("Whether something stands still because of it.")),
            ("next", text("What happens next, if nobody does anything.")),
            ("action", text("What can be done.")),
        ],
        &["kind", "at", "what", "stops", "next", "action"],
    );
    object("What is in the way.", vec![("faults", list(fault, "What stands still first."))], &["faults"])
}

fn views() -> Json {
    let version = object(
        "A version of a family's tables.",
        vec![
            ("version", count("Its number.")),
            (
                "standing",
                json!({"type": "string", "enum": ["live", "kept", "building"], "description": "What becomes of it."}),
            ),
            ("revision", maybe("How it is filled.")),
            ("own", flag("Whether the build that answers fills it likewise.")),
            ("changed_at", maybe("When it came to be so, as RFC 3339.")),
            ("members", count("How many processes fill it.")),
            ("events", count("Where the events end, all partitions together.")),
            ("applied", count("How far it has come, likewise.")),
            ("lag_records", count("How many events are not in its tables.")),
            ("lag_seconds", number("For how long the first of them has waited.")),
        ],
        &["version", "standing", "own", "members", "events", "applied", "lag_records", "lag_seconds"],
    );
    let family = object(
        "Views that are filled together.",
        vec![
            ("domain", text("The domain.")),
            ("family", text("The family.")),
            ("views", list(text("A view."), "Its views.")),
            ("live", count("The version that answers.")),
            ("versions", list(version, "All versions that have tables, the oldest first.")),
        ],
        &["domain", "family", "views", "live", "versions"],
    );
    object("The views.", vec![("families", list(family, "The view families."))], &["families"])
}

fn happened() -> Json {
    let write = object(
        "A row that is written or deleted.",
        vec![
            ("action", text("`put`, `delete`, or `delete_after`: everything behind the key.")),
            ("table", text("The table.")),
            ("key", anything("The key, by column.")),
            ("values", anything("The other columns; null for a delete.")),
            ("timestamp", micros("Of several writes to a row the one with the greatest stays")),
        ],
        &["action", "table", "key", "values", "timestamp"],
    );
    let follows = object(
        "What follows in one projection.",
        vec![
            ("projection", text("`<domain>.<family>`.")),
            ("applied", flag("Whether the projection says that the rows are in the tables.")),
            ("writes", list(write, "The rows.")),
            ("more", count("How many more there are.")),
        ],
        &["projection", "applied", "writes", "more"],
    );
    object(
        "An event.",
        vec![
            ("type", text("Its name.")),
            ("id", text("Its id.")),
            ("aggregate_id", text("The aggregate.")),
            ("version", count("The aggregate's version.")),
            ("recorded_at", micros("When it was recorded")),
            ("place", place()),
            ("data", anything("Its fields.")),
            ("asks_for", list(text("A step, by name."), "The steps it asks for.")),
            ("ends", flag("Whether it ends the process.")),
            ("state", anything("The state it leaves.")),
            ("rows", list(follows, "The rows that follow, by projection.")),
        ],
        &["type", "id", "aggregate_id", "version", "recorded_at", "place", "data", "rows"],
    )
}

fn act() -> Json {
    object(
        "A message of the process and what it caused.",
        vec![
            ("type", text("The message's name.")),
            ("is_step", flag("Whether it is a step, not the command itself.")),
            ("id", text("Its id.")),
            ("key", text("The record key.")),
            ("place", json!({"anyOf": [place(), {"type": "null"}], "description": "Where it stands."})),
            (
                "trimmed",
                json!({"anyOf": [place(), {"type": "null"}], "description": "Where its topic begins, if that is why it cannot be found."}),
            ),
            (
                "at",
                json!({"type": ["integer", "null"], "format": "int64", "description": "When it was written, in microseconds since the epoch."}),
            ),
            ("is_decided", flag("Whether the processors have read past it.")),
            ("dead", anything("Why it is in the dead topic, if it is.")),
            ("events", list(happened(), "Its events, in order.")),
        ],
        &["type", "is_step", "id", "key", "is_decided", "events"],
    )
}

fn explanation() -> Json {
    let asked = object(
        "A record of the command.",
        vec![
            ("place", place()),
            ("at", micros("When it arrived")),
            ("key", maybe("Its record key.")),
            ("type", maybe("The message's name; null where this build does not know it.")),
            ("metadata", anything("Who, when, and on which expectation.")),
            ("data", anything("Its fields.")),
            ("traceparent", maybe("The producer's trace.")),
            ("is_decided", flag("Whether the processors have read past it.")),
            ("dead", anything("Why it is in the dead topic, if it is.")),
        ],
        &["place", "at", "metadata", "data", "is_decided"],
    );
    let elsewhere = object(
        "What another domain has done about an event.",
        vec![
            ("domain", text("The domain.")),
            ("event_id", text("The event.")),
            ("event", place()),
            ("is_reacted", flag("Whether its policy has come to it.")),
            ("acts", list(act(), "The steps, with what each caused.")),
        ],
        &["domain", "event_id", "event", "is_reacted", "acts"],
    );
    object(
        "The story of a command.",
        vec![
            ("domain", text("The domain.")),
            ("command_id", text("The command.")),
            ("standing", anything("Where it stands: `state` says it.")),
            ("asked", list(asked, "Its records, oldest first.")),
            ("outcomes", list(anything("An outcome, and its `place`."), "Its outcomes, oldest first.")),
            ("unlisted", count("How many more records and outcomes there are than are listed.")),
            ("acts", list(act(), "The command and the steps of its process.")),
            (
                "elsewhere",
                list(elsewhere, "What other domains have done about its events, and others about theirs."),
            ),
        ],
        &["domain", "command_id", "standing", "asked", "outcomes", "acts", "elsewhere"],
    )
}

fn history() -> Json {
    let change = object(
        "A place where a state differs from the one before.",
        vec![
            ("field", text("Where: names of fields with dots between, numbers of items from 0.")),
            ("before", anything("What was there; null where nothing was.")),
            ("after", anything("What is there now; null where nothing is.")),
        ],
        &["field", "before", "after"],
    );
    let event = object(
        "An event.",
        vec![
            ("version", count("The version it made.")),
            ("type", text("Its name.")),
            ("recorded_at", micros("When it was recorded")),
            ("place", place()),
            ("id", text("Its id.")),
            ("command_id", text("The command it happened for.")),
            ("causation_id", maybe("The message that caused it.")),
            ("user_id", maybe("Who acted.")),
            ("data", anything("Its fields.")),
            ("changes", list(change, "What it has changed of the state; 200 places at most.")),
        ],
        &["version", "type", "recorded_at", "place", "id", "command_id", "data", "changes"],
    );
    object(
        "The history of an aggregate.",
        vec![
            ("domain", text("The domain.")),
            ("aggregate_id", text("The aggregate.")),
            ("version", count("The version of the newest event that is told.")),
            ("recorded_at", micros("When that was recorded")),
            ("state", anything("The state then; null where it does not exist.")),
            ("events", list(event, "Its events, oldest first.")),
            ("next", count("The `cursor` of the page behind; absent at the end.")),
        ],
        &["domain", "aggregate_id", "version", "recorded_at", "state", "events"],
    )
}

fn dead_members() -> Vec<(&'static str, Json)> {
    vec![
        ("domain", text("The domain.")),
        ("partition", count("The partition of the dead topic.")),
        ("offset", count("The offset there.")),
        ("key", maybe("Its key: text, or `0x` and digits.")),
        ("kind", text("Of what kind it is.")),
        ("id", maybe("The id of the message, if that can be read.")),
        ("type", maybe("The message's name, if that can be read.")),
        ("process", maybe("Of a step: the command whose process waits for it.")),
        ("reason", text("Why it is there.")),
        ("source", anything("Where it came from.")),
        ("time", text("The record's own time, as RFC 3339.")),
        ("line", anything("Its place among the commands of its key that wait for each other.")),
        (
            "cut",
            json!({"type": ["integer", "null"], "format": "int64", "description": "How many bytes it had, if it is not whole."}),
        ),
        ("done", maybe("What was done with it.")),
        ("done_at", maybe("When, as RFC 3339.")),
    ]
}

const DEAD: &[&str] = &["domain", "partition", "offset", "kind", "reason", "source", "time"];

fn dead() -> Json {
    object(
        "What could not be decided.",
        vec![
            (
                "records",
                list(object("A dead record.", dead_members(), DEAD), "By domain, partition and offset."),
            ),
            ("cursor", maybe("Goes on behind the last one; null at the end.")),
            (
                "registry_away",
                maybe("What the registry says, if it is away: then ids and types are not known."),
            ),
        ],
        &["records", "cursor"],
    )
}

fn dead_record() -> Json {
    let mut members = dead_members();
    members.push(("headers", anything("Its headers, the engine's among them.")));
    members.push(("message", anything("Its message, if that can be read.")));
    members.push(("unreadable", text("Why not, if it cannot.")));
    members.push(("value_bytes", json!({"type": ["integer", "null"], "format": "int64", "description": "How many bytes that cannot be read."})));
    object("A dead record with all that is in it.", members, DEAD)
}
