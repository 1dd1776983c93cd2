//! Broker, registry and database absent at start, vanishing in mid-load, and coming back.
//!
//! The servers belong to the test, which kills them.

use std::time::Instant;

use millrace_blackbox::{Act, Foreign, Fragile, LATER, Load, SOON, System, run_load, verify};
use millrace_services::{Owned, Recipe, wait_until};
use serde_json::json;

fn strike<R: Recipe>(server: &mut Owned<R>, act: Act) {
    let done = match act {
        Act::Break => server.kill9(),
        Act::Mend => server.restart(),
    };
    done.unwrap_or_else(|error| panic!("{error}"));
}

/// Each of them alone is what `chaos` kills.
#[test]
fn all_servers_vanish_in_mid_load_and_come_back() {
    let mut system = Fragile::new("outages");
    system.cluster.start_roles(2);
    let load = Load::new(&system, 2_500, 20);
    run_load(&mut system, &load, &[50], |system, percent, act| {
        let start = Instant::now();
        strike(&mut system.kafka, act);
        strike(&mut system.cql, act);
        strike(&mut system.registry, act);
        println!("{act:?} at {percent} %: {:?}", start.elapsed());
    });
    system.cli().wait_caught_up(LATER);
    verify(&system, &load);
    for role in system.cluster.processors.iter_mut().chain(&mut system.cluster.projectors) {
        assert!(role.is_running(), "a role has ended by itself\n{}", role.tail());
    }
}

#[test]
fn servers_that_are_absent_at_start_are_waited_for() {
    let mut system = Fragile::new("absent");
    system.kafka.kill9().unwrap();
    system.registry.kill9().unwrap();
    system.cql.kill9().unwrap();
    system.cluster.start_roles(1);
    // Each says loudly whom it waits for, and goes on waiting.
    let (kafka, cql) = (system.kafka.bootstrap(), system.cql.contact_point());
    system.cluster.processors[0].says(&kafka, SOON);
    system.cluster.projectors[0].says(&cql, SOON);
    // Whoever calls and wants an answer gets one: that there is nobody.
    system
        .cli()
        .run(&["send", "RegisterUser", "user_id=ann", "username=Ann", "--wait"])
        .exits(1)
        .says(&[&kafka]);
    system.cli().run(&["status"]).exits(1);

    system.kafka.restart().unwrap();
    system.registry.restart().unwrap();
    let mut foreign = Foreign::of(&system);
    foreign.register("ann");
    // The answers come without a database, and the rows when it does.
    system.cli().run(&["query", "user_profiles", "user_id=ann"]).exits(1).says(&[&cql]);
    system.cql.restart().unwrap();
    system.cli().wait_caught_up(LATER);
    let rows = system.cli().ok(&["query", "user_profiles", "user_id=ann", "--json"]).json_lines();
    assert_eq!(rows.len(), 1, "{rows:?}");
    for role in system.cluster.processors.iter_mut().chain(&mut system.cluster.projectors) {
        assert!(role.is_running(), "a role has ended by itself\n{}", role.tail());
    }
}

#[test]
fn a_server_that_goes_away_blocks_nobody_for_ever_and_is_seen_in_the_status() {
    let mut system = Fragile::new("away");
    system.cluster.start_roles(1);
    let mut foreign = Foreign::of(&system);
    foreign.register("ann");
    system.cli().wait_caught_up(LATER);

    // A schema that the processor has not met, while nobody can tell what it is: the command waits, it does not die.
    foreign.evolve("field");
    let chirp = json!({"chirp_id": "c1", "author_id": "ann", "content": "hello"});
    let command = json!({"id": "c1", "type": "PostChirp", "data": chirp});
    foreign.encode("warm-up", "PostChirp", chirp.clone());
    system.registry.kill9().unwrap();
    foreign.send_with(command);
    system.cluster.processors[0].says(system.registry(), SOON);
    system.registry.restart().unwrap();
    assert_eq!(foreign.outcome_within("c1", LATER)["status"], "accepted");

    system.cql.kill9().unwrap();
    foreign.register("bob");
    let unhealthy = || system.cli().run(&["status", "--json"]).code == Some(1);
    wait_until(SOON, "the status to be unhealthy", unhealthy).unwrap();
    system.cql.restart().unwrap();
    system.cli().wait_caught_up(LATER);
    let rows = system.cli().ok(&["query", "user_profiles", "user_id=bob", "--json"]).json_lines();
    assert_eq!(rows.len(), 1, "{rows:?}");
}
