//! A change of a row, as projectors write it to `<d>.<family>.changes` for those who have subscribed to the view.
//!
//! Rows are maps from column to value, so one schema fits every view, and a column that comes or goes needs no new one.

use crate::avro::{BadDatum, Datum, Input, write_index, write_str};
use crate::inline::Text;
use crate::row::Value;

/// Columns of a row by their names.
pub type Columns = Vec<(Text, Value)>;

/// What a row has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The view, by its plain name.
    pub view: Text,
    /// The version of its tables, from 1.
    pub version: i32,
    /// The partition of the events topic that the change follows from.
    pub source_partition: i32,
    /// The offset of the event there.
    pub source_offset: i64,
    /// The changes of all events of that partition before this offset stand in front of this one, whatever partition of the
    /// changes topic they are in.
    pub settled: i64,
    /// `recorded_at` of the event, in microseconds since the epoch.
    pub recorded_at: i64,
    /// The columns of the view's primary key, without a bucket. Those that are missing mean every row: see `reread`.
    pub key: Columns,
    /// The whole row; none where there is no such row any more.
    pub row: Option<Columns>,
    /// Whether the row, or what lies under a part of the key, is too much to stand here: it is to be read in the table.
    pub reread: bool,
    /// Whether another change of the same event under the same partition key follows: a reader's copy is that of no moment
    /// between the two.
    pub more: bool,
}

/// An entry of a map.
struct Entry<'a>(&'a str, &'a Value);

impl Entry<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        write_str(self.0, out);
        match self.1 {
            Value::Null => write_index(0, out),
            Value::Text(text) => {
                write_index(1, out);
                write_str(text, out);
            }
            Value::BigInt(number) => {
                write_index(2, out);
                number.write(out);
            }
            Value::Int(number) => {
                write_index(3, out);
                number.write(out);
            }
            Value::Boolean(truth) => {
                write_index(4, out);
                truth.write(out);
            }
        }
    }

    fn read(input: &mut Input<'_>) -> Result<(Text, Value), BadDatum> {
        let name = Text::from(input.text()?);
        let value = match input.index()? {
            0 => Value::Null,
            1 => Value::from(input.text()?),
            2 => Value::BigInt(i64::read(input)?),
            3 => Value::Int(i32::read(input)?),
            4 => Value::Boolean(bool::read(input)?),
            _ => return Err(input.bad("a value of no type that columns have")),
        };
        Ok((name, value))
    }
}

fn write_map(columns: &[(Text, Value)], out: &mut Vec<u8>) {
    if !columns.is_empty() {
        (columns.len() as i64).write(out);
        columns.iter().for_each(|(name, value)| Entry(name, value).write(out));
    }
    out.push(0);
}

fn read_map(input: &mut Input<'_>) -> Result<Columns, BadDatum> {
    let mut columns = Columns::new();
    // a map is written as an array of its entries
    input.items(|input| {
        columns.push(Entry::read(input)?);
        Ok(())
    })?;
    Ok(columns)
}

impl Datum for Change {
    fn write(&self, out: &mut Vec<u8>) {
        write_str(&self.view, out);
        self.version.write(out);
        self.source_partition.write(out);
        self.source_offset.write(out);
        self.settled.write(out);
        self.recorded_at.write(out);
        write_map(&self.key, out);
        match &self.row {
            None => write_index(0, out),
            Some(row) => {
                write_index(1, out);
                write_map(row, out);
            }
        }
        self.reread.write(out);
        self.more.write(out);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        Ok(Self {
            view: Text::read(input)?,
            version: i32::read(input)?,
            source_partition: i32::read(input)?,
            source_offset: i64::read(input)?,
            settled: i64::read(input)?,
            recorded_at: i64::read(input)?,
            key: read_map(input)?,
            row: match input.index()? {
                0 => None,
                1 => Some(read_map(input)?),
                _ => return Err(input.bad("a branch that a nullable row does not have")),
            },
            reread: bool::read(input)?,
            more: bool::read(input)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let row = vec![
            ("a".into(), Value::from("x")),
            ("b".into(), Value::BigInt(-1)),
            ("c".into(), Value::Int(7)),
            ("d".into(), Value::Boolean(true)),
            ("e".into(), Value::Null),
        ];
        let change = Change {
            view: "notes".into(),
            version: 2,
            source_partition: 3,
            source_offset: 1 << 40,
            settled: 9,
            recorded_at: 1,
            key: row[..2].to_vec(),
            row: Some(row),
            reread: false,
            more: true,
        };
        for change in [Change { row: None, reread: true, key: Columns::new(), ..change.clone() }, change] {
            let mut bytes = Vec::new();
            change.write(&mut bytes);
            assert_eq!(Change::read(&mut Input::new(&bytes)), Ok(change));
            assert!(Change::read(&mut Input::new(&bytes[..bytes.len() - 1])).is_err());
        }
    }
}
