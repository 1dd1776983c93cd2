//! Avro schemas as the registry sees them: checked, with full names, and with one spelling for one meaning.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::defaults;
use super::graph::Graph;
use super::references::Referred;
use super::whole;

/// Types that are not defined by a schema.
pub(super) const PRIMITIVES: [&str; 8] =
    ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];

/// Types that a schema may consist of, each use of a name included.
const MAX_NODES: usize = 100_000;
/// Bytes that a schema may come to when everything in it is counted once for each level it lies under. That is what the
/// parser copies: a large definition inside a hundred others would be held a hundred times.
const MAX_COPIED_BYTES: usize = 64 << 20;
/// Schemas that a schema may refer to, directly or by others.
const MAX_REFERRED: usize = 1_000;
/// Bytes that they may come to.
const MAX_REFERRED_BYTES: usize = 8 << 20;
/// Stands for a hyphen where the parser takes none.
const HYPHEN: &str = "__hyphen__";

/// A checked schema, spelled in one way.
///
/// Every name in it is a full name, `{"type": "string"}` is `"string"` and object members are sorted; everything
/// that means something to some reader (defaults, aliases, documentation, properties) is kept. So two texts are one
/// schema exactly when their spellings are equal, and compatibility is checked on the graph of its types.
#[derive(Debug)]
pub struct AvroSchema {
    /// The spelling, and behind it the references, if there are any.
    canonical: String,
    spelling_len: usize,
    /// What it refers to, and what that refers to, each once and behind what it needs itself.
    before: Vec<Arc<AvroSchema>>,
    graph: Graph,
    /// A print of it with all of them written out, where that can be done.
    whole: Option<u64>,
}

impl AvroSchema {
    /// Checks and normalises a schema's text; the error says what is wrong with it.
    ///
    /// The time and memory it takes are bounded by the text's length: the parser behind it looks at defaults once for
    /// each way that leads to them, which can be two to the power of the number of types, so they are checked here.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_with(text, &[])
    }

    /// The same for a schema that refers to others, whose types it may use.
    ///
    /// # Errors
    /// As [`AvroSchema::parse`].
    pub(super) fn parse_with(text: &str, referred: &[Referred]) -> Result<Self, String> {
        // A bare name such as `string` without quotes is no JSON, but a quoted one is a schema.
        let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut copied = 0;
        weigh(&json, &mut copied);
        if copied > MAX_COPIED_BYTES {
            return Err(format!(
                "it is nested too deeply for its size: {copied} bytes with everything counted once for each level it \
                 lies under, {MAX_COPIED_BYTES} are allowed; define large types at the top and refer to them by name"
            ));
        }
        let mut nodes = 0;
        let tree = normalise(&json, "", &mut nodes)?;
        let before = closure(referred)?;
        let trees = before.iter().map(|schema| serde_json::from_str(schema.spelling()));
        let trees: Vec<Value> = trees.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let graph = Graph::of(&trees, &tree)?;
        let checked = if before.is_empty() && !text.contains('-') {
            apache_avro::Schema::parse(&without_defaults(&json))
        } else {
            apache_avro::Schema::parse(&together(&trees, &tree))
        };
        checked.map_err(|error| error.to_string().replace(HYPHEN, "-"))?;
        defaults::check(&graph)?;
        let mut canonical = tree.to_string();
        let spelling_len = canonical.len();
        if !referred.is_empty() {
            let references: Vec<_> = referred.iter().map(|it| &it.reference).collect();
            canonical.push_str(&serde_json::to_string(&references).map_err(|error| error.to_string())?);
        }
        let whole = whole::print_of(&trees, &tree);
        Ok(Self { canonical, spelling_len, before, graph, whole })
    }

    /// What two texts of the same schema have in common: the one spelling, and what it refers to.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The one spelling of its own text.
    pub fn spelling(&self) -> &str {
        &self.canonical[..self.spelling_len]
    }

    /// Whether this is the text of `other`, which refers to others, with those written out in it.
    pub fn is_written_out(&self, other: &Self) -> bool {
        let refers = |schema: &Self| schema.spelling_len < schema.canonical.len();
        !refers(self) && refers(other) && self.whole.is_some() && self.whole == other.whole
    }

    /// Its types and how they hang together.
    pub(super) fn graph(&self) -> &Graph {
        &self.graph
    }
}

/// What schemas refer to, and what that refers to.
fn closure(referred: &[Referred]) -> Result<Vec<Arc<AvroSchema>>, String> {
    let mut all: Vec<Arc<AvroSchema>> = Vec::new();
    let mut bytes = 0;
    for Referred { schema, .. } in referred {
        for schema in schema.before.iter().chain([schema]) {
            if all.iter().any(|known| Arc::ptr_eq(known, schema) || known.canonical == schema.canonical) {
                continue;
            }
            bytes += schema.spelling().len();
            if all.len() == MAX_REFERRED || bytes > MAX_REFERRED_BYTES {
                return Err(format!(
                    "what it refers to, and what that refers to, is more than {MAX_REFERRED} schemas or \
                     {MAX_REFERRED_BYTES} bytes"
                ));
            }
            all.push(Arc::clone(schema));
        }
    }
    Ok(all)
}

