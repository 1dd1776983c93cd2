//! The messages in Python: a frozen dataclass for each.

use std::fmt::Write as _;
use std::path::PathBuf;

use millrace_kernel::table::{ColumnType, Table};
use serde_json::Value;

use super::Files;
use super::model::{Domain, Item, Message, Model, Topic};
use super::text::{HEAD, camel_case, nullable, wrapped};
use crate::address::{Address, Part};
use crate::avro::{Field, Record, Type};

/// The files of `src/millrace_sdk/domains`.
pub fn files(model: &Model) -> Files {
    let mut files = Files::new();
    let mut put = |name: String, text: String| {
        files.insert(PathBuf::from(name), format!("# {HEAD}\n{text}"));
    };
    put("__init__.py".to_owned(), init(model));
    put("envelope.py".to_owned(), envelope(model));
    put("names.py".to_owned(), names(model));
    put(
        "schemas/__init__.py".to_owned(),
        "\"\"\"The schemas of all topics, as they are registered.\"\"\"\n".to_owned(),
    );
    for domain in &model.domains {
        put(format!("{}.py", domain.name), module(domain, &model.envelope));
        put(format!("schemas/{}.py", domain.name), schemas(domain));
    }
    files
}

fn doc(code: &mut String, indent: &str, text: &str) {
    let lines = wrapped(&text.replace('\\', "\\\\").replace("\"\"\"", "\\\"\\\"\\\""));
    let ends_quoted = lines.last().is_some_and(|line| line.ends_with('"'));
    match lines.as_slice() {
        [one] if !ends_quoted => {
            let _ = writeln!(code, "{indent}\"\"\"{one}\"\"\"");
        }
        _ => {
            let _ = writeln!(code, "{indent}\"\"\"{}\n{indent}\"\"\"", lines.join(&format!("\n{indent}")));
        }
    }
}

fn init(model: &Model) -> String {
    let mut code = String::from(
        "\"\"\"The messages of every domain: a module for each.\"\"\"\n\nfrom __future__ import annotations\n\n\
         from ..kinds import DomainTopics\n",
    );
    let names: Vec<&str> = model.domains.iter().map(|it| it.name.as_str()).collect();
    let _ = writeln!(code, "from . import {}\n", names.join(", "));
    code.push_str("ALL: dict[str, DomainTopics] = {\n");
    for name in names {
        let _ =
            writeln!(code, "    {name:?}: DomainTopics({name}.COMMANDS, {name}.EVENTS, {name}.OUTCOMES),");
    }
    code.push_str("}\n\"\"\"The topics of every domain, by its name.\"\"\"\n");
    code
}

fn names(model: &Model) -> String {
    let mut code = String::from(
        "\"\"\"The names of all commands and events.\"\"\"\n\nfrom __future__ import annotations\n\nfrom typing import Final\n\n",
    );
    type Of = fn(&Domain) -> &Topic;
    let both: [(&str, &str, Of); 2] = [
        ("Commands", "The name of every command.", |domain| &domain.commands),
        ("Events", "The name of every event.", |domain| &domain.events),
    ];
    for (name, words, of) in both {
        let _ = writeln!(code, "\nclass {name}:\n    \"\"\"{words}\"\"\"\n");
        for message in model.domains.iter().flat_map(|domain| &of(domain).messages) {
            let _ = writeln!(code, "    {name}: Final = {name:?}", name = message.record.name);
            doc(&mut code, "    ", &message.record.doc);
        }
    }
    code
}

const IMPORTS: &str = "\
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

";

fn envelope(model: &Model) -> String {
    let mut code = format!(
        "\"\"\"What stands around messages, alike in all domains.\"\"\"\n\n{}from ..kinds import Record, Sink, Source\n\n",
        IMPORTS.replace("from typing import ClassVar\n", "")
    );
    model.envelope.iter().for_each(|one| item(&mut code, one));
    code
}

