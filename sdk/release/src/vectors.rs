//! The vectors of released versions stay as they were; there may be more of them.
//!
//! A vector is a value, its bytes by today's schema, its key and its partition. Where a message has got a field, its bytes are
//! others, and `evolution.json` has what the released version wrote of it, which never changes. Everywhere else a vector that
//! differs is a codec, a key or a partition that differs.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use crate::files::{self, RELEASED};
use crate::version::Version;
use crate::{messages, versions};

const FOLDER: &str = "sdk/vectors";
/// What stands for the schema where a vector depends on none.
const ANY: &str = "-";

/// A vector as it is kept: what it is called, by which schema it is written, what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    /// The file and its name there.
    pub name: String,
    /// The print of the schema that decides its bytes.
    pub schema: String,
    /// The digest of all that must stay.
    pub digest: String,
}

impl Vector {
    fn line(&self) -> String {
        format!("{} {} {}", self.digest, self.schema, Value::from(self.name.as_str()))
    }

    fn of_line(line: &str) -> Result<Self, String> {
        let mut parts = line.splitn(3, ' ');
        let (digest, schema, name) = (parts.next(), parts.next(), parts.next());
        let name = name.and_then(|name| serde_json::from_str(name).ok());
        match (digest, schema, name) {
            (Some(digest), Some(schema), Some(name)) => {
                Ok(Self { name, schema: schema.to_owned(), digest: digest.to_owned() })
            }
            _ => Err(format!("{RELEASED}/vectors.txt: {line:?} is no digest, print and name")),
        }
    }
}

/// The lines that are kept of a release.
///
/// # Errors
/// A file cannot be read.
pub fn lines(root: &Path) -> Result<String, String> {
    Ok(read(root)?.iter().map(|vector| vector.line() + "\n").collect())
}

/// Every vector of today.
///
/// # Errors
/// A file cannot be read.
pub fn read(root: &Path) -> Result<Vec<Vector>, String> {
    let mut all = Vec::new();
    let mut prints: HashMap<(String, Option<String>), String> = HashMap::new();
    let mut print = |topic: &str, message: Option<&str>| -> Result<String, String> {
        let key = (topic.to_owned(), message.map(str::to_owned));
        if let Some(known) = prints.get(&key) {
            return Ok(known.clone());
        }
        let (domain, of) = topic.split_once('.').ok_or_else(|| format!("{topic} is no topic"))?;
        let schema =
            files::json(&root.join("schemas").join(domain).join("registered").join(format!("{of}.avsc")))?;
        let print = messages::print_of(&schema, message);
        prints.insert(key, print.clone());
        Ok(print)
    };
    for file in files::names(&root.join(FOLDER))?.into_iter().filter(|name| name.ends_with(".json")) {
        let json = files::json(&root.join(FOLDER).join(&file))?;
        for vector in json["vectors"].as_array().into_iter().flatten() {
            let topic = vector["topic"].as_str().unwrap_or_default();
            let name = vector["name"].as_str().unwrap_or_default();
            let (schema, kept) = match file.as_str() {
                "ids.json" | "keys.json" => (ANY.to_owned(), vector.clone()),
                "invalid.json" => (print(topic, None)?, vector.clone()),
                // what a released version has written never changes, whatever today's reader makes of it
                "evolution.json" if !is_made_up(name) => (ANY.to_owned(), vector["framed"].clone()),
                "evolution.json" => (print(topic, None)?, vector.clone()),
                _ => (print(topic, vector["value"]["type"].as_str())?, vector.clone()),
            };
            let name = if name.is_empty() { inputs(vector) } else { name.to_owned() };
            all.push(Vector {
                name: format!("{file} {name}"),
                schema,
                digest: files::digest(&kept.to_string()),
            });
        }
    }
    Ok(all)
}

/// Whether a vector of evolution is by a schema that was made of today's, not by a released one.
fn is_made_up(name: &str) -> bool {
    matches!(name.split('/').nth(1), Some("older" | "newer"))
}

/// What a vector without a name is of.
fn inputs(vector: &Value) -> String {
    let results = ["id", "murmur2", "partition"];
    let members =
        vector.as_object().into_iter().flatten().filter(|(key, _)| !results.contains(&key.as_str()));
    members.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

/// The vectors of the last release that are not there any more, or differ.
///
/// # Errors
/// A file cannot be read.
pub fn refusals(root: &Path, next: Version) -> Result<Vec<String>, String> {
    let path = root.join(RELEASED).join("vectors.txt");
    let Some(last) = versions::last(root)?.filter(|_| path.is_file()) else { return Ok(Vec::new()) };
    if versions::is_begun(root, next)? {
        return Ok(Vec::new());
    }
    let today: HashMap<String, Vector> = read(root)?.into_iter().map(|it| (it.name.clone(), it)).collect();
    let mut all = Vec::new();
    for line in files::text(&path)?.lines() {
        let released = Vector::of_line(line)?;
        let name = &released.name;
        match today.get(name) {
            None if is_of_a_cut(name) => {}
            None => all.push(format!(
                "{FOLDER}/{name}: the vector of {last} is gone, and packages of other languages are held to it. Vectors are only \
                 added: put it back (make schemas makes them from the name and the seed)"
            )),
            Some(now) if now.digest == released.digest || (now.schema != released.schema && released.schema != ANY) => {}
            Some(_) => all.push(format!(
                "{FOLDER}/{name}: it differs from the vector of {last}, and its schema does not: bytes, JSON, key or partition are \
                 others than those that programs of {last} have. Undo what changed them, in the codec or in what makes the vectors"
            )),
        }
    }
    Ok(all)
}

/// What fails because it was cut at some byte is as long as the message, which may have become shorter or longer.
fn is_of_a_cut(name: &str) -> bool {
    name.starts_with("invalid.json ") && name.contains(": cut at byte ")
}
