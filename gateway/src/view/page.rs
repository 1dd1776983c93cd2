//! Rows of a view in their order, however many, a page of them in memory at a time.

use millrace_kernel::{Table, Value, Walk};
use millrace_ports::{StoreFault, ViewStore};

/// How many rows are asked for at once.
const PAGE: usize = 1_000;

/// Which rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// All under a key, or those of them that are behind a row that was given before.
    Key(Vec<Value>, Option<Vec<Value>>),
    /// Of the whole table, or those of it that are behind a row.
    All(Option<Vec<Value>>),
}

impl From {
    /// Those under `key`; all, where it names nothing.
    #[must_use]
    pub fn key(key: Vec<Value>, behind: Option<Vec<Value>>) -> Self {
        if key.is_empty() { Self::All(behind) } else { Self::Key(key, behind) }
    }
}

/// Gives rows to `each` as they are read, `limit` of them at most.
///
/// # Errors
/// What the store says, or `each`.
pub fn read<E: std::convert::From<StoreFault>>(
    store: &dyn ViewStore,
    table: &Table,
    from: From,
    limit: usize,
    each: &mut dyn FnMut(&[Value]) -> Result<(), E>,
) -> Result<(), E> {
    let (key, behind) = match from {
        From::Key(key, behind) => (key, behind),
        From::All(behind) => return scan(store, table, behind, limit, each),
    };
    let mut left = limit;
    let mut walk = Walk::new(table, key, left.min(PAGE));
    if let Some(row) = behind {
        walk = walk.behind_row(&row);
    }
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
fn scan<E: std::convert::From<StoreFault>>(
    store: &dyn ViewStore,
    table: &Table,
    behind: Option<Vec<Value>>,
    limit: usize,
    each: &mut dyn FnMut(&[Value]) -> Result<(), E>,
) -> Result<(), E> {
    let whole_key = |row: &[Value]| row.get(..table.key_columns()).unwrap_or(row).to_vec();
    let (mut left, mut last) = (limit, behind.map(|row| whole_key(&row)).unwrap_or_default());
    while left > 0 {
        let most = left.min(PAGE);
        let page = store.scan(&table.name, &last, most)?;
        page.rows.iter().try_for_each(|row| each(row))?;
        let Some(row) = page.rows.last().filter(|_| page.rows.len() == most) else { break };
        last = whole_key(row);
        left -= page.rows.len();
    }
    Ok(())
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

    fn store_of(table: &[Table], writes: &[Write]) -> MemoryStore {
        let store = MemoryStore::new();
        store.create_tables(table).unwrap();
        store.open_tables(table).unwrap();
        store.apply(writes).unwrap();
        store
    }

    fn rows(store: &dyn ViewStore, table: &Table, from: From, limit: usize) -> Vec<Vec<Value>> {
        let mut found = Vec::new();
        read::<StoreFault>(store, table, from, limit, &mut |row| {
            found.push(row.to_vec());
            Ok(())
        })
        .unwrap();
        found
    }

    fn third(rows: &[Vec<Value>]) -> Vec<i64> {
        let number = |row: &Vec<Value>| match row[2] {
            Value::BigInt(number) => number,
            _ => panic!("{row:?}"),
        };
        rows.iter().map(number).collect()
    }

    #[test]
    fn rows_come_page_by_page_and_each_once() {
        let put = |a: &'static str, p: i64| {
            let values = vec![Value::from(a), Value::from("b"), Value::BigInt(p), Value::from("t")];
            Write::Put(Put { table: "c", values, timestamp: 1 })
        };
        let writes: Vec<Write> =
            (0..2_500).map(|p| put("x", p)).chain((0..10).map(|p| put("y", p))).collect();
        let (table, store) = (chirps(), store_of(&[chirps()], &writes));
        let read = |key: &[Value], limit| third(&rows(&store, &table, From::key(key.to_vec(), None), limit));
        let (x, whole) = ([Value::from("x"), Value::from("b")], (0..2_500).collect::<Vec<_>>());
        assert_eq!(read(&x, usize::MAX), whole);
        assert_eq!(read(&x, 2_000), whole[..2_000]);
        assert_eq!(read(&x, 1_001), whole[..1_001]);
        assert_eq!(read(&x, 0), [0; 0]);
        let one = [&x[..], &[Value::BigInt(7)]].concat();
        assert_eq!((read(&one, 1), read(&one, usize::MAX)), (vec![7], vec![7]));
        let mut all = read(&[], usize::MAX);
        assert_eq!((all.len(), read(&[], 1_500).len()), (2_510, 1_500));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all, whole);
        for key in [&x[..], &[]] {
            let all = rows(&store, &table, From::key(key.to_vec(), None), usize::MAX);
            for at in [0, 998, 999, 1_000, 2_499] {
                let behind = From::key(key.to_vec(), Some(all[at].clone()));
                assert_eq!(rows(&store, &table, behind, usize::MAX), all[at + 1..], "{at}");
            }
        }
    }

    #[test]
    fn a_bucketed_table_is_read_as_one_from_whatever_part_of_its_key() {
        let text = "CREATE TABLE n (\n  a text, -- x\n  bucket bigint, -- x\n  p bigint, -- x\n  PRIMARY KEY ((a, bucket), p)\n) WITH comment = 'x' AND CLUSTERING ORDER BY (p DESC);";
        let tables = parse_tables(text).unwrap();
        let put = |table, values| Write::Put(Put { table, values, timestamp: 1 });
        let writes = (0..5_000_i64).flat_map(|p| {
            let bucket = p - p % 500;
            [
                put("n", vec!["x".into(), bucket.into(), p.into()]),
                put("n_buckets", vec!["x".into(), bucket.into()]),
            ]
        });
        let store = store_of(&tables, &writes.collect::<Vec<_>>());
        let read =
            |key: &[Value], limit| third(&rows(&store, &tables[0], From::key(key.to_vec(), None), limit));
        let newest = |from: i64, to: i64| (from..to).rev().collect::<Vec<_>>();
        let x = Value::from("x");
        assert_eq!(read(std::slice::from_ref(&x), usize::MAX), newest(0, 5_000));
        assert_eq!(read(std::slice::from_ref(&x), 1_201), newest(3_799, 5_000));
        assert_eq!(read(&[x.clone(), 500_i64.into()], usize::MAX), newest(500, 1_000));
        assert_eq!(read(&[x.clone(), 500_i64.into(), 501_i64.into()], 9), [501]);
        assert_eq!(read(&["y".into()], 9), [0; 0]);
        let behind = vec![x.clone(), 500_i64.into(), 700_i64.into()];
        assert_eq!(third(&rows(&store, &tables[0], From::key(vec![x], Some(behind)), 5)), newest(695, 700));
    }
}
