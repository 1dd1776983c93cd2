//! Public keys, as issuers publish them: a JSON Web Key Set (RFC 7517), or PEM.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::Rsa;
use openssl::x509::X509;
use serde::Deserialize;
use serde_json::Value as Json;

use super::crypto;

/// The longest set that is read, in bytes.
pub const LONGEST_SET: usize = 1 << 20;
/// The most keys of a set. A token without a key's name is tried with each.
const MOST: usize = 64;
/// What keys in PEM begin with.
const BEGIN: &str = "-----BEGIN ";

/// A public key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// Its name in a set; keys in PEM have none.
    pub(super) id: Option<String>,
    /// What it may be used for.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

/// The keys of an issuer.
#[derive(Clone, Debug)]
pub(super) struct KeySet {
    pub(super) keys: Vec<Key>,
    /// Keys that are of no use here, and why: for who wonders.
    pub(super) ignored: Vec<String>,
}

/// A key of a set, as far as it is used.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set of either form.
    ///
    /// # Errors
    /// It is neither, or holds no key that can be used.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
        let (keys, ignored) = match text.contains(BEGIN) {
            true => of_pem(text)?,
            false => of_json(text)?,
        };
        match (keys.len(), &ignored[..]) {
            (0, []) => Err("it holds no key".to_owned()),
            (0, why) => Err(format!("it holds no key that can be used: {}", why.join("; "))),
            (1..=MOST, _) => Ok(Self { keys, ignored }),
            (count, _) => Err(format!("it holds {count} keys; at most {MOST} are read")),
        }
    }

    /// The keys with which a token may be signed, of this algorithm and, where the token says so, of this name. Keys
    /// without a name may be any.
    pub(super) fn fitting(&self, algorithm: Algorithm, id: Option<&str>) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| {
            let is_meant = match (id, &key.id) {
                (Some(id), Some(own)) => own == id,
                _ => true,
            };
            is_meant && key.algorithms.contains(&algorithm)
        })
    }
}

type Found = (Vec<Key>, Vec<String>);

fn of_pem(text: &str) -> Result<Found, String> {
    let mut found: Found = Found::default();
    for (index, block) in text.split(BEGIN).skip(1).enumerate() {
        let label = block.split("-----").next().unwrap_or_default();
        let pem = format!("{BEGIN}{block}");
        let key = match label {
            "CERTIFICATE" => X509::from_pem(pem.as_bytes()).and_then(|it| it.public_key()),
            "PUBLIC KEY" => PKey::public_key_from_pem(pem.as_bytes()),
            "RSA PUBLIC KEY" => Rsa::public_key_from_pem_pkcs1(pem.as_bytes()).and_then(PKey::from_rsa),
            label if label.contains("PRIVATE") => {
                return Err(
                    "it holds a private key, which belongs to the issuer alone: give the public one, \
                            `openssl pkey -pubout` writes it"
                        .to_owned(),
                );
            }
            _ => continue,
        };
        let key = key.map_err(reason).and_then(|key| usable(&key, None, None));
        let name = format!("key {} in PEM", index + 1);
        put(&mut found, &name, key);
    }
    Ok(found)
}

fn of_json(text: &str) -> Result<Found, String> {
    let set: Json = serde_json::from_str(text).map_err(|error| {
        format!("it is neither PEM nor a key set in JSON (line {}, column {})", error.line(), error.column())
    })?;
    let Some(keys) = set.get("keys").and_then(Json::as_array) else {
        return Err("it is JSON, but no key set: there is no list \"keys\"".to_owned());
    };
    let mut found: Found = Found::default();
    for (index, key) in keys.iter().enumerate() {
        let read = Jwk::deserialize(key);
        let id = read.as_ref().ok().and_then(|key| key.kid.clone());
        let name = id.as_ref().map_or_else(|| format!("key {}", index + 1), |id| format!("key {id:?}"));
        let read = read.map_err(|_| "no key as RFC 7517 has it".to_owned());
        let key = match key.get("d") {
            Some(_) => Err("a private key, which belongs to the issuer alone".to_owned()),
            None => read.and_then(|key| of_jwk(&key)),
        };
        put(&mut found, &name, key.map(|key| Key { id, ..key }));
    }
    Ok(found)
}

fn put(found: &mut Found, name: &str, key: Result<Key, String>) {
    match key {
        Ok(key) => found.0.push(key),
        Err(why) => found.1.push(format!("{name}: {why}")),
    }
}

fn of_jwk(jwk: &Jwk) -> Result<Key, String> {
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return Err("not for signatures".to_owned());
    }
    if jwk.key_ops.as_ref().is_some_and(|all| !all.iter().any(|one| one == "verify")) {
        return Err("not for verifying".to_owned());
    }
    let part = |name: &str, value: &Option<String>| {
        let text = value.as_deref().ok_or_else(|| format!("without {name:?}"))?;
        URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| format!("{name:?} is not base64url"))
    };
    let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => rsa(&part("n", &jwk.n)?, &part("e", &jwk.e)?),
        ("EC", Some("P-256")) => ec(Nid::X9_62_PRIME256V1, &part("x", &jwk.x)?, &part("y", &jwk.y)?),
        ("EC", Some("P-384")) => ec(Nid::SECP384R1, &part("x", &jwk.x)?, &part("y", &jwk.y)?),
        ("OKP", Some("Ed25519")) => PKey::public_key_from_raw_bytes(&part("x", &jwk.x)?, Id::ED25519),
        ("oct", _) => return Err("a shared secret, which is none of a gateway's".to_owned()),
        (kind, curve) => return Err(format!("of another kind: {kind} {}", curve.unwrap_or_default())),
    };
    usable(&key.map_err(reason)?, jwk.alg.as_deref(), jwk.kid.clone())
}

fn rsa(n: &[u8], e: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    PKey::from_rsa(Rsa::from_public_components(BigNum::from_slice(n)?, BigNum::from_slice(e)?)?)
}

fn ec(curve: Nid, x: &[u8], y: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    let group = EcGroup::from_curve_name(curve)?;
    let mut point = vec![4];
    point.extend_from_slice(x);
    point.extend_from_slice(y);
    let point = EcPoint::from_bytes(&group, &point, &mut *BigNumContext::new()?)?;
    PKey::from_ec_key(EcKey::from_public_key(&group, &point)?)
}

/// The key, for what it serves, or of that for the one algorithm it is meant for.
fn usable(key: &PKey<Public>, meant: Option<&str>, id: Option<String>) -> Result<Key, String> {
    let mut algorithms = crypto::algorithms_of(key)?.to_vec();
    if let Some(meant) = meant {
        algorithms.retain(|algorithm| name(*algorithm) == meant);
        if algorithms.is_empty() {
            return Err(format!("for the algorithm {meant:?}, which is not for such a key"));
        }
    }
    let key = crypto::decoding_key(key).map_err(reason)?;
    Ok(Key { id, algorithms, key })
}

/// The name of an algorithm in tokens and key sets.
pub(super) fn name(algorithm: Algorithm) -> String {
    format!("{algorithm:?}")
}

fn reason(error: ErrorStack) -> String {
    let reasons: Vec<&str> = error.errors().iter().filter_map(openssl::error::Error::reason).collect();
    format!("no key as expected: {}", reasons.join(", "))
}
