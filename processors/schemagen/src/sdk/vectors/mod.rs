//! The vectors that hold the packages equal: values, their bytes, keys and partitions, from a seed; what must fail; and what
//! other versions of a schema have written.

mod evolution;
mod invalid;
mod values;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use millrace_kernel::{id, partition};
use serde_json::{Value, json};

use super::Files;
use super::model::{Domain, Model};
use crate::SchemagenError;
use crate::address::Address;
use crate::avro::{self, Record, Type};
use values::{Look, Values, encode, shown};

/// Each message in so many shapes.
const EACH: usize = 18;
/// For how many partitions each key is placed.
const PARTITIONS: [i32; 5] = [1, 3, 4, 12, 64];

/// A topic whose messages are written.
struct Topic {
    /// `chirp.events`
    name: String,
    /// What the vectors have for the registry's id.
    schema_id: u32,
    /// The schema as it is registered.
    schema: Value,
    /// The same, as a tree.
    record: Record,
    /// Where messages belong, branch by branch; empty for outcomes.
    addresses: Vec<Address>,
}

/// The files of `vectors/`.
///
/// # Errors
/// As of [`super::sdk`].
pub fn files(model: &Model, folders: &[impl AsRef<Path>]) -> Result<Files, SchemagenError> {
    let mut files = Files::new();
    let (mut invalid, mut evolved) = (Vec::new(), evolution::Evolved::default());
    let mut ids_taken = BTreeSet::new();
    for domain in &model.domains {
        let topics = topics(domain, &mut ids_taken)?;
        let vectors: Vec<Value> = topics.iter().flat_map(|topic| messages(&domain.name, topic)).collect();
        for topic in &topics {
            invalid.extend(invalid::of(topic));
            evolved.add(topic, &domain.name, folders, &mut ids_taken)?;
        }
        let ids = topics
            .iter()
            .map(|topic| (topic.name.clone(), json!({"schema_id": topic.schema_id})))
            .collect::<serde_json::Map<_, _>>();
        let file = lines(&[("topics", Value::Object(ids))], &vectors);
        files.insert(PathBuf::from(format!("{}.json", domain.name)), file);
    }
    files.insert(PathBuf::from("invalid.json"), lines(&[], &invalid));
    files.insert(PathBuf::from("evolution.json"), evolved.file());
    files.insert(PathBuf::from("ids.json"), lines(&[], &ids()));
    files.insert(PathBuf::from("keys.json"), lines(&[], &keys()));
    Ok(files)
}

/// A file whose diff is readable: members first, then a vector a line.
fn lines(members: &[(&str, Value)], vectors: &[Value]) -> String {
    let mut text = String::from("{\n");
    for (name, value) in members {
        text.push_str(&format!("{}: {value},\n", Value::from(*name)));
    }
    let all: Vec<String> = vectors.iter().map(Value::to_string).collect();
    text.push_str(&format!("\"vectors\": [\n{}\n]\n}}\n", all.join(",\n")));
    text
}

/// The registry's id that vectors have for what is called so: it follows from the name, so that what is added elsewhere changes no
/// vector.
fn schema_id(name: &str, taken: &mut BTreeSet<u32>) -> u32 {
    let mut id = partition::murmur2(name.as_bytes()) >> 1;
    while !taken.insert(id) {
        id += 1;
    }
    id
}

fn topics(domain: &Domain, ids_taken: &mut BTreeSet<u32>) -> Result<Vec<Topic>, SchemagenError> {
    let all = [
        ("commands", &domain.commands.schema, addresses(&domain.commands)),
        ("events", &domain.events.schema, addresses(&domain.events)),
        ("outcomes", &domain.outcomes, Vec::new()),
    ];
    all.into_iter()
        .map(|(of, schema, addresses)| {
            let name = format!("{}.{of}", domain.name);
            let schema_id = schema_id(&name, ids_taken);
            let wrong = |message: String| SchemagenError::Invalid { file: name.clone(), message };
            let schema: Value = serde_json::from_str(schema).map_err(|error| wrong(error.to_string()))?;
            let mut record = avro::parse(&schema).map_err(&wrong)?;
            let own = match of {
                "commands" => Some(&domain.commands),
                "events" => Some(&domain.events),
                _ => None,
            };
            if let (Some(own), Some(data)) =
                (own, record.fields.iter_mut().find(|field| field.name == "data"))
            {
                data.kind = Type::Union(own.messages.iter().map(|it| it.record.clone()).collect());
            }
            Ok(Topic { name, schema_id, schema, record, addresses })
        })
        .collect()
}

fn addresses(topic: &super::model::Topic) -> Vec<Address> {
    topic.messages.iter().map(|it| it.address.clone()).collect()
}

