//! Schemas, parsed once per process.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use serde_json::Value as Json;

/// One schema, parsed.
pub(crate) struct Compiled {
    /// For resolution against another writer's schema.
    pub resolving: apache_avro::Schema,
    /// The record's full name.
    pub full_name: String,
    /// For every branch of the union `data`, if there is one: its record name, and this
    /// schema with that branch alone in the place of the union.
    pub branches: Vec<(String, apache_avro::Schema)>,
}

/// Parses `text`, once per process: a schema is a constant of the build, so what is
/// leaked is bounded by the number of schemas.
pub(crate) fn compile(text: &str) -> Result<&'static Compiled, String> {
    static KNOWN: OnceLock<Mutex<HashMap<String, &'static Compiled>>> = OnceLock::new();
    let known = KNOWN.get_or_init(Mutex::default);
    let mut known = known.lock().expect("no holder of this lock can panic");
    if let Some(compiled) = known.get(text) {
        return Ok(compiled);
    }
    let resolving = apache_avro::Schema::parse_str(text).map_err(|e| e.to_string())?;
    let full_name = full_name(&resolving).ok_or("the schema is not a record")?;
    let branches = narrowed(text)?;
    let compiled: &'static Compiled = Box::leak(Box::new(Compiled { resolving, full_name, branches }));
    known.insert(text.to_owned(), compiled);
    Ok(compiled)
}

/// The full name of a record schema.
pub(crate) fn full_name(schema: &apache_avro::Schema) -> Option<String> {
    match schema {
        apache_avro::Schema::Record(record) => Some(record.name.fullname(None)),
        _ => None,
    }
}

/// The record names of the branches of `data`, in the union's order.
pub(crate) fn branch_names(schema: &apache_avro::Schema) -> Vec<String> {
    let apache_avro::Schema::Record(record) = schema else { return Vec::new() };
    let Some(data) = record.fields.iter().find(|field| field.name == DATA) else { return Vec::new() };
    let apache_avro::Schema::Union(union) = &data.schema else { return Vec::new() };
    let name = |branch: &apache_avro::Schema| branch.name().map_or_else(String::new, |n| n.name().to_owned());
    union.variants().iter().map(name).collect()
}

/// The field that holds the message in every envelope.
pub(crate) const DATA: &str = "data";

/// `apache-avro` picks the branch of a union by the shape of a value, and messages may have
/// the same shape (`FollowUser`, `UnfollowUser`). So the branch is found by name, and the
/// rest is resolved against a schema that has no other.
fn narrowed(text: &str) -> Result<Vec<(String, apache_avro::Schema)>, String> {
    let schema: Json = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let Some(at) = data_field(&schema) else { return Ok(Vec::new()) };
    let Some(branches) = schema["fields"][at]["type"].as_array() else { return Ok(Vec::new()) };
    let mut definitions = HashMap::new();
    collect_definitions(&schema, &mut definitions);
    branches
        .iter()
        .map(|branch| {
            let name = branch["name"].as_str().ok_or("a branch of `data` is not a record")?;
            let mut only = schema.clone();
            only["fields"][at]["type"] = branch.clone();
            define_at_first_use(&mut only, &definitions, &mut Vec::new());
            let only = apache_avro::Schema::parse_str(&only.to_string()).map_err(|e| e.to_string())?;
            Ok((name.to_owned(), only))
        })
        .collect()
}

fn data_field(schema: &Json) -> Option<usize> {
    schema["fields"].as_array()?.iter().position(|field| field["name"] == DATA)
}

/// Every named type that is defined anywhere in `schema`, by its short name.
fn collect_definitions(schema: &Json, definitions: &mut HashMap<String, Json>) {
    match schema {
        Json::Object(object) => {
            if let (Some(name), Some("record" | "enum" | "fixed")) =
                (object.get("name").and_then(Json::as_str), object.get("type").and_then(Json::as_str))
            {
                definitions.insert(name.to_owned(), schema.clone());
            }
            object.values().for_each(|value| collect_definitions(value, definitions));
        }
        Json::Array(items) => items.iter().for_each(|item| collect_definitions(item, definitions)),
        _ => {}
    }
}

/// Puts a type's definition where it is first used, now that the branch that held it may
/// be gone.
fn define_at_first_use(schema: &mut Json, definitions: &HashMap<String, Json>, defined: &mut Vec<String>) {
    match schema {
        Json::String(name) => {
            let short = name.rsplit('.').next().unwrap_or(name).to_owned();
            if let Some(definition) = definitions.get(&short).filter(|_| !defined.contains(&short)) {
                *schema = definition.clone();
                define_at_first_use(schema, definitions, defined);
            }
        }
        Json::Array(items) => {
            items.iter_mut().for_each(|item| define_at_first_use(item, definitions, defined));
        }
        Json::Object(object) => {
            if object.contains_key("name") && object.get("fields").is_some_and(Json::is_array) {
                defined.extend(object["name"].as_str().map(str::to_owned));
            }
            for key in ["type", "items", "values"] {
                if let Some(inner) = object.get_mut(key) {
                    define_at_first_use(inner, definitions, defined);
                }
            }
            if let Some(Json::Array(fields)) = object.get_mut("fields") {
                for field in fields {
                    define_at_first_use(&mut field["type"], definitions, defined);
                }
            }
        }
        _ => {}
    }
}
