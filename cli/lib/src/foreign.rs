//! Text of others: the one place that makes it fit to be printed.
//!
//! Ids, reasons, headers and names come from whoever may write to a topic. A terminal obeys control characters (an
//! escape sequence can write the clipboard), and bidirectional overrides or characters without a width make one text
//! look like another. Everything this binary prints goes through here: for people such characters are written out
//! (`\u{9b}`), in JSON they are escaped (`\u009b`), so nothing is lost.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, PrettyFormatter, Serializer};
use unicode_width::UnicodeWidthChar as _;

use crate::config::LogFormat;
use crate::config::secrets::without_passwords;

/// So many marks above and below a letter are somebody's language; more would grow over the lines around it.
const MOST_MARKS: usize = 4;
/// How much of a name that is not known is repeated where that is said, in columns.
const SHORT: usize = 40;

/// `text` in one line that a terminal only shows.
#[must_use]
pub fn inert(text: &str) -> Cow<'_, str> {
    written_out(text, &|_| false)
}

/// The same for text of several lines.
#[must_use]
pub fn inert_lines(text: &str) -> Cow<'_, str> {
    written_out(text, &|c| c == '\n')
}

/// The beginning of `text` in one line of at most `most` columns; `…` stands for the rest.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    // what is left out need not be looked at: a text may have megabytes
    let text = head(text, most.saturating_mul(MOST_MARKS + 1).saturating_add(1));
    let text = inert(text);
    if width(&text) <= most {
        return text.into_owned();
    }
    let (begin, _) = text.split_at(fitting(&text, most.saturating_sub(1)).0);
    format!("{begin}…")
}

/// As much of `text` as an error repeats of it.
#[must_use]
pub fn short(text: &str) -> String {
    cut(text, SHORT)
}

/// A flag with `value`, as a shell takes it: a command that is shown is pasted, and must say no more than it seems to.
#[must_use]
pub fn flag(name: &str, value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.:/@%+=-".contains(c);
    match !value.is_empty() && value.chars().all(is_plain) && !value.starts_with('-') {
        true => format!("--{name} {value}"),
        false => format!("--{name}='{}'", value.replace('\'', "'\\''")),
    }
}

/// How many columns inert text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => text.chars().map(columns_of).sum(),
    }
}

/// How many bytes of inert text fit into `most` columns, and how many columns those take.
#[must_use]
pub fn fitting(text: &str, most: usize) -> (usize, usize) {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        let next = taken + columns_of(c);
        if next > most {
            return (at, taken);
        }
        taken = next;
    }
    (text.len(), taken)
}

/// Says `text` on standard error.
pub fn say(text: impl AsRef<str>) {
    // where nobody can be told, nobody is
    let _ = writeln!(io::stderr().lock(), "{}", inert_lines(text.as_ref()));
}

/// `value` as one line of JSON.
///
/// # Errors
/// It cannot be written as JSON.
pub fn json(value: &impl Serialize) -> serde_json::Result<String> {
    formatted(value, CompactFormatter)
}

/// `value` as JSON for people.
///
/// # Errors
/// As [`json`].
pub fn pretty_json(value: &impl Serialize) -> serde_json::Result<String> {
    formatted(value, PrettyFormatter::new())
}

fn formatted(value: &impl Serialize, formatter: impl Formatter) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Escaping(formatter)))?;
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

fn head(text: &str, most_chars: usize) -> &str {
    text.char_indices().nth(most_chars).map_or(text, |(end, _)| &text[..end])
}

fn columns_of(c: char) -> usize {
    match c {
        // it makes what is before it an emoji, which may be wider
        '\u{fe0e}' | '\u{fe0f}' => 1,
        c => c.width().unwrap_or(0),
    }
}

