//! The code that writes generated types as Avro data and reads them back.

use std::fmt::Write as _;

/// Where the kernel has the trait.
pub const AVRO: &str = "::millrace_kernel::avro";

/// For a struct with these fields, in the schema's order.
pub fn record(name: &str, fields: &[String]) -> String {
    format!("::millrace_kernel::avro_record!({name} {{ {} }});\n\n", fields.join(", "))
}

/// For an enum whose variants hold the records of a union, in the schema's order.
pub fn union(name: &str, branches: &[&str]) -> String {
    let (mut write, mut read) = (String::new(), String::new());
    for (index, branch) in branches.iter().enumerate() {
        let _ = writeln!(
            write,
            "Self::{branch}(message) => {{ {AVRO}::write_index({index}, out); {AVRO}::Datum::write(message, out); }}"
        );
        let _ = writeln!(read, "{index} => {AVRO}::Datum::read(input).map(Self::{branch}),");
    }
    choice(name, &write, &read, "a message type that the schema does not have")
}

/// For an enum whose variants are the symbols of an Avro enum, in the schema's order.
pub fn symbols(name: &str, symbols: &[String]) -> String {
    let (mut write, mut read) = (String::new(), String::new());
    for (index, symbol) in symbols.iter().enumerate() {
        let _ = writeln!(write, "Self::{symbol} => {AVRO}::write_index({index}, out),");
        let _ = writeln!(read, "{index} => Ok(Self::{symbol}),");
    }
    choice(name, &write, &read, "a symbol that the schema does not have")
}

fn choice(name: &str, write: &str, read: &str, otherwise: &str) -> String {
    format!(
        "impl {AVRO}::Datum for {name} {{\n\
         fn write(&self, out: &mut Vec<u8>) {{\nmatch self {{\n{write}}}\n}}\n\n\
         fn read(input: &mut {AVRO}::Input<'_>) -> Result<Self, {AVRO}::BadDatum> {{\n\
         match input.index()? {{\n{read}_ => Err(input.bad({otherwise:?})),\n}}\n}}\n}}\n\n"
    )
}
