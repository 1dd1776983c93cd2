//! JSON against the schema.

use std::fmt;

use millrace_kernel::{Metadata, Sealed};
use serde_json::{Map, Number, Value};

use super::place::{Place, short};
use super::secrets::{self, Found, Sealing};
use super::types::{Field, FieldType, MessageType, has_secrets};
use super::unique::from_json;
use crate::nearest::suggestion;

/// So many problems of one message are told; who sends more of them has sent something else altogether.
const MOST_PROBLEMS: usize = 20;

/// What is wrong with a message, for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong and where.
    pub message: String,
    /// What would be right, if that takes more than a line.
    pub help: Option<String>,
    /// The member it is about, by which its place in a file is found.
    pub key: Option<String>,
    /// Where it is in `{"metadata": …, "data": …}`, as a JSON pointer (RFC 6901).
    pub pointer: Option<String>,
}

impl Problem {
    /// A problem said in one line.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, key: None, pointer: None }
    }

    /// About this member.
    #[must_use]
    pub fn at(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// At this JSON pointer.
    #[must_use]
    pub fn pointing(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// With what would be right.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn of(place: &Place<'_>, message: String) -> Self {
        let problem = Self::new(message).pointing(place.pointer());
        match place.member() {
            Some(member) => problem.at(member),
            None => problem,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// `data` with every field of `kind`, defaults filled in and secrets sealed.
///
/// # Errors
/// The first field that is missing, unknown or of another type.
pub fn check_data(kind: &MessageType, data: Value, sealing: Sealing<'_>) -> Result<Value, Problem> {
    let help = || {
        let fields = kind.fields.iter().map(|field| {
            let optional = match &field.default {
                Some(_) => ", optional",
                None if kind.is_fingerprint(&field.name) => ", only with a sealed box",
                None => "",
            };
            format!("{} ({}{optional}): {}", field.name, field.kind.describe(), field.doc)
        });
        format!(
            "{} has the fields\n{}",
            kind.name,
            fields.map(|f| format!("  {f}\n")).collect::<String>().trim_end()
        )
    };
    if !data.is_object() {
        return Err(Problem::new(format!("{}: expected an object", kind.name)));
    }
    data_problems(kind, data, sealing).map_err(|problems| {
        let problem = problems.into_iter().next().unwrap_or_else(|| Problem::new("it is refused"));
        let message = format!("{}: {}", kind.name, problem.message);
        let key = problem.key.clone().or(Some("data".to_owned()));
        Problem { message, key, help: Some(help()), ..problem }
    })
}

/// `data` with every field of `kind`, defaults filled in and secrets sealed.
///
/// # Errors
/// Everything that is wrong with it, in the order of the schema; of very much only the first. Where a secret is among the fields, no
/// value is repeated: it may be in the wrong place.
pub fn data_problems(kind: &MessageType, data: Value, sealing: Sealing<'_>) -> Result<Value, Vec<Problem>> {
    let place = Place::Root("/data", "");
    let mut check = Check { sealing, hides: has_secrets(&kind.fields), problems: Vec::new() };
    let Value::Object(given) = data else {
        let found = check.shown(&data);
        return Err(vec![Problem::of(&place, format!("data: expected an object, found {found}"))]);
    };
    let checked = check.fields(&kind.fields, given, &place);
    check.or(Value::Object(checked))
}

/// Metadata of these fields.
///
/// # Errors
/// As [`data_problems`].
pub fn check_metadata(fields: &[Field], metadata: Value) -> Result<Metadata, Vec<Problem>> {
    let place = Place::Root("/metadata", "metadata");
    let Value::Object(given) = metadata else {
        return Err(vec![Problem::of(&place, "metadata: expected an object".to_owned())]);
    };
    let mut check = Check { sealing: Sealing::Nowhere, hides: false, problems: Vec::new() };
    let checked = check.fields(fields, given, &place);
    let checked = check.or(Value::Object(checked))?;
    serde_json::from_value(checked).map_err(|error| vec![Problem::of(&place, format!("metadata: {error}"))])
}

/// Refuses members of an object that are not among `known`, each with its pointer.
#[must_use]
pub fn check_members(given: &Map<String, Value>, known: &[&str]) -> Vec<Problem> {
    let root = Place::Root("", "");
    let unknown = given.keys().filter(|name| !known.contains(&name.as_str())).take(MOST_PROBLEMS);
    unknown
        .map(|name| {
            let near = suggestion(name, known.iter().copied());
            let message = format!("{} is not a part of a command{near}", short(name));
            Problem::of(&Place::Member(&root, name), message)
        })
        .collect()
}

/// A check under way.
struct Check<'a> {
    sealing: Sealing<'a>,
    /// Whether values are not repeated.
    hides: bool,
    /// What was found to be wrong so far.
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn add(&mut self, place: &Place<'_>, message: String) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(Problem::of(place, message));
        }
    }

    fn or<T>(self, checked: T) -> Result<T, Vec<Problem>> {
        if self.problems.is_empty() { Ok(checked) } else { Err(self.problems) }
    }

    /// A value as an error shows it.
    fn shown(&self, value: &Value) -> String {
        if self.hides { what(value).to_owned() } else { shown(value) }
    }

    fn fields(
        &mut self,
        fields: &[Field],
        mut given: Map<String, Value>,
        place: &Place<'_>,
    ) -> Map<String, Value> {
        let names = || fields.iter().map(|field| field.name.as_str());
        for unknown in given.keys().filter(|name| names().all(|known| known != name.as_str())) {
            // a field that is given already is not what was meant
            let free = names().filter(|name| !given.contains_key(*name));
            let at = Place::Member(place, unknown);
            let meant = suggestion(unknown, free);
            match self.hides && meant.is_empty() {
                true => {
                    self.add(place, "there is no such field; what it is called may be a secret".to_owned())
                }
                false => self.add(&at, format!("there is no field {}{meant}", at.dotted())),
            }
        }
        let mut secrets = secrets::take(fields, &mut given, self.sealing);
        let mut checked = Map::new();
        for field in fields {
            let at = Place::Member(place, &field.name);
            let value = match (given.remove(&field.name), secrets.remove(&field.name), &field.default) {
                (_, Some(Found::Sent(value)), _) => value,
                (_, Some(Found::Left), _) => continue,
                (_, Some(Found::Refused(why)), _) => {
                    self.add(&at, format!("{}: {why}", at.dotted()));
                    continue;
                }
                (Some(value), None, _) => self.value(&field.kind, value, &at),
                (None, None, Some(default)) => default.clone(),
                (None, None, None) => {
                    // where a file has no such place, the whole is meant
                    if self.problems.len() < MOST_PROBLEMS {
                        let message = format!("{} is missing", at.dotted());
                        self.problems.push(Problem::new(message).pointing(at.pointer()));
                    }
                    continue;
                }
            };
            checked.insert(field.name.clone(), value);
        }
        checked
    }

    /// The value as the message has it; what stands for it when something is wrong with it is never used.
    fn value(&mut self, kind: &FieldType, value: Value, place: &Place<'_>) -> Value {
        match (kind, value) {
            (FieldType::Nullable(_), Value::Null) => Value::Null,
            (FieldType::Nullable(inner), value) => self.value(inner, value, place),
            (FieldType::Text, value @ Value::String(_)) | (FieldType::Boolean, value @ Value::Bool(_)) => {
                value
            }
            (FieldType::Bytes, Value::String(text)) if Sealed::parse(&text).is_some() => Value::String(text),
            (FieldType::Long | FieldType::Time, Value::Number(number)) if whole(&number).is_some() => {
                Value::from(whole(&number))
            }
            (FieldType::Int, Value::Number(number))
                if whole(&number).is_some_and(|n| i32::try_from(n).is_ok()) =>
            {
                Value::from(whole(&number))
            }
            (FieldType::Double, value) if value.is_number() => value,
            (FieldType::Time, Value::String(text)) => self.time(kind, text, place),
            (FieldType::Enum(names), Value::String(name)) => {
                if !names.contains(&name) {
                    let near = suggestion(&name, names.iter().map(String::as_str));
                    let wrong = self.wrong(kind, &Value::String(name.clone()), place);
                    self.add(place, format!("{wrong}{near}"));
                }
                Value::String(name)
            }
            (FieldType::Array(item), Value::Array(values)) => {
                let values = values.into_iter().enumerate();
                values.map(|(index, value)| self.value(item, value, &Place::Item(place, index))).collect()
            }
            (FieldType::Map(item), Value::Object(values)) => {
                let mut checked = Map::new();
                for (key, value) in values {
                    let value = self.value(item, value, &Place::Member(place, &key));
                    checked.insert(key, value);
                }
                Value::Object(checked)
            }
            (FieldType::Record(fields), Value::Object(values)) => {
                Value::Object(self.fields(fields, values, place))
            }
            (_, value) => {
                let wrong = self.wrong(kind, &value, place);
                self.add(place, wrong);
                Value::Null
            }
        }
    }

    fn time(&mut self, kind: &FieldType, text: String, place: &Place<'_>) -> Value {
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Value::from(time.as_microsecond());
        }
        let is_local = text.parse::<jiff::civil::DateTime>().is_ok();
        let value = Value::String(text);
        // the same clock shows this at many instants, twice at some places when summer ends, and never when it begins
        let problem = match is_local {
            true => format!(
                "{}: {} has no offset, so it may be any of many instants; write one behind it, such as Z for UTC or +01:00",
                place.dotted(),
                self.shown(&value)
            ),
            false => self.wrong(kind, &value, place),
        };
        self.add(place, problem);
        Value::Null
    }

    fn wrong(&self, kind: &FieldType, value: &Value, place: &Place<'_>) -> String {
        format!("{}: expected {}, found {}", place.dotted(), kind.describe(), self.shown(value))
    }
}

