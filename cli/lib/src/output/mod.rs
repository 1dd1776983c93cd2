//! What is printed on standard output.

pub(crate) mod paper;

use std::fmt;
use std::io::{self, IsTerminal as _, Write};

use jiff::Timestamp;
use millrace_gateway::view;
use millrace_kernel::{Table, Value};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::config::Config;
use crate::error::CliError;
use crate::foreign;
pub use paper::Paper;

/// The widest cell of a table, in columns: an id has 64 characters at most, and whoever breaks that rule makes no
/// table wider.
pub const WIDEST_CELL: usize = 110;

/// Prints a line, or several; a reader that has gone is no failure of the command's.
///
/// # Errors
/// Standard output cannot be written.
pub fn line(text: impl AsRef<str>) -> Result<(), CliError> {
    write(&foreign::inert_lines(text.as_ref()))
}

/// Prints a line of which parts have emphasis; the others are ours.
///
/// # Errors
/// As [`line`].
pub fn styled(parts: &[Styled<'_>]) -> Result<(), CliError> {
    write(&parts.iter().map(Styled::to_string).collect::<String>())
}

fn write(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Prints `value` as one line of JSON.
///
/// # Errors
/// As [`line`].
pub fn json(value: &impl Serialize) -> Result<(), CliError> {
    write(&foreign::json(value)?)
}

/// A time of the log as people and programs read it: RFC 3339 with microseconds.
#[must_use]
pub fn time(micros: i64) -> String {
    match Timestamp::from_microsecond(micros) {
        Ok(time) => format!("{time:.6}"),
        Err(_) => micros.to_string(),
    }
}

/// A row as an object, its columns in the table's order.
#[must_use]
pub fn row(table: &Table, values: &[Value]) -> Map<String, Json> {
    view::row(table.columns.iter().enumerate(), values, view::Longs::Numbers)
}

/// Text, with or without emphasis.
pub enum Styled<'a> {
    /// As it is.
    Plain(&'a str),
    /// With emphasis, when a terminal shows it.
    Bold(&'a str),
    /// That stands back, when a terminal shows it.
    Dim(&'a str),
    /// In the colour of a warning, when a terminal shows it.
    Warning(&'a str),
}

impl fmt::Display for Styled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, text) = match self {
            Self::Plain(text) => return f.write_str(&foreign::inert_lines(text)),
            Self::Bold(text) => (1, text),
            Self::Dim(text) => (2, text),
            Self::Warning(text) => (33, text),
        };
        let text = foreign::inert(text);
        match io::stdout().is_terminal() {
            true => write!(f, "\x1b[{code}m{text}\x1b[0m"),
            false => f.write_str(&text),
        }
    }
}

/// A whole number with thousands apart.
#[must_use]
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Lines of cells with equally wide columns, none wider than `widest`.
#[must_use]
pub fn columns(rows: &[Vec<String>], widest: usize) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| foreign::cut(cell, widest)).collect()).collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        for (index, cell) in row.iter().enumerate() {
            let width = foreign::width(cell);
            match widths.get_mut(index) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width + 2 - foreign::width(cell)));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The configuration in force, with origins.
///
/// # Errors
/// As [`line`].
pub fn configuration(config: &Config, as_json: bool) -> Result<(), CliError> {
    let values = config.effective();
    if as_json {
        for value in values {
            json(&serde_json::json!({"key": value.key, "value": value.value, "origin": value.origin}))?;
        }
        return Ok(());
    }
    let rows: Vec<Vec<String>> = values
        .into_iter()
        .map(|value| vec![format!("{} = {}", value.key, value.value), format!("# {}", value.origin)])
        .collect();
    line(columns(&rows, usize::MAX).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_readable() {
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(number(999), "999");
        assert_eq!(time(1_767_323_045_000_001), "2026-01-02T03:04:05.000001Z");
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".to_owned(), "bb".to_owned()], vec!["ccc".to_owned(), "d".to_owned()]];
        assert_eq!(columns(&rows, 10), "a    bb\nccc  d\n");
        let wide = [vec!["日本".to_owned(), "x".to_owned()], vec!["y".repeat(1 << 20), "\x1bz".to_owned()]];
        assert_eq!(columns(&wide, 10), "日本        x\nyyyyyyyyy…  \\u{1b}z\n");
    }
}
