//! The code that looks how long the texts of a command are, and whether its secrets are sealed.

use std::fmt::Write as _;

use crate::address::Address;
use crate::annotations;
use crate::avro::{Field, Record, Type};
use crate::emit::identifier;
use crate::envelope;

/// `impl Limited` for the union `data`.
pub fn implementation(data: &str, messages: &[(&Record, &Address)]) -> String {
    let (mut names, mut lengths) = (String::new(), String::new());
    for (record, address) in messages {
        let fields: Vec<String> = record.fields.iter().map(|field| format!("{:?}", field.name)).collect();
        let _ = writeln!(names, "Self::{}(_) => &[{}],", record.name, fields.join(", "));
        let body = fields_of(record, Some(address), "it", "");
        let it = if body.is_empty() { "_" } else { "it" };
        let _ = writeln!(lengths, "Self::{}({it}) => {{\n{body}}}", record.name);
    }
    format!(
        "impl ::millrace_kernel::Limited for {data} {{\n\
         fn fields(&self) -> &'static [&'static str] {{\nmatch self {{\n{names}}}\n}}\n\n\
         #[allow(unused_variables)]\n\
         fn measure(&self, lengths: &mut ::millrace_kernel::Lengths) {{\nmatch self {{\n{lengths}}}\n}}\n}}\n\n"
    )
}

fn fields_of(record: &Record, address: Option<&Address>, it: &str, path: &str) -> String {
    let mut code = String::new();
    for field in &record.fields {
        let path = format!("{path}{}", field.name);
        let it = format!("{it}.{}", identifier(&field.name));
        if field.marks.sealed.is_some() {
            let _ = writeln!(code, "lengths.sealed({path:?}, &{it});");
        } else if record.is_fingerprint(&field.name) {
            let _ = writeln!(code, "lengths.fingerprint({path:?}, &{it});");
        } else {
            code.push_str(&value(field, &field.kind, address, &it, &path));
        }
    }
    code
}

fn value(field: &Field, kind: &Type, address: Option<&Address>, it: &str, path: &str) -> String {
    match kind {
        Type::String => match annotations::limit(field, address) {
            Some(most) if field.marks.wrapper().is_some() => {
                format!("lengths.text({path:?}, {it}.open(), {most});\n")
            }
            Some(most) => format!("lengths.text({path:?}, {}, {most});\n", by_reference(it)),
            None => String::new(),
        },
        Type::Record(record) if record.name != envelope::VIOLATION => {
            fields_of(record, None, it, &format!("{path}."))
        }
        Type::Nullable(inner) | Type::Array(inner) => match value(field, inner, address, "it", path) {
            body if body.is_empty() => body,
            body if matches!(kind, Type::Array(_)) => {
                format!("for it in {} {{\n{body}}}\n", by_reference(it))
            }
            body => format!("if let Some(it) = {} {{\n{body}}}\n", by_reference(it)),
        },
        _ => String::new(),
    }
}

/// The list of `TextRule`s that says of commands what [`implementation`] looks for.
pub fn rules(messages: &[(&Record, &Address)]) -> String {
    let mut code = String::new();
    for (record, address) in messages {
        rules_of(record, Some(address), &record.name, "", &mut code);
    }
    format!("&[{code}]")
}

fn rules_of(record: &Record, address: Option<&Address>, command: &str, path: &str, code: &mut String) {
    for field in &record.fields {
        let path = format!("{path}{}", field.name);
        let mut kind = &field.kind;
        while let Type::Nullable(inner) | Type::Array(inner) = kind {
            kind = inner;
        }
        match kind {
            Type::String => {
                let is_id = annotations::is_id(field, address);
                if let Some(most) = annotations::limit(field, address) {
                    let _ = writeln!(
                        code,
                        "::millrace_kernel::TextRule {{ command: {command:?}, field: {path:?}, most: {most}, is_id: {is_id} }},"
                    );
                }
            }
            Type::Record(inner) if inner.name != envelope::VIOLATION => {
                rules_of(inner, None, command, &format!("{path}."), code);
            }
            _ => {}
        }
    }
}

/// The list of `SealedRule`s of the commands.
pub fn sealed(messages: &[(&Record, &Address)]) -> String {
    let mut code = String::new();
    for (record, _) in messages {
        sealed_of(record, &record.name, "", &mut code);
    }
    format!("&[{code}]")
}

fn sealed_of(record: &Record, command: &str, path: &str, code: &mut String) {
    for field in &record.fields {
        let mut kind = &field.kind;
        while let Type::Nullable(inner) | Type::Array(inner) = kind {
            kind = inner;
        }
        match (kind, &field.marks.sealed) {
            (_, Some(fingerprint)) => {
                let _ = writeln!(
                    code,
                    "::millrace_kernel::SealedRule {{ command: {command:?}, field: {:?}, fingerprint: {fingerprint:?} }},",
                    format!("{path}{}", field.name)
                );
            }
            (Type::Record(inner), None) => {
                sealed_of(inner, command, &format!("{path}{}.", field.name), code);
            }
            _ => {}
        }
    }
}

/// A place by reference; what stands in a list or in an option is one already.
fn by_reference(it: &str) -> String {
    if it == "it" { it.to_owned() } else { format!("&{it}") }
}
