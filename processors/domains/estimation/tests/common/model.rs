//! Who may do what to what, and what comes of it, in naive code that shares nothing with the domain: plain maps, filled from
//! events.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain_estimation::{CommandData, EventData};

/// A reason for which something is refused: its code, and the field it is about.
pub type Broken = (&'static str, &'static str);

const NOT_PERMITTED: Broken = ("NotPermitted", "metadata.user_id");
const NONE: Broken = ("NotFound", "estimation_id");
const WRONG_STATE: Broken = ("InvalidState", "estimation_id");

/// What may be estimated, as it is written.
pub const SCALES: [(&str, &[i64]); 3] = [
    ("fibonacci", &[0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89]),
    ("t-shirt", &[1, 2, 3, 4, 5, 6]),
    ("2,4,6", &[2, 4, 6]),
];

struct Estimation {
    project: String,
    team: String,
    scale: String,
    says: &'static str,
    round: i32,
    version: i64,
    is_over: bool,
    points: BTreeMap<String, i64>,
}

/// What has happened.
#[derive(Default)]
pub struct Model {
    /// By user and team: who may estimate, and who may open and close.
    pub contributors: BTreeSet<(String, String)>,
    pub managers: BTreeSet<(String, String)>,
    /// By project: its team.
    pub teams: BTreeMap<String, String>,
    /// How many events it has seen.
    pub seen: usize,
    estimations: BTreeMap<String, Estimation>,
}

fn pair(one: &str, other: &str) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

fn points_of(scale: &str) -> &'static [i64] {
    SCALES.iter().find(|(name, _)| *name == scale).unwrap().1
}

impl Model {
    fn has_project(&self, project: &str, team: &str) -> bool {
        self.teams.get(project).is_some_and(|it| it == team)
    }

    fn manages(&self, actor: Option<&str>, team: &str) -> bool {
        actor.is_none_or(|actor| self.managers.contains(&pair(actor, team)))
    }

    /// The estimation that is meant, if it is that project's and that team's.
    fn meant(&self, id: &str, project: &str, team: &str) -> Option<&Estimation> {
        self.estimations.get(id).filter(|it| it.project == project && it.team == team)
    }

    /// What is refused of a command, in its order; nothing where it is accepted or a process begins.
    pub fn expects(&self, command: &CommandData, actor: Option<&str>, version: Option<i64>) -> Vec<Broken> {
        let id = match command {
            CommandData::OpenEstimation(c) => &c.estimation_id,
            CommandData::SubmitEstimate(c) => &c.estimation_id,
            CommandData::CloseEstimation(c) => &c.estimation_id,
            CommandData::ReopenEstimation(c) => &c.estimation_id,
        };
        let now = self.estimations.get(&**id).map_or(0, |it| it.version);
        if version.is_some_and(|version| version != now) {
            return vec![("VersionConflict", "metadata.expected_version")];
        }
        let mut broken = Vec::new();
        match command {
            CommandData::OpenEstimation(c) => {
                if !self.manages(actor, &c.team_id) {
                    return vec![NOT_PERMITTED];
                }
                if self.estimations.get(&*c.estimation_id).is_some_and(|it| it.says != "REFUSED") {
                    broken.push(("AlreadyExists", "estimation_id"));
                }
                if !self.has_project(&c.project_id, &c.team_id) {
                    broken.push(("NotFound", "project_id"));
                }
            }
            CommandData::SubmitEstimate(c) => {
                let is_contributor = self.contributors.contains(&pair(&c.member_id, &c.team_id));
                if actor.is_some_and(|actor| actor != &*c.member_id || !is_contributor) {
                    return vec![NOT_PERMITTED];
                }
                let meant =
                    self.meant(&c.estimation_id, &c.project_id, &c.team_id).filter(|it| it.says != "REFUSED");
                match meant {
                    None => broken.push(NONE),
                    Some(it) if it.says != "OPEN" => broken.push(WRONG_STATE),
                    Some(_) => {}
                }
                if !self.has_project(&c.project_id, &c.team_id) {
                    broken.push(("NotFound", "project_id"));
                }
                if !is_contributor {
                    broken.push(("NotFound", "member_id"));
                }
                let on = |it: &Estimation| it.says == "ENDED" || points_of(&it.scale).contains(&c.points);
                if !meant.is_none_or(on) {
                    broken.push(("InvalidArgument", "points"));
                }
            }
            CommandData::CloseEstimation(c) => {
                if !self.manages(actor, &c.team_id) {
                    return vec![NOT_PERMITTED];
                }
                match self
                    .meant(&c.estimation_id, &c.project_id, &c.team_id)
                    .filter(|it| it.says != "REFUSED")
                {
                    None => broken.push(NONE),
                    Some(it) if it.says != "OPEN" => broken.push(WRONG_STATE),
                    Some(it) if it.points.len() < 2 => broken.push(("InvalidState", "estimates")),
                    Some(_) => {}
                }
            }
            CommandData::ReopenEstimation(c) => {
                if !self.manages(actor, &c.team_id) {
                    return vec![NOT_PERMITTED];
                }
                let meant =
                    self.meant(&c.estimation_id, &c.project_id, &c.team_id).filter(|it| it.says != "REFUSED");
                match meant {
                    None => broken.push(NONE),
                    Some(it) if it.says != "CLOSED" => broken.push(WRONG_STATE),
                    Some(_) => {}
                }
                if meant.is_some_and(|it| it.is_over) {
                    broken.push(("InvalidState", "project_id"));
                } else if !self.has_project(&c.project_id, &c.team_id) {
                    broken.push(("NotFound", "project_id"));
                }
            }
        }
        broken
    }

