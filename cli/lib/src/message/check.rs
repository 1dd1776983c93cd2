//! JSON against the schema.

use std::fmt;

use millrace_kernel::Metadata;
use serde_json::{Map, Value};

use super::types::{Field, FieldType, MessageType};
use super::unique::from_json;
use crate::error::CliError;
use crate::foreign;
use crate::nearest::suggestion;

/// What is wrong with a message, for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong and where.
    pub message: String,
    /// What would be right, if that takes more than a line.
    pub help: Option<String>,
    /// The member it is about, by which its place in a file is found.
    pub key: Option<String>,
}

impl Problem {
    /// A problem said in one line.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, key: None }
    }

    /// About this member.
    #[must_use]
    pub fn at(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// With what would be right.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Problem> for CliError {
    fn from(problem: Problem) -> Self {
        let error = Self::usage(problem.message);
        match problem.help {
            Some(help) => error.hint(help),
            None => error,
        }
    }
}

/// `data` with every field of `kind`, defaults filled in.
///
/// # Errors
/// A field that is missing, unknown or of another type.
pub fn check_data(kind: &MessageType, data: Value) -> Result<Value, Problem> {
    let help = || {
        let fields = kind.fields.iter().map(|field| {
            let optional = if field.default.is_some() { ", optional" } else { "" };
            format!("{} ({}{optional}): {}", field.name, field.kind.describe(), field.doc)
        });
        format!(
            "{} has the fields\n{}",
            kind.name,
            fields.map(|f| format!("  {f}\n")).collect::<String>().trim_end()
        )
    };
    let Value::Object(given) = data else {
        return Err(Problem::new(format!("{}: expected an object", kind.name)));
    };
    match check_fields(&kind.fields, given, "") {
        Ok(checked) => Ok(Value::Object(checked)),
        Err(problem) => {
            let message = format!("{}: {}", kind.name, problem.message);
            Err(Problem { message, key: problem.key.or(Some("data".to_owned())), help: Some(help()) })
        }
    }
}

/// Metadata of these fields.
///
/// # Errors
/// As [`check_data`].
pub fn check_metadata(fields: &[Field], metadata: Value) -> Result<Metadata, Problem> {
    let Value::Object(given) = metadata else { return Err(Problem::new("metadata: expected an object")) };
    let checked = check_fields(fields, given, "metadata.")?;
    serde_json::from_value(Value::Object(checked)).map_err(|error| Problem::new(format!("metadata: {error}")))
}

fn check_fields(
    fields: &[Field],
    mut given: Map<String, Value>,
    path: &str,
) -> Result<Map<String, Value>, Problem> {
    let names = || fields.iter().map(|field| field.name.as_str());
    if let Some(unknown) = given.keys().find(|name| names().all(|known| known != name.as_str())) {
        // a field that is given already is not what was meant
        let free = names().filter(|name| !given.contains_key(*name));
        let message =
            format!("there is no field {path}{}{}", foreign::short(unknown), suggestion(unknown, free));
        return Err(Problem::new(message).at(unknown));
    }
    let mut checked = Map::new();
    for field in fields {
        let value = match (given.remove(&field.name), &field.default) {
            (Some(value), _) => check_value(&field.kind, value, &format!("{path}{}", field.name))?,
            (None, Some(default)) => default.clone(),
            (None, None) => return Err(Problem::new(format!("{path}{} is missing", field.name))),
        };
        checked.insert(field.name.clone(), value);
    }
    Ok(checked)
}

