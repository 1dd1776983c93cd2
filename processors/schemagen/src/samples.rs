//! The code that makes seeded values of generated types.

use std::fmt::Write as _;

use millrace_kernel::id::MAX_ID_LENGTH;

use crate::address::Address;
use crate::annotations;
use crate::avro::{Field, Record, Type};
use crate::emit::identifier;

/// `impl Sample` for the struct of `record`, whose texts keep to their limits.
pub fn record(record: &Record, address: Option<&Address>) -> String {
    let mut fields = String::new();
    for field in &record.fields {
        let value = match record.is_fingerprint(&field.name) {
            true => "seed.fingerprint()".to_owned(),
            false => value(field, &field.kind, address),
        };
        let _ = writeln!(fields, "{}: {value},", identifier(&field.name));
    }
    let seed = if record.fields.is_empty() { "_" } else { "seed" };
    format!(
        "impl ::millrace_kernel::Sample for {name} {{\n\
         fn sample({seed}: &mut ::millrace_kernel::Seed) -> Self {{\nSelf {{\n{fields}}}\n}}\n}}\n\n",
        name = record.name
    )
}

fn value(field: &Field, kind: &Type, address: Option<&Address>) -> String {
    match kind {
        Type::String if field.marks.wrapper().is_some() => {
            let limit = annotations::limit(field, address);
            let text =
                limit.map_or_else(|| "seed.free_text()".to_owned(), |most| format!("seed.text({most})"));
            format!("{}::from({text})", field.marks.wrapper().unwrap_or_default())
        }
        Type::String if annotations::is_id(field, address) => {
            format!("seed.id({})", annotations::limit(field, address).unwrap_or(MAX_ID_LENGTH))
        }
        Type::String => match field.marks.max_length {
            Some(most) => format!("seed.text({most})"),
            None => "seed.free_text()".to_owned(),
        },
        Type::Nullable(inner) => format!("seed.maybe({})", function(&value(field, inner, address))),
        Type::Array(inner) => format!("seed.some({})", function(&value(field, inner, address))),
        _ => SAMPLE.to_owned(),
    }
}

const SAMPLE: &str = "::millrace_kernel::Sample::sample(seed)";

/// The function of `seed` whose body this is.
fn function(body: &str) -> String {
    match body {
        SAMPLE => "::millrace_kernel::Sample::sample".to_owned(),
        "seed.free_text()" => "::millrace_kernel::Seed::free_text".to_owned(),
        other => format!("|seed| {other}"),
    }
}

/// `impl Sample` for an enum of these symbols.
pub fn symbols(name: &str, symbols: &[String]) -> String {
    let all: Vec<String> = symbols.iter().map(|symbol| format!("Self::{symbol}")).collect();
    format!(
        "impl ::millrace_kernel::Sample for {name} {{\n\
         fn sample(seed: &mut ::millrace_kernel::Seed) -> Self {{\n[{}][seed.below({})]\n}}\n}}\n\n",
        all.join(", "),
        all.len()
    )
}

/// `impl Samples` for the union `data`.
pub fn union(data: &str, messages: &[&Record]) -> String {
    format!(
        "impl ::millrace_kernel::Samples for {data} {{\n\
         fn samples(seed: &mut ::millrace_kernel::Seed) -> Vec<Self> {{\n{}\n}}\n}}\n\n",
        each(messages)
    )
}

/// One value of each variant, in a list.
pub fn each(records: &[&Record]) -> String {
    let all: Vec<String> = records.iter().map(|record| format!("Self::{}({SAMPLE})", record.name)).collect();
    format!("vec![{}]", all.join(",\n"))
}
