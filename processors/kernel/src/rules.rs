//! Rules that most commands have, one line each, with the message that says what would be right.
//!
//! How long a text may be is no rule of these: it stands in the schema, and [`decide`](crate::decide) holds it.

use crate::day::{FIRST_INSTANT, LAST_INSTANT};
use crate::id;
use crate::rejection::codes::{INVALID_ARGUMENT, NOT_PERMITTED};
use crate::rejection::{Rejections, Violation};
use crate::text::{self, TextKind};

impl Rejections {
    /// The acting user, where one is named, must be the `owner`; `whose` says who that is: "the owner of the account".
    ///
    /// Gives `what` back to one who is, and nothing to anybody else: a refusal must not tell what the views withhold. So what
    /// goes in is whatever rules of state ask, the states or the aggregate itself, and what comes out takes its name:
    /// `let states = rejections.permitted(actor, &command.owner_id, "the user named in owner_id", states);`. Rules of form
    /// speak to everybody.
    ///
    /// Compares the texts as they are, so it holds or not whatever else is wrong with the owner.
    #[must_use = "rules of state are for what comes back: what is withheld from views is withheld from refusals"]
    pub fn permitted<T>(&mut self, actor: Option<&str>, owner: &str, whose: &str, what: T) -> Option<T> {
        let holds = self.require(actor.is_none_or(|actor| actor == owner), || {
            Violation::on(NOT_PERMITTED, "metadata.user_id", format!("only {whose} may do this"))
        });
        holds.then_some(what)
    }

    /// `value` must be an id. Returns whether it is: rules that need it are skipped otherwise.
    pub fn well_formed(&mut self, field: &str, value: &str) -> bool {
        self.require(id::is_valid(value), || {
            Violation::on(INVALID_ARGUMENT, field, format!("{field} is not an id: {}", id::ID_RULE))
        })
    }

    /// `value` must be more than 0. Returns whether it is.
    ///
    /// The message does not repeat it: to whoever has typed "-5.00 €" somewhere, -500 says nothing.
    pub fn positive(&mut self, field: &str, value: i64) -> bool {
        self.require(value > 0, || {
            Violation::on(INVALID_ARGUMENT, field, format!("{field} must be more than 0"))
        })
    }

    /// `value` must be an instant of the years 1 to 9999, in microseconds since the epoch. Returns whether it is.
    pub fn instant(&mut self, field: &str, value: i64) -> bool {
        self.require((FIRST_INSTANT..=LAST_INSTANT).contains(&value), || {
            let message = format!(
                "{field} is {value}; name an instant of the years 1 to 9999, in microseconds since 1970-01-01T00:00:00Z"
            );
            Violation::on(INVALID_ARGUMENT, field, message)
        })
    }

    /// `text` must be one line: without control characters. Returns whether it is.
    pub fn line(&mut self, field: &str, text: &str) -> bool {
        self.characters(field, text, TextKind::Line)
    }

    /// `text` must be one line that says something. Returns whether it is.
    pub fn words(&mut self, field: &str, text: &str) -> bool {
        self.says_something(field, text) && self.characters(field, text, TextKind::Line)
    }

    /// `text` must say something, and have no control characters but line breaks and tabs. Returns whether it does.
    pub fn prose(&mut self, field: &str, text: &str) -> bool {
        self.says_something(field, text) && self.characters(field, text, TextKind::Prose)
    }

    fn says_something(&mut self, field: &str, text: &str) -> bool {
        self.require(!text.chars().all(char::is_whitespace), || {
            Violation::on(INVALID_ARGUMENT, field, format!("{field} is blank; write more than white space"))
        })
    }

    fn characters(&mut self, field: &str, text: &str, kind: TextKind) -> bool {
        let problem = text::control_character(text, kind);
        problem.is_none_or(|problem| {
            self.require(false, || Violation::on(INVALID_ARGUMENT, field, format!("{field} {problem}")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said when `rule` is asked, if anything is.
    fn said(rule: impl FnOnce(&mut Rejections) -> bool) -> Option<(String, String)> {
        let mut rejections = Rejections::none();
        let holds = rule(&mut rejections);
        assert_eq!(holds, rejections.is_empty());
        let violation = rejections.into_violations().pop()?;
        Some((violation.code, violation.message))
    }

    #[test]
    fn each_rule_holds_or_says_what_would_be_right() {
        let whose = "the owner";
        for (held, broken, code, words) in [
            (
                said(|it| it.permitted(Some("ann"), "ann", whose, ()).is_some()),
                said(|it| it.permitted(Some("bob"), "ann", whose, ()).is_some()),
                NOT_PERMITTED,
                "only the owner may do this",
            ),
            (
                said(|it| it.well_formed("id", "a-1")),
                said(|it| it.well_formed("id", "a/1")),
                INVALID_ARGUMENT,
                "id is not an id",
            ),
            (
                said(|it| it.positive("n", 1)),
                said(|it| it.positive("n", 0)),
                INVALID_ARGUMENT,
                "n must be more than 0",
            ),
            (
                said(|it| it.instant("at", LAST_INSTANT) && it.instant("at", FIRST_INSTANT)),
                said(|it| it.instant("at", LAST_INSTANT + 1)),
                INVALID_ARGUMENT,
                "at is 253402300800000000; name an instant of the years 1 to 9999",
            ),
            (
                said(|it| it.line("t", "")),
                said(|it| it.line("t", "a\nb")),
                INVALID_ARGUMENT,
                "t holds the control character U+000A",
            ),
            (
                said(|it| it.words("t", "a b")),
                said(|it| it.words("t", "a\tb")),
                INVALID_ARGUMENT,
                "t holds the control character U+0009",
            ),
            (said(|it| it.words("t", "a")), said(|it| it.words("t", "")), INVALID_ARGUMENT, "t is blank"),
            (
                said(|it| it.prose("t", "a\nb")),
                said(|it| it.prose("t", "a\0b")),
                INVALID_ARGUMENT,
                "t holds the control character U+0000",
            ),
            (said(|it| it.prose("t", "a")), said(|it| it.prose("t", " \n")), INVALID_ARGUMENT, "t is blank"),
        ] {
            assert_eq!(held, None);
            let (found, message) = broken.unwrap();
            assert_eq!(found, code);
            assert!(message.starts_with(words), "{message}");
        }
        assert_eq!(said(|it| it.permitted(None, "ann", whose, ()).is_some()), None, "nobody is named");
    }
}