/// The vectors of a topic. Each message has a seed of its own: those of others stay as they are when one is added.
fn messages(domain: &str, topic: &Topic) -> Vec<Value> {
    let mut all = Vec::new();
    for branch in 0..topic.addresses.len().max(1) {
        let kind = message_type(&topic.record, branch).unwrap_or_default();
        let mut values = Values::seeded(&format!("{}/{kind}", topic.name));
        for look in 0..EACH {
            let value = values.message(&topic.record, branch, Look::of(look));
            all.push(vector(domain, topic, branch, look, &value));
        }
    }
    all
}

fn vector(domain: &str, topic: &Topic, branch: usize, look: usize, value: &Value) -> Value {
    let mut bytes = Vec::new();
    encode(&Type::Record(Box::new(topic.record.clone())), value, &mut bytes);
    let kind = message_type(&topic.record, branch);
    let mut vector = json!({
        "name": format!("{}/{}{look}", topic.name, kind.map(|it| format!("{it}/")).unwrap_or_default()),
        "domain": domain,
        "topic": topic.name,
        "value": with_type(shown(&topic.record, value, true), kind),
        "bytes": hex(&bytes),
        "framed": hex(&framed(topic.schema_id, &bytes)),
        "json": gateway(topic, value, kind).to_string(),
    });
    if let Some(address) = topic.addresses.get(branch) {
        let (id, key) = placed(address, &value["data"]["value"]);
        vector["aggregate_id"] = id.into();
        vector["partition"] = partitions(&key);
        vector["key"] = key.into();
    }
    vector
}

/// The name of a branch of the union of messages.
fn message_type(record: &Record, branch: usize) -> Option<&str> {
    match record.field("data").map(|field| &field.kind) {
        Some(Type::Union(branches)) => branches.get(branch).map(|it| it.name.as_str()),
        _ => None,
    }
}

fn with_type(mut value: Value, kind: Option<&str>) -> Value {
    if let Some(kind) = kind {
        value["type"] = kind.into();
    }
    value
}

/// What the gateway's API has for it: of a command the body of a request, of all others the message itself.
fn gateway(topic: &Topic, value: &Value, kind: Option<&str>) -> Value {
    let shown = shown(&topic.record, value, false);
    if !topic.name.ends_with(".commands") {
        return with_type(shown, kind);
    }
    let metadata = shown["metadata"].as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let metadata: serde_json::Map<_, _> =
        metadata.map(|(name, value)| (name.clone(), value.clone())).collect();
    json!({"data": shown["data"], "metadata": metadata})
}

/// Aggregate id and routing key of a message.
fn placed(address: &Address, data: &Value) -> (String, String) {
    let parts: Vec<String> = address
        .parts
        .iter()
        .map(|part| {
            let text = data[&part.field].as_str().unwrap_or_default();
            if part.is_lower { text.to_ascii_lowercase() } else { text.to_owned() }
        })
        .collect();
    let id = parts.iter().map(|part| format!("/{part}")).collect::<String>();
    (format!("{}{id}", address.kind), parts.into_iter().next().unwrap_or_default())
}

fn partitions(key: &str) -> Value {
    let all = PARTITIONS.map(|of| (of.to_string(), partition::of_key(key.as_bytes(), of).into()));
    Value::Object(all.into_iter().collect())
}

fn framed(schema_id: u32, body: &[u8]) -> Vec<u8> {
    [&[0], &schema_id.to_be_bytes()[..], body].concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Ids that are derived.
fn ids() -> Vec<Value> {
    let mut all = Vec::new();
    for message in ["c1", "0190e5a2-7b1c-7e2f-9d40-1f2e3d4c5b6a", "a:b.c_d-e", &"x".repeat(64)] {
        for index in [0, 1, 9, 10, 4_711] {
            all.push(json!({"of": "event", "message": message, "index": index, "id": id::event_id(message, index)}));
        }
        for step in ["ClaimUsername/ann/0", "CreditTransfer/b1/12", "Ünïcode/ключ/3"] {
            all.push(
                json!({"of": "step", "process": message, "step": step, "id": id::step_id(message, step)}),
            );
        }
    }
    all
}

/// Keys of every length and of letters that clients hash wrongly, each with its partition.
fn keys() -> Vec<Value> {
    let mut values = Values::seeded("keys");
    let mut all: Vec<String> = (0..40).map(|length| "x".repeat(length)).collect();
    all.extend((0..200).map(|number| format!("key-{number}")));
    all.extend((0..260).map(|_| values.text()));
    let vector = |key: &String| {
        let hash = partition::murmur2(key.as_bytes());
        json!({"key": key, "murmur2": hash, "partition": partitions(key)})
    };
    all.iter().map(vector).collect()
}