/// Whether a terminal does something else with `c` than show it in a column of its own or as a mark on a letter.
fn is_active(c: char) -> bool {
    match c {
        ' '..='~' => false,
        // white space of other scripts
        '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => false,
        // letters and marks that are not drawn; they are no control characters to the standard library
        '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}'
        | '\u{1d159}'
        | '\u{e0100}'..='\u{e01ef}' => true,
        // what is no printable character: controls, formats such as overrides of the direction, separators of
        // lines, private and unassigned ones. The first character of a text is escaped also when it is a mark.
        c => {
            let mut pair = [b' '; 5];
            let end = 1 + c.encode_utf8(&mut pair[1..]).len();
            let pair = std::str::from_utf8(&pair[..end]).unwrap_or_default();
            pair.escape_debug().nth(1) != Some(c)
        }
    }
}

fn written_out<'a>(text: &'a str, is_kept: &dyn Fn(char) -> bool) -> Cow<'a, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    let (mut before, mut marks) = (' ', 0);
    for c in text.chars() {
        let is_mark = !c.is_ascii() && c.width() == Some(0);
        marks = if is_mark { marks + 1 } else { 0 };
        // chooses how the sign before it is drawn
        let is_choice = matches!(c, '\u{fe0e}' | '\u{fe0f}') && !before.is_ascii() && marks == 1;
        match c {
            c if is_kept(c) || is_choice => safe.push(c),
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if is_active(c) || marks > MOST_MARKS => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
        before = c;
    }
    Cow::Owned(safe)
}

/// Writes JSON whose texts hold nothing that a terminal obeys.
struct Escaping<F>(F);

/// Writes `text`, which stands in a string of JSON, with `\uXXXX` for what a terminal would obey.
fn write_escaped<W: ?Sized + Write>(writer: &mut W, text: &str) -> io::Result<()> {
    let mut from = 0;
    for (at, c) in text.char_indices().filter(|(_, c)| is_active(*c)) {
        writer.write_all(&text.as_bytes()[from..at])?;
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(writer, "\\u{unit:04x}")?;
        }
        from = at + c.len_utf8();
    }
    writer.write_all(&text.as_bytes()[from..])
}

macro_rules! as_inside {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(fn $name<W: ?Sized + Write>(&mut self, writer: &mut W, $($argument: $kind),*) -> io::Result<()> {
            self.0.$name(writer, $($argument),*)
        })*
    };
}

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        write_escaped(writer, text)
    }

    as_inside! {
        write_char_escape(escape: CharEscape);
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }
}

/// Where log lines go: a line each, whatever is in them.
pub struct LogLines<W> {
    /// Where to.
    pub to: W,
    /// What they are written in.
    pub format: LogFormat,
}

impl<W: Write> Write for LogLines<W> {
    /// Takes an event as a whole, as `tracing_subscriber` writes it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (line, end) = match text.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (&*text, ""),
        };
        let line = &*without_passwords(line);
        let mut safe = Vec::with_capacity(line.len() + 1);
        match self.format {
            LogFormat::Json => write_escaped(&mut safe, line)?,
            LogFormat::Text => coloured(&mut safe, line)?,
        }
        safe.extend_from_slice(end.as_bytes());
        self.to.write_all(&safe)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// A log line for people: colours are the subscriber's own, which has written out the escapes of everybody else.
