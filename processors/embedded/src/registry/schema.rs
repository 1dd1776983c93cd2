//! Avro schemas as the registry sees them: checked, with full names, and with one spelling for one meaning.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Types that are not defined by a schema.
const PRIMITIVES: [&str; 8] = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];

/// A checked schema, spelled in one way.
///
/// Every name in it is a full name, `{"type": "string"}` is `"string"` and object members are sorted; everything
/// that means something to some reader (defaults, aliases, documentation, properties) is kept. So two texts are one
/// schema exactly when their trees are equal, and compatibility can be checked on the tree.
#[derive(Clone, Debug)]
pub struct AvroSchema {
    tree: Value,
    types: BTreeMap<String, Value>,
}

impl AvroSchema {
    /// Checks and normalises a schema's text; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        apache_avro::Schema::parse_str(text).map_err(|error| error.to_string())?;
        // A bare name such as `string` without quotes is no JSON, but a quoted one is a schema.
        let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut types = BTreeMap::new();
        let tree = normalise(&json, "", &mut types)?;
        Ok(Self { tree, types })
    }

    /// The one spelling: what two texts of the same schema have in common.
    pub fn canonical(&self) -> String {
        self.tree.to_string()
    }

    /// The whole schema as a tree.
    pub(super) fn tree(&self) -> &Value {
        &self.tree
    }

    /// What a node stands for: the definition, where it is a name.
    pub(super) fn resolve<'a>(&'a self, node: &'a Value) -> &'a Value {
        node.as_str().and_then(|name| self.types.get(name)).unwrap_or(node)
    }
}

/// One node with full names and sorted members; definitions are also noted in `types`.
fn normalise(node: &Value, namespace: &str, types: &mut BTreeMap<String, Value>) -> Result<Value, String> {
    match node {
        Value::String(name) => Ok(Value::String(reference(name, namespace))),
        Value::Array(branches) => branches.iter().map(|branch| normalise(branch, namespace, types)).collect(),
        Value::Object(members) => object(members, namespace, types),
        other => Err(format!("{other} is no schema")),
    }
}

fn object(
    members: &Map<String, Value>,
    namespace: &str,
    types: &mut BTreeMap<String, Value>,
) -> Result<Value, String> {
    let kind = match members.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        // {"type": {…}} and {"type": […]} are the schema within.
        Some(inner) => return normalise(inner, namespace, types),
        None => return Err(format!("{} lacks a type", Value::Object(members.clone()))),
    };
    let mut result: BTreeMap<String, Value> =
        members.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
    match kind {
        "record" | "error" | "enum" | "fixed" => {
            let name = full_name(members, namespace)?;
            let own_namespace = name.rsplit_once('.').map_or("", |(space, _)| space).to_owned();
            result.remove("namespace");
            result.insert("name".to_owned(), Value::String(name.clone()));
            if let Some(Value::Array(aliases)) = members.get("aliases") {
                let full =
                    aliases.iter().filter_map(Value::as_str).map(|alias| reference(alias, &own_namespace));
                result.insert("aliases".to_owned(), full.map(Value::String).collect());
            }
            if let Some(Value::Array(fields)) = members.get("fields") {
                let fields = fields.iter().map(|field| self::field(field, &own_namespace, types));
                result.insert("fields".to_owned(), fields.collect::<Result<_, _>>()?);
            }
            let definition = Value::Object(result.into_iter().collect());
            types.insert(name, definition.clone());
            return Ok(definition);
        }
        "array" | "map" => {
            let member = if kind == "array" { "items" } else { "values" };
            let inner = members.get(member).ok_or_else(|| format!("{kind} lacks {member}"))?;
            result.insert(member.to_owned(), normalise(inner, namespace, types)?);
        }
        name if result.len() == 1 || !PRIMITIVES.contains(&name) => {
            return Ok(Value::String(reference(name, namespace)));
        }
        _ => {}
    }
    Ok(Value::Object(result.into_iter().collect()))
}

fn field(field: &Value, namespace: &str, types: &mut BTreeMap<String, Value>) -> Result<Value, String> {
    let members = field.as_object().ok_or_else(|| format!("{field} is no field"))?;
    let kind = members.get("type").ok_or_else(|| format!("{field} lacks a type"))?;
    let mut result: BTreeMap<String, Value> =
        members.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
    result.insert("type".to_owned(), normalise(kind, namespace, types)?);
    Ok(Value::Object(result.into_iter().collect()))
}

/// The full name a definition gives itself.
fn full_name(members: &Map<String, Value>, enclosing: &str) -> Result<String, String> {
    let name = members.get("name").and_then(Value::as_str).ok_or("a named type lacks its name")?;
    let namespace = members.get("namespace").and_then(Value::as_str).unwrap_or(enclosing);
    Ok(qualified(name, namespace))
}

/// The full name of a type that is referred to; primitives have none.
fn reference(name: &str, namespace: &str) -> String {
    if PRIMITIVES.contains(&name) { name.to_owned() } else { qualified(name, namespace) }
}

fn qualified(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

/// Any JSON with the members of its objects in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(members) => {
            let members: BTreeMap<String, Value> =
                members.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            Value::Object(members.into_iter().collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(left: &str, right: &str) -> bool {
        AvroSchema::parse(left).unwrap().canonical() == AvroSchema::parse(right).unwrap().canonical()
    }

    #[test]
    fn spelling_does_not_make_a_schema() {
        assert!(same(r#""string""#, r#" {"type" : "string"} "#));
        assert!(same(
            r#"{"type":"record","name":"a.R","fields":[{"name":"f","type":{"type":"int"}},{"name":"r","type":["null","R"]}]}"#,
            r#"{"name":"R","namespace":"a","fields":[{"type":"int","name":"f"},{"name":"r","type":["null","a.R"]}],"type":"record"}"#,
        ));
    }

    #[test]
    fn what_a_reader_may_care_for_does() {
        let plain = r#"{"type":"record","name":"R","fields":[{"name":"f","type":["null","int"]}]}"#;
        let default =
            r#"{"type":"record","name":"R","fields":[{"name":"f","type":["null","int"],"default":null}]}"#;
        let doc = r#"{"type":"record","name":"R","doc":"d","fields":[{"name":"f","type":["null","int"]}]}"#;
        assert!(!same(plain, default));
        assert!(!same(plain, doc));
        assert!(!same(r#""long""#, r#"{"type":"long","logicalType":"timestamp-micros"}"#));
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for text in [
            "",
            "string",
            "{}",
            "17",
            r#"{"type":"record"}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"f","type":"Nowhere"}]}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"f","type":"int"},{"name":"f","type":"int"}]}"#,
            r#"{"type":"enum","name":"E","symbols":["a","a"]}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"f","type":"int","default":"x"}]}"#,
            r#"["int","int"]"#,
        ] {
            assert!(AvroSchema::parse(text).is_err(), "{text}");
        }
    }
}
