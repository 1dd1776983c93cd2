//! Rules that several commands share, each with the message that says what would be right.

use millrace_kernel::codes::{INVALID_ARGUMENT, NOT_FOUND, NOT_PERMITTED};
use millrace_kernel::text::{self, TextKind};
use millrace_kernel::{Rejections, Violation, id};

/// Reasons that only chirp has. Append-only, like the kernel's.
pub mod codes {
    /// The follower follows the followee already.
    pub const ALREADY_FOLLOWING: &str = "AlreadyFollowing";
    /// The follower does not follow the followee.
    pub const NOT_FOLLOWING: &str = "NotFollowing";
}

/// Most characters of a chirp, in Unicode scalar values.
pub const MAX_CONTENT_CHARS: usize = 280;

/// The acting user, where one is named, must be the `owner`, who stands in `field`.
///
/// Compares the texts as they are, so it holds or not whatever else is wrong with the owner.
pub fn permitted(rejections: &mut Rejections, actor: Option<&str>, field: &str, owner: &str) {
    rejections.require(actor.is_none_or(|actor| actor == owner), || {
        Violation::on(
            NOT_PERMITTED,
            "metadata.user_id",
            format!(
                "only the user named in {field} may do this; leave metadata.user_id out to act for anyone"
            ),
        )
    });
}

/// `value` must be an id. Returns whether it is: rules that need it are skipped otherwise.
pub fn well_formed(rejections: &mut Rejections, field: &str, value: &str) -> bool {
    rejections.require(id::is_valid(value), || {
        Violation::on(INVALID_ARGUMENT, field, format!("{field} is not an id: {}", id::ID_RULE))
    })
}

/// There must be a user of this id, which is well-formed.
pub fn user_exists(rejections: &mut Rejections, field: &str, user_id: &str, exists: bool) -> bool {
    rejections.require(exists, || {
        Violation::on(NOT_FOUND, field, format!("there is no user {user_id}; register the user first"))
    })
}

/// A chirp's text must say something and not too much, without control characters.
pub fn content(rejections: &mut Rejections, content: &str) {
    let violation = |problem: &str| Violation::on(INVALID_ARGUMENT, "content", format!("content {problem}"));
    // one more than allowed is enough to know, however long the text is
    if content.chars().take(MAX_CONTENT_CHARS + 1).all(char::is_whitespace) {
        let problem = format!("is blank; write 1 to {MAX_CONTENT_CHARS} characters, not only white space");
        rejections.push(violation(&problem));
    } else if let Some(problem) = text::problem(content, MAX_CONTENT_CHARS, TextKind::Prose) {
        rejections.push(violation(&problem));
    }
}
