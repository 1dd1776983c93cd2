//! Schemas, parsed once per process.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use apache_avro::schema::Name;
use serde_json::Value as Json;

use crate::bounds::MOST_ROOM;

/// One schema, parsed.
pub(crate) struct Compiled {
    /// For resolution against another writer's schema.
    pub resolving: apache_avro::Schema,
    /// The record's name.
    pub name: ReaderName,
    /// For every branch of the union `data`, if there is one: its record name, and this
    /// schema with that branch alone in the place of the union.
    pub branches: Vec<(ReaderName, apache_avro::Schema)>,
}

/// The name of a type of this build's, and which names of a writer mean it.
pub(crate) struct ReaderName {
    /// With its namespace.
    pub full: String,
    /// Without it.
    pub short: String,
    /// Names it had before, in full.
    aliases: Vec<String>,
}

impl ReaderName {
    fn of(schema: &apache_avro::Schema) -> Option<Self> {
        let name = schema.name()?;
        let aliases = schema.aliases().into_iter().flatten();
        Some(Self {
            full: name.fullname(None),
            short: name.name().to_owned(),
            aliases: aliases.map(|alias| alias.fullname(name.namespace())).collect(),
        })
    }

    /// Whether a writer's `name` means this type. By Avro's rules, and the registry compares in the same way, a
    /// namespace makes no difference, and an alias must be the whole name.
    pub(crate) fn is(&self, name: &Name) -> bool {
        self.short == name.name() || self.aliases.contains(&name.fullname(None))
    }
}

/// Parses `text`, once per process: a schema is a constant of the build, so what is
/// leaked is bounded by the number of schemas.
pub(crate) fn compile(text: &str) -> Result<&'static Compiled, String> {
    static KNOWN: OnceLock<Mutex<HashMap<String, &'static Compiled>>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        // before anything is decoded; once for the process
        apache_avro::util::max_allocation_bytes(MOST_ROOM);
        Mutex::default()
    });
    let mut known = known.lock().expect("no holder of this lock can panic");
    if let Some(compiled) = known.get(text) {
        return Ok(compiled);
    }
    let resolving = apache_avro::Schema::parse_str(text).map_err(|e| e.to_string())?;
    let name = record_name(&resolving).and_then(|_| ReaderName::of(&resolving));
    let name = name.ok_or("the schema is not a record")?;
    let names = branches(&resolving).iter().filter_map(ReaderName::of).collect::<Vec<_>>();
    let narrowed = narrowed(text)?;
    if names.len() != narrowed.len() {
        return Err("a branch of `data` has no name".to_owned());
    }
    let branches = names.into_iter().zip(narrowed).collect();
    let compiled: &'static Compiled = Box::leak(Box::new(Compiled { resolving, name, branches }));
    known.insert(text.to_owned(), compiled);
    Ok(compiled)
}

/// The name of a record schema.
pub(crate) fn record_name(schema: &apache_avro::Schema) -> Option<&Name> {
    match schema {
        apache_avro::Schema::Record(record) => Some(&record.name),
        _ => None,
    }
}

/// The branches of `data`, in the union's order; none where it is no union.
pub(crate) fn branches(schema: &apache_avro::Schema) -> &[apache_avro::Schema] {
    let apache_avro::Schema::Record(record) = schema else { return &[] };
    let Some(data) = record.fields.iter().find(|field| field.name == DATA) else { return &[] };
    match &data.schema {
        apache_avro::Schema::Union(union) => union.variants(),
        _ => &[],
    }
}

/// The field that holds the message in every envelope.
pub(crate) const DATA: &str = "data";

/// `apache-avro` picks the branch of a union by the shape of a value, and messages may have
/// the same shape (`FollowUser`, `UnfollowUser`). So the branch is found by name, and the
/// rest is resolved against a schema that has no other.
fn narrowed(text: &str) -> Result<Vec<apache_avro::Schema>, String> {
    let schema: Json = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let Some(at) = data_field(&schema) else { return Ok(Vec::new()) };
    let Some(branches) = schema["fields"][at]["type"].as_array() else { return Ok(Vec::new()) };
    let mut definitions = HashMap::new();
    collect_definitions(&schema, &mut definitions);
    branches
        .iter()
        .map(|branch| {
            let mut only = schema.clone();
            only["fields"][at]["type"] = branch.clone();
            define_at_first_use(&mut only, &definitions, &mut Vec::new());
            apache_avro::Schema::parse_str(&only.to_string()).map_err(|e| e.to_string())
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