fn check_value(kind: &FieldType, value: Value, path: &str) -> Result<Value, Problem> {
    let key = path.rsplit('.').next().unwrap_or(path).split('[').next().unwrap_or(path);
    let wrong = |value: &Value| {
        Problem::new(format!("{path}: expected {}, found {}", kind.describe(), shown(value))).at(key)
    };
    match (kind, value) {
        (FieldType::Nullable(_), Value::Null) => Ok(Value::Null),
        (FieldType::Nullable(inner), value) => check_value(inner, value, path),
        (FieldType::Text, value @ Value::String(_)) | (FieldType::Boolean, value @ Value::Bool(_)) => {
            Ok(value)
        }
        (FieldType::Long, value) if value.is_i64() => Ok(value),
        (FieldType::Int, value) if value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => Ok(value),
        (FieldType::Double, value) if value.is_number() => Ok(value),
        (FieldType::Time, value) if value.is_i64() => Ok(value),
        (FieldType::Time, Value::String(text)) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => Ok(Value::from(time.as_microsecond())),
            // the same clock shows this at many instants, twice at some places when summer ends, and never when it begins
            Err(_) if text.parse::<jiff::civil::DateTime>().is_ok() => Err(Problem::new(format!(
                "{path}: {} has no offset, so it may be any of many instants; write one behind it, such as Z for UTC or +01:00",
                shown(&Value::String(text))
            ))
            .at(key)),
            Err(_) => Err(wrong(&Value::String(text))),
        },
        (FieldType::Enum(names), Value::String(name)) => match names.contains(&name) {
            true => Ok(Value::String(name)),
            false => {
                let near = suggestion(&name, names.iter().map(String::as_str));
                Err(Problem::new(format!("{}{near}", wrong(&Value::String(name.clone())).message)).at(key))
            }
        },
        (FieldType::Array(item), Value::Array(values)) => values
            .into_iter()
            .enumerate()
            .map(|(index, value)| check_value(item, value, &format!("{path}[{index}]")))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        (FieldType::Map(item), Value::Object(values)) => values
            .into_iter()
            .map(|(key, value)| {
                check_value(item, value, &format!("{path}.{}", foreign::short(&key)))
                    .map(|value| (key, value))
            })
            .collect::<Result<_, _>>()
            .map(Value::Object),
        (FieldType::Record(fields), Value::Object(values)) => {
            check_fields(fields, values, &format!("{path}.")).map(Value::Object)
        }
        (_, value) => Err(wrong(&value)),
    }
}

/// A value as an error shows it: not more of it than helps.
fn shown(value: &Value) -> String {
    match value {
        // what is left out need not be written, as a text may have megabytes
        Value::String(text) => format!("\"{}\"", foreign::short(text)),
        other => foreign::short(&other.to_string()),
    }
}

