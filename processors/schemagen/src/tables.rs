//! Tables as Rust structs that turn into writes and come from rows read.

use std::fmt::Write as _;

use millrace_kernel::table::{Column, ColumnType, Table};

use crate::emit::{camel_case, identifier, line};

/// The module `rows`: a struct for each table.
pub fn module(tables: &[Table]) -> String {
    let mut code = String::from("/// A struct for each table of `views.cql`.\npub mod rows {\n");
    code.push_str("use std::sync::Arc;\n");
    let is_bucketed = tables.iter().any(|table| table.directory().is_some());
    let more = if is_bucketed { "buckets::{Entered, Gone}, Walk, " } else { "" };
    let _ = writeln!(code, "use ::millrace_kernel::{{{more}Delete, Put, Value, Write}};\n");
    for table in tables {
        row(&mut code, table);
    }
    code.push_str("}\n\n");
    code
}

fn rust_type(column: &Column) -> String {
    let plain = match column.kind {
        ColumnType::Text => "Arc<str>",
        ColumnType::BigInt => "i64",
        ColumnType::Int => "i32",
        ColumnType::Boolean => "bool",
    };
    if column.is_nullable() { format!("Option<{plain}>") } else { plain.to_owned() }
}

fn row(code: &mut String, table: &Table) {
    let name = format!("{}Row", camel_case(&table.name));
    let key = &table.columns[..table.key_columns()];
    let _ = writeln!(code, "/// {}", line(&table.comment));
    let _ = writeln!(code, "#[derive(Clone, Debug, PartialEq, Eq)]\npub struct {name} {{");
    for column in &table.columns {
        let _ = writeln!(code, "/// {}", line(&column.comment));
        let _ = writeln!(code, "pub {}: {},", identifier(&column.name), rust_type(column));
    }
    let _ = writeln!(code, "}}\n\nimpl {name} {{");
    let _ = writeln!(code, "/// The table's name.\npub const TABLE: &'static str = {:?};\n", table.name);

    code.push_str("/// Writes this row; `timestamp` is `recorded_at` of the event that causes it.\n");
    code.push_str("#[must_use]\npub fn put(self, timestamp: i64) -> Write {\n");
    let values: Vec<String> =
        table.columns.iter().map(|c| format!("self.{}.into()", identifier(&c.name))).collect();
    let _ = writeln!(
        code,
        "Write::Put(Put {{ table: Self::TABLE, values: vec![{}], timestamp }})\n}}\n",
        values.join(", ")
    );

    code.push_str("/// Deletes the row of this key.\n#[must_use]\n");
    let _ = writeln!(code, "pub fn delete({}, timestamp: i64) -> Write {{", arguments(key));
    delete_body(code, key, false);
    if table.directory().is_some() {
        bucketed(code, table);
    }
    if !table.clustering_descending.is_empty() {
        let prefix = &table.columns[..=table.partition_columns];
        let column = &table.columns[table.partition_columns].name;
        let _ = writeln!(
            code,
            "/// Deletes all rows of the partition that come after this `{column}` in the table's order.\n#[must_use]"
        );
        let _ = writeln!(code, "pub fn delete_after({}, timestamp: i64) -> Write {{", arguments(prefix));
        delete_body(code, prefix, true);
    }

    code.push_str("/// The row that was read; `None` when it has not the table's columns.\n");
    code.push_str("#[must_use]\npub fn from_values(values: Vec<Value>) -> Option<Self> {\n");
    let _ = writeln!(
        code,
        "let [{}] = <[Value; {}]>::try_from(values).ok()?;",
        (0..table.columns.len()).map(|i| format!("c{i}")).collect::<Vec<_>>().join(", "),
        table.columns.len()
    );
    code.push_str("Some(Self {\n");
    for (index, column) in table.columns.iter().enumerate() {
        let variant = match column.kind {
            ColumnType::Text => "Text",
            ColumnType::BigInt => "BigInt",
            ColumnType::Int => "Int",
            ColumnType::Boolean => "Boolean",
        };
        let field = identifier(&column.name);
        let _ = if column.is_nullable() {
            writeln!(
                code,
                "{field}: match c{index} {{ Value::{variant}(value) => Some(value), Value::Null => None, _ => return None }},"
            )
        } else {
            writeln!(
                code,
                "{field}: match c{index} {{ Value::{variant}(value) => value, _ => return None }},"
            )
        };
    }
    code.push_str("})\n}\n}\n\n");
}

/// What a bucketed table has beside: its directory, and how its rows are read.
fn bucketed(code: &mut String, table: &Table) {
    let bucket = &table.columns[..table.partition_columns];
    let key = &bucket[..bucket.len() - 1];
    let list = |form: &dyn Fn(&str) -> String| {
        key.iter().map(|column| form(&identifier(&column.name))).collect::<Vec<_>>().join(", ")
    };
    let directory = format!("{}BucketsRow", camel_case(&table.name));
    let (owner, names) = (arguments(key), list(&str::to_owned));
    let (clones, values) = (list(&|name| format!("{name}.clone()")), list(&|name| format!("{name}.into()")));
    let fields = list(&|name| format!("{name}: {name}.clone()"));
    // not for authors: who follows the view hears of rows, so only a bucket that is empty goes as a whole
    let _ = writeln!(code, "fn delete_bucket({}, timestamp: i64) -> Write {{", arguments(bucket));
    delete_body(code, bucket, true);
    let _ = writeln!(
        code,
        "/// What the directory is to say of a row that comes into a bucket.\n#[must_use]\n\
         pub fn entered({owner}, entered: Entered, timestamp: i64) -> Vec<Write> {{\n\
         let mut writes = Vec::new();\n\
         if entered.is_new {{ writes.push({directory} {{ {fields}, bucket: entered.bucket }}.put(timestamp)); }}\n\
         if let Some(bucket) = entered.left {{ writes.extend(Self::left({names}, bucket, timestamp)); }}\n\
         writes\n}}\n"
    );
    let _ = writeln!(
        code,
        "/// And of one that goes.\n#[must_use]\n\
         pub fn gone({owner}, gone: Gone, timestamp: i64) -> Vec<Write> {{\n\
         if gone.is_left {{ Self::left({names}, gone.bucket, timestamp).into() }} else {{ Vec::new() }}\n}}\n"
    );
    let _ = writeln!(
        code,
        "fn left({owner}, bucket: i64, timestamp: i64) -> [Write; 2] {{\n\
         let forgotten = {directory}::delete({clones}, bucket, timestamp);\n\
         [forgotten, Self::delete_bucket({names}, bucket, timestamp)]\n}}\n"
    );
    let _ = writeln!(
        code,
        "/// Reads the rows of all buckets, newest first, at most `limit` a page.\n#[must_use]\n\
         pub fn walk({owner}, limit: usize) -> Walk {{\nWalk::bucketed(Self::TABLE, vec![{values}], {}, limit)\n}}\n",
        table.clustering_descending.len()
    );
}

fn arguments(columns: &[Column]) -> String {
    let list: Vec<String> =
        columns.iter().map(|c| format!("{}: {}", identifier(&c.name), rust_type(c))).collect();
    list.join(", ")
}

fn delete_body(code: &mut String, key: &[Column], range: bool) {
    let key: Vec<String> = key.iter().map(|c| format!("{}.into()", identifier(&c.name))).collect();
    let _ = writeln!(
        code,
        "Write::Delete(Delete {{ table: Self::TABLE, key: vec![{}], range: {range}, timestamp }})\n}}\n",
        key.join(", ")
    );
}
