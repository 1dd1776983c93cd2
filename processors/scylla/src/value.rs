//! Values to and from the driver.

use millrace_kernel::Value;
use scylla::cluster::metadata::{ColumnType, NativeType};
use scylla::deserialize::row::{ColumnIterator, RawColumn};
use scylla::deserialize::value::DeserializeValue;
use scylla::serialize::SerializationError;
use scylla::serialize::value::SerializeValue;
use scylla::serialize::writers::{CellWriter, WrittenCellProof};

/// A value as the driver binds it, without a copy of its text.
#[derive(Clone, Debug)]
pub(crate) enum Bound {
    /// A value, or null.
    Value(Value),
    /// Nothing is written: the column has no value, and had none before.
    Unset,
}

impl SerializeValue for Bound {
    fn serialize<'b>(
        &self,
        kind: &ColumnType<'_>,
        writer: CellWriter<'b>,
    ) -> Result<WrittenCellProof<'b>, SerializationError> {
        let Self::Value(value) = self else { return Ok(writer.set_unset()) };
        match value {
            // An explicit null: the row is written whole, and a column that had a value must lose it.
            // That it leaves a small tombstone where there was none is the price of never reading
            // before writing; a column that is `Nullable until set` does not pay it.
            Value::Null => Ok(writer.set_null()),
            Value::Text(text) => text.as_ref().serialize(kind, writer),
            Value::BigInt(number) => number.serialize(kind, writer),
            Value::Int(number) => number.serialize(kind, writer),
            Value::Boolean(truth) => truth.serialize(kind, writer),
        }
    }
}

/// The values of a row, as its statement selects them; texts are copied once, from the answer.
pub(crate) fn values(row: ColumnIterator<'_, '_>) -> Result<Vec<Value>, String> {
    let columns = row.map(|column| column.map_err(|e| e.to_string()));
    columns.map(|column| value(&column?)).collect()
}

fn value(column: &RawColumn<'_, '_>) -> Result<Value, String> {
    let (kind, slice) = (column.spec.typ(), column.slice);
    if slice.is_none() {
        return Ok(Value::Null);
    }
    let value = match kind {
        ColumnType::Native(NativeType::Text | NativeType::Ascii) => {
            <&str>::deserialize(kind, slice).map(Value::from)
        }
        ColumnType::Native(NativeType::BigInt) => i64::deserialize(kind, slice).map(Value::BigInt),
        ColumnType::Native(NativeType::Int) => i32::deserialize(kind, slice).map(Value::Int),
        ColumnType::Native(NativeType::Boolean) => bool::deserialize(kind, slice).map(Value::Boolean),
        other => {
            return Err(format!("column {} holds {other:?}, which no view declares", column.spec.name()));
        }
    };
    value.map_err(|e| format!("column {}: {e}", column.spec.name()))
}
