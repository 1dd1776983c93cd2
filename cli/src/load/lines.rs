//! Lines of a file: commands, barriers, and what is wrong where.

use std::fmt;
use std::io::{self, BufRead};

use serde_json::Value;

use crate::message::Problem;

/// A line of the file.
#[derive(Debug, PartialEq)]
pub enum Line {
    /// A command as it is written.
    Command {
        /// The line, from 1.
        number: u64,
        /// The line itself.
        text: String,
        /// Its JSON.
        value: Value,
    },
    /// What follows waits for the answers to all before.
    Barrier {
        /// The line, from 1.
        number: u64,
    },
    /// No JSON.
    Bad(BadLine),
}

/// A line that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// The line, from 1.
    pub number: u64,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.number, self.column, self.message)
    }
}

impl BadLine {
    /// What a check found: the column is that of the member it is about.
    pub fn at(number: u64, text: &str, problem: &Problem) -> Self {
        let byte = problem.key.as_ref().and_then(|key| text.find(&format!("\"{key}\""))).unwrap_or(0);
        Self { number, column: text[..byte].chars().count() + 1, message: problem.message.clone() }
    }

    fn not_json(number: u64, text: &str, error: &serde_json::Error) -> Self {
        // the parser counts bytes and says the place twice
        let byte = error.column().saturating_sub(1).min(text.len());
        let column = String::from_utf8_lossy(&text.as_bytes()[..byte]).chars().count() + 1;
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or(&message);
        Self { number, column, message: format!("not JSON: {message}") }
    }
}

/// How much there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Lines that are not empty.
    pub commands: u64,
    /// Lines that are.
    pub barriers: u64,
}

/// Counts the lines of a file.
///
/// # Errors
/// It cannot be read.
pub fn measure(mut reader: impl BufRead) -> io::Result<Size> {
    let mut size = Size::default();
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        match line.trim_ascii().is_empty() {
            true => size.barriers += 1,
            false => size.commands += 1,
        }
        line.clear();
    }
    Ok(size)
}

/// Reads a file line by line.
pub struct Lines<R> {
    reader: R,
    number: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader, number: 0, buffer: Vec::new() }
    }

    fn parse(&self) -> Line {
        let number = self.number;
        let bytes = self.buffer.trim_ascii_end();
        if bytes.trim_ascii_start().is_empty() {
            return Line::Barrier { number };
        }
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(error) => {
                let column = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).chars().count() + 1;
                return Line::Bad(BadLine { number, column, message: "not UTF-8".to_owned() });
            }
        };
        match serde_json::from_str(&text) {
            Ok(value) => Line::Command { number, text, value },
            Err(error) => Line::Bad(BadLine::not_json(number, &text, &error)),
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<io::Result<Line>> {
        self.buffer.clear();
        match self.reader.read_until(b'\n', &mut self.buffer) {
            Ok(0) => None,
            Ok(_) => {
                self.number += 1;
                Some(Ok(self.parse()))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_barriers_and_bad_lines_are_told_apart() {
        let file = b"{\"type\": \"A\"}\n\n{\"t\xc3\xbc\" 1}\r\n\xff{}\n{}".to_vec();
        let lines: Vec<Line> = Lines::new(&file[..]).map(Result::unwrap).collect();
        assert!(matches!(&lines[0], Line::Command { number: 1, .. }));
        assert_eq!(lines[1], Line::Barrier { number: 2 });
        assert!(
            matches!(&lines[2], Line::Bad(bad) if bad.to_string().starts_with("3:7: not JSON")),
            "{:?}",
            lines[2]
        );
        assert!(matches!(&lines[3], Line::Bad(bad) if bad.to_string() == "4:1: not UTF-8"));
        assert!(matches!(&lines[4], Line::Command { number: 5, .. }));
        assert_eq!(measure(&file[..]).unwrap(), Size { commands: 4, barriers: 1 });
    }

    #[test]
    fn the_column_is_that_of_the_member() {
        let text = r#"{"type": "ü", "data": {"a": 1}}"#;
        let bad = BadLine::at(7, text, &Problem::new("data: x").at("a"));
        assert_eq!(bad.to_string(), "7:24: data: x");
        assert_eq!(BadLine::at(7, text, &Problem::new("x")).column, 1);
    }
}
