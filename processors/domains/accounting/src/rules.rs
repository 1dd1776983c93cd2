//! What several commands and steps share: rules, each with the message that says what would be right.

use millrace_kernel::codes::INVALID_ARGUMENT;
use millrace_kernel::{Rejections, Violation};

use crate::currency;

/// Reasons that only accounting has. Append-only, like the kernel's.
pub mod codes {
    /// Less is available than is asked for; what is reserved for transfers is not available.
    pub const INSUFFICIENT_FUNDS: &str = "InsufficientFunds";
    /// The balance would be more than a signed 64-bit number can hold; or it could be, where the amount is so large that
    /// the answer would tell the acting user what is in somebody else's account.
    pub const OVERFLOW: &str = "Overflow";
}

/// The most that an acting user may pay into an account of somebody else at once. Whether an amount still fits into an account
/// says what is in it, to the last cent, to who may try amounts as large as they like. Up to this one, it says
/// something only of a balance that is within this much of the greatest there can be.
pub const MOST_FOR_ANOTHER: i64 = 1_000_000_000_000_000;

/// `amount` must not be so large that the answer would tell what is in somebody else's account. Returns whether it is not.
pub fn for_another(rejections: &mut Rejections, amount: i64) -> bool {
    rejections.require(amount <= MOST_FOR_ANOTHER, || {
        let message = format!(
            "amount must not be more than {MOST_FOR_ANOTHER} minor units (cents), the most that goes to another account at once; make several of it"
        );
        Violation::on(codes::OVERFLOW, "amount", message)
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
