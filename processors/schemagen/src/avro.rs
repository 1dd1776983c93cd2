//! The part of Avro that messages are written in, as a typed tree.

use std::collections::HashMap;

use serde_json::Value;

use crate::annotations;

/// A type, with named types resolved.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    String,
    Long,
    Int,
    Boolean,
    Double,
    TimestampMicros,
    /// Of the engine's own records, and sealed secrets of commands.
    Bytes,
    /// Columns of a row by their names. Only of the engine's own records.
    Columns,
    Array(Box<Type>),
    /// `["null", T]`
    Nullable(Box<Type>),
    /// A union of records: the messages of a topic.
    Union(Vec<Record>),
    Record(Box<Record>),
    Enum(Enum),
}

/// A record, also where a name refers to an earlier definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub name: String,
    pub namespace: Option<String>,
    pub doc: String,
    pub fields: Vec<Field>,
    pub marks: RecordMarks,
}

/// The annotations of a record, as they are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordMarks {
    pub aggregate: Option<Value>,
    pub failure: Option<Value>,
    pub lookup: Option<Value>,
    pub sign_in: Option<Value>,
}

/// The annotations of a field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldMarks {
    /// The most Unicode scalar values of the text.
    pub max_length: Option<usize>,
    /// Whether it is an id.
    pub is_id: bool,
    /// The field that names whose it is.
    pub personal: Option<String>,
    /// Whether it must never be stored or shown.
    pub is_secret: bool,
    /// The field that holds the fingerprint of the secret that is sealed in this one.
    pub sealed: Option<String>,
    /// Whether it is shown to nobody over HTTP.
    pub is_withheld: bool,
    /// The claim of a token that says the same.
    pub claim: Option<String>,
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub name: String,
    pub doc: String,
    pub kind: Type,
    pub marks: FieldMarks,
}

/// An enumeration.
#[derive(Clone, Debug, PartialEq)]
pub struct Enum {
    pub name: String,
    pub doc: String,
    pub symbols: Vec<String>,
}

impl FieldMarks {
    /// The type that wraps the text, if one does.
    pub fn wrapper(&self) -> Option<&'static str> {
        match (self.is_secret, &self.personal) {
            (true, _) => Some("::millrace_kernel::Secret"),
            (false, Some(_)) => Some("::millrace_kernel::Personal"),
            (false, None) => None,
        }
    }
}

impl Record {
    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Whether the field of that name holds the fingerprint of a sealed secret.
    pub fn is_fingerprint(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.marks.sealed.as_deref() == Some(name))
    }
}

impl Type {
    /// Whether it is a text, or a list of texts, or may be one.
    pub fn is_text(&self) -> bool {
        match self {
            Self::String => true,
            Self::Nullable(inner) | Self::Array(inner) => inner.is_text(),
            _ => false,
        }
    }

    /// The type in Avro's words, for messages.
    pub fn describe(&self) -> String {
        match self {
            Self::String => "string".to_owned(),
            Self::Long => "long".to_owned(),
            Self::Int => "int".to_owned(),
            Self::Boolean => "boolean".to_owned(),
            Self::Double => "double".to_owned(),
            Self::TimestampMicros => "timestamp-micros".to_owned(),
            Self::Bytes => "bytes".to_owned(),
            Self::Columns => "columns".to_owned(),
            Self::Array(items) => format!("array of {}", items.describe()),
            Self::Nullable(inner) => format!("nullable {}", inner.describe()),
            Self::Union(_) => "union of records".to_owned(),
            Self::Record(record) => format!("record {}", record.name),
            Self::Enum(one) => format!("enum {} of {}", one.name, one.symbols.join(", ")),
        }
    }
}

/// Reads a schema whose root is a record.
pub fn parse(json: &Value) -> Result<Record, String> {
    match (Parser { named: HashMap::new() }).kind(json, "the root")? {
        Type::Record(record) => Ok(*record),
        other => Err(format!("the root must be a record, not {}", other.describe())),
    }
}

struct Parser {
    named: HashMap<String, Type>,
}

impl Parser {
    /// `place` says where in the file this type stands.
    fn kind(&mut self, json: &Value, place: &str) -> Result<Type, String> {
        match json {
            Value::String(name) => self.by_name(name, place),
            Value::Array(branches) => self.union(branches, place),
            Value::Object(object) => {
                let Some(kind) = object.get("type") else {
                    return Err(format!("{place}: a type is missing"));
                };
                match (kind.as_str(), object.get("logicalType").and_then(Value::as_str)) {
                    (Some("long"), Some("timestamp-micros")) => Ok(Type::TimestampMicros),
                    (_, Some(logical)) => Err(format!("{place}: logical type {logical} is not supported")),
                    (Some("record"), None) => self.record(json, place),
                    (Some("enum"), None) => self.symbols(json, place),
                    (Some("array"), None) => {
                        let items =
                            object.get("items").ok_or_else(|| format!("{place}: an array needs items"))?;
                        Ok(Type::Array(Box::new(self.kind(items, place)?)))
                    }
                    (Some("map"), None) => Ok(Type::Columns),
                    _ => self.kind(kind, place),
                }
            }
            _ => Err(format!("{place}: {json} is no type")),
        }
    }

