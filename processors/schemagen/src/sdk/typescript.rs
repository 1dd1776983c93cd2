//! The messages in TypeScript: an interface and a constant for each, by which whatever is not used is left out of a bundle.

use std::fmt::Write as _;
use std::path::PathBuf;

use millrace_kernel::table::{ColumnType, Table};
use serde_json::Value;

use super::Files;
use super::model::{Domain, Item, Message, Model, Topic};
use super::text::{HEAD, camel_case, nullable, wrapped};
use crate::address::{Address, Part};
use crate::avro::{Field, Record, Type};

/// The files of `src/generated`.
pub fn files(model: &Model) -> Files {
    let mut files = Files::new();
    let mut put = |name: String, text: String| {
        files.insert(PathBuf::from(name), format!("// {HEAD}\n\n{text}"));
    };
    put("envelope.ts".to_owned(), envelope(model));
    put("names.ts".to_owned(), names(model));
    put("domains.ts".to_owned(), domains(model));
    for domain in &model.domains {
        put(format!("{}.ts", domain.name), module(domain, &model.envelope));
        put(format!("schemas/{}.ts", domain.name), schemas(domain));
    }
    files
}

fn doc(code: &mut String, text: &str) {
    let lines = wrapped(&text.replace("*/", "*\u{200b}/"));
    if let [one] = lines.as_slice() {
        let _ = writeln!(code, "/** {one} */");
        return;
    }
    code.push_str("/**\n");
    lines.iter().for_each(|line| {
        let _ = writeln!(code, " * {line}");
    });
    code.push_str(" */\n");
}

fn envelope(model: &Model) -> String {
    let mut code = String::from("import type { RecordKind } from '../kinds.ts';\n\n");
    model.envelope.iter().for_each(|one| item(&mut code, one));
    code
}

fn names(model: &Model) -> String {
    let mut code = String::new();
    type Of = fn(&Domain) -> &Topic;
    let both: [(&str, &str, Of); 2] = [
        ("Commands", "The name of every command.", |domain| &domain.commands),
        ("Events", "The name of every event.", |domain| &domain.events),
    ];
    for (name, words, of) in both {
        let _ = writeln!(code, "/** {words} */\nexport const {name} = {{");
        for message in model.domains.iter().flat_map(|domain| &of(domain).messages) {
            doc(&mut code, &message.record.doc);
            let _ = writeln!(code, "{name}: '{name}',", name = message.record.name);
        }
        let _ = writeln!(
            code,
            "}} as const;\n\n/** {words} */\nexport type {name} = (typeof {name})[keyof typeof {name}];\n"
        );
    }
    code
}

fn domains(model: &Model) -> String {
    let mut code = String::new();
    for Domain { name, .. } in &model.domains {
        let _ =
            writeln!(code, "import {{ {name}Commands, {name}Events, {name}Outcomes }} from './{name}.ts';");
    }
    code.push_str("\n/** The topics of every domain. Whoever uses this has all messages in the bundle. */\nexport const domains = {\n");
    for Domain { name, .. } in &model.domains {
        let _ = writeln!(
            code,
            "{name}: {{ commands: {name}Commands, events: {name}Events, outcomes: {name}Outcomes }},"
        );
    }
    code.push_str("} as const;\n");
    code
}

fn schemas(domain: &Domain) -> String {
    let mut code = String::new();
    let all = [
        ("commands", &domain.commands.schema),
        ("events", &domain.events.schema),
        ("outcomes", &domain.outcomes),
    ];
    for (name, text) in all {
        let text = Value::from(text.as_str()).to_string();
        let _ = writeln!(
            code,
            "/** The schema of `{}.{name}` as it is registered. */\nexport const {name} =\n  {};\n",
            domain.name,
            single_quoted(&text)
        );
    }
    code
}

/// JSON of a text as a literal in single quotation marks.
fn single_quoted(json: &str) -> String {
    let inner = &json[1..json.len() - 1];
    format!("'{}'", inner.replace("\\\"", "\"").replace('\'', "\\'"))
}

