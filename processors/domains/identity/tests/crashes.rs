//! The domain inside the whole engine, in memory: races, and crashes between any two steps.

use crate::common;

use common::whole::{self, Whole, answer, claims, is_consistent, is_taken, send, users, whole};
use common::*;
use millrace_domain_identity::user::status;
use millrace_kernel::Status;
use millrace_testkit::given::test_keys;
use millrace_testkit::tables::Dice;

const PARTITIONS: i32 = 4;

#[test]
fn of_a_hundred_who_want_one_address_one_gets_it() {
    let spellings = ["ann@example.org", "ANN@example.org", "Ann@EXAMPLE.org", "ａｎｎ@example.org"];
    for keys in [&["k1"][..], &["k2", "k1"]] {
        let mut pipeline = whole(PARTITIONS);
        pipeline.use_keys(test_keys(keys));
        pipeline.start_processor();
        pipeline.start_processor();
        let mut partitions = [0; PARTITIONS as usize];
        for number in 0..100 {
            let command = add(&format!("u{number}"), spellings[number % spellings.len()]);
            send(&pipeline, &format!("c{number}"), command);
            let key = format!("u{number}");
            partitions[millrace_kernel::partition::of_key(key.as_bytes(), PARTITIONS) as usize] += 1;
        }
        assert!(partitions.iter().all(|count| *count > 5), "from every partition: {partitions:?}");
        pipeline.settle();
        let (mut winners, mut losers) = (Vec::new(), 0);
        for number in 0..100 {
            let outcome = answer(&pipeline, &format!("c{number}")).expect("it is answered");
            match outcome.status {
                Status::Accepted => winners.push(format!("u{number}")),
                Status::Rejected => {
                    assert_eq!(pairs(&outcome.violations), [("AlreadyExists", "email")]);
                    losers += 1;
                }
            }
        }
        assert_eq!((winners.len(), losers), (1, 99));
        is_consistent(&pipeline, "a race");
        assert_eq!(users(&pipeline).into_keys().collect::<Vec<_>>(), winners, "nobody else is there");
        assert_eq!(claims(&pipeline).len(), keys.len());
        // and their ids are free
        let loser = if winners[0] == "u0" { "u1" } else { "u0" };
        assert_eq!(whole::ask(&mut pipeline, "again", add(loser, BOB)), []);
    }
}

/// Whoever is at work is killed after so many turns, and another goes on.
fn story(kill_at: usize) -> (usize, Whole) {
    let mut pipeline = whole(2);
    pipeline.use_keys(test_keys(&["k2", "k1"]));
    pipeline.start_processor();
    let mut turns = 0;
    let commands = [
        ("c1", add("ann", ANN)),
        ("c2", add("bob", ANN)),
        ("c3", add("bob", BOB)),
        ("c4", move_to("ann", BOB)),
        ("c5", move_to("ann", "new@example.org")),
        ("c6", remove("bob")),
        ("c7", move_to("ann", BOB)),
    ];
    for (id, command) in commands {
        send(&pipeline, id, command);
        let mut patience = 3_000;
        while answer(&pipeline, id).is_none() {
            if turns == kill_at {
                pipeline.kill(0);
            }
            // the session of who was killed ends by the clock
            if !pipeline.turn(0, turns) {
                pipeline.clock.pass(500_000);
            }
            turns += 1;
            patience -= 1;
            assert!(patience > 0, "{id} has no outcome, killed at {kill_at}");
        }
    }
    (turns, pipeline)
}

#[test]
fn a_crash_at_any_step_changes_nothing() {
    let (turns, calm) = story(usize::MAX);
    let expected = (users(&calm), claims(&calm));
    assert_eq!(expected.0["ann"].email.open(), BOB);
    assert_eq!(&*expected.0["bob"].status, status::REMOVED);
    let change_of = |pipeline: &Whole| {
        let statuses =
            ["c1", "c2", "c3", "c4", "c5", "c6", "c7"].map(|id| answer(pipeline, id).unwrap().status);
        statuses.map(|status| status == Status::Accepted)
    };
    assert_eq!(change_of(&calm), [true, false, true, false, true, true, true]);
    for kill_at in 0..turns {
        let (_, pipeline) = story(kill_at);
        is_consistent(&pipeline, &format!("killed at {kill_at}"));
        assert_eq!((users(&pipeline), claims(&pipeline)), expected, "killed at {kill_at}");
        assert_eq!(change_of(&pipeline), change_of(&calm), "killed at {kill_at}");
    }
}

#[test]
fn addresses_survive_crashes_of_anything() {
    let mut refused = 0;
    for seed in 0..15_u64 {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9) + 5);
        let mut pipeline = whole(PARTITIONS);
        pipeline.use_keys(test_keys(&["k2", "k1"]));
        pipeline.start_processor();
        pipeline.start_processor();
        pipeline.start_projectors();
        let mut sent: Vec<String> = Vec::new();
        while sent.len() < 120 {
            match dice.below(6) {
                0 => {
                    let user = format!("u{}", dice.below(8));
                    let address = format!("a{}@example.org", dice.below(4));
                    let command = match dice.below(8) {
                        0..=2 => add(&user, &address),
                        3 => add_unverified(&user, &address),
                        4 => move_to(&user, &address),
                        5 => verify(&user, dice.below(2) == 0),
                        6 => rename(&user, "Someone"),
                        _ => remove(&user),
                    };
                    let id = format!("c{}", sent.len());
                    send(&pipeline, &id, command.clone());
                    // some come twice
                    if dice.below(5) == 0 {
                        send(&pipeline, &id, command);
                    }
                    sent.push(id);
                }
                1 if dice.below(12) == 0 => pipeline.kill(dice.below(pipeline.instances())),
                _ => {
                    let (instance, lane) = (dice.below(pipeline.instances()), dice.below(4));
                    pipeline.turn(instance, lane);
                }
            }
        }
        pipeline.settle();
        is_consistent(&pipeline, &format!("seed {seed}"));
        let outcomes = pipeline.outcomes();
        for id in &sent {
            let firsts: Vec<_> = outcomes.iter().filter(|it| it.command_id == *id && !it.duplicate).collect();
            assert_eq!(firsts.len(), 1, "seed {seed}: one first answer for {id}");
            let reasons = pairs(&firsts[0].violations);
            assert!(reasons.iter().all(|(code, _)| *code != "Poisoned"), "seed {seed}: {reasons:?}");
            refused += usize::from(reasons == [("AlreadyExists", "email")]);
        }
        // the tables show who is there, and nobody else
        let there = users(&pipeline).into_iter().filter(|(_, it)| it.status == status::ACTIVE);
        let there: Vec<_> = there.map(|(id, it)| (id, it.email.open().to_owned())).collect();
        assert_eq!(super::views::shown(&pipeline.store), there, "seed {seed}");
    }
    assert!(refused > 20, "the histories are worth their name: {refused}");
    assert_eq!(is_taken().len(), 1);
}
