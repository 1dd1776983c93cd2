//! The picture as the domains of the binary declare it: topics, roles, policies, look-ups, views.

use std::collections::BTreeSet;

use millrace_kernel::aggregate::snake_case;
use millrace_runtime::Topology;
use serde_json::Value as Json;

use super::model::{Architecture, Edge, EdgeKind, Element, FORMAT, Kind};
use crate::config::Config;
use crate::domain::DomainEntry;
use crate::error::CliError;
use crate::topics::declaration;

/// Who asks over HTTP.
pub const HTTP_CALLERS: &str = "caller:http";
/// Who sends to the topics of commands.
pub const PRODUCERS: &str = "caller:producers";
/// Who reads the tables.
pub const ANALYSTS: &str = "caller:analysts";
/// The gateway.
pub const GATEWAY: &str = "gateway";

const KAFKA: &str = "Kafka topic";
const ROLE: &str = "Rust, Kafka consumer group";

/// What a domain declares, as values.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// The names of its topics and groups.
    pub topology: Topology,
    /// Its topics, by what follows the domain's name.
    pub topics: Vec<String>,
    /// How many partitions each of them has.
    pub partitions: i32,
    /// Its view families and their tables.
    pub families: Vec<(String, Vec<String>)>,
    /// The domains whose events it reacts to, each with the types of events that it reads.
    pub policies: Vec<(&'static str, Vec<String>)>,
    /// What it looks up elsewhere: domain and kind of aggregate.
    pub lookups_elsewhere: Vec<(&'static str, &'static str)>,
    /// The kinds of its own aggregates that are looked up.
    pub lookups: Vec<&'static str>,
}

impl Declared {
    /// What the domain of `entry` declares under the settings in force.
    ///
    /// # Errors
    /// Settings, tables or topics that are wrong.
    pub fn of(entry: &dyn DomainEntry, config: &Config, prefix: &str) -> Result<Self, CliError> {
        let declared = declaration(entry)?;
        let families = entry.families(config)?.into_iter().map(|family| {
            let views = family.views.iter().map(|view| (*view).to_owned()).collect();
            (family.name.to_owned(), views)
        });
        let policies = entry.policies().into_iter().map(|(of, _)| {
            let read = entry.policy_schema(of).map(event_types).unwrap_or_default();
            (of, read)
        });
        let elsewhere = entry.lookups_elsewhere().iter().map(|it| (it.domain, it.kind));
        Ok(Self {
            name: entry.name().to_owned(),
            topology: entry.topology(prefix),
            topics: in_order(declared.topics.into_keys().collect()),
            partitions: declared.partitions,
            families: families.collect(),
            policies: policies.collect(),
            lookups_elsewhere: elsewhere.collect(),
            lookups: entry.lookups().to_vec(),
        })
    }

    fn topic(&self, suffix: &str) -> String {
        topic_id(&self.name, suffix)
    }

    fn has(&self, suffix: &str) -> bool {
        self.topics.iter().any(|it| it == suffix)
    }
}

/// Topics in the order in which data passes them.
fn in_order(mut topics: Vec<String>) -> Vec<String> {
    const ORDER: [&str; 6] = ["commands", "steps", "events", "state", "outcomes", "commands.dead"];
    topics.sort_by_key(|it| (ORDER.iter().position(|known| known == it).unwrap_or(ORDER.len()), it.clone()));
    topics
}

/// The types of events in a schema of events: the last parts of the names of its branches.
fn event_types(schema: &str) -> Vec<String> {
    let Ok(schema) = serde_json::from_str::<Json>(schema) else { return Vec::new() };
    let fields = schema["fields"].as_array().into_iter().flatten();
    let data = fields.filter(|field| field["name"] == "data").map(|field| &field["type"]);
    let branches = data.flat_map(|kind| match kind {
        Json::Array(branches) => branches.iter().collect(),
        one => vec![one],
    });
    let name = |branch: &Json| {
        let name = branch.as_str().or_else(|| branch["name"].as_str())?;
        Some(name.rsplit('.').next().unwrap_or(name).to_owned())
    };
    branches.filter_map(name).collect()
}

/// The element of a topic.
#[must_use]
pub fn topic_id(domain: &str, suffix: &str) -> String {
    format!("topic:{domain}.{suffix}")
}

/// The element of a domain's processor.
#[must_use]
pub fn processor_id(domain: &str) -> String {
    format!("processor:{domain}")
}

