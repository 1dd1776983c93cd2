//! What was seen, laid over what is declared: a function of the two, and of the look before for rates.

use std::collections::{BTreeMap, BTreeSet};

use super::declared::{GATEWAY, HTTP_CALLERS};
use super::model::{Architecture, Edge, EdgeKind, Element, Instance, Kind, Standing};
use super::seen::{BehindBy, Place, Seen, SeenGroup};

/// So many undeclared groups are drawn each on its own; the others together, with their number.
pub const MOST_STRANGERS: usize = 200;
/// So many instances of an element are listed; all are counted.
const MOST_INSTANCES: usize = 100;

/// `declared` with what was seen `now`, and with rates since `before`.
#[must_use]
pub fn lay(declared: &Architecture, before: Option<&Seen>, now: &Seen) -> Architecture {
    let mut drawn = declared.clone();
    drawn.sources.observed = Some(now.brokers.clone());
    let window = Window::between(before, now);
    drawn.sources.window_seconds = window.as_ref().map(|it| it.seconds);
    drawn.notes.extend(now.notes.iter().cloned());
    undeclared_topics(&mut drawn, now);
    let owners = owners(&drawn);
    for element in &mut drawn.elements {
        topic(element, now, window.as_ref());
        role(element, now, &owners);
    }
    edges(&mut drawn, now, window.as_ref(), &owners);
    gateways(&mut drawn, now, before);
    strangers(&mut drawn, now, window.as_ref(), &owners);
    drawn
}

/// Two looks, one after the other.
struct Window<'a> {
    seconds: f64,
    before: &'a Seen,
    now: &'a Seen,
}

impl<'a> Window<'a> {
    fn between(before: Option<&'a Seen>, now: &'a Seen) -> Option<Self> {
        let before = before?;
        let seconds = (now.at_micros - before.at_micros) as f64 / 1e6;
        (seconds > 0.0).then_some(Self { seconds, before, now })
    }

    /// How fast the numbers of places of `topic` rise: of those that both looks know.
    fn rise(&self, topic: &str, of: impl Fn(&'a Seen) -> Option<&'a BTreeMap<Place, i64>>) -> Option<f64> {
        let (before, now) = (of(self.before)?, of(self.now)?);
        let known = |(place, now): (&Place, &i64)| before.get(place).map(|before| (now - before).max(0));
        let rises: Vec<i64> = now.iter().filter(|(place, _)| place.0 == topic).filter_map(known).collect();
        (!rises.is_empty()).then(|| rises.iter().sum::<i64>() as f64 / self.seconds)
    }

    fn of_topic(&self, topic: &str) -> Option<f64> {
        self.rise(topic, |seen| Some(&seen.ends))
    }

    fn of_group(&self, group: &str, topic: &str) -> Option<f64> {
        self.rise(topic, |seen| seen.groups.iter().find(|it| it.id == group).map(|it| &it.offsets))
    }
}

/// The declared groups, each with the element that it is of: also those of further versions of a view family's tables.
fn owners(drawn: &Architecture) -> BTreeMap<String, String> {
    let of = |element: &Element| Some((element.group.clone()?, element.id.clone()));
    drawn.elements.iter().filter_map(of).collect()
}

/// The element whose group this is. A rebuild fills a further version of tables in a group of its own: `….v2`.
fn owner<'a>(owners: &'a BTreeMap<String, String>, group: &str) -> Option<&'a String> {
    owners.get(group).or_else(|| {
        let (first, version) = group.rsplit_once(".v")?;
        let is_version = !version.is_empty() && version.bytes().all(|it| it.is_ascii_digit());
        let of = owners.get(first).filter(|id| id.starts_with("projector:"))?;
        is_version.then_some(of)
    })
}

