//! What holds a secret from when it is read to when it is sealed.

use std::fmt;

use millrace_kernel::sealed::{LEAST_SECRET_BYTES, MOST_SECRET_BYTES};
use thiserror::Error;
use zeroize::Zeroizing;

/// A secret that is to be sealed. It is wiped from memory when it goes, and nothing prints it.
pub struct SecretText(Zeroizing<String>);

/// A secret that is too short to be safe, or too long for a command. It is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a secret has {LEAST_SECRET_BYTES} to {MOST_SECRET_BYTES} bytes, and this one has {0}; a shorter one could be guessed"
)]
pub struct WrongLength(usize);

impl SecretText {
    /// This secret.
    ///
    /// # Errors
    /// [`WrongLength`].
    pub fn new(text: String) -> Result<Self, WrongLength> {
        let text = Zeroizing::new(text);
        match (LEAST_SECRET_BYTES..=MOST_SECRET_BYTES).contains(&text.len()) {
            true => Ok(Self(text)),
            false => Err(WrongLength(text.len())),
        }
    }

    /// The secret, for whoever seals it.
    pub(super) fn open(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Takes the secret out, for a message that is sealed where it is sent to.
    pub(crate) fn into_text(self) -> String {
        String::clone(&self.0)
    }
}

/// Never the secret.
impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nothing_and_is_long_enough() {
        let secret = SecretText::new("hunter2hunter2hunter2".to_owned()).unwrap();
        assert_eq!(format!("{secret:?}"), "(secret)");
        for bytes in [0, 15, 4_049] {
            let error = SecretText::new("x".repeat(bytes)).unwrap_err();
            assert!(error.to_string().contains("16 to 4048 bytes"), "{error}");
            assert!(!format!("{error} {error:?}").contains("xx"), "{error}");
        }
        // bytes count, and not characters
        SecretText::new("ü".repeat(8)).unwrap();
    }
}
