//! Which tokens are taken: a test for each way to be refused.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header, encode};
use millrace_testkit::pipeline::ManualClock;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign;
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
                assert!(token.split('.').filter(|part| part.len() > 12).all(|part| !said.contains(part)), "{said}");
            }
            other => panic!("{why}: {other:?}"),
        }
    }
}

#[test]
fn a_good_token_says_who_asks() {
    let maker = Maker::ed("k1");
    let place = place(&Published::of(&[&maker]));
    let ann = place.ask(&maker.token(&claims(json!({})))).unwrap();
    assert_eq!((ann.user(), ann.is_trusted()), (Some("ann"), false));
    assert!(ann.has_role("operator") && ann.has_role("reader") && !ann.has_role("admin"));
    // clocks may differ by so much, so it is known so long
    assert_eq!(ann.expires_at(), Some(NOW + 630));
    for audience in [json!("other-name"), json!(["x", "millrace"])] {
        place.ask(&maker.token(&claims(json!({"aud": audience})))).unwrap();
    }
}

#[test]
fn every_algorithm_that_is_known_is_verified_and_only_for_its_key() {
    let makers = [
        Maker::rsa(Algorithm::RS256),
        Maker::rsa(Algorithm::RS384),
        Maker::rsa(Algorithm::RS512),
        Maker::rsa(Algorithm::PS256),
        Maker::rsa(Algorithm::PS384),
        Maker::rsa(Algorithm::PS512),
        Maker::ec(Nid::X9_62_PRIME256V1, Algorithm::ES256),
        Maker::ec(Nid::SECP384R1, Algorithm::ES384),
        Maker::ed("ed"),
    ];
    for maker in &makers {
        let good = maker.token(&claims(json!({})));
        place(&Published::of(&[maker])).ask(&good).unwrap();
        // in PEM, too
        let published = Published::default();
        *published.text.lock().unwrap() = Some(maker.pem());
        let of_pem = place(&published);
        of_pem.ask(&good).unwrap();
        let (rest, signature) = good.rsplit_once('.').unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        bytes[7] ^= 1;
        of_pem.refuses(&format!("{rest}.{}", URL_SAFE_NO_PAD.encode(&bytes)), "signature");
        bytes.pop();
        of_pem.refuses(&format!("{rest}.{}", URL_SAFE_NO_PAD.encode(&bytes)), "signature");
        of_pem.refuses(&format!("{rest}."), "signature");
    }
    // an allow-list is one
    let only = Rules { algorithms: vec!["ES256".to_owned()], ..rules() };
    let published = Published::of(&[&makers[0], &makers[6]]);
    let place = place_with(only, &[(ISSUER, &published)]);
    place.ask(&makers[6].token(&claims(json!({})))).unwrap();
    place.refuses(&makers[0].token(&claims(json!({}))), "RS256 is not allowed");
    // a key that says what it is for serves nothing else
    let mut jwk = makers[0].jwk();
    jwk["alg"] = json!("PS256");
    *published.text.lock().unwrap() = Some(json!({"keys": [jwk]}).to_string());
    place_with(rules(), &[(ISSUER, &published)]).refuses(&makers[0].token(&claims(json!({}))), "no key rsa for RS256");
}

