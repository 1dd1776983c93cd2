//! Projection `teams`: who is in a team, and in which teams somebody is.

use std::sync::Arc;

use millrace_kernel::{Event, Keeps, Known, Projection, StagedProjector, Writes};
use serde::{Deserialize, Serialize};

use super::known::{keep, read};
use crate::messages::EventData;
use crate::messages::rows::{TeamMembersRow, TeamsByUserRow};

/// The family, for the engine.
#[must_use]
pub fn family() -> Projection<EventData> {
    Projection {
        name: "teams",
        views: &[TeamMembersRow::TABLE, TeamsByUserRow::TABLE],
        revision: "1".to_owned(),
        projector: Box::new(|_| Box::new(Teams)),
    }
}

/// Knows of every membership that is there what a change of its role does not say, by the id of its aggregate.
struct Teams;

/// What rows say of a membership.
#[derive(Clone, Serialize, Deserialize)]
struct Membership {
    membership_id: Arc<str>,
    role: Arc<str>,
    project_id: Option<Arc<str>>,
    since: i64,
}

/// Writes what is now, and knows it from now on.
fn put(
    event: &Event<EventData>,
    (team_id, user_id): (&str, &str),
    membership: Membership,
    known: &mut dyn Known,
    writes: &mut Writes,
) {
    keep(known, event.aggregate_id.as_bytes(), &membership);
    let Membership { membership_id, role, project_id, since } = membership;
    let at = event.recorded_at;
    let (team_id, user_id): (Arc<str>, Arc<str>) = (team_id.into(), user_id.into());
    let of_user =
        TeamsByUserRow { user_id: user_id.clone(), team_id: team_id.clone(), role: role.clone(), since };
    let version = event.version;
    let of_team = TeamMembersRow { team_id, user_id, membership_id, role, project_id, since, version };
    writes.push(of_team.put(at));
    writes.push(of_user.put(at));
}

impl StagedProjector<EventData> for Teams {
    fn keeps(&self) -> Keeps {
        Keeps::ByKey
    }

    fn stage(&mut self, event: &Event<EventData>, known: &mut dyn Known, writes: &mut Writes) {
        let at = event.recorded_at;
        match &event.data {
            EventData::MembershipCreated(e) => {
                let membership = Membership {
                    membership_id: e.membership_id.as_str().into(),
                    role: e.role.as_str().into(),
                    project_id: None,
                    since: at,
                };
                put(event, (&e.team_id, &e.user_id), membership, known, writes);
            }
            EventData::MembershipCreatedForProject(e) => {
                let membership = Membership {
                    membership_id: e.membership_id.as_str().into(),
                    role: e.role.as_str().into(),
                    project_id: Some(e.project_id.as_str().into()),
                    since: at,
                };
                put(event, (&e.team_id, &e.user_id), membership, known, writes);
            }
            EventData::MembershipUpdated(e) => {
                let before: Option<Membership> = read(known, event.aggregate_id.as_bytes());
                let Some(before) = before else { return };
                let membership = Membership { role: e.role.as_str().into(), ..before };
                put(event, (&e.team_id, &e.user_id), membership, known, writes);
            }
            EventData::MembershipDeleted(e) => {
                known.remove(event.aggregate_id.as_bytes());
                let (team_id, user_id): (Arc<str>, Arc<str>) =
                    (e.team_id.as_str().into(), e.user_id.as_str().into());
                writes.push(TeamMembersRow::delete(team_id.clone(), user_id.clone(), at));
                writes.push(TeamsByUserRow::delete(user_id, team_id, at));
            }
            _ => {}
        }
    }
}
