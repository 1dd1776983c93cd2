//! How long the texts of a command may be and which of its secrets are sealed, as its schema says, and decisions that keep to
//! it.

use crate::aggregate::StateReader;
use crate::domain::Domain;
use crate::message::{Command, Stamp};
use crate::rejection::codes::{INVALID_ARGUMENT, NOT_PERMITTED};
use crate::rejection::{Rejections, Violation};
use crate::sealed::{
    FINGERPRINT_LENGTH, LEAST_SECRET_BYTES, MOST_SECRET_BYTES, OVERHEAD_BYTES, Sealed, is_fingerprint,
};

/// What the schema of a command says of one of its texts, for those who tell others. Whether a text keeps to it is decided
/// with the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextRule {
    /// The command.
    pub command: &'static str,
    /// The field; with dots between the names of a record in a record. Each text of a list is of the list's name.
    pub field: &'static str,
    /// How many Unicode scalar values it has at most.
    pub most: usize,
    /// Whether it is an [id](crate::id).
    pub is_id: bool,
}

/// A union of commands whose texts have limits, generated from `maxLength`, the ids and what is `sealed` in their schema.
pub trait Limited {
    /// The fields of this command, in the schema's order.
    fn fields(&self) -> &'static [&'static str];

    /// Shows every text of this command to `lengths`, and every sealed secret.
    fn measure(&self, lengths: &mut Lengths);
}

/// Which fields are not as the schema wants them: texts that are longer than they may be, and secrets that are not sealed.
#[derive(Debug, Default)]
pub struct Lengths(Vec<(&'static str, Wrong)>);

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// It has more than so many characters.
    Long(usize),
    /// It is no sealed box.
    Open,
    /// It is no fingerprint.
    NoFingerprint,
}

impl Wrong {
    /// In words, which never repeat what was sent: it may be the secret itself.
    fn message(self, field: &str) -> String {
        match self {
            Self::Long(most) => format!("{field} is too long; write at most {most} characters"),
            Self::Open => format!(
                "{field} is no sealed box, which is {OVERHEAD_BYTES} bytes longer than a secret of {LEAST_SECRET_BYTES} to {MOST_SECRET_BYTES} bytes; seal the secret to the \
                 public key that GET /v1/keys tells, or have a gateway seal it"
            ),
            Self::NoFingerprint => format!(
                "{field} is no fingerprint, which has {FINGERPRINT_LENGTH} characters: HMAC-SHA-256 of the secret, keyed with \
                 the public key, in base64url without padding"
            ),
        }
    }
}

impl Lengths {
    /// Looks at the text in `field`, of which at most `most` Unicode scalar values are allowed. A field that has
    /// several texts is named once. Nothing is allocated for a text that is short enough.
    #[inline]
    pub fn text(&mut self, field: &'static str, text: &str, most: usize) {
        // so many bytes are at most as many characters
        if text.len() > most && text.chars().nth(most).is_some() {
            self.add(field, Wrong::Long(most));
        }
    }

    /// Looks at the sealed secret in `field`.
    #[inline]
    pub fn sealed(&mut self, field: &'static str, sealed: &Sealed) {
        if !sealed.may_be_a_box() {
            self.add(field, Wrong::Open);
        }
    }

    /// Looks at the fingerprint in `field`: what is none may be a secret that somebody has put into the wrong place.
    #[inline]
    pub fn fingerprint(&mut self, field: &'static str, text: &str) {
        if !is_fingerprint(text) {
            self.add(field, Wrong::NoFingerprint);
        }
    }

    fn add(&mut self, field: &'static str, wrong: Wrong) {
        if self.0.iter().all(|(it, _)| *it != field) {
            self.0.push((field, wrong));
        }
    }

    /// The fields that are not as they should be.
    #[must_use]
    pub fn longer(&self) -> Vec<&'static str> {
        self.0.iter().map(|(field, _)| *field).collect()
    }

    /// Adds what is too long to what else was violated: each by its field's place in `fields`, and not where the
    /// domain has already said that the field is malformed, as one rule gives one violation.
    fn add_to(self, violations: &mut Vec<Violation>, fields: &[&str]) {
        let place = |field: &str| {
            let outermost = field.split('.').next().unwrap_or_default();
            fields.iter().position(|it| *it == outermost)
        };
        for (field, wrong) in self.0 {
            let is_said = |it: &Violation| it.code == INVALID_ARGUMENT && it.field.as_deref() == Some(field);
            if violations.iter().any(is_said) {
                continue;
            }
            let comes_later = |it: &Violation| {
                it.code != NOT_PERMITTED && it.field.as_deref().and_then(place) > place(field)
            };
            let at = violations.iter().position(comes_later).unwrap_or(violations.len());
            violations.insert(at, Violation::on(INVALID_ARGUMENT, field, wrong.message(field)));
        }
    }
}

