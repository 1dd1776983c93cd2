//! Whether what is registered today may follow what was registered in every released version, by each topic's rule.

use std::path::Path;

use millrace_embedded::registry::{AvroSchema, unreadable};
use serde_json::Value;

use crate::files::{self, RELEASED};
use crate::version::Version;
use crate::{messages, versions};

/// Where a released version has the names of the fields that were sealed.
pub const SEALED: &str = "sealed.txt";

/// What a topic's file says of the schema it has.
struct Topic {
    /// `chirp.events`
    name: String,
    schema: String,
    compatibility: String,
}

/// What keeps today's schemas from following those that were released.
///
/// # Errors
/// A file cannot be read, or is none of ours.
pub fn refusals(root: &Path, next: Version) -> Result<Vec<String>, String> {
    let begun = versions::is_begun(root, next)?;
    let mut all = if begun { Vec::new() } else { edited(root)? };
    for domain in files::domains(root)? {
        let today = topics(&domain, &declared(root, &domain)?)?;
        for version in versions::of(root, &domain)?.into_iter().filter(|version| !(begun && *version == next))
        {
            let folder = files::released(root, &domain).join(version.to_string());
            all.extend(unsealed(&domain, &sealed(root, &domain)?, &folder, version)?);
            for old in topics(&domain, &files::text(&folder.join("topics.toml"))?)? {
                let Some(new) = today.iter().find(|topic| topic.name == old.name) else {
                    all.push(format!(
                        "{} is no topic any more, and {version} has it: programs of that version read and write it. Keep it in \
                         topics/{domain}.toml",
                        old.name
                    ));
                    continue;
                };
                let written = files::json(&folder.join(&old.schema))?;
                let registered = root.join("schemas").join(&domain).join("registered").join(&new.schema);
                all.extend(weaker(new, &old, version));
                let known = all.len();
                follows(new, &files::json(&registered)?, &written, version, &mut all)?;
                // the same thing is wrong with each version that has it
                all = without_repeats(all, known);
            }
        }
    }
    Ok(all)
}

/// What is declared of a domain's topics, in `topics/<d>.toml` or for all that have no such file.
///
/// # Errors
/// A file cannot be read.
pub fn declared(root: &Path, domain: &str) -> Result<String, String> {
    let folder = root.join("schemas").join(domain);
    millrace_schemagen::topics(&folder).map_err(|error| format!("schemas/{domain}: {error}"))
}

/// The topics that have a schema.
fn topics(domain: &str, declared: &str) -> Result<Vec<Topic>, String> {
    let file: toml::Table = declared.parse().map_err(|error| format!("topics of {domain}: {error}"))?;
    let tables = file.get("topics").and_then(toml::Value::as_table).into_iter().flatten();
    let text =
        |table: &toml::Value, name: &str| table.get(name).and_then(toml::Value::as_str).map(str::to_owned);
    Ok(tables
        .filter_map(|(suffix, table)| {
            let (schema, compatibility) = (text(table, "schema")?, text(table, "compatibility")?);
            Some(Topic { name: format!("{domain}.{suffix}"), schema, compatibility })
        })
        .collect())
}

/// What a rule asks: that today's readers read what was written, that readers of then read what is written today.
fn asks(rule: &str) -> (bool, bool) {
    (
        rule.starts_with("BACKWARD") || rule.starts_with("FULL"),
        rule.starts_with("FORWARD") || rule.starts_with("FULL"),
    )
}

fn weaker(new: &Topic, old: &Topic, version: Version) -> Option<String> {
    let (now, then) = (asks(&new.compatibility), asks(&old.compatibility));
    ((then.0 && !now.0) || (then.1 && !now.1)).then(|| {
        format!(
            "{}: its rule is {} and was {} in {version}, which promises more: put that back into its file in topics/",
            new.name, new.compatibility, old.compatibility
        )
    })
}

