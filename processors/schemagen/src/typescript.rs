//! What pages and other programs in TypeScript send and read over HTTP: an interface for each command and for the rows of each
//! view, and the key of each view.

use std::fmt::Write as _;
use std::path::Path;

use millrace_kernel::table::{ColumnType, Table};

use crate::SchemagenError;
use crate::avro::Type;
use crate::envelope::COMMANDS;
use crate::folder::Folder;

const HEAD: &str = "\
// Made from schemas/ by `make schemas`; change those instead.

/** A 64-bit whole number in an answer to `Accept: application/json; longs=string`: its digits. */
export type Long = string;

/** An instant: microseconds since the epoch, or RFC 3339 with an offset. */
export type Instant = bigint | string;

/** A secret: as it is, for the gateway to seal, or a sealed box in base64. */
export type Sealed = { readonly plaintext: string } | string;

/** What a view's rows are found and told apart by. */
export interface ViewKey {
  /** The columns that name which rows are meant. */
  readonly partition: readonly string[];
  /** The columns behind them, in the order of the rows; a `-` in front: descending. */
  readonly clustering: readonly string[];
  /** Those of them that are numbers, and are ordered as such. */
  readonly numbers: readonly string[];
}
";

/// The TypeScript module of the domains in these folders (`schemas/<d>`), in their order.
///
/// # Errors
/// [`SchemagenError`] names the file and what is wrong with it.
pub fn typescript(folders: &[impl AsRef<Path>]) -> Result<String, SchemagenError> {
    let read = |folder: &_| Folder::read(AsRef::<Path>::as_ref(folder));
    let folders = folders.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let mut code = String::from(HEAD);
    code.push_str("\n/** What each command holds, by domain and type. */\nexport interface Commands {\n");
    folders.iter().for_each(|folder| commands(&mut code, folder));
    code.push_str("}\n\n/** A row of each view, by domain and view. */\nexport interface Rows {\n");
    let views = |folder: &Folder| {
        let views = folder.tables.iter().filter(|table| !table.is_directory());
        views.cloned().collect::<Vec<_>>()
    };
    for folder in &folders {
        views(folder).iter().for_each(|view| rows(&mut code, &folder.domain, view));
    }
    code.push_str("}\n\n/** The key of each view. */\nexport const VIEWS = {\n");
    for folder in &folders {
        views(folder).iter().for_each(|view| key(&mut code, &folder.domain, view));
    }
    code.push_str("} as const satisfies Record<keyof Rows, ViewKey>;\n");
    Ok(code)
}

fn commands(code: &mut String, folder: &Folder) {
    let Some(schema) = folder.schema(&COMMANDS) else { return };
    for (record, _) in schema.messages() {
        let _ =
            writeln!(code, "  /** {} */\n  '{}/{}': {{", comment(&record.doc), folder.domain, record.name);
        for field in &record.fields {
            let (optional, kind) = match &field.kind {
                _ if field.marks.sealed.is_some() => ("", "Sealed".to_owned()),
                // the gateway makes it where it seals
                _ if record.is_fingerprint(&field.name) => ("?", sent(&field.kind)),
                Type::Nullable(inner) => ("?", format!("{} | null", sent(inner))),
                other => ("", sent(other)),
            };
            let _ =
                writeln!(code, "    /** {} */\n    {}{optional}: {kind};", comment(&field.doc), field.name);
        }
        code.push_str("  };\n");
    }
}

/// What is sent for a type.
fn sent(kind: &Type) -> String {
    match kind {
        Type::String | Type::Bytes => "string".to_owned(),
        Type::Long => "bigint".to_owned(),
        Type::TimestampMicros => "Instant".to_owned(),
        Type::Int | Type::Double => "number".to_owned(),
        Type::Boolean => "boolean".to_owned(),
        Type::Array(items) => format!("readonly ({})[]", sent(items)),
        Type::Nullable(inner) => format!("{} | null", sent(inner)),
        Type::Enum(one) => one.symbols.iter().map(|it| format!("'{it}'")).collect::<Vec<_>>().join(" | "),
        Type::Record(record) => {
            let fields = record.fields.iter().map(|field| format!("{}: {}", field.name, sent(&field.kind)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join("; "))
        }
        // of the engine's own records alone
        Type::Union(_) | Type::Columns => "unknown".to_owned(),
    }
}

fn rows(code: &mut String, domain: &str, table: &Table) {
    let _ = writeln!(code, "  /** {} */\n  '{domain}/{}': {{", comment(&table.comment), table.name);
    let bucket = table.directory().map(|_| table.partition_columns - 1);
    for (index, column) in table.columns.iter().enumerate() {
        if Some(index) == bucket {
            continue;
        }
        let kind = match column.kind {
            ColumnType::Text => "string",
            ColumnType::BigInt => "Long",
            ColumnType::Int => "number",
            ColumnType::Boolean => "boolean",
        };
        let more = if column.is_nullable() { " | null" } else { "" };
        let _ = writeln!(code, "    /** {} */\n    {}: {kind}{more};", comment(&column.comment), column.name);
    }
    code.push_str("  };\n");
}

fn key(code: &mut String, domain: &str, table: &Table) {
    let partition = table.partition_columns - usize::from(table.directory().is_some());
    let list = |names: &mut dyn Iterator<Item = String>| {
        names.map(|it| format!("'{it}'")).collect::<Vec<_>>().join(", ")
    };
    let of_partition = list(&mut table.columns[..partition].iter().map(|column| column.name.clone()));
    let behind = table.columns[table.partition_columns..].iter().zip(&table.clustering_descending);
    let signed = |(column, descends): (&millrace_kernel::table::Column, &bool)| {
        format!("{}{}", if *descends { "-" } else { "" }, column.name)
    };
    let clustering = list(&mut behind.map(signed));
    let numbers = table.columns[table.partition_columns..table.key_columns()].iter();
    let numbers = numbers.filter(|column| matches!(column.kind, ColumnType::BigInt | ColumnType::Int));
    let numbers = list(&mut numbers.map(|column| column.name.clone()));
    let _ = writeln!(
        code,
        "  '{domain}/{}': {{ partition: [{of_partition}], clustering: [{clustering}], numbers: [{numbers}] }},",
        table.name
    );
}

/// Text that ends no comment.
fn comment(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("*/", "* /")
}
