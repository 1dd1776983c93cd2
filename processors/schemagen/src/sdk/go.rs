//! The messages in Go: a plain struct for each, and a package for each domain.

use std::fmt::Write as _;
use std::path::PathBuf;

use millrace_kernel::table::{ColumnType, Table};
use serde_json::Value;

use super::Files;
use super::model::{Domain, Item, Message, Model, Topic};
use super::text::{HEAD, camel_case, wrapped};
use crate::address::{Address, Part};
use crate::avro::{Field, Record, Type};

/// What the packages are imported by.
const MODULE: &str = "millrace.example/sdk";

/// The files of `domains`.
pub fn files(model: &Model) -> Files {
    let mut files = Files::new();
    let mut put = |name: String, text: String| {
        files.insert(PathBuf::from(name), format!("// {HEAD}\n\n{text}"));
    };
    put("envelope/envelope.go".to_owned(), envelope(model));
    type Of = fn(&Domain) -> &Topic;
    let both: [(&str, Of); 2] =
        [("commands", |domain| &domain.commands), ("events", |domain| &domain.events)];
    for (name, of) in both {
        put(format!("{name}/{name}.go"), names(model, name, of));
    }
    put("all/all.go".to_owned(), all(model));
    for domain in &model.domains {
        put(format!("{0}/{0}.go", domain.name), module(domain, &model.envelope));
        put(format!("{0}/schemas.go", domain.name), schemas(domain));
    }
    files
}

fn doc(code: &mut String, text: &str) {
    wrapped(text).iter().for_each(|line| {
        let _ = writeln!(code, "// {line}");
    });
}

/// As a documentation begins with the name of what it is about.
fn doc_of(code: &mut String, name: &str, text: &str) {
    doc(code, &format!("{name}: {text}"));
}

/// `chirp_id` → `ChirpID`
fn exported(name: &str) -> String {
    let word = |word: &str| match word {
        "id" => "ID".to_owned(),
        "ids" => "IDs".to_owned(),
        other => camel_case(other),
    };
    name.split('_').map(word).collect()
}

fn envelope(model: &Model) -> String {
    let mut code = format!(
        "// Package envelope has what stands around messages, alike in all domains.\npackage envelope\n\nimport \"{MODULE}/codec\"\n\n"
    );
    model.envelope.iter().for_each(|one| item(&mut code, one, ""));
    code
}

fn names(model: &Model, package: &str, of: fn(&Domain) -> &Topic) -> String {
    let mut code = format!(
        "// Package {package} has the name of every one of the {package}.\npackage {package}\n\nconst (\n"
    );
    for message in model.domains.iter().flat_map(|domain| &of(domain).messages) {
        let name = &message.record.name;
        doc_of(&mut code, name, &message.record.doc);
        let _ = writeln!(code, "{name} = {name:?}\n");
    }
    code.push_str(")\n");
    code
}

fn all(model: &Model) -> String {
    let mut code =
        format!("// Package all has the topics of every domain.\npackage all\n\nimport (\n\"{MODULE}\"\n");
    for domain in &model.domains {
        let _ = writeln!(code, "\"{MODULE}/domains/{}\"", domain.name);
    }
    code.push_str(")\n\n// Domains are the topics of every domain, by its name.\nvar Domains = map[string]millrace.Domain{\n");
    for Domain { name, .. } in &model.domains {
        let _ = writeln!(
            code,
            "{name:?}: {{Commands: {name}.Commands, Events: {name}.Events, Outcomes: {name}.Outcomes}},"
        );
    }
    code.push_str("}\n");
    code
}

fn schemas(domain: &Domain) -> String {
    let mut code = format!("package {}\n\n", domain.name);
    let all = [
        ("commands", &domain.commands.schema),
        ("events", &domain.events.schema),
        ("outcomes", &domain.outcomes),
    ];
    for (name, text) in all {
        let _ = writeln!(
            code,
            "// {name}Schema is as it is registered.\nconst {name}Schema = {}\n",
            Value::from(text.as_str())
        );
    }
    code
}

