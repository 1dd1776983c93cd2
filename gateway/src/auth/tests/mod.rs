//! Which tokens are taken: a test for each way to be refused.

mod claims;
mod rotation;
mod signatures;
pub(crate) mod trusted;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header, encode};
use millrace_testkit::pipeline::ManualClock;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use serde_json::{Value as Json, json};

use super::issuer::Issuer;
use super::keys::KeySet;
use super::tokens::Refusal;
use super::{KeySource, Principal, Rules, Tokens, crypto};

/// When the tests take place, in seconds since the epoch.
const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://issuer.example";

/// Keys that a test publishes; `None`: nobody answers.
#[derive(Clone, Default)]
struct Published {
    text: Arc<Mutex<Option<String>>>,
    reads: Arc<AtomicUsize>,
}

impl KeySource for Published {
    fn name(&self) -> String {
        "the test's keys".to_owned()
    }

    fn read(&self) -> Result<Vec<u8>, String> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.text.lock().unwrap().clone().map(String::into_bytes).ok_or_else(|| "nobody answers".to_owned())
    }

    fn every(&self) -> Duration {
        Duration::from_secs(300)
    }
}

impl Published {
    fn of(makers: &[&Maker]) -> Self {
        let published = Self::default();
        published.publish(makers);
        published
    }

    fn publish(&self, makers: &[&Maker]) {
        let keys: Vec<Json> = makers.iter().map(|maker| maker.jwk()).collect();
        *self.text.lock().unwrap() = Some(json!({"keys": keys}).to_string());
    }
}

/// Who makes tokens.
struct Maker {
    key: PKey<Private>,
    algorithm: Algorithm,
    id: Option<&'static str>,
}

impl Maker {
    fn ed(id: &'static str) -> Self {
        Self { key: PKey::generate_ed25519().unwrap(), algorithm: Algorithm::EdDSA, id: Some(id) }
    }

    /// With one key for all: to make one takes a while.
    fn rsa(algorithm: Algorithm) -> Self {
        static KEY: OnceLock<PKey<Private>> = OnceLock::new();
        let key = KEY.get_or_init(|| PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap());
        Self { key: key.clone(), algorithm, id: Some("rsa") }
    }

    fn ec(curve: Nid, algorithm: Algorithm) -> Self {
        let group = EcGroup::from_curve_name(curve).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        Self { key, algorithm, id: Some("ec") }
    }

    fn jwk(&self) -> Json {
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match self.key.id() {
            Id::RSA => {
                let rsa = self.key.rsa().unwrap();
                json!({"kty": "RSA", "n": base64(&rsa.n().to_vec()), "e": base64(&rsa.e().to_vec())})
            }
            Id::EC => {
                let key = self.key.ec_key().unwrap();
                let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
                let mut context = BigNumContext::new().unwrap();
                key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context).unwrap();
                let size = i32::try_from(key.group().degree() / 8).unwrap();
                let (x, y) = (x.to_vec_padded(size).unwrap(), y.to_vec_padded(size).unwrap());
                let curve = if size == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": curve, "x": base64(&x), "y": base64(&y)})
            }
            _ => json!({"kty": "OKP", "crv": "Ed25519", "x": base64(&self.key.raw_public_key().unwrap())}),
        };
        jwk["use"] = json!("sig");
        if let Some(id) = self.id {
            jwk["kid"] = json!(id);
        }
        jwk
    }

    fn pem(&self) -> String {
        String::from_utf8(self.key.public_key_to_pem().unwrap()).unwrap()
    }

    fn token(&self, claims: &Json) -> String {
        crypto::install();
        let header = Header { kid: self.id.map(str::to_owned), ..Header::new(self.algorithm) };
        encode(&header, claims, &crypto::encoding_key(&self.key).unwrap()).unwrap()
    }
}

/// Good claims with some that differ; `null` takes one away.
fn claims(differing: Json) -> Json {
    let mut claims = json!({
        "iss": ISSUER, "aud": "millrace", "sub": "ann", "exp": NOW + 600, "iat": NOW, "roles": ["operator", "reader"],
    });
    for (name, value) in differing.as_object().unwrap() {
        match value {
            Json::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn rules() -> Rules {
    Rules {
        own_issuers: Vec::new(),
        audiences: vec!["millrace".to_owned(), "other-name".to_owned()],
        algorithms: crypto::ALGORITHMS.map(super::keys::name).to_vec(),
        leeway: Duration::from_secs(30),
        roles: "roles".to_owned(),
    }
}

struct Place {
    tokens: Tokens,
    clock: Arc<ManualClock>,
}

fn place_with(rules: Rules, issuers: &[(&str, &Published)]) -> Place {
    let clock = Arc::new(ManualClock::at(NOW * 1_000_000));
    let issuers = issuers.iter().map(|(name, keys)| Issuer::new(*name, (*keys).clone(), clock.clone()));
    let tokens = Tokens::new(issuers.collect(), rules, clock.clone()).unwrap();
    for issuer in tokens.issuers() {
        let _ = issuer.refresh();
    }
    Place { tokens, clock }
}

fn place(published: &Published) -> Place {
    place_with(rules(), &[(ISSUER, published)])
}

impl Place {
    fn ask(&self, token: &str) -> Result<Principal, Refusal> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.tokens.principal(token))
    }

    fn refuses(&self, token: &str, why: &str) {
        match self.ask(token) {
            Err(Refusal::Token(said)) => {
                assert!(said.contains(why), "{said}");
                // whoever logs it logs no credentials
                assert!(
                    token.split('.').filter(|part| part.len() > 12).all(|part| !said.contains(part)),
                    "{said}"
                );
            }
            other => panic!("{why}: {other:?}"),
        }
    }
}
