//! Whether one schema reads what another wrote, in a time bounded by the number of pairs of their types.
//!
//! Each pair (a type of the reader, a type of the writer) is looked at once. A pair fails by itself (other kinds, names,
//! a field without a default that was never written), or because those it rests on do: all of them for a record, one of
//! them for a union of the reader. Every pair is taken for good until it is shown to fail, so recursive types are as
//! compatible as the rest of them. Walking from branch to branch instead takes two to the power of their depth.

use std::collections::{HashMap, HashSet};

use super::graph::{Field, Graph, Id, Node, Shape};

/// Steps that one request may take, for all versions it is compared with: about a second.
const MAX_STEPS: usize = 20_000_000;
/// Pairs that one comparison may hold.
const MAX_PAIRS: usize = 250_000;
/// What a pair costs more than a glance.
const PAIR_STEPS: usize = 16;
/// Problems that are told; further ones say nothing new.
const MAX_PROBLEMS: usize = 50;
/// Characters of a problem, whose names may be megabytes.
const MAX_PROBLEM_LENGTH: usize = 1000;
/// Types on the way to a problem. Deeper ones are not followed; the way itself would be hard to read.
const MAX_WAY: usize = 100;

/// What is left of the steps of a request.
#[derive(Clone, Copy, Debug)]
pub struct Steps(usize);

impl Default for Steps {
    fn default() -> Self {
        Self(MAX_STEPS)
    }
}

impl Steps {
    fn take(&mut self, steps: usize) -> Result<(), TooComplex> {
        self.0 = self.0.checked_sub(steps).ok_or(TooComplex)?;
        Ok(())
    }
}

/// A comparison takes more steps than a request may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "comparing it with the versions before takes more than {MAX_STEPS} steps or {MAX_PAIRS} pairs of types; split its \
     unions, or set the compatibility level NONE for the subject"
)]
pub struct TooComplex;

/// Why data written with `writer` cannot always be read with `reader`; empty if they can.
pub(super) fn problems(reader: &Graph, writer: &Graph, steps: &mut Steps) -> Result<Vec<String>, TooComplex> {
    let mut pairs = Pairs { reader, writer, known: HashMap::new(), all: Vec::new() };
    let root = pairs.pair(reader.root(), writer.root(), steps)?;
    let mut next = 0;
    while next < pairs.all.len() {
        pairs.look(next, steps)?;
        next += 1;
    }
    pairs.spread(steps)?;
    let mut told = Told { pairs: &pairs, seen: HashSet::new(), problems: Vec::new() };
    if pairs.all[root].failed {
        told.tell(root, "", 0);
    }
    Ok(told.problems)
}

/// A type of the reader and one of the writer.
struct Pair {
    reader: Id,
    writer: Id,
    /// The pairs it rests on.
    parts: Vec<usize>,
    /// Whether one good part is enough.
    any: bool,
    failed: bool,
    /// The pairs that rest on it.
    above: Vec<usize>,
}

struct Pairs<'a> {
    reader: &'a Graph,
    writer: &'a Graph,
    known: HashMap<(Id, Id), usize>,
    all: Vec<Pair>,
}

impl<'a> Pairs<'a> {
    fn pair(&mut self, reader: Id, writer: Id, steps: &mut Steps) -> Result<usize, TooComplex> {
        steps.take(PAIR_STEPS)?;
        let next = self.all.len();
        let at = *self.known.entry((reader, writer)).or_insert(next);
        if at == next {
            if next == MAX_PAIRS {
                return Err(TooComplex);
            }
            let (parts, above) = (Vec::new(), Vec::new());
            self.all.push(Pair { reader, writer, parts, any: false, failed: false, above });
        }
        Ok(at)
    }

    fn types(&self, at: usize) -> (&'a Node, &'a Node) {
        (self.reader.node(self.all[at].reader), self.writer.node(self.all[at].writer))
    }