#[test]
fn a_signature_of_a_standard_holds() {
    // RFC 8037, appendix A.4: made by others
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let set = KeySet::read(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
    crypto::install();
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let verify = |message: &[u8]| {
        jsonwebtoken::crypto::verify(signature, message, &set.keys[0].key, Algorithm::EdDSA).unwrap()
    };
    assert!(verify(message) && !verify(b"another"));
    // RFC 7515, appendix A.3
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    let set = KeySet::read(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
    let message = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert!(jsonwebtoken::crypto::verify(signature, message.as_bytes(), &set.keys[0].key, Algorithm::ES256).unwrap());
}

#[test]
fn claims_that_do_not_hold_are_refused() {
    let maker = Maker::ed("k1");
    let place = place(&Published::of(&[&maker]));
    for (differing, why) in [
        // just behind what clocks may differ by
        (json!({"exp": NOW - 30}), "it has expired"),
        (json!({"exp": NOW - 86_400}), "it has expired"),
        (json!({"exp": null}), "exp"),
        (json!({"exp": "tomorrow"}), "exp is no time"),
        (json!({"exp": -5}), "exp is no time"),
        (json!({"nbf": NOW + 31}), "not valid yet"),
        (json!({"nbf": []}), "nbf is no time"),
        (json!({"aud": "another"}), "another audience"),
        (json!({"aud": ["another", 5]}), "another audience"),
        (json!({"aud": null}), "another audience"),
        (json!({"iss": "https://evil.example"}), "issuer"),
        (json!({"iss": "https://issuer.example/"}), "issuer"),
        (json!({"iss": null}), "who made it"),
        (json!({"iss": [ISSUER]}), "not understood"),
        (json!({"sub": null}), "of whom"),
        (json!({"sub": ""}), "of whom"),
        (json!({"sub": 17}), "of whom"),
    ] {
        place.refuses(&maker.token(&claims(differing)), why);
    }
}

#[test]
fn clocks_may_differ_by_the_leeway_and_no_more() {
    let maker = Maker::ed("k1");
    let place = place(&Published::of(&[&maker]));
    for near in [json!({"exp": NOW - 29}), json!({"nbf": NOW + 30}), json!({"exp": NOW as f64 + 0.5})] {
        place.ask(&maker.token(&claims(near))).unwrap();
    }
    let token = maker.token(&claims(json!({})));
    place.clock.pass(629 * 1_000_000);
    place.ask(&token).unwrap();
    place.clock.pass(1_000_000);
    place.refuses(&token, "it has expired");
    let strict = place_with(Rules { leeway: Duration::ZERO, ..rules() }, &[(ISSUER, &Published::of(&[&maker]))]);
    strict.refuses(&maker.token(&claims(json!({"exp": NOW}))), "it has expired");
}

#[test]
fn no_token_goes_without_a_signature_of_its_issuer() {
    let maker = Maker::rsa(Algorithm::RS256);
    let place = place(&Published::of(&[&maker]));
    let part = |json: Json| URL_SAFE_NO_PAD.encode(json.to_string());
    let body = part(claims(json!({})));
    for name in ["none", "None", "NONE", "nOnE", ""] {
        let header = part(json!({"alg": name, "typ": "JWT"}));
        place.refuses(&format!("{header}.{body}."), "alg");
        place.refuses(&format!("{header}.{body}.c2ln"), "alg");
    }
    // the public key as the secret of both sides, in each form that somebody may have it
    let public = maker.key.public_key_to_pem().unwrap();
    let der = maker.key.public_key_to_der().unwrap();
    for secret in [&public[..], public.trim_ascii_end(), &der, &maker.key.rsa().unwrap().public_key_to_der_pkcs1().unwrap()] {
        for (name, digest) in [("HS256", MessageDigest::sha256()), ("HS512", MessageDigest::sha512())] {
            let message = format!("{}.{body}", part(json!({"alg": name, "typ": "JWT", "kid": "rsa"})));
            let mut signer = sign::Signer::new(digest, &PKey::hmac(secret).unwrap()).unwrap();
            signer.update(message.as_bytes()).unwrap();
            let signature = URL_SAFE_NO_PAD.encode(signer.sign_to_vec().unwrap());
            place.refuses(&format!("{message}.{signature}"), "is not allowed");
        }
    }
    // the key that the token itself brings
    let evil = Maker::ed("evil");
    let message = format!("{}.{body}", part(json!({"alg": "EdDSA", "kid": "evil", "jwk": evil.jwk()})));
    let signature = sign::Signer::new_without_digest(&evil.key).unwrap().sign_oneshot_to_vec(message.as_bytes()).unwrap();
    place.refuses(&format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)), "no key");
    // what was signed is what counts
    let token = maker.token(&claims(json!({})));
    let mut parts: Vec<&str> = token.split('.').collect();
    let other = part(claims(json!({"sub": "bob"})));
    parts[1] = &other;
    place.refuses(&parts.join("."), "signature");
    let header = part(json!({"alg": "RS256", "kid": "rsa", "crit": ["exp"]}));
    place.refuses(&format!("{header}.{body}.c2ln"), "crit");
}

#[test]
fn garbage_is_refused_and_never_more() {
    let maker = Maker::ed("k1");
    let place = place(&Published::of(&[&maker]));
    let good = maker.token(&claims(json!({})));
    let long = "a".repeat(20_000);
    for garbage in ["", ".", "..", "...", "a.b.c", "null", "🦀.🦀.🦀", "e30.e30.e30", "W10.W10.W10", &long] {
        assert!(matches!(place.ask(garbage), Err(Refusal::Token(_))), "{garbage:?}");
    }
    for cut in 0..good.len() {
        assert!(matches!(place.ask(&good[..cut]), Err(Refusal::Token(_))), "{cut}");
    }
    for doubled in [format!("{good}.{good}"), format!("{good}="), format!(" {good}"), format!("{good}\n")] {
        assert!(matches!(place.ask(&doubled), Err(Refusal::Token(_))), "{doubled:?}");
    }
}

