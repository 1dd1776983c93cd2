//! From what an author writes to what is registered: the envelope around the records, without the annotations.

use std::collections::BTreeSet;

use millrace_kernel::aggregate::snake_case;
use serde_json::{Map, Value, json};

use crate::envelope::{Kind, VIOLATION};

/// Annotations of records that are not registered. `aggregate` of commands is: whoever sends them learns the record
/// key from it.
const OF_RECORDS: [&str; 4] = ["aggregate", "failure", "lookup", "signIn"];
/// Annotations of fields.
const OF_FIELDS: [&str; 7] = ["maxLength", "id", "personal", "secret", "sealed", "claim", "withheld"];

/// The records in an author's file.
pub fn records(text: &str) -> Result<Vec<Value>, String> {
    let json: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let Value::Array(records) = json else {
        let hint = match json.get("fields") {
            Some(_) => {
                "this is a whole schema: what was in its union `data`, or its kinds of states, is all that stays"
            }
            None => "write [ and ] around the records",
        };
        return Err(format!("the file must be an array of the domain's own records; {hint}"));
    };
    for (index, record) in records.iter().enumerate() {
        if record.get("type") != Some(&Value::from("record")) {
            let number = index + 1;
            return Err(format!(
                "entry {number} is no record: every entry is one that begins {{\"type\": \"record\", \"name\": …}}. \
                 What several records use is defined in place, where the first of them has a field of it"
            ));
        }
    }
    match records.is_empty() {
        true => {
            Err("there is no record in the file; a domain has at least one. (Only steps.avsc may be left \
                     out, by deleting it.)"
                .to_owned())
        }
        false => Ok(records),
    }
}

/// The whole schema of this kind around `own`, annotations included. `words` says of a state how its ids are made.
pub fn assemble(
    kind: &Kind,
    domain: &str,
    own: &[Value],
    words: &dyn Fn(&str) -> String,
) -> Result<Value, String> {
    let text = kind.template.replace("{domain}", domain);
    let mut whole: Value = serde_json::from_str(&text).map_err(|error| format!("not JSON: {error}"))?;
    let mut reserved =
        BTreeSet::from([kind.root, kind.data.unwrap_or_default(), "StateRecord"].map(str::to_owned));
    names(&whole, &mut reserved);
    reserved.insert(VIOLATION.to_owned());
    for record in own {
        let name = record["name"].as_str().unwrap_or_default();
        if kind.file == crate::envelope::STATE.file && has_field(&whole, &snake_case(name)) {
            return Err(format!(
                "record {name}: the engine has a field of that name here; choose another name"
            ));
        }
        let mut defined = BTreeSet::new();
        names(record, &mut defined);
        if let Some(name) = defined.intersection(&reserved).next() {
            let way_out = match name == VIOLATION {
                true => "leave the definition out and say \"Violation\" for the type",
                false => "choose another name",
            };
            return Err(format!("record {name}: the engine has a record of that name here; {way_out}"));
        }
    }
    for_each_slot(&mut whole, own, words);
    let mut is_defined = false;
    define_violation(&mut whole, &mut is_defined);
    Ok(whole)
}

/// Whether the outermost record of `schema` has a field of this name.
fn has_field(schema: &Value, name: &str) -> bool {
    let fields = schema["fields"].as_array();
    fields.is_some_and(|fields| fields.iter().any(|field| field["name"] == name))
}

/// Puts the domain's records where the template wants them.
fn for_each_slot(whole: &mut Value, own: &[Value], words: &dyn Fn(&str) -> String) {
    let Some(fields) = whole.get_mut("fields").and_then(Value::as_array_mut) else { return };
    if let Some(data) = fields.iter_mut().find(|field| field["type"] == "{messages}") {
        data["type"] = Value::Array(own.to_vec());
    }
    if let Some(at) = fields.iter().position(|field| field == "{kinds}") {
        let kinds = own.iter().map(|record| {
            let name = record["name"].as_str().unwrap_or_default();
            let doc = format!("{}.", words(name));
            json!({"name": snake_case(name), "type": ["null", record], "default": null, "doc": doc})
        });
        fields.splice(at..=at, kinds);
    }
}

/// Whether a member of a schema holds types.
fn has_types(key: &str) -> bool {
    matches!(key, "type" | "items" | "fields")
}

/// The names that are defined in `schema`.
fn names(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Array(all) => all.iter().for_each(|one| names(one, found)),
        Value::Object(members) => {
            let is_defined = members.get("fields").or(members.get("symbols")).is_some_and(Value::is_array);
            if let (true, Some(name)) = (is_defined, members.get("name").and_then(Value::as_str)) {
                found.insert(name.to_owned());
            }
            members.iter().filter(|(key, _)| has_types(key)).for_each(|(_, value)| names(value, found));
        }
        _ => {}
    }
}

/// Has the engine's record defined where it comes first, and named only where it comes again.
fn define_violation(schema: &mut Value, is_defined: &mut bool) {
    match schema {
        Value::String(name) if name == VIOLATION && !*is_defined => {
            *is_defined = true;
            *schema = violation();
        }
        Value::Object(members) if is_violation(members) && *is_defined => {
            *schema = Value::from(VIOLATION);
        }
        Value::Object(members) if is_violation(members) => *is_defined = true,
        Value::Array(all) => all.iter_mut().for_each(|one| define_violation(one, is_defined)),
        Value::Object(members) => {
            let types = members.iter_mut().filter(|(key, _)| has_types(key));
            types.for_each(|(_, value)| define_violation(value, is_defined));
        }
        _ => {}
    }
}

fn is_violation(members: &Map<String, Value>) -> bool {
    members.contains_key("fields") && members.get("name").is_some_and(|name| name == VIOLATION)
}

/// The record as the outcomes have it.
fn violation() -> Value {
    fn find(schema: &Value) -> Option<&Value> {
        match schema {
            Value::Array(all) => all.iter().find_map(find),
            Value::Object(members) if is_violation(members) => Some(schema),
            Value::Object(members) => members.values().find_map(find),
            _ => None,
        }
    }
    let outcomes: Value = serde_json::from_str(crate::envelope::OUTCOMES.template).unwrap_or_default();
    find(&outcomes).cloned().unwrap_or_default()
}

/// What is registered of an assembled schema.
pub fn registered(kind: &Kind, whole: &Value) -> Value {
    let mut schema = whole.clone();
    strip(&mut schema, kind.file == crate::envelope::COMMANDS.file);
    schema
}

fn strip(schema: &mut Value, keeps_aggregate: bool) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(|one| strip(one, keeps_aggregate)),
        Value::Object(members) => {
            let is_kept = |key: &str| {
                let is_annotation = OF_RECORDS.contains(&key) || OF_FIELDS.contains(&key);
                !is_annotation || (keeps_aggregate && key == "aggregate")
            };
            let kept: Map<String, Value> =
                std::mem::take(members).into_iter().filter(|(key, _)| is_kept(key)).collect();
            *members = kept;
            let types = members.iter_mut().filter(|(key, _)| has_types(key));
            types.for_each(|(_, value)| strip(value, keeps_aggregate));
        }
        _ => {}
    }
}