fn schemas(domain: &Domain) -> String {
    let mut code = format!("\"\"\"The schemas of {}, as they are registered.\"\"\"\n\n", domain.name);
    let all = [
        ("COMMANDS", &domain.commands.schema),
        ("EVENTS", &domain.events.schema),
        ("OUTCOMES", &domain.outcomes),
    ];
    for (name, text) in all {
        let _ = writeln!(code, "{name} = {}", Value::from(text.as_str()));
    }
    code
}

fn module(domain: &Domain, envelope: &[Item]) -> String {
    let mut body = String::new();
    domain.items.iter().for_each(|one| item(&mut body, one));
    for (topic, kind) in [(&domain.commands, "Command"), (&domain.events, "Event")] {
        topic.messages.iter().for_each(|it| message(&mut body, domain, kind, it));
        self::topic(&mut body, domain, topic, kind);
    }
    let name = &domain.name;
    let _ = writeln!(
        body,
        "\nOUTCOMES = OutcomeTopic(domain={name:?}, name=\"{name}.outcomes\", schema=schemas.OUTCOMES)\n\
         \"\"\"What became of commands of {name}.\"\"\"\n"
    );
    domain.views.iter().for_each(|table| view(&mut body, domain, table));
    let used = |word: &str| body.contains(word);
    let mut code =
        format!("\"\"\"Commands, events and rows of {name}.\"\"\"\n\nfrom __future__ import annotations\n\n");
    if used("Sequence[") {
        code.push_str("from collections.abc import Sequence\n");
    }
    code.push_str("from dataclasses import dataclass\n");
    if used("(str, Enum)") {
        code.push_str("from enum import Enum\n");
    }
    code.push_str("from typing import ClassVar, Union\n\n");
    let all = [
        "CommandData",
        "CommandTopic",
        "EventData",
        "EventTopic",
        "OutcomeTopic",
        "Record",
        "Row",
        "Sink",
        "Source",
    ];
    let kinds: Vec<&str> = all
        .into_iter()
        .filter(|it| used(&format!("{it}(")) || used(&format!(": {it})")) || used(&format!("({it})")))
        .collect();
    let _ = writeln!(code, "from ..kinds import {}", kinds.join(", "));
    let _ = writeln!(code, "from .schemas import {name} as schemas");
    let of_envelope: Vec<&str> = envelope
        .iter()
        .map(Item::name)
        .filter(|it| used(&format!("[{it}]")) || used(&format!(": {it}\n")))
        .collect();
    if !of_envelope.is_empty() {
        let _ = writeln!(code, "from .envelope import {}", of_envelope.join(", "));
    }
    code.push('\n');
    code.push_str(&body);
    code
}

fn item(code: &mut String, one: &Item) {
    match one {
        Item::Record(record) => {
            head(code, record, "Record");
            functions(code, record);
        }
        Item::Enum(one) => {
            let _ = writeln!(code, "\nclass {}(str, Enum):", one.name);
            doc(code, "    ", &one.doc);
            for symbol in &one.symbols {
                let _ = writeln!(code, "    {} = {symbol:?}", symbol.to_uppercase());
            }
            code.push('\n');
        }
    }
}

/// A field's name, also where it is a word of Python.
fn identifier(name: &str) -> String {
    const WORDS: [&str; 35] = [
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
        "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in",
        "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
    ];
    if WORDS.contains(&name) { format!("{name}_") } else { name.to_owned() }
}

fn head(code: &mut String, record: &Record, base: &str) {
    let _ =
        writeln!(code, "\n@dataclass(frozen=True, slots=True, kw_only=True)\nclass {}({base}):", record.name);
    doc(code, "    ", &record.doc);
    code.push('\n');
    for Field { name, doc: words, kind, .. } in &record.fields {
        let default = if nullable(kind).is_some() { " = None" } else { "" };
        let _ = writeln!(code, "    {}: {}{default}", identifier(name), type_of(kind));
        doc(code, "    ", words);
    }
}

