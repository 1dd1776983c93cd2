//! Secrets of commands, sealed so that only the holder of the private key can read them.
//!
//! A sealed box is libsodium's (`crypto_box_seal`), so any program can make and open one. What is our own is where the ephemeral
//! key comes from: out of the secret and the command, not out of a generator of random numbers, so that whoever sends a command
//! again, through another gateway too, sends the same bytes. `docs/decisions/0036-sealed-fields.md` says why that is safe.
//!
//! | to find out | open |
//! |---|---|
//! | what holds a secret, and shows it to nobody | `secret.rs` |
//! | keys, their files and their names | `keys.rs` |
//! | how a secret is sealed, told by its fingerprint, and opened | `boxes.rs` |

mod boxes;
mod keys;
mod secret;

pub use boxes::{Boxed, Closed};
pub use keys::{ALGORITHM, KeyPair, PrivateKeys, PublicKey, PublicKeys};
pub use secret::{SecretText, WrongLength};
