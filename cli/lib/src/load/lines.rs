//! Lines of a file: commands, barriers, and what is wrong where.

use std::fmt;
use std::io::{self, BufRead, Read as _};

use serde_json::Value;

use crate::message::from_json;

/// Bytes of the longest line that is read: more than any broker takes as one message. A file without line ends would
/// otherwise be held in memory as a whole.
pub const MAX_LINE_BYTES: usize = 16 << 20;

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

impl Line {
    /// Which line it is, from 1.
    pub fn number(&self) -> u64 {
        match self {
            Self::Command { number, .. } | Self::Barrier { number } => *number,
            Self::Bad(bad) => bad.number,
        }
    }
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
    pub fn at(number: u64, text: &str, member: Option<&str>, message: &str) -> Self {
        let byte = member.and_then(|key| text.find(&format!("\"{key}\""))).unwrap_or(0);
        Self { number, column: text[..byte].chars().count() + 1, message: message.to_owned() }
    }

    fn too_long(number: u64) -> Self {
        let message =
            format!("the line has more than {MAX_LINE_BYTES} bytes; a command is a line of its own");
        Self { number, column: MAX_LINE_BYTES + 1, message }
    }

    /// What a file may begin with that is no part of its first line, if it does.
    fn byte_order_mark(number: u64, bytes: &[u8]) -> Option<Self> {
        let is = |mark: &[u8]| number == 1 && bytes.starts_with(mark);
        let message = if is(b"\xef\xbb\xbf") {
            "the file begins with a byte-order mark (EF BB BF); save it as UTF-8 without one"
        } else if is(b"\xff\xfe") || is(b"\xfe\xff") {
            "the file begins with the byte-order mark of UTF-16; save it as UTF-8 without one"
        } else {
            return None;
        };
        Some(Self { number, column: 1, message: message.to_owned() })
    }

    fn not_json(number: u64, text: &str, error: &serde_json::Error) -> Self {
        // the parser counts bytes and says the place twice
        let byte = error.column().saturating_sub(1).min(text.len());
        let column = String::from_utf8_lossy(&text.as_bytes()[..byte]).chars().count() + 1;
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or(&message);
        // a key that stands twice is no mistake of the syntax
        let what = if error.is_data() { "" } else { "not JSON: " };
        Self { number, column, message: format!("{what}{message}") }
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
    loop {
        match read_line(&mut reader, &mut line)? {
            Read::End => return Ok(size),
            Read::Line if line.trim_ascii().is_empty() => size.barriers += 1,
            Read::Line | Read::TooLong => size.commands += 1,
        }
    }
}

/// What came of reading a line.
enum Read {
    Line,
    /// It was passed over.
    TooLong,
    End,
}

/// Reads a line into `line`, with its end.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Read> {
    line.clear();
    let most = MAX_LINE_BYTES as u64 + 1;
    if reader.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(Read::End);
    }
    if line.len() <= MAX_LINE_BYTES || line.ends_with(b"\n") {
        return Ok(Read::Line);
    }
    // One long line must not take those behind it along.
    reader.skip_until(b'\n')?;
    Ok(Read::TooLong)
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
        if let Some(bad) = BadLine::byte_order_mark(number, bytes) {
            return Line::Bad(bad);
        }
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(error) => {
                let column = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).chars().count() + 1;
                return Line::Bad(BadLine { number, column, message: "not UTF-8".to_owned() });
            }
        };
        match from_json(&text) {
            Ok(value) => Line::Command { number, text, value },
            Err(error) => Line::Bad(BadLine::not_json(number, &text, &error)),
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<io::Result<Line>> {
        match read_line(&mut self.reader, &mut self.buffer) {
            Ok(Read::End) => None,
            Ok(Read::Line) => {
                self.number += 1;
                Some(Ok(self.parse()))
            }
            Ok(Read::TooLong) => {
                self.number += 1;
                Some(Ok(Line::Bad(BadLine::too_long(self.number))))
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
    fn a_byte_order_mark_and_a_key_that_stands_twice_are_named() {
        let rows: [(&[u8], &str); 4] = [
            (b"\xef\xbb\xbf{}\n{}", "1:1: the file begins with a byte-order mark (EF BB BF)"),
            (b"\xff\xfe{\0}\0", "1:1: the file begins with the byte-order mark of UTF-16"),
            (b"{\"id\": \"a\", \"id\": \"b\"}", "1:16: id is given twice"),
            ("{\"\u{fc}\": {\"a\": 1, \"a\": 2}}".as_bytes(), "1:18: a is given twice"),
        ];
        for (file, expected) in rows {
            let Some(Ok(Line::Bad(bad))) = Lines::new(file).next() else { panic!("{expected}: was taken") };
            assert!(bad.to_string().starts_with(expected), "{bad}, not {expected}");
        }
        let later = Lines::new(&b"{}\n\xef\xbb\xbf{}"[..]).nth(1);
        assert!(matches!(later, Some(Ok(Line::Bad(bad))) if bad.message.starts_with("not JSON")));
    }

    #[test]
    fn the_column_is_that_of_the_member() {
        let text = r#"{"type": "ü", "data": {"a": 1}}"#;
        let bad = BadLine::at(7, text, Some("a"), "data: x");
        assert_eq!(bad.to_string(), "7:24: data: x");
        assert_eq!(BadLine::at(7, text, None, "x").column, 1);
    }

    #[test]
    fn a_line_without_end_is_not_held_and_takes_nothing_along() {
        let endless = io::repeat(b'x').take(10 * MAX_LINE_BYTES as u64);
        let file = io::BufReader::new(endless.chain(&b"\n{}\n"[..]));
        let mut lines = Lines::new(file);
        let Some(Ok(Line::Bad(bad))) = lines.next() else { panic!("a line was taken") };
        assert_eq!((bad.number, bad.column), (1, MAX_LINE_BYTES + 1));
        assert!(lines.buffer.capacity() <= 4 * MAX_LINE_BYTES);
        assert!(matches!(lines.next(), Some(Ok(Line::Command { number: 2, .. }))));
        assert!(lines.next().is_none());
        let endless = io::repeat(b'x').take(10 * MAX_LINE_BYTES as u64);
        let size = measure(io::BufReader::new(endless.chain(&b"\n\n{}"[..]))).unwrap();
        assert_eq!(size, Size { commands: 2, barriers: 1 });
    }
}
