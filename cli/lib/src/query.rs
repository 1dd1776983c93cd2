//! `millrace query`: rows of a view.

use millrace_kernel::{ColumnType, Table, Value, Walk};
use millrace_ports::ViewStore;

use crate::args;
use crate::connect::Servers;
use crate::domain::DomainEntry;
use crate::error::CliError;
use crate::nearest::suggestion;
use crate::{output, views};

/// How many rows are asked for at once.
const PAGE: usize = 1_000;

/// Runs `millrace query`.
///
/// # Errors
/// Wrong usage, or tables that do not answer.
pub fn run(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    query: &args::Query,
) -> Result<(), CliError> {
    let view = views::find(domains, servers.config, &query.view)?;
    let key = key(&view.table, &query.conditions)?;
    let store = servers.open_store(view.entry)?;
    read(&*store, &view.table, &key, query.limit, &mut |row| output::json(&output::row(&view.table, row)))
}

/// Gives the rows under `key` to `each` as they are read, `limit` of them at most: however many there are, only a page
/// of them is in memory.
fn read(
    store: &dyn ViewStore,
    table: &Table,
    key: &[Value],
    limit: usize,
    each: &mut dyn FnMut(&[Value]) -> Result<(), CliError>,
) -> Result<(), CliError> {
    if key.is_empty() {
        return scan(store, table, limit, each);
    }
    let mut left = limit;
    let mut walk = Walk::new(table, key.to_vec(), left.min(PAGE));
    while left > 0
        && let Some(query) = walk.needs()
    {
        let page = store.read(&[query])?.into_iter().next().unwrap_or_default();
        let rows = walk.take_in(page);
        rows.iter().take(left).try_for_each(|row| each(row))?;
        left = left.saturating_sub(rows.len());
        walk.limit = left.min(PAGE);
    }
    Ok(())
}

/// The same of the whole table.
fn scan(
    store: &dyn ViewStore,
    table: &Table,
    limit: usize,
    each: &mut dyn FnMut(&[Value]) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let (mut left, mut last) = (limit, Vec::new());
    while left > 0 {
        let most = left.min(PAGE);
        let page = store.scan(&table.name, &last, most)?;
        page.rows.iter().try_for_each(|row| each(row))?;
        let Some(row) = page.rows.last().filter(|_| page.rows.len() == most) else { break };
        last = row[..table.key_columns()].to_vec();
        left -= page.rows.len();
    }
    Ok(())
}

