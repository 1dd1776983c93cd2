//! The key of a view, as names and values.

use millrace_kernel::{ColumnType, Table, Value};
use millrace_ports::tables::MAX_KEY_BYTES;

use crate::nearest::suggestion;

/// What is wrong with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyProblem {
    /// What is wrong.
    pub message: String,
    /// What would be right, where that helps.
    pub help: Option<String>,
    /// The name it is about.
    pub name: String,
}

/// The first key columns of `table` that `given` names, in the table's order: all of the partition key and then any number of
/// clustering columns, or nothing. The bucket, where there is one, may be left out, and then all of them are meant; whoever
/// does not see `buckets` cannot name it, nor what is ordered within one.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn key(table: &Table, given: &[(&str, &str)], buckets: bool) -> Result<Vec<Value>, KeyProblem> {
    let is_bucketed = table.directory().is_some();
    let of_whole = match is_bucketed && !buckets {
        true => table.partition_columns - 1,
        false => table.key_columns(),
    };
    let columns: Vec<&str> = table.columns[..of_whole].iter().map(|c| c.name.as_str()).collect();
    let partition = &columns[..table.partition_columns.min(of_whole)];
    let help = || {
        let clustering = &columns[partition.len()..];
        let then =
            if clustering.is_empty() { String::new() } else { format!(", then {}", clustering.join(", ")) };
        Some(format!("Name all of {}{then}, in this order; or nothing for any rows.", partition.join(", ")))
    };
    let wrong = |name: &str, message: String| KeyProblem { message, help: help(), name: name.to_owned() };
    for (index, (name, _)) in given.iter().enumerate() {
        if !columns.contains(name) {
            let what = match table.column(name) {
                Some(_) => "is no key column".to_owned(),
                None => format!("is no column{}", suggestion(name, columns.iter().copied())),
            };
            return Err(wrong(name, format!("{}: {} {what}", table.name, crate::message::short(name))));
        }
        if given[..index].iter().any(|(known, _)| known == name) {
            let message = format!("{name} is given twice");
            return Err(KeyProblem { message, help: None, name: (*name).to_owned() });
        }
    }
    let mut key = Vec::new();
    for column in &table.columns[..given.len()] {
        let Some((_, text)) = given.iter().find(|(name, _)| *name == column.name) else {
            return Err(wrong(&column.name, format!("{}: {} is missing", table.name, column.name)));
        };
        key.push(value(column.kind, text).ok_or_else(|| {
            let short = crate::message::short(text);
            let message = format!("{}: {short:?} is not of type {}", column.name, column.kind.cql());
            KeyProblem { message, help: None, name: column.name.clone() }
        })?);
    }
    // no store has such rows, and each refuses to look for them
    if partition.len() == 1 && key.first() == Some(&Value::from("")) {
        return Err(wrong(partition[0], format!("{}: {} is empty", table.name, partition[0])));
    }
    let bytes = |value: &Value| if let Value::Text(text) = value { text.len() } else { 0 };
    if key.iter().map(bytes).sum::<usize>() > MAX_KEY_BYTES {
        return Err(wrong(columns[0], format!("{}: a key has at most {MAX_KEY_BYTES} bytes", table.name)));
    }
    // the bucket may be left out: then all of them are read
    let needed = table.partition_columns - usize::from(is_bucketed);
    match key.is_empty() || key.len() >= needed {
        true => Ok(key),
        false => {
            let missing = partition[key.len()..needed].join(", ");
            Err(wrong(&missing, format!("{}: {missing} is missing", table.name)))
        }
    }
}

fn value(kind: ColumnType, text: &str) -> Option<Value> {
    match kind {
        ColumnType::Text => Some(Value::from(text)),
        ColumnType::BigInt => text.parse::<i64>().ok().map(Value::BigInt),
        ColumnType::Int => text.parse::<i32>().ok().map(Value::Int),
        ColumnType::Boolean => text.parse::<bool>().ok().map(Value::Boolean),
    }
}

#[cfg(test)]
mod tests {
    use millrace_kernel::table::parse_tables;

    use super::*;

    const PLAIN: &str = "CREATE TABLE c (\n  a text, -- x\n  b text, -- x\n  p bigint, -- x\n  t text, -- x\n  PRIMARY KEY ((a, b), p)\n) WITH comment = 'x';";
    const BUCKETED: &str = "CREATE TABLE n (\n  a text, -- x\n  bucket bigint, -- x\n  p bigint, -- x\n  PRIMARY KEY ((a, bucket), p)\n) WITH comment = 'x';";

    fn table(text: &str) -> Table {
        parse_tables(text).unwrap().remove(0)
    }

    #[test]
    fn names_and_values_become_a_key_in_the_tables_order() {
        let given = [("b", "2"), ("a", "1"), ("p", "3")];
        let wanted = [Value::from("1"), Value::from("2"), Value::BigInt(3)];
        assert_eq!(key(&table(PLAIN), &given, true).unwrap(), wanted);
        assert_eq!(key(&table(PLAIN), &[], true).unwrap(), []);
    }

    #[test]
    fn what_no_row_has_for_a_key_is_not_looked_for() {
        let (bucketed, plain) = (table(BUCKETED), table(PLAIN));
        let problem = key(&bucketed, &[("a", "")], false).unwrap_err();
        assert!(problem.message.ends_with("a is empty"), "{problem:?}");
        assert!(key(&plain, &[("a", ""), ("b", "")], false).is_ok(), "one of several may be");
        let long = "x".repeat(MAX_KEY_BYTES + 1);
        assert!(key(&bucketed, &[("a", &long)], false).is_err());
    }

    #[test]
    fn what_is_wrong_is_named() {
        type Given<'a> = &'a [(&'a str, &'a str)];
        let rows: [(Given<'_>, &str, &str); 6] = [
            (&[("t", "1")], "t is no key column", "t"),
            (&[("z", "1")], "z is no column", "z"),
            (&[("a", "1")], "b is missing", "b"),
            (&[("b", "1")], "a is missing", "a"),
            (&[("a", "1"), ("a", "2")], "twice", "a"),
            (&[("a", "1"), ("b", "1"), ("p", "x")], "bigint", "p"),
        ];
        for (given, word, name) in rows {
            let problem = key(&table(PLAIN), given, true).unwrap_err();
            assert!(problem.message.contains(word), "{problem:?} ({word})");
            assert_eq!(problem.name, name, "{problem:?}");
        }
    }

    #[test]
    fn a_bucket_is_named_only_by_those_who_see_it() {
        let table = table(BUCKETED);
        assert_eq!(key(&table, &[("a", "x")], false).unwrap(), [Value::from("x")]);
        for hidden in [("bucket", "1"), ("p", "1")] {
            assert!(key(&table, &[("a", "x"), hidden], false).is_err(), "{hidden:?}");
        }
        let seen = key(&table, &[("a", "x"), ("bucket", "1"), ("p", "2")], true).unwrap();
        assert_eq!(seen, [Value::from("x"), Value::BigInt(1), Value::BigInt(2)]);
        let without = key(&table, &[("a", "x"), ("p", "5")], true).unwrap_err();
        assert!(without.message.contains("bucket is missing"), "{without:?}");
    }
}
