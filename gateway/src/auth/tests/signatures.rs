//! By whom a token is signed, and how.

use openssl::hash::MessageDigest;
use openssl::sign;

use super::*;

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
    place_with(rules(), &[(ISSUER, &published)])
        .refuses(&makers[0].token(&claims(json!({}))), "no key rsa for RS256");
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
    assert!(
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &set.keys[0].key, Algorithm::ES256)
            .unwrap()
    );
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
    for secret in [
        &public[..],
        public.trim_ascii_end(),
        &der,
        &maker.key.rsa().unwrap().public_key_to_der_pkcs1().unwrap(),
    ] {
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
    let signature =
        sign::Signer::new_without_digest(&evil.key).unwrap().sign_oneshot_to_vec(message.as_bytes()).unwrap();
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
    for garbage in ["", ".", "..", "...", "a.b.c", "null", "🦀.🦀.🦀", "e30.e30.e30", "W10.W10.W10", &long]
    {
        assert!(matches!(place.ask(garbage), Err(Refusal::Token(_))), "{garbage:?}");
    }
    for cut in 0..good.len() {
        assert!(matches!(place.ask(&good[..cut]), Err(Refusal::Token(_))), "{cut}");
    }
    for doubled in [format!("{good}.{good}"), format!("{good}="), format!(" {good}"), format!("{good}\n")] {
        assert!(matches!(place.ask(&doubled), Err(Refusal::Token(_))), "{doubled:?}");
    }
}
