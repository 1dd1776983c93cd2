//! The messages in Rust, apart from the engine: a struct for each, and an enum for each topic.

use std::fmt::Write as _;
use std::path::PathBuf;

use millrace_kernel::table::{ColumnType, Table};

use super::Files;
use super::model::{Domain, Item, Message, Model, Topic};
use super::text::{HEAD, camel_case, wrapped};
use crate::address::{Address, Part};
use crate::avro::{Field, Record, Type};
use crate::emit::identifier;

/// The files of `src/generated`.
pub fn files(model: &Model) -> Files {
    let mut files = Files::new();
    let mut put = |name: String, text: String| {
        // what is no code has no place for it
        let text = if name.ends_with(".rs") { format!("// {HEAD}\n\n{text}") } else { text };
        files.insert(PathBuf::from(name), text);
    };
    put("envelope.rs".to_owned(), envelope(model));
    put("names.rs".to_owned(), names(model));
    put("mod.rs".to_owned(), root(model));
    for domain in &model.domains {
        put(format!("{}.rs", domain.name), module(domain, &model.envelope));
        for (of, schema) in [
            ("commands", &domain.commands.schema),
            ("events", &domain.events.schema),
            ("outcomes", &domain.outcomes),
        ] {
            put(format!("schemas/{}.{of}.avsc", domain.name), format!("{schema}\n"));
        }
    }
    files
}

fn doc(code: &mut String, text: &str) {
    for line in wrapped(&text.replace('<', "\\<").replace('[', "\\[")) {
        let _ = writeln!(code, "/// {line}");
    }
}

fn root(model: &Model) -> String {
    let mut code = String::from("//! The messages of every domain.\n\npub mod envelope;\npub mod names;\n");
    for domain in &model.domains {
        let _ = writeln!(code, "pub mod {};", domain.name);
    }
    code.push_str(
        "\n/// Calls the macro `$with` for every domain, with its module and what its commands and events hold.\n\
         #[macro_export]\nmacro_rules! for_each_domain {\n($with:ident) => {\n",
    );
    for domain in &model.domains {
        let _ = writeln!(
            code,
            "$with!({name}, {camel}Command, {camel}Event);",
            name = domain.name,
            camel = camel_case(&domain.name)
        );
    }
    code.push_str("};\n}\n");
    code
}

fn names(model: &Model) -> String {
    let mut code = String::from("//! The name of every message.\n\n");
    type Of = fn(&Domain) -> &Topic;
    let both: [(&str, Of); 2] = [("command", |domain| &domain.commands), ("event", |domain| &domain.events)];
    for (what, of) in both {
        let _ = writeln!(
            code,
            "/// The name of every {what}.\n#[allow(non_upper_case_globals, reason = \"they are called as the messages are\")]\npub mod {what}s {{"
        );
        for message in model.domains.iter().flat_map(|domain| &of(domain).messages) {
            doc(&mut code, &message.record.doc);
            let _ = writeln!(code, "pub const {name}: &str = {name:?};", name = message.record.name);
        }
        code.push_str("}\n\n");
    }
    code
}

fn envelope(model: &Model) -> String {
    let mut code = String::from(
        "//! What stands around messages, alike in all domains.\n\nuse crate::{BadMessage, Record, Sink, Source, Symbols};\n\n",
    );
    model.envelope.iter().for_each(|one| item(&mut code, one));
    code
}

fn module(domain: &Domain, envelope: &[Item]) -> String {
    let mut body = String::new();
    domain.items.iter().for_each(|one| item(&mut body, one));
    for (topic, kind) in [(&domain.commands, "Command"), (&domain.events, "Event")] {
        topic.messages.iter().for_each(|it| message(&mut body, domain, it));
        union(&mut body, domain, topic, kind);
    }
    let name = &domain.name;
    let _ = writeln!(
        body,
        "/// What became of commands of {name}.\npub const OUTCOMES: Topic = Topic {{ domain: {name:?}, name: \"{name}.outcomes\", \
         schema: include_str!(\"schemas/{name}.outcomes.avsc\") }};\n"
    );
    domain.views.iter().for_each(|table| view(&mut body, domain, table));
    let mut code = format!("//! Commands, events and rows of {name}.\n\nuse std::borrow::Cow;\n\n");
    let of_envelope: Vec<&str> = envelope
        .iter()
        .map(Item::name)
        .filter(|it| body.contains(&format!("<{it}>")) || body.contains(&format!(": {it},")))
        .collect();
    if !of_envelope.is_empty() {
        let _ = writeln!(code, "use super::envelope::{{{}}};", of_envelope.join(", "));
    }
    code.push_str("use crate::{BadMessage, Message, Messages, Record, Sink, Source, Topic, View};\n\n");
    code.push_str(&body);
    code
}