/// The element of a policy.
#[must_use]
pub fn policy_id(domain: &str, of: &str) -> String {
    format!("policy:{domain}.{of}")
}

/// The element of a projector.
#[must_use]
pub fn projector_id(domain: &str, family: &str) -> String {
    format!("projector:{domain}.{family}")
}

/// The element of the tables of a view family.
#[must_use]
pub fn tables_id(domain: &str, family: &str) -> String {
    format!("tables:{domain}.{family}")
}

/// The picture of these domains.
#[must_use]
pub fn draw(domains: &[Declared]) -> Architecture {
    let mut drawn = Architecture { format: FORMAT, ..Architecture::default() };
    drawn.contexts = domains.iter().map(|domain| domain.name.clone()).collect();
    drawn.elements = vec![
        Element::new(Kind::Caller, HTTP_CALLERS, "HTTP callers")
            .saying("Browsers and programs that speak HTTP", "HTTP, server-sent events, WebSocket"),
        Element::new(Kind::Caller, PRODUCERS, "Producers")
            .saying("Programs in any language that send commands and read outcomes", "Kafka clients"),
        Element::new(Kind::Caller, ANALYSTS, "Analysts").saying("Whoever queries the tables", "CQL or SQL"),
        Element::new(Kind::Gateway, GATEWAY, "Gateway")
            .saying("HTTP in front of topics and tables", "Rust, axum"),
    ];
    let mut asks = Edge::new(EdgeKind::Asks, HTTP_CALLERS, GATEWAY);
    asks.about = "commands, views, streams".to_owned();
    drawn.edges = vec![asks];
    for domain in domains {
        topics(domain, &mut drawn);
        processor(domain, &mut drawn);
        policies(domain, &mut drawn);
        families(domain, &mut drawn);
        callers(domain, &mut drawn);
    }
    leave_out_what_is_not_there(&mut drawn);
    drawn
}

fn topics(domain: &Declared, drawn: &mut Architecture) {
    for suffix in &domain.topics {
        let topic = format!("{}.{suffix}", domain.name);
        let mut element = Element::new(Kind::Topic, domain.topic(suffix), topic)
            .of(&domain.name)
            .saying(about_topic(suffix), KAFKA);
        // the commands topic has the full name of all of them but for what follows the domain's name
        let begin = domain.topology.commands.strip_suffix("commands").unwrap_or_default();
        element.topic = Some(format!("{begin}{suffix}"));
        element.partitions = Some(domain.partitions);
        drawn.elements.push(element);
    }
}

fn about_topic(suffix: &str) -> &'static str {
    match suffix {
        "commands" => "What was asked",
        "steps" => "Follow-up commands of processes and policies",
        "events" => "What happened, kept for ever",
        "state" => "The newest state of every aggregate",
        "outcomes" => "What became of each command",
        "commands.dead" => "What could not be read or decided",
        other if other.ends_with(".lookup") => "Which aggregates exist, for look-ups",
        other if other.ends_with(".changes") => "Changes of rows, for those who follow views",
        _ => "",
    }
}

fn processor(domain: &Declared, drawn: &mut Architecture) {
    let id = processor_id(&domain.name);
    let mut element = Element::new(Kind::Processor, &*id, "processor")
        .of(&domain.name)
        .saying("Decides commands and steps, exactly once", ROLE);
    element.group = Some(domain.topology.processor_group());
    drawn.elements.push(element);
    let mut edge = |kind, from: String, to: String| drawn.edges.push(Edge::new(kind, from, to));
    for suffix in &domain.topics {
        let topic = domain.topic(suffix);
        match suffix.as_str() {
            "commands" | "steps" => edge(EdgeKind::Reads, topic, id.clone()),
            "events" | "state" | "outcomes" | "commands.dead" => edge(EdgeKind::Writes, id.clone(), topic),
            other if other.ends_with(".lookup") => edge(EdgeKind::Writes, id.clone(), topic),
            _ => {}
        }
    }
    if domain.has("steps") {
        edge(EdgeKind::Writes, id.clone(), domain.topic("steps"));
    }
    for kind in &domain.lookups {
        edge(EdgeKind::LooksUp, domain.topic(&format!("{}.lookup", snake_case(kind))), id.clone());
    }
    for (of, kind) in &domain.lookups_elsewhere {
        let topic = topic_id(of, &format!("{}.lookup", snake_case(kind)));
        let mut edge = Edge::new(EdgeKind::LooksUp, topic, &*id);
        edge.about = format!("{of}.{kind}");
        drawn.edges.push(edge);
    }
}

