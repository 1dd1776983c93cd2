//! Avro records as Rust structs with serde.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use crate::avro::{Enum, Record, Type};
use crate::datum;
use crate::envelope::{self, Kind};

/// The module of one schema file; empty when the kernel has all of it.
pub fn module(kind: &Kind, schema: &Record) -> Result<String, String> {
    let Some(data) = kind.data else { return Ok(String::new()) };
    let mut items = Items::default();
    let body = if kind.open {
        state(&mut items, schema)?
    } else {
        let Some(Type::Union(messages)) = schema.field("data").map(|field| &field.kind) else {
            return Err("field data is missing".to_owned());
        };
        let namespace = schema.namespace.as_deref().unwrap_or_default();
        messages_enum(&mut items, kind, namespace, data, messages)?
    };
    let mut code = String::new();
    let _ = writeln!(code, "/// {}", line(&schema.doc));
    let _ = writeln!(code, "pub mod {} {{", kind.file);
    code.push_str(&body);
    code.push_str(&items.code);
    code.push_str("}\n\n");
    Ok(code)
}

/// `SCHEMAS`, with the texts compiled in.
pub fn schemas_constant(dir: &Path, topics: &Path) -> String {
    let mut code = String::from(
        "/// The texts of the domain's schemas, tables and topics.\npub const SCHEMAS: ::millrace_kernel::Schemas = ::millrace_kernel::Schemas {\n",
    );
    for (field, file) in [
        ("commands", "commands.avsc"),
        ("steps", "steps.avsc"),
        ("events", "events.avsc"),
        ("state", "state.avsc"),
        ("outcomes", "outcomes.avsc"),
        ("lookup", "lookup.avsc"),
        ("views", "views.cql"),
    ] {
        let _ = writeln!(code, "    {field}: include_str!({:?}),", dir.join(file).display().to_string());
    }
    let _ = writeln!(code, "    topics: include_str!({:?}),\n}};", topics.display().to_string());
    code
}

const AVRO: &str = datum::AVRO;
const BOOKKEEPING: &str = "::millrace_kernel::Bookkeeping";
const DERIVE: &str = "#[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]\n";

fn messages_enum(
    items: &mut Items,
    kind: &Kind,
    namespace: &str,
    data: &str,
    messages: &[Record],
) -> Result<String, String> {
    let mut code = String::new();
    let _ = writeln!(code, "/// The messages of the topic: the union `{}.data`.", kind.root);
    code.push_str(DERIVE);
    code.push_str("#[allow(clippy::large_enum_variant)]\n");
    let _ = writeln!(code, "pub enum {data} {{");
    for record in messages {
        let _ = writeln!(code, "/// {}", line(&record.doc));
        // decoders name a branch by its full name
        let _ =
            writeln!(code, "#[serde(alias = \"{namespace}.{name}\")]\n{name}({name}),", name = record.name);
    }
    code.push_str("}\n\n");
    let _ = writeln!(code, "impl ::millrace_kernel::Named for {data} {{");
    code.push_str("fn name(&self) -> &'static str {\nmatch self {\n");
    for record in messages {
        let _ = writeln!(code, "Self::{name}(_) => {name:?},", name = record.name);
    }
    code.push_str("}\n}\n}\n\n");
    code.push_str(&datum::union(data, &messages.iter().map(|it| it.name.as_str()).collect::<Vec<_>>()));
    for record in messages {
        items.record(record)?;
        let name = &record.name;
        let _ = writeln!(
            code,
            "impl From<{name}> for {data} {{\nfn from(message: {name}) -> Self {{\nSelf::{name}(message)\n}}\n}}\n"
        );
    }
    Ok(code)
}