/// Topics that are called as a context's and that it does not declare.
fn undeclared_topics(drawn: &mut Architecture, now: &Seen) {
    let declared: BTreeSet<&str> = drawn.elements.iter().filter_map(|it| it.topic.as_deref()).collect();
    let begins = |context: &String| {
        let commands =
            drawn.elements.iter().find(|it| it.id == super::declared::topic_id(context, "commands"));
        let begin = commands.and_then(|it| it.topic.as_deref()?.strip_suffix("commands"));
        Some((context.clone(), begin?.to_owned()))
    };
    let begins: Vec<(String, String)> = drawn.contexts.iter().filter_map(begins).collect();
    let mut found = Vec::new();
    for (topic, partitions) in now.topics.iter().filter(|(topic, _)| !declared.contains(topic.as_str())) {
        let Some((context, begin)) = begins.iter().find(|(_, begin)| topic.starts_with(begin)) else {
            continue;
        };
        let name = format!("{context}.{}", topic.strip_prefix(begin).unwrap_or(topic));
        let mut element = Element::new(Kind::Topic, format!("topic:{name}"), name)
            .of(context)
            .saying("The context declares no such topic", "Kafka topic");
        element.standing = Standing::Undeclared;
        element.topic = Some(topic.clone());
        element.partitions = Some(*partitions);
        found.push(element);
    }
    drawn.elements.extend(found);
}

fn topic(element: &mut Element, now: &Seen, window: Option<&Window<'_>>) {
    let Some(topic) = &element.topic else { return };
    match now.topics.get(topic) {
        Some(partitions) => {
            element.partitions = Some(*partitions);
            element.records_per_second = window.and_then(|it| it.of_topic(topic));
            if element.standing.is_declared() {
                element.standing = Standing::Live;
            }
        }
        None => element.standing = Standing::Silent,
    }
}

fn role(element: &mut Element, now: &Seen, owners: &BTreeMap<String, String>) {
    if element.group.is_none() {
        return;
    }
    let own = now.groups.iter().filter(|group| owner(owners, &group.id) == Some(&element.id));
    let instances: Vec<Instance> = own.flat_map(instances).collect();
    element.standing = if instances.is_empty() { Standing::Silent } else { Standing::Live };
    listed(element, instances);
}

fn instances(group: &SeenGroup) -> Vec<Instance> {
    let instance = |member: &super::seen::SeenMember| Instance {
        name: member.name.clone(),
        client: member.client.clone(),
        host: member.host.trim_start_matches('/').to_owned(),
        partitions: member.assigned.values().map(Vec::len).sum(),
    };
    group.members.iter().map(instance).collect()
}

fn listed(element: &mut Element, mut instances: Vec<Instance>) {
    instances.sort();
    element.instance_count = Some(instances.len());
    instances.truncate(MOST_INSTANCES);
    element.instances = instances;
}

fn edges(
    drawn: &mut Architecture,
    now: &Seen,
    window: Option<&Window<'_>>,
    owners: &BTreeMap<String, String>,
) {
    let elements: BTreeMap<String, Element> =
        drawn.elements.iter().map(|it| (it.id.clone(), it.clone())).collect();
    for edge in &mut drawn.edges {
        let (Some(from), Some(to)) = (elements.get(&edge.from), elements.get(&edge.to)) else { continue };
        match edge.kind {
            EdgeKind::Reads => {
                let (Some(topic), Some(group)) = (&from.topic, &to.group) else { continue };
                let seen = now.groups.iter().find(|it| it.id == *group);
                let all = now.groups.iter().filter(|it| owner(owners, &it.id) == Some(&edge.to));
                edge.observed = Some(all.into_iter().any(|group| reads(group, topic)));
                edge.records_per_second = window.and_then(|it| it.of_group(group, topic));
                edge.behind = seen.and_then(|it| it.behind.get(topic)).copied();
            }
            // what a role writes is seen only as its topic's growing, and others may write there as well
            EdgeKind::Writes | EdgeKind::Fills => {
                edge.observed = (from.standing == Standing::Silent).then_some(false);
            }
            EdgeKind::LooksUp => edge.observed = (to.standing == Standing::Silent).then_some(false),
            EdgeKind::Asks | EdgeKind::Sends | EdgeKind::Follows | EdgeKind::Queries => {}
        }
    }
    only_writers(drawn, &elements);
}

