//! `millrace topics`: what `topics/<d>.toml` declares against what the cluster has.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use millrace_kafka::{Admin, NewTopic, TopicDescription};
use millrace_ports::LogFault;
use serde::Deserialize;
use serde_json::json;

use crate::connect::Servers;
use crate::domain::{DomainEntry, select};
use crate::error::CliError;
use crate::output;
use crate::published::{Need, missing};

/// The largest record that a domain may write, as the broker counts: Kafka's default, also where the cluster has another.
const MAX_MESSAGE: (&str, u64) = ("max.message.bytes", 1_048_588);
/// How long a new topic may take to be known to every broker asked.
const PROPAGATION: Duration = Duration::from_secs(10);

/// What gives a topic that is there another number of copies.
const MORE_COPIES: &str = "kafka-reassign-partitions.sh --execute, with the brokers of each partition listed in its file as often \
                           as there shall be copies (docs/operations.md); or declare the number that there is";

/// A domain's topics, as declared.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// How many partitions each topic has.
    pub partitions: i32,
    /// How many copies.
    pub replication_factor: i32,
    /// The topics, by what follows the domain's name.
    pub topics: BTreeMap<String, Topic>,
}

/// A topic, as declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Topic {
    /// The file in `schemas/<d>/registered/` that its values are of, if they are of any.
    pub schema: Option<String>,
    /// What a new version of the schema must keep to.
    pub compatibility: Option<String>,
    /// Configuration, as the broker names it.
    pub config: BTreeMap<String, String>,
}

/// A step that brings a topic to its declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Make it.
    Create(NewTopic),
    /// Set these values, each with the one it has now.
    Configure {
        /// The topic.
        topic: String,
        /// Key to (now, then).
        values: BTreeMap<String, (Option<String>, String)>,
    },
    /// Give it another number of copies, which only Kafka's own tools do: they move data between brokers.
    Copies {
        /// The topic.
        topic: String,
        /// How many copies its partitions have, at least.
        now: i32,
        /// How many are declared.
        declared: i32,
    },
}

/// What a domain declares.
///
/// # Errors
/// A file that cannot be read, which is a bug in the domain.
pub fn declaration(entry: &dyn DomainEntry) -> Result<Declaration, CliError> {
    let read = toml::from_str::<Declaration>(entry.schemas().topics);
    read.map_err(|error| CliError::failed(format!("topics/{}.toml: {error}", entry.name())))
}

/// Compares a declaration with the topics there are.
///
/// # Errors
/// Topics with another number of partitions, and the way out.
pub fn plan(
    prefix: &str,
    domain: &str,
    declared: &Declaration,
    present: &BTreeMap<String, TopicDescription>,
) -> Result<Vec<Change>, CliError> {
    let mut changes = Vec::new();
    let mut differing = Vec::new();
    for (suffix, topic) in &declared.topics {
        let name = format!("{prefix}{domain}.{suffix}");
        let Some(found) = present.get(&name) else {
            changes.push(Change::Create(NewTopic {
                name,
                partitions: declared.partitions,
                replication: declared.replication_factor,
                configs: topic.config.clone(),
            }));
            continue;
        };
        if found.partitions != declared.partitions {
            differing.push(found);
        }
        if found.replication != declared.replication_factor {
            changes.push(Change::Copies {
                topic: name.clone(),
                now: found.replication,
                declared: declared.replication_factor,
            });
        }
        let mut values: BTreeMap<_, _> = topic
            .config
            .iter()
            .filter(|(key, value)| found.configs.get(*key) != Some(*value))
            .map(|(key, value)| (key.clone(), (found.configs.get(key).cloned(), value.clone())))
            .collect();
        if let Some(bytes) = too_small(suffix, topic, found) {
            values.insert(MAX_MESSAGE.0.to_owned(), (Some(bytes.clone()), MAX_MESSAGE.1.to_string()));
        }
        if !values.is_empty() {
            changes.push(Change::Configure { topic: name, values });
        }
    }
    if differing.is_empty() {
        Ok(changes)
    } else {
        Err(wrong_partitions(domain, declared.partitions, &differing))
    }
}

/// How large a record of a topic may be, if the domain may write a larger one: its partition would stand still at that.
/// How large commands are is up to those who send them.
fn too_small<'a>(suffix: &str, declared: &Topic, found: &'a TopicDescription) -> Option<&'a String> {
    let is_free = suffix != "commands" && !declared.config.contains_key(MAX_MESSAGE.0);
    let bytes = found.configs.get(MAX_MESSAGE.0).filter(|_| is_free)?;
    bytes.parse::<u64>().is_ok_and(|bytes| bytes < MAX_MESSAGE.1).then_some(bytes)
}

