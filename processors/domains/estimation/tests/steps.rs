//! What each step decides, also one that comes twice or too late.

use crate::common;

use common::*;
use millrace_domain_estimation::messages::projects_events::events::ProjectDeleted;
use millrace_domain_estimation::policy::WhatGoes;
use millrace_domain_estimation::{Estimations, EventData, StepData, listing};
use millrace_kernel::codes::{INVALID_STATE, LIMIT_REACHED};
use millrace_kernel::{Domain, FollowUp, Stamp, Violation};
use millrace_testkit::given::{States, given};
use millrace_testkit::reaction::when_elsewhere;

const NONE: [EventData; 0] = [];

/// Any reason.
fn full() -> Vec<Violation> {
    vec![Violation::on(LIMIT_REACHED, "project_id", "there is no room")]
}

/// The events that a step comes to.
fn decided(history: &[EventData], step: StepData) -> Vec<EventData> {
    let mut states = States::<Estimations>::default();
    for (at, event) in history.iter().enumerate() {
        states.fold(event, at as i64);
    }
    states.decide_step(&step, Stamp { now: 0 })
}

/// Why an estimation is refused, whatever the words.
fn refused_for(events: &[EventData]) -> Vec<(&str, &str)> {
    match events {
        [EventData::EstimationRefused(e)] => pairs(&e.violations),
        [EventData::EstimationReopeningRefused(e)] => pairs(&e.violations),
        [EventData::EstimationEnlistingRefused(e)] => pairs(&e.violations),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_project_takes_note_of_what_opens_and_forgets_what_was_closed() {
    given::<Estimations>([])
        .when_step(enlist("p", "e", true))
        .then_events([enlisted("p", "e", true)])
        // a second time
        .when_step(enlist("p", "e", true))
        .then_events([enlisted("p", "e", true)])
        .when_step(enlist("p", "f", true))
        .then_events([enlisted("p", "f", true)])
        .when_step(delist("p", "e"))
        .then_events([delisted("p", "e")])
        .when_step(delist("p", "e"))
        .then_events([delisted("p", "e")])
        .when_step(end_project("p"))
        .then_events([project_ended("p", &["f"])])
        .when_step(end_project("p"))
        .then_events(NONE)
        // whoever waits for it is told
        .when_step(delist("p", "f"))
        .then_events([delisted("p", "f")]);
    let late = decided(&[project_ended("p", &[])], enlist("p", "e", true));
    assert_eq!(refused_for(&late), [(INVALID_STATE, "project_id")]);
    given::<Estimations>([]).when_step(end_project("p")).then_events([project_ended("p", &[])]);
}

#[test]
fn at_most_two_hundred_are_open_at_a_time() {
    let full: Vec<EventData> =
        (0..listing::MAX_OPEN).map(|n| enlisted("p", &format!("e{n}"), true)).collect();
    for is_first in [true, false] {
        let refused = decided(&full, enlist("p", "new", is_first));
        assert_eq!(refused_for(&refused), [(LIMIT_REACHED, "project_id")]);
        given::<Estimations>(full.clone())
            .when_step(enlist("p", "e7", is_first))
            .then_events([enlisted("p", "e7", is_first)])
            .when_step(delist("p", "e7"))
            .then_events([delisted("p", "e7")])
            .when_step(enlist("p", "new", is_first))
            .then_events([enlisted("p", "new", is_first)]);
    }
    const {
        assert!(
            listing::MAX_OPEN <= millrace_kernel::StepSource::MAX_STEPS,
            "each is a step when the project ends"
        );
    }
}

#[test]
fn a_project_has_at_most_ten_thousand() {
    let once = |n: i32| {
        let id = format!("e{n}");
        [enlisted("p", &id, true), delisted("p", &id)]
    };
    let mut all: Vec<EventData> = (1..listing::MAX_ESTIMATIONS).flat_map(once).collect();
    // reopening is no new one
    all.extend([enlisted("p", "e1", false), delisted("p", "e1")]);
    assert_eq!(decided(&all, enlist("p", "last", true)), [enlisted("p", "last", true)]);
    all.extend([enlisted("p", "last", true), delisted("p", "last")]);
    assert_eq!(refused_for(&decided(&all, enlist("p", "new", true))), [(LIMIT_REACHED, "project_id")]);
    assert_eq!(decided(&all, enlist("p", "last", false)), [enlisted("p", "last", false)]);
}

#[test]
fn a_request_is_concluded_once() {
    let asked = || vec![requested("e", "p", "t")];
    given::<Estimations>(asked())
        .when_step(conclude("e", vec![]))
        .then_events([opened("e", "p", "t")])
        .when_step(conclude("e", vec![]))
        .then_events(NONE)
        .when_step(conclude("e", full()))
        .then_events(NONE);
    given::<Estimations>(asked())
        .when_step(conclude("e", full()))
        .then_events([refused("e", "p", full())])
        .when_step(conclude("e", vec![]))
        .then_events(NONE);
    let again = || [begun("e", "p", "t"), played("e", "p"), vec![reopening("e", "p")]].concat();
    given::<Estimations>(again())
        .when_step(conclude("e", vec![]))
        .then_events([reopened("e", "p", 2)])
        .when_step(conclude("e", vec![]))
        .then_events(NONE);
    given::<Estimations>(again())
        .when_step(conclude("e", full()))
        .then_events([reopening_refused("e", "p", full())])
        .when_step(conclude("e", vec![]))
        .then_events(NONE);
    given::<Estimations>([]).when_step(conclude("e", vec![])).then_events(NONE);
}

#[test]
fn a_closing_is_settled_once() {
    given::<Estimations>([begun("e", "p", "t"), played("e", "p")[..3].to_vec()].concat())
        .when_step(settle("e"))
        .then_events([settled("e", "p")])
        .when_step(settle("e"))
        .then_events(NONE);
    given::<Estimations>(begun("e", "p", "t")).when_step(settle("e")).then_events(NONE);
    given::<Estimations>([]).when_step(settle("e")).then_events(NONE);
}

#[test]
fn what_is_open_ends_with_its_project_and_what_is_not_does_not_open_any_more() {
    given::<Estimations>([begun("e", "p", "t"), vec![submitted("e", "p", "ann", 1, 2)]].concat())
        // that is none of its
        .when_step(end("e", "q"))
        .then_events(NONE)
        .when_step(end("e", "p"))
        .then_events([ended("e", "p")])
        .when_step(end("e", "p"))
        .then_events(NONE);
    given::<Estimations>([]).when_step(end("e", "p")).then_events(NONE);
    // on its way
    let story = given::<Estimations>([requested("e", "p", "t")])
        .when_step(end("e", "p"))
        .then_events([noted("e", "p")])
        .when_step(end("e", "p"))
        .then_events(NONE);
    drop(story);
    let late = decided(&[requested("e", "p", "t"), noted("e", "p")], conclude("e", vec![]));
    assert_eq!(refused_for(&late), [(INVALID_STATE, "project_id")]);
    // on its way again
    let again = [begun("e", "p", "t"), played("e", "p"), vec![reopening("e", "p"), noted("e", "p")]].concat();
    let late = decided(&again, conclude("e", vec![]));
    assert_eq!(refused_for(&late), [(INVALID_STATE, "project_id")]);
    // while it is being closed, and after
    for so_far in [3, 5] {
        given::<Estimations>([begun("e", "p", "t"), played("e", "p")[..so_far].to_vec()].concat())
            .when_step(end("e", "p"))
            .then_events([noted("e", "p")])
            .when_step(settle("e"))
            .then_events(if so_far == 3 { vec![settled("e", "p")] } else { vec![] });
    }
}

#[test]
fn a_project_that_is_deleted_ends_its_estimations() {
    when_elsewhere::<WhatGoes>(ProjectDeleted { project_id: "p".into(), next: None })
        .then_steps([end_project("p")]);
    let each = FollowUp::Steps(vec![end("e", "p"), end("f", "p")]);
    assert_eq!(Estimations::follow_up(&project_ended("p", &["e", "f"])), each);
    assert_eq!(Estimations::follow_up(&project_ended("p", &[])), FollowUp::None);
}