fn module(domain: &Domain, envelope: &[Item]) -> String {
    let mut code = String::new();
    let used = used_of_envelope(domain, envelope);
    if !used.is_empty() {
        let _ = writeln!(code, "import {{ {} }} from './envelope.ts';", used.join(", "));
    }
    code.push_str(
        "import type {\n  CommandKind, CommandOf, CommandTopic, EventKind, EventOf, EventTopic, OutcomeTopic, RecordKind, View,\n} \
         from '../kinds.ts';\n",
    );
    let _ = writeln!(code, "import * as schemas from './schemas/{}.ts';\n", domain.name);
    if domain.items.is_empty() {
        code = code.replace(", RecordKind", "");
    }
    domain.items.iter().for_each(|one| item(&mut code, one));
    for (topic, kind) in [(&domain.commands, "Command"), (&domain.events, "Event")] {
        topic.messages.iter().for_each(|it| message(&mut code, domain, kind, it));
        self::topic(&mut code, domain, topic, kind);
    }
    let name = &domain.name;
    let _ = writeln!(
        code,
        "/** What became of commands of {name}. */\nexport const {name}Outcomes: OutcomeTopic = {{ domain: '{name}', of: 'outcomes', \
         name: '{name}.outcomes', schema: schemas.outcomes }};\n"
    );
    domain.views.iter().for_each(|table| view(&mut code, domain, table));
    code
}

/// What messages of a domain hold that is alike in all.
fn used_of_envelope(domain: &Domain, envelope: &[Item]) -> Vec<String> {
    fn uses(kind: &Type, name: &str) -> bool {
        match kind {
            Type::Nullable(inner) | Type::Array(inner) => uses(inner, name),
            Type::Record(record) => {
                record.name == name || record.fields.iter().any(|field| uses(&field.kind, name))
            }
            Type::Enum(one) => one.name == name,
            _ => false,
        }
    }
    let is_used = |name: &str| {
        let mut fields = domain.messages().flat_map(|message| &message.record.fields);
        fields.any(|field| uses(&field.kind, name))
    };
    envelope.iter().map(|item| item.name().to_owned()).filter(|name| is_used(name)).collect()
}

fn item(code: &mut String, one: &Item) {
    match one {
        Item::Record(record) => {
            interface(code, record);
            doc(code, &record.doc);
            let _ = writeln!(code, "export const {0}: RecordKind<{0}> = {{", record.name);
            functions(code, record);
            code.push_str("};\n\n");
        }
        Item::Enum(one) => {
            doc(code, &one.doc);
            let symbols: Vec<String> = one.symbols.iter().map(|it| format!("'{it}'")).collect();
            let _ = writeln!(code, "export type {} = {};\n", one.name, symbols.join(" | "));
            let _ = writeln!(
                code,
                "/** All of them, in the schema's order. */\nexport const {} = [{}] as const;\n",
                one.name,
                symbols.join(", ")
            );
        }
    }
}

fn interface(code: &mut String, record: &Record) {
    doc(code, &record.doc);
    let _ = writeln!(code, "export interface {} {{", record.name);
    for Field { name, doc: words, kind, .. } in &record.fields {
        doc(code, words);
        let optional = if nullable(kind).is_some() { "?" } else { "" };
        let _ = writeln!(code, "readonly {name}{optional}: {};", type_of(kind));
    }
    code.push_str("}\n\n");
}

fn type_of(kind: &Type) -> String {
    match kind {
        Type::String => "string".to_owned(),
        Type::Long | Type::TimestampMicros => "bigint".to_owned(),
        Type::Int | Type::Double => "number".to_owned(),
        Type::Boolean => "boolean".to_owned(),
        Type::Bytes => "Uint8Array".to_owned(),
        Type::Array(items) => format!("readonly ({})[]", type_of(items)),
        Type::Nullable(inner) => format!("{} | null", type_of(inner)),
        Type::Enum(one) => one.name.clone(),
        Type::Record(record) => record.name.clone(),
        // of the engine's own records alone, which are no messages
        Type::Union(_) | Type::Columns => "never".to_owned(),
    }
}