#[test]
fn an_unknown_key_is_asked_for_once_and_not_for_every_token() {
    let (old, new) = (Maker::ed("old"), Maker::ed("new"));
    let published = Published::of(&[&old]);
    let place = place(&published);
    let reads = || published.reads.load(Ordering::SeqCst);
    assert_eq!(reads(), 1);
    for index in 0..100 {
        let id: &'static str = Box::leak(format!("made-up-{index}").into_boxed_str());
        let garbage = Maker::ed(id);
        place.refuses(&garbage.token(&claims(json!({}))), "no key made-up");
    }
    assert_eq!(reads(), 1, "just read, so it is not asked again");
    place.clock.pass(11 * 1_000_000);
    for _ in 0..100 {
        place.refuses(&new.token(&claims(json!({}))), "no key new");
    }
    assert_eq!(reads(), 2);
    // whoever has a key that is known never waits for that
    place.ask(&old.token(&claims(json!({})))).unwrap();
    // and a key that has been added is found at once
    published.publish(&[&old, &new]);
    place.clock.pass(11 * 1_000_000);
    place.ask(&new.token(&claims(json!({})))).unwrap();
    assert_eq!(reads(), 3);
    // a forged one of a key that is known asks for nothing
    let forger = Maker::ed("old");
    place.clock.pass(11 * 1_000_000);
    place.refuses(&forger.token(&claims(json!({}))), "signature");
    assert_eq!(reads(), 3);
}

#[test]
fn keys_are_rotated_while_it_runs() {
    let (old, new) = (Maker::ed("k1"), Maker::ed("k2"));
    let published = Published::of(&[&old]);
    let place = place(&published);
    let refresh = || place.tokens.issuers()[0].refresh();
    let [of_old, of_new] = [&old, &new].map(|maker| maker.token(&claims(json!({}))));
    published.publish(&[&old, &new]);
    refresh().unwrap();
    place.ask(&of_old).unwrap();
    place.ask(&of_new).unwrap();
    published.publish(&[&new]);
    refresh().unwrap();
    place.refuses(&of_old, "no key k1");
    place.ask(&of_new).unwrap();
    // what cannot be read takes nothing away
    for broken in [None, Some(String::new()), Some("{\"keys\": []}".to_owned()), Some("<html>".to_owned())] {
        *published.text.lock().unwrap() = broken;
        let why = refresh().unwrap_err();
        assert!(why.contains("the test's keys: "), "{why}");
        place.ask(&of_new).unwrap();
    }
    published.publish(&[&old]);
    refresh().unwrap();
    place.ask(&of_old).unwrap();
    place.refuses(&of_new, "no key k2");
}

#[test]
fn a_key_in_pem_is_replaced_while_it_runs_though_it_has_no_name() {
    let (old, new) = (Maker { id: None, ..Maker::ed("") }, Maker { id: None, ..Maker::ed("") });
    let published = Published::default();
    *published.text.lock().unwrap() = Some(old.pem());
    let place = place(&published);
    place.ask(&old.token(&claims(json!({})))).unwrap();
    // two beside each other while tokens of the old one are still about
    *published.text.lock().unwrap() = Some(old.pem() + &new.pem());
    place.clock.pass(11 * 1_000_000);
    place.ask(&new.token(&claims(json!({})))).unwrap();
    place.ask(&old.token(&claims(json!({})))).unwrap();
}

#[test]
fn without_keys_nobody_is_told_that_the_token_is_bad() {
    let maker = Maker::ed("k1");
    let published = Published::default();
    let place = place(&published);
    let token = maker.token(&claims(json!({})));
    assert_eq!(place.ask(&token), Err(Refusal::KeysAway));
    published.publish(&[&maker]);
    place.clock.pass(11 * 1_000_000);
    place.ask(&token).unwrap();
}

