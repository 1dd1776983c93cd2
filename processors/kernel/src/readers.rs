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
//!
//! Where one of these names another view, `projects.team_members` is that of another domain. What it has is seen where
//! domains meet ([`check_readers_elsewhere`]): a domain is built without the others.

use std::fmt::{Display, Formatter, Result as Written};

use crate::table::{ColumnType, Table};

/// Begins the line that says who may read a view.
pub(crate) const READABLE: &str = "-- Readable by:";

/// Another view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherView {
    /// Whose it is, if it is another domain's.
    pub domain: Option<String>,
    /// Its name.
    pub name: String,
}

impl OtherView {
    fn parse(text: &str) -> Self {
        match text.split_once('.') {
            Some((domain, name)) => Self { domain: Some(domain.to_owned()), name: name.to_owned() },
            None => Self { domain: None, name: text.to_owned() },
        }
    }
}

impl Display for OtherView {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        match &self.domain {
            Some(domain) => write!(f, "{domain}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

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
        view: OtherView,
    },
    /// Every user whose id, in the key column `column`, makes a key of `view` with this row's columns of the same names.
    Among {
        /// Where the user's id is.
        column: String,
        /// In which view.
        view: OtherView,
    },
    /// Whoever may read the one row of this view whose key columns have the values of this row's columns of the same names.
    ReadersOf(OtherView),
    /// Anybody, where this column of the row is true.
    PublicWhere(String),
}

impl Readers {
    /// The other view that is asked, if one is.
    #[must_use]
    pub fn other(&self) -> Option<&OtherView> {
        match self {
            Self::ColumnOf { view, .. } | Self::Among { view, .. } | Self::ReadersOf(view) => Some(view),
            Self::Public | Self::Role(_) | Self::Column(_) | Self::PublicWhere(_) => None,
        }
    }
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
        ["readers", "of", view] => Ok(Readers::ReadersOf(OtherView::parse(view))),
        [column, "among", view] => Ok(Readers::Among { column: owned(column), view: OtherView::parse(view) }),
        [column, "of", view] => Ok(Readers::ColumnOf { column: owned(column), view: OtherView::parse(view) }),
        _ => Err(format!(
            "{:?} is no reader: write `public`, `public where column`, a column with a user's id, `column of view`, `column among \
             view`, `readers of view` or `role name`, parted by commas; a view of another domain is `domain.view`",
            text.trim()
        )),
    }
}

/// Whether all tables of a domain name readers that there can be. Of other domains' views, only that they are named.
///
/// # Errors
/// The first one that does not, with what is missing.
pub fn check_readers(tables: &[Table]) -> Result<(), String> {
    for (table, readers) in all(tables) {
        let checked = match readers.other() {
            Some(OtherView { domain: Some(domain), name }) if domain.is_empty() || name.is_empty() => {
                Err("name a view of another domain as `domain.view`".to_owned())
            }
            Some(OtherView { domain: Some(_), .. }) => Ok(()),
            _ => check_one(tables, table, readers),
        };
        checked.map_err(|why| format!("table {}, `Readable by`: {why}", table.name))?;
    }
    Ok(())
}

/// Whether the views of other domains that the tables of `domain` name have what is asked of them. `tables_of` knows the
/// tables of the domains that are here.
///
/// # Errors
/// The first one that does not, with what is missing; [`Unmet::Absent`] where the other domain is not here.
pub fn check_readers_elsewhere<'t>(
    domain: &str,
    tables: &[Table],
    tables_of: impl Fn(&str) -> Option<&'t [Table]>,
) -> Result<(), Unmet> {
    for (table, readers) in all(tables) {
        let Some(OtherView { domain: Some(other), name }) = readers.other() else { continue };
        let said = |why: &str| {
            format!("who may read {domain}.{}, the view {name} of {other} is to say, and {why}", table.name)
        };
        if other == domain {
            return Err(Unmet::Wrong(said("that is its own: name it without the domain")));
        }
        let Some(tables) = tables_of(other) else {
            return Err(Unmet::Absent(said(&format!("there is no domain {other} here"))));
        };
        check_one(tables, table, readers).map_err(|why| Unmet::Wrong(said(&why)))?;
    }
    Ok(())
}