fn item(code: &mut String, one: &Item) {
    match one {
        Item::Record(record) => structure(code, record),
        Item::Enum(one) => {
            doc(code, &one.doc);
            let _ = writeln!(code, "#[derive(Clone, Copy, Debug, PartialEq, Eq)]\npub enum {} {{", one.name);
            for symbol in &one.symbols {
                let _ = writeln!(code, "/// `{symbol}`\n{},", camel_case(symbol));
            }
            let symbols: Vec<String> = one.symbols.iter().map(|it| format!("{it:?}")).collect();
            let variants: Vec<String> =
                one.symbols.iter().map(|it| format!("Self::{}", camel_case(it))).collect();
            let _ = writeln!(
                code,
                "}}\n\nimpl Symbols for {} {{\nconst SYMBOLS: &'static [&'static str] = &[{}];\n\n\
                 fn at(index: usize) -> Option<Self> {{\n[{}].get(index).copied()\n}}\n\n\
                 fn index(self) -> usize {{\nself as usize\n}}\n}}\n",
                one.name,
                symbols.join(", "),
                variants.join(", ")
            );
        }
    }
}

fn type_of(kind: &Type) -> String {
    match kind {
        Type::String => "String".to_owned(),
        Type::Long | Type::TimestampMicros => "i64".to_owned(),
        Type::Int => "i32".to_owned(),
        Type::Double => "f64".to_owned(),
        Type::Boolean => "bool".to_owned(),
        Type::Bytes => "Vec<u8>".to_owned(),
        Type::Array(items) => format!("Vec<{}>", type_of(items)),
        Type::Nullable(inner) => format!("Option<{}>", type_of(inner)),
        Type::Enum(one) => one.name.clone(),
        Type::Record(record) => record.name.clone(),
        // of the engine's own records alone, which are no messages
        Type::Union(_) | Type::Columns => "()".to_owned(),
    }
}

fn structure(code: &mut String, record: &Record) {
    doc(code, &record.doc);
    let can_be_empty = record.fields.iter().all(|field| matches!(field.kind, Type::Nullable(_)));
    let more = if can_be_empty { "Default, " } else { "" };
    let _ = writeln!(code, "#[derive(Clone, Debug, {more}PartialEq)]\npub struct {} {{", record.name);
    for Field { name, doc: words, kind, .. } in &record.fields {
        doc(code, words);
        let _ = writeln!(code, "pub {}: {},", identifier(name), type_of(kind));
    }
    let (out, from) = if record.fields.is_empty() { ("_", "_") } else { ("out", "from") };
    let _ =
        writeln!(code, "}}\n\nimpl Record for {} {{\nfn write(&self, {out}: &mut impl Sink) {{", record.name);
    for field in &record.fields {
        let it = format!("self.{}", identifier(&field.name));
        write(code, field, &field.kind, &format!("{:?}", field.name), &it, false);
    }
    let _ =
        writeln!(code, "}}\n\nfn read({from}: &mut impl Source) -> Result<Self, BadMessage> {{\nOk(Self {{");
    for field in &record.fields {
        let value = read(field, &field.kind, &format!("{:?}", field.name));
        let _ = writeln!(code, "{}: {value},", identifier(&field.name));
    }
    code.push_str("})\n}\n}\n\n");
}

/// Bytes are shown as a sealed box, in base64, or as hexadecimal digits.
fn of_bytes(field: &Field) -> &'static str {
    if field.marks.sealed.is_some() { "sealed" } else { "digest" }
}

