//! The signatures of tokens, by OpenSSL: `jsonwebtoken` is given that instead of one of its own libraries.
//!
//! Only signatures with two keys are known here. A secret that both sides share (`HS256`) has no implementation at all, so
//! no public key can be taken for one.

use std::sync::OnceLock;

use jsonwebtoken::crypto::{CryptoProvider, JwkUtils, JwtSigner, JwtVerifier};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{self, RsaPssSaltlen};

/// The fewest bits of an RSA key (NIST SP 800-131A).
const LEAST_RSA_BITS: u32 = 2048;

/// Every algorithm that may be allowed.
pub(crate) const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    // for making key sets and thumbprints, which nobody does here
    jwk_utils: JwkUtils::new_unimplemented(),
};

/// Has `jsonwebtoken` use OpenSSL; to be called before it verifies or signs.
pub(super) fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // an error says that somebody has chosen before, and only this crate knows the library
        let _ = PROVIDER.install_default();
    });
}

/// The algorithms that a public key serves.
///
/// # Errors
/// Why it serves none.
pub(super) fn algorithms_of<T: HasPublic>(key: &PKeyRef<T>) -> Result<&'static [Algorithm], String> {
    match key.id() {
        Id::RSA if key.bits() < LEAST_RSA_BITS => {
            Err(format!("an RSA key of {} bits; at least {LEAST_RSA_BITS} are needed", key.bits()))
        }
        Id::RSA => Ok(&ALGORITHMS[..6]),
        Id::EC => match key.ec_key().ok().and_then(|key| key.group().curve_name()) {
            Some(Nid::X9_62_PRIME256V1) => Ok(&[Algorithm::ES256]),
            Some(Nid::SECP384R1) => Ok(&[Algorithm::ES384]),
            _ => Err("of a curve other than P-256 and P-384".to_owned()),
        },
        Id::ED25519 => Ok(&[Algorithm::EdDSA]),
        _ => Err("of another kind than RSA, EC and Ed25519".to_owned()),
    }
}

/// A public key as `jsonwebtoken` holds it.
pub(super) fn decoding_key(key: &PKeyRef<Public>) -> Result<DecodingKey, ErrorStack> {
    Ok(match key.id() {
        Id::RSA => DecodingKey::from_rsa_der(&key.rsa()?.public_key_to_der_pkcs1()?),
        Id::EC => {
            let key = key.ec_key()?;
            let mut context = BigNumContext::new()?;
            let form = PointConversionForm::UNCOMPRESSED;
            DecodingKey::from_ec_der(&key.public_key().to_bytes(key.group(), form, &mut context)?)
        }
        _ => DecodingKey::from_ed_der(&key.raw_public_key()?),
    })
}

/// A private key as `jsonwebtoken` holds it.
pub(super) fn encoding_key(key: &PKeyRef<Private>) -> Result<EncodingKey, ErrorStack> {
    let der = key.private_key_to_pkcs8()?;
    Ok(match key.id() {
        Id::RSA => EncodingKey::from_rsa_der(&der),
        Id::EC => EncodingKey::from_ec_der(&der),
        _ => EncodingKey::from_ed_der(&der),
    })
}

struct Verifying {
    algorithm: Algorithm,
    key: PKey<Public>,
}

struct Signing {
    algorithm: Algorithm,
    key: PKey<Private>,
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let key = public_key(*algorithm, key).map_err(|_| Error::from(ErrorKind::InvalidKeyFormat))?;
    Ok(Box::new(Verifying { algorithm: serving(*algorithm, &key)?, key }))
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    let key = PKey::private_key_from_pkcs8(key.inner());
    let key = key.map_err(|_| Error::from(ErrorKind::InvalidKeyFormat))?;
    Ok(Box::new(Signing { algorithm: serving(*algorithm, &key)?, key }))
}

/// The algorithm, if the key serves it.
fn serving<T: HasPublic>(algorithm: Algorithm, key: &PKeyRef<T>) -> Result<Algorithm, Error> {
    let serves = algorithms_of(key).is_ok_and(|all| all.contains(&algorithm));
    serves.then_some(algorithm).ok_or_else(|| ErrorKind::InvalidAlgorithm.into())
}

fn public_key(algorithm: Algorithm, key: &DecodingKey) -> Result<PKey<Public>, ErrorStack> {
    let bytes = key.as_bytes();
    let of_curve = |curve: Nid| {
        let group = EcGroup::from_curve_name(curve)?;
        let point = EcPoint::from_bytes(&group, bytes, &mut *BigNumContext::new()?)?;
        PKey::from_ec_key(EcKey::from_public_key(&group, &point)?)
    };
    match algorithm {
        Algorithm::ES256 => of_curve(Nid::X9_62_PRIME256V1),
        Algorithm::ES384 => of_curve(Nid::SECP384R1),
        Algorithm::EdDSA => PKey::public_key_from_raw_bytes(bytes, Id::ED25519),
        _ => PKey::from_rsa(Rsa::public_key_from_der_pkcs1(bytes)?),
    }
}

fn digest(algorithm: Algorithm) -> MessageDigest {
    match algorithm {
        Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => MessageDigest::sha256(),
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => MessageDigest::sha384(),
        _ => MessageDigest::sha512(),
    }
}

fn is_pss(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512)
}

impl JwtVerifier for Verifying {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl JwtSigner for Signing {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for Verifying {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        match self.holds(message, signature) {
            Ok(true) => Ok(()),
            _ => Err(signature::Error::new()),
        }
    }
}

impl Signer<Vec<u8>> for Signing {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        self.signature(message).map_err(signature::Error::from_source)
    }
}

impl Verifying {
    fn holds(&self, message: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
        let digest = digest(self.algorithm);
        match self.algorithm {
            Algorithm::EdDSA => {
                sign::Verifier::new_without_digest(&self.key)?.verify_oneshot(signature, message)
            }
            // two numbers of a fixed length, not the ASN.1 that OpenSSL takes
            Algorithm::ES256 | Algorithm::ES384 => {
                let half = digest.size();
                if signature.len() != 2 * half {
                    return Ok(false);
                }
                let (r, s) = signature.split_at(half);
                let signature =
                    EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
                signature.verify(&hash(digest, message)?, &*self.key.ec_key()?)
            }
            _ => {
                let mut verifier = sign::Verifier::new(digest, &self.key)?;
                if is_pss(self.algorithm) {
                    verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
                    verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
                }
                verifier.verify_oneshot(signature, message)
            }
        }
    }
}

impl Signing {
    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let digest = digest(self.algorithm);
        match self.algorithm {
            Algorithm::EdDSA => sign::Signer::new_without_digest(&self.key)?.sign_oneshot_to_vec(message),
            Algorithm::ES256 | Algorithm::ES384 => {
                let signature = EcdsaSig::sign(&hash(digest, message)?, &*self.key.ec_key()?)?;
                let half = i32::try_from(digest.size()).unwrap_or_default();
                let mut bytes = signature.r().to_vec_padded(half)?;
                bytes.extend(signature.s().to_vec_padded(half)?);
                Ok(bytes)
            }
            _ => {
                let mut signer = sign::Signer::new(digest, &self.key)?;
                if is_pss(self.algorithm) {
                    signer.set_rsa_padding(Padding::PKCS1_PSS)?;
                    signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
                }
                signer.sign_oneshot_to_vec(message)
            }
        }
    }
}
