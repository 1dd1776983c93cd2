//! What each step decides, also one that comes twice or too late.

use crate::common;

use common::*;
use millrace_domain_identity::messages::commands::UpdateUser;
use millrace_domain_identity::messages::events::{
    EmailClaimRefused, EmailReleased, UserAdditionRefused, UserEmailReleased, UserUpdateRefused,
};
use millrace_domain_identity::messages::steps::{ClaimEmail, ReleaseEmail};
use millrace_domain_identity::{EventData, Identity};
use millrace_testkit::given::given;

fn released(of: &ReleaseEmail, was_held: bool) -> EventData {
    let ReleaseEmail { claim_id, user_id, change_id, to_release, violations } = of.clone();
    EmailReleased { claim_id, user_id, change_id, was_held, to_release, violations }.into()
}

#[test]
fn a_claim_is_for_the_first_who_claims_it() {
    let k1 = name(ANN);
    let mine = claimed("ann", &k1);
    given::<Identity>([]).when_step(claim_email("ann", &k1)).then_events([mine.clone()]);
    given::<Identity>([mine.clone()]).when_step(claim_email("ann", &k1)).then_events([mine.clone()]);
    // what the change has claimed before is told, so that it can be given up
    let second = ClaimEmail { claimed: vec!["k0.x".into()], ..claim_email("bob", &k1) };
    given::<Identity>([mine]).when_step(second).then_events([EmailClaimRefused {
        claim_id: k1.clone(),
        user_id: "bob".into(),
        change_id: "c".into(),
        claimed: vec!["k0.x".into()],
        violations: taken(),
    }
    .into()]);
}

#[test]
fn a_claim_is_given_up_by_its_owner_alone() {
    let k1 = name(ANN);
    let (ann, bob) = (release_email("ann", &k1), release_email("bob", &k1));
    let history = [claimed("ann", &k1)];
    given::<Identity>([]).when_step(ann.clone()).then_events([released(&ann, false)]);
    given::<Identity>(history.clone()).when_step(bob.clone()).then_events([released(&bob, false)]);
    given::<Identity>(history)
        .when_step(ann.clone())
        .then_events([released(&ann, true)])
        // a second time
        .when_step(ann.clone())
        .then_events([released(&ann, false)])
        .when_step(claim_email("bob", &k1))
        .then_events([claimed("bob", &k1)])
        // and too late
        .when_step(ann.clone())
        .then_events([released(&ann, false)])
        .when_step(claim_email("bob", &k1))
        .then_events([claimed("bob", &k1)]);
}

#[test]
fn a_change_ends_once_and_only_by_its_own_step() {
    let ann = || person("ann", ANN, true);
    let adding = || [addition_requested(ann(), "c", vec![name(ANN)])];
    let none: [EventData; 0] = [];
    let end = || end_change("ann", "c", Vec::new());
    let fail = || end_change("ann", "c", taken());

    given::<Identity>(adding()).when_step(end_change("ann", "b", taken())).then_events(none.clone());
    given::<Identity>([]).when_step(end()).then_events(none.clone());
    given::<Identity>(adding())
        .when_step(end())
        .then_events([added(ann()).into()])
        .when_step(end())
        .then_events(none.clone());
    let refused = UserAdditionRefused { user_id: "ann".into(), violations: taken() };
    given::<Identity>(adding())
        .when_step(fail())
        .then_events([refused.into()])
        .when_step(fail())
        .then_events(none.clone())
        // the id is free again
        .when(add_unverified("ann", ANN))
        .then_events([added(person("ann", ANN, false)).into()]);

    let change = || UpdateUser { email: Some(BOB.into()), ..nothing_for("ann") };
    let changing = || {
        let mut all = there_is("ann", ANN, &["k1"]);
        all.push(update_requested(change(), "d", vec![name(BOB)], vec![name(BOB)], vec![name(ANN)]));
        all
    };
    // a step of the change before comes once more
    given::<Identity>(changing()).when_step(end()).then_events(none.clone());
    given::<Identity>(changing())
        .when_step(end_change("ann", "d", Vec::new()))
        .then_events([updated(change())])
        .when(remove("ann"))
        .then_events([removed("ann", "when", vec![name(BOB)])])
        .when_step(end_change("ann", "d", Vec::new()))
        .then_events(none.clone())
        .when_step(end_change("ann", "when", Vec::new()))
        .then_events([UserEmailReleased { user_id: "ann".into() }.into()])
        .when_step(end_change("ann", "when", Vec::new()))
        .then_events(none);
    let refused = UserUpdateRefused { user_id: "ann".into(), violations: taken() };
    given::<Identity>(changing())
        .when_step(end_change("ann", "d", taken()))
        .then_events([refused.into()])
        .when(remove("ann"))
        .then_events([removed("ann", "when", vec![name(ANN)])]);
}
