//! Messages, headers, cursors and lines: what producers, operators and other builds write.

use std::sync::Arc;

use bytes::Bytes;
use millrace_domain_accounting::Accounting;
use millrace_domain_chirp::Chirp;
use millrace_domain_chirp::feed::Cursor;
use millrace_kernel::{Command, Datum, Domain, StateData};
use millrace_runtime::dead::headers::{self, DeadKind, LinePlace, Mark};
use millrace_wire::{Codec, MemoryRegistry, Registry};

/// The command line links every adapter; its reader of lines needs none of them.
#[path = "../../../cli/lib/src/load/lines.rs"]
#[allow(dead_code)]
mod lines;

use lines::{BadLine, Line, Lines};

/// A writer's schema, a zero byte, and what it wrote; the first byte says into which topic.
pub fn avro(bytes: &[u8]) {
    let Some((topic, rest)) = bytes.split_first() else { return };
    let Some(at) = rest.iter().position(|byte| *byte == 0) else { return };
    let Ok(schema) = std::str::from_utf8(&rest[..at]) else { return };
    let body = &rest[at + 1..];
    match topic % 4 {
        0 => decode::<Command<<Chirp as Domain>::Command>>(Chirp::SCHEMAS.commands, schema, body),
        1 => decode::<Command<<Accounting as Domain>::Command>>(Accounting::SCHEMAS.commands, schema, body),
        2 => decode::<<<Chirp as Domain>::State as StateData>::Record>(Chirp::SCHEMAS.state, schema, body),
        _ => decode::<millrace_kernel::Outcome>(Chirp::SCHEMAS.outcomes, schema, body),
    }
}

/// Decodes what `schema` wrote, and the same bytes as if this build's own schema had.
fn decode<T: Datum>(own: &str, schema: &str, body: &[u8]) {
    let registry = Arc::new(MemoryRegistry::default());
    let codec = Codec::<T>::register(Arc::clone(&registry) as Arc<dyn Registry>, "t-value", own)
        .expect("this build's schema is one");
    let id = registry.register("t-value", schema).expect("the registry in memory takes everything");
    for id in [id, codec.schema_id()] {
        let mut message = vec![0];
        message.extend(id.to_be_bytes());
        message.extend(body);
        let _ = codec.decode(&message);
    }
}

/// Headers of a dead record, a line each: a name, `=` and a value.
pub fn dead_headers(bytes: &[u8]) {
    let mut all = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let at = line.iter().position(|byte| *byte == b'=').unwrap_or(line.len());
        let Ok(name) = std::str::from_utf8(&line[..at]) else { continue };
        let value = Bytes::copy_from_slice(line.get(at + 1..).unwrap_or_default());
        all.push((name.to_owned(), value));
    }
    if let Some(place) = headers::text(&all, headers::LINE).and_then(LinePlace::parse) {
        assert_eq!(LinePlace::parse(&place.to_string()), Some(place));
    }
    let _ = headers::text(&all, headers::KIND).and_then(DeadKind::parse);
    let _ = headers::text(&all, headers::MARK).and_then(Mark::parse);
    if let Some((offset, mark)) = headers::note(&all) {
        assert_eq!(
            headers::note(&[
                headers::header(headers::MARK, mark.as_str()),
                headers::header(headers::MARKED, offset)
            ]),
            Some((offset, mark))
        );
    }
    assert!(headers::foreign(&all).len() <= all.len());
}

/// A cursor as somebody gives it back.
pub fn cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(cursor) = text.parse::<Cursor>() {
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }
}

/// A file as `millrace load` reads it: every line is one command, barrier or bad line, and counted as such.
pub fn load(bytes: &[u8]) {
    let size = lines::measure(bytes).expect("memory can be read");
    let (mut commands, mut barriers) = (0, 0);
    for line in Lines::new(bytes) {
        match line.expect("memory can be read") {
            Line::Command { number, text, value } => {
                let member = value.as_object().and_then(|members| members.keys().next_back());
                let bad = BadLine::at(number, &text, member.map(String::as_str), "");
                assert!(bad.column <= text.chars().count() + 1);
                commands += 1;
            }
            Line::Barrier { .. } => barriers += 1,
            Line::Bad(bad) => {
                assert!(bad.column > 0 && bad.number == commands + barriers + 1);
                commands += 1;
            }
        }
    }
    assert_eq!(size, lines::Size { commands, barriers });
}
