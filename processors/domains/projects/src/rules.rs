//! Rules for what commands say of projects and tasks, each with the message that says what would be right.

use std::collections::BTreeSet;

use millrace_kernel::codes::INVALID_ARGUMENT;
use millrace_kernel::text::{TextKind, control_character};
use millrace_kernel::{Rejections, Text, Violation};

/// Most columns of a board.
pub const MAX_COLUMNS: usize = 50;
/// Most characters of a rank.
const MAX_RANK: usize = 64;

/// `prefix` must be 2 to 6 upper-case letters.
pub(crate) fn prefix(rejections: &mut Rejections, prefix: &str) {
    let holds = (2..=6).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_uppercase());
    rejections
        .require(holds, || Violation::on(INVALID_ARGUMENT, "prefix", "prefix is not 2 to 6 letters of A-Z"));
}

/// `description` must be prose, or empty.
pub(crate) fn description(rejections: &mut Rejections, description: &str) {
    if !description.is_empty() {
        rejections.prose("description", description);
    }
}

/// `column_order` must be 1 to 50 different columns.
pub(crate) fn column_order(rejections: &mut Rejections, columns: &[Text]) {
    let is_name = |column: &Text| {
        !column.chars().all(char::is_whitespace) && control_character(column, TextKind::Line).is_none()
    };
    let is_different = columns.iter().collect::<BTreeSet<_>>().len() == columns.len();
    let holds = (1..=MAX_COLUMNS).contains(&columns.len()) && is_different && columns.iter().all(is_name);
    rejections.require(holds, || {
        let message = format!(
            "column_order is not 1 to {MAX_COLUMNS} different names, each one line that is not blank"
        );
        Violation::on(INVALID_ARGUMENT, "column_order", message)
    });
}

/// `rank` must be 1 to 64 characters, whose order is that of their bytes.
pub(crate) fn rank(rejections: &mut Rejections, rank: &str) {
    let holds = (1..=MAX_RANK).contains(&rank.len()) && rank.bytes().all(|byte| byte.is_ascii_alphanumeric());
    rejections.require(holds, || {
        Violation::on(INVALID_ARGUMENT, "rank", "rank is not 1 to 64 characters of 0-9 A-Z a-z")
    });
}
