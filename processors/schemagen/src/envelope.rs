//! What the records around a domain's own data must look like: exactly the kernel's structs.

use crate::avro::{Record, Type};

/// A schema file and the record it must hold.
pub struct Kind {
    /// The file's name without `.avsc`; also the last part of the namespace.
    pub file: &'static str,
    /// The name of the root record.
    pub root: &'static str,
    /// The name of the generated union or state enum, if the file has one.
    pub data: Option<&'static str>,
    fields: &'static [Expected],
    /// Whether further fields may follow, one nullable record for each kind of aggregate.
    pub open: bool,
}

/// A field of the kernel and its type in Avro.
struct Expected(&'static str, Shape);

enum Shape {
    Is(fn() -> Type),
    Record(&'static str, &'static [Expected]),
    ArrayOf(&'static str, &'static [Expected]),
    Nullable(&'static Shape),
    Symbols(&'static str, &'static [&'static str]),
    Messages,
}

const STRING: Shape = Shape::Is(|| Type::String);
const LONG: Shape = Shape::Is(|| Type::Long);
const INT: Shape = Shape::Is(|| Type::Int);
const BOOLEAN: Shape = Shape::Is(|| Type::Boolean);
const TIME: Shape = Shape::Is(|| Type::TimestampMicros);

const METADATA: &[Expected] = &[
    Expected("trace_id", Shape::Nullable(&STRING)),
    Expected("user_id", Shape::Nullable(&STRING)),
    Expected("correlation_id", Shape::Nullable(&STRING)),
    Expected("causation_id", Shape::Nullable(&STRING)),
    Expected("issued_at", Shape::Nullable(&TIME)),
    Expected("expected_version", Shape::Nullable(&LONG)),
];
const POSITION: &[Expected] =
    &[Expected("topic", STRING), Expected("partition", INT), Expected("offset", LONG)];
const VERSION: &[Expected] = &[Expected("aggregate_id", STRING), Expected("version", LONG)];
const VIOLATION: &[Expected] =
    &[Expected("code", STRING), Expected("message", STRING), Expected("field", Shape::Nullable(&STRING))];
const CONTEXT: &[Expected] = &[
    Expected("command_id", STRING),
    Expected("positions", Shape::ArrayOf("Position", POSITION)),
    Expected("versions", Shape::ArrayOf("Version", VERSION)),
];
const PROCESS: &[Expected] =
    &[Expected("command_type", STRING), Expected("started_at", TIME), Expected("duplicates", LONG)];

const INBOX: &[Expected] = &[Expected("sequence", LONG)];
const DEAD_STEP: &[Expected] = &[
    Expected("command_id", Shape::Nullable(&STRING)),
    Expected("step_type", Shape::Nullable(&STRING)),
    Expected("since", TIME),
];
const PARKED_KEY: &[Expected] =
    &[Expected("line", LONG), Expected("next", LONG), Expected("newest", LONG), Expected("since", TIME)];
const FLOOR: &[Expected] = &[
    Expected("issued_at", TIME),
    Expected("recorded_at", TIME),
    Expected("spans", Shape::ArrayOf("FloorSpan", FLOOR_SPAN)),
];
const FLOOR_SPAN: &[Expected] =
    &[Expected("recorded_at", TIME), Expected("appended_at", TIME), Expected("issued_at", TIME)];
const SOURCE: &[Expected] = &[Expected("partition", INT), Expected("sequence", LONG)];

const OUTCOME_FIELDS: &[Expected] = &[
    Expected("command_id", STRING),
    Expected("status", Shape::Symbols("Status", &["accepted", "rejected"])),
    Expected("duplicate", BOOLEAN),
    Expected("positions", Shape::ArrayOf("Position", POSITION)),
    Expected("versions", Shape::ArrayOf("Version", VERSION)),
    Expected("violations", Shape::ArrayOf("Violation", VIOLATION)),
    Expected("recorded_at", TIME),
];
const REPEATS: &[Expected] =
    &[Expected("left", LONG), Expected("outcome", Shape::Record("Outcome", OUTCOME_FIELDS))];

/// What the engine keeps among the states: the field, its record, and what that holds.
const BOOKKEEPING: [(&str, &str, &[Expected]); 6] = [
    ("process", "Process", PROCESS),
    ("inbox", "Inbox", INBOX),
    ("dead_step", "DeadStep", DEAD_STEP),
    ("parked_key", "ParkedKey", PARKED_KEY),
    ("floor", "Floor", FLOOR),
    ("repeats", "Repeats", REPEATS),
];

/// The kernel's struct for a record that the engine keeps among the states.
pub fn bookkeeping(record: &Record) -> Option<&'static str> {
    match record.name.as_str() {
        "Process" => Some("OpenProcess"),
        "Inbox" => Some("Inbox"),
        "DeadStep" => Some("DeadStep"),
        "ParkedKey" => Some("ParkedKey"),
        "Floor" => Some("Floor"),
        "Repeats" => Some("Repeats"),
        _ => None,
    }
}

const COMMAND: Kind = Kind {
    file: "commands",
    root: "Command",
    data: Some("CommandData"),
    fields: &[
        Expected("id", STRING),
        Expected("metadata", Shape::Record("Metadata", METADATA)),
        Expected("data", Shape::Messages),
    ],
    open: false,
};
const STEP: Kind = Kind {
    file: "steps",
    root: "Step",
    data: Some("StepData"),
    fields: &[
        Expected("id", STRING),
        Expected("metadata", Shape::Record("Metadata", METADATA)),
        Expected("source", Shape::Record("StepSource", SOURCE)),
        Expected("process", Shape::Record("ProcessContext", CONTEXT)),
        Expected("data", Shape::Messages),
    ],
    open: false,
};
const EVENT: Kind = Kind {
    file: "events",
    root: "Event",
    data: Some("EventData"),
    fields: &[
        Expected("id", STRING),
        Expected("metadata", Shape::Record("Metadata", METADATA)),
        Expected("aggregate_id", STRING),
        Expected("version", LONG),
        Expected("command_id", STRING),
        Expected("command_offset", LONG),
        Expected("recorded_at", TIME),
        Expected("data", Shape::Messages),
    ],
    open: false,
};
const STATE: Kind = Kind {
    file: "state",
    root: "State",
    data: Some("State"),
    fields: &[Expected("aggregate_id", STRING), Expected("version", LONG), Expected("recorded_at", TIME)],
    open: true,
};
const OUTCOME: Kind =
    Kind { file: "outcomes", root: "Outcome", data: None, fields: OUTCOME_FIELDS, open: false };
const LOOKUP: Kind = Kind {
    file: "lookup",
    root: "Lookup",
    data: None,
    fields: &[Expected("aggregate_id", STRING), Expected("version", LONG), Expected("recorded_at", TIME)],
    open: false,
};

/// All files of a domain's folder.
pub const KINDS: [&Kind; 6] = [&COMMAND, &STEP, &EVENT, &STATE, &OUTCOME, &LOOKUP];

/// Whether a record of a domain's own data is one that the kernel has already.
pub fn is_violation(record: &Record) -> bool {
    record.name == "Violation" && fields(record, VIOLATION, false).is_ok()
}

/// Whether `schema` is the envelope of this kind in the domain's namespace.
pub fn check(kind: &Kind, domain: &str, schema: &Record) -> Result<(), String> {
    let namespace = format!("millrace.{domain}.{}", kind.file);
    if schema.name != kind.root || schema.namespace.as_deref() != Some(&namespace) {
        return Err(format!(
            "the root is record {} in namespace {}, expected {} in {namespace}",
            schema.name,
            schema.namespace.as_deref().unwrap_or("(none)"),
            kind.root
        ));
    }
    fields(schema, kind.fields, kind.open)?;
    if kind.open {
        for field in &schema.fields[kind.fields.len()..] {
            match &field.kind {
                Type::Nullable(inner) if matches!(**inner, Type::Record(_)) => {}
                other => {
                    return Err(format!(
                        "field {}.{} is {}, expected a nullable record: one for each kind of aggregate",
                        schema.name,
                        field.name,
                        other.describe()
                    ));
                }
            }
        }
        for (name, record, expected) in BOOKKEEPING {
            let place = format!("field {}.{name}", schema.name);
            let field = schema.field(name).ok_or_else(|| {
                format!("{place} is missing; the engine keeps its own records among the states")
            })?;
            match &field.kind {
                Type::Nullable(inner) => shape(&place, inner, &Shape::Record(record, expected))?,
                other => return Err(format!("{place} is {}, expected [\"null\", …]", other.describe())),
            }
        }
    }
    Ok(())
}

fn fields(record: &Record, expected: &[Expected], open: bool) -> Result<(), String> {
    for (index, Expected(name, wanted)) in expected.iter().enumerate() {
        let place = format!("field {}.{name}", record.name);
        match record.fields.get(index) {
            Some(field) if field.name == *name => shape(&place, &field.kind, wanted)?,
            Some(field) => {
                return Err(format!(
                    "{place} is expected at place {} of {}, where {} stands",
                    index + 1,
                    record.name,
                    field.name
                ));
            }
            None => return Err(format!("{place} is missing")),
        }
    }
    match record.fields.get(expected.len()) {
        Some(extra) if !open => Err(format!(
            "field {}.{} is one too many: the engine does not know it and would lose it",
            record.name, extra.name
        )),
        _ => Ok(()),
    }
}

fn shape(place: &str, found: &Type, wanted: &Shape) -> Result<(), String> {
    let differs = |expected: String| Err(format!("{place} is {}, expected {expected}", found.describe()));
    match (wanted, found) {
        (Shape::Is(kind), _) => {
            let kind = kind();
            if *found == kind { Ok(()) } else { differs(kind.describe()) }
        }
        (Shape::Nullable(inner), Type::Nullable(kind)) => shape(place, kind, inner),
        (Shape::Record(name, expected), Type::Record(record)) if record.name == *name => {
            fields(record, expected, false)
        }
        (Shape::ArrayOf(name, expected), Type::Array(items)) => match &**items {
            Type::Record(record) if record.name == *name => fields(record, expected, false),
            _ => differs(format!("an array of record {name}")),
        },
        (Shape::Symbols(name, symbols), Type::Enum(one)) if one.name == *name && one.symbols == **symbols => {
            Ok(())
        }
        (Shape::Messages, Type::Union(_)) => Ok(()),
        (Shape::Nullable(_), _) => differs("[\"null\", …]".to_owned()),
        (Shape::Record(name, _), _) => differs(format!("record {name}")),
        (Shape::ArrayOf(name, _), _) => differs(format!("an array of record {name}")),
        (Shape::Symbols(name, symbols), _) => differs(format!("enum {name} of {}", symbols.join(", "))),
        (Shape::Messages, _) => differs("a union of records".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_kernel::bookkeeping::{DeadStep, Floor, FloorSpan, Inbox, OpenProcess, ParkedKey, Repeats};
    use millrace_kernel::outcome::{Outcome, Position, Status, Version};
    use millrace_kernel::{Command, Event, Metadata, ProcessContext, Step, StepSource, Violation};

    fn names(value: impl serde_json::value::Index + std::fmt::Debug, of: &serde_json::Value) -> Vec<String> {
        of[value].as_object().unwrap().keys().cloned().collect()
    }

    /// The tables above are the kernel's structs, field by field and in their order.
    #[test]
    fn the_expected_fields_are_the_kernels() {
        let position = Position { topic: "t".into(), partition: 0, offset: 0 };
        let version = Version { aggregate_id: "a".into(), version: 1 };
        let violation = Violation::of("c", "m");
        let process = ProcessContext::default();
        let metadata = Metadata::default();
        let outcome = Outcome {
            command_id: String::new(),
            status: Status::Accepted,
            duplicate: false,
            positions: vec![],
            versions: vec![],
            violations: vec![],
            recorded_at: 0,
        };
        let all = serde_json::json!({
            "position": position, "version": version, "violation": violation,
            "context": process, "metadata": metadata,
            "process": OpenProcess { command_type: String::new(), started_at: 0, duplicates: 0 },
            "inbox": Inbox { sequence: 0 },
            "dead_step": DeadStep { command_id: None, step_type: None, since: 0 },
            "parked_key": ParkedKey { line: 0, next: 1, newest: 1, since: 0 },
            "floor": Floor::default(), "floor_span": FloorSpan::default(),
            "source": StepSource::default(),
            "command": Command { id: String::new(), metadata: metadata.clone(), data: () },
            "step": Step { id: String::new(), metadata: metadata.clone(), source: StepSource::default(),
                process: process.clone(), data: () },
            "event": Event { id: String::new(), metadata: metadata.clone(), aggregate_id: String::new(),
                version: 1, command_id: String::new(), command_offset: 0, recorded_at: 0, data: () },
            "repeats": Repeats { left: 1, outcome: outcome.clone() },
            "outcome": outcome,
        });
        for (name, expected) in [
            ("position", POSITION),
            ("version", VERSION),
            ("violation", VIOLATION),
            ("context", CONTEXT),
            ("metadata", METADATA),
            ("process", PROCESS),
            ("inbox", INBOX),
            ("dead_step", DEAD_STEP),
            ("parked_key", PARKED_KEY),
            ("floor", FLOOR),
            ("floor_span", FLOOR_SPAN),
            ("repeats", REPEATS),
            ("source", SOURCE),
            ("command", COMMAND.fields),
            ("step", STEP.fields),
            ("event", EVENT.fields),
            ("outcome", OUTCOME.fields),
        ] {
            let expected: Vec<&str> = expected.iter().map(|Expected(name, _)| *name).collect();
            assert_eq!(names(name, &all), expected, "{name}");
        }
    }
}
