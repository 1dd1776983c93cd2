//! Statements as text. Nothing here talks to SQLite.

use std::fmt::Write as _;

use millrace_kernel::Table;
use millrace_kernel::table::Column;
use millrace_ports::tables::clustering;

/// The column that says when a row's cause was recorded.
pub(crate) const WRITTEN_AT: &str = "_written_at";

/// The file's own tables. Deletes carry the row's key in one blob that sorts as the table
/// does (see `order`), so that one statement serves tables with any key.
pub(crate) const OWN_TABLES: &str = "\
CREATE TABLE IF NOT EXISTS millrace_tables ( -- What every table answers.
  table_id integer PRIMARY KEY, -- A number in place of the name, in the tables of deletes.
  table_name text NOT NULL UNIQUE, -- The table.
  comment text NOT NULL -- What it answers.
);
CREATE TABLE IF NOT EXISTS millrace_deleted_rows ( -- Deleted rows: an earlier write does not bring them back.
  table_id integer NOT NULL, -- The table, see millrace_tables.
  key blob NOT NULL, -- The row's key, in an encoding that sorts as the table does.
  deleted_at bigint NOT NULL, -- recorded_at of the event that deleted it, microseconds since the epoch.
  PRIMARY KEY (table_id, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS millrace_deleted_ranges ( -- Partitions of which all rows from a place on were deleted.
  table_id integer NOT NULL, -- The table, see millrace_tables.
  partition blob NOT NULL, -- The partition key, encoded as in millrace_deleted_rows.
  bound blob NOT NULL, -- From here to the end of the partition, in the table's order.
  deleted_at bigint NOT NULL, -- recorded_at of the event that deleted them, microseconds since the epoch.
  PRIMARY KEY (table_id, partition, bound)
) WITHOUT ROWID;
";

/// What makes the file forget a table that was dropped, by its name.
pub(crate) const FORGET_TABLE: [&str; 4] = [
    "DELETE FROM millrace_deleted_rows WHERE table_id = (SELECT table_id FROM millrace_tables WHERE table_name = ?1)",
    "DELETE FROM millrace_deleted_ranges WHERE table_id = (SELECT table_id FROM millrace_tables WHERE table_name = ?1)",
    "DELETE FROM millrace_tables WHERE table_name = ?1",
    "DELETE FROM millrace_columns WHERE table_name = ?1",
];

pub(crate) fn drop_table(table: &str) -> String {
    format!("DROP TABLE IF EXISTS {}", name(table))
}

/// Shows the rows of `table` under another name.
pub(crate) fn show_as(view: &str, table: &str) -> String {
    let (view, table) = (name(view), name(table));
    format!("DROP VIEW IF EXISTS {view}; CREATE VIEW {view} AS SELECT * FROM {table};")
}

/// A name that may also be a word of SQL.
pub(crate) fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A text constant.
pub(crate) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn comment(text: &str) -> String {
    // it ends with its line
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn names<'a>(columns: impl IntoIterator<Item = &'a Column>) -> String {
    columns.into_iter().map(|column| name(&column.name)).collect::<Vec<_>>().join(", ")
}

/// The table, with its comments where `.schema` shows them.
pub(crate) fn create_table(table: &Table) -> String {
    let mut sql = format!("CREATE TABLE {} ( -- {}\n", name(&table.name), comment(&table.comment));
    for (index, column) in table.columns.iter().enumerate() {
        let null = if index < table.key_columns() { " NOT NULL" } else { "" };
        let _ = writeln!(
            sql,
            "  {} {}{null}, -- {}",
            name(&column.name),
            column.kind.cql(),
            comment(&column.comment)
        );
    }
    let _ = writeln!(
        sql,
        "  {WRITTEN_AT} bigint NOT NULL, -- recorded_at of the event that caused this row, microseconds since the epoch; a write dated earlier is late and loses."
    );
    let mut key: Vec<String> =
        table.columns[..table.partition_columns].iter().map(|column| name(&column.name)).collect();
    key.extend(
        clustering(table).map(|(column, descends)| {
            format!("{}{}", name(&column.name), if descends { " DESC" } else { "" })
        }),
    );
    // WITHOUT ROWID: the rows themselves lie in the order of the key, as in a partition
    let _ = write!(sql, "  PRIMARY KEY ({})\n) WITHOUT ROWID", key.join(", "));
    sql
}

/// A column that was declared after its table was made.
pub(crate) fn add_column(table: &Table, column: &Column) -> String {
    format!("ALTER TABLE {} ADD COLUMN {} {}", name(&table.name), name(&column.name), column.kind.cql())
}

/// Writes rows of `millrace_columns` or another table that documents.
pub(crate) fn document(table: &str, columns: &str, rows: &[String]) -> String {
    format!("INSERT OR REPLACE INTO {table} ({columns}) VALUES\n  {}", rows.join(",\n  "))
}

/// Writes a row unless it was deleted later or is there from later.
///
/// Parameters: the columns, the timestamp, the table's id, the key of the row, of its
/// partition, and of its place in it.
pub(crate) fn put(table: &Table) -> String {
    let width = table.columns.len();
    let parameters: Vec<String> = (1..=width + 1).map(|n| format!("?{n}")).collect();
    let [timestamp, id, key, partition, place] = [1, 2, 3, 4, 5].map(|n| format!("?{}", width + n));
    let updates: Vec<String> = table.columns[table.key_columns()..]
        .iter()
        .map(|column| format!("{0} = excluded.{0}", name(&column.name)))
        .chain([format!("{WRITTEN_AT} = excluded.{WRITTEN_AT}")])
        .collect();
    format!(
        "INSERT INTO {table_name} ({columns}, {WRITTEN_AT}) SELECT {parameters} \
         WHERE NOT EXISTS (SELECT 1 FROM millrace_deleted_rows \
           WHERE table_id = {id} AND key = {key} AND deleted_at >= {timestamp}) \
         AND coalesce((SELECT deleted_at FROM millrace_deleted_ranges \
           WHERE table_id = {id} AND partition = {partition} AND bound <= {place} \
           ORDER BY bound DESC LIMIT 1), -1) < {timestamp} \
         ON CONFLICT ({key_names}) DO UPDATE SET {updates} \
         WHERE excluded.{WRITTEN_AT} > {table_name}.{WRITTEN_AT}",
        table_name = name(&table.name),
        columns = names(&table.columns),
        parameters = parameters.join(", "),
        key_names = names(&table.columns[..table.key_columns()]),
        updates = updates.join(", "),
    )
}

/// Reads the columns outside the key of a row with a given timestamp: whether there is a tie.
pub(crate) fn tied(table: &Table) -> String {
    let rest = &table.columns[table.key_columns()..];
    let rest = if rest.is_empty() { "1".to_owned() } else { names(rest) };
    let condition = condition(table, table.key_columns(), 0);
    format!(
        "SELECT {rest} FROM {} WHERE {condition} AND {WRITTEN_AT} = ?{}",
        name(&table.name),
        table.key_columns() + 1
    )
}

/// Sets the columns outside the key. Parameters: the key, then those columns.
pub(crate) fn settle_tie(table: &Table) -> String {
    let updates: Vec<String> = table.columns[table.key_columns()..]
        .iter()
        .enumerate()
        .map(|(index, column)| format!("{} = ?{}", name(&column.name), table.key_columns() + index + 1))
        .collect();
    let condition = condition(table, table.key_columns(), 0);
    format!("UPDATE {} SET {} WHERE {condition}", name(&table.name), updates.join(", "))
}

/// Deletes the row, or the rows behind a place, that are not from later. Parameters: the
/// key columns that are `fixed`, those of the place, then the timestamp.
pub(crate) fn delete(table: &Table, fixed: usize, behind: usize) -> String {
    let condition = condition(table, fixed, behind);
    format!("DELETE FROM {} WHERE {condition} AND {WRITTEN_AT} <= ?{}", name(&table.name), fixed + behind + 1)
}

/// Reads rows in the table's order. Parameters: the key columns that are `fixed`, those of
/// the place, then the limit.
pub(crate) fn select(table: &Table, fixed: usize, behind: usize) -> String {
    let mut sql = format!("SELECT {} FROM {}", names(&table.columns), name(&table.name));
    if fixed > 0 {
        let _ = write!(sql, " WHERE {}", condition(table, fixed, behind));
        let order: Vec<String> = clustering(table)
            .skip(fixed - table.partition_columns)
            .map(|(column, descends)| {
                format!("{}{}", name(&column.name), if descends { " DESC" } else { "" })
            })
            .collect();
        if !order.is_empty() {
            let _ = write!(sql, " ORDER BY {}", order.join(", "));
        }
    }
    let _ = write!(sql, " LIMIT ?{}", fixed + behind + 1);
    sql
}

/// Reads whole partitions in the order of the key. Parameters: with `behind`, the partition key
/// behind which to go on; then the limit.
pub(crate) fn scan(table: &Table, behind: bool) -> String {
    let width = table.partition_columns;
    let partition = names(&table.columns[..width]);
    let mut order = vec![partition.clone()];
    order.extend(
        clustering(table).map(|(column, descends)| {
            format!("{}{}", name(&column.name), if descends { " DESC" } else { "" })
        }),
    );
    let bound = if behind { width } else { 0 };
    let condition = match behind {
        true => format!(
            " WHERE ({partition}) > ({})",
            (1..=width).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ")
        ),
        false => String::new(),
    };
    format!(
        "SELECT {} FROM {}{condition} ORDER BY {} LIMIT ?{}",
        names(&table.columns),
        name(&table.name),
        order.join(", "),
        bound + 1
    )
}

/// The first `fixed` key columns are given, and the row lies strictly behind the place that
/// the next `behind` columns name.
/// Whether there is a row with a key.
pub(crate) fn exists(table: &Table) -> String {
    format!("SELECT 1 FROM {} WHERE {}", name(&table.name), condition(table, table.key_columns(), 0))
}

fn condition(table: &Table, fixed: usize, behind: usize) -> String {
    let column = |index: usize| name(&table.columns[index].name);
    let mut all: Vec<String> =
        (0..fixed).map(|index| format!("{} = ?{}", column(index), index + 1)).collect();
    let sign = |index: usize| {
        if table.clustering_descending[index - table.partition_columns] { '<' } else { '>' }
    };
    if behind > 0 {
        // columns may ascend and descend in turns, so each way to lie behind is spelled out;
        // the first column's bound alone is what finds the place in the tree
        all.push(format!("{} {}= ?{}", column(fixed), sign(fixed), fixed + 1));
        let ways: Vec<String> = (fixed..fixed + behind)
            .map(|last| {
                let same = (fixed..last).map(|index| format!("{} = ?{} AND ", column(index), index + 1));
                format!("({}{} {} ?{})", same.collect::<String>(), column(last), sign(last), last + 1)
            })
            .collect();
        all.push(format!("({})", ways.join(" OR ")));
    }
    all.join(" AND ")
}
