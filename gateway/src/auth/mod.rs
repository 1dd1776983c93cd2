//! How it is known who asks.
//!
//! | to find out | open |
//! |---|---|
//! | who asks, as far as anything depends on it | `principal.rs` |
//! | where credentials stand in a request, and the answers to whoever is not known | `bearer.rs` |
//! | which tokens are taken, and whose they are | `tokens.rs` |
//! | the keys of an issuer, read again while the gateway runs | `issuer.rs`, `keys.rs` |
//! | how signatures are checked and made | `crypto.rs` |
//! | keys and tokens for development | `make.rs` |

mod bearer;
mod crypto;
mod issuer;
mod keys;
pub mod make;
mod principal;
mod tokens;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use millrace_runtime::{Health, Stop};

pub use self::issuer::{Issuer, KeySource, ROLE as KEYS_ROLE};
pub use self::keys::LONGEST_SET;
pub use self::principal::{Claims, Known, Principal};
pub use self::tokens::{MOST_LEEWAY, Rules, Tokens};

/// How it is known who asks.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Authenticator {
    /// Nobody is asked for a name, and what a command says of its user is believed: for loopback alone.
    #[default]
    None,
    /// By the token of an issuer that is trusted.
    Jwt(Arc<Tokens>),
}

impl Authenticator {
    /// What is to run beside the gateway, each on a thread of its own that ends with `stop`: the reader of the keys of an
    /// issuer, by its thread's name.
    pub(crate) fn keepers(
        &self,
    ) -> impl Iterator<Item = (String, impl FnOnce(&Health, &Stop) + Send + use<>)> + use<> {
        let issuers = match self {
            Self::None => Vec::new(),
            Self::Jwt(tokens) => tokens.issuers().to_vec(),
        };
        (0..).zip(issuers).map(|(number, issuer)| {
            (format!("keys.{number}"), move |health: &Health, stop: &Stop| issuer.keep(number, health, stop))
        })
    }
}
