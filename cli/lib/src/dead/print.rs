//! Dead records on paper: tables for people, one JSON object a line for programs.

use std::fmt::Write as _;

use millrace_runtime::dead::{Action, Content, DeadRecord, Moved, PassedOver, Shown};
use serde_json::{Map, Value as Json, json};

use crate::error::CliError;
use crate::{foreign, output};

/// How much of a reason a table shows, in columns.
const REASON_WIDTH: usize = 90;
/// How much is said of why a record is passed over, in columns.
const WHY_WIDTH: usize = 300;
/// How much of what cannot be read is shown, in bytes.
const MAX_SHOWN: usize = 65_536;

/// Bytes as text where they are some, else in hexadecimal digits behind `0x`.
pub fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => format!("0x{}", hex(bytes)),
    }
}

/// A key as it stands in tables and sentences: see [`text`]; the empty one is named.
pub fn shown(key: &[u8]) -> String {
    if key.is_empty() { "(empty)".to_owned() } else { text(key) }
}

/// The bytes that [`text`] shows as `text`, if they are no text.
pub fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").filter(|digits| !digits.is_empty() && digits.len() % 2 == 0)?;
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| digits.as_bytes().chunks(2).map(byte).collect()).flatten()
}

/// The flags that name `key`, as a shell takes them.
pub fn key_flag(key: &[u8]) -> String {
    foreign::flag("key", &text(key))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// What is known of a record, for programs.
pub fn object(domain: &str, record: &DeadRecord) -> Map<String, Json> {
    let place = json!({
        "domain": domain,
        "partition": record.place.partition,
        "offset": record.place.offset,
        "key": record.key.as_deref().map(text),
        "kind": record.kind,
        "id": record.id,
        "type": record.message_type,
        "process": record.process,
        "reason": record.reason,
        "source": {"topic": record.topic, "partition": record.place.partition, "offset": record.source_offset,
                   "last_offset": record.source_last},
        "time": output::time(record.time_ms * 1_000),
        "line": record.line.map(|place| json!({"line": place.line, "number": place.number})),
        "cut": record.cut,
        "done": record.done.map(|(mark, _)| mark),
        "done_at": record.done.map(|(_, at_ms)| output::time(at_ms * 1_000)),
    });
    match place {
        Json::Object(object) => object,
        _ => Map::new(),
    }
}

/// Rows of a table that are lined up with each other; those behind them are lined up anew.
const LINED_UP: usize = 1_000;

/// Prints records as they come.
pub struct List<'d> {
    domain: &'d str,
    as_json: bool,
    /// Rows that are still to be printed, and how many there have been.
    rows: Vec<Vec<String>>,
    found: usize,
}

impl<'d> List<'d> {
    /// Of the records of a domain.
    pub fn new(domain: &'d str, as_json: bool) -> Self {
        Self { domain, as_json, rows: Vec::new(), found: 0 }
    }

    /// Takes in the next record.
    pub fn add(&mut self, record: &DeadRecord) -> Result<(), CliError> {
        if self.as_json {
            return output::json(&object(self.domain, record));
        }
        if self.found == 0 {
            let title = [
                "domain",
                "partition",
                "offset",
                "kind",
                "key",
                "message",
                "from offset",
                "time",
                "done",
                "reason",
            ];
            self.rows.push(title.map(str::to_owned).to_vec());
        }
        self.found += 1;
        self.rows.push(vec![
            self.domain.to_owned(),
            record.place.partition.to_string(),
            record.place.offset.to_string(),
            record.kind.as_str().to_owned(),
            record.key.as_deref().map_or_else(|| "(none)".to_owned(), shown),
            message(record),
            match record.source_last {
                Some(last) if last > record.source_offset => format!("{}-{last}", record.source_offset),
                _ => record.source_offset.to_string(),
            },
            output::time(record.time_ms * 1_000),
            record.done.map_or("-", |(mark, _)| mark.as_str()).to_owned(),
            foreign::cut(&record.reason, REASON_WIDTH),
        ]);
        if self.rows.len() < LINED_UP { Ok(()) } else { self.end() }
    }

    /// Prints what is left.
    pub fn end(&mut self) -> Result<(), CliError> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        output::line(output::columns(&rows, output::WIDEST_CELL).trim_end())
    }
}

fn message(record: &DeadRecord) -> String {
    let text = match (&record.message_type, &record.id) {
        (Some(kind), Some(id)) => format!("{kind} {id}"),
        (None, Some(id)) => id.clone(),
        _ => "-".to_owned(),
    };
    foreign::cut(&text, output::WIDEST_CELL)
}

