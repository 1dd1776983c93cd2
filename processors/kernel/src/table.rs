//! Tables as a domain declares them, once, in `views.cql`.
//!
//! The file is CQL that a person can read; the subset understood here is
//! `CREATE TABLE name ( column type, … PRIMARY KEY ((partition …), clustering …) ) WITH
//! comment = '…' AND CLUSTERING ORDER BY (column DESC, …);` with a `--` comment on the line
//! of every column, which is the column's documentation in every store. For CQL servers also
//! `AND compaction = {'class': '…'}` and `AND gc_grace_seconds = …`.
//!
//! A line `-- Readable by: …` before it says [who may read its rows](crate::readers), a line `-- Live: …`
//! [that it can be subscribed to](crate::live).
//!
//! A table with a column `bucket` at the end of its partition key is [bucketed](crate::buckets): its directory, a table
//! that says which buckets there are, is declared with it.

use std::fmt;

use crate::live::{LIVE, Live, parse_live};
use crate::readers::{READABLE, Readers, parse_readers};

/// The column types that all stores share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// 64-bit signed integer; times are microseconds since the epoch.
    BigInt,
    /// 32-bit signed integer.
    Int,
    /// True or false.
    Boolean,
}

impl ColumnType {
    /// The CQL name of the type.
    #[must_use]
    pub fn cql(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::BigInt => "bigint",
            Self::Int => "int",
            Self::Boolean => "boolean",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Text, Self::BigInt, Self::Int, Self::Boolean].into_iter().find(|t| t.cql() == text)
    }
}

/// What the column of a bucket is called.
const BUCKET: &str = "bucket";
/// Begins the words by which a table says what bounds its partitions.
const BOUND: &str = "Bound:";

/// The name of a bucketed table's directory.
pub(crate) fn directory_of(table: &str) -> String {
    format!("{table}_buckets")
}

/// A column with its documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, that of the event field it comes from.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
    /// What it holds, for an analyst.
    pub comment: String,
}

impl Column {
    /// Whether it may be null: its comment begins with `Nullable:` or `Nullable until set:`.
    #[must_use]
    pub fn is_nullable(&self) -> bool {
        self.comment.starts_with("Nullable:") || self.is_set_for_good()
    }

    /// Whether it is never null again once it has had a value in a row: `Nullable until set:`. Then a store need not write that
    /// it is null.
    #[must_use]
    pub fn is_set_for_good(&self) -> bool {
        self.comment.starts_with("Nullable until set:")
    }
}

/// How a CQL server merges the files of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compaction {
    /// Rows are written once: few merges.
    #[default]
    SizeTiered,
    /// Rows are overwritten or deleted, and partitions are read whole: few files to read from.
    Leveled,
}

impl Compaction {
    /// The name of the strategy in CQL.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::SizeTiered => "SizeTieredCompactionStrategy",
            Self::Leveled => "LeveledCompactionStrategy",
        }
    }
}

/// How a CQL server keeps a table that is made; whoever runs the server may change it afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// How files are merged.
    pub compaction: Compaction,
    /// For how long what was deleted is remembered: longer than a write or a repair may be late.
    pub gc_grace_seconds: u32,
}

impl Default for Storage {
    fn default() -> Self {
        Self { compaction: Compaction::default(), gc_grace_seconds: 864_000 }
    }
}

/// A table with its key and documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name; also the name of the view.
    pub name: String,
    /// What it answers, for an analyst.
    pub comment: String,
    /// All columns, key columns first and in key order.
    pub columns: Vec<Column>,
    /// How many of the first columns make the partition key.
    pub partition_columns: usize,
    /// For every clustering column, in key order, whether it descends.
    pub clustering_descending: Vec<bool>,
    /// How a CQL server keeps it.
    pub storage: Storage,
    /// Who may read its rows: any of these. Nobody who comes with a token where there are none.
    pub readers: Vec<Readers>,
    /// Which source partitions write it, where it can be subscribed to.
    pub live: Option<Live>,
}

impl Table {
    /// How many of the first columns make the whole primary key.
    #[must_use]
    pub fn key_columns(&self) -> usize {
        self.partition_columns + self.clustering_descending.len()
    }

    /// The columns of the partition key as readers know it: without the bucket.
    #[must_use]
    pub fn logical_partition(&self) -> &[Column] {
        &self.columns[..self.partition_columns - usize::from(self.directory().is_some())]
    }

    /// The columns of the primary key as readers know it, each with its place: without the bucket.
    pub fn logical_key(&self) -> impl Iterator<Item = (usize, &Column)> {
        let bucket = self.directory().map(|_| self.partition_columns - 1);
        self.columns[..self.key_columns()].iter().enumerate().filter(move |(at, _)| Some(*at) != bucket)
    }