/// The value of `field` that a person typed: text as it stands, everything else as JSON.
///
/// # Errors
/// Text that is no JSON where JSON is needed.
pub fn from_text(kind: &FieldType, text: &str) -> Result<Value, String> {
    match kind {
        FieldType::Text | FieldType::Enum(_) => Ok(Value::String(text.to_owned())),
        FieldType::Time => {
            Ok(text.parse::<i64>().map_or_else(|_| Value::String(text.to_owned()), Value::from))
        }
        FieldType::Nullable(_) if text == "null" => Ok(Value::Null),
        FieldType::Nullable(inner) => from_text(inner, text),
        FieldType::Long | FieldType::Int | FieldType::Double | FieldType::Boolean => {
            // "expected a whole number, found "x"" says more than a JSON parser can
            Ok(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())))
        }
        FieldType::Array(_) | FieldType::Map(_) | FieldType::Record(_) => {
            from_json(text).map_err(|error| format!("expected {} as JSON: {error}", kind.describe()))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::types::MessageTypes;
    use super::*;

    const SCHEMA: &str = r#"{"type":"record","name":"Command","fields":[
      {"name":"id","type":"string"},
      {"name":"metadata","type":{"type":"record","name":"Metadata","fields":[
        {"name":"user_id","type":["null","string"],"default":null},
        {"name":"issued_at","type":["null",{"type":"long","logicalType":"timestamp-micros"}],"default":null}]}},
      {"name":"data","type":[
        {"type":"record","name":"Ship","doc":"Ship it.","fields":[
          {"name":"order_id","type":"string","doc":"Which."},
          {"name":"total","type":"long","doc":"How much."},
          {"name":"tags","type":{"type":"array","items":"string"},"default":[],"doc":"Labels."},
          {"name":"how","type":{"type":"enum","name":"How","symbols":["air","sea"]},"default":"sea","doc":"By what."}]}]}]}"#;

    fn ship() -> MessageType {
        MessageTypes::read("shop", SCHEMA).unwrap().types.remove(0)
    }

    #[test]
    fn defaults_are_filled_in() {
        let checked = check_data(&ship(), json!({"order_id": "o1", "total": 5})).unwrap();
        assert_eq!(checked, json!({"order_id": "o1", "total": 5, "tags": [], "how": "sea"}));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let rows = [
            (json!({"order_id": "o1"}), "Ship: total is missing"),
            (json!({"ordr_id": "o1", "total": 1}), "Ship: there is no field ordr_id; did you mean order_id?"),
            (json!({"order_id": 7, "total": 1}), "Ship: order_id: expected text, found 7"),
            (json!({"order_id": "o1", "total": 1.5}), "Ship: total: expected a whole number, found 1.5"),
            (
                json!({"order_id": "o1", "total": 1, "tags": ["a", 2]}),
                "Ship: tags[1]: expected text, found 2",
            ),
            (
                json!({"order_id": "o1", "total": 1, "how": "sae"}),
                "Ship: how: expected one of air, sea, found \"sae\"; did you mean sea?",
            ),
        ];
        for (data, expected) in rows {
            let problem = check_data(&ship(), data).unwrap_err();
            assert_eq!(problem.message, expected);
            assert!(problem.help.unwrap().contains("order_id (text): Which."));
        }
    }

    #[test]
    fn metadata_takes_times_as_people_write_them() {
        let types = MessageTypes::read("shop", SCHEMA).unwrap();
        let given = json!({"user_id": "u1", "issued_at": "2026-01-02T03:04:05Z"});
        let metadata = check_metadata(&types.metadata, given).unwrap();
        assert_eq!(metadata.issued_at, Some(1_767_323_045_000_000));
        let problem = check_metadata(&types.metadata, json!({"usr_id": "u1"})).unwrap_err();
        assert_eq!(
            problem.message,
            "there is no field metadata.usr_id; did you mean metadata.user_id?"
                .replace("mean metadata.", "mean ")
        );
    }

    #[test]
    fn a_time_is_an_instant_so_a_text_says_its_offset() {
        let types = MessageTypes::read("shop", SCHEMA).unwrap();
        let read = |text: &str| check_metadata(&types.metadata, json!({"issued_at": text}));
        // the hour that comes twice, and the one that is missing, where there is summer time
        for (text, micros) in [
            ("2026-10-25T02:30:00+02:00", 1_792_888_200_000_000_i64),
            ("2026-10-25T02:30:00+01:00", 1_792_891_800_000_000),
            ("2026-10-25T01:30:00Z", 1_792_891_800_000_000),
            ("2026-03-29T02:30:00+01:00", 1_774_747_800_000_000),
            ("2026-03-29T01:30:00.000001Z", 1_774_747_800_000_001),
        ] {
            assert_eq!(read(text).unwrap().issued_at, Some(micros), "{text}");
        }
        for text in ["2026-10-25T02:30:00", "2026-10-25 02:30", "2026-10-25", "2026-10-25T02:30:00.5"] {
            let problem = read(text).unwrap_err();
            assert!(problem.message.contains(&format!("{text}\" has no offset")), "{}", problem.message);
            assert_eq!(problem.key.as_deref(), Some("issued_at"));
        }
        for text in ["", "tomorrow", "2026-13-01T00:00:00Z", "02:30Z", "2026-10-25T25:30:00"] {
            let problem = read(text).unwrap_err();
            assert!(problem.message.contains("expected a time (RFC 3339"), "{}", problem.message);
        }
    }

    #[test]
    fn typed_text_becomes_the_fields_type() {
        assert_eq!(from_text(&FieldType::Text, "5").unwrap(), json!("5"));
        assert_eq!(from_text(&FieldType::Long, "5").unwrap(), json!(5));
        assert_eq!(
            from_text(&FieldType::Nullable(Box::new(FieldType::Boolean)), "null").unwrap(),
            json!(null)
        );
        assert!(from_text(&FieldType::Array(Box::new(FieldType::Text)), "[").is_err());
    }
}