/// `column=value …` as the first key columns of the table.
fn key(table: &Table, conditions: &[String]) -> Result<Vec<Value>, CliError> {
    let columns: Vec<&str> = table.columns[..table.key_columns()].iter().map(|c| c.name.as_str()).collect();
    let partition = &columns[..table.partition_columns];
    let help = || {
        let clustering = &columns[table.partition_columns..];
        let then =
            if clustering.is_empty() { String::new() } else { format!(", then {}", clustering.join(", ")) };
        format!("Name all of {}{then}, in this order; or nothing for any rows.", partition.join(", "))
    };
    let mut given: Vec<(&str, &str)> = Vec::new();
    for condition in conditions {
        let Some((name, text)) = condition.split_once('=') else {
            return Err(CliError::usage(format!("{condition:?} is not KEY=VALUE")).hint(help()));
        };
        if !columns.contains(&name) {
            let what = match table.column(name) {
                Some(_) => "is no key column".to_owned(),
                None => format!("is no column{}", suggestion(name, columns.iter().copied())),
            };
            return Err(CliError::usage(format!("{}: {name} {what}", table.name)).hint(help()));
        }
        if given.iter().any(|(known, _)| *known == name) {
            return Err(CliError::usage(format!("{name} is given twice")));
        }
        given.push((name, text));
    }
    let mut key = Vec::new();
    for column in &table.columns[..given.len()] {
        let Some((_, text)) = given.iter().find(|(name, _)| *name == column.name) else {
            let text = format!("{}: {} is missing", table.name, column.name);
            return Err(CliError::usage(text).hint(help()));
        };
        key.push(value(column.kind, text).ok_or_else(|| {
            CliError::usage(format!("{}: {text:?} is not of type {}", column.name, column.kind.cql()))
        })?);
    }
    // the bucket may be left out: then all of them are read
    let needed = table.partition_columns - usize::from(table.directory().is_some());
    match key.is_empty() || key.len() >= needed {
        true => Ok(key),
        false => {
            let missing = partition[key.len()..needed].join(", ");
            Err(CliError::usage(format!("{}: {missing} is missing", table.name)).hint(help()))
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
    use millrace_kernel::{Put, Write};
    use millrace_testkit::store::memory::MemoryStore;

    use super::*;

    fn chirps() -> Table {
        let text = "CREATE TABLE c (\n  a text, -- x\n  b text, -- x\n  p bigint, -- x\n  t text, -- x\n  PRIMARY KEY ((a, b), p)\n) WITH comment = 'x';";
        parse_tables(text).unwrap().remove(0)
    }

    /// Rows of two partitions, and what is read of them in the order it comes.
    fn rows_read(key: &[Value], limit: usize) -> Vec<i64> {
        let store = MemoryStore::new();
        store.create_tables(&[chirps()]).unwrap();
        store.open_tables(&[chirps()]).unwrap();
        let put = |a: &'static str, p: i64| {
            let values = vec![Value::from(a), Value::from("b"), Value::BigInt(p), Value::from("t")];
            Write::Put(Put { table: "c", values, timestamp: 1 })
        };
        let writes: Vec<Write> =
            (0..2_500).map(|p| put("x", p)).chain((0..10).map(|p| put("y", p))).collect();
        store.apply(&writes).unwrap();
        let mut found = Vec::new();
        read(&store, &chirps(), key, limit, &mut |row| {
            let Value::BigInt(p) = row[2] else { panic!("{row:?}") };
            found.push(p);
            Ok(())
        })
        .unwrap();
        found
    }

    #[test]
    fn rows_come_page_by_page_and_each_once() {
        let (x, whole) = ([Value::from("x"), Value::from("b")], (0..2_500).collect::<Vec<_>>());
        assert_eq!(rows_read(&x, usize::MAX), whole);
        assert_eq!(rows_read(&x, 2_000), whole[..2_000]);
        assert_eq!(rows_read(&x, 1_001), whole[..1_001]);
        assert_eq!(rows_read(&x, 0), [0; 0]);
        let one = [&x[..], &[Value::BigInt(7)]].concat();
        assert_eq!(rows_read(&one, 1), [7]);
        assert_eq!(rows_read(&one, usize::MAX), [7]);
        let mut all = rows_read(&[], usize::MAX);
        assert_eq!((all.len(), rows_read(&[], 1_500).len()), (2_510, 1_500));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all, whole);
    }

    #[test]
    fn a_bucketed_table_is_read_as_one_from_whatever_part_of_its_key() {
        let text = "CREATE TABLE n (\n  a text, -- x\n  bucket bigint, -- x\n  p bigint, -- x\n  PRIMARY KEY ((a, bucket), p)\n) WITH comment = 'x' AND CLUSTERING ORDER BY (p DESC);";
        let tables = parse_tables(text).unwrap();
        let store = MemoryStore::new();
        store.create_tables(&tables).unwrap();
        store.open_tables(&tables).unwrap();
        for p in 0..5_000_i64 {
            let bucket = p - p % 500;
            let put = |table, values| Write::Put(Put { table, values, timestamp: 1 });
            store
                .apply(&[
                    put("n", vec!["x".into(), bucket.into(), p.into()]),
                    put("n_buckets", vec!["x".into(), bucket.into()]),
                ])
                .unwrap();
        }
        let rows_read = |conditions: &[&str], limit: usize| {
            let conditions: Vec<String> = conditions.iter().map(|it| (*it).to_owned()).collect();
            let mut found = Vec::new();
            read(&store, &tables[0], &key(&tables[0], &conditions).unwrap(), limit, &mut |row| {
                let Value::BigInt(p) = row[2] else { panic!("{row:?}") };
                found.push(p);
                Ok(())
            })
            .unwrap();
            found
        };
        let newest = |from: i64, to: i64| (from..to).rev().collect::<Vec<_>>();
        assert_eq!(rows_read(&["a=x"], usize::MAX), newest(0, 5_000));
        assert_eq!(rows_read(&["a=x"], 1_201), newest(3_799, 5_000));
        assert_eq!(rows_read(&["a=x", "bucket=500"], usize::MAX), newest(500, 1_000));
        assert_eq!(rows_read(&["a=x", "bucket=500", "p=501"], 9), [501]);
        assert_eq!(rows_read(&["a=y"], 9), [0; 0]);
        let without = key(&tables[0], &["p=5".to_owned(), "a=x".to_owned()]).unwrap_err().to_string();
        assert!(without.contains("bucket is missing"), "{without}");
    }

    #[test]
    fn conditions_become_a_key_in_the_tables_order() {
        let given = ["b=2".to_owned(), "a=1".to_owned(), "p=3".to_owned()];
        assert_eq!(key(&chirps(), &given).unwrap(), [Value::from("1"), Value::from("2"), Value::BigInt(3)]);
        assert_eq!(key(&chirps(), &[]).unwrap(), []);
    }

    #[test]
    fn what_is_wrong_with_a_condition_is_named() {
        let rows = [
            (vec!["a"], "KEY=VALUE"),
            (vec!["t=1"], "t is no key column"),
            (vec!["z=1"], "z is no column"),
            (vec!["a=1"], "b is missing"),
            (vec!["b=1"], "a is missing"),
            (vec!["a=1", "a=2"], "twice"),
            (vec!["a=1", "b=1", "p=x"], "bigint"),
        ];
        for (given, word) in rows {
            let given: Vec<String> = given.into_iter().map(str::to_owned).collect();
            let text = key(&chirps(), &given).unwrap_err().to_string();
            assert!(text.contains(word), "{text} ({word})");
        }
    }
}