    /// The name of the table that says which buckets there are, if this one is [bucketed](crate::buckets).
    #[must_use]
    pub fn directory(&self) -> Option<String> {
        let last = self.partition_columns.checked_sub(1).filter(|last| *last > 0)?;
        (self.columns[last].name == BUCKET).then(|| directory_of(&self.name))
    }

    /// Whether it is the directory of another one, and no view.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.columns.last().is_some_and(|it| it.name == BUCKET) && self.directory().is_none()
    }

    /// Whether what a partition can hold has a bound, or the table says why it needs none.
    fn is_bounded(&self) -> bool {
        self.clustering_descending.is_empty() || self.directory().is_some() || self.comment.contains(BOUND)
    }

    /// The directory of this table, if it is bucketed.
    fn declare_directory(&self) -> Option<Self> {
        let comment = format!(
            "Which buckets of {} there are, newest first: read one after the other they are the whole. {BOUND} one row for \
             hundreds of rows there.",
            self.name
        );
        Some(Self {
            name: self.directory()?,
            comment,
            columns: self.columns[..self.partition_columns].to_vec(),
            partition_columns: self.partition_columns - 1,
            clustering_descending: vec![true],
            storage: self.storage,
            readers: Vec::new(),
            live: None,
        })
    }

    /// The position of a column by name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }
}

/// What is wrong with a `views.cql`, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for TableError {}

/// Reads all tables of a `views.cql`.
///
/// # Errors
/// The first thing that is not in the subset, with its line: also a column or table
/// without a comment, and columns that do not begin with the key in key order.
pub fn parse_tables(text: &str) -> Result<Vec<Table>, TableError> {
    let mut tables = Vec::new();
    let mut statement: Vec<(usize, &str)> = Vec::new();
    let mut readers: Option<(usize, Vec<Readers>)> = None;
    let mut live: Option<(usize, Live)> = None;
    for (index, raw) in text.lines().enumerate() {
        let line = raw.trim();
        if statement.is_empty() && (line.is_empty() || line.starts_with("--")) {
            if let Some(text) = line.strip_prefix(READABLE) {
                let parsed = parse_readers(text).map_err(|message| fail(index + 1, message))?;
                if readers.replace((index + 1, parsed)).is_some() {
                    return Err(fail(index + 1, "a table says once who may read it"));
                }
            }
            if let Some(text) = line.strip_prefix(LIVE) {
                let parsed = parse_live(text).map_err(|message| fail(index + 1, message))?;
                if live.replace((index + 1, parsed)).is_some() {
                    return Err(fail(index + 1, "a table says once that it is live"));
                }
            }
            continue;
        }
        statement.push((index + 1, line));
        if line.ends_with(';') {
            let mut table = parse_table(&statement)?;
            table.readers = readers.take().map(|(_, readers)| readers).unwrap_or_default();
            table.live = live.take().map(|(_, live)| live);
            let directory = table.declare_directory();
            tables.push(table);
            tables.extend(directory);
            statement.clear();
        }
    }
    let orphan = readers.map(|(line, _)| line).or(live.map(|(line, _)| line));
    match (statement.first(), orphan) {
        (Some((line, _)), _) => Err(fail(*line, "this statement does not end with ';'")),
        (None, Some(line)) => Err(fail(line, "there is no table behind this line that could be read")),
        (None, None) => Ok(tables),
    }
}

/// Whether no partition of these tables can grow without a bound that its author has thought of.
///
/// # Errors
/// The first table of which one can, with the way out.
pub fn check_bounds(tables: &[Table]) -> Result<(), String> {
    match tables.iter().find(|table| !table.is_bounded()) {
        None => Ok(()),
        Some(Table { name, .. }) => Err(format!(
            "a partition of table {name} may grow without a bound: put a column `{BUCKET} bigint` at the end of its partition \
             key, or say in its comment what bounds it, as `{BOUND} …`"
        )),
    }
}

fn fail(line: usize, message: impl Into<String>) -> TableError {
    TableError { line, message: message.into() }
}