fn module(domain: &Domain, of_envelope: &[Item]) -> String {
    let mut body = String::new();
    let package = |name: &str| {
        let is_shared = of_envelope.iter().any(|it| it.name() == name);
        if is_shared { format!("envelope.{name}") } else { name.to_owned() }
    };
    let writer = Writer { package: &package };
    domain.items.iter().for_each(|one| writer.item(&mut body, one));
    for (topic, kind) in [(&domain.commands, "Command"), (&domain.events, "Event")] {
        topic.messages.iter().for_each(|it| writer.message(&mut body, domain, it));
        self::topic(&mut body, domain, topic, kind);
    }
    let name = &domain.name;
    let _ = writeln!(
        body,
        "// Outcomes are what became of commands of {name}.\nvar Outcomes = millrace.OutcomeTopic{{Domain: {name:?}, Name: \"{name}.outcomes\", Schema: outcomesSchema}}\n"
    );
    domain.views.iter().for_each(|table| view(&mut body, domain, table));
    let mut code =
        format!("// Package {name} has commands, events and rows of {name}.\npackage {name}\n\nimport (\n");
    let _ = writeln!(code, "\"{MODULE}\"\n\"{MODULE}/codec\"");
    if body.contains("envelope.") {
        let _ = writeln!(code, "\"{MODULE}/domains/envelope\"");
    }
    code.push_str(")\n\n");
    code.push_str(&body);
    code
}

fn item(code: &mut String, one: &Item, _: &str) {
    Writer { package: &|name| name.to_owned() }.item(code, one);
}

/// Writes types, each by the name that it has in its package.
struct Writer<'a> {
    package: &'a dyn Fn(&str) -> String,
}