/// Whether somebody in a group reads a topic now.
fn reads(group: &SeenGroup, topic: &str) -> bool {
    let has = |partitions: &Vec<i32>| !partitions.is_empty();
    group.members.iter().any(|member| member.assigned.get(topic).is_some_and(has))
}

/// A topic into which only one writes grows as fast as that one writes.
fn only_writers(drawn: &mut Architecture, elements: &BTreeMap<String, Element>) {
    let mut writers: BTreeMap<String, usize> = BTreeMap::new();
    let is_writing = |edge: &&mut Edge| matches!(edge.kind, EdgeKind::Writes | EdgeKind::Sends);
    for edge in drawn.edges.iter_mut().filter(is_writing) {
        *writers.entry(edge.to.clone()).or_default() += 1;
    }
    for edge in drawn.edges.iter_mut().filter(is_writing) {
        let Some(topic) = elements.get(&edge.to) else { continue };
        if writers.get(&edge.to) == Some(&1) && topic.records_per_second.is_some() {
            edge.records_per_second = topic.records_per_second;
            if edge.observed.is_none() && topic.records_per_second.is_some_and(|it| it > 0.0) {
                edge.observed = Some(true);
            }
        }
    }
}

fn gateways(drawn: &mut Architecture, now: &Seen, before: Option<&Seen>) {
    let Some(gateways) = &now.gateways else { return };
    let instances: Vec<Instance> = gateways
        .iter()
        .map(|it| Instance {
            name: it.address.clone(),
            client: String::new(),
            host: it.host.clone(),
            partitions: 0,
        })
        .collect();
    let standing = if instances.is_empty() { Standing::Silent } else { Standing::Live };
    let Some(gateway) = drawn.elements.iter_mut().find(|it| it.id == GATEWAY) else { return };
    gateway.standing = standing;
    listed(gateway, instances);
    let asked = before.and_then(|before| {
        let seconds = (now.at_micros - before.at_micros) as f64 / 1e6;
        let rise = |it: &super::seen::SeenGateway| {
            let earlier = before.gateways.iter().flatten().find(|other| other.address == it.address)?;
            Some(it.requests?.saturating_sub(earlier.requests?))
        };
        let rises: Vec<u64> = gateways.iter().filter_map(rise).collect();
        (seconds > 0.0 && !rises.is_empty()).then(|| rises.iter().sum::<u64>() as f64 / seconds)
    });
    for edge in drawn.edges.iter_mut().filter(|it| it.from == GATEWAY || it.to == GATEWAY) {
        if edge.from == HTTP_CALLERS {
            edge.records_per_second = asked;
            edge.observed = asked.filter(|it| *it > 0.0).map(|_| true);
        }
        if standing == Standing::Silent {
            edge.observed = Some(false);
        }
    }
}

