//! Values of any schema from a seed, as JSON, and as the bytes they are.
//!
//! A value holds longs as numbers, bytes as hexadecimal digits, and a message of a union as `{"branch": 2, "value": …}`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use millrace_kernel::avro::{Datum as _, write_index, write_str};
use millrace_kernel::sample::Seed;
use serde_json::{Map, Value, json};

use crate::annotations;
use crate::avro::{Field, Record, Type};

/// What a value is to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// As little as there can be: null, empty.
    Least,
    /// Everything is there, and numbers are the largest.
    Largest,
    /// Everything is there, and numbers are the smallest.
    Smallest,
    /// Texts of letters that are longer than they look.
    Strange,
    /// Anything.
    Any,
}

impl Look {
    /// The first ones have a look each.
    pub fn of(number: usize) -> Self {
        match number {
            0 => Self::Least,
            1 => Self::Largest,
            2 => Self::Smallest,
            3 | 4 => Self::Strange,
            _ => Self::Any,
        }
    }
}

/// What SHA-256 makes.
const DIGEST_BYTES: usize = 32;

/// Texts that somebody somewhere reads or writes wrongly: beyond the basic plane, combining, without width, turned around, at the
/// ends of what UTF-8 has, and such as JSON and HTML escape.
const STRANGE: [&str; 24] = [
    "🐦",
    "👩‍👩‍👧‍👦",
    "e\u{301}",
    "\u{1f1e6}\u{1f1f9}",
    "\u{10ffff}",
    "\u{ffff}",
    "\u{fffd}",
    "\u{feff}",
    "\u{2028}",
    "\u{2029}",
    "\u{0}",
    "\u{1f}",
    "\u{7f}",
    "\u{80}",
    "\u{7ff}",
    "\u{800}",
    "\u{10000}",
    "\"",
    "\\",
    "</script>",
    "\r\n\t",
    "שלום",
    "\u{202e}",
    "ﷺ",
];

/// Where values come from.
pub struct Values(Seed);

impl Values {
    /// The same for the same name.
    pub fn seeded(name: &str) -> Self {
        let number = name.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Self(Seed::new(number))
    }

    /// A text of strange letters among others.
    pub fn text(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..1 + self.0.below(12) {
            match self.0.below(3) {
                0 => text.push_str(STRANGE[self.0.below(STRANGE.len())]),
                _ => text.push(char::from(b'a' + self.0.below(26) as u8)),
            }
        }
        text
    }

    /// The root record of a topic with a message of this branch, if it has messages.
    pub fn message(&mut self, root: &Record, branch: usize, look: Look) -> Value {
        let mut whole = Map::new();
        for field in &root.fields {
            let value = match &field.kind {
                Type::Union(branches) => {
                    json!({"branch": branch, "value": self.record(&branches[branch], look)})
                }
                _ => self.field(field, look),
            };
            whole.insert(field.name.clone(), value);
        }
        Value::Object(whole)
    }

    pub fn record(&mut self, record: &Record, look: Look) -> Value {
        let fields = record.fields.iter().map(|field| (field.name.clone(), self.field(field, look)));
        Value::Object(fields.collect())
    }

    fn field(&mut self, field: &Field, look: Look) -> Value {
        self.value(field, &field.kind, look)
    }

    fn value(&mut self, field: &Field, kind: &Type, look: Look) -> Value {
        match kind {
            Type::String => self.text_of(field, look).into(),
            Type::Long | Type::TimestampMicros => self.long(look).into(),
            Type::Int => match look {
                Look::Least => 0.into(),
                Look::Largest => i32::MAX.into(),
                Look::Smallest => i32::MIN.into(),
                _ => (self.0.number() as i32).into(),
            },
            Type::Double => f64::from(self.0.number() as i32 >> 8).into(),
            Type::Boolean => (look != Look::Least && self.0.below(2) == 1).into(),
            Type::Bytes => {
                let length = match field.marks.sealed {
                    // a digest, which has one length
                    None => DIGEST_BYTES,
                    Some(_) if look == Look::Least => 0,
                    Some(_) => 1 + self.0.below(80),
                };
                (0..length).map(|_| format!("{:02x}", self.0.number() as u8)).collect::<String>().into()
            }
            Type::Nullable(inner) => {
                let is_there = match look {
                    Look::Least => false,
                    Look::Any => self.0.below(2) == 1,
                    _ => true,
                };
                if is_there { self.value(field, inner, look) } else { Value::Null }
            }
            Type::Array(items) => {
                let count = match look {
                    Look::Least => 0,
                    Look::Any => self.0.below(4),
                    _ => 2,
                };
                (0..count).map(|_| self.value(field, items, look)).collect()
            }
            Type::Enum(one) => one.symbols[self.0.below(one.symbols.len())].clone().into(),
            Type::Record(record) => self.record(record, look),
            // not of messages and outcomes
            Type::Union(_) | Type::Columns => Value::Null,
        }
    }

