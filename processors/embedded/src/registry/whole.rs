//! A schema with everything it refers to written out in it: what clients send that have one text for all of it, such as
//! the classes that Avro generates. It is the same schema.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

use serde_json::{Map, Value};

/// How deep a schema may be written out. No deeper one can be sent: the parser of JSON takes no more.
const MAX_DEPTH: usize = 128;

/// Keyed anew in each process, so that nobody can look for two schemas with the same print.
static PRINTS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// A print of a normalised schema, written out with the definitions of those `before` it; none where it would be too deep.
pub(super) fn print_of(before: &[Value], tree: &Value) -> Option<u64> {
    let mut definitions = HashMap::new();
    for tree in before {
        fold(tree, &mut definitions);
    }
    let outline = fold(tree, &mut definitions);
    Some(PRINTS.hash_one(unfold(&outline, &mut definitions, 0)?.to_string()))
}

/// Takes the definitions out of a schema and leaves their names.
fn fold(node: &Value, definitions: &mut HashMap<String, Value>) -> Value {
    match node {
        Value::Array(branches) => branches.iter().map(|branch| fold(branch, definitions)).collect(),
        Value::Object(members) => {
            let folded = with_types(members, &mut |inner| Some(fold(inner, definitions)));
            let folded = folded.map_or_else(|| node.clone(), Value::Object);
            match name_of(members) {
                Some(name) => {
                    definitions.insert(name.to_owned(), folded);
                    Value::String(name.to_owned())
                }
                None => folded,
            }
        }
        other => other.clone(),
    }
}

/// Puts each definition where its name comes first.
fn unfold(node: &Value, definitions: &mut HashMap<String, Value>, depth: usize) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    match node {
        Value::String(name) => match definitions.remove(name) {
            Some(definition) => unfold(&definition, definitions, depth + 1),
            None => Some(node.clone()),
        },
        Value::Array(branches) => {
            let branches = branches.iter().map(|branch| unfold(branch, definitions, depth + 1));
            branches.collect::<Option<_>>().map(Value::Array)
        }
        Value::Object(members) => {
            with_types(members, &mut |inner| unfold(inner, definitions, depth + 1)).map(Value::Object)
        }
        other => Some(other.clone()),
    }
}

/// The name of a type that is defined there.
fn name_of(members: &Map<String, Value>) -> Option<&str> {
    let kind = members.get("type")?.as_str()?;
    matches!(kind, "record" | "error" | "enum" | "fixed").then(|| members.get("name")?.as_str()).flatten()
}

/// A type with others in place of the types in it.
fn with_types(
    members: &Map<String, Value>,
    other: &mut dyn FnMut(&Value) -> Option<Value>,
) -> Option<Map<String, Value>> {
    let mut result = Map::new();
    for (key, value) in members {
        let value = match (key.as_str(), value) {
            ("items" | "values", inner) => other(inner)?,
            ("fields", Value::Array(fields)) => {
                let fields = fields.iter().map(|field| match field {
                    Value::Object(field) => with_type(field, other).map(Value::Object),
                    unknown => Some(unknown.clone()),
                });
                fields.collect::<Option<_>>().map(Value::Array)?
            }
            _ => value.clone(),
        };
        result.insert(key.clone(), value);
    }
    Some(result)
}

/// A field with another type.
fn with_type(
    field: &Map<String, Value>,
    other: &mut dyn FnMut(&Value) -> Option<Value>,
) -> Option<Map<String, Value>> {
    let members = field.iter().map(|(key, value)| {
        let value = if key == "type" { other(value)? } else { value.clone() };
        Some((key.clone(), value))
    });
    members.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(name: &str, fields: Value) -> Value {
        json!({"type": "record", "name": name, "fields": fields})
    }

    fn field(name: &str, kind: Value) -> Value {
        json!({"name": name, "type": kind, "default": {"name": "n", "type": "record"}})
    }

    #[test]
    fn what_is_written_out_is_the_same_as_what_refers_to_it() {
        let street = json!({"type": "enum", "name": "Street", "symbols": ["a"]});
        let address =
            |street: Value| record("Address", json!([field("s", street), field("t", json!("Street"))]));
        let customer = |address: Value| {
            let again = json!(["null", "Customer", {"type": "map", "values": "Address"}]);
            record("Customer", json!([field("home", address), field("others", again)]))
        };
        let whole = customer(address(street.clone()));
        let by_two = print_of(&[street.clone(), address(json!("Street"))], &customer(json!("Address")));
        let by_one = print_of(&[address(street.clone())], &customer(json!("Address")));
        assert!(by_two.is_some() && by_two == by_one);
        assert_eq!(by_two, print_of(&[], &whole));
        // Where a definition stands among those before does not matter; what it says does.
        let other = json!({"type": "enum", "name": "Street", "symbols": ["b"]});
        assert_ne!(by_two, print_of(&[other, address(json!("Street"))], &customer(json!("Address"))));
        // What is defined there and not used is no part of it.
        assert_eq!(
            by_two,
            print_of(
                &[street, record("Unused", json!([])), address(json!("Street"))],
                &customer(json!("Address"))
            )
        );
    }

    #[test]
    fn a_chain_that_is_too_long_to_be_written_out_has_no_print() {
        let link = |n: usize| record(&format!("R{n}"), json!([field("next", json!(format!("R{}", n + 1)))]));
        let chain: Vec<Value> = (1..1_000).map(link).collect();
        assert_eq!(print_of(&chain, &link(0)), None);
        assert!(print_of(&chain[..50], &link(0)).is_some());
    }
}