fn functions(code: &mut String, record: &Record) {
    let of = &record.name;
    if record.fields.is_empty() {
        let _ = writeln!(code, "write() {{}},\nread(): {of} {{ return {{}}; }},");
        return;
    }
    let _ = writeln!(code, "write(out, it) {{");
    for field in &record.fields {
        let name = &field.name;
        let _ = writeln!(code, "{}", write(field, &field.kind, &format!("'{name}'"), &format!("it.{name}")));
    }
    let _ = writeln!(code, "}},\nread(from): {of} {{\nreturn {{");
    for field in &record.fields {
        let _ = writeln!(code, "{}: {},", field.name, read(field, &field.kind, &format!("'{}'", field.name)));
    }
    code.push_str("};\n},\n");
}

/// Bytes are shown as a sealed box, in base64, or as hexadecimal digits.
fn of_bytes(field: &Field) -> &'static str {
    if field.marks.sealed.is_some() { "sealed" } else { "digest" }
}

fn write(field: &Field, kind: &Type, name: &str, it: &str) -> String {
    match kind {
        Type::String => format!("out.text({name}, {it});"),
        Type::Long | Type::TimestampMicros => format!("out.long({name}, {it});"),
        Type::Int => format!("out.int({name}, {it});"),
        Type::Double => format!("out.double({name}, {it});"),
        Type::Boolean => format!("out.boolean({name}, {it});"),
        Type::Bytes => format!("out.{}({name}, {it});", of_bytes(field)),
        Type::Nullable(inner) => {
            format!(
                "if ({it} === undefined || {it} === null) out.none({name});\nelse {{\nout.some({name});\n{}\n}}",
                write(field, inner, name, it)
            )
        }
        Type::Array(items) => {
            let inner = write(field, items, "''", "item");
            format!("out.items({name}, {it}, (item) => {{\n{inner}\n}});")
        }
        Type::Record(record) => format!("out.record({name}, {it}, {});", record.name),
        Type::Enum(one) => format!("out.symbol({name}, {it}, {});", one.name),
        Type::Union(_) | Type::Columns => String::new(),
    }
}

fn read(field: &Field, kind: &Type, name: &str) -> String {
    match kind {
        Type::String => format!("from.text({name})"),
        Type::Long | Type::TimestampMicros => format!("from.long({name})"),
        Type::Int => format!("from.int({name})"),
        Type::Double => format!("from.double({name})"),
        Type::Boolean => format!("from.boolean({name})"),
        Type::Bytes => format!("from.{}({name})", of_bytes(field)),
        Type::Nullable(inner) => format!("from.isSome({name}) ? {} : null", read(field, inner, name)),
        Type::Array(items) => format!("from.items({name}, () => {})", read(field, items, "''")),
        Type::Record(record) => format!("from.record({name}, {})", record.name),
        Type::Enum(one) => format!("from.symbol({name}, {})", one.name),
        Type::Union(_) | Type::Columns => "undefined".to_owned(),
    }
}

fn message(code: &mut String, domain: &Domain, kind: &str, message: &Message) {
    let Message { record, address } = message;
    interface(code, record);
    doc(code, &record.doc);
    let name = &record.name;
    let _ = writeln!(
        code,
        "export const {name}: {kind}Kind<'{name}', {name}> = {{\nof: '{}s',\ndomain: '{}',\ntype: '{name}',",
        kind.to_lowercase(),
        domain.name
    );
    functions(code, record);
    let _ = writeln!(
        code,
        "aggregateId: (it) => `{}`,\nroutingKey: (it) => {},\n}};\n",
        id(address),
        key(address)
    );
}

