//! What a token says and a command says as well: filled in for who signs in, and never believed without the token.

use millrace_kernel::ClaimRule;
use millrace_kernel::claims::ACTING_USER;
use serde_json::{Map, Value as Json, json};

use crate::auth::Known;
use crate::http::problem::{FORBIDDEN, Problem};

/// The claim that names the user at the issuer (OpenID Connect Core 1.0 §2).
const SUBJECT: &str = "sub";

/// The data of the command `kind`, as the token says it. `None` where it does not say what its issuer would have to vouch for:
/// then nothing is known of who this is.
pub(super) fn filled(rules: &[ClaimRule], kind: &str, known: &Known) -> Option<Json> {
    let mut data = Map::new();
    let of = || rules.iter().filter(|rule| rule.command == kind);
    let is_vouched_for = |claim: &str| of().any(|rule| rule.vouches_for() == Some(claim));
    for rule in of() {
        let said = known.claims.get(rule.claim);
        let value = match rule.vouches_for() {
            Some(_) => Json::from(said == Some(&Json::Bool(true))),
            None if rule.claim == ACTING_USER => Json::from(&*known.user),
            None => match said.and_then(Json::as_str) {
                Some(text) => Json::from(text),
                None if is_vouched_for(rule.claim) => return None,
                None => Json::from(""),
            },
        };
        data.insert(rule.field.to_owned(), value);
    }
    Some(Json::Object(data))
}

/// Empties `fields` of what [`filled`] made. `None` where one of them says who this is, which cannot be left out.
pub(super) fn without(rules: &[ClaimRule], kind: &str, data: &mut Json, fields: &[String]) -> Option<()> {
    let of = || rules.iter().filter(|rule| rule.command == kind);
    let is_vouched_for = |claim: &str| of().any(|rule| rule.vouches_for() == Some(claim));
    for field in fields {
        let rule = of().find(|rule| rule.field == field)?;
        if rule.claim == ACTING_USER || rule.vouches_for().is_some() || is_vouched_for(rule.claim) {
            return None;
        }
        data[rule.field] = Json::from("");
    }
    Some(())
}

