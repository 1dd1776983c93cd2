//! Whether the defaults of fields are values of their types.
//!
//! `apache-avro` resolves a default with all defaults of the fields that it leaves out, once for every way that leads to
//! them: thirty records, each with two fields of the one before, are a thousand million. Here a field that is left out
//! and has a default is good, as its own default is checked where it stands; and no value is checked twice for a type.

use std::collections::HashMap;

use serde_json::Value;

use super::graph::{Graph, Id, Shape};

/// Comparisons of a value with a type that the defaults of one schema may take.
const MAX_STEPS: usize = 1_000_000;

/// Checks all defaults; the error names the first field whose default is none.
pub(super) fn check(graph: &Graph) -> Result<(), String> {
    let mut check = Check { graph, known: HashMap::new(), steps: 0 };
    for node in graph.nodes() {
        let Shape::Record(fields) = &node.shape else { continue };
        for field in &fields.all {
            let Some(default) = &field.default else { continue };
            if !check.fits(field.kind, default)? {
                let kind = graph.node(field.kind).kind;
                return Err(format!(
                    "the default of {}.{} is no {kind}: {}",
                    node.name,
                    field.name,
                    cut(default)
                ));
            }
        }
    }
    Ok(())
}

fn cut(value: &Value) -> String {
    value.to_string().chars().take(100).collect()
}

struct Check<'a> {
    graph: &'a Graph,
    /// By the place of the value, which does not move, and the type.
    known: HashMap<(*const Value, Id), bool>,
    steps: usize,
}

impl Check<'_> {
    fn fits(&mut self, kind: Id, value: &Value) -> Result<bool, String> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(format!(
                "its defaults take more than the {MAX_STEPS} comparisons that are allowed; use smaller ones"
            ));
        }
        let graph = self.graph;
        let node = graph.node(kind);
        match (&node.shape, value) {
            (Shape::Primitive, value) => Ok(is_primitive(node.kind, value)),
            (Shape::Enum { symbols, .. }, Value::String(text)) => {
                self.steps += symbols.len();
                Ok(symbols.contains(text))
            }
            (Shape::Fixed { .. }, Value::String(_)) => Ok(true),
            (Shape::Array(items), Value::Array(values)) => {
                self.all(values.iter().map(|value| (*items, value)))
            }
            (Shape::Map(kind), Value::Object(values)) => {
                self.all(values.values().map(|value| (*kind, value)))
            }
            (Shape::Record(fields), Value::Object(values)) => {
                let missing = |field: &&super::graph::Field| !values.contains_key(&field.name);
                self.steps += fields.all.len();
                if fields.all.iter().filter(missing).any(|field| field.default.is_none()) {
                    return Ok(false);
                }
                self.all(fields.all.iter().filter_map(|field| Some((field.kind, values.get(&field.name)?))))
            }
            (Shape::Union(branches), value) => {
                let place = (std::ptr::from_ref(value), kind);
                if let Some(known) = self.known.get(&place) {
                    return Ok(*known);
                }
                let mut fits = false;
                for branch in &branches.all {
                    fits = fits || self.fits(*branch, value)?;
                }
                self.known.insert(place, fits);
                Ok(fits)
            }
            _ => Ok(false),
        }
    }

    fn all<'v>(&mut self, pairs: impl Iterator<Item = (Id, &'v Value)>) -> Result<bool, String> {
        for (kind, value) in pairs {
            if !self.fits(kind, value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn is_primitive(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "int" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        "long" => value.as_i64().is_some(),
        "float" | "double" => {
            let not_finite = ["NaN", "INF", "-INF", "Infinity", "-Infinity"];
            value.is_number() || value.as_str().is_some_and(|text| not_finite.contains(&text))
        }
        "bytes" | "string" => value.is_string(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::AvroSchema;

    fn parses(kind: &str, default: &str) -> bool {
        let field = format!(r#"{{"name":"f","type":{kind},"default":{default}}}"#);
        AvroSchema::parse(&format!(r#"{{"type":"record","name":"R","fields":[{field}]}}"#)).is_ok()
    }

    #[test]
    fn a_default_is_a_value_of_its_type() {
        let inner = r#"{"type":"record","name":"I","fields":[{"name":"a","type":"int"},{"name":"b","type":"int","default":1}]}"#;
        let many = r#"{"type":"array","items":["null","int"]}"#;
        let rows = [
            (r#""int""#, "1", true),
            (r#""int""#, "2147483648", false),
            (r#""int""#, "1.5", false),
            (r#""long""#, "2147483648", true),
            (r#""double""#, "1", true),
            (r#""double""#, r#""NaN""#, true),
            (r#""boolean""#, "false", true),
            (r#""bytes""#, r#""\u00ff""#, true),
            (r#""string""#, "null", false),
            (r#"["null","int"]"#, "null", true),
            (r#"["null","int"]"#, "7", true),
            (r#"["null","int"]"#, r#""7""#, false),
            (inner, r#"{"a":1}"#, true),
            (inner, r#"{"b":1}"#, false),
            (inner, "[]", false),
            (many, "[1,null]", true),
            (many, r#"[1,"x"]"#, false),
            (r#"{"type":"map","values":"long"}"#, r#"{"x":1}"#, true),
            (r#"{"type":"map","values":"long"}"#, r#"{"x":"y"}"#, false),
            (r#"{"type":"enum","name":"E","symbols":["a","b"]}"#, r#""b""#, true),
            (r#"{"type":"enum","name":"E","symbols":["a","b"]}"#, r#""c""#, false),
            (r#"{"type":"fixed","name":"F","size":2}"#, r#""ab""#, true),
        ];
        for (kind, default, expected) in rows {
            assert_eq!(parses(kind, default), expected, "{default} for {kind}");
        }
    }
}