#[test]
fn each_issuer_has_keys_of_its_own() {
    let (here, there) = (Maker::ed("k"), Maker::ed("k"));
    let (of_here, of_there) = (Published::of(&[&here]), Published::of(&[&there]));
    let place = place_with(rules(), &[(ISSUER, &of_here), ("https://there.example", &of_there)]);
    let said = |iss: &str, sub: &str| claims(json!({"iss": iss, "sub": sub}));
    place.ask(&here.token(&said(ISSUER, "ann"))).unwrap();
    place.ask(&there.token(&said("https://there.example", "ann"))).unwrap();
    place.refuses(&there.token(&said(ISSUER, "ann")), "signature");
    place.refuses(&here.token(&said("https://there.example", "ann")), "signature");
    // a subject that is no id is somebody else at each
    let user = |maker: &Maker, iss: &str, sub: &str| {
        place.ask(&maker.token(&said(iss, sub))).unwrap().user().unwrap().to_owned()
    };
    let ann = user(&here, ISSUER, "auth0|ann");
    assert!(millrace_kernel::id::is_valid(&ann));
    assert_eq!(ann, user(&here, ISSUER, "auth0|ann"));
    assert_ne!(ann, user(&there, "https://there.example", "auth0|ann"));
    assert_ne!(ann, user(&here, ISSUER, "auth0|bob"));
    assert_eq!(user(&here, ISSUER, "ann@example.org").len(), 36);
}

#[test]
fn roles_stand_where_the_issuer_puts_them() {
    let maker = Maker::ed("k1");
    for (claim, differing, expected) in [
        ("roles", json!({"roles": "a b"}), vec!["a", "b"]),
        ("roles", json!({"roles": ["a", 5, "b c"]}), vec!["a", "b c"]),
        ("roles", json!({"roles": {"a": true}}), vec![]),
        ("roles", json!({"roles": null}), vec![]),
        ("realm_access.roles", json!({"realm_access": {"roles": ["a"]}}), vec!["a"]),
        ("https://example.org/roles", json!({"https://example.org/roles": ["a"]}), vec!["a"]),
    ] {
        let rules = Rules { roles: claim.to_owned(), ..rules() };
        let place = place_with(rules, &[(ISSUER, &Published::of(&[&maker]))]);
        let Ok(Principal::Known(known)) = place.ask(&maker.token(&claims(differing))) else { panic!("{claim}") };
        assert_eq!(known.roles, expected, "{claim}");
    }
}

#[test]
fn rules_that_would_let_in_anybody_are_refused() {
    let clock = Arc::new(ManualClock::at(0));
    let refused = |issuers: &[&str], rules: Rules, why: &str| {
        let issuers = issuers.iter().map(|name| Issuer::new(*name, Published::default(), clock.clone()));
        let said = Tokens::new(issuers.collect(), rules, clock.clone()).unwrap_err();
        assert!(said.contains(why), "{said}");
    };
    refused(&[], rules(), "no issuer");
    refused(&["a", "a"], rules(), "twice");
    refused(&[""], rules(), "no name");
    refused(&["a"], Rules { audiences: vec![], ..rules() }, "no audience");
    refused(&["a"], Rules { algorithms: vec![], ..rules() }, "no algorithm");
    for (name, why) in [("HS256", "one secret"), ("none", "signs nothing"), ("RS128", "not known")] {
        let algorithms = vec!["RS256".to_owned(), name.to_owned()];
        refused(&["a"], Rules { algorithms, ..rules() }, why);
    }
}

#[test]
fn keys_that_are_of_no_use_are_named_and_the_others_used() {
    let good = Maker::ed("good");
    let short = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
    let short = Maker { key: short, algorithm: Algorithm::RS256, id: Some("short") };
    let mut encrypting = Maker::ed("enc").jwk();
    encrypting["use"] = json!("enc");
    let mut private = Maker::ed("private").jwk();
    private["d"] = json!("c2VjcmV0");
    let others = [
        (short.jwk(), "1024 bits"),
        (encrypting, "not for signatures"),
        (private, "a private key"),
        (json!({"kty": "oct", "kid": "oct", "k": "c2VjcmV0"}), "a shared secret"),
        (json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}), "another kind"),
        (json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}), "no key as expected"),
        (json!({"kty": "RSA", "n": "AA"}), "without \"e\""),
        (json!({"kty": "OKP", "crv": "Ed25519", "x": "!"}), "base64url"),
        (json!(17), "RFC 7517"),
    ];
    let keys: Vec<Json> = others.iter().map(|(key, _)| key.clone()).chain([good.jwk()]).collect();
    let set = KeySet::read(json!({"keys": keys}).to_string().as_bytes()).unwrap();
    assert_eq!((set.keys.len(), set.ignored.len()), (1, others.len()));
    for ((_, why), said) in others.iter().zip(&set.ignored) {
        assert!(said.contains(why) && !said.contains("c2VjcmV0"), "{said}");
    }
    let private = String::from_utf8(good.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    for (text, why) in [
        (private.as_str(), "private key"),
        ("-----BEGIN NOTHING-----\n-----END NOTHING-----\n", "no key"),
        ("{}", "no list"),
        ("[", "neither PEM nor"),
    ] {
        let said = KeySet::read(text.as_bytes()).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}
