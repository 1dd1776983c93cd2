//! Looks at what runs: asks brokers for topics and groups, and processes for gateways.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use millrace_kafka::{Admin, KafkaLog};
use millrace_ports::TopicPartition;

use super::model::Architecture;
use super::seen::{Place, Seen, SeenGateway, SeenGroup, SeenMember};
use crate::config::Config;
use crate::error::CliError;
use crate::status::behind::{Behind, behind};
use crate::status::processes::addresses;
use crate::status::scrape::{Asker, Told};

/// So many groups are looked into at one look; where there are more, the others have their turn at the next.
const MOST_GROUPS: usize = 2_000;
/// Of so many undeclared groups it is found out how long records have waited; of others only how many there are.
const MOST_TIMED: usize = 100;

/// Looks again and again.
pub struct Looker {
    log: KafkaLog,
    admin: Admin,
    brokers: String,
    /// What the declared topics begin with, and the groups that are declared.
    topics: BTreeSet<String>,
    begins: Vec<String>,
    groups: BTreeSet<String>,
    processes: String,
    since: Instant,
    /// Undeclared groups that read the system's topics when they were last looked into.
    strangers: BTreeSet<String>,
    /// The group behind which the next look goes on, where there are too many.
    passed: String,
    /// Places between which there is no record, from where to where: they hold markers of transactions alone.
    empty: BTreeSet<(Place, i64, i64)>,
}

impl Looker {
    /// Looks for what `declared` declares, and for whatever stands beside it.
    ///
    /// # Errors
    /// Settings that no client can be made of.
    pub fn new(log: KafkaLog, config: &Config, declared: &Architecture) -> Result<Self, CliError> {
        let admin = log.admin()?;
        let topics: BTreeSet<String> = declared.elements.iter().filter_map(|it| it.topic.clone()).collect();
        let begins = topics.iter().filter_map(|it| Some(it.strip_suffix("commands")?.to_owned())).collect();
        Ok(Self {
            admin,
            brokers: crate::config::secrets::shown(&["kafka"], &config.settings.kafka),
            topics,
            begins,
            groups: declared.elements.iter().filter_map(|it| it.group.clone()).collect(),
            processes: addresses(config),
            since: Instant::now(),
            strangers: BTreeSet::new(),
            passed: String::new(),
            empty: BTreeSet::new(),
            log,
        })
    }

    /// Everything as it is now.
    ///
    /// # Errors
    /// Brokers that do not answer.
    pub fn look(&mut self) -> Result<Seen, CliError> {
        let cluster = self.admin.cluster()?;
        let is_ours = |topic: &str| {
            self.topics.contains(topic) || self.begins.iter().any(|begin| topic.starts_with(begin.as_str()))
        };
        let topics: BTreeMap<String, i32> =
            cluster.topics.into_iter().filter(|(topic, _)| is_ours(topic)).collect();
        let places: Vec<TopicPartition> = topics
            .iter()
            .flat_map(|(topic, count)| (0..*count).map(move |at| TopicPartition::new(topic.as_str(), at)))
            .collect();
        let ends = self.admin.ends(&places)?;
        let (all, missing) = self.admin.group_ids()?;
        let (ids, groups_not_seen) = self.chosen(all);
        let mut seen = Seen {
            brokers: self.brokers.clone(),
            at_micros: i64::try_from(self.since.elapsed().as_micros()).unwrap_or(i64::MAX),
            topics,
            ends: ends.iter().map(|(at, end)| (place(at), *end)).collect(),
            groups: self.groups(&ids)?,
            groups_not_seen,
            gateways: self.gateways(),
            notes: missing
                .map(|why| format!("some consumer groups may be missing: {why}"))
                .into_iter()
                .collect(),
        };
        self.behind(&mut seen)?;
        self.remember(&seen);
        Ok(seen)
    }

    /// The groups to look into, and how many there are besides: the declared ones, whether they are listed or not, those that were
    /// seen to read the system's topics, and others in turn.
    fn chosen(&mut self, all: Vec<String>) -> (Vec<String>, usize) {
        let is_first = |id: &String| {
            self.groups.contains(id)
                || self.strangers.contains(id)
                || self
                    .groups
                    .iter()
                    .any(|own| id.strip_prefix(own.as_str()).is_some_and(|rest| rest.starts_with(".v")))
        };
        let (first, others): (Vec<String>, Vec<String>) = all.into_iter().partition(is_first);
        let chosen: BTreeSet<String> = first.into_iter().chain(self.groups.iter().cloned()).collect();
        let mut chosen: Vec<String> = chosen.into_iter().collect();
        let room = MOST_GROUPS.saturating_sub(chosen.len());
        if others.len() <= room {
            chosen.extend(others);
            return (chosen, 0);
        }
        let left = others.len() - room;
        let from = others.partition_point(|id| *id <= self.passed);
        let turn: Vec<String> = others[from..].iter().chain(&others[..from]).take(room).cloned().collect();
        self.passed = turn.last().cloned().unwrap_or_default();
        chosen.extend(turn);
        (chosen, left)
    }