fn type_of(kind: &Type) -> String {
    match kind {
        Type::String => "str".to_owned(),
        Type::Long | Type::TimestampMicros | Type::Int => "int".to_owned(),
        Type::Double => "float".to_owned(),
        Type::Boolean => "bool".to_owned(),
        Type::Bytes => "bytes".to_owned(),
        Type::Array(items) => format!("Sequence[{}]", type_of(items)),
        Type::Nullable(inner) => format!("{} | None", type_of(inner)),
        Type::Enum(one) => one.name.clone(),
        Type::Record(record) => record.name.clone(),
        // of the engine's own records alone, which are no messages
        Type::Union(_) | Type::Columns => "None".to_owned(),
    }
}

fn functions(code: &mut String, record: &Record) {
    code.push_str("\n    def write(self, out: Sink) -> None:\n        \"\"\"Writes the fields, in the order of the schema.\"\"\"\n");
    for field in &record.fields {
        let it = format!("self.{}", identifier(&field.name));
        write(code, "        ", field, &field.kind, &format!("{:?}", field.name), &it);
    }
    let _ = writeln!(
        code,
        "\n    @classmethod\n    def read(cls, source: Source) -> {}:\n        \"\"\"Reads the fields, in the order of the schema.\"\"\"\n        return cls(",
        record.name
    );
    for field in &record.fields {
        let value = read(field, &field.kind, &format!("{:?}", field.name));
        let _ = writeln!(code, "            {}={value},", identifier(&field.name));
    }
    code.push_str("        )\n");
}

/// Bytes are shown as a sealed box, in base64, or as hexadecimal digits.
fn of_bytes(field: &Field) -> &'static str {
    if field.marks.sealed.is_some() { "sealed" } else { "digest" }
}

fn method(field: &Field, kind: &Type) -> &'static str {
    match kind {
        Type::String => "text",
        Type::Long | Type::TimestampMicros => "long",
        Type::Int => "int",
        Type::Double => "double",
        Type::Boolean => "boolean",
        Type::Bytes => of_bytes(field),
        Type::Record(_) => "record",
        Type::Enum(_) => "symbol",
        Type::Array(_) | Type::Nullable(_) | Type::Union(_) | Type::Columns => "",
    }
}

fn write(code: &mut String, indent: &str, field: &Field, kind: &Type, name: &str, it: &str) {
    let _ = match kind {
        Type::Nullable(inner) => {
            let _ = writeln!(
                code,
                "{indent}if {it} is None:\n{indent}    out.none({name})\n{indent}else:\n{indent}    out.some({name})"
            );
            return write(code, &format!("{indent}    "), field, inner, name, it);
        }
        Type::Array(items) => {
            writeln!(
                code,
                "{indent}out.items({name}, {it}, lambda item: out.{}(\"\", item))",
                method(field, items)
            )
        }
        _ => writeln!(code, "{indent}out.{}({name}, {it})", method(field, kind)),
    };
}

fn read(field: &Field, kind: &Type, name: &str) -> String {
    match kind {
        Type::Nullable(inner) => format!("{} if source.is_some({name}) else None", read(field, inner, name)),
        Type::Array(items) => format!("source.items({name}, lambda: {})", read(field, items, "\"\"")),
        Type::Record(record) => format!("source.record({name}, {})", record.name),
        Type::Enum(one) => format!("source.symbol({name}, {})", one.name),
        _ => format!("source.{}({name})", method(field, kind)),
    }
}

fn message(code: &mut String, domain: &Domain, kind: &str, message: &Message) {
    let Message { record, address } = message;
    head(code, record, &format!("{kind}Data"));
    let _ = writeln!(
        code,
        "\n    DOMAIN: ClassVar[str] = {:?}\n    TYPE: ClassVar[str] = {:?}",
        domain.name, record.name
    );
    functions(code, record);
    let _ = writeln!(
        code,
        "\n    def aggregate_id(self) -> str:\n        \"\"\"The aggregate that it belongs to.\"\"\"\n        return f\"{}\"\n\n    \
         def routing_key(self) -> str:\n        \"\"\"The key of the record, by which its partition is found.\"\"\"\n        return {}\n",
        id(address),
        key(address)
    );
}

