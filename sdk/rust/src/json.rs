//! JSON as the gateway has it: the names of the schemas, longs as numbers or as texts of digits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::{BadMessage, Record, Sink, Source, Symbols};

/// A record as the gateway's JSON has it.
#[must_use]
pub fn record_to_json(record: &impl Record) -> Value {
    let mut sink = JsonSink::default();
    record.write(&mut sink);
    Value::Object(sink.whole)
}

/// A record out of the gateway's JSON.
///
/// # Errors
/// [`BadMessage`].
pub fn record_from_json<T: Record>(value: &Value) -> Result<T, BadMessage> {
    T::read(&mut JsonSource(value))
}

#[derive(Default)]
struct JsonSink {
    whole: Map<String, Value>,
    /// The list that is being written.
    items: Option<Vec<Value>>,
}

impl JsonSink {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        match &mut self.items {
            Some(items) => items.push(value.into()),
            None => drop(self.whole.insert(name.to_owned(), value.into())),
        }
    }
}

impl Sink for JsonSink {
    fn text(&mut self, name: &str, value: &str) {
        self.put(name, value);
    }

    fn long(&mut self, name: &str, value: i64) {
        self.put(name, value);
    }

    fn int(&mut self, name: &str, value: i32) {
        self.put(name, value);
    }

    fn double(&mut self, name: &str, value: f64) {
        self.put(name, value);
    }

    fn boolean(&mut self, name: &str, value: bool) {
        self.put(name, value);
    }

    fn sealed(&mut self, name: &str, value: &[u8]) {
        self.put(name, STANDARD.encode(value));
    }

    fn digest(&mut self, name: &str, value: &[u8]) {
        self.put(name, value.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    }

    fn none(&mut self, name: &str) {
        self.put(name, Value::Null);
    }

    fn some(&mut self, _: &str) {}

    fn items<T>(&mut self, name: &str, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        let around = self.items.replace(Vec::new());
        items.iter().for_each(|item| write(self, item));
        let own = std::mem::replace(&mut self.items, around);
        self.put(name, own.unwrap_or_default());
    }

    fn record(&mut self, name: &str, value: &impl Record) {
        self.put(name, record_to_json(value));
    }

    fn symbol<S: Symbols>(&mut self, name: &str, value: S) {
        self.put(name, S::SYMBOLS[value.index()]);
    }
}

/// Reads JSON that was parsed.
pub(crate) struct JsonSource<'a>(pub(crate) &'a Value);

impl<'a> JsonSource<'a> {
    /// What stands under a name; the empty one is the item of a list.
    fn of(&self, name: &str) -> Result<&'a Value, BadMessage> {
        match self.0 {
            value if name.is_empty() => Ok(value),
            Value::Object(members) => Ok(members.get(name).unwrap_or(&Value::Null)),
            _ => Err(BadMessage::at("", "expected an object")),
        }
    }
}

impl<'a> Source for JsonSource<'a> {
    fn text(&mut self, name: &str) -> Result<String, BadMessage> {
        let text = self.of(name)?.as_str().map(str::to_owned);
        text.ok_or_else(|| BadMessage::at(name, "expected a text"))
    }

    fn long(&mut self, name: &str) -> Result<i64, BadMessage> {
        let value = self.of(name)?;
        let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        number.ok_or_else(|| BadMessage::at(name, "expected a whole number of 64 bits"))
    }

    fn int(&mut self, name: &str) -> Result<i32, BadMessage> {
        i32::try_from(self.long(name)?)
            .map_err(|_| BadMessage::at(name, "expected a whole number of 32 bits"))
    }

    fn double(&mut self, name: &str) -> Result<f64, BadMessage> {
        self.of(name)?.as_f64().ok_or_else(|| BadMessage::at(name, "expected a number"))
    }

    fn boolean(&mut self, name: &str) -> Result<bool, BadMessage> {
        self.of(name)?.as_bool().ok_or_else(|| BadMessage::at(name, "expected true or false"))
    }

    fn sealed(&mut self, name: &str) -> Result<Vec<u8>, BadMessage> {
        STANDARD.decode(self.text(name)?).map_err(|_| BadMessage::at(name, "expected base64"))
    }

    fn digest(&mut self, name: &str) -> Result<Vec<u8>, BadMessage> {
        let text = self.text(name)?;
        let digits = text.as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let is_even = digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit);
        let bytes = is_even.then(|| digits.chunks_exact(2).map(byte).collect::<Option<Vec<_>>>()).flatten();
        bytes.ok_or_else(|| BadMessage::at(name, "expected hexadecimal digits"))
    }

    fn is_some(&mut self, name: &str) -> Result<bool, BadMessage> {
        Ok(!self.of(name)?.is_null())
    }

    fn items<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&mut Self) -> Result<T, BadMessage>,
    ) -> Result<Vec<T>, BadMessage> {
        let all = self.of(name)?.as_array().ok_or_else(|| BadMessage::at(name, "expected a list"))?;
        let one = |(at, item): (usize, &'a Value)| {
            read(&mut JsonSource(item)).map_err(|bad| bad.within(&at.to_string()).within(name))
        };
        all.iter().enumerate().map(one).collect()
    }

    fn record<T: Record>(&mut self, name: &str) -> Result<T, BadMessage> {
        T::read(&mut JsonSource(self.of(name)?)).map_err(|bad| bad.within(name))
    }

    fn symbol<S: Symbols>(&mut self, name: &str) -> Result<S, BadMessage> {
        let text = self.text(name)?;
        let found = S::SYMBOLS.iter().position(|symbol| *symbol == text).and_then(S::at);
        found.ok_or_else(|| BadMessage::at(name, format!("expected one of {}", S::SYMBOLS.join(", "))))
    }
}

/// The data of a message.
pub(crate) fn messages_to_json(data: &impl crate::Messages) -> Value {
    let mut sink = JsonSink::default();
    data.write(&mut sink);
    sink.whole.remove("data").unwrap_or_default()
}

/// The data of the message of this name, out of the gateway's JSON.
///
/// # Errors
/// [`BadMessage`], also where there is no message of that name.
pub fn messages_from_json<D: crate::Messages>(name: &str, data: &Value) -> Result<D, BadMessage> {
    let branch = D::NAMES.iter().position(|it| *it == name);
    let branch = branch.ok_or_else(|| BadMessage::at("type", format!("{name} is none of the topic's")))?;
    // it reads a member of that name
    let around = Value::Object(Map::from_iter([("data".to_owned(), data.clone())]));
    D::read(branch, &mut JsonSource(&around))
}