/// What a value is, where it is not shown.
fn what(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The whole number that this is. In JSON Schema `5.0` is one, and some languages write it so. Far below 2^53, where the next
/// number of that kind is a small part of one away: what was rounded when it was read is not whole then, and is none.
fn whole(number: &Number) -> Option<i64> {
    const EXACT: f64 = 1_125_899_906_842_624.0;
    number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < EXACT)?;
        #[allow(clippy::cast_possible_truncation, reason = "it is whole, and within bounds")]
        Some(float as i64)
    })
}

/// A value as an error shows it: not more of it than helps.
fn shown(value: &Value) -> String {
    match value {
        // what is left out need not be written, as a text may have megabytes
        Value::String(text) => format!("\"{}\"", short(text)),
        other => short(&other.to_string()),
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
        FieldType::Sealed { .. } if text.trim_start().starts_with('{') => {
            from_json(text).map_err(|error| format!("expected {}: {error}", kind.describe()))
        }
        FieldType::Sealed { .. } | FieldType::Bytes => Ok(Value::String(text.to_owned())),
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
        let checked = check_data(&ship(), json!({"order_id": "o1", "total": 5}), Sealing::Nowhere).unwrap();
        assert_eq!(checked, json!({"order_id": "o1", "total": 5, "tags": [], "how": "sea"}));
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_fraction_of_nothing() {
        let total = |written: &str| {
            let data = serde_json::from_str(&format!(r#"{{"order_id": "o1", "total": {written}}}"#)).unwrap();
            check_data(&ship(), data, Sealing::Nowhere).map(|checked| checked["total"].clone())
        };
        assert_eq!(total("5.0").unwrap(), json!(5));
        assert_eq!(total("-1.5e3").unwrap(), json!(-1_500));
        assert_eq!(total("1125899906842623.0").unwrap(), json!(1_125_899_906_842_623_i64));
        assert_eq!(total("9007199254740993").unwrap(), json!(9_007_199_254_740_993_i64));
        for none in
            ["9007199254740991.0", "9007199254740993.0", "1e18", "0.5", "1e300", "9223372036854775808"]
        {
            assert!(total(none).is_err(), "{none}");
        }
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
            let problem = check_data(&ship(), data, Sealing::Nowhere).unwrap_err();
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
        let problems = check_metadata(&types.metadata, json!({"usr_id": "u1"})).unwrap_err();
        assert_eq!(problems[0].pointer.as_deref(), Some("/metadata/usr_id"));
        assert_eq!(
            problems[0].message,
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
            let problems = read(text).unwrap_err();
            assert!(
                problems[0].message.contains(&format!("{text}\" has no offset")),
                "{}",
                problems[0].message
            );
            assert_eq!(problems[0].pointer.as_deref(), Some("/metadata/issued_at"));
        }
        for text in ["", "tomorrow", "2026-13-01T00:00:00Z", "02:30Z", "2026-10-25T25:30:00"] {
            let problems = read(text).unwrap_err();
            assert!(problems[0].message.contains("expected a time (RFC 3339"), "{}", problems[0].message);
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