/// One schema for a parser that knows no references, and no hyphens in namespaces: Avro's own libraries took those for
/// years, and registries have them.
fn together(before: &[Value], tree: &Value) -> Value {
    let fields = before.iter().chain([tree]).enumerate();
    let fields = fields.map(|(n, tree)| json!({"name": format!("f{n}"), "type": legal(tree)}));
    json!({"type": "record", "name": "millrace.__all__", "fields": fields.collect::<Vec<_>>()})
}

/// A normalised schema without the defaults of its fields and with legal namespaces.
fn legal(tree: &Value) -> Value {
    match tree {
        Value::String(name) => Value::String(legal_name(name)),
        Value::Array(branches) => branches.iter().map(legal).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| {
                let value = match (key.as_str(), value) {
                    ("items" | "values", inner) => legal(inner),
                    ("name", Value::String(name)) => Value::String(legal_name(name)),
                    ("aliases", Value::Array(names)) => names.iter().map(legal).collect(),
                    ("fields", Value::Array(fields)) => fields.iter().map(legal_field).collect(),
                    (_, other) => other.clone(),
                };
                (key.clone(), value)
            });
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

fn legal_field(field: &Value) -> Value {
    let Value::Object(members) = field else { return field.clone() };
    let members = members.iter().filter(|(key, _)| *key != "default");
    let members =
        members.map(|(key, value)| (key.clone(), if key == "type" { legal(value) } else { value.clone() }));
    Value::Object(members.collect())
}

fn legal_name(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((space, name)) => format!("{}.{name}", space.replace('-', HYPHEN)),
        None => name.to_owned(),
    }
}

/// Roughly the bytes of a value; adds to `copied` what a copy of each object in it takes, once more for each alias.
fn weigh(value: &Value, copied: &mut usize) -> usize {
    let size = match value {
        Value::String(text) => text.len() + 16,
        Value::Array(items) => 16 + items.iter().map(|item| weigh(item, copied)).sum::<usize>(),
        Value::Object(members) => {
            let inside: usize =
                members.iter().map(|(key, value)| key.len() + 16 + weigh(value, copied)).sum();
            let aliases = members.get("aliases").and_then(Value::as_array).map_or(0, Vec::len);
            *copied = copied.saturating_add(inside.saturating_mul(1 + aliases));
            inside
        }
        _ => 16,
    };
    size + 8
}

/// A schema without the defaults of its fields.
fn without_defaults(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_defaults).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| {
                let value = match value {
                    Value::Array(fields) if key == "fields" => fields.iter().map(bare_field).collect(),
                    other => without_defaults(other),
                };
                (key.clone(), value)
            });
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

fn bare_field(field: &Value) -> Value {
    let mut field = without_defaults(field);
    if let Value::Object(members) = &mut field {
        members.remove("default");
    }
    field
}

/// One node with full names and sorted members.
fn normalise(node: &Value, namespace: &str, nodes: &mut usize) -> Result<Value, String> {
    *nodes += 1;
    if *nodes > MAX_NODES {
        return Err(format!("it has more than the {MAX_NODES} types that are allowed"));
    }
    match node {
        Value::String(name) => Ok(Value::String(reference(name, namespace))),
        Value::Array(branches) => branches.iter().map(|branch| normalise(branch, namespace, nodes)).collect(),
        Value::Object(members) => object(members, namespace, nodes),
        other => Err(format!("{other} is no schema")),
    }
}

fn object(members: &Map<String, Value>, namespace: &str, nodes: &mut usize) -> Result<Value, String> {
    let kind = match members.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        // {"type": {…}} and {"type": […]} are the schema within.
        Some(inner) => return normalise(inner, namespace, nodes),
        None => return Err("a schema lacks its type".to_owned()),
    };
    let mut result: BTreeMap<String, Value> = BTreeMap::new();
    // What is spelled anew is not copied first: that would be once for each level above it.
    let mut keep = |anew: &[&str]| {
        let kept = members.iter().filter(|(key, _)| !anew.contains(&key.as_str()));
        result.extend(kept.map(|(key, value)| (key.clone(), sorted(value))));
    };
    match kind {
        "record" | "error" | "enum" | "fixed" => {
            keep(&["name", "namespace", "aliases", "fields"]);
            let name = full_name(members, namespace)?;
            let own_namespace = name.rsplit_once('.').map_or("", |(space, _)| space).to_owned();
            match members.get("aliases") {
                Some(Value::Array(aliases)) => {
                    let full = aliases.iter().map(|alias| match alias {
                        Value::String(alias) => Ok(Value::String(reference(alias, &own_namespace))),
                        _ => Err(format!("{name}: one of its aliases is no name")),
                    });
                    result.insert("aliases".to_owned(), full.collect::<Result<_, _>>()?);
                }
                Some(other) => return Err(format!("{name}: its aliases are no list: {other}")),
                None => {}
            }
            match (members.get("fields"), kind) {
                (Some(Value::Array(fields)), "record" | "error") => {
                    let fields = fields.iter().map(|field| self::field(field, &own_namespace, nodes));
                    result.insert("fields".to_owned(), fields.collect::<Result<_, _>>()?);
                }
                (_, "record" | "error") => return Err(format!("the record {name} lacks its fields")),
                (Some(other), _) => {
                    result.insert("fields".to_owned(), sorted(other));
                }
                (None, _) => {}
            }
            result.insert("name".to_owned(), Value::String(name));
        }
        "array" | "map" => {
            let member = if kind == "array" { "items" } else { "values" };
            keep(&[member]);
            let inner = members.get(member).ok_or_else(|| format!("{kind} lacks {member}"))?;
            result.insert(member.to_owned(), normalise(inner, namespace, nodes)?);
        }
        name if members.len() == 1 || !PRIMITIVES.contains(&name) => {
            return Ok(Value::String(reference(name, namespace)));
        }
        _ => keep(&[]),
    }
    Ok(Value::Object(result.into_iter().collect()))
}

