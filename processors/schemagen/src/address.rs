//! Where a message belongs: `"aggregate": "Chirp/{author_id}/{chirp_id}"`, read, and as code.

use std::fmt::Write as _;

use millrace_kernel::Bookkeeping;
use serde_json::Value;

use crate::avro::{Record, Type};
use crate::emit::identifier;

/// The aggregate of a message, by fields of the message.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    /// The kind of aggregate.
    pub kind: String,
    /// The parts of its id; the first is the routing key.
    pub parts: Vec<Part>,
}

/// A part of an id: what stands in a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The field.
    pub field: String,
    /// Whether `A` to `Z` count as `a` to `z`.
    pub is_lower: bool,
}

const FORM: &str = "write it like \"Chirp/{author_id}/{chirp_id}\": the kind of aggregate, then fields of the record; the \
                    first is the routing key";

impl Address {
    /// Reads the annotation of a message.
    pub fn of(record: &Record) -> Result<Self, String> {
        let place = format!("record {}", record.name);
        let text = match &record.marks.aggregate {
            None => return Err(format!("{place}: \"aggregate\" is missing; {FORM}")),
            Some(Value::String(text)) => text,
            Some(Value::Array(_)) => {
                return Err(format!(
                    "{place}: \"aggregate\" is a list, which would be two routing keys; a message belongs to one \
                     aggregate, and what concerns another is a step of a process; {FORM}"
                ));
            }
            Some(other) => return Err(format!("{place}: \"aggregate\" is {other}; {FORM}")),
        };
        let problem = |what: String| Err(format!("{place}: \"aggregate\" is \"{text}\": {what}; {FORM}"));
        let mut parts = text.split('/');
        let kind = parts.next().unwrap_or_default();
        if !kind.starts_with(|c: char| c.is_ascii_uppercase())
            || !kind.chars().all(|c| c.is_ascii_alphanumeric())
        {
            return problem(format!("\"{kind}\" is no kind of aggregate, which is named like a record"));
        }
        if Bookkeeping::KINDS.contains(&kind) {
            return problem(format!("the engine keeps its own under {kind}"));
        }
        let mut address = Self { kind: kind.to_owned(), parts: Vec::new() };
        for part in parts {
            let braces = part.matches('{').count();
            if braces > 1 {
                return problem(format!(
                    "{part} has two fields in one part, so two routing keys or a blurred id"
                ));
            }
            let inner = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            let Some(inner) = inner.filter(|inner| !inner.is_empty()) else {
                return problem(format!("\"{part}\" is no field in braces"));
            };
            let (field, is_lower) = match inner.split_once('|') {
                None => (inner, false),
                Some((field, "lower")) => (field, true),
                Some((_, other)) => return problem(format!("|{other} is not known, only |lower is")),
            };
            let Some(found) = record.field(field) else {
                let fields: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
                return Err(format!(
                    "{place}: \"aggregate\" names {{{field}}}, which {} has not; its fields are {}",
                    record.name,
                    fields.join(", ")
                ));
            };
            if found.kind != Type::String {
                return Err(format!(
                    "field {}.{field}: a {} cannot be keyed; the parts of an aggregate's id are of type string, \
                     so make it one, or name another field in \"aggregate\"",
                    record.name,
                    found.kind.describe()
                ));
            }
            if found.marks.wrapper().is_some() {
                return Err(format!(
                    "field {}.{field}: what is personal or secret cannot be keyed: ids stand in keys for ever; key by \
                     an id that says nothing, and look it up",
                    record.name
                ));
            }
            if address.parts.iter().any(|part| part.field == field) {
                return problem(format!("{{{field}}} stands in it twice"));
            }
            address.parts.push(Part { field: field.to_owned(), is_lower });
        }
        match address.parts.is_empty() {
            true => problem("it names no field, so there is no routing key".to_owned()),
            false => Ok(address),
        }
    }

    /// Whether the text in this field is part of the id as it stands, and so keeps to the rule for ids.
    pub fn names(&self, field: &str) -> bool {
        self.parts.iter().any(|part| part.field == field)
    }

    /// In words: `Chirp/<author_id>/<chirp_id>`.
    pub fn words(&self) -> String {
        let mut words = self.kind.clone();
        for Part { field, is_lower } in &self.parts {
            let case = if *is_lower { " in lower case" } else { "" };
            let _ = write!(words, "/<{field}{case}>");
        }
        words
    }
}

/// `impl Addressed` for the union `data`.
pub fn implementation(data: &str, messages: &[(&Record, &Address)]) -> String {
    let (mut ids, mut keys) = (String::new(), String::new());
    for (record, address) in messages {
        let name = &record.name;
        let text = |part: &Part| {
            let field = format!("it.{}", identifier(&part.field));
            if part.is_lower { format!("{field}.to_ascii_lowercase()") } else { field }
        };
        let parts: Vec<String> = address.parts.iter().map(|part| format!("&{}", text(part))).collect();
        let _ = writeln!(
            ids,
            "Self::{name}(it) => ::millrace_kernel::AggregateId::new({:?}, &[{}]),",
            address.kind,
            parts.join(", ")
        );
        let Some(first) = address.parts.first() else { continue };
        let key = if first.is_lower {
            format!("Owned({})", text(first))
        } else {
            format!("Borrowed(&{})", text(first))
        };
        let _ = writeln!(keys, "Self::{name}(it) => ::std::borrow::Cow::{key},");
    }
    format!(
        "impl ::millrace_kernel::Addressed for {data} {{\n\
         fn aggregate_id(&self) -> ::millrace_kernel::AggregateId {{\nmatch self {{\n{ids}}}\n}}\n\n\
         fn routing_key(&self) -> ::std::borrow::Cow<'_, str> {{\nmatch self {{\n{keys}}}\n}}\n}}\n\n"
    )
}