    /// Finds what a pair rests on, and whether it fails by itself.
    fn look(&mut self, at: usize, steps: &mut Steps) -> Result<(), TooComplex> {
        let (reads, writes) = self.types(at);
        let (reader, writer) = (self.all[at].reader, self.all[at].writer);
        let mut parts = Vec::new();
        let mut failed = false;
        let mut any = false;
        match (&reads.shape, &writes.shape) {
            // Whatever the writer's union holds must be readable; of the reader's, one branch is enough.
            (_, Shape::Union(branches)) => {
                for branch in &branches.all {
                    parts.push(self.pair(reader, *branch, steps)?);
                }
            }
            (Shape::Union(branches), _) => {
                any = true;
                for branch in branches.named_like(writes) {
                    steps.take(1 + self.reader.node(branch).aliases.len())?;
                    if may_read(self.reader.node(branch), writes) {
                        parts.push(self.pair(branch, writer, steps)?);
                    }
                }
                failed = parts.is_empty();
            }
            _ if !may_read(reads, writes) => failed = true,
            (Shape::Record(fields), Shape::Record(_)) => {
                for field in &fields.all {
                    steps.take(1 + field.aliases.len())?;
                    match written(field, writes) {
                        Some(other) => parts.push(self.pair(field.kind, other.kind, steps)?),
                        None => failed |= field.default.is_none(),
                    }
                }
            }
            (Shape::Enum { symbols, .. }, Shape::Enum { symbols: others, .. }) => {
                steps.take(symbols.len() + others.len())?;
                failed = !unknown_symbols(reads, writes).is_empty();
            }
            (Shape::Fixed { size }, Shape::Fixed { size: other }) => failed = size != other,
            (Shape::Array(inner), Shape::Array(other)) | (Shape::Map(inner), Shape::Map(other)) => {
                parts.push(self.pair(*inner, *other, steps)?);
            }
            _ => {}
        }
        for part in &parts {
            self.all[*part].above.push(at);
        }
        let pair = &mut self.all[at];
        (pair.parts, pair.any, pair.failed) = (parts, any, failed);
        Ok(())
    }

    /// Has pairs fail that rest on failed ones.
    fn spread(&mut self, steps: &mut Steps) -> Result<(), TooComplex> {
        let mut left: Vec<usize> = self.all.iter().map(|pair| pair.parts.len()).collect();
        let mut failed: Vec<usize> = (0..self.all.len()).filter(|at| self.all[*at].failed).collect();
        while let Some(at) = failed.pop() {
            for above in std::mem::take(&mut self.all[at].above) {
                steps.take(1)?;
                left[above] -= 1;
                let pair = &mut self.all[above];
                if !pair.failed && (!pair.any || left[above] == 0) {
                    pair.failed = true;
                    failed.push(above);
                }
            }
        }
        Ok(())
    }
}

/// Tells why pairs fail, each of them once.
struct Told<'a> {
    pairs: &'a Pairs<'a>,
    seen: HashSet<usize>,
    problems: Vec<String>,
}

