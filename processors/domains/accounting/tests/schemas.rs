//! Every generated type goes through its schema and back, and strangers read the same bytes.

use crate::common;

use common::{Moving, closed, deposited, moving, opened, withdrawn};
use millrace_domain_accounting::messages::{CommandData, EventData, State, StepData, commands, state};
use millrace_domain_accounting::{Accounting, account};
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
    vec![Violation::on("Overflow", "amount", "too much"), Violation::of("Poisoned", "no field")]
}

/// A transfer of the most there is, with names in all the letters there are.
fn strange() -> Moving {
    moving(&text("t"), &text("from"), &text("to"), i64::MAX)
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
    let (account_id, owner_id, currency, reference) =
        (text("account"), text("owner"), text("currency"), text("reference"));
    let all: Vec<(CommandData, &str)> = vec![
        (
            commands::OpenAccount { account_id: account_id.clone(), owner_id, currency: currency.clone() }
                .into(),
            "0 3",
        ),
        (
            commands::Deposit {
                account_id: account_id.clone(),
                amount: i64::MAX,
                currency: currency.clone(),
                reference: reference.clone(),
            }
            .into(),
            "1 4",
        ),
        (
            commands::Withdraw {
                account_id: account_id.clone(),
                amount: i64::MIN,
                currency: currency.clone(),
                reference,
            }
            .into(),
            "2 4",
        ),
        (
            commands::Transfer {
                transfer_id: text("t"),
                from: text("from"),
                to: text("to"),
                amount: -1,
                currency,
            }
            .into(),
            "3 5",
        ),
        (commands::CloseAccount { account_id }.into(), "4 1"),
    ];
    for (data, expected) in all {
        for metadata in [Metadata::default(), full()] {
            let command = Command { id: "c1".into(), metadata, data: data.clone() };
            let seen = round_trip(Accounting::SCHEMAS.commands, &command);
            assert_eq!(branch(&seen), expected, "{}", data.name());
        }
    }
}

#[test]
fn steps_round_trip() {
    let t = strange();
    let all: Vec<StepData> = vec![
        t.reserve(None),
        t.reserve(Some("user")),
        t.credit(),
        t.settle(),
        t.release(violations()),
        t.complete(),
        t.fail(violations()),
    ];
    for data in all {
        let step = Step {
            id: "s1".into(),
            metadata: full(),
            source: StepSource { partition: 3, sequence: i64::MAX },
            process: ProcessContext {
                command_id: "c1".into(),
                positions: vec![Position { topic: "accounting.commands".into(), partition: 3, offset: 7 }],
                versions: vec![Version { aggregate_id: "Account/ann".into(), version: 1 }],
            },
            data,
        };
        round_trip(Accounting::SCHEMAS.steps, &step);
    }
}

#[test]
fn events_round_trip() {
    let t = strange();
    let all: Vec<EventData> = vec![
        opened(&text("account"), &text("owner"), &text("currency")),
        deposited(&text("account"), i64::MAX, &text("currency")),
        withdrawn(&text("account"), 1, &text("currency")),
        closed(&text("account")),
        t.requested(Some("user")),
        t.reserved(),
        t.reservation_refused(violations()),
        t.credited(),
        t.credit_refused(violations()),
        t.settled(),
        t.released(violations()),
        t.completed(),
        t.failed(Vec::new()),
    ];
    assert_eq!(all.len(), 13, "every event, in the order of the schema");
    for (index, data) in all.into_iter().enumerate() {
        let event = Event {
            id: "e1".into(),
            metadata: full(),
            aggregate_id: Accounting::aggregate_id(&data).as_str().to_owned(),
            version: i64::MAX,
            command_id: "c1".into(),
            command_offset: -1,
            recorded_at: i64::MIN,
            data,
        };
        let seen = round_trip(Accounting::SCHEMAS.events, &event);
        assert!(branch(&seen).starts_with(&format!("{index} ")), "{}", event.data.name());
    }
}

#[test]
fn states_round_trip() {
    let reserved = vec![
        state::Reservation { transfer_id: text("t"), amount: 1 },
        state::Reservation { transfer_id: text("u"), amount: i64::MAX - 1 },
    ];
    let open = state::Account {
        owner_id: text("owner"),
        currency: text("currency"),
        balance: i64::MAX,
        reserved,
        closed: false,
    };
    let states = [
        None,
        Some(State::Account(state::Account { closed: true, reserved: Vec::new(), ..open.clone() })),
        Some(State::Account(open)),
        Some(State::Transfer(state::Transfer {
            from: text("from"),
            to: text("to"),
            amount: 1,
            currency: text("currency"),
            step: "REQUESTED".into(),
        })),
        Some(State::from_bookkeeping(Bookkeeping::Process(OpenProcess {
            command_type: "Transfer".into(),
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
        let record = State::to_record(&account::id("ann"), 7, 8, state.as_ref());
        round_trip(Accounting::SCHEMAS.state, &record);
        assert_eq!(State::from_record(record), ("Account/ann".to_owned(), 7, 8, state));
    }
}

#[test]
fn outcomes_round_trip() {
    for status in [Status::Accepted, Status::Rejected] {
        let outcome = Outcome {
            command_id: "c1".into(),
            status,
            duplicate: true,
            positions: vec![Position { topic: "accounting.steps".into(), partition: 0, offset: 1 }],
            versions: vec![Version { aggregate_id: "Account/ann".into(), version: 2 }],
            violations: violations(),
            recorded_at: 9,
        };
        round_trip(Accounting::SCHEMAS.outcomes, &outcome);
    }
}

#[test]
fn an_amount_is_a_whole_number() {
    let rows = [
        (r#"{"Deposit": {"account_id": "a", "amount": 1.5, "currency": "EUR", "reference": ""}}"#, "1.5"),
        (r#"{"Deposit": {"account_id": "a", "amount": "1", "currency": "EUR", "reference": ""}}"#, "i64"),
        (
            r#"{"Deposit": {"account_id": "a", "amount": 9223372036854775808, "currency": "EUR", "reference": ""}}"#,
            "i64",
        ),
        (r#"{"CloseAccount": {}}"#, "account_id"),
    ];
    for (json, word) in rows {
        let error = serde_json::from_str::<CommandData>(json).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
