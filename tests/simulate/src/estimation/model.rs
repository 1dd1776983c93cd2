//! Estimations and what projects know of them as a plain fold of events, and what their rules say: `domains.md` and the domain's
//! README once more.

use std::collections::BTreeMap;

use millrace_domain_estimation::messages::commands::{
    CloseEstimation, OpenEstimation, ReopenEstimation, SubmitEstimate,
};
use millrace_domain_estimation::messages::events::{
    Estimate, EstimateSubmitted, EstimationClosed, EstimationDelisted, EstimationEnded,
    EstimationEndingNoted, EstimationEnlisted, EstimationEnlistingRefused, EstimationOpened,
    EstimationRefused, EstimationReopened, EstimationReopeningRefused, EstimationReopeningRequested,
    EstimationRequested, EstimationSettled, ProjectEstimationsEnded,
};
use millrace_domain_estimation::messages::state::{Estimation, MemberEstimate, ProjectEstimations};
use millrace_domain_estimation::{CommandData, EventData, State, StepData};
use millrace_kernel::{Command, Published, Text, Violation};

use crate::workload::{Around, Broken};

const PROJECT_TEAM: Published = Published::of("projects", "ProjectTeam");
const CONTRIBUTOR: Published = Published::of("projects", "Contributor");
const MANAGER: Published = Published::of("projects", "Manager");

/// What may be estimated, as it is written; producers know no others than these.
pub const SCALES: [(&str, &[i64]); 3] = [
    ("fibonacci", &[0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89]),
    ("t-shirt", &[1, 2, 3, 4, 5, 6]),
    ("2,40,600", &[2, 40, 600]),
];

/// Everything there is.
#[derive(Default)]
pub struct Rounds {
    /// By id.
    pub(super) estimations: BTreeMap<Text, Estimation>,
    /// By project.
    pub(super) lists: BTreeMap<Text, ProjectEstimations>,
}

type Decided = Result<Vec<EventData>, Vec<Broken>>;

fn broken(code: &str, field: &str) -> Broken {
    (code.to_owned(), Some(field.to_owned()))
}

fn not_permitted() -> Broken {
    broken("NotPermitted", "metadata.user_id")
}

fn has_ended() -> Vec<Violation> {
    vec![Violation::on("InvalidState", "project_id", "")]
}

/// The values of a scale; none of what is no scale.
fn values(scale: &str) -> Option<&'static [i64]> {
    SCALES.iter().find(|(name, _)| *name == scale).map(|(_, values)| *values)
}

/// Somebody who asks, and what they find.
struct Asking<'a> {
    rounds: &'a Rounds,
    around: &'a dyn Around,
    actor: Option<&'a str>,
}

impl Rounds {
    /// What a command comes to.
    pub fn decide(&self, command: &Command<CommandData>, around: &dyn Around) -> Decided {
        let asking = Asking { rounds: self, around, actor: command.metadata.user_id.as_deref() };
        match &command.data {
            CommandData::OpenEstimation(c) => asking.open(c),
            CommandData::SubmitEstimate(c) => asking.submit(c),
            CommandData::CloseEstimation(c) => asking.close(c),
            CommandData::ReopenEstimation(c) => asking.reopen(c),
        }
    }

