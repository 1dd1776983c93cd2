//! What is generated from `schemas/chirp`: every message through its schema and back, and where each belongs.

use millrace_domain_chirp::messages::{CommandData, EventData, StepData, commands, events, steps};
use millrace_domain_chirp::{Chirp, chirp, follow, user, username};
use millrace_kernel::{Addressed, AggregateId, Domain};
use millrace_testkit::messages::all_round_trip;

#[test]
fn every_message_round_trips() {
    assert_eq!(all_round_trip::<Chirp>(), 6 + 3 + 10 + 4, "commands, steps, events and kinds of states");
}

fn t(text: &str) -> String {
    text.to_owned()
}

#[test]
fn messages_belong_to_the_aggregates_that_decisions_read() {
    let of_command = |data: CommandData| (data.aggregate_id(), data.routing_key().into_owned());
    let of_step = |data: StepData| (data.aggregate_id(), data.routing_key().into_owned());
    let of_event = |data: EventData| (data.aggregate_id(), data.routing_key().into_owned());
    let rows: [(_, AggregateId, &str); 8] = [
        (
            of_command(commands::RegisterUser { user_id: t("bob").into(), username: t("Bob").into() }.into()),
            user::id("bob"),
            "bob",
        ),
        (
            of_command(
                commands::PostChirp {
                    chirp_id: t("c1").into(),
                    author_id: t("Bob").into(),
                    content: t("hi").into(),
                }
                .into(),
            ),
            chirp::id("Bob", "c1"),
            "Bob",
        ),
        (
            of_command(
                commands::FollowUser { follower_id: t("ann").into(), followee_id: t("bob").into() }.into(),
            ),
            follow::id("bob", "ann"),
            "bob",
        ),
        (
            of_command(
                commands::UnfollowUser { follower_id: t("ann").into(), followee_id: t("a/b").into() }.into(),
            ),
            follow::id("a/b", "ann"),
            "a/b",
        ),
        (
            of_step(steps::ClaimUsername { user_id: t("bob").into(), username: t("BoB").into() }.into()),
            username::id("BoB"),
            "bob",
        ),
        (
            of_step(
                steps::ConfirmRegistration { user_id: t("bob").into(), username: t("BoB").into() }.into(),
            ),
            user::id("bob"),
            "bob",
        ),
        (
            of_event(events::UsernameClaimed { user_id: t("bob").into(), username: t("BoB").into() }.into()),
            username::id("bob"),
            "bob",
        ),
        (
            of_event(events::ChirpDeleted { chirp_id: t("c1").into(), author_id: t("bob").into() }.into()),
            chirp::id("bob", "c1"),
            "bob",
        ),
    ];
    for (found, id, key) in rows {
        assert_eq!(found, (id, key.to_owned()));
    }
    assert_eq!(Chirp::LOOKUPS, [user::KIND]);
}

#[test]
fn an_unknown_or_missing_field_is_named() {
    let rows = [
        (r#"{"RegisterUser": {"user_id": "bob"}}"#, "username"),
        (r#"{"RegisterUser": {"user_id": "bob", "username": "Bob", "age": 3}}"#, "age"),
        (r#"{"RenameUser": {}}"#, "RenameUser"),
    ];
    for (json, word) in rows {
        let error = serde_json::from_str::<CommandData>(json).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
