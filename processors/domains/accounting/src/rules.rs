//! Rules that several commands and steps share, each with the message that says what would
//! be right.

use millrace_kernel::codes::{INVALID_ARGUMENT, NOT_PERMITTED};
use millrace_kernel::text::{self, MAX_REFERENCE_CHARS, TextKind};
use millrace_kernel::{Rejections, Violation, id};

use crate::currency;

/// Reasons that only accounting has. Append-only, like the kernel's.
pub mod codes {
    /// Less is available than is asked for; what is reserved for transfers is not available.
    pub const INSUFFICIENT_FUNDS: &str = "InsufficientFunds";
    /// The balance would be more than a signed 64-bit number can hold.
    pub const OVERFLOW: &str = "Overflow";
}

/// The acting user, where one is named, must be the `owner`.
pub fn permitted(rejections: &mut Rejections, actor: Option<&str>, owner: &str, whose: &str) {
    rejections.require(actor.is_none_or(|actor| actor == owner), || {
        Violation::on(
            NOT_PERMITTED,
            "metadata.user_id",
            format!("only {whose} may do this; leave metadata.user_id out to act for anyone"),
        )
    });
}

/// `value` must be an id. Returns whether it is: rules that need it are skipped otherwise.
pub fn well_formed(rejections: &mut Rejections, field: &str, value: &str) -> bool {
    rejections.require(id::is_valid(value), || {
        Violation::on(INVALID_ARGUMENT, field, format!("{field} is not an id: {}", id::ID_RULE))
    })
}

/// There must be something to move. Returns whether there is.
pub fn positive(rejections: &mut Rejections, amount: i64) -> bool {
    rejections.require(amount > 0, || {
        Violation::on(
            INVALID_ARGUMENT,
            "amount",
            format!("amount is {amount}; name a whole number of minor units (cents) above 0"),
        )
    })
}

/// `code` must be a currency that ISO 4217 knows.
pub fn known_currency(rejections: &mut Rejections, code: &str) {
    rejections.require(currency::is_known(code), || {
        Violation::on(
            INVALID_ARGUMENT,
            "currency",
            "currency is not a code of ISO 4217; write three capital letters such as EUR",
        )
    });
}

/// A payment's reference is one line and not too long.
pub fn reference(rejections: &mut Rejections, reference: &str) {
    if let Some(problem) = text::problem(reference, MAX_REFERENCE_CHARS, TextKind::Line) {
        rejections.push(Violation::on(INVALID_ARGUMENT, "reference", format!("reference {problem}")));
    }
}