fn field(field: &Value, namespace: &str, nodes: &mut usize) -> Result<Value, String> {
    let members = field.as_object().ok_or_else(|| format!("{field} is no field"))?;
    let name = members.get("name").and_then(Value::as_str).ok_or("a field lacks its name")?;
    let kind = members.get("type").ok_or_else(|| format!("the field {name} lacks a type"))?;
    let kept = members.iter().filter(|(key, _)| *key != "type");
    let mut result: BTreeMap<String, Value> = kept.map(|(key, value)| (key.clone(), sorted(value))).collect();
    result.insert("type".to_owned(), normalise(kind, namespace, nodes)?);
    Ok(Value::Object(result.into_iter().collect()))
}

/// The full name a definition gives itself.
fn full_name(members: &Map<String, Value>, enclosing: &str) -> Result<String, String> {
    let name = members.get("name").and_then(Value::as_str).ok_or("a named type lacks its name")?;
    let namespace = members.get("namespace").and_then(Value::as_str).unwrap_or(enclosing);
    if PRIMITIVES.contains(&name.rsplit('.').next().unwrap_or_default()) {
        return Err(format!("the type {name} has the name of a primitive"));
    }
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
    fn a_hyphen_in_a_namespace_is_taken_as_older_registries_take_it() {
        for text in [
            r#"{"type":"record","name":"R","namespace":"com.my-company","fields":[{"name":"r","type":["null","R"],"default":null}]}"#,
            r#"{"type":"record","name":"my-company.R","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["a-b"],"doc":"-"}}]}"#
                .replace("a-b", "a").as_str(),
            r#"[{"type":"fixed","name":"a-b.F","aliases":["c-d.G"],"size":2},{"type":"array","items":"a-b.F"}]"#,
        ] {
            let schema = AvroSchema::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(AvroSchema::parse(schema.spelling()).is_ok(), "{}", schema.spelling());
        }
        assert!(!same(
            r#"{"type":"record","name":"a-b.R","fields":[]}"#,
            r#"{"type":"record","name":"a_b.R","fields":[]}"#
        ));
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
            r#"{"type":"enum","name":"E","symbols":["a"],"default":"b"}"#,
            r#"{"type":"record","name":"R","fields":[],"aliases":["0 is no name",{}]}"#,
            r#"{"type":"enum","name":"E","symbols":["a"],"default":"b","doc":"a-b"}"#,
            r#"{"type":"record","name":"R","fields":[{"name":"f","type":"int","default":"x"}]}"#,
            r#"["int","int"]"#,
            r#"{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"record"}}]}"#,
            r#"[{"type":"fixed","name":"F","size":1},{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"fixed","name":"F","size":2}}]}]"#,
            r#"{"type":"record","name":"R","aliases":["Q"],"fields":[{"name":"f","type":["null","Q"]}]}"#,
            // A name twice, the same or not, near or far; and what is no name.
            r#"[{"type":"record","name":"R","fields":[]},{"type":"record","name":"R","fields":[]}]"#,
            r#"{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"enum","name":"R","symbols":["a"]}}]}"#,
            r#"{"type":"record","name":"R","namespace":"a","fields":[{"name":"f","type":{"type":"map","values":{"type":"fixed","name":"a.R","size":1}}}]}"#,
            r#"{"type":"record","name":"string","fields":[]}"#,
            r#"{"type":"record","name":"a.int","fields":[]}"#,
            r#"{"type":"record","name":"a-b","fields":[]}"#,
            r#"{"type":"record","name":"R","namespace":"a b","fields":[]}"#,
            r#"{"type":"record","name":"R","namespace":"a-b","fields":[{"name":"f-g","type":"int"}]}"#,
        ] {
            assert!(AvroSchema::parse(text).is_err(), "{text}");
        }
    }
}
