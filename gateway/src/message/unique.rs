//! JSON in which no object has a key twice: which of the two is meant, nobody could tell.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::place::short;

/// Reads `text` as JSON.
///
/// # Errors
/// It is none, or an object has a key twice; with the place.
pub fn from_json(text: &str) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Unique.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

macro_rules! as_it_is {
    ($($name:ident($kind:ty);)*) => {
        $(fn $name<E: Error>(self, value: $kind) -> Result<Value, E> {
            Ok(Value::from(value))
        })*
    };
}

impl<'de> Visitor<'de> for Unique {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    as_it_is! {
        visit_bool(bool);
        visit_i64(i64);
        visit_u64(u64);
        visit_str(&str);
        visit_string(String);
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut found = Vec::new();
        while let Some(item) = items.next_element_seed(Unique)? {
            found.push(item);
        }
        Ok(Value::Array(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut found = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if found.contains_key(&key) {
                return Err(A::Error::custom(format_args!("{} is given twice", short(&key))));
            }
            let value = members.next_value_seed(Unique)?;
            found.insert(key, value);
        }
        Ok(Value::Object(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_else_is_read_as_it_stands() {
        let text =
            r#"{"a": [1, -2, 0.5, 18446744073709551615, null, true, "xü\n"], "b": {"a": {}}, "c": []}"#;
        assert_eq!(from_json(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        for text in ["", "{", "{} x", "nul", "[1,]", "1e999"] {
            let (ours, theirs) =
                (from_json(text).unwrap_err(), serde_json::from_str::<Value>(text).unwrap_err());
            assert_eq!(ours.to_string(), theirs.to_string());
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_with_its_place() {
        for (text, column) in [(r#"{"a": 1, "a": 1}"#, 12), (r#"[{"b": {"a": 1, "\u0061": 2}}]"#, 24)] {
            let error = from_json(text).unwrap_err();
            assert!(error.to_string().starts_with("a is given twice"), "{error}");
            assert_eq!(error.column(), column, "{error}");
        }
    }
}
