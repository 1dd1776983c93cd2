//! Statements as text. Nothing here talks to a server.

use millrace_kernel::Table;
use millrace_kernel::table::Column;
use millrace_ports::tables::clustering;

/// A name that may also be a word of CQL.
pub(crate) fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A text constant.
pub(crate) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A table with its keyspace: the session has none of its own.
pub(crate) fn full_name(keyspace: &str, table: &str) -> String {
    format!("{}.{}", name(keyspace), name(table))
}

fn names<'a>(columns: impl IntoIterator<Item = &'a Column>) -> Vec<String> {
    columns.into_iter().map(|column| name(&column.name)).collect()
}

pub(crate) fn create_keyspace(keyspace: &str, replication: &str) -> String {
    format!("CREATE KEYSPACE IF NOT EXISTS {} WITH replication = {replication}", name(keyspace))
}

pub(crate) fn create_table(keyspace: &str, table: &Table) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| format!("  {} {},\n", name(&column.name), column.kind.cql()))
        .collect();
    let mut key = vec![format!("({})", names(&table.columns[..table.partition_columns]).join(", "))];
    key.extend(names(clustering(table).map(|(column, _)| column)));
    let order: Vec<String> = clustering(table)
        .map(|(column, descends)| format!("{} {}", name(&column.name), if descends { "DESC" } else { "ASC" }))
        .collect();
    let order = match order.is_empty() {
        true => String::new(),
        false => format!("\n  AND CLUSTERING ORDER BY ({})", order.join(", ")),
    };
    let kept = format!(
        "\n  AND compaction = {{'class': '{}'}}\n  AND gc_grace_seconds = {}",
        table.storage.compaction.class(),
        table.storage.gc_grace_seconds
    );
    format!(
        "CREATE TABLE IF NOT EXISTS {} (\n{}  PRIMARY KEY ({})\n) WITH comment = {}{order}{kept}",
        full_name(keyspace, &table.name),
        columns.concat(),
        key.join(", "),
        text(&table.comment)
    )
}

pub(crate) fn add_column(keyspace: &str, table: &Table, column: &Column) -> String {
    format!(
        "ALTER TABLE {} ADD {} {}",
        full_name(keyspace, &table.name),
        name(&column.name),
        column.kind.cql()
    )
}

pub(crate) fn set_comment(keyspace: &str, table: &Table) -> String {
    format!("ALTER TABLE {} WITH comment = {}", full_name(keyspace, &table.name), text(&table.comment))
}

pub(crate) fn drop_table(keyspace: &str, table: &str) -> String {
    format!("DROP TABLE IF EXISTS {}", full_name(keyspace, table))
}

/// Deletes what `columns` says about a table.
pub(crate) fn forget_columns(keyspace: &str, columns: &str, table: &str) -> String {
    format!("DELETE FROM {} WHERE table_name = {}", full_name(keyspace, columns), text(table))
}

/// Writes some rows of one partition with constants.
pub(crate) fn insert_constants(keyspace: &str, table: &Table, rows: &[[String; 5]]) -> String {
    let into =
        format!("INSERT INTO {} ({})", full_name(keyspace, &table.name), names(&table.columns).join(", "));
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let values: Vec<String> = row.iter().map(|value| text(value)).collect();
            format!("  {into} VALUES ({});\n", values.join(", "))
        })
        .collect();
    format!("BEGIN UNLOGGED BATCH\n{}APPLY BATCH", rows.concat())
}

/// Writes a row: values, then the timestamp. An INSERT, as it also marks the row itself; an
/// UPDATE would not, and a row of nothing but keys and nulls would not be there.
pub(crate) fn put(keyspace: &str, table: &Table) -> String {
    format!(
        "INSERT INTO {} ({}) VALUES ({}) USING TIMESTAMP ?",
        full_name(keyspace, &table.name),
        names(&table.columns).join(", "),
        vec!["?"; table.columns.len()].join(", ")
    )
}

/// Writes a row unless there is one with its key.
pub(crate) fn insert(keyspace: &str, table: &Table) -> String {
    format!(
        "INSERT INTO {} ({}) VALUES ({}) IF NOT EXISTS",
        full_name(keyspace, &table.name),
        names(&table.columns).join(", "),
        vec!["?"; table.columns.len()].join(", ")
    )
}

/// Deletes what the first `width` key columns name: the timestamp, then those columns. With
/// `behind`, the last of them is a bound, behind which lies what goes.
pub(crate) fn delete(keyspace: &str, table: &Table, width: usize, behind: bool) -> String {
    format!(
        "DELETE FROM {} USING TIMESTAMP ? WHERE {}",
        full_name(keyspace, &table.name),
        condition(table, width, behind)
    )
}

