//! Places in a feed, as text that means nothing to those who carry it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use millrace_kernel::id;
use thiserror::Error;

/// A place in a feed: behind this chirp, with so many shown up to here.
///
/// The count travels along because a feed ends after its cap, however it is cut into pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// How many chirps of the feed have been shown, this one included.
    pub shown: usize,
    /// Where the feed goes on.
    pub place: Place,
}

/// What feeds are ordered by, newest first: later means further up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When the chirp was posted.
    pub posted_at: i64,
    /// Its id, which decides between chirps of the same time.
    pub chirp_id: Arc<str>,
    /// Its author, who decides between chirps of the same time and id.
    pub author_id: Arc<str>,
}

/// A text that is no cursor.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "this is not a cursor; use one exactly as a feed has given it, or none to begin with the newest chirp"
)]
pub struct CursorError;

/// The version of the form, should it ever change.
const VERSION: &str = "1";

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { posted_at, chirp_id, author_id } = &self.place;
        // ids have no '/', so the parts can be told apart
        let text = format!("{VERSION}/{}/{posted_at}/{chirp_id}/{author_id}", self.shown);
        text.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        parse(text).ok_or(CursorError)
    }
}

fn parse(text: &str) -> Option<Cursor> {
    let digits: Vec<u8> = text
        .bytes()
        .map(|b| match b {
            b'0'..=b'9' => Some(b - b'0'),
            b'a'..=b'f' => Some(b - b'a' + 10),
            _ => None,
        })
        .collect::<Option<_>>()?;
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let bytes = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    let plain = String::from_utf8(bytes).ok()?;
    let parts: Vec<&str> = plain.split('/').collect();
    let [VERSION, shown, posted_at, chirp_id, author_id] = parts[..] else { return None };
    if !id::is_valid(chirp_id) || !id::is_valid(author_id) {
        return None;
    }
    Some(Cursor {
        shown: shown.parse().ok()?,
        place: Place {
            posted_at: posted_at.parse().ok()?,
            chirp_id: chirp_id.into(),
            author_id: author_id.into(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_what_it_was() {
        for posted_at in [i64::MIN, 0, i64::MAX] {
            let place = Place { posted_at, chirp_id: "c:1".into(), author_id: "ann".into() };
            let cursor = Cursor { shown: 800, place };
            let text = cursor.to_string();
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric()), "safe in a URL: {text}");
            assert_eq!(text.parse(), Ok(cursor));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let place = Place { posted_at: 1, chirp_id: "c".into(), author_id: "a".into() };
        let good = Cursor { shown: 1, place }.to_string();
        let hex = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<String>();
        for bad in [
            "",
            "0",
            "zz",
            "ä",
            &good[2..],
            &good[..good.len() - 2],
            &good.to_uppercase().replace('1', "F"),
            &format!("{good}2f"),
            &hex("2/1/1/c/a"),
            &hex("1/-1/1/c/a"),
            &hex("1/1/x/c/a"),
            &hex("1/1/1//a"),
            &hex("1/1/1/c/a b"),
            "ffff",
        ] {
            assert_eq!(bad.parse::<Cursor>(), Err(CursorError), "{bad:?}");
        }
    }
}
