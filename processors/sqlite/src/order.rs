//! Keys as bytes that sort as the table does, so that deletes of any table fit two tables.
//!
//! A column is the byte 1 and then its value in big-endian or escaped form; for a column
//! that descends the value's bits are flipped. No column begins with 255, so a prefix
//! followed by 255 lies behind every key that has the prefix, and before all that follow.

use millrace_kernel::{Table, Value};

/// Behind every key that has the prefix before it.
const BEHIND: u8 = 0xff;

/// The key of a row: its partition, then its place in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Key {
    bytes: Vec<u8>,
    partition: usize,
}

impl Key {
    /// The key that `values`, the first so many columns of a key, make; in the memory of the
    /// last one.
    pub(crate) fn set(&mut self, table: &Table, values: &[Value]) {
        self.bytes.clear();
        self.partition = 0;
        for (index, value) in values.iter().enumerate() {
            let descends = index
                .checked_sub(table.partition_columns)
                .and_then(|place| table.clustering_descending.get(place))
                .copied()
                .unwrap_or_default();
            push(&mut self.bytes, value, descends);
            if index + 1 == table.partition_columns {
                self.partition = self.bytes.len();
            }
        }
    }

    /// All of it.
    pub(crate) fn whole(&self) -> &[u8] {
        &self.bytes
    }

    /// The partition's part.
    pub(crate) fn partition(&self) -> &[u8] {
        &self.bytes[..self.partition]
    }

    /// The place in the partition.
    pub(crate) fn place(&self) -> &[u8] {
        &self.bytes[self.partition..]
    }

    /// The first place behind all that have this prefix; of an empty prefix, the beginning.
    pub(crate) fn bound(&self) -> Vec<u8> {
        let mut bound = self.place().to_vec();
        if !bound.is_empty() {
            bound.push(BEHIND);
        }
        bound
    }

    /// Behind all keys of the partition.
    pub(crate) fn end_of_partition(&self) -> Vec<u8> {
        let mut end = self.partition().to_vec();
        end.push(BEHIND);
        end
    }
}

fn push(bytes: &mut Vec<u8>, value: &Value, descends: bool) {
    bytes.push(1);
    let start = bytes.len();
    match value {
        // no key holds a null; the checks before have seen to it
        Value::Null => {}
        Value::Boolean(truth) => bytes.push(u8::from(*truth)),
        // the sign bit is flipped: as unsigned bytes, negative numbers come first
        Value::Int(number) => bytes.extend(((*number as u32) ^ (1 << 31)).to_be_bytes()),
        Value::BigInt(number) => bytes.extend(((*number as u64) ^ (1 << 63)).to_be_bytes()),
        Value::Text(text) => {
            for byte in text.bytes() {
                bytes.push(byte);
                if byte == 0 {
                    bytes.push(0xff);
                }
            }
            bytes.extend([0, 0]);
        }
    }
    if descends {
        bytes[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_kernel::table::parse_tables;

    fn table() -> Table {
        let text = "CREATE TABLE t (\n  p text, -- p\n  a bigint, -- a\n  b text, -- b\n  PRIMARY KEY ((p), a, b)\n) WITH comment = 'T' AND CLUSTERING ORDER BY (a DESC, b ASC);";
        parse_tables(text).unwrap().remove(0)
    }

    fn key(values: &[Value]) -> Key {
        let mut key = Key::default();
        key.set(&table(), values);
        key
    }

    #[test]
    fn bytes_sort_as_the_table_does() {
        let rows = [
            (i64::MAX, ""),
            (1, ""),
            (1, "\0"),
            (1, "\0\0"),
            (1, "a"),
            (1, "a\0"),
            (1, "ab"),
            (1, "é"),
            (0, "z"),
            (-1, ""),
            (i64::MIN, ""),
        ];
        let keys: Vec<Key> = rows.iter().map(|(a, b)| key(&["p".into(), (*a).into(), (*b).into()])).collect();
        for pair in keys.windows(2) {
            assert!(pair[0].place() < pair[1].place(), "{pair:?}");
            assert!(pair[1].whole() < pair[0].end_of_partition().as_slice());
        }
    }

    #[test]
    fn a_bound_lies_behind_its_prefix_and_before_the_rest() {
        let bound = key(&["p".into(), 1_i64.into()]).bound();
        let place = |a: i64, b: &str| key(&["p".into(), a.into(), b.into()]).place().to_vec();
        assert!(place(2, "x") < bound && place(1, "\u{10ffff}") < bound);
        assert!(place(0, "") > bound);
        assert_eq!(key(&["p".into()]).bound(), Vec::<u8>::new());
    }
}
