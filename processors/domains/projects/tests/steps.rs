//! What each step decides, also one that comes twice or too late.

use crate::common;

use common::*;
use millrace_domain_projects::messages::commands::UpdateProject;
use millrace_domain_projects::{EventData, Projects, giving, member};
use millrace_kernel::codes::{INVALID_STATE, LIMIT_REACHED, NOT_FOUND, NOT_PERMITTED};
use millrace_kernel::{AggregateId, Domain, FollowUp, Violation};
use millrace_testkit::given::{Given, given};
use millrace_testkit::reaction::when_elsewhere;

const NONE: [EventData; 0] = [];

/// Why somebody is refused, whatever the words.
fn refused_for(event: &EventData) -> Vec<(String, String)> {
    let violations: &[Violation] = match event {
        EventData::MembershipRefused(e) => &e.violations,
        EventData::MembershipWithdrawn(e) => &e.violations,
        EventData::MembershipEnlistingRefused(e) => &e.violations,
        EventData::TeamFoundingRefused(e) => &e.violations,
        other => panic!("{other:?}"),
    };
    pairs(violations).into_iter().map(|(code, field)| (code.to_owned(), field.to_owned())).collect()
}

/// The events that a step comes to.
fn decided(history: &[EventData], step: millrace_domain_projects::StepData) -> Vec<EventData> {
    let mut states = millrace_testkit::given::States::<Projects>::default();
    for (at, event) in history.iter().enumerate() {
        states.fold(event, at as i64);
    }
    states.decide_step(&step, millrace_kernel::Stamp { now: 0 })
}

fn because(code: &str, field: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), field.to_owned())]
}

/// Any reason.
fn full() -> Vec<Violation> {
    vec![Violation::on(LIMIT_REACHED, "project_id", "there is no room")]
}

fn exists(given: &[EventData], kind: &str) -> bool {
    let mut states = millrace_testkit::given::States::<Projects>::default();
    for (at, event) in given.iter().enumerate() {
        states.fold(event, at as i64);
    }
    let found = states.get(&AggregateId::new(kind, &["ida", "t"]));
    Projects::is_visible(found.and_then(|it| it.state.as_deref()))
}

#[test]
fn a_team_is_founded_by_the_first() {
    let by_ann = || founded("t", "ann");
    given::<Projects>([])
        .when_step(found_team("t", "ann", Some("ann")))
        .then_events([by_ann()])
        // a second time
        .when_step(found_team("t", "ann", Some("ann")))
        .then_events([by_ann()]);
    let late = decided(&[by_ann()], found_team("t", "bob", Some("bob")));
    assert_eq!(refused_for(&late[0]), because(NOT_PERMITTED, "metadata.user_id"));
    let late = decided(&[by_ann()], found_team("t", "bob", None));
    assert_eq!(refused_for(&late[0]), because(INVALID_STATE, "team_id"));
}

#[test]
fn a_project_takes_note_of_those_who_come_through_it() {
    let there = || begun("p", "ann", "t");
    given::<Projects>(there())
        .when_step(enlist("p", "ida", "t"))
        .then_events([enlisted("p", "ida", "t")])
        // a second time
        .when_step(enlist("p", "ida", "t"))
        .then_events([enlisted("p", "ida", "t")])
        .when(drop_project("p"))
        .then_events([project_deleted("p", Some(("ida", "t"))), team_cleared("p", "t")])
        .when_step(delist("p", "ida", "t", true, vec![]))
        .then_events([delisted("p", "ida", "t", true, vec![], None)]);
    let refused = |history: Vec<EventData>, team_id: &str| {
        let decided = decided(&history, enlist("p", "ida", team_id));
        assert_eq!(decided.len(), 1);
        refused_for(&decided[0])
    };
    assert_eq!(refused(vec![], "t"), because(NOT_FOUND, "project_id"));
    assert_eq!(refused(there(), "u"), because(NOT_FOUND, "project_id"));
    let deleted = [there(), vec![project_deleted("p", None)]].concat();
    assert_eq!(refused(deleted.clone(), "t"), because(INVALID_STATE, "project_id"));
    assert_eq!(
        refused(deleted, "u"),
        because(INVALID_STATE, "project_id"),
        "it was the team's, or another's"
    );
    let moved = UpdateProject { team_id: Some("u".into()), ..nothing_for("p") };
    let moved = [there(), vec![project_updated(moved)]].concat();
    assert_eq!(refused(moved, "t"), because(NOT_FOUND, "project_id"));
}

#[test]
fn at_most_five_hundred_come_through_a_project_at_a_time() {
    let some = |count: usize| {
        let enlisted = (0..count).map(|n| enlisted("p", &format!("u{n}"), "t"));
        begun("p", "ann", "t").into_iter().chain(enlisted).collect::<Vec<_>>()
    };
    let full = some(giving::MAX_MEMBERSHIPS);
    let refused = decided(&full, enlist("p", "ida", "t"));
    assert_eq!(refused_for(&refused[0]), because(LIMIT_REACHED, "project_id"));
    given::<Projects>(full)
        .when_step(enlist("p", "u7", "t"))
        .then_events([enlisted("p", "u7", "t")])
        .when_step(delist("p", "u7", "t", false, vec![]))
        .then_events([delisted("p", "u7", "t", false, vec![], None)])
        .when_step(enlist("p", "ida", "t"))
        .then_events([enlisted("p", "ida", "t")]);
}

