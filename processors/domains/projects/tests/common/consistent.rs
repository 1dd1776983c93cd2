//! What must hold of all aggregates together once nothing is under way, said in naive code.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain_projects::membership::status;
use millrace_domain_projects::{Projects, State};
use millrace_testkit::given::States;

/// The states by id.
pub fn of_world(states: &States<Projects>) -> BTreeMap<String, State> {
    states.iter().filter_map(|(id, it)| Some((id.to_string(), it.state.as_deref()?.clone()))).collect()
}

pub fn is_consistent(states: &States<Projects>, what: &str) {
    all_is_consistent(&of_world(states), what);
}

/// Parts of an id.
fn parts(id: &str) -> (&str, Vec<&str>) {
    let mut parts = id.split('/');
    (parts.next().unwrap(), parts.collect())
}

pub fn all_is_consistent(states: &BTreeMap<String, State>, what: &str) {
    let (mut lists, mut of_users, mut of_projects) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut given, mut ranks, mut by_role) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut set, mut by_project, mut deleted, mut ended) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut cards, mut counts): (BTreeMap<&str, i32>, BTreeMap<&str, i32>) = Default::default();
    for (id, state) in states {
        let (kind, ids) = parts(id);
        match state {
            State::Member(member) => {
                if member.ended {
                    ended.insert(ids[0]);
                    assert_eq!(member.team_ids, Vec::<&str>::new(), "{what}: {id} has ended");
                }
                for team_id in &member.team_ids {
                    assert!(lists.insert((ids[0], &**team_id)), "{what}: {id} has {team_id} once");
                }
            }
            State::Membership(it) => {
                assert_eq!(&*it.status, status::ACTIVE, "{what}: {id} is at rest");
                of_users.insert((ids[0], ids[1]));
                let level = ["viewer", "member", "admin", "owner"].iter().position(|role| **role == *it.role);
                for kind in &["Contributor", "Manager", "Owner"][..level.unwrap()] {
                    by_role.insert((*kind, ids[0], ids[1]));
                }
                if let Some(project_id) = &it.project_id {
                    given.insert((&**project_id, ids[0], ids[1]));
                }
            }
            State::Contributor(_) | State::Manager(_) | State::Owner(_) => {
                ranks.insert((kind, ids[0], ids[1]));
            }
            State::Team(_) => {}
            State::Project(project) => {
                if project.deleted {
                    deleted.insert(ids[0]);
                } else if !project.team_id.is_empty() {
                    by_project.insert((ids[0], &*project.team_id));
                }
                for it in &project.memberships {
                    assert!(
                        of_projects.insert((ids[0], &*it.user_id, &*it.team_id)),
                        "{what}: {id} names it once"
                    );
                }
            }
            State::ProjectTeam(_) => {
                set.insert((ids[0], ids[1]));
            }
            State::Board(board) => {
                counts.insert(ids[0], board.tasks);
            }
            State::Task(task) => *cards.entry(ids[0]).or_default() += i32::from(!task.deleted),
            other => assert!(!matches!(kind, "Process"), "{what}: {id} is open: {other:?}"),
        }
    }
    assert_eq!(lists, of_users, "{what}: users know of their memberships");
    assert_eq!(of_projects, given, "{what}: projects know of those who came through them");
    assert_eq!(ranks, by_role, "{what}: ranks follow from roles");
    assert_eq!(set, by_project, "{what}: projects and their teams");
    assert_eq!(counts, cards, "{what}: boards count their cards");
    for (user_id, team_id) in &of_users {
        assert!(!ended.contains(user_id), "{what}: {user_id} has ended");
        assert!(states.contains_key(&format!("Team/{team_id}")), "{what}: {team_id} was founded");
    }
    for (project_id, user_id, _) in &given {
        assert!(
            !deleted.contains(project_id),
            "{what}: {user_id} came through {project_id}, which has ended"
        );
    }
}