    fn groups(&self, ids: &[String]) -> Result<Vec<SeenGroup>, CliError> {
        let is_ours = |topic: &str| {
            self.topics.contains(topic) || self.begins.iter().any(|begin| topic.starts_with(begin.as_str()))
        };
        let mut committed = self.admin.offsets_of_groups(ids)?;
        let mut found: BTreeMap<String, SeenGroup> =
            ids.iter().map(|id| (id.clone(), SeenGroup { id: id.clone(), ..SeenGroup::default() })).collect();
        for described in self.admin.describe_groups(ids)? {
            let Some(group) = found.get_mut(&described.id) else { continue };
            group.members = described
                .members
                .into_iter()
                .map(|it| {
                    let mut assigned: BTreeMap<String, Vec<i32>> = BTreeMap::new();
                    for at in it.assigned.into_iter().filter(|at| is_ours(&at.topic)) {
                        assigned.entry(at.topic.to_string()).or_default().push(at.partition);
                    }
                    SeenMember { name: it.name, client: it.client, host: it.host, assigned }
                })
                .collect();
        }
        for (id, group) in &mut found {
            let offsets = committed.remove(id).unwrap_or_default();
            group.offsets = offsets
                .into_iter()
                .filter(|(at, _)| is_ours(&at.topic))
                .map(|(at, next)| (place(&at), next))
                .collect();
        }
        Ok(found.into_values().collect())
    }

    /// Finds out how far groups are behind. The distance to the end counts markers of transactions, which nobody reads; where
    /// there is one, it is looked for the first record. Groups of the same topic are looked at one after the other, all others
    /// together.
    fn behind(&mut self, seen: &mut Seen) -> Result<(), CliError> {
        let mut rounds: Vec<BTreeMap<TopicPartition, (usize, i64)>> = Vec::new();
        let mut strangers = 0;
        for (index, group) in seen.groups.iter_mut().enumerate() {
            let is_declared = self.groups.contains(&group.id);
            strangers += usize::from(!is_declared && !group.offsets.is_empty());
            for (at, next) in &group.offsets {
                let sum = group.behind.entry(at.0.clone()).or_default();
                let Some(end) = seen.ends.get(at).filter(|end| **end > *next) else { continue };
                if self.empty.contains(&(at.clone(), *next, *end)) {
                    continue;
                }
                if !is_declared && strangers > MOST_TIMED {
                    sum.lag_records = sum.lag_records.saturating_add(end - next);
                    continue;
                }
                let at = TopicPartition::new(at.0.as_str(), at.1);
                match rounds.iter_mut().find(|round| !round.contains_key(&at)) {
                    Some(round) => drop(round.insert(at, (index, *next))),
                    None => rounds.push(BTreeMap::from([(at, (index, *next))])),
                }
            }
        }
        let mut empty = BTreeSet::new();
        for round in rounds {
            let places: Vec<TopicPartition> = round.keys().cloned().collect();
            let next = round.iter().map(|(at, (_, next))| (at.clone(), *next)).collect();
            let found = behind(&self.log, &places, &next)?;
            for (at, (index, next)) in round {
                let place = place(&at);
                match found.get(&at) {
                    Some(Behind { records, seconds }) => {
                        let sum = seen.groups[index].behind.entry(place.0).or_default();
                        sum.lag_records = sum.lag_records.saturating_add(*records);
                        sum.lag_seconds = sum.lag_seconds.max(*seconds);
                    }
                    None => drop(seen.ends.get(&place).map(|end| empty.insert((place.clone(), next, *end)))),
                }
            }
        }
        // what was empty before and was not asked for again still is, as long as nothing has moved
        let still = |(at, next, end): &(Place, i64, i64)| {
            seen.ends.get(at) == Some(end) && seen.groups.iter().any(|it| it.offsets.get(at) == Some(next))
        };
        self.empty.retain(still);
        self.empty.extend(empty);
        Ok(())
    }

    fn remember(&mut self, seen: &Seen) {
        let reads = |group: &&SeenGroup| {
            !group.offsets.is_empty() || group.members.iter().any(|member| !member.assigned.is_empty())
        };
        let strangers = seen.groups.iter().filter(reads).map(|it| it.id.clone());
        self.strangers = strangers.filter(|id| !self.groups.contains(id)).take(MOST_GROUPS / 2).collect();
    }

    /// The gateways among the processes; `None` where nobody has said how to ask them, or where all answer and none is one: it
    /// may be elsewhere.
    fn gateways(&self) -> Option<Vec<SeenGateway>> {
        if self.processes.is_empty() {
            return None;
        }
        let told = Asker::new(&self.processes).look().told();
        let is_silent = told.iter().any(|(_, told)| told.is_err());
        let gateways = told.into_iter().filter_map(|(address, told)| gateway(&address, &told.ok()?));
        Some(gateways.collect::<Vec<_>>()).filter(|found| is_silent || !found.is_empty())
    }
}

/// The gateway that a process is, if it is one.
fn gateway(asked_at: &str, told: &Told) -> Option<SeenGateway> {
    let running = |it: &&crate::status::samples::Sample| {
        it.name == "millrace_lane_running" && it.labels.get("role").is_some_and(|role| role == "gateway")
    };
    told.samples.iter().find(running)?;
    let requests = told.samples.iter().filter(|it| it.name == "millrace_gateway_requests_total");
    let requests: f64 = requests.map(|it| it.value).sum();
    let host = asked_at.rsplit_once(':').map_or(asked_at, |(host, _)| host);
    Some(SeenGateway {
        address: told.gateway.clone().unwrap_or_else(|| asked_at.to_owned()),
        host: host.to_owned(),
        requests: Some(requests as u64),
    })
}

fn place(at: &TopicPartition) -> Place {
    (at.topic.to_string(), at.partition)
}
