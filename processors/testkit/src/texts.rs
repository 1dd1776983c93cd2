//! Texts that no domain takes: every command with a control character in every one of its texts.

use millrace_kernel::codes::INVALID_ARGUMENT;
use millrace_kernel::{Command, Domain, Metadata, Stamp};
use serde_json::{Map, Value, json};

use crate::given::{EPOCH, States};

/// Ends a text in SQLite's functions, is obeyed by a terminal in seven and in eight bits, deletes.
const CONTROLS: [char; 4] = ['\0', '\u{1b}', '\u{9b}', '\u{7f}'];

/// Decides every command of the schema once for every text in it that holds a control character: each is refused by
/// name. Returns how many texts there are.
///
/// # Panics
/// When one is taken, or refused for other reasons only.
#[must_use]
pub fn no_text_may_hold_control_characters<D: Domain>() -> usize {
    let schema: Value = serde_json::from_str(D::SCHEMAS.commands).expect("a schema is JSON");
    let fields = schema["fields"].as_array().expect("an envelope has fields");
    let data = fields.iter().find(|field| field["name"] == "data").expect("a command has data");
    let mut texts = 0;
    for kind in data["type"].as_array().expect("commands are a union") {
        let fields = kind["fields"].as_array().expect("a command has fields");
        for field in fields.iter().filter(|field| is_text(&field["type"])) {
            texts += 1;
            for control in CONTROLS {
                refused::<D>(&kind["name"], fields, &field["name"], control);
            }
        }
    }
    texts
}

fn is_text(kind: &Value) -> bool {
    kind == "string" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "string"))
}

/// A value of a type that is no text.
fn any(kind: &Value) -> Value {
    let branches = kind.as_array();
    let kind = branches.and_then(|all| all.iter().find(|one| *one != "null")).unwrap_or(kind);
    match kind.as_str() {
        Some("boolean") => json!(true),
        Some("bytes") => json!("0000"),
        None if kind["type"] == "array" => json!([]),
        _ => json!(1),
    }
}

fn refused<D: Domain>(kind: &Value, fields: &[Value], name: &Value, control: char) {
    let value = |field: &Value| match (is_text(&field["type"]), field["name"] == *name) {
        (true, true) => json!(format!("a{control}b")),
        (true, false) => json!("a1"),
        (false, _) => any(&field["type"]),
    };
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let data: Map<String, Value> = fields.iter().map(|field| (text(&field["name"]), value(field))).collect();
    let data: D::Command =
        serde_json::from_value(json!({ text(kind): data })).expect("it is as the schema says");
    let command = Command { id: "c".into(), metadata: Metadata::default(), data };
    let decided = States::<D>::default().decide(&command, Stamp { now: EPOCH });
    let Err(rejections) = decided else { panic!("{kind} takes {control:?} in {name}") };
    let is_named = rejections
        .violations()
        .iter()
        .any(|it| it.code == INVALID_ARGUMENT && it.field.as_deref() == name.as_str());
    assert!(is_named, "{kind} with {control:?} in {name}: {:?}", rejections.violations());
}
