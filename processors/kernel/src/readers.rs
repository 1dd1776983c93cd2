//! Who may read the rows of a view, declared beside it: a line `-- Readable by: …` before its `CREATE TABLE`.
//!
//! | `Readable by:` | who |
//! |---|---|
//! | `public` | anybody |
//! | `owner_id` | the user whose id stands in that column |
//! | `owner_id of account_balances` | the user whose id stands in that column of the one row of another view whose key is in this row, by the names of its columns |
//! | `user_id among team_members` | every user whose id stands in that key column of a row of a view, whose other key columns are in this row: whoever belongs to what this row belongs to |
//! | `readers of projects` | whoever may read the one row of another view whose key is in this row |
//! | `public where public` | anybody, where that column of the row is true |
//! | `role auditor` | whoever has that role |
//!
//! Several are parted by commas; one is enough. A view that says nothing is for those who ask the store itself.

use crate::table::{ColumnType, Table};

/// Begins the line that says who may read a view.
pub(crate) const READABLE: &str = "-- Readable by:";

/// One way of being allowed to read a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Anybody.
    Public,
    /// Whoever has this role.
    Role(String),
    /// The user whose id stands in this column of the row.
    Column(String),
    /// The user whose id stands in `column` of the one row of `view` whose key columns have the values of this row's columns
    /// of the same names.
    ColumnOf {
        /// Where the user's id is.
        column: String,
        /// In which other view.
        view: String,
    },
    /// Every user whose id, in the key column `column`, makes a key of `view` with this row's columns of the same names.
    Among {
        /// Where the user's id is.
        column: String,
        /// In which view.
        view: String,
    },
    /// Whoever may read the one row of this view whose key columns have the values of this row's columns of the same names.
    ReadersOf(String),
    /// Anybody, where this column of the row is true.
    PublicWhere(String),
}

/// Reads what stands behind `Readable by:`.
pub(crate) fn parse_readers(text: &str) -> Result<Vec<Readers>, String> {
    text.trim().trim_end_matches('.').split(',').map(parse_one).collect()
}

fn parse_one(text: &str) -> Result<Readers, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let owned = |word: &str| word.to_owned();
    match words[..] {
        ["public"] => Ok(Readers::Public),
        ["role", name] => Ok(Readers::Role(owned(name))),
        ["public", "where", column] => Ok(Readers::PublicWhere(owned(column))),
        [column] => Ok(Readers::Column(owned(column))),
        ["readers", "of", view] => Ok(Readers::ReadersOf(owned(view))),
        [column, "among", view] => Ok(Readers::Among { column: owned(column), view: owned(view) }),
        [column, "of", view] => Ok(Readers::ColumnOf { column: owned(column), view: owned(view) }),
        _ => Err(format!(
            "{:?} is no reader: write `public`, `public where column`, a column with a user's id, `column of view`, `column among \
             view`, `readers of view` or `role name`, parted by commas",
            text.trim()
        )),
    }
}

/// Whether all tables name readers that there can be.
///
/// # Errors
/// The first one that does not, with what is missing.
pub fn check_readers(tables: &[Table]) -> Result<(), String> {
    for table in tables {
        for readers in &table.readers {
            check_one(tables, table, readers)
                .map_err(|why| format!("table {}, `Readable by`: {why}", table.name))?;
        }
    }
    Ok(())
}

fn check_one(tables: &[Table], table: &Table, readers: &Readers) -> Result<(), String> {
    match readers {
        Readers::Public | Readers::Role(_) => Ok(()),
        Readers::Column(column) if table.column(column).is_some() => Ok(()),
        Readers::Column(column) => Err(format!("it has no column {column}")),
        Readers::ColumnOf { column, view } => {
            let other = other(tables, view)?;
            if other.column(column).is_none() {
                return Err(format!("{view} has no column {column}"));
            }
            is_known(table, other, |_| true)
        }
        Readers::Among { column, view } => {
            let other = other(tables, view)?;
            if !other.columns[..other.key_columns()].iter().any(|it| it.name == *column) {
                return Err(format!("{column} is no part of the key of {view}"));
            }
            is_known(table, other, |name| name != column)
        }
        Readers::ReadersOf(view) => {
            let other = other(tables, view)?;
            let is_told = |it: &Readers| matches!(it, Readers::ReadersOf(_));
            if other.readers.is_empty() || other.readers.iter().any(is_told) {
                return Err(format!("{view} does not itself say who may read it"));
            }
            is_known(table, other, |_| true)
        }
        Readers::PublicWhere(column) => match table.column(column).map(|at| table.columns[at].kind) {
            Some(ColumnType::Boolean) => Ok(()),
            Some(_) => Err(format!("{column} is no boolean")),
            None => Err(format!("it has no column {column}")),
        },
    }
}