    /// What a step comes to.
    pub fn decide_step(&self, step: &StepData) -> Vec<EventData> {
        match step.clone() {
            StepData::EnlistEstimation(s) => {
                let (project_id, estimation_id) = (s.project_id, s.estimation_id);
                vec![if self.lists.get(&project_id).is_some_and(|list| list.ended) {
                    EstimationEnlistingRefused { project_id, estimation_id, violations: has_ended() }.into()
                } else {
                    EstimationEnlisted { project_id, estimation_id, is_first: s.is_first }.into()
                }]
            }
            StepData::DelistEstimation(s) => {
                vec![EstimationDelisted { project_id: s.project_id, estimation_id: s.estimation_id }.into()]
            }
            StepData::EndProjectEstimations(s) => {
                let list = self.lists.get(&s.project_id);
                if list.is_some_and(|list| list.ended) {
                    return Vec::new();
                }
                let estimation_ids = list.map(|list| list.estimation_ids.clone()).unwrap_or_default();
                vec![ProjectEstimationsEnded { project_id: s.project_id, estimation_ids }.into()]
            }
            StepData::ConcludeEstimation(s) => self.conclude(s.estimation_id, s.violations),
            StepData::SettleEstimation(s) => {
                let closing = self.estimations.get(&s.estimation_id).filter(|it| it.status == "CLOSING");
                let settled = closing.map(|it| {
                    let project_id = it.project_id.clone();
                    EstimationSettled { estimation_id: s.estimation_id.clone(), project_id }.into()
                });
                settled.into_iter().collect()
            }
            StepData::EndEstimation(s) => {
                let Some(it) = self.estimations.get(&s.estimation_id) else { return Vec::new() };
                if it.project_id != s.project_id || it.is_over {
                    return Vec::new();
                }
                let (estimation_id, project_id) = (s.estimation_id, s.project_id);
                vec![if it.status == "OPEN" {
                    EstimationEnded { estimation_id, project_id }.into()
                } else {
                    EstimationEndingNoted { estimation_id, project_id }.into()
                }]
            }
        }
    }

    fn conclude(&self, estimation_id: Text, violations: Vec<Violation>) -> Vec<EventData> {
        let Some(it) = self.estimations.get(&estimation_id) else { return Vec::new() };
        let is_late = violations.is_empty() && it.is_over;
        let violations = if is_late { has_ended() } else { violations };
        let project_id = it.project_id.clone();
        let event: EventData = match (it.status.as_str(), violations.is_empty()) {
            ("REQUESTED", true) => {
                let (team_id, title, scale) = (it.team_id.clone(), it.title.clone(), it.scale.clone());
                EstimationOpened { estimation_id, project_id, team_id, title, scale }.into()
            }
            ("REQUESTED", false) => EstimationRefused { estimation_id, project_id, violations }.into(),
            ("REOPENING", true) => {
                EstimationReopened { estimation_id, project_id, round: it.round + 1 }.into()
            }
            ("REOPENING", false) => {
                EstimationReopeningRefused { estimation_id, project_id, violations }.into()
            }
            _ => return Vec::new(),
        };
        vec![event]
    }

    fn set(&mut self, estimation_id: &Text, status: &str) {
        if let Some(it) = self.estimations.get_mut(estimation_id) {
            it.status = status.into();
        }
    }

    fn list(&mut self, project_id: Text) -> &mut ProjectEstimations {
        let nothing = || ProjectEstimations { estimation_ids: Vec::new(), opened: 0, ended: false };
        self.lists.entry(project_id).or_insert_with(nothing)
    }

