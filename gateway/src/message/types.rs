//! The message types of a domain, read from its `commands.avsc`.

use std::collections::HashMap;

use millrace_kernel::SealedRule;
use serde_json::Value;

/// The commands of one domain.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageTypes {
    /// The domain.
    pub domain: String,
    /// Its commands, in the schema's order.
    pub types: Vec<MessageType>,
    /// The fields of the metadata.
    pub metadata: Vec<Field>,
}

/// One command.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageType {
    /// Its name.
    pub name: String,
    /// What it does.
    pub doc: String,
    /// Its fields, in the schema's order.
    pub fields: Vec<Field>,
}

/// A field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub doc: String,
    /// Its type.
    pub kind: FieldType,
    /// What stands for it when it is left out, if it may be.
    pub default: Option<Value>,
}

/// A field's type, as far as messages use them.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldType {
    /// Text.
    Text,
    /// A secret that is sealed, or is to be.
    Sealed {
        /// The field of the same record that holds its fingerprint.
        fingerprint: String,
    },
    /// Bytes.
    Bytes,
    /// A 64-bit whole number.
    Long,
    /// A 32-bit whole number.
    Int,
    /// Microseconds since the epoch.
    Time,
    /// A floating-point number.
    Double,
    /// True or false.
    Boolean,
    /// One of some names.
    Enum(Vec<String>),
    /// Several of a type.
    Array(Box<FieldType>),
    /// Values of a type by name.
    Map(Box<FieldType>),
    /// Fields.
    Record(Vec<Field>),
    /// A value or none.
    Nullable(Box<FieldType>),
}

impl MessageType {
    /// Whether it holds secrets: then no value of it is repeated.
    #[must_use]
    pub fn has_secrets(&self) -> bool {
        has_secrets(&self.fields)
    }

    /// Whether the field of this name holds the fingerprint of a secret.
    #[must_use]
    pub fn is_fingerprint(&self, name: &str) -> bool {
        let is_of =
            |field: &Field| matches!(&field.kind, FieldType::Sealed { fingerprint } if fingerprint == name);
        self.fields.iter().any(is_of)
    }
}

impl FieldType {
    /// What to call it to a person.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Sealed { .. } => {
                "a secret as {\"plaintext\": \"…\"}, which is sealed, or its sealed box in base64".to_owned()
            }
            Self::Bytes => "bytes in base64".to_owned(),
            Self::Long | Self::Int => "a whole number".to_owned(),
            Self::Time => "a time (RFC 3339, or microseconds since the epoch)".to_owned(),
            Self::Double => "a number".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Enum(names) => format!("one of {}", names.join(", ")),
            Self::Array(item) => format!("a list, each {}", item.describe()),
            Self::Map(item) => format!("an object whose values are {}", item.describe()),
            Self::Record(fields) => {
                let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
                format!("an object with {}", names.join(", "))
            }
            Self::Nullable(inner) => format!("{}, or null", inner.describe()),
        }
    }
}

impl MessageTypes {
    /// Those of a domain that has none.
    #[must_use]
    pub fn none(domain: &str) -> Self {
        Self { domain: domain.to_owned(), types: Vec::new(), metadata: Vec::new() }
    }

    /// Reads the schema of a domain's commands.
    ///
    /// # Errors
    /// What the schema lacks or has that messages cannot.
    pub fn read(domain: &str, schema: &str) -> Result<Self, String> {
        let schema: Value = serde_json::from_str(schema).map_err(|error| error.to_string())?;
        let mut named = HashMap::new();
        let mut types = Vec::new();
        let mut metadata = Vec::new();
        for field in array(&schema["fields"])? {
            match field["name"].as_str() {
                Some("metadata") => metadata = record_fields(&field["type"], &mut named)?,
                Some("data") => {
                    for branch in array(&field["type"])? {
                        types.push(MessageType {
                            name: text(branch, "name")?,
                            doc: text(branch, "doc").unwrap_or_default(),
                            fields: record_fields(branch, &mut named)?,
                        });
                    }
                }
                _ => {}
            }
        }
        Ok(Self { domain: domain.to_owned(), types, metadata })
    }