fn parse_table(lines: &[(usize, &str)]) -> Result<Table, TableError> {
    let (first, head) = lines[0];
    let name = head
        .strip_prefix("CREATE TABLE ")
        .and_then(|rest| rest.strip_suffix('('))
        .map(str::trim)
        .filter(|name| is_name(name))
        .ok_or_else(|| fail(first, "expected `CREATE TABLE name (`"))?;
    let mut columns = Vec::new();
    let mut key: Option<(usize, Vec<String>, Vec<String>)> = None;
    let mut body = lines[1..].iter();
    for &(line, text) in body.by_ref() {
        if text.starts_with(')') {
            let key = key.ok_or_else(|| fail(line, "the table has no PRIMARY KEY"))?;
            let mut options = text.trim_start_matches(')').trim().to_owned();
            for (_, more) in body {
                options.push(' ');
                options.push_str(more);
            }
            return finish(first, name, columns, key, options.trim_end_matches(';').trim());
        }
        if let Some(rest) = text.strip_prefix("PRIMARY KEY") {
            let (partition, clustering) =
                parse_key(rest.trim()).ok_or_else(|| fail(line, "expected `PRIMARY KEY ((a, b), c)`"))?;
            key = Some((line, partition, clustering));
            continue;
        }
        columns.push(parse_column(line, text)?);
    }
    Err(fail(first, format!("table {name} is not closed with `)`")))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn parse_column(line: usize, text: &str) -> Result<Column, TableError> {
    let (definition, comment) = text
        .split_once("--")
        .ok_or_else(|| fail(line, "a column needs a comment: `name type, -- what it holds`"))?;
    let mut words = definition.trim().trim_end_matches(',').split_whitespace();
    let (Some(name), Some(kind), None) = (words.next(), words.next(), words.next()) else {
        return Err(fail(line, "expected `name type, -- comment`"));
    };
    let kind = ColumnType::parse(kind)
        .ok_or_else(|| fail(line, format!("type {kind} is not text, bigint, int or boolean")))?;
    if !is_name(name) {
        return Err(fail(line, format!("{name} is not a plain lower-case name")));
    }
    Ok(Column { name: name.to_owned(), kind, comment: comment.trim().to_owned() })
}

fn parse_key(text: &str) -> Option<(Vec<String>, Vec<String>)> {
    let names = |list: &str| -> Vec<String> {
        list.split(',').map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect()
    };
    let inner = text.strip_prefix('(')?.trim_end_matches(',').strip_suffix(')')?.trim();
    let (partition, clustering) = match inner.strip_prefix('(') {
        Some(rest) => {
            let (partition, rest) = rest.split_once(')')?;
            (names(partition), names(rest))
        }
        None => {
            let mut all = names(inner);
            if all.is_empty() {
                return None;
            }
            let rest = all.split_off(1);
            (all, rest)
        }
    };
    (!partition.is_empty()).then_some((partition, clustering))
}

fn finish(
    line: usize,
    name: &str,
    columns: Vec<Column>,
    (key_line, partition, clustering): (usize, Vec<String>, Vec<String>),
    options: &str,
) -> Result<Table, TableError> {
    let options = options.strip_prefix("WITH ").unwrap_or(options);
    let comment = between(options, "comment = '", "'")
        .ok_or_else(|| fail(line, format!("table {name} needs `WITH comment = '…'`")))?;
    let order = between(options, "CLUSTERING ORDER BY (", ")").unwrap_or_default();
    let rest = options.replacen(comment, "", 1);
    let storage = storage(&rest).map_err(|message| fail(line, format!("table {name}: {message}")))?;
    let descends = |column: &str| order.split(',').any(|part| part.split_whitespace().eq([column, "DESC"]));
    let keys: Vec<&String> = partition.iter().chain(&clustering).collect();
    let begins_with_key =
        keys.len() <= columns.len() && keys.iter().zip(&columns).all(|(key, column)| **key == column.name);
    if !begins_with_key {
        return Err(fail(key_line, format!("the columns of {name} must begin with its key, in key order")));
    }
    if partition.iter().skip(1).any(|it| it == BUCKET) {
        let is_right = partition.last().is_some_and(|it| it == BUCKET)
            && columns[partition.len() - 1].kind == ColumnType::BigInt;
        if !is_right {
            let message = format!("`{BUCKET}` must be a bigint at the end of {name}'s partition key");
            return Err(fail(key_line, message));
        }
    }
    Ok(Table {
        name: name.to_owned(),
        comment: comment.to_owned(),
        columns,
        partition_columns: partition.len(),
        clustering_descending: clustering.iter().map(|c| descends(c)).collect(),
        storage,
        readers: Vec::new(),
        live: None,
    })
}

/// `compaction = {'class': '…'}` and `gc_grace_seconds = …`, where they are given.
fn storage(options: &str) -> Result<Storage, String> {
    let mut storage = Storage::default();
    let says = |name: &str, form: &str| match options.contains(name) && !options.contains(form) {
        true => Err(format!("{name} is written as `{form}…`")),
        false => Ok(()),
    };
    says("compaction", "compaction = {'class': '")?;
    says("gc_grace_seconds", "gc_grace_seconds = ")?;
    if let Some(class) = between(options, "compaction = {'class': '", "'}") {
        let known = [Compaction::SizeTiered, Compaction::Leveled];
        let found = known.into_iter().find(|it| it.class() == class);
        let names = known.map(Compaction::class).join(" or ");
        storage.compaction = found.ok_or_else(|| format!("compaction {class} is not {names}"))?;
    }
    if let Some((_, seconds)) = options.split_once("gc_grace_seconds = ") {
        let digits = seconds.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default();
        storage.gc_grace_seconds = digits.parse().map_err(|_| "gc_grace_seconds is no number".to_owned())?;
    }
    Ok(storage)
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = &text[text.find(start)? + start.len()..];
    Some(&rest[..rest.find(end)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEED: &str = "-- a file comment\n\nCREATE TABLE home (\n  reader_id text, -- whose feed\n  posted_at bigint, -- when\n  chirp_id text, -- which\n  content text, -- what\n  PRIMARY KEY ((reader_id), posted_at, chirp_id)\n) WITH comment = 'A feed.'\n  AND CLUSTERING ORDER BY (posted_at DESC, chirp_id ASC);\n";

    #[test]
    fn a_table_is_read_whole() {
        let table = &parse_tables(FEED).unwrap()[0];
        assert_eq!((table.name.as_str(), table.comment.as_str()), ("home", "A feed."));
        assert_eq!((table.partition_columns, table.key_columns()), (1, 3));
        assert_eq!(table.clustering_descending, [true, false]);
        assert_eq!(table.columns[3].comment, "what");
        assert_eq!(table.column("content"), Some(3));
        assert_eq!(table.storage, Storage::default());
        let options = " AND compaction = {'class': 'LeveledCompactionStrategy'} AND gc_grace_seconds = 3600;";
        let table = &parse_tables(&FEED.replace(';', options)).unwrap()[0];
        assert_eq!(table.storage, Storage { compaction: Compaction::Leveled, gc_grace_seconds: 3600 });
    }

    #[test]
    fn a_bucketed_table_has_a_directory() {
        let text = FEED
            .replace("  posted_at bigint", "  bucket bigint, -- which\n  posted_at bigint")
            .replace("((reader_id)", "((reader_id, bucket)");
        let [table, directory] = &parse_tables(&text).unwrap()[..] else { panic!("two tables") };
        assert_eq!(table.directory().as_deref(), Some("home_buckets"));
        let names = |table: &Table| table.columns.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            (directory.name.as_str(), &names(directory)[..]),
            ("home_buckets", &["reader_id".to_owned(), "bucket".to_owned()][..])
        );
        assert_eq!((directory.partition_columns, &directory.clustering_descending[..]), (1, &[true][..]));
        assert_eq!(directory.directory(), None);
        assert_eq!(check_bounds(&[table.clone(), directory.clone()]), Ok(()));
        for (from, to) in [("bucket bigint", "bucket text"), ("((reader_id, bucket)", "((bucket, reader_id)")]
        {
            let error = parse_tables(&text.replace(from, to)).unwrap_err();
            assert!(error.message.contains("bucket") || error.message.contains("begin with"), "{error}");
        }
    }

    #[test]
    fn a_partition_without_a_bound_is_refused_unless_it_says_why() {
        let refused = check_bounds(&parse_tables(FEED).unwrap()).unwrap_err();
        assert!(refused.contains("table home ") && refused.contains("Bound:"), "{refused}");
        let said = FEED.replace("A feed.", "A feed. Bound: 800 rows.");
        assert_eq!(check_bounds(&parse_tables(&said).unwrap()), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let rows = [
            (FEED.replace(" -- what\n", "\n"), 7, "needs a comment"),
            (FEED.replace("WITH comment = 'A feed.'", "WITH x = 1"), 3, "comment"),
            (FEED.replace("content text", "content blob"), 7, "blob"),
            (FEED.replace("((reader_id), posted_at", "((reader_id), content"), 8, "begin with its key"),
            (FEED.replace("  PRIMARY KEY ((reader_id), posted_at, chirp_id)\n", ""), 8, "PRIMARY KEY"),
            (FEED.replace(';', ""), 3, "';'"),
            (FEED.replace(';', " AND compaction = {'class': 'Other'};"), 3, "Leveled"),
            (FEED.replace(';', " AND gc_grace_seconds = soon;"), 3, "no number"),
            (FEED.replace(';', " AND gc_grace_seconds=3600;"), 3, "is written as"),
        ];
        for (text, line, word) in rows {
            let error = parse_tables(&text).unwrap_err();
            assert!(
                error.line == line && error.message.contains(word),
                "{error} (expected line {line}, {word})"
            );
        }
    }
}
