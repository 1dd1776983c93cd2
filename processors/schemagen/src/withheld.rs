//! The list of fields that are shown to nobody over HTTP.

use std::fmt::Write as _;

use crate::avro::{Record, Type};

/// The list of `WithheldRule`s of these messages and kinds of states.
pub fn rules<'r>(records: impl Iterator<Item = &'r Record>) -> String {
    let mut code = String::new();
    for record in records {
        rules_of(record, &record.name, "", &mut code);
    }
    format!("&[{code}]")
}

fn rules_of(record: &Record, name: &str, path: &str, code: &mut String) {
    for field in &record.fields {
        let place = format!("{path}{}", field.name);
        if field.marks.is_withheld {
            let _ =
                writeln!(code, "::millrace_kernel::WithheldRule {{ record: {name:?}, field: {place:?} }},");
            continue;
        }
        let mut kind = &field.kind;
        while let Type::Nullable(inner) | Type::Array(inner) = kind {
            kind = inner;
        }
        if let Type::Record(inner) = kind {
            rules_of(inner, name, &format!("{place}."), code);
        }
    }
}
