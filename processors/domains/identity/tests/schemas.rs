//! What is generated from `schemas/identity`: every message through its schema and back, and where each belongs.

use crate::common;

use common::*;
use millrace_domain_identity::{Identity, claim, user};
use millrace_kernel::{Addressed, Domain};
use millrace_testkit::messages::all_round_trip;

#[test]
fn every_message_round_trips() {
    assert_eq!(all_round_trip::<Identity>(), 4 + 3 + 12 + 2, "commands, steps, events and kinds of states");
}

#[test]
fn messages_belong_to_the_aggregates_that_decisions_read() {
    let (ann, k1) = (user::id("ann"), name(ANN));
    for command in [add("ann", ANN), renew("ann"), remove("ann"), enable("ann", 64, PRINT)] {
        assert_eq!((command.aggregate_id(), &*command.routing_key()), (ann.clone(), "ann"));
    }
    for step in [claim_email("ann", &k1).into(), release_email("ann", &k1).into()] {
        let step: millrace_domain_identity::StepData = step;
        assert_eq!((step.aggregate_id(), &*step.routing_key()), (claim::id(&k1), &*k1));
    }
    assert_eq!(end_change("ann", "c", Vec::new()).aggregate_id(), ann);
    assert_eq!((Identity::LOOKUPS, Identity::PSEUDONYMS), (&["User"][..], &["EmailClaim"][..]));
}

#[test]
fn what_is_personal_is_not_printed() {
    let printed = format!(
        "{:?} {:?} {:?}",
        add("u", ANN),
        addition_requested(person("u", ANN, true), "c", Vec::new()),
        move_to("u", ANN)
    );
    assert!(!printed.contains("ann@") && !printed.contains("Lee"), "{printed}");
}
