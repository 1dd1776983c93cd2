//! What is generated from `schemas/projects`: every message through its schema and back, where each belongs, and what others
//! may look up.

use crate::common;

use common::*;
use millrace_domain_projects::{Projects, member, membership, project, task, team};
use millrace_kernel::{Addressed, AggregateId, Domain};
use millrace_testkit::messages::all_round_trip;

#[test]
fn every_message_round_trips() {
    assert_eq!(all_round_trip::<Projects>(), 11 + 7 + 33 + 10, "commands, steps, events and kinds of states");
}

#[test]
fn messages_belong_to_the_aggregates_that_decisions_read() {
    for command in
        [join("u", "t", "owner"), give("p", "u", "t", "x"), promote("u", "t", "x"), leave("u", "t")]
    {
        assert_eq!((command.aggregate_id(), &*command.routing_key()), (membership::id("u", "t"), "u"));
    }
    for command in [project("p", "u", "t").into(), columns("p", &[]), drop_project("p")] {
        assert_eq!((command.aggregate_id(), &*command.routing_key()), (project::id("p"), "p"));
    }
    for command in
        [task("p", "t", "", ""), shift("p", "t", "", ""), rename("p", "t", ""), drop_task("p", "t")]
    {
        assert_eq!((command.aggregate_id(), &*command.routing_key()), (task::id("p", "t"), "p"));
    }
    for step in [conclude("u", "t", vec![]), close("u", "t", vec![]), end_membership("u", "t", None)] {
        assert_eq!(step.aggregate_id(), membership::id("u", "t"));
    }
    // two of a process to one project are told apart by where they are sent
    for step in [enlist("p", "u", "t"), delist("p", "u", "t", true, vec![])] {
        assert_eq!(step.aggregate_id(), AggregateId::new(project::KIND, &["p", "u", "t"]));
    }
    assert_eq!(end_member("u").aggregate_id(), member::id("u"));
    assert_eq!(found_team("t", "u", None).aggregate_id(), team::id("t"));
}

#[test]
fn others_look_up_who_is_what_in_a_team_and_whose_a_project_is() {
    let kinds = ["Membership", "Contributor", "Manager", "Owner", "Team", "ProjectTeam"];
    assert_eq!(Projects::LOOKUPS, kinds);
    assert_eq!(Projects::LOOKUPS_ELSEWHERE, [member::USER]);
    assert_eq!(Projects::policies().iter().map(|it| it.domain).collect::<Vec<_>>(), ["identity"]);
}