    /// Takes in an event.
    pub fn apply(&mut self, event: &EventData) {
        match event.clone() {
            EventData::EstimationRequested(e) => {
                let it = Estimation {
                    project_id: e.project_id,
                    team_id: e.team_id,
                    title: e.title,
                    scale: e.scale,
                    status: "REQUESTED".into(),
                    round: 1,
                    estimates: Vec::new(),
                    is_over: false,
                };
                self.estimations.insert(e.estimation_id, it);
            }
            EventData::EstimationRefused(e) => drop(self.estimations.remove(&e.estimation_id)),
            EventData::EstimationOpened(e) => self.set(&e.estimation_id, "OPEN"),
            EventData::EstimateSubmitted(e) => {
                let Some(it) = self.estimations.get_mut(&e.estimation_id) else { return };
                match it.estimates.iter_mut().find(|said| said.member_id == e.member_id) {
                    Some(said) => said.points = e.points,
                    None => {
                        it.estimates.push(MemberEstimate { member_id: e.member_id, points: e.points });
                    }
                }
            }
            EventData::EstimationClosed(e) => {
                self.set(&e.estimation_id, "CLOSING");
                self.estimations.entry(e.estimation_id).and_modify(|it| it.estimates.clear());
            }
            EventData::EstimationSettled(e) => self.set(&e.estimation_id, "CLOSED"),
            EventData::EstimationReopeningRequested(e) => self.set(&e.estimation_id, "REOPENING"),
            EventData::EstimationReopeningRefused(e) => self.set(&e.estimation_id, "CLOSED"),
            EventData::EstimationReopened(e) => {
                self.set(&e.estimation_id, "OPEN");
                self.estimations.entry(e.estimation_id).and_modify(|it| it.round = e.round);
            }
            EventData::EstimationEnded(e) => {
                self.set(&e.estimation_id, "ENDED");
                self.estimations.entry(e.estimation_id).and_modify(|it| {
                    (it.title, it.scale, it.is_over) = ("".into(), "".into(), true);
                    it.estimates.clear();
                });
            }
            EventData::EstimationEndingNoted(e) => {
                self.estimations.entry(e.estimation_id).and_modify(|it| it.is_over = true);
            }
            EventData::EstimationEnlisted(e) => {
                let list = self.list(e.project_id);
                if !list.estimation_ids.contains(&e.estimation_id) {
                    list.estimation_ids.push(e.estimation_id);
                    list.opened += i32::from(e.is_first);
                }
            }
            EventData::EstimationEnlistingRefused(_) => {}
            EventData::EstimationDelisted(e) => {
                if let Some(list) = self.lists.get_mut(&e.project_id) {
                    list.estimation_ids.retain(|it| *it != e.estimation_id);
                }
            }
            EventData::ProjectEstimationsEnded(e) => {
                let list = self.list(e.project_id);
                list.estimation_ids.clear();
                list.ended = true;
            }
        }
    }

    /// The state of an aggregate, if it has one.
    pub fn state(&self, aggregate_id: &str) -> Option<State> {
        match aggregate_id.split_once('/')? {
            ("Estimation", id) => self.estimations.get(id).cloned().map(State::Estimation),
            ("ProjectEstimations", id) => self.lists.get(id).cloned().map(State::ProjectEstimations),
            _ => None,
        }
    }
}

impl<'a> Asking<'a> {
    fn finds(&self, of: Published, one: &str, other: &str) -> bool {
        self.around.knows_elsewhere(of, &format!("{}/{one}/{other}", of.kind))
    }

    fn manages(&self, team_id: &str) -> bool {
        self.actor.is_none_or(|actor| self.finds(MANAGER, actor, team_id))
    }