fn wrong_partitions(domain: &str, declared: i32, differing: &[&TopicDescription]) -> CliError {
    let has = |topic: &&TopicDescription| format!("{} has {}", topic.name, topic.partitions);
    let list = differing.iter().map(has).collect::<Vec<_>>().join(", ");
    let text =
        format!("topics/{domain}.toml declares {declared} partitions, but {list}; nothing was changed");
    let counts: Vec<i32> = differing.iter().map(|topic| topic.partitions).collect();
    let same = counts.iter().all(|count| *count == counts[0]);
    let keep = match same {
        true => {
            format!("To keep these topics, declare partitions = {} in topics/{domain}.toml.\n", counts[0])
        }
        false => "The topics of a domain must all have the same number.\n".to_owned(),
    };
    CliError::failed(text).hint(format!(
        "The number cannot be changed in place: a key would move to another partition, away from its state.\n\
         {keep}To have another number, make new topics under another --topic-prefix and load the commands there."
    ))
}

/// Runs `topics plan` or `topics apply`.
///
/// # Errors
/// Servers that do not answer, what [`plan`] refuses, or what is looked up and not published.
pub fn run(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    names: &[String],
    apply: bool,
    as_json: bool,
) -> Result<(), CliError> {
    let selected = select(domains, names)?;
    let admin = servers.kafka()?.admin()?;
    let mut is_same = true;
    for &entry in &selected {
        for change in changes(&admin, servers.prefix(), entry)? {
            is_same = false;
            if apply {
                carry_out(&admin, &change)?;
            }
            show(&change, apply, as_json)?;
        }
    }
    look_for_published(&admin, servers.prefix(), &selected)?;
    match is_same && !as_json {
        true => output::line("Nothing to do: every topic is as declared."),
        false => Ok(()),
    }
}

/// Whether what these domains look up in others is there, or comes with these domains.
fn look_for_published(admin: &Admin, prefix: &str, selected: &[&dyn DomainEntry]) -> Result<(), CliError> {
    let mut declared = BTreeSet::new();
    for entry in selected {
        let topics = declaration(*entry)?.topics;
        declared.extend(topics.keys().map(|suffix| format!("{prefix}{}.{suffix}", entry.name())));
    }
    let mut all = Vec::new();
    for entry in selected {
        let is_there = |topic: &str| admin.describe(topic).map(|found| found.is_some());
        all.extend(missing(&Need::all(*entry, prefix), &declared, is_there)?);
    }
    if all.is_empty() { Ok(()) } else { Err(CliError::failed(all.join("\n"))) }
}

/// Brings a domain's topics to their declaration, in silence.
///
/// # Errors
/// As [`run`].
pub fn apply(admin: &Admin, prefix: &str, entry: &dyn DomainEntry) -> Result<(), CliError> {
    changes(admin, prefix, entry)?.iter().try_for_each(|change| carry_out(admin, change))
}

fn changes(admin: &Admin, prefix: &str, entry: &dyn DomainEntry) -> Result<Vec<Change>, CliError> {
    let declared = declaration(entry)?;
    let mut present = BTreeMap::new();
    for suffix in declared.topics.keys() {
        let name = format!("{prefix}{}.{suffix}", entry.name());
        if let Some(found) = admin.describe(&name)? {
            present.insert(name, found);
        }
    }
    plan(prefix, entry.name(), &declared, &present)
}

