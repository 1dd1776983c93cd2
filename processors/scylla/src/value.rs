//! Values to and from the driver.

use millrace_kernel::Value;
use scylla::cluster::metadata::ColumnType;
use scylla::serialize::SerializationError;
use scylla::serialize::value::SerializeValue;
use scylla::serialize::writers::{CellWriter, WrittenCellProof};
use scylla::value::{CqlValue, Row};

/// A value as the driver binds it, without a copy of its text.
#[derive(Clone, Debug)]
pub(crate) struct Bound(pub(crate) Value);

impl SerializeValue for Bound {
    fn serialize<'b>(
        &self,
        kind: &ColumnType<'_>,
        writer: CellWriter<'b>,
    ) -> Result<WrittenCellProof<'b>, SerializationError> {
        match &self.0 {
            // An explicit null, not "unset": the row is written whole, and a column that had a
            // value must lose it. That it leaves a small tombstone where there was none is the
            // price of never reading before writing.
            Value::Null => Ok(writer.set_null()),
            Value::Text(text) => text.as_ref().serialize(kind, writer),
            Value::BigInt(number) => number.serialize(kind, writer),
            Value::Int(number) => number.serialize(kind, writer),
            Value::Boolean(truth) => truth.serialize(kind, writer),
        }
    }
}

/// The values of a row, as its statement selects them.
pub(crate) fn values(row: Row) -> Result<Vec<Value>, String> {
    row.columns
        .into_iter()
        .map(|value| {
            Ok(match value {
                None => Value::Null,
                Some(CqlValue::Text(text) | CqlValue::Ascii(text)) => Value::from(text),
                Some(CqlValue::BigInt(number)) => Value::BigInt(number),
                Some(CqlValue::Int(number)) => Value::Int(number),
                Some(CqlValue::Boolean(truth)) => Value::Boolean(truth),
                Some(other) => return Err(format!("a column holds {other:?}, which no view declares")),
            })
        })
        .collect()
}