#[test]
fn a_project_that_has_ended_goes_on_with_the_next() {
    let all = || {
        let mut all = begun("p", "ann", "t");
        all.extend(["ida", "max", "zoe"].map(|user| enlisted("p", user, "t")));
        all
    };
    given::<Projects>(all())
        // whoever ends by themselves is forgotten, and nobody else
        .when_step(delist("p", "max", "t", false, vec![]))
        .then_events([delisted("p", "max", "t", false, vec![], None)])
        .when(drop_project("p"))
        .then_events([project_deleted("p", Some(("ida", "t"))), team_cleared("p", "t")])
        .when_step(delist("p", "ida", "t", true, vec![]))
        .then_events([delisted("p", "ida", "t", true, vec![], Some(("zoe", "t")))])
        // who was withdrawn, meanwhile
        .when_step(delist("p", "new", "t", false, full()))
        .then_events([delisted("p", "new", "t", false, full(), None)])
        .when_step(delist("p", "zoe", "t", true, vec![]))
        .then_events([delisted("p", "zoe", "t", true, vec![], None)]);
}

/// Ida has asked to come through project `p`.
fn asked() -> Vec<EventData> {
    vec![requested("ida", "t", "admin", Some("p"), Some("ann")), listed("ida", "t")]
}

/// Max has asked to found team `t`.
fn founding() -> Vec<EventData> {
    vec![requested("ida", "t", "owner", None, Some("ida")), listed("ida", "t")]
}

#[test]
fn a_request_is_concluded_once() {
    let begins = |events: Vec<EventData>| -> Given<Projects> { given::<Projects>(events) };
    begins(asked())
        .when_step(conclude("ida", "t", vec![]))
        .then_events([vec![created_for("p", "ida", "t", "admin")], appointed("ida", "t", "admin")].concat())
        .when_step(conclude("ida", "t", vec![]))
        .then_events(NONE);
    begins(founding())
        .when_step(conclude("ida", "t", vec![]))
        .then_events([vec![created("ida", "t", "owner")], appointed("ida", "t", "owner")].concat())
        .when_step(conclude("ida", "t", full()))
        .then_events(NONE);
    for events in [asked(), founding()] {
        begins(events)
            .when_step(conclude("ida", "t", full()))
            .then_events([refused("ida", "t", full()), unlisted("ida", "t")])
            .when_step(conclude("ida", "t", vec![]))
            .then_events(NONE);
    }
    begins(vec![]).when_step(conclude("ida", "t", vec![])).then_events(NONE);
    // others see it when it is there, and not before
    let mut story = asked();
    for kind in ["Membership", "Contributor", "Manager"] {
        assert!(!exists(&story, kind), "{kind}");
    }
    story.extend(decided(&story, conclude("ida", "t", vec![])));
    for (kind, is) in [("Membership", true), ("Contributor", true), ("Manager", true), ("Owner", false)] {
        assert_eq!(exists(&story, kind), is, "{kind}");
    }
    story.extend(decided(&story, end_membership("ida", "t", None)));
    for kind in ["Membership", "Contributor", "Manager", "Owner"] {
        assert!(!exists(&story, kind), "{kind}");
    }
}

#[test]
fn what_was_requested_does_not_begin_when_user_or_project_have_ended() {
    let none: Vec<Violation> = vec![];
    // the user
    let ended = || vec![member_ended("ida", &["t"]), noted("ida", "t", None)];
    let story = given::<Projects>(asked())
        .when_step(end_member("ida"))
        .then_events([member_ended("ida", &["t"])])
        .when_step(end_membership("ida", "t", None))
        .then_events([noted("ida", "t", None)])
        // a second time
        .when_step(end_membership("ida", "t", None))
        .then_events(NONE);
    drop(story);
    let withdrawn = decided(&[asked(), ended()].concat(), conclude("ida", "t", none.clone()));
    assert_eq!((withdrawn.len(), refused_for(&withdrawn[0])), (1, because(NOT_FOUND, "user_id")));
    assert!(matches!(withdrawn[0], EventData::MembershipWithdrawn(_)), "the project is told: {withdrawn:?}");
    let refused = decided(&[founding(), ended()].concat(), conclude("ida", "t", none.clone()));
    assert_eq!((refused.len(), refused_for(&refused[0])), (1, because(NOT_FOUND, "user_id")));
    assert!(matches!(refused[0], EventData::MembershipRefused(_)), "the team stays founded: {refused:?}");
    // what the project could not take note of is refused for that
    let refused = decided(&[asked(), ended()].concat(), conclude("ida", "t", full()));
    assert_eq!(refused_for(&refused[0]), because(LIMIT_REACHED, "project_id"));
    // the project, before its answer has come
    let ended = || vec![noted("ida", "t", Some("p"))];
    given::<Projects>(asked()).when_step(end_membership("ida", "t", Some("p"))).then_events(ended());
    let decided = decided(&[asked(), ended()].concat(), conclude("ida", "t", none));
    assert_eq!(refused_for(&decided[0]), because(INVALID_STATE, "project_id"));
    assert_eq!(decided[1..], [unlisted("ida", "t")]);
    let story = [asked(), ended(), decided].concat();
    given::<Projects>(story.clone())
        .elsewhere(member::USER, &["ida"])
        .acting("ida")
        // until the project has forgotten it
        .when(join("ida", "t", "owner"))
        .then_rejected(&[(INVALID_STATE, "user_id")])
        .when_step(close("ida", "t", full()))
        .then_events([refused_event()])
        .when_step(close("ida", "t", full()))
        .then_events(NONE)
        .when(join("ida", "t", "owner"))
        .then_events([requested("ida", "t", "owner", None, Some("ida")), listed("ida", "t")]);
}

