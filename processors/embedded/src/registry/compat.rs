//! Which schemas may follow which: Avro's rules of resolution, and the levels built on them.
//!
//! `apache-avro` has such a check, but it takes a type that is defined in one schema and named in the other for a
//! mismatch, does not look behind names at all, and ignores the aliases of types; a registry that refuses or admits
//! by it would differ from every other one.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema::AvroSchema;

/// What a new version of a subject must be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// Anything goes.
    None,
    /// Read what the latest version wrote.
    Backward,
    /// Read what every version wrote.
    BackwardTransitive,
    /// Write what the latest version reads.
    Forward,
    /// Write what every version reads.
    ForwardTransitive,
    /// Both, for the latest version.
    Full,
    /// Both, for every version.
    FullTransitive,
}

impl Level {
    const NAMES: [(Level, &'static str); 7] = [
        (Level::None, "NONE"),
        (Level::Backward, "BACKWARD"),
        (Level::BackwardTransitive, "BACKWARD_TRANSITIVE"),
        (Level::Forward, "FORWARD"),
        (Level::ForwardTransitive, "FORWARD_TRANSITIVE"),
        (Level::Full, "FULL"),
        (Level::FullTransitive, "FULL_TRANSITIVE"),
    ];

    /// Whether all earlier versions count, or the latest only.
    pub fn is_transitive(self) -> bool {
        matches!(self, Level::BackwardTransitive | Level::ForwardTransitive | Level::FullTransitive)
    }

    /// What keeps `new` from following `old`; nothing, if it may.
    pub fn problems(self, new: &AvroSchema, old: &AvroSchema) -> Vec<String> {
        let backward = || label("BACKWARD", unreadable(new, old));
        let forward = || label("FORWARD", unreadable(old, new));
        match self {
            Level::None => Vec::new(),
            Level::Backward | Level::BackwardTransitive => backward(),
            Level::Forward | Level::ForwardTransitive => forward(),
            Level::Full | Level::FullTransitive => [backward(), forward()].concat(),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(level, _)| level == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Level {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.to_ascii_uppercase();
        Self::NAMES.iter().find(|(_, name)| *name == text).map(|(level, _)| *level).ok_or(())
    }
}

fn label(direction: &str, problems: Vec<String>) -> Vec<String> {
    problems.into_iter().map(|problem| format!("{direction}: {problem}")).collect()
}

/// Why data written with `writer` cannot always be read with `reader`; empty if they can.
pub fn unreadable(reader: &AvroSchema, writer: &AvroSchema) -> Vec<String> {
    let mut check = Check { reader, writer, seen: HashSet::new() };
    check.node(reader.tree(), writer.tree(), "")
}

struct Check<'a> {
    reader: &'a AvroSchema,
    writer: &'a AvroSchema,
    /// Pairs of records being compared: a recursive type is as compatible as the rest of it.
    seen: HashSet<(String, String)>,
}

impl<'a> Check<'a> {
    fn node(&mut self, reader: &'a Value, writer: &'a Value, path: &str) -> Vec<String> {
        let reader = self.reader.resolve(reader);
        let writer = self.writer.resolve(writer);
        // Whatever the writer's union holds must be readable; of the reader's, one branch is enough.
        if let Value::Array(branches) = writer {
            return branches.iter().flat_map(|branch| self.node(reader, branch, path)).collect();
        }
        if let Value::Array(branches) = reader {
            return self.branch(branches, writer, path);
        }
        let (reads, writes) = (kind(reader), kind(writer));
        match (reads, writes) {
            ("record", "record") => self.record(reader, writer, path),
            ("enum", "enum") => named(reader, writer, path, |problems| {
                let symbols = strings(reader, "symbols");
                let unknown: Vec<&str> = strings(writer, "symbols")
                    .into_iter()
                    .filter(|symbol| !symbols.contains(symbol))
                    .collect();
                if !unknown.is_empty() && reader.get("default").is_none() {
                    problems.push(format!("{}: the reader lacks the symbols {unknown:?}", at(path)));
                }
            }),
            ("fixed", "fixed") => named(reader, writer, path, |problems| {
                let (reads, writes) = (reader.get("size"), writer.get("size"));
                if reads != writes {
                    problems.push(format!("{}: the fixed sizes differ", at(path)));
                }
            }),
            ("array", "array") => self.node(&reader["items"], &writer["items"], &format!("{path}/items")),
            ("map", "map") => self.node(&reader["values"], &writer["values"], &format!("{path}/values")),
            _ if promotes(writes, reads) => Vec::new(),
            _ => vec![format!("{}: a reader of {} cannot read {}", at(path), shown(reader), shown(writer))],
        }
    }

    fn branch(&mut self, branches: &'a [Value], writer: &'a Value, path: &str) -> Vec<String> {
        let mut nearest = None;
        for branch in branches {
            let seen = self.seen.clone();
            let problems = self.node(branch, writer, path);
            if problems.is_empty() {
                return problems;
            }
            // What was assumed on the way to a mismatch must not vouch for anything.
            self.seen = seen;
            if same_name(self.reader.resolve(branch), writer) {
                nearest = Some(problems);
            }
        }
        // A branch of the same name was meant; its own problems say more than its absence.
        nearest.unwrap_or_else(|| {
            vec![format!("{}: the reader's union lacks the branch {}", at(path), shown(writer))]
        })
    }

    fn record(&mut self, reader: &'a Value, writer: &'a Value, path: &str) -> Vec<String> {
        if !self.seen.insert((name(reader).to_owned(), name(writer).to_owned())) {
            return Vec::new();
        }
        let fields = |schema: &'a Value| schema["fields"].as_array().map_or(&[][..], Vec::as_slice);
        let written = fields(writer);
        named(reader, writer, path, |problems| {
            for field in fields(reader) {
                let mut names = vec![name(field)];
                names.extend(strings(field, "aliases"));
                let path = format!("{path}/{}", name(field));
                let found = names.iter().find_map(|own| written.iter().find(|field| name(field) == *own));
                match found {
                    Some(other) => problems.extend(self.node(&field["type"], &other["type"], &path)),
                    None if field.get("default").is_none() => problems.push(format!(
                        "{}: the reader's field has no default and the writer lacks it",
                        at(&path)
                    )),
                    None => {}
                }
            }
        })
    }
}

/// Problems of two named types: of their names alone, if those differ, else what `inside` finds.
fn named(reader: &Value, writer: &Value, path: &str, inside: impl FnOnce(&mut Vec<String>)) -> Vec<String> {
    let mut problems = Vec::new();
    if same_name(reader, writer) {
        inside(&mut problems);
    } else {
        problems.push(format!("{}: the reader's {} is not {}", at(path), name(reader), name(writer)));
    }
    problems
}

/// Avro compares names without namespace; a reader's alias is compared whole.
fn same_name(reader: &Value, writer: &Value) -> bool {
    fn last(name: &str) -> &str {
        name.rsplit('.').next().unwrap_or(name)
    }
    let (reads, writes) = (name(reader), name(writer));
    kind(reader) == kind(writer)
        && !reads.is_empty()
        && (last(reads) == last(writes) || strings(reader, "aliases").contains(&writes))
}

/// Whether a primitive type can be read as another.
fn promotes(from: &str, to: &str) -> bool {
    from == to
        || matches!(
            (from, to),
            ("int", "long" | "float" | "double") | ("long", "float" | "double") | ("float", "double")
        )
        || matches!((from, to), ("string", "bytes") | ("bytes", "string"))
}

/// The type of a node: of an object its `type`, else the name it is. Logical types are their physical ones.
fn kind(node: &Value) -> &str {
    let kind = node.as_str().or_else(|| node["type"].as_str()).unwrap_or("union");
    if kind == "error" { "record" } else { kind }
}

fn name(node: &Value) -> &str {
    node["name"].as_str().unwrap_or("")
}

fn strings<'a>(node: &'a Value, member: &str) -> Vec<&'a str> {
    node[member].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn shown(node: &Value) -> String {
    match (kind(node), name(node)) {
        (kind, "") => kind.to_owned(),
        (kind, name) => format!("{kind} {name}"),
    }
}

fn at(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}