impl Writer<'_> {
    fn item(&self, code: &mut String, one: &Item) {
        match one {
            Item::Record(record) => {
                self.structure(code, record);
                self.functions(code, record);
            }
            Item::Enum(one) => {
                doc_of(code, &one.name, &one.doc);
                let _ = writeln!(code, "type {} string\n\nconst (", one.name);
                for symbol in &one.symbols {
                    let _ = writeln!(
                        code,
                        "// {0}{1} is {symbol:?}.\n{0}{1} {0} = {symbol:?}\n",
                        one.name,
                        camel_case(symbol)
                    );
                }
                let symbols: Vec<String> = one.symbols.iter().map(|it| format!("{it:?}")).collect();
                let _ =
                    writeln!(code, ")\n\nvar symbolsOf{} = []string{{{}}}\n", one.name, symbols.join(", "));
            }
        }
    }

    fn structure(&self, code: &mut String, record: &Record) {
        doc_of(code, &record.name, &record.doc);
        let _ = writeln!(code, "type {} struct {{", record.name);
        for (index, Field { name, doc: words, kind, .. }) in record.fields.iter().enumerate() {
            if index > 0 {
                code.push('\n');
            }
            doc(code, words);
            let _ = writeln!(code, "{} {}", exported(name), self.type_of(kind));
        }
        code.push_str("}\n\n");
    }

    fn type_of(&self, kind: &Type) -> String {
        match kind {
            Type::String => "string".to_owned(),
            Type::Long | Type::TimestampMicros => "int64".to_owned(),
            Type::Int => "int32".to_owned(),
            Type::Double => "float64".to_owned(),
            Type::Boolean => "bool".to_owned(),
            Type::Bytes => "[]byte".to_owned(),
            Type::Array(items) => format!("[]{}", self.type_of(items)),
            // nil is null
            Type::Nullable(inner) if is_slice(inner) => self.type_of(inner),
            Type::Nullable(inner) => format!("*{}", self.type_of(inner)),
            Type::Enum(one) => (self.package)(&one.name),
            Type::Record(record) => (self.package)(&record.name),
            // of the engine's own records alone, which are no messages
            Type::Union(_) | Type::Columns => "struct{}".to_owned(),
        }
    }

    fn functions(&self, code: &mut String, record: &Record) {
        let of = &record.name;
        let (out, from) = if record.fields.is_empty() { ("_", "_") } else { ("out", "in") };
        let _ = writeln!(
            code,
            "// Write writes the fields, in the order of the schema.\nfunc (it *{of}) Write({out} codec.Sink) {{"
        );
        for field in &record.fields {
            let name = format!("{:?}", field.name);
            self.write(code, field, &field.kind, &name, &format!("it.{}", exported(&field.name)));
        }
        let _ = writeln!(
            code,
            "}}\n\n// Read reads the fields, in the order of the schema.\nfunc (it *{of}) Read({from} codec.Source) {{"
        );
        for field in &record.fields {
            let name = format!("{:?}", field.name);
            self.read(code, field, &field.kind, &name, &format!("it.{}", exported(&field.name)));
        }
        code.push_str("}\n\n");
    }

    fn write(&self, code: &mut String, field: &Field, kind: &Type, name: &str, it: &str) {
        let _ = match kind {
            Type::String => writeln!(code, "out.Text({name}, {it})"),
            Type::Long | Type::TimestampMicros => writeln!(code, "out.Long({name}, {it})"),
            Type::Int => writeln!(code, "out.Int({name}, {it})"),
            Type::Double => writeln!(code, "out.Double({name}, {it})"),
            Type::Boolean => writeln!(code, "out.Boolean({name}, {it})"),
            Type::Bytes => writeln!(code, "out.{}({name}, {it})", of_bytes(field)),
            Type::Nullable(inner) => {
                let _ = writeln!(code, "if {it} == nil {{\nout.None({name})\n}} else {{\nout.Some({name})");
                match **inner {
                    Type::Record(_) => {
                        let _ = writeln!(code, "out.Record({name}, {it})");
                    }
                    _ if is_slice(inner) => self.write(code, field, inner, name, it),
                    _ => self.write(code, field, inner, name, &format!("*{it}")),
                }
                writeln!(code, "}}")
            }
            Type::Array(items) => {
                let _ = writeln!(code, "out.Items({name}, len({it}))\nfor i := range {it} {{\nout.Item(i)");
                self.write(code, field, items, "\"\"", &format!("{it}[i]"));
                writeln!(code, "}}\nout.EndItems()")
            }
            Type::Record(_) => writeln!(code, "out.Record({name}, &{it})"),
            Type::Enum(one) => {
                writeln!(code, "out.Symbol({name}, string({it}), symbolsOf{})", one.name)
            }
            Type::Union(_) | Type::Columns => Ok(()),
        };
    }

    fn read(&self, code: &mut String, field: &Field, kind: &Type, name: &str, it: &str) {
        let simple = match kind {
            Type::String => "Text",
            Type::Long | Type::TimestampMicros => "Long",
            Type::Int => "Int",
            Type::Double => "Double",
            Type::Boolean => "Boolean",
            Type::Bytes => of_bytes(field),
            _ => "",
        };
        let _ = match kind {
            Type::Nullable(inner) if is_slice(inner) => {
                let _ = writeln!(code, "{it} = nil\nif in.IsSome({name}) {{");
                self.read(code, field, inner, name, it);
                writeln!(code, "}}")
            }
            Type::Nullable(inner) => {
                let _ = writeln!(
                    code,
                    "{it} = nil\nif in.IsSome({name}) {{\n{it} = new({})",
                    self.type_of(inner)
                );
                match **inner {
                    Type::Record(_) => {
                        let _ = writeln!(code, "in.Record({name}, {it})");
                    }
                    _ => self.read(code, field, inner, name, &format!("*{it}")),
                }
                writeln!(code, "}}")
            }
            Type::Array(items) => {
                let of = self.type_of(items);
                let _ = writeln!(
                    code,
                    "{it} = []{of}{{}}\nfor items := in.Items({name}); items.Next(); {{\nvar item {of}"
                );
                self.read(code, field, items, "\"\"", "item");
                writeln!(code, "{it} = append({it}, item)\n}}")
            }
            Type::Record(_) => writeln!(code, "in.Record({name}, &{it})"),
            Type::Enum(one) => writeln!(
                code,
                "{it} = {}(in.Symbol({name}, symbolsOf{}))",
                (self.package)(&one.name),
                one.name
            ),
            Type::Union(_) | Type::Columns => Ok(()),
            _ => writeln!(code, "{it} = in.{simple}({name})"),
        };
    }

    fn message(&self, code: &mut String, domain: &Domain, message: &Message) {
        let Message { record, address } = message;
        self.structure(code, record);
        let name = &record.name;
        let _ = writeln!(
            code,
            "// Domain is {domain:?}.\nfunc (*{name}) Domain() string {{ return {domain:?} }}\n\n\
             // Type is {name:?}.\nfunc (*{name}) Type() string {{ return {name:?} }}\n\n\
             // AggregateID is the aggregate that it belongs to.\nfunc (it *{name}) AggregateID() string {{\nreturn {} }}\n\n\
             // RoutingKey is the key of the record, by which its partition is found.\nfunc (it *{name}) RoutingKey() string {{\nreturn {} }}\n",
            id(address),
            key(address),
            domain = domain.name
        );
        self.functions(code, record);
    }
}