fn part(part: &Part) -> String {
    let it = format!("self.{}", identifier(&part.field));
    // A to Z alone, whatever the language
    if part.is_lower { format!("self.lower({it})") } else { it }
}

fn id(address: &Address) -> String {
    let parts = address.parts.iter().map(|it| format!("/{{{}}}", part(it)));
    format!("{}{}", address.kind, parts.collect::<String>())
}

fn key(address: &Address) -> String {
    address.parts.first().map(part).unwrap_or_default()
}

fn topic(code: &mut String, domain: &Domain, topic: &Topic, kind: &str) {
    let of = kind.to_lowercase();
    let kinds: Vec<&str> = topic.messages.iter().map(|it| it.record.name.as_str()).collect();
    let name = &domain.name;
    let camel = camel_case(name);
    let what = if kind == "Command" { "What any command" } else { "What any event" };
    let _ = writeln!(
        code,
        "\n{camel}{kind} = Union[{}]\n\"\"\"{what} of {name} holds.\"\"\"\n\n\
         {upper}S = {kind}Topic(\n    domain={name:?}, name=\"{name}.{of}s\", schema=schemas.{upper}S, kinds=({},),\n)\n\
         \"\"\"All {of}s of {name}, in the order of the schema.\"\"\"\n",
        kinds.join(", "),
        kinds.join(", "),
        upper = kind.to_uppercase()
    );
}

fn view(code: &mut String, domain: &Domain, table: &Table) {
    let name = camel_case(&table.name);
    let _ = writeln!(code, "\n@dataclass(frozen=True, slots=True, kw_only=True)\nclass {name}Row(Row):");
    doc(code, "    ", &table.comment);
    code.push('\n');
    let bucket = table.directory().map(|_| table.partition_columns - 1);
    let columns = || table.columns.iter().enumerate().filter(|(at, _)| Some(*at) != bucket).map(|(_, it)| it);
    for column in columns() {
        let kind = match column.kind {
            ColumnType::Text => "str",
            ColumnType::BigInt | ColumnType::Int => "int",
            ColumnType::Boolean => "bool",
        };
        let more = if column.is_nullable() { " | None" } else { "" };
        let _ = writeln!(code, "    {}: {kind}{more}", identifier(&column.name));
        doc(code, "    ", &column.comment);
    }
    let list = |names: Vec<String>| {
        let all: String = names.iter().map(|it| format!("{it:?}, ")).collect();
        format!("({all})")
    };
    let partition = list(table.logical_partition().iter().map(|it| it.name.clone()).collect());
    let behind = table.columns[table.partition_columns..].iter().zip(&table.clustering_descending);
    let clustering = behind.map(|(column, down)| format!("{}{}", if *down { "-" } else { "" }, column.name));
    let _ = writeln!(
        code,
        "\n    DOMAIN: ClassVar[str] = {:?}\n    VIEW: ClassVar[str] = {:?}\n    PARTITION: ClassVar[tuple[str, ...]] = {partition}\n    \
         CLUSTERING: ClassVar[tuple[str, ...]] = {}\n\n    @classmethod\n    def read(cls, source: Source) -> {name}Row:\n        \
         \"\"\"Reads the columns.\"\"\"\n        return cls(",
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
        let more = if column.is_nullable() {
            format!(" if source.is_some({:?}) else None", column.name)
        } else {
            String::new()
        };
        let _ = writeln!(
            code,
            "            {}=source.{method}({:?}){more},",
            identifier(&column.name),
            column.name
        );
    }
    code.push_str("        )\n\n");
}
