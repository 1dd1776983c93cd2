//! The module of the states: one record for the topic, one enum for the domain.

use std::fmt::Write as _;

use serde_json::Value;

use crate::avro::{Record, Type};
use crate::emit::{identifier, line, module};
use crate::items::{DERIVE, Items};
use crate::{datum, envelope, samples};

const AVRO: &str = datum::AVRO;
const BOOKKEEPING: &str = "::millrace_kernel::Bookkeeping";

/// The records of the aggregates, and of what the engine remembers, each with its field.
pub fn kinds(schema: &Record) -> Vec<(&str, &Record)> {
    schema
        .fields
        .iter()
        .filter_map(|field| match &field.kind {
            Type::Nullable(inner) => match &**inner {
                Type::Record(record) => Some((field.name.as_str(), &**record)),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

/// The records of the aggregates.
pub fn aggregates(schema: &Record) -> Vec<&Record> {
    let all = kinds(schema).into_iter().map(|(_, record)| record);
    all.filter(|record| envelope::bookkeeping(record).is_none()).collect()
}

/// The module `state`.
pub fn states(schema: &Record) -> Result<String, String> {
    let mut items = Items::default();
    let body = state(&mut items, schema)?;
    Ok(module(envelope::STATE.file, &schema.doc, &(body + &items.code)))
}

fn state(items: &mut Items, schema: &Record) -> Result<String, String> {
    // of the envelope's own four fields the kernel's trait knows
    let kinds = kinds(schema);
    let aggregates = aggregates(schema);
    let looked_up: Vec<&str> = aggregates
        .iter()
        .filter(|record| record.marks.lookup == Some(Value::Bool(true)))
        .map(|record| record.name.as_str())
        .collect();
    let mut record = String::from("/// The record of the state topic.\n");
    record.push_str(DERIVE);
    record.push_str("#[serde(deny_unknown_fields)]\npub struct StateRecord {\n");
    let mut states = String::from("/// The state of an aggregate of any kind.\n");
    states.push_str(
        "#[derive(Clone, Debug, PartialEq)]\n#[allow(clippy::large_enum_variant)]\npub enum State {\n",
    );
    let (mut to_record, mut from_record, mut write) = (String::new(), String::new(), String::new());
    let mut accessors = String::new();
    for field in &schema.fields[..4] {
        let kind = items.rust_type(&field.kind)?;
        // of JSON that an earlier build has printed
        let default = if field.name == "revision" { "#[serde(default)]\n" } else { "" };
        let _ =
            writeln!(record, "/// {}\n{default}pub {}: {kind},", line(&field.doc), identifier(&field.name));
    }
    for (field, kind) in kinds {
        let doc = schema.field(field).map(|f| line(&f.doc)).unwrap_or_default();
        let field = identifier(field);
        let variant = &kind.name;
        let (path, pattern, make) = match envelope::bookkeeping(kind) {
            None => {
                let _ = writeln!(states, "/// {}\n{variant}({variant}),", line(&kind.doc));
                let _ = writeln!(
                    accessors,
                    "/// The state, if it is of this kind.\n#[must_use]\n\
                     pub fn {field}(&self) -> Option<&{variant}> {{\n\
                     match self {{\nSelf::{variant}(state) => Some(state),\n_ => None,\n}}\n}}\n"
                );
                items.record(kind, None)?;
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
    let samples = samples::each(&aggregates);
    Ok(format!(
        "{record}}}\n\n{datum}{states}}}\n\nimpl State {{\n{accessors}}}\n\n\
         impl ::millrace_kernel::StateData for State {{\n\
         type Record = StateRecord;\n\n\
         const LOOKUPS: &'static [&'static str] = &{looked_up:?};\n\n\
         fn to_record(aggregate_id: &::millrace_kernel::AggregateId, version: i64, recorded_at: i64, revision: i32, state: Option<&Self>) -> StateRecord {{\n\
         StateRecord {{\naggregate_id: aggregate_id.into(),\nversion,\nrecorded_at,\nrevision,\n{to_record}}}\n}}\n\n\
         fn write_record(aggregate_id: &::millrace_kernel::AggregateId, version: i64, recorded_at: i64, revision: i32, state: Option<&Self>, out: &mut Vec<u8>) {{\n\
         {AVRO}::write_str(aggregate_id.as_str(), out);\n\
         {AVRO}::Datum::write(&version, out);\n\
         {AVRO}::Datum::write(&recorded_at, out);\n\
         {AVRO}::Datum::write(&revision, out);\n{write}}}\n\n\
         fn from_record(record: StateRecord) -> (::millrace_kernel::Text, i64, i64, Option<Self>) {{\n\
         let state = None{from_record};\n\
         (record.aggregate_id, record.version, record.recorded_at, state)\n}}\n\n\
         fn revision(record: &StateRecord) -> i32 {{\nrecord.revision\n}}\n\n\
         fn from_bookkeeping(bookkeeping: {BOOKKEEPING}) -> Self {{\nSelf::Bookkeeping(bookkeeping)\n}}\n\n\
         fn as_bookkeeping(&self) -> Option<&{BOOKKEEPING}> {{\n\
         match self {{\nSelf::Bookkeeping(bookkeeping) => Some(bookkeeping),\n_ => None,\n}}\n}}\n\n\
         fn samples(seed: &mut ::millrace_kernel::Seed) -> Vec<Self> {{\n{samples}\n}}\n}}\n\n"
    ))
}
