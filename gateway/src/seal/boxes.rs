//! Secrets into boxes and out of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto_box::aead::rand_core::{CryptoRng, Error, RngCore};
use hmac::{Hmac, KeyInit as _, Mac as _};
use millrace_kernel::Sealed;
use millrace_kernel::sealed::OVERHEAD_BYTES;
use sha2::Sha256;
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use super::keys::{PrivateKeys, PublicKey};
use super::secret::SecretText;

/// What the numbers are made for that take the place of random ones.
const LABEL: &[u8] = b"millrace sealed field 1\0";

/// A secret that is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boxed {
    /// The box.
    pub sealed: Sealed,
    /// By what the secret can be told from others: HMAC-SHA-256 of it, keyed with the public key, in base64url.
    pub fingerprint: String,
}

/// Why a box stays closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Closed {
    /// It is too short to hold anything.
    #[error("it is cut off: a sealed box has more than {OVERHEAD_BYTES} bytes, and this one has {0}")]
    Short(usize),
    /// None of the keys opens it.
    #[error("it was sealed for another key, or is not as it was made")]
    OtherKey,
}

impl PublicKey {
    /// Seals a secret of the command of this id. The same comes of the same, wherever it is done.
    #[must_use]
    pub fn seal(&self, command_id: &str, secret: &SecretText) -> Boxed {
        let key = self.0.as_bytes();
        let mut numbers = Numbers::of(secret, command_id, key);
        // a stream cipher over memory: there is nothing that could fail
        let sealed = self.0.seal(&mut numbers, secret.open()).unwrap_or_else(|_| unreachable!());
        let fingerprint =
            URL_SAFE_NO_PAD.encode(keyed(key).chain_update(secret.open()).finalize().into_bytes());
        Boxed { sealed: Sealed::new(sealed), fingerprint }
    }
}

impl PrivateKeys {
    /// What is in a box.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn open(&self, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, Closed> {
        let bytes = sealed.as_bytes();
        if bytes.len() <= OVERHEAD_BYTES {
            return Err(Closed::Short(bytes.len()));
        }
        let opened = self.0.iter().find_map(|key| key.unseal(bytes).ok());
        opened.map(Zeroizing::new).ok_or(Closed::OtherKey)
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // keys of any length are taken, so this cannot fail
    Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!())
}

/// Numbers that nobody can tell from random ones who does not know the secret: HMAC-SHA-256 of command id, public key and a
/// counter, keyed with the secret.
struct Numbers {
    mac: Hmac<Sha256>,
    counter: u32,
}

impl Numbers {
    fn of(secret: &SecretText, command_id: &str, key: &[u8]) -> Self {
        // the label ends with a zero byte and the key has a fixed length, so nothing else reads alike
        let mac = keyed(secret.open()).chain_update(LABEL).chain_update(command_id).chain_update(key);
        Self { mac, counter: 0 }
    }
}

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
        for part in dest.chunks_mut(32) {
            let mut block: [u8; 32] =
                self.mac.clone().chain_update(self.counter.to_le_bytes()).finalize().into_bytes().into();
            part.copy_from_slice(&block[..part.len()]);
            block.zeroize();
            self.counter += 1;
        }
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

/// The first block is the whole of what a box takes, and who knows the secret needs not guess it.
impl CryptoRng for Numbers {}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use crypto_box::SecretKey;

    use super::super::keys::{KeyPair, PublicKeys};
    use super::*;

    const TOKEN: &str = "hunter2hunter2hunter2";

    fn secret(text: &str) -> SecretText {
        SecretText::new(text.to_owned()).expect("a secret")
    }

    fn pair(byte: u8) -> (SecretKey, PublicKey) {
        let private = SecretKey::from([byte; 32]);
        let public = PublicKey(private.public_key());
        (private, public)
    }

    #[test]
    fn a_box_opens_as_any_sealed_box_does() {
        let (private, public) = pair(7);
        for text in [TOKEN, "ü und 🐦, und noch mehr", &"x".repeat(4_048)] {
            let boxed = public.seal("c1", &secret(text));
            assert_eq!(private.unseal(boxed.sealed.as_bytes()).unwrap(), text.as_bytes());
            assert!(boxed.sealed.may_be_a_box());
        }
        // and what any program seals, we open
        let theirs = public.0.seal(&mut crypto_box::aead::OsRng, TOKEN.as_bytes()).unwrap();
        let opened = PrivateKeys(vec![private]).open(&Sealed::new(theirs)).unwrap();
        assert_eq!(*opened, TOKEN.as_bytes());
    }

    #[test]
    fn the_same_comes_of_the_same_and_of_nothing_else() {
        let ((_, public), (_, other)) = (pair(7), pair(8));
        let boxed = public.seal("c1", &secret(TOKEN));
        let again = PublicKeys::read(&format!("public {}", public.to_base64())).unwrap();
        assert_eq!(again.newest().unwrap().seal("c1", &secret(TOKEN)), boxed, "another gateway");
        let others = [
            public.seal("c2", &secret(TOKEN)),
            public.seal("c1", &secret("hunter2hunter2hunter3")),
            other.seal("c1", &secret(TOKEN)),
        ];
        let ephemeral = |boxed: &Boxed| boxed.sealed.as_bytes()[..32].to_vec();
        assert!(others.iter().all(|it| ephemeral(it) != ephemeral(&boxed)), "no number is used twice");
        assert_eq!(others[0].fingerprint, boxed.fingerprint, "one secret has one fingerprint for one key");
        assert!(others[1..].iter().all(|it| it.fingerprint != boxed.fingerprint));
    }

    /// Whatever makes these bytes others would have retries answered as another command.
    #[test]
    fn the_bytes_stay_what_they_are() {
        let (_, public) = pair(7);
        let boxed = public.seal("c1", &secret(TOKEN));
        assert_eq!(
            boxed.sealed.to_string(),
            "7iTasHHVA7ZuJMd122Ob8CW67YtbYzsJo27wviB2aUpkgpHGtA7x1YvaLnh76FAiqpDrZFKCxW6Ev3UuOuwvsIXU5uj5"
        );
        // python3: base64url(hmac(public_key, b"hunter2hunter2hunter2", sha256))
        assert_eq!(boxed.fingerprint, "J-C9f2D9tgb95b3SiXl63v1MuhcBMzB9nWhg2Zl523o");
        assert_eq!(STANDARD.encode(public.0.as_bytes()), "E75P6uryBMf9M1j8nAByGIHRdCeBKCJ+xnTzf3/pe20=");
    }

    #[test]
    fn a_box_that_is_cut_or_of_another_key_stays_closed() {
        let pair = KeyPair::generate();
        let boxed = pair.public().seal("c1", &secret(TOKEN));
        let other = PrivateKeys::read(&KeyPair::generate().private_file()).unwrap();
        assert_eq!(other.open(&boxed.sealed).unwrap_err(), Closed::OtherKey);
        let own = PrivateKeys::read(&pair.private_file()).unwrap();
        let bytes = boxed.sealed.as_bytes();
        for cut in 0..bytes.len() {
            let error = own.open(&Sealed::new(&bytes[..cut])).unwrap_err();
            assert_eq!(matches!(error, Closed::Short(_)), cut <= 48, "{cut}");
        }
        let both = format!("{}{}", &*KeyPair::generate().private_file(), &*pair.private_file());
        assert_eq!(*PrivateKeys::read(&both).unwrap().open(&boxed.sealed).unwrap(), TOKEN.as_bytes());
        assert!(!format!("{boxed:?}").contains("hunter2"));
    }
}
