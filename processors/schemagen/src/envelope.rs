//! What stands around a domain's own records: exactly the kernel's structs.

use crate::avro::Record;

/// A schema of a domain.
pub struct Kind {
    /// The file's name without `.avsc`; also the last part of the namespace.
    pub file: &'static str,
    /// The name of the root record.
    pub root: &'static str,
    /// The name of the generated union or state enum, if the domain has records of its own in it.
    pub data: Option<&'static str>,
    /// The schema, with `{domain}` for the name, and for the domain's records `{messages}` or `{kinds}`.
    pub template: &'static str,
}

impl Kind {
    /// Whether a domain may do without it.
    pub fn may_be_absent(&self) -> bool {
        [STEPS.file, LOOKUP.file, CHANGES.file].contains(&self.file)
    }
}

/// What was asked, by anyone.
pub const COMMANDS: Kind = Kind {
    file: "commands",
    root: "Command",
    data: Some("CommandData"),
    template: include_str!("envelopes/commands.json"),
};
/// Follow-up commands of processes.
pub const STEPS: Kind = Kind {
    file: "steps",
    root: "Step",
    data: Some("StepData"),
    template: include_str!("envelopes/steps.json"),
};
/// What happened.
pub const EVENTS: Kind = Kind {
    file: "events",
    root: "Event",
    data: Some("EventData"),
    template: include_str!("envelopes/events.json"),
};
/// States of aggregates and what the engine remembers beside them.
pub const STATE: Kind = Kind {
    file: "state",
    root: "State",
    data: Some("State"),
    template: include_str!("envelopes/state.json"),
};
/// What became of commands.
pub const OUTCOMES: Kind =
    Kind { file: "outcomes", root: "Outcome", data: None, template: include_str!("envelopes/outcomes.json") };
/// What others look up.
pub const LOOKUP: Kind =
    Kind { file: "lookup", root: "Lookup", data: None, template: include_str!("envelopes/lookup.json") };
/// What became of rows.
pub const CHANGES: Kind =
    Kind { file: "changes", root: "Change", data: None, template: include_str!("envelopes/changes.json") };

/// All schemas that a domain may have.
pub const KINDS: [&Kind; 7] = [&COMMANDS, &STEPS, &EVENTS, &STATE, &OUTCOMES, &LOOKUP, &CHANGES];

/// The record of the engine that a domain's own may have fields of, by this name and without defining it.
pub const VIOLATION: &str = "Violation";

/// The kernel's struct for a record that the engine keeps among the states.
pub fn bookkeeping(record: &Record) -> Option<&'static str> {
    match record.name.as_str() {
        "Process" => Some("OpenProcess"),
        "Inbox" => Some("Inbox"),
        "DeadStep" => Some("DeadStep"),
        "ParkedKey" => Some("ParkedKey"),
        "Floor" => Some("Floor"),
        "Repeats" => Some("Repeats"),
        "PseudonymKey" => Some("PseudonymCheck"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::assemble::assemble;
    use crate::avro::{self, Type};
    use millrace_kernel::bookkeeping::{
        DeadStep, Floor, FloorSpan, Inbox, OpenProcess, ParkedKey, PseudonymCheck, Repeats,
    };
    use millrace_kernel::outcome::{Outcome, Position, Status, Version};
    use millrace_kernel::{Command, Event, Metadata, ProcessContext, Step, StepSource, Violation};

    /// The names of the fields of `record` and of all records in it.
    fn gather(record: &Record, into: &mut BTreeMap<String, Vec<String>>) {
        into.insert(record.name.clone(), record.fields.iter().map(|field| field.name.clone()).collect());
        for field in &record.fields {
            let mut kind = &field.kind;
            while let Type::Nullable(inner) | Type::Array(inner) = kind {
                kind = inner;
            }
            if let Type::Record(inner) = kind {
                gather(inner, into);
            }
        }
    }

    /// The templates are the kernel's structs, field by field and in their order.
    #[test]
    fn the_envelopes_are_the_kernels() {
        let position = Position { topic: "t".into(), partition: 0, offset: 0, epoch: 0 };
        let version = Version { aggregate_id: "a".into(), version: 1 };
        let metadata = Metadata::default();
        let outcome = Outcome {
            command_id: String::new().into(),
            status: Status::Accepted,
            duplicate: false,
            positions: vec![],
            versions: vec![],
            violations: vec![],
            recorded_at: 0,
            command_type: None,
            failure: None,
            digest: None,
        };
        let expected = serde_json::json!({
            "Position": position, "Version": version, "Violation": Violation::of("c", "m"),
            "ProcessContext": ProcessContext::default(), "Metadata": metadata,
            "Process": OpenProcess { command_type: String::new().into(), started_at: 0, duplicates: 0, digest: None },
            "Inbox": Inbox { sequence: 0 },
            "DeadStep": DeadStep { command_id: None, step_type: None, since: 0 },
            "ParkedKey": ParkedKey { line: 0, next: 1, newest: 1, since: 0 },
            "Floor": Floor::default(), "FloorSpan": FloorSpan::default(),
            "StepSource": StepSource::default(),
            "Command": Command { id: String::new().into(), metadata: metadata.clone(), data: () },
            "Step": Step { id: String::new().into(), metadata: metadata.clone(), source: StepSource::default(),
                process: None, data: () },
            "Event": Event { id: String::new().into(), metadata: metadata.clone(), aggregate_id: String::new().into(),
                version: 1, command_id: String::new().into(), command_offset: 0, recorded_at: 0, data: () },
            "PseudonymKey": PseudonymCheck { check: String::new().into() },
            "Repeats": Repeats { left: 1, outcome: outcome.clone() },
            "Outcome": outcome,
        });
        let own = serde_json::json!([{"type": "record", "name": "Own", "doc": "Own.", "fields": []}]);
        let mut found = BTreeMap::new();
        for kind in KINDS {
            let own = if kind.data.is_some() { own.as_array().unwrap().as_slice() } else { &[] };
            let whole = assemble(kind, "d", own, &|_| "Own/<id>".to_owned()).unwrap();
            gather(&avro::parse(&whole).unwrap(), &mut found);
        }
        for (name, value) in expected.as_object().unwrap() {
            let fields: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
            assert_eq!(found.remove(name), Some(fields), "{name}");
        }
        // the rest is in the runtime or generated
        let rest: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(rest, ["Change", "Lookup", "Own", "State"]);
    }
}