/// Prints one record with all that is in it.
pub fn show(domain: &str, shown: &Shown, as_json: bool) -> Result<(), CliError> {
    let all = whole(domain, shown);
    match as_json {
        true => output::json(&all),
        false => output::line(foreign::pretty_json(&all)?),
    }
}

/// A record with all that is in it, for programs.
pub fn whole(domain: &str, shown: &Shown) -> Map<String, Json> {
    let Shown { record, headers, content } = shown;
    let mut all = object(domain, record);
    let headers: Map<String, Json> =
        headers.iter().map(|(name, value)| (name.clone(), Json::from(text(value)))).collect();
    all.insert("headers".to_owned(), Json::Object(headers));
    match content {
        Content::Message(message) => drop(all.insert("message".to_owned(), message.clone())),
        Content::Bytes(bytes, why) => {
            all.insert("unreadable".to_owned(), Json::from(why.as_str()));
            all.insert("value_bytes".to_owned(), Json::from(bytes.len()));
            let shown = &bytes[..bytes.len().min(MAX_SHOWN)];
            all.insert("value_hex".to_owned(), Json::from(hex(shown)));
        }
        Content::Nothing => drop(all.insert("value_bytes".to_owned(), Json::Null)),
    }
    all
}

/// Prints what was done, or would be.
pub fn moved(
    domain: &str,
    moved: &[Moved],
    action: Action,
    is_plan: bool,
    as_json: bool,
) -> Result<(), CliError> {
    for one in moved {
        let record = &one.record;
        if as_json {
            let action = if action == Action::Skip { "skip" } else { "redrive" };
            output::json(&json!({
                "domain": domain, "action": action, "dry_run": is_plan,
                "partition": record.place.partition, "offset": record.place.offset,
                "key": record.key.as_deref().map(text), "to": one.to, "id": one.id,
            }))?;
            continue;
        }
        let what = match (action, is_plan) {
            (Action::Redrive, true) => "would go back",
            (Action::Redrive, false) => "went back",
            (Action::Skip, true) => "would be dropped",
            (Action::Skip, false) => "was dropped",
        };
        let to = match (&one.to, action) {
            (Some(topic), Action::Redrive) => {
                format!(" to {}[{}]", foreign::short(topic), record.place.partition)
            }
            _ => String::new(),
        };
        let new_id = match (&one.id, &record.id) {
            (Some(new), Some(old)) if new != old => {
                format!(" under the new id {}", foreign::cut(new, output::WIDEST_CELL))
            }
            _ => String::new(),
        };
        let place = format!("{domain} [{}] offset {}", record.place.partition, record.place.offset);
        output::line(format!("{place}: {} {what}{to}{new_id}", message(record)))?;
        if let (Action::Skip, Some(process)) = (action, &record.process) {
            let process = foreign::cut(process, output::WIDEST_CELL);
            output::line(format!("  the process of command {process} stays open for good"))?;
        }
    }
    Ok(())
}

/// Prints what stays where it is, and why.
pub fn passed_over(
    domain: &str,
    passed_over: &[PassedOver],
    action: Action,
    as_json: bool,
) -> Result<(), CliError> {
    for PassedOver { record, why } in passed_over {
        if as_json {
            let action = if action == Action::Skip { "skip" } else { "redrive" };
            output::json(&json!({
                "domain": domain, "action": action, "passed_over": why,
                "partition": record.place.partition, "offset": record.place.offset,
                "key": record.key.as_deref().map(text), "id": record.id,
            }))?;
            continue;
        }
        let place = format!("{domain} [{}] offset {}", record.place.partition, record.place.offset);
        let why = foreign::cut(why, WHY_WIDTH);
        output::line(format!("{place}: {} was passed over: {why}", message(record)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_text_or_digits() {
        assert_eq!(text(b"ann"), "ann");
        assert_eq!(text(b"\xff\x00"), "0xff00");
        assert_eq!(text(b"a\nb"), "0x610a62");
        assert_eq!(shown(b""), "(empty)");
    }

    #[test]
    fn what_is_shown_of_a_key_names_it() {
        for key in [&b"\xff\x00"[..], b"a\nb", b"\x00"] {
            assert_eq!(bytes_of(&text(key)).as_deref(), Some(key));
        }
        for other in ["", "ann", "0x", "0xf", "0xfg", "0x+f", "0xéé", "ff00"] {
            assert_eq!(bytes_of(other), None, "{other}");
        }
        let flags: [(&[u8], &str); 5] = [
            (b"acc-7", "--key acc-7"),
            (b"", "--key=''"),
            (b"-x", "--key='-x'"),
            (b"a b'c", "--key='a b'\\''c'"),
            (b"\xff", "--key 0xff"),
        ];
        for (key, flag) in flags {
            assert_eq!(key_flag(key), flag);
        }
    }
}
