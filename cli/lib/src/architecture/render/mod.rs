//! Pictures as text: functions of the model, and of nothing else.

pub mod dsl;
pub mod mermaid;
pub mod text;

use std::fmt::Write as _;

use super::model::{Architecture, Edge, Element, Kind, Standing};
use super::seen::BehindBy;

/// The colour of what nobody has declared.
pub const WARNING: &str = "#f59e0b";
/// The colour of what is declared and not there, or has left.
pub const GREY: &str = "#9ca3af";

/// How much of a foreign name is drawn, in characters.
const LONGEST_NAME: usize = 60;

/// A text of others as both languages of pictures take it between quotes: what is no letter, no digit and none of a few signs
/// is written as `%XX`, as in addresses, so nothing of it is obeyed and nothing is lost; what is too long is cut off with `…`.
#[must_use]
pub fn plain(text: &str) -> String {
    if text.is_empty() {
        return "(no name)".to_owned();
    }
    let safe = plain_up_to(text, LONGEST_NAME);
    // both languages take no notice of spaces at the ends
    let inside = safe.trim_matches(' ');
    let before = safe.len() - safe.trim_start_matches(' ').len();
    let behind = if inside.is_empty() { 0 } else { safe.len() - before - inside.len() };
    format!("{}{inside}{}", "%20".repeat(before), "%20".repeat(behind))
}

/// The same for whole sentences of our own, which may name something foreign.
#[must_use]
pub fn sentence(text: &str) -> String {
    plain_up_to(text, 400)
}

fn plain_up_to(text: &str, most: usize) -> String {
    let mut safe = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == most {
            safe.push('…');
            break;
        }
        let is_plain = c.is_ascii_alphanumeric() || " .,-_:/@+()…".contains(c) || is_letter(c);
        if is_plain {
            safe.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(safe, "%{byte:02X}");
            }
        }
    }
    safe
}

/// Letters and digits of other scripts; marks upon them and what has no width are no letters to the standard library.
fn is_letter(c: char) -> bool {
    !c.is_ascii() && c.is_alphanumeric() && unicode_width::UnicodeWidthChar::width(c).is_some_and(|it| it > 0)
}

/// A name of ours as an identifier: letters, digits and `_`.
fn identifier(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The identifier of every element: made of the names of our own, and counted for those of others.
struct Identifiers<'a>(Vec<(&'a str, String)>);

impl<'a> Identifiers<'a> {
    fn of(drawn: &'a Architecture) -> Self {
        let mut taken: Vec<(&str, String)> = Vec::new();
        for (at, element) in drawn.elements.iter().enumerate() {
            let is_foreign =
                matches!(element.kind, Kind::Stranger | Kind::Service) || !element.standing.is_declared();
            let mut name = match is_foreign {
                true => format!("other_{at}"),
                false => identifier(&element.id),
            };
            if taken.iter().any(|(_, other)| *other == name) {
                name = format!("{name}_{at}");
            }
            taken.push((&element.id, name));
        }
        Self(taken)
    }

    fn get(&self, id: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == id).map(|(_, name)| name.as_str())
    }
}

/// A rate as people read it.
fn rate(per_second: f64) -> String {
    match per_second {
        it if it >= 100.0 => format!("{}/s", crate::output::number(it.round() as u64)),
        it => format!("{it:.1}/s"),
    }
}

/// How far somebody is behind, as people read it.
fn behind(by: BehindBy) -> String {
    let records = crate::output::number(by.lag_records.unsigned_abs());
    match by.lag_records {
        0 => "0 behind".to_owned(),
        _ => format!("{records} behind, {:.0} s", by.lag_seconds),
    }
}

/// Rate and lag of an edge, where they are known.
fn numbers(edge: &Edge) -> String {
    let known = [edge.records_per_second.map(rate), edge.behind.map(behind)];
    known.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// How many instances an element has, where that is known, in words.
fn instances(element: &Element) -> String {
    match element.instance_count {
        None if element.deployed.is_empty() => String::new(),
        None => {
            let count = |it: &super::model::Deployed| match it.replicas {
                1 => it.service.clone(),
                more => format!("{} x {more}", it.service),
            };
            element.deployed.iter().map(count).collect::<Vec<_>>().join(", ")
        }
        Some(0) => "nobody is there".to_owned(),
        Some(1) => "1 instance".to_owned(),
        Some(count) => format!("{count} instances"),
    }
}

/// What a context exchanges with another, drawn from the one to the other.
struct Between<'a> {
    from: &'a str,
    to: &'a str,
    /// `true`: steps that follow from events; `false`: look-ups.
    is_policy: bool,
    words: String,
    standing: Standing,
}

/// What contexts exchange with each other: policies and look-ups.
fn between(drawn: &Architecture) -> Vec<Between<'_>> {
    let mut found = Vec::new();
    for edge in &drawn.edges {
        let (Some(from), Some(to)) = (drawn.element(&edge.from), drawn.element(&edge.to)) else { continue };
        let (Some(from_context), Some(to_context)) = (&from.context, &to.context) else { continue };
        if from_context == to_context {
            continue;
        }
        let is_policy = to.kind == Kind::Policy;
        let words = match is_policy {
            true => format!("policy: {}", some_of(&to.parts, 3)),
            false => format!("looked up: {}", edge.about),
        };
        let standing = if is_policy { to.standing } else { edge.standing() };
        found.push(Between { from: from_context, to: to_context, is_policy, words, standing });
    }
    found
}

/// The first of several names, and how many more there are.
fn some_of(names: &[String], most: usize) -> String {
    let shown = names.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_named_is_obeyed_nowhere_and_lost_nowhere() {
        assert_eq!(plain("my-group.v1 (ann@host:1)"), "my-group.v1 (ann@host:1)");
        assert_eq!(
            plain("a\"b\\c${d}%\n#e;f|g`h\u{1b}\u{202e}<b>"),
            "a%22b%5Cc%24%7Bd%7D%25%0A%23e%3Bf%7Cg%60h%1B%E2%80%AE%3Cb%3E"
        );
        assert_eq!(plain("Grüße 日本"), "Grüße 日本");
        assert_eq!(
            (plain(""), plain("  "), plain(" a b ")),
            ("(no name)".into(), "%20%20".into(), "%20a b%20".into())
        );
        assert_eq!(plain(&"x".repeat(1 << 20)).chars().count(), LONGEST_NAME + 1);
        let tower = plain(&format!("e{}", "\u{301}".repeat(1 << 20)));
        assert!(tower.len() < 7 * LONGEST_NAME, "{tower}");
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(
            (rate(0.0), rate(12.34), rate(12_345.6)),
            ("0.0/s".into(), "12.3/s".into(), "12,346/s".into())
        );
        assert_eq!(behind(BehindBy { lag_records: 1_234, lag_seconds: 2.6 }), "1,234 behind, 3 s");
    }
}
