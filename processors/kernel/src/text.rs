//! What texts in messages may be: so long and no longer, and without control characters.
//!
//! Lengths count Unicode scalar values, as people count characters, more or less; bytes are the
//! business of whoever stores them.

/// Longest text where a domain does not say, in Unicode scalar values.
pub const MAX_CHARS: usize = 256;

/// What kind of text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// One line: no control characters at all.
    Line,
    /// Prose: line breaks and tabs are part of it.
    Prose,
}

/// What is wrong with `text`, of which at most `most` Unicode scalar values are allowed, for a person;
/// `None` when nothing is. No more of the text is looked at than that.
#[must_use]
pub fn problem(text: &str, most: usize, kind: TextKind) -> Option<String> {
    match text.chars().nth(most) {
        Some(_) => Some(format!("is too long; write at most {most} characters")),
        None => control_character(text, kind),
    }
}

/// The control character in `text` that does not belong there, for a person; `None` when there is none.
#[must_use]
pub fn control_character(text: &str, kind: TextKind) -> Option<String> {
    let is_bad = |c: char| c.is_control() && !(kind == TextKind::Prose && matches!(c, '\n' | '\r' | '\t'));
    let bad = text.chars().find(|c| is_bad(*c))?;
    let allowed = match kind {
        TextKind::Line => "write one line of text",
        TextKind::Prose => "of those only line breaks and tabs are allowed",
    };
    Some(format!("holds the control character U+{:04X}; {allowed}", u32::from(bad)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_a_limit_in_characters_and_no_control_characters() {
        let good = ["", "a", "äöü 🐦", "a\u{a0}b"];
        for text in good {
            for kind in [TextKind::Line, TextKind::Prose] {
                assert_eq!(problem(text, 10, kind), None, "{text:?}");
            }
        }
        assert_eq!(problem(&"🐦".repeat(140), 140, TextKind::Line), None);
        assert!(problem(&"a".repeat(141), 140, TextKind::Line).is_some_and(|it| it.contains("140")));
        for text in ["a\nb", "a\tb", "a\rb"] {
            assert!(problem(text, 10, TextKind::Line).is_some_and(|it| it.contains("U+000")), "{text:?}");
            assert_eq!(problem(text, 10, TextKind::Prose), None, "{text:?}");
        }
        for text in ["\0", "a\u{7f}", "\u{85}", "\u{1b}[31m"] {
            for kind in [TextKind::Line, TextKind::Prose] {
                assert!(problem(text, 10, kind).is_some(), "{text:?}");
            }
        }
    }
}