fn without_repeats(all: Vec<String>, known: usize) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for (at, problem) in all.into_iter().enumerate() {
        if at < known || !kept.contains(&problem) {
            kept.push(problem);
        }
    }
    kept
}

/// Adds what keeps `new` from following `old`.
fn follows(
    topic: &Topic,
    new: &Value,
    old: &Value,
    version: Version,
    all: &mut Vec<String>,
) -> Result<(), String> {
    if new == old {
        return Ok(());
    }
    let (backward, forward) = asks(&topic.compatibility);
    let before = all.len();
    let mut parts = vec![(None, messages::envelope(new), messages::envelope(old))];
    for (name, _) in messages::messages(old) {
        if messages::message(new, &name).is_none() {
            all.push(format!(
                "{}: the message {name} of {version} is gone, and what was written of it could not be read. Keep it with all its \
                 fields; say in its doc that it is not sent any more",
                topic.name
            ));
            continue;
        }
        all.extend(moved(topic, &name, new, old, version));
        parts.push((Some(name.clone()), messages::only(new, &name), messages::only(old, &name)));
    }
    let whole = Pair { new: parse(topic, new)?, old: parse(topic, old)? }.problems(backward, forward)?;
    if whole.is_empty() {
        return Ok(());
    }
    // whether something is wrong, the whole has said; the parts say where
    for (name, new, old) in &parts {
        let place = Place { topic, message: name.as_deref(), record: new, version };
        let found = Pair { new: parse(topic, new)?, old: parse(topic, old)? }.problems(backward, forward)?;
        // what is wrong with the envelope is wrong with every message
        let is_own = |problem: &String| name.is_none() || problem.starts_with("/data");
        all.extend(found.into_iter().filter(|(it, _)| is_own(it)).map(|(it, way)| place.says(&it, way)));
    }
    if all.len() == before {
        all.extend(whole.into_iter().map(|(problem, _)| format!("{} and {version}: {problem}", topic.name)));
    }
    Ok(())
}

/// Two versions of a schema, or of a part of it.
struct Pair {
    new: AvroSchema,
    old: AvroSchema,
}

impl Pair {
    /// What cannot be read, of the ways that are asked for.
    fn problems(&self, backward: bool, forward: bool) -> Result<Vec<(String, Way)>, String> {
        let mut all = Vec::new();
        for (asked, reader, writer, way) in
            [(backward, &self.new, &self.old, Way::Back), (forward, &self.old, &self.new, Way::Forth)]
        {
            if asked {
                let found = unreadable(reader, writer).map_err(|error| error.to_string())?;
                all.extend(found.into_iter().map(|problem| (problem, way)));
            }
        }
        Ok(all)
    }
}

fn parse(topic: &Topic, schema: &Value) -> Result<AvroSchema, String> {
    AvroSchema::parse(&schema.to_string()).map_err(|why| format!("{}: {why}", topic.name))
}

/// Which way data cannot go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From the released version to today's readers.
    Back,
    /// From today's writers to the released version.
    Forth,
}

/// Where a problem is.
struct Place<'a> {
    topic: &'a Topic,
    message: Option<&'a str>,
    record: &'a Value,
    version: Version,
}

impl Place<'_> {
    /// The problem, with the message, the field, and what else can be done.
    fn says(&self, problem: &str, way: Way) -> String {
        let (path, why) = problem.split_once(": ").unwrap_or(("/", problem));
        let path = path.trim_start_matches('/');
        let (record, path) = match self.message {
            Some(name) => (name, path.trim_start_matches("data").trim_start_matches('/')),
            None => (self.record["name"].as_str().unwrap_or("the record"), path),
        };
        let dot = if path.is_empty() { "" } else { "." };
        let field = path.replace('/', ".");
        let (topic, version) = (&self.topic.name, self.version);
        let whom = match way {
            Way::Back => format!("what {version} has written could not be read"),
            Way::Forth => format!("programs of {version} could not read what is written now"),
        };
        let instead = instead(why, way, &field);
        format!("{topic}: {record}{dot}{field}: {whom} ({why}). {instead}")
    }
}

