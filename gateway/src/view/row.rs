//! Rows as JSON.

use millrace_kernel::table::Column;
use millrace_kernel::{Table, Value};
use serde_json::{Map, Value as Json};

/// How 64-bit numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Longs {
    /// As numbers, which JavaScript's `JSON.parse` rounds beyond 2^53.
    #[default]
    Numbers,
    /// As texts: `Accept: application/json; longs=string`.
    Texts,
}

impl Longs {
    /// A long.
    #[must_use]
    pub fn long(self, number: i64) -> Json {
        match self {
            Self::Numbers => Json::from(number),
            Self::Texts => Json::from(number.to_string()),
        }
    }
}

/// The columns of a view by its logical key, without the bucket.
pub fn columns(table: &Table) -> impl Iterator<Item = (usize, &Column)> {
    let bucket = table.directory().map(|_| table.partition_columns - 1);
    table.columns.iter().enumerate().filter(move |(index, _)| Some(*index) != bucket)
}

/// A row as an object, its columns in the table's order; those that `columns` names.
pub fn row<'c>(
    columns: impl Iterator<Item = (usize, &'c Column)>,
    values: &[Value],
    longs: Longs,
) -> Map<String, Json> {
    let value = |index: usize| match values.get(index) {
        Some(Value::BigInt(number)) => longs.long(*number),
        Some(value) => json(value),
        None => Json::Null,
    };
    columns.map(|(index, column)| (column.name.clone(), value(index))).collect()
}

/// A value.
pub(super) fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Text(text) => Json::from(&**text),
        Value::BigInt(number) => Json::from(*number),
        Value::Int(number) => Json::from(*number),
        Value::Boolean(truth) => Json::from(*truth),
    }
}

#[cfg(test)]
mod tests {
    use millrace_kernel::table::parse_tables;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_has_its_columns_but_for_the_bucket() {
        let text = "CREATE TABLE n (\n  a text, -- x\n  bucket bigint, -- x\n  p bigint, -- x\n  i int, -- x\n  PRIMARY KEY ((a, bucket), p)\n) WITH comment = 'x';";
        let table = parse_tables(text).unwrap().remove(0);
        let values = [Value::from("x"), 1_i64.into(), i64::MAX.into(), Value::Null];
        let shown = |longs| Json::Object(row(columns(&table), &values, longs));
        assert_eq!(shown(Longs::Numbers), json!({"a": "x", "p": i64::MAX, "i": null}));
        assert_eq!(shown(Longs::Texts), json!({"a": "x", "p": "9223372036854775807", "i": null}));
        let whole = row(table.columns.iter().enumerate(), &values, Longs::Numbers);
        assert_eq!(whole.keys().collect::<Vec<_>>(), ["a", "bucket", "p", "i"]);
    }
}