fn policies(domain: &Declared, drawn: &mut Architecture) {
    for (of, events) in &domain.policies {
        let id = policy_id(&domain.name, of);
        let about = format!("Turns events of {of} into steps of {}, exactly once", domain.name);
        let mut element =
            Element::new(Kind::Policy, &*id, format!("policy of {of}")).of(&domain.name).saying(about, ROLE);
        element.group = Some(domain.topology.policy_group(of));
        element.parts.clone_from(events);
        drawn.elements.push(element);
        let mut reads = Edge::new(EdgeKind::Reads, topic_id(of, "events"), &*id);
        reads.about = events.join(", ");
        drawn.edges.push(reads);
        drawn.edges.push(Edge::new(EdgeKind::Writes, id, domain.topic("steps")));
    }
}

fn families(domain: &Declared, drawn: &mut Architecture) {
    for (family, tables) in &domain.families {
        let id = projector_id(&domain.name, family);
        let mut projector = Element::new(Kind::Projector, &*id, format!("projector {family}"))
            .of(&domain.name)
            .saying("Fills the tables of a view family", ROLE);
        projector.group = Some(domain.topology.projector_group(family));
        let mut filled =
            Element::new(Kind::Tables, tables_id(&domain.name, family), format!("{family} tables"))
                .of(&domain.name)
                .saying(tables.join(", "), "ScyllaDB or SQLite");
        filled.parts.clone_from(tables);
        drawn.edges.push(Edge::new(EdgeKind::Reads, domain.topic("events"), &*id));
        drawn.edges.push(Edge::new(EdgeKind::Fills, &*id, &*filled.id));
        let changes = format!("{family}.changes");
        if domain.has(&changes) {
            drawn.edges.push(Edge::new(EdgeKind::Writes, &*id, domain.topic(&changes)));
            drawn.edges.push(Edge::new(EdgeKind::Follows, domain.topic(&changes), GATEWAY));
        }
        drawn.edges.push(Edge::new(EdgeKind::Queries, &*filled.id, GATEWAY));
        drawn.edges.push(Edge::new(EdgeKind::Queries, &*filled.id, ANALYSTS));
        drawn.elements.extend([projector, filled]);
    }
}

fn callers(domain: &Declared, drawn: &mut Architecture) {
    for caller in [GATEWAY, PRODUCERS] {
        drawn.edges.push(Edge::new(EdgeKind::Sends, caller, domain.topic("commands")));
        drawn.edges.push(Edge::new(EdgeKind::Follows, domain.topic("outcomes"), caller));
    }
}

/// Takes away edges to what no domain of this binary declares, and says so: a policy may read a domain of another binary.
fn leave_out_what_is_not_there(drawn: &mut Architecture) {
    let known: BTreeSet<String> = drawn.elements.iter().map(|it| it.id.clone()).collect();
    let mut missing = BTreeSet::new();
    drawn.edges.retain(|edge| {
        let unknown = [&edge.from, &edge.to].into_iter().find(|id| !known.contains(*id));
        missing.extend(unknown.cloned());
        unknown.is_none()
    });
    let note =
        |id: String| format!("{} is used, and no domain of this binary declares it", id.replace(':', " "));
    drawn.notes.extend(missing.into_iter().map(note));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_events_are_the_last_parts_of_their_names() {
        let schema = r#"{"name": "Envelope", "type": "record", "fields": [{"name": "id", "type": "string"}, {"name": "data",
            "type": ["millrace.x.events.A", {"type": "record", "name": "millrace.x.events.B", "fields": []}]}]}"#;
        assert_eq!(event_types(schema), ["A", "B"]);
        assert_eq!(event_types(r#"{"fields": [{"name": "data", "type": {"name": "C"}}]}"#), ["C"]);
        assert_eq!(event_types("no schema"), Vec::<String>::new());
    }

    #[test]
    fn topics_stand_in_the_order_in_which_data_passes_them() {
        let topics = ["commands.dead", "a.lookup", "events", "commands"].map(str::to_owned).to_vec();
        assert_eq!(in_order(topics), ["commands", "events", "commands.dead", "a.lookup"]);
    }
}
