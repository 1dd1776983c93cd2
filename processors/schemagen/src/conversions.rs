//! `Step::from(&event)`: where an event has all fields of a step, by name and type.

use std::fmt::Write as _;

use crate::avro::{Field, Record, Type};
use crate::emit::{camel_case, identifier};
use crate::envelope;

/// All conversions, for the module of the steps.
pub fn all(steps: &[&Record], events: &[&Record]) -> String {
    let mut code = String::new();
    for step in steps {
        for event in events {
            if has_all(event, step) {
                code.push_str(&conversion(step, event));
            }
        }
    }
    code
}

/// Whether `from` has every field of `to`.
fn has_all(from: &Record, to: &Record) -> bool {
    let has = |field: &Field| {
        let is_like =
            |it: &Field| is_same(&it.kind, &field.kind) && it.marks.wrapper() == field.marks.wrapper();
        from.field(&field.name).is_some_and(is_like)
    };
    to.fields.iter().all(has)
}

/// Whether two types hold the same values by the same names; what is written about them is another matter.
fn is_same(one: &Type, other: &Type) -> bool {
    match (one, other) {
        (Type::Nullable(one), Type::Nullable(other)) | (Type::Array(one), Type::Array(other)) => {
            is_same(one, other)
        }
        (Type::Enum(one), Type::Enum(other)) => one.name == other.name && one.symbols == other.symbols,
        (Type::Record(one), Type::Record(other)) => {
            one.name == other.name && has_all(one, other) && has_all(other, one)
        }
        _ => one == other,
    }
}

fn conversion(step: &Record, event: &Record) -> String {
    let (name, from) = (&step.name, &event.name);
    let event = if step.fields.is_empty() { "_" } else { "event" };
    format!(
        "/// What the step needs stands in the event.\n\
         impl From<&super::events::{from}> for {name} {{\n\
         fn from({event}: &super::events::{from}) -> Self {{\n{}\n}}\n}}\n\n",
        made("Self", step, "event")
    )
}

/// A struct of the steps, made from `it` of the events.
fn made(name: &str, record: &Record, it: &str) -> String {
    let mut fields = String::new();
    for field in &record.fields {
        let field_name = identifier(&field.name);
        let _ = writeln!(fields, "{field_name}: {},", copy(&field.kind, &format!("{it}.{field_name}")));
    }
    format!("{name} {{\n{fields}}}")
}

/// Whether events and steps have the same Rust type for it.
fn is_shared(kind: &Type) -> bool {
    match kind {
        Type::Nullable(inner) | Type::Array(inner) => is_shared(inner),
        Type::Record(record) => record.name == envelope::VIOLATION,
        Type::Enum(_) | Type::Union(_) => false,
        _ => true,
    }
}

fn is_copied(kind: &Type) -> bool {
    match kind {
        Type::Nullable(inner) => is_copied(inner),
        Type::Long | Type::Int | Type::Boolean | Type::Double | Type::TimestampMicros => true,
        _ => false,
    }
}

fn copy(kind: &Type, it: &str) -> String {
    match kind {
        _ if is_copied(kind) => it.to_owned(),
        _ if is_shared(kind) => format!("{it}.clone()"),
        Type::Nullable(inner) => format!("{it}.as_ref().map(|it| {})", copy(inner, "it")),
        Type::Array(inner) => format!("{it}.iter().map(|it| {}).collect()", copy(inner, "it")),
        Type::Record(record) => made(&record.name, record, it),
        Type::Enum(one) => {
            let arms: Vec<String> = one
                .symbols
                .iter()
                .map(|symbol| camel_case(symbol))
                .map(|symbol| format!("super::events::{name}::{symbol} => {name}::{symbol}", name = one.name))
                .collect();
            format!("match {it} {{ {} }}", arms.join(", "))
        }
        _ => format!("{it}.clone()"),
    }
}