/// Whether there is a nil of its type in Go.
fn is_slice(kind: &Type) -> bool {
    matches!(kind, Type::Bytes | Type::Array(_))
}

/// Bytes are shown as a sealed box, in base64, or as hexadecimal digits.
fn of_bytes(field: &Field) -> &'static str {
    if field.marks.sealed.is_some() { "Sealed" } else { "Digest" }
}

fn part(part: &Part) -> String {
    let it = format!("it.{}", exported(&part.field));
    // A to Z alone, whatever the language
    if part.is_lower { format!("codec.Lower({it})") } else { it }
}

fn id(address: &Address) -> String {
    let parts: Vec<String> = address.parts.iter().map(part).collect();
    format!("\"{}/\" + {}", address.kind, parts.join(" + \"/\" + "))
}

fn key(address: &Address) -> String {
    address.parts.first().map(part).unwrap_or_default()
}

fn topic(code: &mut String, domain: &Domain, topic: &Topic, kind: &str) {
    let of = kind.to_lowercase();
    let _ = writeln!(
        code,
        "// {kind}s are all {of}s of {name}, in the order of the schema.\nvar {kind}s = millrace.New{kind}Topic({name:?}, {of}sSchema,",
        name = domain.name
    );
    for message in &topic.messages {
        let _ = writeln!(code, "func() millrace.{kind}Data {{ return new({}) }},", message.record.name);
    }
    code.push_str(")\n\n");
}

fn view(code: &mut String, domain: &Domain, table: &Table) {
    let name = camel_case(&table.name);
    doc_of(code, &format!("{name}Row"), &table.comment);
    let _ = writeln!(code, "type {name}Row struct {{");
    let bucket = table.directory().map(|_| table.partition_columns - 1);
    let columns = || table.columns.iter().enumerate().filter(|(at, _)| Some(*at) != bucket).map(|(_, it)| it);
    for (index, column) in columns().enumerate() {
        if index > 0 {
            code.push('\n');
        }
        doc(code, &column.comment);
        let kind = match column.kind {
            ColumnType::Text => "string",
            ColumnType::BigInt => "int64",
            ColumnType::Int => "int32",
            ColumnType::Boolean => "bool",
        };
        let more = if column.is_nullable() { "*" } else { "" };
        let _ = writeln!(code, "{} {more}{kind}", exported(&column.name));
    }
    let _ = writeln!(code, "}}\n\n// Read reads the columns.\nfunc (it *{name}Row) Read(in codec.Source) {{");
    for column in columns() {
        let (method, kind) = match column.kind {
            ColumnType::Text => ("Text", "string"),
            ColumnType::BigInt => ("Long", "int64"),
            ColumnType::Int => ("Int", "int32"),
            ColumnType::Boolean => ("Boolean", "bool"),
        };
        let it = format!("it.{}", exported(&column.name));
        let _ = match column.is_nullable() {
            true => writeln!(
                code,
                "{it} = nil\nif in.IsSome({0:?}) {{\n{it} = new({kind})\n*{it} = in.{method}({0:?})\n}}",
                column.name
            ),
            false => writeln!(code, "{it} = in.{method}({:?})", column.name),
        };
    }
    let list = |names: Vec<String>| names.iter().map(|it| format!("{it:?}")).collect::<Vec<_>>().join(", ");
    let partition = list(table.logical_partition().iter().map(|it| it.name.clone()).collect());
    let behind = table.columns[table.partition_columns..].iter().zip(&table.clustering_descending);
    let clustering = behind.map(|(column, down)| format!("{}{}", if *down { "-" } else { "" }, column.name));
    let _ = writeln!(
        code,
        "}}\n\n// {name} is the view of {name}Row.\nvar {name} = millrace.View[{name}Row]{{\nDomain: {:?}, Name: {:?},\nPartition: []string{{{partition}}},\nClustering: []string{{{}}},\nRead: func(in codec.Source) (row {name}Row) {{\nrow.Read(in)\nreturn row\n}},\n}}\n",
        domain.name,
        table.name,
        list(clustering.collect())
    );
}
