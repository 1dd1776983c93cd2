//! Places in a JSON document: dotted for people, as pointers (RFC 6901) for programs.

use std::fmt::Write as _;

/// How much of a name that is not known is repeated where that is said, in characters.
const SHORT: usize = 40;

/// The way to a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// Where the document's checked part begins: its pointer, and its name for people, which may be empty.
    Root(&'a str, &'a str),
    /// A member of an object.
    Member(&'a Place<'a>, &'a str),
    /// An item of a list.
    Item(&'a Place<'a>, usize),
}

impl Place<'_> {
    /// For people: `lines[0].amount`, `metadata.user_id`.
    pub(super) fn dotted(&self) -> String {
        match self {
            Self::Root(_, name) => (*name).to_owned(),
            Self::Member(parent, name) => match parent.dotted() {
                parent if parent.is_empty() => short(name),
                parent => format!("{parent}.{}", short(name)),
            },
            Self::Item(parent, index) => format!("{}[{index}]", parent.dotted()),
        }
    }

    /// For programs: `/data/lines/0/amount`.
    pub(super) fn pointer(&self) -> String {
        match self {
            Self::Root(pointer, _) => (*pointer).to_owned(),
            Self::Member(parent, name) => format!("{}/{}", parent.pointer(), escaped(name)),
            Self::Item(parent, index) => format!("{}/{index}", parent.pointer()),
        }
    }

    /// The member that it is, or is in.
    pub(super) fn member(&self) -> Option<&str> {
        match self {
            Self::Root(..) => None,
            Self::Member(_, name) => Some(name),
            Self::Item(parent, _) => parent.member(),
        }
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The pointer to what a violation calls `field`: `lines[0].amount` is `/data/lines/0/amount`, `metadata.user_id` is
/// `/metadata/user_id`, and `data` all of it.
#[must_use]
pub fn pointer_to_field(field: &str) -> String {
    let of_envelope = field == "data" || field == "metadata" || field.starts_with("metadata.");
    let mut pointer = if of_envelope { String::new() } else { "/data".to_owned() };
    for part in field.split(['.', '[']).map(|part| part.trim_end_matches(']')) {
        pointer.push('/');
        pointer.push_str(&escaped(part));
    }
    pointer
}

/// As much of `text` as an error repeats of it, without characters that a terminal obeys.
#[must_use]
pub fn short(text: &str) -> String {
    let mut shown = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == SHORT {
            shown.push('…');
            break;
        }
        match character.is_control() {
            // a String takes everything
            true => drop(write!(shown, "{}", character.escape_unicode())),
            false => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_in_both_ways() {
        let root = Place::Root("/data", "");
        let list = Place::Member(&root, "a/b~");
        let item = Place::Item(&list, 3);
        let inner = Place::Member(&item, "x");
        assert_eq!((inner.dotted().as_str(), inner.pointer().as_str()), ("a/b~[3].x", "/data/a~1b~0/3/x"));
        assert_eq!((item.member(), root.member()), (Some("a/b~"), None));
        let metadata = Place::Root("/metadata", "metadata");
        let user = Place::Member(&metadata, "user_id");
        assert_eq!(
            (user.dotted().as_str(), user.pointer().as_str()),
            ("metadata.user_id", "/metadata/user_id")
        );
    }

    #[test]
    fn a_field_of_a_violation_has_a_pointer() {
        for (field, pointer) in [
            ("content", "/data/content"),
            ("lines[0].amount", "/data/lines/0/amount"),
            ("metadata.issued_at", "/metadata/issued_at"),
            ("data", "/data"),
        ] {
            assert_eq!(pointer_to_field(field), pointer);
        }
    }

    #[test]
    fn no_more_is_repeated_than_helps() {
        assert_eq!(short("content"), "content");
        assert_eq!(short("a\u{1b}[31m"), "a\\u{1b}[31m");
        assert_eq!(short(&"ü".repeat(100)), format!("{}…", "ü".repeat(40)));
    }
}