/// Why it cannot be found out who may read a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// The other domain is not here.
    Absent(String),
    /// It is here, and does not have what is asked of it.
    Wrong(String),
}

fn all(tables: &[Table]) -> impl Iterator<Item = (&Table, &Readers)> {
    tables.iter().flat_map(|table| table.readers.iter().map(move |readers| (table, readers)))
}

/// Whether `table` can be read as `readers` say, who may ask one of `tables`.
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

fn other<'t>(tables: &'t [Table], view: &OtherView) -> Result<&'t Table, String> {
    let found = tables.iter().find(|it| it.name == view.name && !it.is_directory());
    found.ok_or_else(|| format!("there is no view {}", view.name))
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
        let view =
            |domain: Option<&str>, name: &str| OtherView { domain: domain.map(column), name: column(name) };
        let rows = [
            ("public", vec![Readers::Public]),
            ("owner_id", vec![Readers::Column(column("owner_id"))]),
            (
                "owner_id of accounts, role auditor.",
                vec![
                    Readers::ColumnOf { column: column("owner_id"), view: view(None, "accounts") },
                    Readers::Role("auditor".to_owned()),
                ],
            ),
            (
                "account_id among accounts, readers of accounts, public where open",
                vec![
                    Readers::Among { column: column("account_id"), view: view(None, "accounts") },
                    Readers::ReadersOf(view(None, "accounts")),
                    Readers::PublicWhere(column("open")),
                ],
            ),
            // what those have is seen elsewhere
            (
                "user_id among teams.members, readers of teams.boards, owner_id of teams.boards",
                vec![
                    Readers::Among { column: column("user_id"), view: view(Some("teams"), "members") },
                    Readers::ReadersOf(view(Some("teams"), "boards")),
                    Readers::ColumnOf { column: column("owner_id"), view: view(Some("teams"), "boards") },
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
    fn views_of_other_domains_must_be_there_where_they_are_asked() {
        let check = |readers: &str, others: Option<&str>| {
            let own = parse_tables(&tables(readers)).unwrap();
            let others = others.map(|readers| parse_tables(&tables(readers)).unwrap());
            check_readers_elsewhere("notes", &own, |domain| {
                others.as_deref().filter(|_| domain == "books" || domain == "notes")
            })
        };
        for readers in
            ["owner_id of books.accounts", "account_id among books.accounts", "readers of books.accounts"]
        {
            assert_eq!(check(readers, Some("public")), Ok(()));
            let Err(Unmet::Absent(why)) = check(readers, None) else { panic!("{readers}") };
            assert!(why.contains("notes.entries") && why.contains("there is no domain books here"), "{why}");
        }
        assert_eq!(check("owner_id", None), Ok(()));
        for (readers, expected) in [
            ("owner_id of books.people", "there is no view people"),
            ("reader_id of books.accounts", "accounts has no column reader_id"),
            ("owner_id among books.accounts", "owner_id is no part of the key of books.accounts"),
            ("readers of books.entries", "entries does not itself say"),
            ("owner_id of notes.accounts", "that is its own"),
        ] {
            let Err(Unmet::Wrong(why)) = check(readers, Some("readers of accounts")) else {
                panic!("{readers}")
            };
            assert!(why.contains("who may read notes.entries") && why.contains(expected), "{why}");
        }
        // what this row would have to know of that one
        let own = parse_tables(&tables("owner_id of books.accounts").replace("account_id", "id")).unwrap();
        let others = parse_tables(&tables("public")).unwrap();
        let refused = check_readers_elsewhere("notes", &own, |_| Some(&others));
        let Err(Unmet::Wrong(why)) = refused else { panic!("{refused:?}") };
        assert!(why.contains("not known without a column account_id"), "{why}");
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
            ("readers of .books", "as `domain.view`"),
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
