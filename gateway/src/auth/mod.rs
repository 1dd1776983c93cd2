//! How it is known who asks.

mod principal;

use axum::http::HeaderMap;

pub use self::principal::{Known, Principal};
use crate::http::problem::Problem;

/// How it is known who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authenticator {
    /// Nobody is asked for a name, and what a command says of its user is believed: for loopback alone.
    #[default]
    None,
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