fn refused_event() -> EventData {
    refused("ida", "t", full())
}

#[test]
fn a_membership_ends_with_its_user() {
    let there = |through: Option<&str>| match through {
        Some(project_id) => given_through(project_id, "ida", "t", "owner"),
        None => joined("ida", "t", "owner"),
    };
    for through in [None, Some("p")] {
        let ended = given::<Projects>(there(through))
            .when_step(end_member("ida"))
            .then_events([member_ended("ida", &["t"])])
            .when_step(end_member("ida"))
            .then_events(NONE)
            .when_step(end_membership("ida", "t", None))
            .then_events([vec![deleted("ida", "t", through, false)], dismissed("ida", "t", "owner")].concat())
            .when_step(end_membership("ida", "t", None))
            .then_events(NONE);
        let closed: Vec<EventData> = through.map(|_| closed("ida", "t")).into_iter().collect();
        ended.when_step(close("ida", "t", vec![])).then_events(closed);
    }
    given::<Projects>([]).when_step(end_member("ida")).then_events([member_ended("ida", &[])]);
}

#[test]
fn a_membership_ends_with_the_project_through_which_it_was_given_and_with_no_other() {
    let with_project = end_membership("ida", "t", Some("p"));
    given::<Projects>(given_through("p", "ida", "t", "member"))
        .when_step(end_membership("ida", "t", Some("q")))
        .then_events([noted("ida", "t", Some("q"))])
        .when_step(with_project.clone())
        .then_events(
            [
                vec![deleted("ida", "t", Some("p"), true), unlisted("ida", "t")],
                dismissed("ida", "t", "member"),
            ]
            .concat(),
        )
        // there is nothing any more, and the project waits to be told so
        .when_step(with_project.clone())
        .then_events([noted("ida", "t", Some("p"))])
        .when_step(close("ida", "t", vec![]))
        .then_events(NONE);
    given::<Projects>(joined("ida", "t", "member")).when_step(with_project.clone()).then_events([noted(
        "ida",
        "t",
        Some("p"),
    )]);
    // one that is requested through another
    given::<Projects>([requested("ida", "t", "member", Some("q"), None), listed("ida", "t")])
        .when_step(with_project.clone())
        .then_events([noted("ida", "t", Some("p"))])
        .when_step(conclude("ida", "t", vec![]))
        .then_events(
            [vec![created_for("q", "ida", "t", "member")], appointed("ida", "t", "member")].concat(),
        );
    // one that has just been ended otherwise
    given::<Projects>(given_through("p", "ida", "t", "viewer"))
        .when(leave("ida", "t"))
        .then_events([deleted("ida", "t", Some("p"), false), unlisted("ida", "t")])
        .when_step(with_project)
        .then_events([noted("ida", "t", Some("p"))])
        .when_step(close("ida", "t", vec![]))
        .then_events([closed("ida", "t")]);
}

#[test]
fn whoever_is_removed_from_identity_ends_here() {
    use millrace_domain_projects::messages::identity_events::events::UserRemoved;
    use millrace_domain_projects::policy::WhoGoes;
    let removed = |user_id: &str| UserRemoved {
        user_id: user_id.into(),
        change_id: "c".into(),
        email_claims: vec!["k1.x".into()],
    };
    for user_id in ["ida", "u.1"] {
        when_elsewhere::<WhoGoes>(removed(user_id)).then_steps([end_member(user_id)]);
    }
}

#[test]
fn as_many_memberships_can_end_as_there_may_be() {
    let teams: Vec<String> = (0..member::MAX_TEAMS).map(|n| format!("t{n}")).collect();
    let teams: Vec<&str> = teams.iter().map(String::as_str).collect();
    match Projects::follow_up(&member_ended("ida", &teams)) {
        FollowUp::Steps(steps) => {
            assert_eq!(steps.len(), millrace_kernel::StepSource::MAX_STEPS);
            assert_eq!(steps[999], end_membership("ida", "t999", None));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(Projects::follow_up(&member_ended("ida", &[])), FollowUp::None);
}