/// The way out of a problem, by what the comparison says of it.
fn instead(why: &str, way: Way, field: &str) -> String {
    let name = field.rsplit('.').next().unwrap_or(field);
    if why.contains("has no default") {
        return match way {
            Way::Back => format!(
                "Let {name} be null where it was not written: \"type\": [\"null\", …], \"default\": null. If it is an old field \
                 with another name, keep the old name"
            ),
            Way::Forth => format!("Keep the field {name} as it was, and put what is new beside it"),
        };
    }
    if why.contains("symbols") {
        return match way {
            Way::Back => "Keep the symbols that there were".to_owned(),
            Way::Forth => {
                "Readers of then know no other symbol: say what is new in a field more, which may be null"
                    .to_owned()
            }
        };
    }
    if why.contains("lacks the branch null") || why.contains("cannot read null") {
        return format!("Let {name} be null, as it could be");
    }
    format!(
        "Leave the type of {name} as it was; put a field of another name and of the new type beside it, which may be null"
    )
}

/// Whether a message belongs elsewhere: its key and its partition would be others, and what is decided of it with them.
fn moved(topic: &Topic, name: &str, new: &Value, old: &Value, version: Version) -> Option<String> {
    let address = |schema| messages::message(schema, name).and_then(|it| it["aggregate"].as_str());
    let (now, then) = (address(new)?, address(old)?);
    (now != then).then(|| {
        format!(
            "{}: {name} belongs to {now} and belonged to {then} in {version}: packages of then would send it to another key and \
             partition. Leave \"aggregate\" and its fields as they were, and make a message of another name",
            topic.name
        )
    })
}

/// The fields of a domain's commands that are sealed, such as `EnableAccounting.sealed_token`. Only its author's schema says so.
///
/// # Errors
/// The file cannot be read.
pub fn sealed(root: &Path, domain: &str) -> Result<Vec<String>, String> {
    let authored = files::json(&root.join("schemas").join(domain).join("commands.avsc"))?;
    let mut all = Vec::new();
    for message in authored.as_array().into_iter().flatten() {
        let fields = message["fields"].as_array().into_iter().flatten();
        for field in fields.filter(|field| field.get("sealed").is_some()) {
            let name = |of: &Value| of["name"].as_str().unwrap_or_default().to_owned();
            all.push(format!("{}.{}", name(message), name(field)));
        }
    }
    Ok(all)
}

/// Fields that were secrets and are not any more.
fn unsealed(domain: &str, today: &[String], folder: &Path, version: Version) -> Result<Vec<String>, String> {
    let path = folder.join(SEALED);
    let then = if path.is_file() { files::text(&path)? } else { String::new() };
    let lost = then.lines().filter(|field| !today.iter().any(|it| it == field));
    Ok(lost
        .map(|field| {
            format!(
                "{domain}.commands: {field} was sealed in {version} and is not any more: what was a secret would be sent openly. \
                 Put \"sealed\" back, and make a field of another name for what is none"
            )
        })
        .collect())
}

/// Released files that are not what they were.
fn edited(root: &Path) -> Result<Vec<String>, String> {
    let path = root.join(RELEASED).join("schemas.txt");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for line in files::text(&path)?.lines() {
        let Some((digest, name)) = line.split_once(' ') else {
            return Err(format!("{}: {line:?} is no digest and a name", path.display()));
        };
        let back = "what was released never changes: git log names the commit that did it; put the file back";
        match files::text(&root.join(name)) {
            Err(_) => all.push(format!("{name} is gone; {back}")),
            Ok(text) if files::digest(&text) != digest => {
                all.push(format!("{name} is not what was released; {back}"))
            }
            Ok(_) => {}
        }
    }
    Ok(all)
}