/// Reads what the first `width` key columns name: those columns, then the limit. With
/// `behind`, the last of them is a bound as in [`delete`].
pub(crate) fn select(keyspace: &str, table: &Table, width: usize, behind: bool) -> String {
    let condition = match width {
        0 => String::new(),
        _ => format!(" WHERE {}", condition(table, width, behind)),
    };
    format!(
        "SELECT {} FROM {}{condition} LIMIT ?",
        names(&table.columns).join(", "),
        full_name(keyspace, &table.name)
    )
}

/// Reads the rows of a partition behind a place of the first `bounds` clustering columns,
/// which must all ascend or all descend: the partition, the place, then the limit.
pub(crate) fn select_behind_place(keyspace: &str, table: &Table, bounds: usize) -> String {
    let first = table.partition_columns;
    format!(
        "SELECT {} FROM {} WHERE {} AND ({}) {} ({}) LIMIT ?",
        names(&table.columns).join(", "),
        full_name(keyspace, &table.name),
        condition(table, first, false),
        names(&table.columns[first..first + bounds]).join(", "),
        sign(table, first),
        vec!["?"; bounds].join(", ")
    )
}

/// Reads whole partitions in the order of their tokens. Values: with `behind`, the partition key
/// behind which to go on; then the limit.
pub(crate) fn scan(keyspace: &str, table: &Table, behind: bool) -> String {
    let partition = &table.columns[..table.partition_columns];
    let condition = match behind {
        true => format!(
            " WHERE token({}) > token({})",
            names(partition).join(", "),
            vec!["?"; partition.len()].join(", ")
        ),
        false => String::new(),
    };
    format!(
        "SELECT {} FROM {}{condition} LIMIT ?",
        names(&table.columns).join(", "),
        full_name(keyspace, &table.name)
    )
}

/// Reads whole partitions of a range of tokens: the token behind which it begins, the one with which it ends, then the limit.
pub(crate) fn scan_range(keyspace: &str, table: &Table) -> String {
    let partition = names(&table.columns[..table.partition_columns]).join(", ");
    format!(
        "SELECT {} FROM {} WHERE token({partition}) > ? AND token({partition}) <= ? LIMIT ?",
        names(&table.columns).join(", "),
        full_name(keyspace, &table.name)
    )
}

fn condition(table: &Table, width: usize, behind: bool) -> String {
    let parts: Vec<String> = table.columns[..width]
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let sign = if behind && index + 1 == width { sign(table, index) } else { "=" };
            format!("{} {sign} ?", name(&column.name))
        })
        .collect();
    parts.join(" AND ")
}

/// What lies behind a value of a clustering column in the table's order is smaller or greater.
fn sign(table: &Table, column: usize) -> &'static str {
    match table.clustering_descending.get(column.wrapping_sub(table.partition_columns)) {
        Some(true) => "<",
        _ => ">",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_kernel::table::parse_tables;

    #[test]
    fn statements_read_well() {
        let text = "CREATE TABLE t (\n  p text, -- p\n  a bigint, -- a\n  b text, -- b\n  v int, -- v\n  PRIMARY KEY ((p), a, b)\n) WITH comment = 'It.' AND CLUSTERING ORDER BY (a DESC, b ASC);";
        let table = &parse_tables(text).unwrap()[0];
        let rows = [
            (
                put("k", table),
                r#"INSERT INTO "k"."t" ("p", "a", "b", "v") VALUES (?, ?, ?, ?) USING TIMESTAMP ?"#,
            ),
            (delete("k", table, 1, false), r#"DELETE FROM "k"."t" USING TIMESTAMP ? WHERE "p" = ?"#),
            (
                delete("k", table, 2, true),
                r#"DELETE FROM "k"."t" USING TIMESTAMP ? WHERE "p" = ? AND "a" < ?"#,
            ),
            (
                select("k", table, 3, true),
                r#"SELECT "p", "a", "b", "v" FROM "k"."t" WHERE "p" = ? AND "a" = ? AND "b" > ? LIMIT ?"#,
            ),
            (
                scan("k", table, true),
                r#"SELECT "p", "a", "b", "v" FROM "k"."t" WHERE token("p") > token(?) LIMIT ?"#,
            ),
            (select("k", table, 0, false), r#"SELECT "p", "a", "b", "v" FROM "k"."t" LIMIT ?"#),
        ];
        for (found, expected) in rows {
            assert_eq!(found, expected);
        }
        let made = create_table("k", table);
        for part in [
            "CLUSTERING ORDER BY (\"a\" DESC, \"b\" ASC)",
            "compaction = {'class': 'SizeTieredCompactionStrategy'}",
            "gc_grace_seconds = 864000",
        ] {
            assert!(made.contains(part), "{made}");
        }
    }
}
