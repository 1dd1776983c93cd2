//! Bytes that are no message, and must be refused as such.

use serde_json::{Value, json};

use super::values::{Look, Values, encode};
use super::{Topic, hex};
use crate::avro::Type;
use millrace_kernel::avro::{Datum as _, write_index};

/// What must fail of a topic.
pub fn of(topic: &Topic) -> Vec<Value> {
    let mut values = Values::seeded(&format!("{}, invalid", topic.name));
    let mut all = Vec::new();
    let mut add = |why: String, bytes: &[u8]| {
        all.push(json!({"name": format!("{}: {why}", topic.name), "topic": topic.name, "bytes": hex(bytes)}));
    };
    let value = values.message(&topic.record, 0, Look::Strange);
    let whole = Type::Record(Box::new(topic.record.clone()));
    let mut bytes = Vec::new();
    encode(&whole, &value, &mut bytes);
    (0..bytes.len()).for_each(|cut| add(format!("cut at byte {cut}"), &bytes[..cut]));
    for extra in [&[0][..], &[1, 2, 3]] {
        add(format!("{} bytes behind it", extra.len()), &[&bytes, extra].concat());
    }
    // every one of these begins with a text
    let rest = &bytes_behind_id(&bytes, &value, topic)[..];
    let first: [(&str, &[u8]); 14] = [
        ("a negative length", &[1]),
        ("the most negative length", &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ("a length of 2^62", &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1]),
        ("a length of 2^63 - 1", &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ("a length of 2^31", &[0x80, 0x80, 0x80, 0x80, 0x10]),
        ("a length of 2^32", &[0x80, 0x80, 0x80, 0x80, 0x20]),
        ("a number of eleven bytes", &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]),
        ("a number of 65 bits", &[0x84, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2]),
        ("a number without an end", &[0xff; 24]),
        ("no UTF-8: a byte that is in none", &[2, 0xff]),
        ("no UTF-8: half of a letter", &[2, 0xc3]),
        ("no UTF-8: a surrogate", &[6, 0xed, 0xa0, 0x80]),
        ("no UTF-8: longer than need be", &[4, 0xc0, 0x80]),
        ("no UTF-8: beyond 10FFFF", &[8, 0xf4, 0x90, 0x80, 0x80]),
    ];
    for (why, start) in first {
        add(format!("{why}, where the first text begins"), &[start, rest].concat());
    }
    if let Some(Type::Union(branches)) = topic.record.field("data").map(|field| &field.kind) {
        let mut envelope = topic.record.clone();
        envelope.fields.retain(|field| field.name != "data");
        let mut before = Vec::new();
        encode(&Type::Record(Box::new(envelope)), &value, &mut before);
        for branch in [branches.len() as i64, -1, i64::MAX, i64::MIN, 1 << 32] {
            let mut bytes = before.clone();
            write_index(branch, &mut bytes);
            bytes.extend([0; 16]);
            add(format!("branch {branch} of {}", branches.len()), &bytes);
        }
    } else {
        outcomes(&mut add);
    }
    all
}

/// What stands behind the first text.
fn bytes_behind_id(bytes: &[u8], value: &Value, topic: &Topic) -> Vec<u8> {
    let first = topic.record.fields.first().map(|field| field.name.as_str()).unwrap_or_default();
    let mut id = Vec::new();
    value[first].as_str().unwrap_or_default().to_owned().write(&mut id);
    bytes[id.len()..].to_vec()
}

/// Outcomes have an enumeration, a boolean and lists.
fn outcomes(add: &mut dyn FnMut(String, &[u8])) {
    let most = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let least = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    add("a status that there is not".to_owned(), &[0, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
    add("a boolean of 2".to_owned(), &[0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    add("a list of 2^63 - 1 items".to_owned(), &[&[0, 0, 0][..], &most, &[0; 20]].concat());
    add("a list of -2^63 items".to_owned(), &[&[0, 0, 0][..], &least, &[0; 20]].concat());
    add("a list of 30 items in 20 bytes".to_owned(), &[&[0, 0, 0, 60][..], &[0; 20]].concat());
    add("a block of a negative size".to_owned(), &[&[0, 0, 0, 1, 1][..], &[0; 20]].concat());
    add(
        "an int of 33 bits".to_owned(),
        &[&[0, 0, 0, 2, 0, 0x80, 0x80, 0x80, 0x80, 0x10][..], &[0; 20]].concat(),
    );
    add("branch 2 of a nullable text".to_owned(), &[0, 0, 0, 0, 0, 0, 0, 4, 0, 0]);
}