/// Decides a command as everybody does who decides: by [`Domain::decide`], and refused as well where a text is longer
/// than the schema allows or a secret is not sealed. Then also what else is wrong is said.
///
/// # Errors
/// All violations, `NotPermitted` first, then by field in the schema's order.
pub fn decide<D: Domain>(
    states: &impl StateReader<State = D::State>,
    command: &Command<D::Command>,
    stamp: Stamp,
) -> Result<Vec<D::Event>, Rejections> {
    let mut lengths = Lengths::default();
    command.data.measure(&mut lengths);
    let decided = D::decide(states, command, stamp);
    if lengths.0.is_empty() {
        return decided;
    }
    let mut violations = decided.err().map(Rejections::into_violations).unwrap_or_default();
    lengths.add_to(&mut violations, command.data.fields());
    Err(Rejections::from(violations))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [&str; 3] = ["a", "b", "c"];

    fn merged(texts: &[(&'static str, &str, usize)], before: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut lengths = Lengths::default();
        texts.iter().for_each(|(field, text, most)| lengths.text(field, text, *most));
        let mut all: Vec<Violation> =
            before.iter().map(|(code, field)| Violation::on(code, field, "")).collect();
        lengths.add_to(&mut all, &FIELDS);
        all.into_iter().map(|it| (it.code, it.field.unwrap_or_default())).collect()
    }

    fn rows(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(code, field)| ((*code).to_owned(), (*field).to_owned())).collect()
    }

    #[test]
    fn characters_count_and_not_bytes() {
        assert_eq!(merged(&[("a", "äöü🐦", 4)], &[]), []);
        assert_eq!(merged(&[("a", "äöü🐦x", 4)], &[]), rows(&[(INVALID_ARGUMENT, "a")]));
        assert_eq!(merged(&[("a", "", 0)], &[]), []);
    }

    #[test]
    fn what_is_not_sealed_is_refused_and_not_repeated() {
        let mut lengths = Lengths::default();
        lengths.sealed("b", &Sealed::new(*b"hunter2hunter2hunter2"));
        lengths.fingerprint("a", "hunter2hunter2hunter2");
        lengths.sealed("c", &Sealed::new([0; 64]));
        lengths.fingerprint("c", "B0zc-Ae-NCEyIaOK-eXWOBItVmcqm5JtGhmahEYydC0");
        let mut all = Vec::new();
        lengths.add_to(&mut all, &FIELDS);
        let said: Vec<_> = all.iter().map(|it| (&*it.code, it.field.as_deref())).collect();
        assert_eq!(said, [(INVALID_ARGUMENT, Some("a")), (INVALID_ARGUMENT, Some("b"))]);
        assert!(all[1].message.contains("/v1/keys"), "{}", all[1].message);
        assert!(all.iter().all(|it| !it.message.contains("hunter2")), "{all:?}");
    }

    #[test]
    fn what_is_too_long_stands_in_the_schemas_order_and_once() {
        let long = [("b", "xx", 1), ("b", "xxx", 1)];
        let before = [(NOT_PERMITTED, "metadata.user_id"), ("NotFound", "a"), ("InvalidState", "c")];
        let after = [before[0], before[1], (INVALID_ARGUMENT, "b"), before[2]];
        assert_eq!(merged(&long, &before), rows(&after));
        let said = [("NotFound", "a"), (INVALID_ARGUMENT, "b")];
        assert_eq!(merged(&long, &said), rows(&said), "one rule gives one violation");
        let nested = [("b.inner", "xx", 1)];
        assert_eq!(
            merged(&nested, &before[1..]),
            rows(&[before[1], (INVALID_ARGUMENT, "b.inner"), before[2]])
        );
    }
}
