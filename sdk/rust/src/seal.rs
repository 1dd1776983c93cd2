//! Secrets of commands, sealed before they are sent.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto_box::PublicKey;
use crypto_box::aead::rand_core::{CryptoRng, Error, RngCore};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const LABEL: &[u8] = b"millrace sealed field 1\0";
/// So many bytes a secret has: a shorter one could be guessed, and tried out by its fingerprint.
const LEAST: usize = 16;
const MOST: usize = 4048;

/// A secret that is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// For the field that says so.
    pub sealed: Vec<u8>,
    /// By what the secret is told from others, for the field beside it.
    pub fingerprint: String,
}

/// Seals a secret of the command of this id for a public key of the deployment, which has 32 bytes: libsodium's sealed box. The same
/// comes of the same, so a command that is sent again is the same command.
///
/// # Errors
/// What is wrong with the length of secret or key.
pub fn seal(public_key: &[u8], command_id: &str, secret: &[u8]) -> Result<Sealed, String> {
    let length = secret.len();
    if !(LEAST..=MOST).contains(&length) {
        return Err(format!(
            "a secret has {LEAST} to {MOST} bytes, not {length}: a short one could be guessed"
        ));
    }
    let bytes = <[u8; 32]>::try_from(public_key)
        .map_err(|_| format!("a public key has 32 bytes, not {}", public_key.len()))?;
    let mut numbers = Numbers(keyed(secret).chain_update(LABEL).chain_update(command_id).chain_update(bytes));
    let sealed = PublicKey::from(bytes).seal(&mut numbers, secret).map_err(|error| error.to_string())?;
    let fingerprint = URL_SAFE_NO_PAD.encode(keyed(&bytes).chain_update(secret).finalize().into_bytes());
    Ok(Sealed { sealed, fingerprint })
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // keys of any length are taken
    Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!())
}

/// What takes the place of random numbers, so that the same comes of the same: HMAC, keyed with the secret, whose first block is all
/// that a box takes.
struct Numbers(Hmac<Sha256>);

impl RngCore for Numbers {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        for (counter, part) in dest.chunks_mut(32).enumerate() {
            let block = self.0.clone().chain_update((counter as u32).to_le_bytes()).finalize().into_bytes();
            part.copy_from_slice(&block[..part.len()]);
        }
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

/// Who knows the secret needs not guess them.
impl CryptoRng for Numbers {}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// The gateway's own test has the same bytes, and those of the other languages.
    #[test]
    fn the_bytes_are_the_gateways() {
        let key = STANDARD.decode("E75P6uryBMf9M1j8nAByGIHRdCeBKCJ+xnTzf3/pe20=").unwrap();
        let found = seal(&key, "c1", b"hunter2hunter2hunter2").unwrap();
        let sealed =
            "7iTasHHVA7ZuJMd122Ob8CW67YtbYzsJo27wviB2aUpkgpHGtA7x1YvaLnh76FAiqpDrZFKCxW6Ev3UuOuwvsIXU5uj5";
        assert_eq!(STANDARD.encode(&found.sealed), sealed);
        assert_eq!(found.fingerprint, "J-C9f2D9tgb95b3SiXl63v1MuhcBMzB9nWhg2Zl523o");
        assert!(seal(&key, "c1", b"too short").is_err() && seal(&key[1..], "c1", &[0; 20]).is_err());
    }
}
