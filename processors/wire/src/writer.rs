//! A writer's schema, which anybody may have registered, parsed within bounds.
//!
//! `apache-avro` looks at the defaults of fields once for every way that leads to them, which is two to the power of the
//! number of types, and copies each definition once for every level above it and every alias. So it is given what a
//! reader of the writer's values needs and nothing else, and only if that stays small when all copies are counted.

use apache_avro::Schema;
use serde_json::{Map, Value};

/// Longest schema that is looked at, in bytes.
const MOST_LENGTH: usize = 1 << 20;

/// Bytes that a schema may come to when everything in it is counted once for each level it lies under. This build's
/// own come to a tenth of a megabyte.
const MOST_COPIED: usize = 16 << 20;

/// What says how values are written. Defaults are not among it: those of the reader count.
const NEEDED: [&str; 12] = [
    "type",
    "name",
    "namespace",
    "aliases",
    "fields",
    "items",
    "values",
    "symbols",
    "size",
    "logicalType",
    "precision",
    "scale",
];

/// The schema in `text`, without what only readers need; or what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Schema, String> {
    if text.len() > MOST_LENGTH {
        return Err(format!("has {} bytes, more than the {MOST_LENGTH} allowed", text.len()));
    }
    let mut json: Value = serde_json::from_str(text).map_err(|error| format!("is not Avro: {error}"))?;
    strip(&mut json);
    let mut copied = 0;
    weigh(&json, &mut copied);
    if copied > MOST_COPIED {
        return Err(format!(
            "is nested too deeply for its size: {copied} bytes with everything counted once for each level it lies \
             under and each alias, {MOST_COPIED} are allowed"
        ));
    }
    Schema::parse(&json).map_err(|error| format!("is not Avro: {error}"))
}

/// Keeps of every object what is [`NEEDED`].
fn strip(json: &mut Value) {
    match json {
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Object(members) => {
            members.retain(|key, _| NEEDED.contains(&key.as_str()));
            members.values_mut().for_each(strip);
        }
        _ => {}
    }
}

/// Roughly the bytes of a value; adds to `copied` what a copy of each object in it takes, once more for each alias.
fn weigh(json: &Value, copied: &mut usize) -> usize {
    8 + match json {
        Value::String(text) => text.len() + 16,
        Value::Array(items) => 16 + items.iter().map(|item| weigh(item, copied)).sum::<usize>(),
        Value::Object(members) => {
            let inside: usize =
                members.iter().map(|(key, value)| key.len() + 16 + weigh(value, copied)).sum();
            *copied = copied.saturating_add(inside.saturating_mul(1 + aliases(members)));
            inside
        }
        _ => 16,
    }
}

fn aliases(members: &Map<String, Value>) -> usize {
    members.get("aliases").and_then(Value::as_array).map_or(0, Vec::len)
}
