//! Where a stream goes on: `id:` of what it says, `Last-Event-ID` of whoever comes again.
//!
//! Signed, as it says from where on somebody may read; and bound to the view and the key, so that it is of use nowhere else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use millrace_kernel::Value;
use millrace_runtime::changes::Positions;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// So many bytes of the signature are kept: 128 bits, as of no use to anybody who guesses.
const SIGNATURE_BYTES: usize = 16;
/// The longest token that is looked at, in characters.
const LONGEST: usize = 4_096;

/// Signs tokens. All gateways that have the same key take each other's.
#[derive(Clone)]
pub struct ResumeKey(PKey<Private>);

impl ResumeKey {
    /// A key of these bytes, at least 32.
    ///
    /// # Errors
    /// They are too few.
    pub fn new(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() < 32 {
            return Err(format!("a key has at least 32 bytes, and these are {}", bytes.len()));
        }
        PKey::hmac(bytes).map(Self).map_err(|error| error.to_string())
    }

    /// A key that nobody else has.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn made() -> Result<Self, String> {
        Self::new(&Self::secret()?)
    }

    /// What a key is made of that nobody else has.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn secret() -> Result<[u8; 32], String> {
        let mut bytes = [0; 32];
        openssl::rand::rand_bytes(&mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    fn sign(&self, stream: &str, payload: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let mut signer = Signer::new(MessageDigest::sha256(), &self.0)?;
        // no stream's name has a line break: see `stream_name`
        signer.update(stream.as_bytes())?;
        signer.update(b"\n")?;
        signer.update(payload)?;
        let mut signature = signer.sign_to_vec()?;
        signature.truncate(SIGNATURE_BYTES);
        Ok(signature)
    }

    /// What a client gets to go on with, of the stream of that name.
    #[must_use]
    pub(crate) fn token(&self, stream: &str, resume: &Resume) -> Option<String> {
        let mut bytes = resume.encode();
        let signature = self.sign(stream, &bytes).ok()?;
        bytes.extend(signature);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Where the stream of that name goes on; nothing of a token that is none, or another stream's.
    #[must_use]
    pub(crate) fn read(&self, stream: &str, token: &str) -> Option<Resume> {
        let token = Some(token).filter(|token| token.len() <= LONGEST)?;
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (payload, signature) = bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE_BYTES)?)?;
        let expected = self.sign(stream, payload).ok()?;
        memcmp::eq(&expected, signature).then(|| Resume::decode(payload))?
    }
}

/// The name of a stream of these parts, which no other has, in one line.
pub(crate) fn stream_name<'p>(parts: impl Iterator<Item = &'p str>) -> String {
    const APART: AsciiSet = CONTROLS.add(b'/').add(b'%');
    let parts: Vec<String> = parts.map(|part| utf8_percent_encode(part, &APART).to_string()).collect();
    parts.join("/")
}

/// Where a stream goes on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resume {
    /// In the changes; nothing of a stream that reads its rows anew.
    pub(crate) positions: Option<Positions>,
    /// Down to which row it goes, where it does not go to the last.
    pub(crate) floor: Option<Vec<Value>>,
}

impl Resume {
    fn encode(&self) -> Vec<u8> {
        let floor = serde_json::to_vec(&self.floor).unwrap_or_default();
        let mut bytes = u16::try_from(floor.len()).unwrap_or_default().to_be_bytes().to_vec();
        bytes.extend(floor);
        bytes.extend(self.positions.iter().flat_map(Positions::encode));
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (floor, positions) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let floor = serde_json::from_slice(floor).ok()?;
        let positions = match positions.is_empty() {
            true => None,
            false => Some(Positions::decode(positions).ok()?),
        };
        Some(Self { positions, floor })
    }
}

#[cfg(test)]
mod tests {
    use millrace_runtime::changes::Seen;

    use super::*;

    fn resume() -> Resume {
        let positions =
            Positions { version: 1, epoch: 0, partition: 2, offset: 7, seen: Seen::rows(&[(0, 3), (1, 9)]) };
        Resume { positions: Some(positions), floor: Some(vec![Value::BigInt(5), Value::from("x")]) }
    }

    #[test]
    fn a_token_is_good_for_its_stream_alone_wherever_the_key_is() {
        let (here, there) = (ResumeKey::new(&[7; 32]).unwrap(), ResumeKey::new(&[7; 32]).unwrap());
        let token = here.token("chirp/feed/ann", &resume()).unwrap();
        assert_eq!(there.read("chirp/feed/ann", &token), Some(resume()));
        assert_eq!(there.read("chirp/feed/bob", &token), None);
        assert_eq!(ResumeKey::made().unwrap().read("chirp/feed/ann", &token), None);
        let whole = Resume { positions: None, floor: None };
        let token = here.token("s", &whole).unwrap();
        assert_eq!(here.read("s", &token), Some(whole));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let key = ResumeKey::new(&[7; 32]).unwrap();
        let token = key.token("s", &resume()).unwrap();
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // the last character has bits that mean nothing, and those are refused as well
            assert_eq!(key.read("s", &changed), None, "{at}");
        }
        for bad in ["", "a", "ü", "====", &"A".repeat(LONGEST + 4)] {
            assert_eq!(key.read("s", bad), None, "{bad}");
        }
        assert!(ResumeKey::new(&[7; 31]).is_err());
    }
}