    fn by_name(&self, name: &str, place: &str) -> Result<Type, String> {
        Ok(match name {
            "string" => Type::String,
            "long" => Type::Long,
            "int" => Type::Int,
            "boolean" => Type::Boolean,
            "double" => Type::Double,
            "bytes" => Type::Bytes,
            other => self
                .named
                .get(other)
                .cloned()
                .ok_or_else(|| {
                    format!(
                        "{place}: type {other} is not supported and not defined before; there are string, long, int, \
                         boolean, double, timestamp-micros, enums, records, and arrays and [\"null\", T] of them"
                    )
                })?,
        })
    }

    fn union(&mut self, branches: &[Value], place: &str) -> Result<Type, String> {
        if let [first, inner] = branches
            && first == "null"
        {
            return Ok(Type::Nullable(Box::new(self.kind(inner, place)?)));
        }
        let mut records = Vec::new();
        for branch in branches {
            match self.kind(branch, place)? {
                Type::Record(record) => records.push(*record),
                other => {
                    return Err(format!(
                        "{place}: a union is [\"null\", T] or has records only, not {}",
                        other.describe()
                    ));
                }
            }
        }
        if records.is_empty() {
            Err(format!("{place}: the union is empty"))
        } else {
            Ok(Type::Union(records))
        }
    }

    fn record(&mut self, json: &Value, place: &str) -> Result<Type, String> {
        let name = text(json, "name", place)?;
        let place = format!("record {name}");
        annotations::known(json, &annotations::ON_RECORDS, &place)?;
        let doc = documentation(json, &place)?;
        let fields = json
            .get("fields")
            .and_then(Value::as_array)
            .ok_or_else(|| format!("{place}: the fields are missing"))?;
        let mut record = Record {
            name: name.clone(),
            namespace: json.get("namespace").and_then(Value::as_str).map(str::to_owned),
            doc,
            fields: Vec::with_capacity(fields.len()),
            marks: annotations::of_record(json),
        };
        for field in fields {
            let field_name = text(field, "name", &place)?;
            let place = format!("field {name}.{field_name}");
            annotations::known(field, &annotations::ON_FIELDS, &place)?;
            let doc = documentation(field, &place)?;
            let kind = field.get("type").ok_or_else(|| format!("{place}: the type is missing"))?;
            let kind = self.kind(kind, &place)?;
            // readers of old data need it, and producers may leave it out
            if matches!(kind, Type::Nullable(_)) && field.get("default") != Some(&Value::Null) {
                return Err(format!("{place}: a nullable field needs \"default\": null"));
            }
            let marks = annotations::of_field(field, &kind, &place)?;
            record.fields.push(Field { name: field_name, doc, kind, marks });
        }
        self.define(name, Type::Record(Box::new(record)), &place)
    }

    fn symbols(&mut self, json: &Value, place: &str) -> Result<Type, String> {
        let name = text(json, "name", place)?;
        let doc = documentation(json, place)?;
        let symbols = json
            .get("symbols")
            .and_then(Value::as_array)
            .and_then(|symbols| {
                symbols.iter().map(|s| s.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
            })
            .ok_or_else(|| format!("{place}: enum {name} needs symbols"))?;
        self.define(name.clone(), Type::Enum(Enum { name, doc, symbols }), place)
    }

    fn define(&mut self, name: String, kind: Type, place: &str) -> Result<Type, String> {
        match self.named.insert(name, kind.clone()) {
            None => Ok(kind),
            Some(_) => Err(format!(
                "{place}: this name is defined twice in the file; name the type where it is used again"
            )),
        }
    }
}

fn text(json: &Value, key: &str, place: &str) -> Result<String, String> {
    let text = json.get(key).and_then(Value::as_str).ok_or_else(|| format!("{place}: {key} is missing"))?;
    Ok(text.to_owned())
}

fn documentation(json: &Value, place: &str) -> Result<String, String> {
    match json.get("doc").and_then(Value::as_str) {
        Some(doc) if !doc.trim().is_empty() => Ok(doc.to_owned()),
        _ => Err(format!("{place}: \"doc\" is missing; it is the documentation in every language")),
    }
}
