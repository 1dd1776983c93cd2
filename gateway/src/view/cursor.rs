//! Where a page ended, as text that means nothing to those who carry it: the view and the whole key of its last row.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use millrace_kernel::{ColumnType, Table, Value};
use serde_json::Value as Json;

/// The version of the form, should it ever change.
const VERSION: u8 = 1;

/// The place behind `row`.
pub(crate) fn write(table: &Table, row: &[Value]) -> String {
    let mut parts = vec![Json::from(VERSION), Json::from(table.name.as_str())];
    parts.extend(row.iter().take(table.key_columns()).map(super::row::json));
    URL_SAFE_NO_PAD.encode(Json::from(parts).to_string())
}

/// The key of the row that a page of the rows under `key` ended with; `None` when the text is of no such page.
pub(crate) fn read(table: &Table, key: &[Value], text: &str) -> Option<Vec<Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let Json::Array(parts) = serde_json::from_slice(&bytes).ok()? else { return None };
    let [version, view, values @ ..] = &parts[..] else { return None };
    if *version != VERSION || *view != table.name || values.len() != table.key_columns() {
        return None;
    }
    let row: Vec<Value> = table
        .columns
        .iter()
        .zip(values)
        .map(|(column, json)| value(column.kind, json))
        .collect::<Option<_>>()?;
    // within a bucketed table the key ends in front of the bucket, as does what was given
    row.starts_with(key).then_some(row)
}

fn value(kind: ColumnType, json: &Json) -> Option<Value> {
    match kind {
        ColumnType::Text => json.as_str().map(Value::from),
        ColumnType::BigInt => json.as_i64().map(Value::BigInt),
        ColumnType::Int => json.as_i64().and_then(|number| i32::try_from(number).ok()).map(Value::Int),
        ColumnType::Boolean => json.as_bool().map(Value::Boolean),
    }
}

#[cfg(test)]
mod tests {
    use millrace_kernel::table::parse_tables;

    use super::*;

    #[test]
    fn a_cursor_is_of_one_view_and_one_key() {
        let text = "CREATE TABLE n (\n  a text, -- x\n  bucket bigint, -- x\n  p int, -- x\n  t text, -- x\n  PRIMARY KEY ((a, bucket), p)\n) WITH comment = 'x';";
        let tables = parse_tables(text).unwrap();
        let row = vec!["ann".into(), i64::MAX.into(), Value::Int(-7), "text".into()];
        let cursor = write(&tables[0], &row);
        assert_eq!(read(&tables[0], &["ann".into()], &cursor).as_deref(), Some(&row[..3]));
        assert_eq!(read(&tables[0], &[], &cursor).as_deref(), Some(&row[..3]));
        assert_eq!(read(&tables[0], &["bob".into()], &cursor), None);
        assert_eq!(read(&tables[1], &[], &cursor), None);
        for bad in ["", "x", "e30", "WzFd", &cursor[1..]] {
            assert_eq!(read(&tables[0], &[], bad), None, "{bad}");
        }
    }
}
