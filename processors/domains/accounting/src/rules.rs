//! What several commands and steps share: rules, each with the message that says what would be right.

use millrace_kernel::codes::INVALID_ARGUMENT;
use millrace_kernel::{Rejections, Violation};

use crate::currency;

/// Reasons that only accounting has. Append-only, like the kernel's.
pub mod codes {
    /// Less is available than is asked for; what is reserved for transfers is not available.
    pub const INSUFFICIENT_FUNDS: &str = "InsufficientFunds";
    /// The balance would be more than a signed 64-bit number can hold.
    pub const OVERFLOW: &str = "Overflow";
}

/// What amounts are counted in.
pub const MINOR_UNITS: &str = "minor units (cents)";

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
