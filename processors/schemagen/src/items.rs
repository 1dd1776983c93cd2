//! Avro records and enums as Rust structs and enums with serde.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::address::Address;
use crate::avro::{Enum, Field, Record, Type};
use crate::emit::{camel_case, identifier, line};
use crate::{datum, envelope, samples};

/// What a text is held in.
const TEXT: &str = "::millrace_kernel::Text";

/// What every struct derives.
pub const DERIVE: &str = "#[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]\n";

/// The structs and enums of one module, each once.
#[derive(Default)]
pub struct Items {
    seen: BTreeSet<String>,
    /// What was written so far.
    pub code: String,
}

impl Items {
    /// The Rust type of a field, of which what it needs is written.
    pub fn rust_type(&mut self, kind: &Type) -> Result<String, String> {
        Ok(match kind {
            Type::String => TEXT.to_owned(),
            Type::Long | Type::TimestampMicros => "i64".to_owned(),
            Type::Int => "i32".to_owned(),
            Type::Boolean => "bool".to_owned(),
            Type::Double => "f64".to_owned(),
            Type::Bytes => "::millrace_kernel::Blob".to_owned(),
            Type::Columns => "::millrace_kernel::change::Columns".to_owned(),
            Type::Array(items) => format!("Vec<{}>", self.rust_type(items)?),
            Type::Nullable(inner) => format!("Option<{}>", self.rust_type(inner)?),
            Type::Record(record) if record.name == envelope::VIOLATION => {
                "::millrace_kernel::Violation".to_owned()
            }
            Type::Record(record) => {
                self.record(record, None)?;
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

    /// The Rust type of a field, which wraps a text that is not for everybody.
    fn rust_type_of(&mut self, field: &Field) -> Result<String, String> {
        let kind = self.rust_type(&field.kind)?;
        Ok(match field.marks.wrapper() {
            Some(wrapper) => kind.replace(TEXT, wrapper),
            None => kind,
        })
    }

    /// Writes the struct of `record`; of a message, with where it belongs.
    pub fn record(&mut self, record: &Record, address: Option<&Address>) -> Result<(), String> {
        if !self.seen.insert(record.name.clone()) {
            return Ok(());
        }
        let mut code = String::new();
        let _ = writeln!(code, "/// {}", line(&record.doc));
        code.push_str(DERIVE);
        let _ = writeln!(code, "#[serde(deny_unknown_fields)]\npub struct {} {{", record.name);
        for field in &record.fields {
            let kind = self
                .rust_type_of(field)
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
        code.push_str(&samples::record(record, address));
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
        code.push_str(&samples::symbols(&one.name, &symbols));
    }
}
