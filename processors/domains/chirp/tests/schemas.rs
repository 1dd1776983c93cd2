//! Every generated type goes through its schema and back, and strangers read the same bytes.

use millrace_domain_chirp::messages::{
    CommandData, EventData, State, StepData, commands, events, state, steps,
};
use millrace_domain_chirp::{Chirp, user};
use millrace_kernel::bookkeeping::{
    Bookkeeping, DeadStep, Floor, FloorSpan, Inbox, OpenProcess, ParkedKey, Repeats,
};
use millrace_kernel::outcome::{Outcome, Position, Status, Version};
use millrace_kernel::{
    Command, Domain, Event, Metadata, Named, ProcessContext, StateData, Step, StepSource, Violation,
};
use millrace_testkit::schema::{branch, round_trip};

fn full() -> Metadata {
    Metadata {
        trace_id: Some("t".into()),
        user_id: Some("u".into()),
        correlation_id: Some("c".into()),
        causation_id: Some("e".into()),
        issued_at: Some(1_700_000_000_000_000),
        expected_version: Some(0),
    }
}

fn text(name: &str) -> String {
    format!("{name} äöü 🐦")
}

fn violations() -> Vec<Violation> {
    vec![Violation::on("AlreadyExists", "username", "taken"), Violation::of("Poisoned", "no field")]
}

fn repeated() -> Outcome {
    Outcome {
        command_id: "c1".into(),
        status: Status::Rejected,
        duplicate: true,
        positions: vec![Position { topic: "topic".into(), partition: 3, offset: 7 }],
        versions: vec![Version { aggregate_id: "Kind/ann".into(), version: 1 }],
        violations: vec![Violation::on("Code", "field", "too much"), Violation::of("Poisoned", "no field")],
        recorded_at: 9,
    }
}

#[test]
fn commands_round_trip() {
    let (chirp_id, author_id) = (text("chirp"), text("author"));
    let (follower_id, followee_id) = (text("follower"), text("followee"));
    let all: Vec<(CommandData, &str)> = vec![
        (commands::RegisterUser { user_id: text("id"), username: text("name") }.into(), "0 2"),
        (
            commands::PostChirp {
                chirp_id: chirp_id.clone(),
                author_id: author_id.clone(),
                content: text("c"),
            }
            .into(),
            "1 3",
        ),
        (
            commands::EditChirp {
                chirp_id: chirp_id.clone(),
                author_id: author_id.clone(),
                content: text("d"),
            }
            .into(),
            "2 3",
        ),
        (commands::DeleteChirp { chirp_id, author_id }.into(), "3 2"),
        (
            commands::FollowUser { follower_id: follower_id.clone(), followee_id: followee_id.clone() }
                .into(),
            "4 2",
        ),
        (commands::UnfollowUser { follower_id, followee_id }.into(), "5 2"),
    ];
    for (data, expected) in all {
        for metadata in [Metadata::default(), full()] {
            let command = Command { id: "c1".into(), metadata, data: data.clone() };
            let seen = round_trip(Chirp::SCHEMAS.commands, &command);
            assert_eq!(branch(&seen), expected, "{}", data.name());
        }
    }
}

#[test]
fn steps_round_trip() {
    let (user_id, username) = (text("id"), text("name"));
    let all: Vec<StepData> = vec![
        steps::ClaimUsername { user_id: user_id.clone(), username: username.clone() }.into(),
        steps::ConfirmRegistration { user_id: user_id.clone(), username: username.clone() }.into(),
        steps::RefuseRegistration { user_id, username, violations: violations() }.into(),
    ];
    for data in all {
        let step = Step {
            id: "s1".into(),
            metadata: full(),
            source: StepSource { partition: 3, sequence: i64::MAX },
            process: ProcessContext {
                command_id: "c1".into(),
                positions: vec![Position { topic: "chirp.commands".into(), partition: 3, offset: 7 }],
                versions: vec![Version { aggregate_id: "User/bob".into(), version: 1 }],
            },
            data,
        };
        round_trip(Chirp::SCHEMAS.steps, &step);
    }
}

