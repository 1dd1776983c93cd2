//! What a token says, and who it says asks.

use super::*;

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
    let strict =
        place_with(Rules { leeway: Duration::ZERO, ..rules() }, &[(ISSUER, &Published::of(&[&maker]))]);
    strict.refuses(&maker.token(&claims(json!({"exp": NOW}))), "it has expired");
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
        let Ok(Principal::Known(known)) = place.ask(&maker.token(&claims(differing))) else {
            panic!("{claim}")
        };
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
    refused(&["a"], Rules { own_issuers: vec!["b".to_owned()], ..rules() }, "none of the issuers");
    refused(&["a"], Rules { algorithms: vec![], ..rules() }, "no algorithm");
    for (name, why) in [("HS256", "one secret"), ("none", "signs nothing"), ("RS128", "not known")] {
        let algorithms = vec!["RS256".to_owned(), name.to_owned()];
        refused(&["a"], Rules { algorithms, ..rules() }, why);
    }
}
