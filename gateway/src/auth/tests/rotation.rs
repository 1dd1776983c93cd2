//! Keys that come and go, and whose they are.

use super::*;

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
fn an_issuer_beside_ones_own_names_nobody_elses_users() {
    let (own, partner) = (Maker::ed("k"), Maker::ed("k"));
    let (of_own, of_partner) = (Published::of(&[&own]), Published::of(&[&partner]));
    let there = "https://partner.example";
    let issuers = [(ISSUER, &of_own), (there, &of_partner)];
    let first = place_with(rules(), &issuers);
    let ask = |place: &Place, maker: &Maker, iss: &str| {
        place.ask(&maker.token(&claims(json!({"iss": iss, "sub": "ann"})))).unwrap()
    };
    let ann = ask(&first, &own, ISSUER);
    assert_eq!((ann.user(), ann.has_role("operator")), (Some("ann"), true));
    let another = ask(&first, &partner, there);
    assert_ne!(another.user(), Some("ann"), "the partner's ann would act as one's own");
    assert!(millrace_kernel::id::is_valid(another.user().unwrap()));
    assert_eq!(another, ask(&first, &partner, there));
    assert!(!another.has_role("operator"), "the partner would name one's operators");
    // both, where somebody says that both name the same people; or the other one alone
    let own_issuers = vec![ISSUER.to_owned(), there.to_owned()];
    let both = place_with(Rules { own_issuers, ..rules() }, &issuers);
    assert_eq!(ask(&both, &own, ISSUER).user(), Some("ann"));
    let same = ask(&both, &partner, there);
    assert_eq!((same.user(), same.has_role("operator")), (Some("ann"), true));
    let last = place_with(Rules { own_issuers: vec![there.to_owned()], ..rules() }, &issuers);
    assert_ne!(ask(&last, &own, ISSUER).user(), Some("ann"));
    assert_eq!(ask(&last, &partner, there).user(), Some("ann"));
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
