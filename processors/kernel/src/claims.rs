//! What a token says of who sends a command, and the command says as well: `"claim"` in the schema of commands.
//!
//! An issuer vouches for what stands in its tokens (OpenID Connect Core 1.0 §5.1). Where a command has it, a gateway fills it in
//! for somebody who signs in, and lets nobody say of themselves what their token does not say.

/// The claim that stands for the acting user's id, which is no claim of a token.
pub const ACTING_USER: &str = "user";
/// What the name of a claim ends with that says whether the issuer vouches for another one.
pub const VERIFIED: &str = "_verified";

/// A field of a command, and the claim of a token that says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimRule {
    /// The command.
    pub command: &'static str,
    /// Its field.
    pub field: &'static str,
    /// The claim, or [`ACTING_USER`].
    pub claim: &'static str,
}

impl ClaimRule {
    /// The claim for which the issuer vouches where this one is true.
    #[must_use]
    pub fn vouches_for(&self) -> Option<&'static str> {
        self.claim.strip_suffix(VERIFIED)
    }
}