/// Groups that nobody has declared and that read, or have read, a topic of the system.
fn strangers(
    drawn: &mut Architecture,
    now: &Seen,
    window: Option<&Window<'_>>,
    owners: &BTreeMap<String, String>,
) {
    let topics: BTreeMap<&str, &str> =
        drawn.elements.iter().filter_map(|it| Some((it.topic.as_deref()?, it.id.as_str()))).collect();
    let (mut elements, mut edges) = (Vec::new(), Vec::new());
    let mut unplaced = 0;
    for group in now.groups.iter().filter(|it| owner(owners, &it.id).is_none()) {
        let of_members = group.members.iter().flat_map(|it| it.assigned.iter());
        let assigned =
            of_members.filter(|(_, partitions)| !partitions.is_empty()).map(|(topic, _)| topic.as_str());
        let committed = group.offsets.keys().map(|(topic, _)| topic.as_str());
        let read: BTreeSet<&str> = assigned.chain(committed).filter(|it| topics.contains_key(it)).collect();
        if read.is_empty() {
            unplaced += 1;
            continue;
        }
        let mut element = Element::new(Kind::Stranger, format!("group:{}", group.id), &*group.id)
            .saying("A consumer group that nobody has declared", "Kafka consumer group");
        element.group = Some(group.id.clone());
        element.standing = if group.members.is_empty() { Standing::Gone } else { Standing::Undeclared };
        listed(&mut element, instances(group));
        for topic in read {
            let mut edge = Edge::new(EdgeKind::Reads, topics[topic], &*element.id);
            edge.declared = false;
            // while a group is dealt out anew, nobody is assigned anything
            edge.observed = Some(!group.members.is_empty());
            edge.records_per_second = window.and_then(|it| it.of_group(&group.id, topic));
            edge.behind = group.behind.get(topic).copied();
            edges.push(edge);
        }
        elements.push(element);
    }
    if unplaced > 0 {
        drawn.notes.push(format!(
            "{unplaced} consumer groups of the cluster read none of these topics, and are not drawn"
        ));
    }
    if now.groups_not_seen > 0 {
        drawn.notes.push(format!(
            "there are so many consumer groups that {} were not looked into; some of them may read these topics",
            now.groups_not_seen
        ));
    }
    // those who are there stand before those who have left
    elements.sort_by(|a, b| {
        (a.standing == Standing::Gone, &a.name).cmp(&(b.standing == Standing::Gone, &b.name))
    });
    let rest = elements.split_off(MOST_STRANGERS.min(elements.len()));
    drawn.elements.extend(elements);
    let summed = together(drawn, rest, &mut edges);
    drawn.edges.extend(summed);
    drawn.edges.extend(edges);
}

/// Draws `rest` as one element; takes their edges out of `edges` and gives those that stand for them.
fn together(drawn: &mut Architecture, rest: Vec<Element>, edges: &mut Vec<Edge>) -> Vec<Edge> {
    if rest.is_empty() {
        return Vec::new();
    }
    let ids: BTreeSet<&str> = rest.iter().map(|it| it.id.as_str()).collect();
    let (theirs, others): (Vec<Edge>, Vec<Edge>) =
        std::mem::take(edges).into_iter().partition(|edge| ids.contains(edge.to.as_str()));
    *edges = others;
    let mut element = Element::new(Kind::Stranger, "groups", format!("{} more consumer groups", rest.len()))
        .saying("Consumer groups that nobody has declared", "Kafka consumer group");
    element.standing = match rest.iter().all(|it| it.standing == Standing::Gone) {
        true => Standing::Gone,
        false => Standing::Undeclared,
    };
    element.instance_count = Some(rest.iter().filter_map(|it| it.instance_count).sum());
    drawn.notes.push(format!("{} undeclared consumer groups are drawn together", rest.len()));
    let mut by_topic: BTreeMap<String, Edge> = BTreeMap::new();
    for edge in theirs {
        let sum = by_topic.entry(edge.from.clone()).or_insert_with(|| Edge {
            declared: false,
            observed: Some(false),
            ..Edge::new(EdgeKind::Reads, &*edge.from, &*element.id)
        });
        sum.observed = Some(sum.observed == Some(true) || edge.observed == Some(true));
        sum.records_per_second = add(sum.records_per_second, edge.records_per_second, |a, b| a + b);
        sum.behind = add(sum.behind, edge.behind, |a, b| BehindBy {
            lag_records: a.lag_records.saturating_add(b.lag_records),
            lag_seconds: a.lag_seconds.max(b.lag_seconds),
        });
    }
    drawn.elements.push(element);
    by_topic.into_values().collect()
}

fn add<T>(one: Option<T>, other: Option<T>, sum: impl Fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(sum(one, other)),
        (one, other) => one.or(other),
    }
}
