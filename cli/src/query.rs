//! `millrace query`: rows of a view.

use millrace_kernel::{ColumnType, PageQuery, Table, Value};

use crate::args;
use crate::connect::Servers;
use crate::domain::DomainEntry;
use crate::error::CliError;
use crate::nearest::suggestion;
use crate::{output, views};

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
    let table = view.table.name.clone();
    let pages =
        store.read(&[PageQuery { table, key, after: Vec::new(), limit: query.limit, in_turn: false }])?;
    for row in pages.iter().flat_map(|page| &page.rows) {
        output::json(&output::row(&view.table, row))?;
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
    match key.is_empty() || key.len() >= table.partition_columns {
        true => Ok(key),
        false => {
            let missing = partition[key.len()..].join(", ");
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

    use super::*;

    fn chirps() -> Table {
        let text = "CREATE TABLE c (\n  a text, -- x\n  b text, -- x\n  p bigint, -- x\n  t text, -- x\n  PRIMARY KEY ((a, b), p)\n) WITH comment = 'x';";
        parse_tables(text).unwrap().remove(0)
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