    /// The same with the fields that hold secrets, which the schema does not tell.
    #[must_use]
    pub fn sealing(mut self, rules: &[SealedRule]) -> Self {
        for rule in rules {
            let command = self.types.iter_mut().find(|kind| kind.name == rule.command);
            command.into_iter().for_each(|kind| seal(&mut kind.fields, rule.field, rule.fingerprint));
        }
        self
    }

    /// The type of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&MessageType> {
        self.types.iter().find(|kind| kind.name == name)
    }
}

/// Says of the field at `path` that it holds a secret.
fn seal(fields: &mut [Field], path: &str, fingerprint: &str) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(field) = fields.iter_mut().find(|field| field.name == name) else { return };
    match rest {
        None => field.kind = FieldType::Sealed { fingerprint: fingerprint.to_owned() },
        Some(rest) => {
            if let FieldType::Record(inner) = innermost(&mut field.kind) {
                seal(inner, rest, fingerprint);
            }
        }
    }
}

fn innermost(kind: &mut FieldType) -> &mut FieldType {
    match kind {
        FieldType::Nullable(inner) | FieldType::Array(inner) => innermost(inner),
        other => other,
    }
}

/// Whether a secret is among these fields, or in one of them.
pub(super) fn has_secrets(fields: &[Field]) -> bool {
    fields.iter().any(|field| is_secret(&field.kind))
}

fn is_secret(kind: &FieldType) -> bool {
    match kind {
        FieldType::Sealed { .. } => true,
        FieldType::Nullable(inner) | FieldType::Array(inner) | FieldType::Map(inner) => is_secret(inner),
        FieldType::Record(fields) => has_secrets(fields),
        _ => false,
    }
}

fn array(value: &Value) -> Result<&Vec<Value>, String> {
    value.as_array().ok_or_else(|| format!("expected a list, found {value}"))
}

fn text(value: &Value, key: &str) -> Result<String, String> {
    value[key].as_str().map(str::to_owned).ok_or_else(|| format!("{key} is missing in {value}"))
}

fn record_fields(record: &Value, named: &mut HashMap<String, FieldType>) -> Result<Vec<Field>, String> {
    array(&record["fields"])?
        .iter()
        .map(|field| {
            Ok(Field {
                name: text(field, "name")?,
                doc: text(field, "doc").unwrap_or_default(),
                kind: field_type(&field["type"], named)?,
                default: field.get("default").cloned(),
            })
        })
        .collect()
}

fn field_type(schema: &Value, named: &mut HashMap<String, FieldType>) -> Result<FieldType, String> {
    match schema {
        Value::String(name) => match name.as_str() {
            "string" => Ok(FieldType::Text),
            "long" => Ok(FieldType::Long),
            "int" => Ok(FieldType::Int),
            "float" | "double" => Ok(FieldType::Double),
            "boolean" => Ok(FieldType::Boolean),
            "bytes" => Ok(FieldType::Bytes),
            other => {
                let short = other.rsplit('.').next().unwrap_or(other);
                named.get(short).cloned().ok_or_else(|| format!("type {other} is not known here"))
            }
        },
        Value::Array(branches) => {
            let mut others = branches.iter().filter(|branch| *branch != "null");
            match (others.next(), others.next()) {
                (Some(only), None) => Ok(FieldType::Nullable(Box::new(field_type(only, named)?))),
                _ => Err(format!("a union that is not of null and one type: {schema}")),
            }
        }
        Value::Object(object) => {
            if object.get("logicalType").is_some_and(|kind| kind == "timestamp-micros") {
                return Ok(FieldType::Time);
            }
            let kind = match object.get("type").and_then(Value::as_str) {
                Some("record") => FieldType::Record(record_fields(schema, named)?),
                Some("enum") => {
                    let symbols = array(&schema["symbols"])?;
                    FieldType::Enum(symbols.iter().filter_map(Value::as_str).map(str::to_owned).collect())
                }
                Some("array") => return Ok(FieldType::Array(Box::new(field_type(&schema["items"], named)?))),
                Some("map") => return Ok(FieldType::Map(Box::new(field_type(&schema["values"], named)?))),
                _ => return field_type(&schema["type"], named),
            };
            if let Some(name) = object.get("name").and_then(Value::as_str) {
                named.insert(name.to_owned(), kind.clone());
            }
            Ok(kind)
        }
        other => Err(format!("not a type: {other}")),
    }
}