#[test]
fn events_round_trip() {
    let (user_id, username) = (text("id"), text("name"));
    let (chirp_id, author_id, content) = (text("chirp"), text("author"), text("content"));
    let (follower_id, followee_id) = (text("follower"), text("followee"));
    let all: Vec<EventData> = vec![
        events::RegistrationStarted { user_id: user_id.clone(), username: username.clone() }.into(),
        events::UsernameClaimed { user_id: user_id.clone(), username: username.clone() }.into(),
        events::UsernameClaimRefused {
            user_id: user_id.clone(),
            username: username.clone(),
            violations: violations(),
        }
        .into(),
        events::RegistrationRefused {
            user_id: user_id.clone(),
            username: username.clone(),
            violations: Vec::new(),
        }
        .into(),
        events::UserRegistered { user_id, username }.into(),
        events::ChirpPosted {
            chirp_id: chirp_id.clone(),
            author_id: author_id.clone(),
            content: content.clone(),
        }
        .into(),
        events::ChirpEdited { chirp_id: chirp_id.clone(), author_id: author_id.clone(), content }.into(),
        events::ChirpDeleted { chirp_id, author_id }.into(),
        events::UserFollowed { follower_id: follower_id.clone(), followee_id: followee_id.clone() }.into(),
        events::UserUnfollowed { follower_id, followee_id }.into(),
    ];
    for (index, data) in all.into_iter().enumerate() {
        let event = Event {
            id: "e1".into(),
            metadata: full(),
            aggregate_id: Chirp::aggregate_id(&data).as_str().to_owned(),
            version: i64::MAX,
            command_id: "c1".into(),
            command_offset: -1,
            recorded_at: i64::MIN,
            data,
        };
        let seen = round_trip(Chirp::SCHEMAS.events, &event);
        assert!(branch(&seen).starts_with(&format!("{index} ")), "{}", event.data.name());
    }
}

#[test]
fn states_round_trip() {
    let states = [
        None,
        Some(State::User(state::User { username: text("name"), registered_at: None })),
        Some(State::User(state::User { username: text("name"), registered_at: Some(5) })),
        Some(State::Username(state::Username { user_id: text("id") })),
        Some(State::Chirp(state::Chirp {
            author_id: text("author"),
            content: text("content"),
            posted_at: 1,
            edited_at: Some(2),
            deleted: true,
        })),
        Some(State::FollowRelationship(state::FollowRelationship { active: true, since: 3 })),
        Some(State::from_bookkeeping(Bookkeeping::Process(OpenProcess {
            command_type: "RegisterUser".into(),
            started_at: 1,
            duplicates: 2,
        }))),
        Some(State::from_bookkeeping(Bookkeeping::Inbox(Inbox { sequence: 4 }))),
        Some(State::from_bookkeeping(Bookkeeping::DeadStep(DeadStep {
            command_id: Some(text("id")),
            step_type: None,
            since: 5,
        }))),
        Some(State::from_bookkeeping(Bookkeeping::ParkedKey(ParkedKey {
            line: 6,
            next: 7,
            newest: 8,
            since: 9,
        }))),
        Some(State::from_bookkeeping(Bookkeeping::Repeats(Repeats { left: 10, outcome: repeated() }))),
        Some(State::from_bookkeeping(Bookkeeping::Floor(Floor {
            issued_at: 11,
            recorded_at: 12,
            spans: vec![
                FloorSpan { recorded_at: 13, appended_at: 14, issued_at: 15 },
                FloorSpan { recorded_at: i64::MAX, appended_at: 0, issued_at: i64::MIN },
            ],
        }))),
    ];
    for state in states {
        let record = State::to_record(&user::id("bob"), 7, 8, state.as_ref());
        round_trip(Chirp::SCHEMAS.state, &record);
        let bookkeeping = state.as_ref().and_then(StateData::as_bookkeeping);
        assert_eq!(matches!(bookkeeping, Some(Bookkeeping::Process(_))), record.process.is_some());
        assert_eq!(matches!(bookkeeping, Some(Bookkeeping::Inbox(_))), record.inbox.is_some());
        assert_eq!(matches!(bookkeeping, Some(Bookkeeping::DeadStep(_))), record.dead_step.is_some());
        assert_eq!(matches!(bookkeeping, Some(Bookkeeping::ParkedKey(_))), record.parked_key.is_some());
        assert_eq!(matches!(bookkeeping, Some(Bookkeeping::Repeats(_))), record.repeats.is_some());
        assert_eq!(matches!(bookkeeping, Some(Bookkeeping::Floor(_))), record.floor.is_some());
        assert_eq!(State::from_record(record), ("User/bob".to_owned(), 7, 8, state));
    }
}

#[test]
fn outcomes_round_trip() {
    for status in [Status::Accepted, Status::Rejected] {
        let outcome = Outcome {
            command_id: "c1".into(),
            status,
            duplicate: true,
            positions: vec![Position { topic: "chirp.steps".into(), partition: 0, offset: 1 }],
            versions: vec![Version { aggregate_id: "User/bob".into(), version: 2 }],
            violations: violations(),
            recorded_at: 9,
        };
        round_trip(Chirp::SCHEMAS.outcomes, &outcome);
    }
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
