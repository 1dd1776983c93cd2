//! What is generated from `schemas/estimation`: every message through its schema and back, where each belongs, and what is
//! asked of other domains.

use crate::common;

use common::*;
use millrace_domain_estimation::{CommandData, Estimations, estimation, listing, who};
use millrace_kernel::{Addressed, Domain, Failing, Named};
use millrace_testkit::messages::all_round_trip;

const OF: Of<'_> = ("e", "p", "t");

#[test]
fn every_message_round_trips() {
    assert_eq!(
        all_round_trip::<Estimations>(),
        4 + 6 + 15 + 2,
        "commands, steps, events and kinds of states"
    );
}

#[test]
fn messages_belong_to_the_aggregates_that_decisions_read() {
    for (command, failure) in [
        (open("e", "p", "t"), "EstimationOpeningFailed"),
        (submit(OF, "ann", 1), "EstimateSubmissionFailed"),
        (close(OF), "EstimationClosingFailed"),
        (reopen(OF), "EstimationReopeningFailed"),
    ] {
        assert_eq!((command.aggregate_id(), &*command.routing_key()), (estimation::id("e"), "e"));
        assert_eq!(CommandData::failure_of(command.name()), Some(failure));
    }
    for step in [conclude("e", vec![]), settle("e"), end("e", "p")] {
        assert_eq!(step.aggregate_id(), estimation::id("e"));
    }
    for step in [enlist("p", "e", true), delist("p", "e"), end_project("p")] {
        assert_eq!((step.aggregate_id(), &*step.routing_key()), (listing::id("p"), "p"));
    }
}

#[test]
fn others_look_nothing_up_here_and_it_asks_projects_alone() {
    assert_eq!(Estimations::LOOKUPS, [""; 0]);
    assert_eq!(Estimations::LOOKUPS_ELSEWHERE, [who::PROJECT_TEAM, who::CONTRIBUTOR, who::MANAGER]);
    assert!(Estimations::LOOKUPS_ELSEWHERE.iter().all(|of| of.domain == "projects"));
    assert_eq!(Estimations::policies().iter().map(|it| it.domain).collect::<Vec<_>>(), ["projects"]);
}
