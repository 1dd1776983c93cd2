//! Keys and tokens for development, as `millrace token` makes them.

use std::fmt;

use jsonwebtoken::{EncodingKey, Header, encode};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use serde_json::{Value as Json, json};

use super::crypto;

/// A private key that signs tokens.
pub struct SigningKey {
    key: PKey<Private>,
}

/// What a token says.
#[derive(Clone, Debug)]
pub struct Claims<'a> {
    /// Who makes it.
    pub issuer: &'a str,
    /// Whom it is for.
    pub audience: &'a str,
    /// The user.
    pub user: &'a str,
    /// The user's roles.
    pub roles: &'a [String],
    /// When it is made, in seconds since the epoch.
    pub issued_at: i64,
    /// Until when it is valid, in seconds since the epoch.
    pub expires_at: i64,
    /// What else it says of the user; none of the above.
    pub more: &'a [(String, Json)],
}

impl SigningKey {
    /// A new key, Ed25519.
    ///
    /// # Errors
    /// The library refuses.
    pub fn generate() -> Result<Self, String> {
        PKey::generate_ed25519().map(|key| Self { key }).map_err(words)
    }

    /// Reads a private key in PEM: RSA, P-256, P-384 or Ed25519, not encrypted.
    ///
    /// # Errors
    /// Why it is none.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        // without this the library asks for the password at the terminal
        let no_password = |_: &mut [u8]| Ok(0);
        let key = PKey::private_key_from_pem_callback(pem, no_password)
            .map_err(|error| format!("no private key in PEM without a password: {}", words(error)))?;
        crypto::algorithms_of(&key)?;
        Ok(Self { key })
    }

    /// The private key in PEM.
    ///
    /// # Errors
    /// The library refuses.
    pub fn private_pem(&self) -> Result<Vec<u8>, String> {
        self.key.private_key_to_pem_pkcs8().map_err(words)
    }

    /// The public key in PEM, for gateways.
    ///
    /// # Errors
    /// The library refuses.
    pub fn public_pem(&self) -> Result<Vec<u8>, String> {
        self.key.public_key_to_pem().map_err(words)
    }

    /// A token.
    ///
    /// # Errors
    /// The library refuses.
    pub fn token(&self, claims: &Claims) -> Result<String, String> {
        let Claims { issuer, audience, user, roles, issued_at, expires_at, more } = claims;
        let mut said = json!({
            "iss": issuer, "aud": audience, "sub": user, "roles": roles, "iat": issued_at, "exp": expires_at,
        });
        for (name, value) in *more {
            said[name] = value.clone();
        }
        self.sign(&said)
    }

    fn sign(&self, claims: &Json) -> Result<String, String> {
        crypto::install();
        let algorithms = crypto::algorithms_of(&self.key)?;
        let key: EncodingKey = crypto::encoding_key(&self.key).map_err(words)?;
        let first = algorithms.first().ok_or("the key signs nothing")?;
        encode(&Header::new(*first), claims, &key).map_err(|error| error.to_string())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kind", &self.key.id()).finish_non_exhaustive()
    }
}

fn words(error: ErrorStack) -> String {
    let reasons: Vec<&str> = error.errors().iter().filter_map(openssl::error::Error::reason).collect();
    reasons.join(", ")
}
