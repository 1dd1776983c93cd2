//! No address stands where it would stay for ever or be shown: in a key, an id, a look-up, an answer, a step.

use crate::common;

use bytes::Bytes;
use common::whole::{Whole, ask, is_taken, send, whole};
use common::*;
use millrace_domain_identity::Identity;
use millrace_domain_identity::messages::commands::UpdateUser;
use millrace_runtime::processor::looked_up::LookupTopics;

/// What no other text holds, whatever its case.
const SECRET: &str = "zyxwvsecret";

fn holds_it(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    text.contains(SECRET)
}

/// Everything that may befall an address: taken, moved, refused, not well formed, renewed, removed, unreadable.
fn happened() -> Whole {
    let mut pipeline = whole(2);
    pipeline.start_processor();
    pipeline.start_projectors();
    let (one, other) = (format!("{SECRET}.one@example.org"), format!("{SECRET}.other@example.org"));
    assert_eq!(ask(&mut pipeline, "c1", add("ann", &one)), []);
    assert_eq!(ask(&mut pipeline, "c2", add("bob", &one.to_uppercase())), is_taken());
    assert_eq!(ask(&mut pipeline, "c3", add("bob", &other)), []);
    assert_eq!(ask(&mut pipeline, "c4", move_to("bob", &one)), is_taken());
    assert_eq!(ask(&mut pipeline, "c5", move_to("bob", &format!("{SECRET}.third@example.org"))), []);
    for (number, bad) in
        ["@", "", "@x_y.org", "\u{378}@x.org", "@x.org\0", " @x.org", "@@x.org"].iter().enumerate()
    {
        let refused = ask(&mut pipeline, &format!("bad{number}"), add("eve", &format!("{SECRET}{bad}")));
        assert_eq!(refused, [("InvalidArgument".to_owned(), "email".to_owned())]);
    }
    let others = UpdateUser {
        first_name: Some(format!("{SECRET}\n").as_str().into()),
        picture: Some(SECRET.into()),
        locale: Some(SECRET.into()),
        ..nothing_for("ann")
    };
    assert_eq!(ask(&mut pipeline, "c6", others.into()).len(), 3);
    assert_eq!(ask(&mut pipeline, "c7", remove("ann")), []);
    // one cannot be read, and one is not where it belongs
    let names = pipeline.names().clone();
    pipeline.send_raw(&names.commands, Some(Bytes::from("ann")), Some(Bytes::from("no command")));
    send(&pipeline, "c8", add("ann", &one));
    pipeline.settle();
    pipeline
}

#[test]
fn no_key_no_answer_no_look_up_and_no_step_holds_an_address() {
    let pipeline = happened();
    let names = pipeline.names();
    let lookups = LookupTopics::of::<Identity>(names);
    let changes = names.changes("users");
    let mut topics: Vec<_> = names.own();
    topics.extend(lookups.all());
    topics.push(&changes);
    let (mut keys, mut values) = (0, 0);
    for topic in topics {
        let records = pipeline.log.committed_records(topic);
        assert!(!records.is_empty(), "{topic} is worth a look");
        let may_hold_it = [&names.commands, &names.events, &names.state, &changes].contains(&topic);
        for record in records {
            let key = record.key.as_deref().unwrap_or_default();
            assert!(!holds_it(key), "{topic}: the key {}", String::from_utf8_lossy(key));
            for (header, value) in &record.headers {
                assert!(!holds_it(value), "{topic}: {header} {}", String::from_utf8_lossy(value));
            }
            keys += 1;
            let value = record.value.as_deref().unwrap_or_default();
            let is_users = key.starts_with(b"User/");
            if !may_hold_it || (*topic == names.state && !is_users) {
                assert!(!holds_it(value), "{topic}: {}", String::from_utf8_lossy(value));
                values += 1;
            }
        }
    }
    assert!(keys > 60 && values > 30, "{keys} keys and {values} values");
    // ids of events and aggregates, and what is known of one who is removed
    for (_, event) in pipeline.events() {
        assert!(!holds_it(event.aggregate_id.as_bytes()) && !holds_it(event.id.as_bytes()));
    }
    let state = pipeline.log.committed_records(&names.state);
    let ann = state.iter().rfind(|it| it.key.as_deref() == Some(b"User/ann")).expect("the id stays taken");
    assert!(!holds_it(ann.value.as_deref().unwrap_or_default()));
    assert!(holds_it(&pipeline.log.committed_records(&names.events)[0].value.clone().unwrap_or_default()));
}