impl Told<'_> {
    fn tell(&mut self, at: usize, path: &str, way: usize) {
        if self.problems.len() >= MAX_PROBLEMS || !self.seen.insert(at) {
            return;
        }
        let (reads, writes) = self.pairs.types(at);
        if way >= MAX_WAY {
            let problem =
                format!("{}: a reader of {} cannot read {}", here(path), shown(reads), shown(writes));
            return self.say(problem);
        }
        let failed = |part: &&usize| self.pairs.all[**part].failed;
        let parts: Vec<usize> = self.pairs.all[at].parts.iter().filter(failed).copied().collect();
        match (&reads.shape, &writes.shape) {
            (_, Shape::Union(_)) => parts.into_iter().for_each(|part| self.tell(part, path, way + 1)),
            (Shape::Union(_), _) => {
                // A branch of the same name was meant; its own problems say more than its absence.
                let before = self.problems.len();
                let named = |part: &usize| same_name(self.pairs.types(*part).0, writes);
                if let Some(nearest) = parts.into_iter().rfind(named) {
                    self.tell(nearest, path, way + 1);
                }
                if self.problems.len() == before {
                    self.say(format!(
                        "{}: the reader's union lacks the branch {}",
                        here(path),
                        shown(writes)
                    ));
                }
            }
            (Shape::Array(_), Shape::Array(_)) => {
                parts.into_iter().for_each(|part| self.tell(part, &below(path, "items"), way + 1));
            }
            (Shape::Map(_), Shape::Map(_)) => {
                parts.into_iter().for_each(|part| self.tell(part, &below(path, "values"), way + 1));
            }
            (Shape::Primitive, _) | (_, Shape::Primitive) => self.other_kind(path, reads, writes),
            _ if reads.kind != writes.kind => self.other_kind(path, reads, writes),
            _ if !same_name(reads, writes) => {
                self.say(format!("{}: the reader's {} is not {}", here(path), reads.name, writes.name));
            }
            (Shape::Record(fields), Shape::Record(_)) => {
                for field in &fields.all {
                    if self.problems.len() >= MAX_PROBLEMS {
                        return;
                    }
                    let part =
                        written(field, writes).map(|other| self.pairs.known[&(field.kind, other.kind)]);
                    match part {
                        Some(part) if self.pairs.all[part].failed => {
                            self.tell(part, &below(path, &field.name), way + 1);
                        }
                        None if field.default.is_none() => self.say(format!(
                            "{}: the reader's field has no default and the writer lacks it",
                            below(path, &field.name)
                        )),
                        _ => {}
                    }
                }
            }
            (Shape::Enum { .. }, Shape::Enum { .. }) => {
                let unknown = unknown_symbols(reads, writes);
                self.say(format!("{}: the reader lacks the symbols {unknown:?}", here(path)));
            }
            _ => self.say(format!("{}: the fixed sizes differ", here(path))),
        }
    }

    fn other_kind(&mut self, path: &str, reads: &Node, writes: &Node) {
        self.say(format!("{}: a reader of {} cannot read {}", here(path), shown(reads), shown(writes)));
    }

    fn say(&mut self, problem: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem.chars().take(MAX_PROBLEM_LENGTH).collect());
        }
    }
}

/// Whether a type can be read as another one as far as kind and name tell.
fn may_read(reads: &Node, writes: &Node) -> bool {
    match (&reads.shape, &writes.shape) {
        (Shape::Primitive, Shape::Primitive) => promotes(writes.kind, reads.kind),
        (Shape::Array(_) | Shape::Map(_), _) => reads.kind == writes.kind,
        (Shape::Union(_), _) => true,
        _ => same_name(reads, writes),
    }
}

/// The writer's field for one of the reader, by its name or else by its aliases.
fn written<'n>(field: &Field, writes: &'n Node) -> Option<&'n Field> {
    let Shape::Record(fields) = &writes.shape else { return None };
    let names = std::iter::once(&field.name).chain(&field.aliases);
    names.filter_map(|name| fields.by_name.get(name)).map(|at| &fields.all[*at]).next()
}

fn unknown_symbols<'n>(reads: &Node, writes: &'n Node) -> Vec<&'n str> {
    let (Shape::Enum { symbols, has_default }, Shape::Enum { symbols: written, .. }) =
        (&reads.shape, &writes.shape)
    else {
        return Vec::new();
    };
    let known: HashSet<&str> = symbols.iter().map(String::as_str).collect();
    let unknown = written.iter().map(String::as_str).filter(|symbol| !known.contains(symbol));
    if *has_default { Vec::new() } else { unknown.collect() }
}

/// Avro compares names without namespace; a reader's alias is compared whole.
fn same_name(reads: &Node, writes: &Node) -> bool {
    reads.kind == writes.kind
        && !reads.name.is_empty()
        && (reads.short_name() == writes.short_name() || reads.aliases.contains(&writes.name))
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

fn shown(node: &Node) -> String {
    match (node.kind, node.name.as_str()) {
        (kind, "") => kind.to_owned(),
        (kind, name) => format!("{kind} {name}"),
    }
}

/// A path with one name more, no longer than a problem may be.
fn below(path: &str, name: &str) -> String {
    path.chars().chain("/".chars()).chain(name.chars()).take(MAX_PROBLEM_LENGTH).collect()
}

fn here(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}