fn part(part: &Part) -> String {
    match part.is_lower {
        // A to Z alone, whatever the language
        true => format!("it.{}.replace(/[A-Z]/g, (letter) => letter.toLowerCase())", part.field),
        false => format!("it.{}", part.field),
    }
}

fn id(address: &Address) -> String {
    let parts = address.parts.iter().map(|it| format!("/${{{}}}", part(it)));
    format!("{}{}", address.kind, parts.collect::<String>())
}

fn key(address: &Address) -> String {
    address.parts.first().map(part).unwrap_or_default()
}

fn topic(code: &mut String, domain: &Domain, topic: &Topic, kind: &str) {
    let of = kind.to_lowercase();
    let union = format!("{}{kind}", camel_case(&domain.name));
    let what = if kind == "Command" { "A command of" } else { "An event of" };
    let all: Vec<String> =
        topic.messages.iter().map(|it| format!("{kind}Of<typeof {}>", it.record.name)).collect();
    let _ = writeln!(
        code,
        "/** {what} {}. */\nexport type {union} =\n  | {};\n",
        domain.name,
        all.join("\n  | ")
    );
    let kinds: Vec<&str> = topic.messages.iter().map(|it| it.record.name.as_str()).collect();
    let _ = writeln!(
        code,
        "/** All {of}s of {0}, in the order of the schema. */\nexport const {0}{kind}s: {kind}Topic<{union}> = {{\ndomain: '{0}', of: '{of}s', name: '{0}.{of}s', schema: schemas.{of}s,\n\
         kinds: [{1}],\n}};\n",
        domain.name,
        kinds.join(", ")
    );
}

fn view(code: &mut String, domain: &Domain, table: &Table) {
    let name = camel_case(&table.name);
    doc(code, &table.comment);
    let _ = writeln!(code, "export interface {name}Row {{");
    let bucket = table.directory().map(|_| table.partition_columns - 1);
    let columns = || table.columns.iter().enumerate().filter(|(at, _)| Some(*at) != bucket).map(|(_, it)| it);
    for column in columns() {
        doc(code, &column.comment);
        let kind = match column.kind {
            ColumnType::Text => "string",
            ColumnType::BigInt => "bigint",
            ColumnType::Int => "number",
            ColumnType::Boolean => "boolean",
        };
        let more = if column.is_nullable() { " | null" } else { "" };
        let _ = writeln!(code, "readonly {}: {kind}{more};", column.name);
    }
    code.push_str("}\n\n");
    doc(code, &table.comment);
    let list = |names: Vec<String>| names.iter().map(|it| format!("'{it}'")).collect::<Vec<_>>().join(", ");
    let partition = list(table.logical_partition().iter().map(|it| it.name.clone()).collect());
    let behind = table.columns[table.partition_columns..].iter().zip(&table.clustering_descending);
    let clustering = behind.map(|(column, down)| format!("{}{}", if *down { "-" } else { "" }, column.name));
    let clustering = list(clustering.collect());
    let numbers = table.columns[table.partition_columns..table.key_columns()].iter();
    let numbers = numbers.filter(|column| matches!(column.kind, ColumnType::BigInt | ColumnType::Int));
    let numbers = list(numbers.map(|column| column.name.clone()).collect());
    let _ = writeln!(
        code,
        "export const {name}View: View<{name}Row> = {{\ndomain: '{}', name: '{}', partition: [{partition}], clustering: [{clustering}], numbers: [{numbers}],\n\
         read: (from) => ({{",
        domain.name, table.name
    );
    for column in columns() {
        let column_name = &column.name;
        let method = match column.kind {
            ColumnType::Text => "text",
            ColumnType::BigInt => "long",
            ColumnType::Int => "int",
            ColumnType::Boolean => "boolean",
        };
        let read = format!("from.{method}('{column_name}')");
        let read = match column.is_nullable() {
            true => format!("from.isSome('{column_name}') ? {read} : null"),
            false => read,
        };
        let _ = writeln!(code, "{column_name}: {read},");
    }
    code.push_str("}),\n};\n\n");
}
