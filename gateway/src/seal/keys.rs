//! The keys for which secrets are sealed, as their files have them.
//!
//! A file has a line for each key, newest first, that says which kind it is: `public BASE64` or `private BASE64`. So nobody
//! publishes a private key by naming the wrong file. Lines that begin with `#` say nothing.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_box::SecretKey;
use crypto_box::aead::OsRng;
use openssl::derive::Deriver;
use openssl::pkey::{Id, PKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// What the keys are for, as `GET /v1/keys` says it.
pub const ALGORITHM: &str = "x25519-xsalsa20-poly1305-sealed-box";
/// How many keys a file has at most.
const MOST_KEYS: usize = 16;
/// How many bytes a key has.
pub(super) const KEY_BYTES: usize = 32;

/// A key for which secrets are sealed. Everybody may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(pub(super) crypto_box::PublicKey);

impl PublicKey {
    /// The key in base64.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bytes = STANDARD.decode(text).ok().and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
        let bytes = bytes.ok_or_else(|| format!("a key is {KEY_BYTES} bytes in base64"))?;
        // of a few numbers everybody knows the shared secret; OpenSSL refuses them
        match is_safe(&bytes) {
            true => Ok(Self(bytes.into())),
            false => Err("it is no public key: everybody could open what is sealed for it".to_owned()),
        }
    }

    /// What it is called: the first half of the SHA-256 of it, in hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> String {
        Sha256::digest(self.0.as_bytes())[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The key in base64.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0.as_bytes())
    }

    /// Its line in a file of public keys, with a comment.
    fn line(&self) -> String {
        format!(
            "# The key {}: secrets of commands are sealed for it.\npublic {}\n",
            self.id(),
            self.to_base64()
        )
    }
}

fn is_safe(public: &[u8; KEY_BYTES]) -> bool {
    let derived = || {
        let (public, own) = (PKey::public_key_from_raw_bytes(public, Id::X25519)?, PKey::generate_x25519()?);
        let mut deriver = Deriver::new(&own)?;
        deriver.set_peer(&public)?;
        deriver.derive_to_vec()
    };
    derived().is_ok()
}

/// The public keys of a deployment, newest first. Secrets are sealed for the newest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicKeys(Vec<PublicKey>);

impl PublicKeys {
    /// Reads a file of public keys.
    ///
    /// # Errors
    /// What is wrong in which line; what stands there is not shown.
    pub fn read(text: &str) -> Result<Self, String> {
        lines(text, "public", PublicKey::parse).map(Self)
    }

    /// The one for which secrets are sealed.
    #[must_use]
    pub fn newest(&self) -> Option<&PublicKey> {
        self.0.first()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[PublicKey] {
        &self.0
    }
}

/// The private keys that open what was sealed.
pub struct PrivateKeys(pub(super) Vec<SecretKey>);

impl PrivateKeys {
    /// Reads a file of private keys.
    ///
    /// # Errors
    /// What is wrong in which line; what stands there is not shown.
    pub fn read(text: &str) -> Result<Self, String> {
        let parse = |text: &str| {
            let bytes = Zeroizing::new(STANDARD.decode(text).unwrap_or_default());
            SecretKey::from_slice(&bytes).map_err(|_| format!("a key is {KEY_BYTES} bytes in base64"))
        };
        lines(text, "private", parse).map(Self)
    }

    /// The file of their public keys, in the same order.
    #[must_use]
    pub fn public_file(&self) -> String {
        self.0.iter().map(|key| PublicKey(key.public_key()).line()).collect()
    }
}

impl fmt::Debug for PrivateKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKeys({})", self.0.len())
    }
}

/// A private key, and its public one.
pub struct KeyPair(SecretKey);

impl KeyPair {
    /// A new one, made of the system's random numbers.
    #[must_use]
    pub fn generate() -> Self {
        Self(SecretKey::generate(&mut OsRng))
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.public_key())
    }

    /// The file of the private key.
    #[must_use]
    pub fn private_file(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(STANDARD.encode(Zeroizing::new(self.0.to_bytes())));
        let id = self.public().id();
        Zeroizing::new(format!("# Opens what was sealed for the key {id}.\nprivate {}\n", &*key))
    }

    /// The file of the public key.
    #[must_use]
    pub fn public_file(&self) -> String {
        self.public().line()
    }
}

/// The keys in the lines of a file.
fn lines<T>(text: &str, word: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = |why: &str| format!("line {}: {why}", index + 1);
        let mut words = line.split_whitespace();
        let key = match (words.next(), words.next(), words.next()) {
            (Some(found), Some(key), None) if found == word => key,
            (Some("private"), Some(_), None) => {
                return Err(bad(
                    "this is a private key, which stays with who unseals; here belongs the public one, FILE.pub",
                ));
            }
            (Some("public"), Some(_), None) => {
                return Err(bad("this is a public key, which opens nothing; here belongs the private one"));
            }
            _ => return Err(bad(&format!("it is not `{word} BASE64`"))),
        };
        keys.push(parse(key).map_err(|why| bad(&why))?);
    }
    match keys.len() {
        0 => Err(format!("there is no line `{word} BASE64`; `millrace seal-key --key FILE` makes a key")),
        1..=MOST_KEYS => Ok(keys),
        more => Err(format!("there are {more} keys, and at most {MOST_KEYS} may be")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_read_from_its_files_and_neither_for_the_other() {
        let pair = KeyPair::generate();
        let keys = PublicKeys::read(&pair.public_file()).unwrap();
        assert_eq!(keys.newest(), Some(&pair.public()));
        assert_eq!(keys.all()[0].id().len(), 16);
        let private = PrivateKeys::read(&pair.private_file()).unwrap();
        assert_eq!(private.public_file(), pair.public_file());
        assert_eq!(format!("{private:?}"), "PrivateKeys(1)");
        assert!(PublicKeys::read(&pair.private_file()).unwrap_err().contains("FILE.pub"));
        assert!(PrivateKeys::read(&pair.public_file()).unwrap_err().contains("private one"));
    }

    #[test]
    fn several_keys_are_newest_first() {
        let (new, old) = (KeyPair::generate(), KeyPair::generate());
        let keys = PublicKeys::read(&(new.public_file() + &old.public_file())).unwrap();
        assert_eq!(keys.all(), [new.public(), old.public()]);
        assert_eq!(keys.newest(), Some(&new.public()));
    }

    #[test]
    fn what_is_no_key_is_named_by_its_line_and_not_shown() {
        let zero = STANDARD.encode([0; 32]);
        let one = STANDARD.encode([[1].as_slice(), &[0; 31]].concat());
        let rows = [
            (String::new(), "seal-key"),
            ("hunter2".to_owned(), "line 1: it is not"),
            ("# x\n\npublic hunter2".to_owned(), "line 3: a key is 32 bytes"),
            (format!("public {zero}"), "everybody could open"),
            (format!("public {one}"), "everybody could open"),
            (KeyPair::generate().public_file().repeat(17), "there are 17 keys"),
        ];
        for (text, why) in rows {
            let error = PublicKeys::read(&text).unwrap_err();
            assert!(error.contains(why) && !error.contains("hunter2"), "{error}");
        }
        assert!(PrivateKeys::read("private hunter2").unwrap_err().contains("line 1: a key is 32 bytes"));
    }
}
