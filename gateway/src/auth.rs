//! Who asks.

use axum::http::HeaderMap;
use millrace_kernel::{Text, id};

use crate::http::problem::Problem;

/// How it is known who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authenticator {
    /// Nobody is asked for a name, and what a command says of its user is believed: for loopback alone.
    #[default]
    None,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Principal {
    /// Somebody on this machine.
    Anyone,
}

impl Authenticator {
    /// Who asks with these headers.
    ///
    /// # Errors
    /// The answer to somebody who is not known.
    pub(crate) fn principal(&self, _headers: &HeaderMap) -> Result<Principal, Problem> {
        match self {
            Self::None => Ok(Principal::Anyone),
        }
    }
}

impl Principal {
    /// The id of the command that this principal means by `key`: the same at every gateway, and never that of another
    /// principal.
    #[must_use]
    pub fn command_id(&self, key: &str) -> Text {
        match self {
            Self::Anyone if id::is_valid(key) => key.into(),
            Self::Anyone => id::of_bytes(format!("/key/{key}").as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_an_id_is_used_as_it_is() {
        assert_eq!(Principal::Anyone.command_id("order-1"), *"order-1");
        let derived = Principal::Anyone.command_id("no id, but a key");
        assert_eq!(derived, Principal::Anyone.command_id("no id, but a key"));
        assert!(id::is_valid(&derived));
        assert_ne!(derived, Principal::Anyone.command_id("no id, but another"));
    }
}