    fn long(&mut self, look: Look) -> i64 {
        /// Where encodings take a byte more, and where JavaScript's numbers end.
        const EDGES: [i64; 10] =
            [63, 64, -64, -65, 8_191, 8_192, 1 << 53, (1 << 53) + 1, -(1 << 53) - 1, i64::MIN + 1];
        match look {
            Look::Least => 0,
            Look::Largest => i64::MAX,
            Look::Smallest => i64::MIN,
            _ => match self.0.below(4) {
                0 => EDGES[self.0.below(EDGES.len())],
                1 => self.0.number() as i64,
                _ => self.0.below(100_000) as i64,
            },
        }
    }

    fn text_of(&mut self, field: &Field, look: Look) -> String {
        let most = annotations::limit(field, None).unwrap_or(64).min(120);
        let text = match look {
            Look::Least => return String::new(),
            Look::Strange => self.text(),
            Look::Largest => "ä".repeat(most.min(70)),
            _ if self.0.below(4) == 0 => self.text(),
            _ => self.0.id(24.min(most)).to_string(),
        };
        text.chars().take(most).collect()
    }
}

/// Appends the bytes of a value.
pub fn encode(kind: &Type, value: &Value, out: &mut Vec<u8>) {
    match kind {
        Type::String => write_str(value.as_str().unwrap_or_default(), out),
        Type::Long | Type::TimestampMicros | Type::Int => value.as_i64().unwrap_or_default().write(out),
        Type::Double => value.as_f64().unwrap_or_default().write(out),
        Type::Boolean => value.as_bool().unwrap_or_default().write(out),
        Type::Bytes => {
            let bytes = bytes(value);
            write_index(bytes.len() as i64, out);
            out.extend(bytes);
        }
        Type::Nullable(_) if value.is_null() => write_index(0, out),
        Type::Nullable(inner) => {
            write_index(1, out);
            encode(inner, value, out);
        }
        Type::Array(items) => {
            let all = value.as_array().map(Vec::as_slice).unwrap_or_default();
            if !all.is_empty() {
                write_index(all.len() as i64, out);
                all.iter().for_each(|item| encode(items, item, out));
            }
            write_index(0, out);
        }
        Type::Enum(one) => {
            let at = one.symbols.iter().position(|symbol| Some(symbol.as_str()) == value.as_str());
            write_index(at.unwrap_or_default() as i64, out);
        }
        Type::Record(record) => {
            for field in &record.fields {
                encode(&field.kind, &value[&field.name], out);
            }
        }
        Type::Union(branches) => {
            let branch = value["branch"].as_u64().unwrap_or_default() as usize;
            write_index(branch as i64, out);
            encode(&Type::Record(Box::new(branches[branch].clone())), &value["value"], out);
        }
        Type::Columns => {}
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap_or_default();
    (0..digits.len() / 2).filter_map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()).collect()
}

/// A value as JSON for people and programs: `longs` as texts, sealed boxes in base64, messages without the number of their branch.
pub fn shown(record: &Record, value: &Value, longs: bool) -> Value {
    let fields = record.fields.iter().map(|field| {
        (field.name.clone(), shown_as(&field.kind, field.marks.sealed.is_some(), &value[&field.name], longs))
    });
    Value::Object(fields.collect())
}

fn shown_as(kind: &Type, is_sealed: bool, value: &Value, longs: bool) -> Value {
    match kind {
        Type::Long | Type::TimestampMicros if longs => value.to_string().into(),
        Type::Bytes if is_sealed => STANDARD.encode(bytes(value)).into(),
        Type::Nullable(_) if value.is_null() => Value::Null,
        Type::Nullable(inner) => shown_as(inner, is_sealed, value, longs),
        Type::Array(items) => {
            let all = value.as_array().into_iter().flatten();
            all.map(|item| shown_as(items, is_sealed, item, longs)).collect()
        }
        Type::Record(record) => shown(record, value, longs),
        Type::Union(branches) => {
            let branch = value["branch"].as_u64().unwrap_or_default() as usize;
            shown(&branches[branch], &value["value"], longs)
        }
        _ => value.clone(),
    }
}
