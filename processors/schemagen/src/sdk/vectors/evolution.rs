//! What other versions of a schema have written: those that were released, and two that are made of today's, as an older and a
//! newer one would be.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::values::{Look, Values, encode, shown};
use super::{Topic, framed, hex, lines, schema_id, with_type};
use crate::SchemagenError;
use crate::avro::{self, Record, Type};

/// What a newer version calls a message that there is not yet.
const LATER: &str = "InventedLater";

/// The vectors of all topics, and the schemas they were written with.
#[derive(Default)]
pub struct Evolved {
    schemas: Vec<Value>,
    vectors: Vec<Value>,
}

impl Evolved {
    /// Adds those of a topic.
    pub fn add(
        &mut self,
        topic: &Topic,
        domain: &str,
        folders: &[impl AsRef<Path>],
        ids_taken: &mut BTreeSet<u32>,
    ) -> Result<(), SchemagenError> {
        let mut older = topic.schema.clone();
        without_nullable(&mut older);
        let mut newer = topic.schema.clone();
        with_more(&mut newer);
        let of = topic.name.rsplit('.').next().unwrap_or_default();
        let mut versions = vec![("older".to_owned(), older), ("newer".to_owned(), newer)];
        for folder in folders {
            let folder = folder.as_ref();
            if folder.file_name().is_some_and(|name| name == domain) {
                versions.extend(released(folder, of)?);
            }
        }
        for (version, schema) in versions {
            let writer = avro::parse(&schema).map_err(|message| SchemagenError::Invalid {
                file: format!("{} ({version})", topic.name),
                message,
            })?;
            let name = format!("{}, {version}", topic.name);
            let id = schema_id(&name, ids_taken);
            self.schemas.push(
                json!({"id": id, "topic": topic.name, "version": version, "schema": schema.to_string()}),
            );
            self.written(&mut Values::seeded(&name), topic, &version, &writer, id);
        }
        Ok(())
    }

    fn written(&mut self, values: &mut Values, topic: &Topic, version: &str, writer: &Record, id: u32) {
        let branches = match writer.field("data").map(|field| &field.kind) {
            Some(Type::Union(branches)) => branches.len(),
            _ => 1,
        };
        for branch in 0..branches {
            for look in [Look::Strange, Look::Any] {
                let value = values.message(writer, branch, look);
                let mut bytes = Vec::new();
                encode(&Type::Record(Box::new(writer.clone())), &value, &mut bytes);
                let kind = super::message_type(writer, branch);
                let own = kind.and_then(|kind| own_branch(&topic.record, kind));
                let mut vector = json!({
                    "name": format!("{}/{version}/{}{look:?}", topic.name, kind.map(|it| format!("{it}/")).unwrap_or_default()),
                    "topic": topic.name,
                    "schema_id": id,
                    "framed": hex(&framed(id, &bytes)),
                });
                match (kind, own) {
                    (Some(kind), None) => {
                        let mut envelope = topic.record.clone();
                        envelope.fields.retain(|field| field.name != "data");
                        vector["unknown"] = with_type(as_read(&envelope, &value), Some(kind));
                    }
                    _ => {
                        let mut read = topic.record.clone();
                        if let Some((at, own)) = own
                            && let Some(data) = read.fields.get_mut(at)
                        {
                            data.kind = Type::Record(Box::new(own.clone()));
                        }
                        let mut value = value;
                        if let Some(message) = value.get_mut("data") {
                            *message = message["value"].take();
                        }
                        vector["value"] = with_type(as_read(&read, &value), kind);
                    }
                }
                self.vectors.push(vector);
            }
        }
    }

    /// The file.
    pub fn file(&self) -> String {
        let schemas: Vec<String> = self.schemas.iter().map(Value::to_string).collect();
        let text = lines(&[], &self.vectors);
        text.replacen("{\n", &format!("{{\n\"schemas\": [\n{}\n],\n", schemas.join(",\n")), 1)
    }
}

