//! Rules that several commands share, each with the message that says what would be right.

use millrace_kernel::codes::NOT_FOUND;
use millrace_kernel::{Rejections, Violation};

/// Reasons that only chirp has. Append-only, like the kernel's.
pub mod codes {
    /// The follower follows the followee already.
    pub const ALREADY_FOLLOWING: &str = "AlreadyFollowing";
    /// The follower does not follow the followee.
    pub const NOT_FOLLOWING: &str = "NotFollowing";
}

/// There must be a user of this id, which is well-formed.
pub fn user_exists(rejections: &mut Rejections, field: &str, user_id: &str, exists: bool) -> bool {
    rejections.require(exists, || {
        Violation::on(NOT_FOUND, field, format!("there is no user {user_id}; register the user first"))
    })
}
