//! Headers by which the processor and the tools for the dead topic understand each other. All
//! begin with [`PREFIX`], which producers leave to the engine.
//!
//! They are believed where only processors and tools write: in the dead topic and in the steps topic. In the
//! commands topic anybody writes, so there they are a pointer to the dead topic and no more.

use std::fmt;

use bytes::Bytes;

/// What every header of the engine begins with.
pub const PREFIX: &str = "millrace-";
/// Why nothing could be made of the record.
pub const REASON: &str = "millrace-reason";
/// The topic it came from.
pub const TOPIC: &str = "millrace-topic";
/// Its partition there.
pub const PARTITION: &str = "millrace-partition";
/// Its offset there.
pub const OFFSET: &str = "millrace-offset";
/// The offset there of the last record it stands for, where it stands for a whole batch.
pub const LAST: &str = "millrace-last";
/// How many bytes the value had, where it was too long to be kept whole.
pub const CUT: &str = "millrace-cut";
/// How many headers of its producer it had, where they were too much to be kept.
pub const HEADERS_CUT: &str = "millrace-headers-cut";
/// What kind of dead record it is: a [`DeadKind`].
pub const KIND: &str = "millrace-kind";
/// Its place among the commands of its key that wait for each other: a [`LinePlace`].
pub const LINE: &str = "millrace-line";
/// On a record that was put back: the place in the dead topic it came from, `partition/offset`.
pub const REDRIVEN: &str = "millrace-redriven";
/// On a step that was put back or skipped: the offset in the steps topic at which it was found dead.
pub const ORIGIN: &str = "millrace-origin";
/// On a record that was put back: retention has taken all that stood before it in its line. Only older processors
/// read it; others see for themselves.
pub const GONE: &str = "millrace-gone";
/// On a record put back only so that it is dropped and those behind it go on.
pub const SKIPPED: &str = "millrace-skipped";
/// In the dead topic, on a note about a record before it: a [`Mark`].
pub const MARK: &str = "millrace-mark";
/// On a note: the offset in this partition of the dead topic that it is about.
pub const MARKED: &str = "millrace-marked";
/// On a note: the [`digest`] of the value that was put back.
pub const DIGEST: &str = "millrace-digest";

/// What kind of dead record it is, which says how it can be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadKind {
    /// A record of the commands topic that cannot be read; it was not answered.
    Unreadable,
    /// A command whose decision fails every time; it was answered with `Poisoned`, so it is put
    /// back under a new id.
    Poisoned,
    /// A command that waits behind a dead one of its key; it was not answered.
    Waiting,
    /// A step; its process waits for it.
    Step,
    /// A batch that cannot be decompressed. Nothing but its offsets is known, so it cannot be put back.
    Batch,
}

impl DeadKind {
    const ALL: [Self; 5] = [Self::Unreadable, Self::Poisoned, Self::Waiting, Self::Step, Self::Batch];

    /// Its name in the header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Poisoned => "poisoned",
            Self::Waiting => "waiting",
            Self::Step => "step",
            Self::Batch => "batch",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What was done with a dead record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It was put back.
    Redriven,
    /// It was dropped for good.
    Skipped,
}

impl Mark {
    /// Its name in the header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redriven => "redriven",
            Self::Skipped => "skipped",
        }
    }

    /// The mark of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Redriven, Self::Skipped].into_iter().find(|mark| mark.as_str() == name)
    }
}

/// A place in a line of commands of one key: `line/number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinePlace {
    /// The line's name within its partition: the offset of the first dead command.
    pub line: i64,
    /// From 1; the dead command itself has the first number.
    pub number: i64,
}

impl LinePlace {
    /// Reads `line/number`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (line, number) = text.split_once('/')?;
        Some(Self { line: line.parse().ok()?, number: number.parse().ok()? })
    }
}

impl fmt::Display for LinePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.line, self.number)
    }
}

/// The offset that a record of the dead topic is a note about, and what it says; `None` for dead records.
#[must_use]
pub fn note(headers: &[(String, Bytes)]) -> Option<(i64, Mark)> {
    let mark = Mark::parse(text(headers, MARK)?)?;
    Some((text(headers, MARKED)?.parse().ok()?, mark))
}

/// The name of a value: another value has another one.
#[must_use]
pub fn digest(value: Option<&[u8]>) -> String {
    millrace_kernel::id::of_bytes(value.unwrap_or_default()).to_string()
}

/// The text of a header, if it is there and is text.
#[must_use]
pub fn text<'a>(headers: &'a [(String, Bytes)], name: &str) -> Option<&'a str> {
    let (_, value) = headers.iter().find(|(known, _)| known == name)?;
    std::str::from_utf8(value).ok()
}

/// The headers that are not the engine's.
#[must_use]
pub fn foreign(headers: &[(String, Bytes)]) -> Vec<(String, Bytes)> {
    headers.iter().filter(|(name, _)| !name.starts_with(PREFIX)).cloned().collect()
}

/// A header of the engine.
#[must_use]
pub fn header(name: &str, value: impl fmt::Display) -> (String, Bytes) {
    (name.to_owned(), Bytes::from(value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for kind in DeadKind::ALL {
            assert_eq!(DeadKind::parse(kind.as_str()), Some(kind));
        }
        for mark in [Mark::Redriven, Mark::Skipped] {
            assert_eq!(Mark::parse(mark.as_str()), Some(mark));
        }
        let place = LinePlace { line: 17, number: 3 };
        assert_eq!(LinePlace::parse(&place.to_string()), Some(place));
        for bad in ["", "17", "17/", "/3", "a/b", "1/2/3"] {
            assert_eq!(LinePlace::parse(bad), None, "{bad:?}");
        }
        let headers = vec![("traceparent".to_owned(), Bytes::from_static(b"t")), header(LINE, place)];
        assert_eq!(text(&headers, LINE), Some("17/3"));
        assert_eq!(foreign(&headers).len(), 1);
    }
}
