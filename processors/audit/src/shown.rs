//! States and rows as JSON, to be printed and compared by people.

use millrace_kernel::table::Column;
use millrace_kernel::{AggregateId, Named, StateData, Value};
use serde::Serialize;
use serde_json::{Map, Value as Json};

/// A column's value.
pub(crate) fn value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Text(text) => Json::from(&**text),
        Value::BigInt(number) => Json::from(*number),
        Value::Int(number) => Json::from(*number),
        Value::Boolean(truth) => Json::from(*truth),
    }
}

/// A row or the first part of one, by column.
pub(crate) fn row(columns: &[Column], values: &[Value]) -> Map<String, Json> {
    columns.iter().zip(values).map(|(column, given)| (column.name.clone(), value(given))).collect()
}

/// A row's key in one line: `author_id=ann, chirp_id=c1`.
pub(crate) fn key(columns: &[Column], values: &[Value]) -> String {
    let part = |(column, given): (&Column, &Value)| match given {
        Value::Text(text) => format!("{}={text}", column.name),
        other => format!("{}={}", column.name, value(other)),
    };
    columns.iter().zip(values).map(part).collect::<Vec<_>>().join(", ")
}

/// A state as the state topic holds it, without the envelope; null where there is none.
pub(crate) fn state<S: StateData>(state: Option<&S>) -> Json {
    let Some(state) = state else { return Json::Null };
    let record = S::to_record(&AggregateId::new("", &[""]), 0, 0, 0, Some(state));
    match serde_json::to_value(&record) {
        // of the kinds exactly one is set
        Ok(Json::Object(fields)) => fields
            .into_iter()
            .filter(|(name, _)| {
                !["aggregate_id", "version", "recorded_at", "revision"].contains(&name.as_str())
            })
            .map(|(_, value)| value)
            .find(|value| !value.is_null())
            .unwrap_or(Json::Null),
        _ => Json::Null,
    }
}

/// A message's fields, without the name around them.
pub(crate) fn data<T: Named + Serialize>(message: &T) -> Json {
    match serde_json::to_value(message) {
        Ok(Json::Object(mut tagged)) if tagged.len() == 1 && tagged.contains_key(message.name()) => {
            tagged.remove(message.name()).unwrap_or_default()
        }
        Ok(other) => other,
        Err(_) => Json::Null,
    }
}