fn state(items: &mut Items, schema: &Record) -> Result<String, String> {
    // of the envelope's own three fields the kernel's trait knows
    let kinds: Vec<(&str, &Record)> = schema
        .fields
        .iter()
        .filter_map(|field| match &field.kind {
            Type::Nullable(inner) => match &**inner {
                Type::Record(record) => Some((field.name.as_str(), record)),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let mut record = String::from("/// The record of the state topic.\n");
    record.push_str(DERIVE);
    record.push_str("#[serde(deny_unknown_fields)]\npub struct StateRecord {\n");
    let mut states = String::from("/// The state of an aggregate of any kind.\n");
    states.push_str(
        "#[derive(Clone, Debug, PartialEq)]\n#[allow(clippy::large_enum_variant)]\npub enum State {\n",
    );
    let (mut to_record, mut from_record, mut write) = (String::new(), String::new(), String::new());
    for field in &schema.fields[..3] {
        let kind = items.rust_type(&field.kind)?;
        let _ = writeln!(record, "/// {}\npub {}: {kind},", line(&field.doc), identifier(&field.name));
    }
    for (field, kind) in kinds {
        let doc = schema.field(field).map(|f| line(&f.doc)).unwrap_or_default();
        let field = identifier(field);
        let variant = &kind.name;
        let (path, pattern, make) = match envelope::bookkeeping(kind) {
            None => {
                let _ = writeln!(states, "/// {}\n{variant}({variant}),", line(&kind.doc));
                items.record(kind)?;
                (variant.clone(), format!("Self::{variant}(state)"), format!("Self::{variant}"))
            }
            Some(known) => {
                let known_as = format!("{BOOKKEEPING}::{variant}");
                (
                    format!("::millrace_kernel::bookkeeping::{known}"),
                    format!("Self::Bookkeeping({known_as}(state))"),
                    format!("|it| Self::Bookkeeping({known_as}(it))"),
                )
            }
        };
        let _ = writeln!(record, "/// {doc}\n#[serde(default)]\npub {field}: Option<{path}>,");
        let _ = writeln!(
            to_record,
            "{field}: match state {{ Some({pattern}) => Some(state.clone()), _ => None }},"
        );
        let _ = writeln!(
            write,
            "match state {{ Some({pattern}) => {{ out.push(2); {AVRO}::Datum::write(state, out); }} _ => out.push(0) }}"
        );
        let _ = write!(from_record, ".or(record.{field}.map({make}))");
    }
    let _ = writeln!(states, "/// What the engine remembers; no aggregate.\nBookkeeping({BOOKKEEPING}),");
    let names: Vec<String> = schema.fields.iter().map(|field| identifier(&field.name)).collect();
    let datum = datum::record("StateRecord", &names);
    Ok(format!(
        "{record}}}\n\n{datum}{states}}}\n\n\
         impl ::millrace_kernel::StateData for State {{\n\
         type Record = StateRecord;\n\n\
         fn to_record(aggregate_id: &::millrace_kernel::AggregateId, version: i64, recorded_at: i64, state: Option<&Self>) -> StateRecord {{\n\
         StateRecord {{\naggregate_id: aggregate_id.as_str().to_owned(),\nversion,\nrecorded_at,\n{to_record}}}\n}}\n\n\
         fn write_record(aggregate_id: &::millrace_kernel::AggregateId, version: i64, recorded_at: i64, state: Option<&Self>, out: &mut Vec<u8>) {{\n\
         {AVRO}::write_str(aggregate_id.as_str(), out);\n\
         {AVRO}::Datum::write(&version, out);\n\
         {AVRO}::Datum::write(&recorded_at, out);\n{write}}}\n\n\
         fn from_record(record: StateRecord) -> (String, i64, i64, Option<Self>) {{\n\
         let state = None{from_record};\n\
         (record.aggregate_id, record.version, record.recorded_at, state)\n}}\n\n\
         fn from_bookkeeping(bookkeeping: {BOOKKEEPING}) -> Self {{\nSelf::Bookkeeping(bookkeeping)\n}}\n\n\
         fn as_bookkeeping(&self) -> Option<&{BOOKKEEPING}> {{\n\
         match self {{\nSelf::Bookkeeping(bookkeeping) => Some(bookkeeping),\n_ => None,\n}}\n}}\n}}\n\n"
    ))
}

/// The structs and enums of one module, each once.
#[derive(Default)]
struct Items {
    seen: BTreeSet<String>,
    code: String,
}

impl Items {
    fn rust_type(&mut self, kind: &Type) -> Result<String, String> {
        Ok(match kind {
            Type::String => "String".to_owned(),
            Type::Long | Type::TimestampMicros => "i64".to_owned(),
            Type::Int => "i32".to_owned(),
            Type::Boolean => "bool".to_owned(),
            Type::Double => "f64".to_owned(),
            Type::Array(items) => format!("Vec<{}>", self.rust_type(items)?),
            Type::Nullable(inner) => format!("Option<{}>", self.rust_type(inner)?),
            Type::Record(record) if envelope::is_violation(record) => {
                "::millrace_kernel::Violation".to_owned()
            }
            Type::Record(record) => {
                self.record(record)?;
                record.name.clone()
            }
            Type::Enum(one) => {
                self.symbols(one);
                one.name.clone()
            }
            Type::Union(_) => {
                return Err("a union of records is supported for field data of the envelope only".to_owned());
            }
        })
    }

    fn record(&mut self, record: &Record) -> Result<(), String> {
        if !self.seen.insert(record.name.clone()) {
            return Ok(());
        }
        let mut code = String::new();
        let _ = writeln!(code, "/// {}", line(&record.doc));
        code.push_str(DERIVE);
        let _ = writeln!(code, "#[serde(deny_unknown_fields)]\npub struct {} {{", record.name);
        for field in &record.fields {
            let kind = self
                .rust_type(&field.kind)
                .map_err(|message| format!("field {}.{}: {message}", record.name, field.name))?;
            let _ = writeln!(code, "/// {}", line(&field.doc));
            if matches!(field.kind, Type::Nullable(_)) {
                code.push_str("#[serde(default)]\n");
            }
            let _ = writeln!(code, "pub {}: {kind},", identifier(&field.name));
        }
        code.push_str("}\n\n");
        let names: Vec<String> = record.fields.iter().map(|field| identifier(&field.name)).collect();
        code.push_str(&datum::record(&record.name, &names));
        self.code.push_str(&code);
        Ok(())
    }

    fn symbols(&mut self, one: &Enum) {
        if !self.seen.insert(one.name.clone()) {
            return;
        }
        let code = &mut self.code;
        let _ = writeln!(code, "/// {}", line(&one.doc));
        code.push_str(
            "#[derive(Clone, Copy, Debug, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize)]\n",
        );
        let _ = writeln!(code, "pub enum {} {{", one.name);
        for symbol in &one.symbols {
            let _ = writeln!(code, "/// `{symbol}`\n#[serde(rename = {symbol:?})]\n{},", camel_case(symbol));
        }
        code.push_str("}\n\n");
        let symbols: Vec<String> = one.symbols.iter().map(|symbol| camel_case(symbol)).collect();
        code.push_str(&datum::symbols(&one.name, &symbols));
    }
}

/// `home_timelines`, `CREATED` → `HomeTimelines`, `Created`.
pub fn camel_case(name: &str) -> String {
    let shouted = name.chars().all(|c| !c.is_lowercase());
    name.split('_')
        .map(|word| {
            let mut letters = word.chars();
            let first: String = letters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
            let rest = letters.as_str();
            first + &if shouted { rest.to_lowercase() } else { rest.to_owned() }
        })
        .collect()
}

/// A field's name, also where it is a word of Rust.
pub fn identifier(name: &str) -> String {
    const WORDS: [&str; 24] = [
        "as", "async", "await", "break", "const", "do", "else", "enum", "final", "fn", "for", "if", "impl",
        "in", "let", "loop", "match", "mod", "move", "ref", "type", "use", "where", "while",
    ];
    if WORDS.contains(&name) { format!("r#{name}") } else { name.to_owned() }
}

/// A documentation as one line that rustdoc takes literally.
pub fn line(doc: &str) -> String {
    let words: Vec<&str> = doc.split_whitespace().collect();
    words.join(" ").replace('<', "\\<").replace('[', "\\[")
}
