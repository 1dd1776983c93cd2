//! Keys of pseudonyms that are replaced, lost, or not the ones they say they are.

use crate::common;

use std::collections::BTreeSet;

use common::whole::{Whole, answer, ask, claims, is_consistent, is_taken, send, users, whole};
use common::*;
use millrace_kernel::{PseudonymKey, PseudonymKeys};
use millrace_runtime::health::LaneState;
use millrace_testkit::given::test_keys;

const PARTITIONS: i32 = 2;

/// All processors start again, with these keys.
fn restart(pipeline: &mut Whole, keys: PseudonymKeys) {
    pipeline.use_keys(keys);
    for instance in (0..pipeline.instances()).rev() {
        pipeline.crash(instance);
    }
    pipeline.start_processor();
}

/// The newest key alone, while others are given up.
fn without(valid: &[&str], retired: &[&str]) -> PseudonymKeys {
    let retired: BTreeSet<_> = retired.iter().map(|id| (*id).into()).collect();
    PseudonymKeys::new(test_keys(valid).valid().to_vec(), retired).expect("keys")
}

/// Turns everything for a while; what the lanes of the one processor say then, and what was in the way.
fn watch(pipeline: &mut Whole) -> (Vec<(LaneState, String)>, BTreeSet<String>) {
    let mut troubles = BTreeSet::new();
    for turn in 0..400 {
        pipeline.membership(0);
        pipeline.follow(0);
        troubles.extend(pipeline.lane(0, turn).trouble);
        // a session of who was killed ends
        pipeline.clock.pass(200_000);
    }
    let lanes = (0..PARTITIONS).filter_map(|partition| pipeline.describe(0, partition)).collect();
    (lanes, troubles)
}

#[test]
fn keys_are_replaced_and_an_address_stays_one_users_all_the_while() {
    let mut pipeline = whole(PARTITIONS);
    pipeline.start_processor();
    let nobody_else = |pipeline: &mut Whole, what: &str| {
        for (number, address) in ["ANN@example.org", "Bob@example.org"].into_iter().enumerate() {
            assert_eq!(ask(pipeline, &format!("{what}{number}"), add("eve", address)), is_taken(), "{what}");
        }
    };
    assert_eq!(ask(&mut pipeline, "c1", add("ann", ANN)), []);
    assert_eq!(ask(&mut pipeline, "c2", add("bob", BOB)), []);
    nobody_else(&mut pipeline, "before");

    restart(&mut pipeline, test_keys(&["k2", "k1"]));
    nobody_else(&mut pipeline, "with-both");
    assert_eq!(ask(&mut pipeline, "c3", add("zoe", "zoe@example.org")), []);
    assert_eq!(ask(&mut pipeline, "c4", renew("ann")), []);
    nobody_else(&mut pipeline, "half-renewed");
    assert_eq!(ask(&mut pipeline, "c5", renew("bob")), []);
    nobody_else(&mut pipeline, "renewed");
    assert_eq!(claims(&pipeline).len(), 6, "each of three under both");
    is_consistent(&pipeline, "renewed");

    restart(&mut pipeline, without(&["k2"], &["k1"]));
    nobody_else(&mut pipeline, "without-the-old");
    for user in ["ann", "bob", "zoe"] {
        assert_eq!(ask(&mut pipeline, &format!("r{user}"), renew(user)), []);
    }
    nobody_else(&mut pipeline, "at-the-end");
    is_consistent(&pipeline, "at the end");
    assert!(claims(&pipeline).into_keys().all(|claim| claim.starts_with("k2.")), "nothing of the old one");
    assert_eq!(users(&pipeline).len(), 3);
    // what was claimed can be had again under the new one
    assert_eq!(ask(&mut pipeline, "c6", remove("ann")), []);
    assert_eq!(ask(&mut pipeline, "c7", add("eve", ANN)), []);
}

#[test]
fn a_processor_with_another_secret_or_without_one_stands_still_and_says_so() {
    let other = PseudonymKey::new("k1", [9; 32]).expect("a key");
    let other = PseudonymKeys::new(vec![other], BTreeSet::new()).expect("keys");
    let rows = [
        (other, "the key of pseudonyms k1 has another secret here"),
        (test_keys(&["k2"]), "were made with the key of pseudonyms k1, which is not among the keys here"),
    ];
    for (keys, words) in rows {
        let mut pipeline = whole(PARTITIONS);
        pipeline.start_processor();
        // something happens in each partition
        for number in 0..12 {
            let address = format!("a{number}@example.org");
            assert_eq!(ask(&mut pipeline, &format!("c{number}"), add(&format!("u{number}"), &address)), []);
        }
        restart(&mut pipeline, keys);
        send(&pipeline, "late", add("eve", "a0@example.org"));
        let events = pipeline.events().len();
        let (lanes, troubles) = watch(&mut pipeline);
        assert!(!troubles.is_empty() && troubles.iter().all(|it| it.contains(words)), "{troubles:?}");
        assert_eq!(lanes.len(), PARTITIONS as usize);
        for (state, says) in &lanes {
            println!("{state:?} {says}");
            assert_ne!(*state, LaneState::Running, "{says}");
        }
        assert_eq!(
            (pipeline.events().len(), answer(&pipeline, "late")),
            (events, None),
            "nothing is decided"
        );

        restart(&mut pipeline, test_keys(&["k1"]));
        pipeline.settle();
        let late = answer(&pipeline, "late").expect("it goes on");
        assert_eq!(pairs(&late.violations), [("AlreadyExists", "email")]);
        is_consistent(&pipeline, "it is back");
    }
}

#[test]
fn a_step_that_was_written_with_other_keys_stops_its_partition_until_one_is_shared() {
    let mut pipeline = whole(PARTITIONS);
    pipeline.start_processor();
    send(&pipeline, "c1", add("ann", ANN));
    let steps = pipeline.names().steps.clone();
    for turn in 0.. {
        assert!(turn < 1_000, "a step is written");
        if !pipeline.log.committed_records(&steps).is_empty() {
            break;
        }
        pipeline.membership(0);
        pipeline.follow(0);
        pipeline.lane(0, turn);
    }
    // as if another processor had never had the old key
    restart(&mut pipeline, without(&["k2"], &["k1"]));
    let (_, troubles) = watch(&mut pipeline);
    assert!(troubles.iter().any(|it| it.contains("was made with the keys of pseudonyms k1")), "{troubles:?}");
    assert_eq!(answer(&pipeline, "c1"), None, "nothing is decided");
    restart(&mut pipeline, test_keys(&["k2", "k1"]));
    pipeline.settle();
    assert_eq!(answer(&pipeline, "c1").expect("it goes on").violations, []);
    is_consistent(&pipeline, "one key is shared");
}
