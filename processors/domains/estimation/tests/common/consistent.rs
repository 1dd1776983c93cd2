//! What must hold of all aggregates together once nothing is under way, said in naive code.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain_estimation::{Estimations, State};
use millrace_testkit::given::States;

/// The states by id.
pub fn of_world(states: &States<Estimations>) -> BTreeMap<String, State> {
    states.iter().filter_map(|(id, it)| Some((id.to_string(), it.state.as_deref()?.clone()))).collect()
}

pub fn is_consistent(states: &States<Estimations>, what: &str) {
    all_is_consistent(&of_world(states), what);
}

pub fn all_is_consistent(states: &BTreeMap<String, State>, what: &str) {
    let (mut open, mut listed) = (BTreeSet::new(), BTreeSet::new());
    let (mut over, mut had): (BTreeSet<&str>, BTreeMap<&str, i32>) = Default::default();
    let mut opened: BTreeMap<&str, i32> = BTreeMap::new();
    for (id, state) in states {
        let (kind, name) = id.split_once('/').unwrap();
        match state {
            State::Estimation(it) => {
                assert!(
                    ["OPEN", "CLOSED", "ENDED"].contains(&&*it.status),
                    "{what}: {id} is at rest: {it:?}"
                );
                *had.entry(&it.project_id).or_default() += 1;
                if &*it.status == "OPEN" {
                    assert!(!it.is_over, "{what}: {id} does not outlive its project");
                    open.insert((&*it.project_id, name));
                } else {
                    assert!(it.estimates.is_empty(), "{what}: {id} keeps what was said");
                }
                let members: BTreeSet<&str> = it.estimates.iter().map(|it| &*it.member_id).collect();
                assert_eq!(members.len(), it.estimates.len(), "{what}: {id} has each member once");
            }
            State::ProjectEstimations(list) => {
                opened.insert(name, list.opened);
                if list.ended {
                    over.insert(name);
                    assert!(list.estimation_ids.is_empty(), "{what}: {id} has ended");
                }
                for estimation_id in &list.estimation_ids {
                    assert!(listed.insert((name, &**estimation_id)), "{what}: {id} has {estimation_id} once");
                }
            }
            other => panic!("{what}: {kind} is open: {other:?}"),
        }
    }
    assert_eq!(open, listed, "{what}: projects know what is open, and nothing else");
    for (project_id, count) in had {
        assert!(opened[project_id] >= count, "{what}: {project_id} has had all of them");
        // what was refused at the end because the project had ended is counted, and has left nothing else
        assert!(opened[project_id] == count || over.contains(project_id), "{what}: {project_id} counts");
    }
}