fn other<'t>(tables: &'t [Table], view: &str) -> Result<&'t Table, String> {
    tables.iter().find(|it| it.name == *view).ok_or_else(|| format!("there is no view {view}"))
}

/// Whether the key of a row of `other`, or those columns of it that are `taken` from this row, stands in a row of `table`.
fn is_known(table: &Table, other: &Table, taken: impl Fn(&str) -> bool) -> Result<(), String> {
    let mut key = other.columns[..other.key_columns()].iter().filter(|it| taken(&it.name));
    match key.find(|it| table.column(&it.name).is_none()) {
        None => Ok(()),
        Some(missing) => {
            Err(format!("the row of {} is not known without a column {}", other.name, missing.name))
        }
    }
}

/// The views that nobody may read who comes with a token: those that do not say who may.
pub fn unreadable(tables: &[Table]) -> impl Iterator<Item = &str> {
    tables.iter().filter(|table| table.readers.is_empty() && !table.is_directory()).map(|it| it.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::parse_tables;

    fn tables(readers: &str) -> String {
        let table = |name: &str, key: &str| {
            format!(
                "CREATE TABLE {name} (\n  {key} text, -- a key\n  owner_id text, -- whose\n  open boolean, -- x\n  PRIMARY KEY (({key}))\n) WITH comment = 'x';\n"
            )
        };
        format!(
            "-- Readable by: public\n{}\n-- more\n-- Readable by: {readers}\n-- and more\n{}",
            table("accounts", "account_id"),
            table("entries", "account_id")
        )
    }

    #[test]
    fn readers_are_those_of_the_table_behind_them() {
        let column = |name: &str| name.to_owned();
        let rows = [
            ("public", vec![Readers::Public]),
            ("owner_id", vec![Readers::Column(column("owner_id"))]),
            (
                "owner_id of accounts, role auditor.",
                vec![
                    Readers::ColumnOf { column: column("owner_id"), view: column("accounts") },
                    Readers::Role("auditor".to_owned()),
                ],
            ),
            (
                "account_id among accounts, readers of accounts, public where open",
                vec![
                    Readers::Among { column: column("account_id"), view: column("accounts") },
                    Readers::ReadersOf(column("accounts")),
                    Readers::PublicWhere(column("open")),
                ],
            ),
        ];
        for (text, expected) in rows {
            let tables = parse_tables(&tables(text)).unwrap();
            assert_eq!((&tables[0].readers[..], &tables[1].readers), (&[Readers::Public][..], &expected));
            assert_eq!(check_readers(&tables), Ok(()));
            assert_eq!(unreadable(&tables).count(), 0);
        }
        let silent = parse_tables(&tables("public").replace("-- Readable by: public", "--")).unwrap();
        assert_eq!(unreadable(&silent).collect::<Vec<_>>(), ["accounts", "entries"]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let rows = [
            ("reader_id", "table entries, `Readable by`: it has no column reader_id"),
            ("owner_id of accounts_of", "there is no view accounts_of"),
            ("reader_id of accounts", "accounts has no column reader_id"),
            ("owner_id among accounts", "owner_id is no part of the key of accounts"),
            ("account_id among people", "there is no view people"),
            ("readers of entries", "entries does not itself say who may read it"),
            ("public where shown", "it has no column shown"),
            ("public where owner_id", "owner_id is no boolean"),
        ];
        for (text, expected) in rows {
            let refused = check_readers(&parse_tables(&tables(text)).unwrap()).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
        for readers in ["owner_id of accounts", "readers of accounts"] {
            let other_key = tables(readers).replacen("account_id", "id", 2);
            let refused = check_readers(&parse_tables(&other_key).unwrap()).unwrap_err();
            assert!(refused.contains("not known without a column id"), "{refused}");
        }
        let silent = tables("readers of accounts").replacen("-- Readable by: public", "--", 1);
        let refused = check_readers(&parse_tables(&silent).unwrap()).unwrap_err();
        assert!(refused.contains("accounts does not itself say"), "{refused}");
        for text in ["", "its owner and friends"] {
            let refused = parse_tables(&tables(text)).unwrap_err();
            assert!(refused.message.contains("is no reader"), "{refused}");
        }
        let dangling = parse_tables("-- Readable by: public\n").unwrap_err();
        assert!(dangling.message.contains("no table"), "{dangling}");
    }
}
