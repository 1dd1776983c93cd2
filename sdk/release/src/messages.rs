//! A registered schema, message by message.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::files;

/// The field in which commands, events and steps have their message.
const DATA: &str = "data";

/// The messages of a topic's schema with the numbers of their branches; none where it holds one kind of record.
pub fn messages(schema: &Value) -> Vec<(String, usize)> {
    let named = |branch: &Value| branch["name"].as_str().map(str::to_owned);
    let branches = branches(schema).into_iter().flatten();
    branches.enumerate().filter_map(|(at, branch)| Some((named(branch)?, at))).collect()
}

/// The record of a message, as it stands in the schema.
pub fn message<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    branches(schema)?.iter().find(|branch| branch["name"] == name)
}

fn branches(schema: &Value) -> Option<&Vec<Value>> {
    let data = schema["fields"].as_array()?.iter().find(|field| field["name"] == DATA)?;
    data["type"].as_array()
}

/// The schema as if it had this message alone, with what that uses of others written out.
pub fn only(schema: &Value, name: &str) -> Value {
    let mut definitions = HashMap::new();
    collect(schema, &mut definitions);
    let mut one = schema.clone();
    let fields = one["fields"].as_array_mut().into_iter().flatten();
    for field in fields.filter(|field| field["name"] == DATA) {
        if let Some(branches) = field["type"].as_array_mut() {
            branches.retain(|branch| branch["name"] == name);
        }
    }
    written_out(&one, &definitions, &mut HashSet::new())
}

/// The schema without any message.
pub fn envelope(schema: &Value) -> Value {
    let mut envelope = schema.clone();
    if branches(schema).is_some()
        && let Some(fields) = envelope["fields"].as_array_mut()
    {
        fields.retain(|field| field["name"] != DATA);
    }
    envelope
}

fn definition(members: &Map<String, Value>) -> Option<&str> {
    let kind = members.get("type")?.as_str()?;
    matches!(kind, "record" | "enum" | "fixed").then(|| members.get("name")?.as_str()).flatten()
}

fn collect(node: &Value, into: &mut HashMap<String, Value>) {
    match node {
        Value::Array(all) => all.iter().for_each(|inner| collect(inner, into)),
        Value::Object(members) => {
            if let Some(name) = definition(members) {
                into.insert(name.to_owned(), node.clone());
            }
            members.iter().filter(|(key, _)| *key != "default").for_each(|(_, inner)| collect(inner, into));
        }
        _ => {}
    }
}

/// Puts each definition where its name comes first.
fn written_out(node: &Value, definitions: &HashMap<String, Value>, done: &mut HashSet<String>) -> Value {
    match node {
        Value::String(name) => match definitions.get(name) {
            Some(definition) if !done.contains(name) => written_out(definition, definitions, done),
            _ => node.clone(),
        },
        Value::Array(all) => all.iter().map(|inner| written_out(inner, definitions, done)).collect(),
        Value::Object(members) => {
            if let Some(name) = definition(members) {
                done.insert(name.to_owned());
            }
            let mut fields = Map::new();
            for (key, value) in members {
                // only where a type stands: a name or a text may be called like one
                let value = match (key.as_str(), value) {
                    ("type" | "items" | "values", inner) => written_out(inner, definitions, done),
                    ("fields", Value::Array(all)) => {
                        all.iter().map(|inner| written_out(inner, definitions, done)).collect()
                    }
                    _ => value.clone(),
                };
                fields.insert(key.clone(), value);
            }
            Value::Object(fields)
        }
        other => other.clone(),
    }
}

/// A digest of all that decides which bytes a message is: names and types of the envelope's fields and its own, and the number
/// of its branch. Without a message, of the whole schema.
pub fn print_of(schema: &Value, message: Option<&str>) -> String {
    let shape = match message {
        Some(name) => {
            let branch = messages(schema).into_iter().find(|(found, _)| found == name).map(|(_, at)| at);
            format!("{branch:?} {}", shape(&only(schema, name)))
        }
        None => shape(schema).to_string(),
    };
    files::digest(&shape)
}

/// The schema without what changes no byte: descriptions, defaults, annotations.
fn shape(node: &Value) -> Value {
    match node {
        Value::Array(all) => all.iter().map(shape).collect(),
        Value::Object(members) => {
            let counts = ["type", "name", "fields", "items", "values", "symbols", "size"];
            counts.iter().filter_map(|key| Some(((*key).to_owned(), shape(members.get(*key)?)))).collect()
        }
        other => other.clone(),
    }
}