/// The field of the messages, and the message of this name.
fn own_branch<'a>(record: &'a Record, name: &str) -> Option<(usize, &'a Record)> {
    let at = record.fields.iter().position(|field| field.name == "data")?;
    match &record.fields.get(at)?.kind {
        Type::Union(branches) => branches.iter().find(|it| it.name == name).map(|it| (at, it)),
        _ => None,
    }
}

/// What today's reader makes of it: fields that it does not have are gone, those that were not written are null.
fn as_read(record: &Record, value: &Value) -> Value {
    shown(record, &filled(record, value), true)
}

fn filled(record: &Record, value: &Value) -> Value {
    let mut fields = Map::new();
    for field in &record.fields {
        let found = value.get(&field.name).cloned();
        // `epoch`, the only default that is no null
        let otherwise = if matches!(field.kind, Type::Int) { json!(0) } else { Value::Null };
        fields.insert(field.name.clone(), filled_as(&field.kind, found.unwrap_or(otherwise)));
    }
    Value::Object(fields)
}

fn filled_as(kind: &Type, value: Value) -> Value {
    match (kind, value) {
        (_, Value::Null) => Value::Null,
        (Type::Nullable(inner), value) => filled_as(inner, value),
        (Type::Array(items), Value::Array(all)) => {
            all.into_iter().map(|item| filled_as(items, item)).collect()
        }
        (Type::Record(record), value) => filled(record, &value),
        (_, value) => value,
    }
}

/// An older version: what may be null was not there. The envelope of commands and events had its metadata.
fn without_nullable(schema: &mut Value) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(without_nullable),
        Value::Object(members) => {
            if let Some(Value::Array(fields)) = members.get_mut("fields") {
                fields.retain(|field| {
                    let defines = field["type"].to_string().contains("\"fields\"");
                    field.get("default").is_none() || defines
                });
            }
            for key in ["type", "items", "fields"] {
                if let Some(inner) = members.get_mut(key) {
                    without_nullable(inner);
                }
            }
        }
        _ => {}
    }
}

/// A newer version: a message that there is not yet, in front of all others; a field more in each record.
fn with_more(schema: &mut Value) {
    fn more(schema: &mut Value) {
        match schema {
            Value::Array(all) => all.iter_mut().for_each(more),
            Value::Object(members) => {
                for key in ["type", "items", "fields"] {
                    if let Some(inner) = members.get_mut(key) {
                        more(inner);
                    }
                }
                if let Some(Value::Array(fields)) = members.get_mut("fields") {
                    let added = json!({"name": "added_later", "type": ["null", {"type": "array", "items": "string"}], "default": null, "doc": "Later."});
                    // not behind the messages, which come last
                    fields.insert(fields.len() / 2, added);
                }
            }
            _ => {}
        }
    }
    more(schema);
    if let Some(fields) = schema["fields"].as_array_mut()
        && let Some(data) = fields.iter_mut().find(|field| field["name"] == "data")
        && let Some(branches) = data["type"].as_array_mut()
    {
        branches.insert(
            0,
            json!({"type": "record", "name": LATER, "doc": "Later.", "fields": [{"name": "what", "type": {"type": "array", "items": "long"}, "doc": "What."}]}),
        );
    }
}

/// The versions of this topic's schema that were released: `released/<version>/<of>.avsc`.
fn released(folder: &Path, of: &str) -> Result<Vec<(String, Value)>, SchemagenError> {
    let folder = folder.join("released");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| SchemagenError::File { path, source }
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed(&folder))? {
        let version = entry.map_err(failed(&folder))?.path();
        let file = version.join(format!("{of}.avsc"));
        if file.is_file() {
            let text = fs::read_to_string(&file).map_err(failed(&file))?;
            let schema = serde_json::from_str(&text).map_err(|error| SchemagenError::Invalid {
                file: file.display().to_string(),
                message: format!("not JSON: {error}"),
            })?;
            found.push((version.file_name().unwrap_or_default().to_string_lossy().into_owned(), schema));
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}