fn carry_out(admin: &Admin, change: &Change) -> Result<(), CliError> {
    match change {
        Change::Create(topic) => {
            admin.create(topic).map_err(|fault| refused(admin, topic, fault))?;
            let until = Instant::now() + PROPAGATION;
            while admin.describe(&topic.name)?.is_none() {
                if Instant::now() >= until {
                    return Err(CliError::failed(format!("{} was created but does not show", topic.name)));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Change::Configure { topic, values } => {
            let values = values.iter().map(|(key, (_, then))| (key.clone(), then.clone())).collect();
            admin.alter_configs(topic, &values)?;
        }
        // whoever runs this may not move data between brokers, and is told how it is done
        Change::Copies { .. } => {}
    }
    Ok(())
}

/// Why a topic is not made, with what the broker does not say: how many brokers there are for its copies.
fn refused(admin: &Admin, topic: &NewTopic, fault: LogFault) -> CliError {
    let brokers = admin.cluster().map(|cluster| cluster.brokers.len());
    match (brokers, usize::try_from(topic.replication)) {
        (Ok(brokers), Ok(copies)) if matches!(fault, LogFault::Refused { .. }) && copies > brokers => {
            CliError::from(fault).hint(format!(
                "{copies} copies of {} are declared (replication_factor), and there are {brokers} brokers to hold one each.",
                topic.name
            ))
        }
        _ => fault.into(),
    }
}

fn show(change: &Change, done: bool, as_json: bool) -> Result<(), CliError> {
    match change {
        Change::Create(topic) if as_json => output::json(&json!({
            "topic": topic.name, "change": "create", "done": done,
            "partitions": topic.partitions, "replication": topic.replication, "config": topic.configs,
        })),
        Change::Create(topic) => {
            let verb = if done { "created" } else { "create" };
            let config: Vec<String> = topic.configs.iter().map(|(k, v)| format!("{k}={v}")).collect();
            output::line(format!(
                "{verb} {}: {} partitions, {}",
                topic.name,
                topic.partitions,
                config.join(" ")
            ))
        }
        Change::Configure { topic, values } if as_json => {
            let values: BTreeMap<_, _> =
                values.iter().map(|(key, (now, then))| (key, json!({"now": now, "then": then}))).collect();
            output::json(&json!({"topic": topic, "change": "configure", "done": done, "config": values}))
        }
        Change::Configure { topic, values } => {
            let verb = if done { "configured" } else { "configure" };
            let values: Vec<String> = values
                .iter()
                .map(|(key, (now, then))| format!("{key}: {} -> {then}", now.as_deref().unwrap_or("unset")))
                .collect();
            output::line(format!("{verb} {topic}: {}", values.join(", ")))
        }
        Change::Copies { topic, now, declared } if as_json => output::json(&json!({
            "topic": topic, "change": "replication", "done": false, "now": now, "declared": declared,
            "how": MORE_COPIES,
        })),
        Change::Copies { topic, now, declared } => output::line(format!(
            "by hand {topic}: replication factor {now}, and {declared} is declared: {MORE_COPIES}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared() -> Declaration {
        let text = "partitions = 4\nreplication_factor = 1\n[topics.commands.config]\n\"retention.ms\" = \"5\"\n[topics.events]\n";
        toml::from_str(text).unwrap()
    }

    fn there(name: &str, partitions: i32, retention: &str) -> (String, TopicDescription) {
        let configs = BTreeMap::from([("retention.ms".to_owned(), retention.to_owned())]);
        (name.to_owned(), TopicDescription { name: name.to_owned(), partitions, replication: 1, configs })
    }

    #[test]
    fn what_is_missing_is_made_and_what_differs_is_set() {
        let present = BTreeMap::from([there("p.shop.commands", 4, "6")]);
        let changes = plan("p.", "shop", &declared(), &present).unwrap();
        assert!(matches!(&changes[0], Change::Configure { topic, values }
            if topic == "p.shop.commands" && values["retention.ms"] == (Some("6".to_owned()), "5".to_owned())));
        assert!(
            matches!(&changes[1], Change::Create(topic) if topic.name == "p.shop.events" && topic.partitions == 4)
        );
        let present = BTreeMap::from([there("shop.commands", 4, "5"), there("shop.events", 4, "9")]);
        assert_eq!(plan("", "shop", &declared(), &present).unwrap(), []);
    }

    #[test]
    fn another_number_of_copies_is_named_and_left_to_kafka() {
        let present = BTreeMap::from([there("shop.commands", 4, "5"), there("shop.events", 4, "9")]);
        let declared = Declaration { replication_factor: 3, ..declared() };
        let changes = plan("", "shop", &declared, &present).unwrap();
        let copies = |topic: &str| Change::Copies { topic: topic.to_owned(), now: 1, declared: 3 };
        assert_eq!(changes, [copies("shop.commands"), copies("shop.events")]);
        assert!(MORE_COPIES.contains("kafka-reassign-partitions.sh"));
    }

    #[test]
    fn a_topic_that_takes_less_than_the_domain_writes_is_widened() {
        let with = |name: &str, bytes: &str| {
            let (name, mut topic) = there(name, 4, "5");
            topic.configs.insert("max.message.bytes".to_owned(), bytes.to_owned());
            (name, topic)
        };
        let present = BTreeMap::from([with("shop.commands", "150"), with("shop.events", "150")]);
        let changes = plan("", "shop", &declared(), &present).unwrap();
        assert!(
            matches!(&changes[..], [Change::Configure { topic, values }] if topic == "shop.events" && values.len() == 1
                && values["max.message.bytes"] == (Some("150".to_owned()), "1048588".to_owned())),
            "{changes:?}"
        );
        for enough in ["1048588", "4000000"] {
            let present = BTreeMap::from([with("shop.commands", "150"), with("shop.events", enough)]);
            assert_eq!(plan("", "shop", &declared(), &present).unwrap(), []);
        }
    }

    #[test]
    fn another_number_of_partitions_is_refused_with_the_way_out() {
        let present = BTreeMap::from([there("shop.commands", 8, "5")]);
        let text = plan("", "shop", &declared(), &present).unwrap_err().to_string();
        for word in ["shop.commands has 8", "partitions = 8", "--topic-prefix"] {
            assert!(text.contains(word), "{text}");
        }
    }
}