fn coloured(safe: &mut Vec<u8>, line: &str) -> io::Result<()> {
    let mut rest = line;
    while let Some(at) = rest.find("\x1b[") {
        let behind = &rest[at + 2..];
        let digits = behind.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
        let end = at + 2 + digits + usize::from(behind.as_bytes().get(digits) == Some(&b'm'));
        if end == at + 2 + digits {
            // some other sequence, and none of ours
            safe.write_all(inert(&rest[..end]).as_bytes())?;
        } else {
            safe.write_all(inert(&rest[..at]).as_bytes())?;
            safe.write_all(&rest.as_bytes()[at..end])?;
        }
        rest = &rest[end..];
    }
    safe.write_all(inert(rest).as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Writes the clipboard, in seven and in eight bits; turns the line around; is not seen; is another line.
    const HOSTILE: &str = "a\x1b]52;c;YQ==\x07\u{9b}31m\u{9d}\u{7f}\0b\u{202e}c\u{2066}\u{200b}\u{200d}\u{feff}\u{ad}\u{2028}\u{3164}\u{e0041}\u{fe0f}\r\nd";

    fn is_harmless(text: &str) -> bool {
        text.chars().all(|c| c == '\n' || (!c.is_control() && !is_active(c) && c.width() != Some(0)))
    }

    #[test]
    fn whatever_a_terminal_would_obey_is_written_out() {
        let safe = inert(HOSTILE);
        assert!(is_harmless(&safe) && !safe.contains('\n'), "{safe}");
        for part in [r"a\u{1b}]52;", r"\u{9b}31m", r"b\u{202e}c\u{2066}\u{200b}", r"\u{e0041}", r"\r\nd"] {
            assert!(safe.contains(part), "{part} is missing in {safe}");
        }
        assert_eq!(inert_lines("a\nb\x1b\tc"), "a\nb\\u{1b}\\tc");
        assert_eq!(inert("plain"), "plain");
    }

    #[test]
    fn what_people_write_stays() {
        for text in
            ["Grüße, žluťoučký", "こんにちは　世界", "שלום", "नमस्ते", "ส้มตำ", "🎉 ❤\u{fe0f} 🇨🇿", "e\u{301}"]
        {
            assert_eq!(inert(text), text);
            assert_eq!(json(&text).unwrap().trim_matches('"').replace("\\ufe0f", "\u{fe0f}"), text);
        }
    }

    #[test]
    fn json_says_the_same_text_with_nothing_a_terminal_would_obey() {
        let value =
            json!({HOSTILE: [HOSTILE, 7, null, {"x": HOSTILE}], "deep": {"\u{9b}": "\u{10ffff}\"\\"}});
        for text in [json(&value).unwrap(), pretty_json(&value).unwrap()] {
            assert!(is_harmless(&text), "{text}");
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
        let plain = json!({"a": [1, {}, []], "b": -0.5, "c": i64::MIN, "d": u64::MAX});
        assert_eq!(json(&plain).unwrap(), serde_json::to_string(&plain).unwrap());
        assert_eq!(pretty_json(&plain).unwrap(), serde_json::to_string_pretty(&plain).unwrap());
    }

    #[test]
    fn a_width_is_counted_in_columns_and_nothing_grows_beyond_it() {
        assert_eq!((width("abc"), width("日本"), width("e\u{301}")), (3, 4, 1));
        assert_eq!(
            (cut("日本語", 6), cut("日本語", 5), cut("日本語", 4)),
            ("日本語".into(), "日本…".into(), "日…".into())
        );
        assert_eq!(cut(&"x".repeat(1 << 20), 10), "xxxxxxxxx…");
        let tower = format!("e{}", "\u{301}".repeat(1 << 20));
        assert!(cut(&tower, 10).len() < 100, "marks without end have no width, and are no text");
        assert!(width(&cut(&"\u{1b}".repeat(100), 10)) <= 10);
    }

    #[test]
    fn a_log_line_is_one_line_with_no_colours_but_its_own() {
        let written = |format, line: &str| {
            let mut lines = LogLines { to: Vec::new(), format };
            lines.write_all(line.as_bytes()).unwrap();
            String::from_utf8(lines.to).unwrap()
        };
        let line = format!("\x1b[2m2026\x1b[0m \x1b[1;31mERROR\x1b[0m {HOSTILE}\x1b[2J\n");
        let text = written(LogFormat::Text, &line);
        let bare = text.replace("\x1b[2m", "").replace("\x1b[0m", "").replace("\x1b[1;31m", "");
        assert!(is_harmless(&bare) && bare.ends_with("\n") && bare.matches('\n').count() == 1, "{text:?}");
        assert!(bare.starts_with("2026 ERROR a") && bare.contains(r"\u{1b}[2J"), "{bare}");
        let event = json!({"message": HOSTILE});
        let text = written(LogFormat::Json, &format!("{event}\n"));
        assert!(is_harmless(&text), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), event);
    }
}