/// `by_reference`: `it` is a reference already.
fn write(code: &mut String, field: &Field, kind: &Type, name: &str, it: &str, by_reference: bool) {
    let place = if by_reference { it.to_owned() } else { format!("&{it}") };
    let value = if by_reference { format!("*{it}") } else { it.to_owned() };
    let _ = match kind {
        Type::String => writeln!(code, "out.text({name}, {place});"),
        Type::Long | Type::TimestampMicros => writeln!(code, "out.long({name}, {value});"),
        Type::Int => writeln!(code, "out.int({name}, {value});"),
        Type::Double => writeln!(code, "out.double({name}, {value});"),
        Type::Boolean => writeln!(code, "out.boolean({name}, {value});"),
        Type::Bytes => writeln!(code, "out.{}({name}, {place});", of_bytes(field)),
        Type::Nullable(inner) => {
            let _ = writeln!(
                code,
                "match {place} {{\nNone => out.none({name}),\nSome(it) => {{\nout.some({name});"
            );
            write(code, field, inner, name, "it", true);
            writeln!(code, "}}\n}}")
        }
        Type::Array(items) => {
            let _ = writeln!(code, "out.items({name}, {place}, |out, it| {{");
            write(code, field, items, "\"\"", "it", true);
            writeln!(code, "}});")
        }
        Type::Record(_) => writeln!(code, "out.record({name}, {place});"),
        Type::Enum(_) => writeln!(code, "out.symbol({name}, {value});"),
        Type::Union(_) | Type::Columns => Ok(()),
    };
}

fn read(field: &Field, kind: &Type, name: &str) -> String {
    match kind {
        Type::String => format!("from.text({name})?"),
        Type::Long | Type::TimestampMicros => format!("from.long({name})?"),
        Type::Int => format!("from.int({name})?"),
        Type::Double => format!("from.double({name})?"),
        Type::Boolean => format!("from.boolean({name})?"),
        Type::Bytes => format!("from.{}({name})?", of_bytes(field)),
        Type::Nullable(inner) => {
            format!("if from.is_some({name})? {{ Some({}) }} else {{ None }}", read(field, inner, name))
        }
        Type::Array(items) => {
            let inner = read(field, items, "\"\"");
            let inner = inner.strip_suffix('?').map_or_else(|| format!("Ok({inner})"), str::to_owned);
            format!("from.items({name}, |from| {inner})?")
        }
        Type::Record(_) => format!("from.record({name})?"),
        Type::Enum(_) => format!("from.symbol({name})?"),
        Type::Union(_) | Type::Columns => "()".to_owned(),
    }
}

fn message(code: &mut String, domain: &Domain, message: &Message) {
    let Message { record, address } = message;
    structure(code, record);
    let _ = writeln!(
        code,
        "impl Message for {name} {{\nconst DOMAIN: &'static str = {domain:?};\nconst NAME: &'static str = {name:?};\n\n\
         fn aggregate_id(&self) -> String {{\n{}\n}}\n\nfn routing_key(&self) -> Cow<'_, str> {{\n{}\n}}\n}}\n",
        id(address),
        key(address),
        name = record.name,
        domain = domain.name
    );
}

fn id(address: &Address) -> String {
    let part = |part: &Part| {
        let it = format!("self.{}", identifier(&part.field));
        if part.is_lower { format!("{it}.to_ascii_lowercase()") } else { it }
    };
    let holes = "/{}".repeat(address.parts.len());
    let parts: Vec<String> = address.parts.iter().map(part).collect();
    format!("format!(\"{}{holes}\", {})", address.kind, parts.join(", "))
}

fn key(address: &Address) -> String {
    match address.parts.first() {
        Some(part) if part.is_lower => {
            format!("Cow::Owned(self.{}.to_ascii_lowercase())", identifier(&part.field))
        }
        Some(part) => format!("Cow::Borrowed(&self.{})", identifier(&part.field)),
        None => "Cow::Borrowed(\"\")".to_owned(),
    }
}