    /// Takes in an event, and looks that what is turned up is what was said.
    pub fn apply(&mut self, event: &EventData) {
        self.seen += 1;
        match event {
            EventData::EstimationRequested(e) => {
                let before = self.estimations.get(&*e.estimation_id).map_or(0, |it| it.version);
                let requested = Estimation {
                    project: e.project_id.to_string(),
                    team: e.team_id.to_string(),
                    scale: e.scale.to_string(),
                    says: "REQUESTED",
                    round: 1,
                    version: before + 1,
                    is_over: false,
                    points: BTreeMap::new(),
                };
                self.estimations.insert(e.estimation_id.to_string(), requested);
            }
            EventData::EstimationRefused(e) => self.says(&e.estimation_id, "REFUSED"),
            EventData::EstimationOpened(e) => self.says(&e.estimation_id, "OPEN"),
            EventData::EstimateSubmitted(e) => {
                self.says(&e.estimation_id, "OPEN");
                let it = self.estimations.get_mut(&*e.estimation_id).unwrap();
                assert_eq!(e.round, it.round, "{e:?}");
                it.points.insert(e.member_id.to_string(), e.points);
            }
            EventData::EstimationClosed(e) => {
                self.says(&e.estimation_id, "CLOSING");
                let it = &self.estimations[&*e.estimation_id];
                let said: Vec<(&str, i64)> =
                    e.estimates.iter().map(|it| (&*it.member_id, it.points)).collect();
                let expected: Vec<(&str, i64)> =
                    it.points.iter().map(|(member, points)| (&**member, *points)).collect();
                assert_eq!((said, e.round), (expected, it.round), "what was said last is turned up");
                // the middle one is as far from both ends, or one further from the lower
                let mut left: Vec<i64> = it.points.values().copied().collect();
                let is = |of: fn(&[i64]) -> Option<usize>, left: &[i64]| of(left).map(|at| left[at]);
                let least = |all: &[i64]| (0..all.len()).min_by_key(|at| all[*at]);
                let greatest = |all: &[i64]| (0..all.len()).max_by_key(|at| all[*at]);
                assert_eq!(e.spread, is(greatest, &left).unwrap() - is(least, &left).unwrap());
                while left.len() > 2 {
                    left.remove(least(&left).unwrap());
                    left.remove(greatest(&left).unwrap());
                }
                assert_eq!(e.points, is(greatest, &left).unwrap(), "{e:?}");
            }
            EventData::EstimationSettled(e) => self.says(&e.estimation_id, "CLOSED"),
            EventData::EstimationReopeningRequested(e) => self.says(&e.estimation_id, "REOPENING"),
            EventData::EstimationReopeningRefused(e) => self.says(&e.estimation_id, "CLOSED"),
            EventData::EstimationReopened(e) => {
                self.says(&e.estimation_id, "OPEN");
                let it = self.estimations.get_mut(&*e.estimation_id).unwrap();
                it.round += 1;
                it.points.clear();
                assert_eq!(e.round, it.round, "{e:?}");
            }
            EventData::EstimationEnded(e) => {
                self.says(&e.estimation_id, "ENDED");
                self.estimations.get_mut(&*e.estimation_id).unwrap().is_over = true;
            }
            EventData::EstimationEndingNoted(e) => {
                let it = self.estimations.get_mut(&*e.estimation_id).unwrap();
                (it.is_over, it.version) = (true, it.version + 1);
            }
            _ => {}
        }
    }

    fn says(&mut self, id: &str, says: &'static str) {
        let it = self.estimations.get_mut(id).unwrap();
        (it.says, it.version) = (says, it.version + 1);
    }
}
