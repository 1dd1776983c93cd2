//! Which views can be subscribed to, declared beside them: a line `-- Live: …` before the `CREATE TABLE`.
//!
//! | `Live:` | whose rows change |
//! |---|---|
//! | `routed by author_id` | all rows of a partition key follow from events of one source partition: that of the routing key in this column of the partition key |
//! | `from any partition` | rows of one partition key may follow from events of every source partition |
//!
//! Each row is written from one source partition only, whatever stands here: what is declared is how many of them a subscriber of
//! one partition key has to hear of.

use crate::partition;
use crate::row::Value;
use crate::table::Table;

/// Begins the line that says that a view can be subscribed to.
pub(crate) const LIVE: &str = "-- Live:";

/// Which source partitions write the rows of one partition key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Live {
    /// The one to which the routing key in this column belongs.
    Routed(String),
    /// Any.
    Any,
}

impl Live {
    /// The source partitions that may write rows under `key`, the first columns of `table`, of so many partitions.
    #[must_use]
    pub fn sources(&self, table: &Table, key: &[Value], partitions: i32) -> Vec<i32> {
        let routed = match self {
            Self::Any => None,
            Self::Routed(column) => table.column(column).and_then(|at| key.get(at)),
        };
        match routed {
            Some(value) => {
                vec![partition::of_key(key_text(std::slice::from_ref(value)).as_bytes(), partitions)]
            }
            None => (0..partitions).collect(),
        }
    }
}

/// A partition key as the record key of a change: its values joined by `/`, which no id contains.
#[must_use]
pub fn key_text(key: &[Value]) -> String {
    let mut text = String::new();
    for (at, value) in key.iter().enumerate() {
        if at > 0 {
            text.push('/');
        }
        match value {
            Value::Null => {}
            Value::Text(part) => text.push_str(part),
            Value::BigInt(number) => text.push_str(&number.to_string()),
            Value::Int(number) => text.push_str(&number.to_string()),
            Value::Boolean(truth) => text.push_str(&truth.to_string()),
        }
    }
    text
}

/// Reads what stands behind `Live:`.
pub(crate) fn parse_live(text: &str) -> Result<Live, String> {
    match text.trim().trim_end_matches('.').split_whitespace().collect::<Vec<_>>()[..] {
        ["from", "any", "partition"] => Ok(Live::Any),
        ["routed", "by", column] => Ok(Live::Routed(column.to_owned())),
        _ => Err(format!(
            "{:?}: write `routed by COLUMN`, a column of the partition key that holds the routing key, or `from any partition`",
            text.trim()
        )),
    }
}

/// Whether what the tables say of their subscribers can be.
///
/// # Errors
/// The first table of which it cannot, with what is missing.
pub fn check_live(tables: &[Table]) -> Result<(), String> {
    for table in tables {
        let Some(Live::Routed(column)) = &table.live else { continue };
        if !table.logical_partition().iter().any(|it| it.name == *column) {
            return Err(format!(
                "table {}, `Live`: {column} is no column of its partition key (the bucket is none of it)",
                table.name
            ));
        }
    }
    Ok(())
}

/// Begins the line that says of which family the views behind it are.
const FAMILY: &str = "-- View family `";

/// The families of a `views.cql` with views that can be subscribed to, as its lines ``-- View family `NAME`.`` name them:
/// each has a topic of changes.
///
/// # Errors
/// A live view in front of which no family is named.
pub fn live_families(views: &str) -> Result<Vec<String>, String> {
    let (mut family, mut found) = (None, Vec::new());
    for line in views.lines().map(str::trim) {
        if let Some((name, _)) = line.strip_prefix(FAMILY).and_then(|rest| rest.split_once('`')) {
            family = Some(name.to_owned());
        } else if line.starts_with(LIVE) {
            let name = family.clone().ok_or(
                "a view is live, and no line ``-- View family `NAME`.`` before it says whose it is: its topic of changes is \
                 named after the family",
            )?;
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::parse_tables;

    const TABLE: &str = "-- Live: routed by a\nCREATE TABLE n (\n  a text, -- x\n  bucket bigint, -- x\n  p bigint, -- x\n  PRIMARY KEY ((a, bucket), p)\n) WITH comment = 'x';";

    #[test]
    fn what_is_declared_says_who_writes() {
        let tables = parse_tables(TABLE).unwrap();
        let table = &tables[0];
        let key = [Value::from("ann")];
        let routed = table.live.as_ref().unwrap().sources(table, &key, 4);
        assert_eq!(routed, [partition::of_key(b"ann", 4)]);
        assert_eq!(Live::Any.sources(table, &key, 3), [0, 1, 2]);
        assert_eq!(tables[1].live, None, "of the directory nobody hears");
        assert_eq!(check_live(&tables), Ok(()));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let wrong = |from: &str, to: &str| {
            parse_tables(&TABLE.replace(from, to))
                .map_err(|error| error.to_string())
                .and_then(|it| check_live(&it))
        };
        assert!(wrong("routed by a", "routed by p").unwrap_err().contains("partition key"));
        assert!(wrong("routed by a", "routed by bucket").unwrap_err().contains("bucket"));
        assert!(wrong("routed by a", "always").unwrap_err().contains("line 1"));
        assert!(
            wrong("-- Live: routed by a\n", "-- Live: from any partition\n-- Live: routed by a\n").is_err()
        );
    }

    #[test]
    fn a_family_with_a_live_view_has_a_topic() {
        let text = format!("-- View family `a`.\n-- View family `b`.\n{TABLE}\n\n{TABLE}");
        assert_eq!(live_families(&text), Ok(vec!["b".to_owned()]));
        assert_eq!(live_families(""), Ok(Vec::new()));
        assert!(live_families(TABLE).is_err());
    }

    #[test]
    fn keys_are_written_as_ids_are_joined() {
        assert_eq!(key_text(&["2026-11-30".into(), "EUR".into()]), "2026-11-30/EUR");
        assert_eq!(key_text(&[Value::BigInt(-7), Value::Int(1), Value::Boolean(true)]), "-7/1/true");
    }
}