    /// What is wrong with the estimation of a command, and the estimation if it is that project's and that team's.
    fn found(
        &self,
        estimation_id: &Text,
        (project_id, team_id): (&Text, &Text),
        status: &str,
        wrong: &mut Vec<Broken>,
    ) -> Option<&'a Estimation> {
        let it = self.rounds.estimations.get(estimation_id);
        let it = it.filter(|it| it.project_id == *project_id && it.team_id == *team_id);
        match it {
            None => wrong.push(broken("NotFound", "estimation_id")),
            Some(it) if it.status != status => wrong.push(broken("InvalidState", "estimation_id")),
            Some(_) => {}
        }
        it
    }

    fn of_team(&self, project_id: &Text, team_id: &Text, wrong: &mut Vec<Broken>) {
        if !self.finds(PROJECT_TEAM, project_id, team_id) {
            wrong.push(broken("NotFound", "project_id"));
        }
    }

    fn open(&self, c: &OpenEstimation) -> Decided {
        let mut wrong = Vec::new();
        if self.manages(&c.team_id) {
            if self.rounds.estimations.contains_key(&c.estimation_id) {
                wrong.push(broken("AlreadyExists", "estimation_id"));
            }
            self.of_team(&c.project_id, &c.team_id, &mut wrong);
        } else {
            wrong.push(not_permitted());
        }
        if c.title.chars().all(char::is_whitespace) {
            wrong.push(broken("InvalidArgument", "title"));
        }
        if values(&c.scale).is_none() {
            wrong.push(broken("InvalidArgument", "scale"));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let OpenEstimation { estimation_id, project_id, team_id, title, scale } = c.clone();
        Ok(vec![EstimationRequested { estimation_id, project_id, team_id, title, scale }.into()])
    }

    fn submit(&self, c: &SubmitEstimate) -> Decided {
        let is_one = || self.finds(CONTRIBUTOR, &c.member_id, &c.team_id);
        if self.actor.is_some_and(|actor| actor != c.member_id.as_str() || !is_one()) {
            return Err(vec![not_permitted()]);
        }
        let mut wrong = Vec::new();
        let it = self.found(&c.estimation_id, (&c.project_id, &c.team_id), "OPEN", &mut wrong);
        self.of_team(&c.project_id, &c.team_id, &mut wrong);
        if !is_one() {
            wrong.push(broken("NotFound", "member_id"));
        }
        // of one that has ended nobody knows any more what might have been said
        if it.and_then(|it| values(&it.scale)).is_some_and(|values| !values.contains(&c.points)) {
            wrong.push(broken("InvalidArgument", "points"));
        }
        let it = match it {
            Some(it) if wrong.is_empty() => it,
            _ => return Err(wrong),
        };
        let SubmitEstimate { estimation_id, project_id, member_id, points, .. } = c.clone();
        Ok(vec![EstimateSubmitted { estimation_id, project_id, member_id, round: it.round, points }.into()])
    }

    fn close(&self, c: &CloseEstimation) -> Decided {
        if !self.manages(&c.team_id) {
            return Err(vec![not_permitted()]);
        }
        let mut wrong = Vec::new();
        let it = self.found(&c.estimation_id, (&c.project_id, &c.team_id), "OPEN", &mut wrong);
        let it = match it {
            Some(it) if wrong.is_empty() => it,
            _ => return Err(wrong),
        };
        if it.estimates.len() < 2 {
            return Err(vec![broken("InvalidState", "estimates")]);
        }
        let said: BTreeMap<&Text, i64> = it.estimates.iter().map(|it| (&it.member_id, it.points)).collect();
        let estimate = |(member_id, points): (&&Text, &i64)| Estimate {
            member_id: (*member_id).clone(),
            points: *points,
        };
        let estimates = said.iter().map(estimate).collect();
        // as many are below it as above it, or one more
        let below = |points: i64| said.values().filter(|other| **other < points).count();
        let upto = |points: i64| said.values().filter(|other| **other <= points).count();
        let half = said.len() / 2;
        let middle = said.values().copied().find(|points| below(*points) <= half && half < upto(*points));
        let (least, greatest) = (said.values().min(), said.values().max());
        let closed = EstimationClosed {
            estimation_id: c.estimation_id.clone(),
            project_id: c.project_id.clone(),
            round: it.round,
            points: middle.unwrap_or_default(),
            spread: greatest.zip(least).map_or(0, |(greatest, least)| greatest - least),
            estimates,
        };
        Ok(vec![closed.into()])
    }

    fn reopen(&self, c: &ReopenEstimation) -> Decided {
        if !self.manages(&c.team_id) {
            return Err(vec![not_permitted()]);
        }
        let mut wrong = Vec::new();
        let it = self.found(&c.estimation_id, (&c.project_id, &c.team_id), "CLOSED", &mut wrong);
        if it.is_some_and(|it| it.is_over) {
            wrong.push(broken("InvalidState", "project_id"));
        } else {
            self.of_team(&c.project_id, &c.team_id, &mut wrong);
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let (estimation_id, project_id) = (c.estimation_id.clone(), c.project_id.clone());
        Ok(vec![EstimationReopeningRequested { estimation_id, project_id }.into()])
    }
}