fn union(code: &mut String, domain: &Domain, topic: &Topic, kind: &str) {
    let of = kind.to_lowercase();
    let (name, union) = (&domain.name, format!("{}{kind}", camel_case(&domain.name)));
    let _ = writeln!(
        code,
        "/// What any {of} of {name} holds.\n#[derive(Clone, Debug, PartialEq)]\n\
         #[allow(clippy::large_enum_variant, reason = \"they are read one by one\")]\npub enum {union} {{"
    );
    let names = || topic.messages.iter().map(|it| &it.record.name);
    for message in &topic.messages {
        doc(code, &message.record.doc);
        let _ = writeln!(code, "{0}({0}),", message.record.name);
    }
    let _ = writeln!(
        code,
        "}}\n\nimpl Messages for {union} {{\nconst TOPIC: Topic = Topic {{ domain: {name:?}, name: \"{name}.{of}s\", \
         schema: include_str!(\"schemas/{name}.{of}s.avsc\") }};\nconst OUTCOMES: Topic = OUTCOMES;\nconst NAMES: &'static [&'static str] = &[{}];\n",
        names().map(|it| format!("{it:?}")).collect::<Vec<_>>().join(", ")
    );
    let arms = |arm: &dyn Fn(usize, &str) -> String| {
        names().enumerate().map(|(index, it)| arm(index, it)).collect::<String>()
    };
    let _ = writeln!(
        code,
        "fn branch(&self) -> usize {{\nmatch self {{\n{}}}\n}}\n",
        arms(&|index, it| format!("Self::{it}(_) => {index},\n"))
    );
    let _ = writeln!(
        code,
        "fn write(&self, out: &mut impl Sink) {{\nmatch self {{\n{}}}\n}}\n",
        arms(&|_, it| format!("Self::{it}(it) => out.record(\"data\", it),\n"))
    );
    let _ = writeln!(
        code,
        "fn read(branch: usize, from: &mut impl Source) -> Result<Self, BadMessage> {{\nmatch branch {{\n{}\
         _ => Err(BadMessage::at(\"data\", \"there is no message of that number\")),\n}}\n}}\n",
        arms(&|index, it| format!("{index} => from.record(\"data\").map(Self::{it}),\n"))
    );
    for (method, returned) in [("aggregate_id", "String"), ("routing_key", "Cow<'_, str>")] {
        let _ = writeln!(
            code,
            "fn {method}(&self) -> {returned} {{\nmatch self {{\n{}}}\n}}\n",
            arms(&|_, it| format!("Self::{it}(it) => it.{method}(),\n"))
        );
    }
    code.push_str("}\n\n");
    for it in names() {
        let _ = writeln!(
            code,
            "impl From<{it}> for {union} {{\nfn from(it: {it}) -> Self {{\nSelf::{it}(it)\n}}\n}}\n"
        );
    }
}

fn view(code: &mut String, domain: &Domain, table: &Table) {
    let name = format!("{}Row", camel_case(&table.name));
    doc(code, &table.comment);
    let _ = writeln!(code, "#[derive(Clone, Debug, PartialEq, Eq)]\npub struct {name} {{");
    let bucket = table.directory().map(|_| table.partition_columns - 1);
    let columns = || table.columns.iter().enumerate().filter(|(at, _)| Some(*at) != bucket).map(|(_, it)| it);
    for column in columns() {
        doc(code, &column.comment);
        let kind = match column.kind {
            ColumnType::Text => "String",
            ColumnType::BigInt => "i64",
            ColumnType::Int => "i32",
            ColumnType::Boolean => "bool",
        };
        let kind = if column.is_nullable() { format!("Option<{kind}>") } else { kind.to_owned() };
        let _ = writeln!(code, "pub {}: {kind},", identifier(&column.name));
    }
    let list = |names: Vec<String>| names.iter().map(|it| format!("{it:?}")).collect::<Vec<_>>().join(", ");
    let partition = list(table.logical_partition().iter().map(|it| it.name.clone()).collect());
    let behind = table.columns[table.partition_columns..].iter().zip(&table.clustering_descending);
    let clustering = behind.map(|(column, down)| format!("{}{}", if *down { "-" } else { "" }, column.name));
    let _ = writeln!(
        code,
        "}}\n\nimpl View for {name} {{\nconst DOMAIN: &'static str = {:?};\nconst NAME: &'static str = {:?};\n\
         const PARTITION: &'static [&'static str] = &[{partition}];\nconst CLUSTERING: &'static [&'static str] = &[{}];\n\n\
         fn read(from: &mut impl Source) -> Result<Self, BadMessage> {{\nOk(Self {{",
        domain.name,
        table.name,
        list(clustering.collect())
    );
    for column in columns() {
        let method = match column.kind {
            ColumnType::Text => "text",
            ColumnType::BigInt => "long",
            ColumnType::Int => "int",
            ColumnType::Boolean => "boolean",
        };
        let read = format!("from.{method}({:?})?", column.name);
        let read = match column.is_nullable() {
            true => format!("if from.is_some({:?})? {{ Some({read}) }} else {{ None }}", column.name),
            false => read,
        };
        let _ = writeln!(code, "{}: {read},", identifier(&column.name));
    }
    code.push_str("})\n}\n}\n\n");
}