/// Refuses what somebody says of themselves and their token does not.
///
/// # Errors
/// [`FORBIDDEN`], with the field.
pub(crate) fn vouched(rules: &[ClaimRule], kind: &str, known: &Known, data: &Json) -> Result<(), Problem> {
    let of = || rules.iter().filter(|rule| rule.command == kind);
    for rule in of().filter(|rule| rule.claim == SUBJECT && data[rule.field].is_string()) {
        if known.claims.get(SUBJECT) != Some(&data[rule.field]) {
            let field = rule.field;
            let detail = format!(
                "{field} is what the token calls its user, and this token calls its user something else."
            );
            let errors = json!([{"pointer": format!("/data/{field}"), "detail": "not what the token says"}]);
            return Err(Problem::new(FORBIDDEN, detail).with("errors", errors));
        }
    }
    for rule in of().filter(|rule| data[rule.field] == true) {
        let Some(claim) = rule.vouches_for() else { continue };
        let about = of().find(|other| other.claim == claim).map(|other| &data[other.field]);
        let is_so = known.claims.get(rule.claim) == Some(&Json::Bool(true));
        // of a text that is left out nobody here knows which it is
        if !is_so || about.is_none_or(|about| known.claims.get(claim) != Some(about)) {
            let field = rule.field;
            let detail = format!(
                "{field} is true, and the token does not say so of what stands beside it. Leave it out, or come with a \
                 token whose {} is true and whose {claim} is the same.",
                rule.claim
            );
            let errors =
                json!([{"pointer": format!("/data/{field}"), "detail": "the token does not say so"}]);
            return Err(Problem::new(FORBIDDEN, detail).with("errors", errors));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;
    use crate::auth::Claims;

    const fn rule(command: &'static str, field: &'static str, claim: &'static str) -> ClaimRule {
        ClaimRule { command, field, claim }
    }

    const RULES: [ClaimRule; 6] = [
        rule("Add", "user_id", "user"),
        rule("Add", "address", "email"),
        rule("Add", "is_verified", "email_verified"),
        rule("Add", "name", "given_name"),
        rule("Update", "address", "email"),
        rule("Update", "is_verified", "email_verified"),
    ];

    fn known(claims: &Json, roles: &[&str]) -> Known {
        let claims = Claims::of(claims.as_object().unwrap(), true);
        let roles = roles.iter().map(|role| (*role).into()).collect();
        Known { user: "ann".into(), roles, claims, ..Known::default() }
    }

    #[test]
    fn a_command_is_filled_in_as_the_token_says() {
        let whole = json!({"email": "a@x.org", "email_verified": true, "given_name": "Ann", "iss": "x"});
        let filled = |claims: &Json| filled(&RULES, "Add", &known(claims, &[]));
        let expected = json!({"user_id": "ann", "address": "a@x.org", "is_verified": true, "name": "Ann"});
        assert_eq!(filled(&whole), Some(expected));
        let expected = json!({"user_id": "ann", "address": "a@x.org", "is_verified": false, "name": ""});
        for verified in [json!(null), json!(false), json!("true"), json!(1)] {
            assert_eq!(
                filled(&json!({"email": "a@x.org", "email_verified": verified})),
                Some(expected.clone())
            );
        }
        // a token for programs says nothing of anybody
        for claims in [json!({}), json!({"email": 7}), json!({"given_name": "Ann"})] {
            assert_eq!(filled(&claims), None);
        }
    }

    #[test]
    fn what_is_refused_is_left_out_but_not_who_it_is() {
        let token = json!({"email": "a@x.org", "email_verified": true, "given_name": "A\nB"});
        let left = |fields: &[&str]| {
            let mut data = filled(&RULES, "Add", &known(&token, &[])).unwrap();
            let fields: Vec<_> = fields.iter().map(|it| (*it).to_owned()).collect();
            without(&RULES, "Add", &mut data, &fields).map(|()| data)
        };
        let expected = json!({"user_id": "ann", "address": "a@x.org", "is_verified": true, "name": ""});
        assert_eq!(left(&["name"]), Some(expected));
        for field in ["user_id", "address", "is_verified", "other", ""] {
            assert_eq!(left(&["name", field]), None, "{field}");
        }
    }

    #[test]
    fn nobody_vouches_for_themselves() {
        let token = json!({"email": "a@x.org", "email_verified": true});
        let judged = |kind: &str, claims: &Json, roles: &[&str], data: &Json| {
            vouched(&RULES, kind, &known(claims, roles), data).map_err(|problem| problem.status())
        };
        let true_of = |address: &str| json!({"address": address, "is_verified": true});
        for kind in ["Add", "Update"] {
            assert_eq!(judged(kind, &token, &[], &true_of("a@x.org")), Ok(()));
            assert_eq!(judged(kind, &token, &[], &true_of("b@x.org")), Err(StatusCode::FORBIDDEN));
            // nor does who looks after the system
            assert_eq!(judged(kind, &token, &["operator"], &true_of("b@x.org")), Err(StatusCode::FORBIDDEN));
            assert_eq!(judged(kind, &token, &[], &json!({"is_verified": true})), Err(StatusCode::FORBIDDEN));
            for claims in [json!({}), json!({"email": "a@x.org"}), json!({"email_verified": true})] {
                assert_eq!(judged(kind, &claims, &[], &true_of("a@x.org")), Err(StatusCode::FORBIDDEN));
            }
            for said in [json!({"address": "b@x.org", "is_verified": false}), json!({"address": "b@x.org"})] {
                assert_eq!(judged(kind, &token, &[], &said), Ok(()));
            }
        }
        assert_eq!(judged("Other", &token, &[], &true_of("b@x.org")), Ok(()));
    }

    #[test]
    fn nobody_says_that_an_issuer_calls_them_something_else() {
        let token = json!({"sub": "auth0|ann"});
        let rules = [rule("Add", "auth0_id", "sub")];
        let judged = |data: &Json| vouched(&rules, "Add", &known(&token, &[]), data).is_ok();
        assert!(judged(&json!({"auth0_id": "auth0|ann"})) && judged(&json!({})));
        assert!(!judged(&json!({"auth0_id": "auth0|bob"})));
    }

    #[test]
    fn whoever_may_not_name_our_users_vouches_for_nothing() {
        let said = json!({"email": "a@x.org", "email_verified": true});
        let theirs = Claims::of(said.as_object().unwrap(), false);
        assert_eq!((theirs.get("email"), theirs.get("email_verified")), (Some(&json!("a@x.org")), None));
    }
}
