//! The types of a schema and how they hang together: what a name stands for is found once, so that walks over it meet
//! each type once, however many ways lead to it.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::schema::PRIMITIVES;

/// The place of a type in its graph.
pub(super) type Id = usize;

/// A type.
#[derive(Debug)]
pub(super) struct Node {
    /// What it is called in a schema: `record`, `union`, `long`; logical types are their physical ones.
    pub kind: &'static str,
    /// The full name of a type that has one.
    pub name: String,
    /// Its aliases, full names as well.
    pub aliases: Vec<String>,
    /// What it consists of.
    pub shape: Shape,
}

impl Node {
    /// Its name without namespace.
    pub fn short_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or_default()
    }
}

/// What a type consists of.
#[derive(Debug)]
pub(super) enum Shape {
    Primitive,
    Union(Branches),
    Record(Fields),
    Enum { symbols: Vec<String>, has_default: bool },
    Fixed { size: Option<u64> },
    Array(Id),
    Map(Id),
}

/// The branches of a union.
#[derive(Debug, Default)]
pub(super) struct Branches {
    pub all: Vec<Id>,
    /// Those with a name, by its last part, and by their aliases, which are compared whole.
    by_name: HashMap<String, Vec<Id>>,
    /// Those without; a union has no two of a kind.
    unnamed: Vec<Id>,
}

impl Branches {
    /// The branches that may be another schema's type, as far as its name tells; few, however many there are.
    pub fn named_like(&self, other: &Node) -> impl Iterator<Item = Id> {
        let by = |name: &str| self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        let (short, whole) = (other.short_name(), other.name.as_str());
        let aliased = if short == whole { &[][..] } else { by(whole) };
        let unnamed = if other.name.is_empty() { &self.unnamed[..] } else { &[] };
        by(short).iter().chain(aliased).chain(unnamed).copied()
    }
}

/// The fields of a record.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub all: Vec<Field>,
    pub by_name: HashMap<String, usize>,
}

/// A field of a record.
#[derive(Debug)]
pub(super) struct Field {
    pub name: String,
    pub aliases: Vec<String>,
    pub default: Option<Value>,
    pub kind: Id,
}

/// All types of a schema.
#[derive(Debug)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    root: Id,
}

impl Graph {
    /// The graph of a normalised schema behind those it refers to; the error names a type that is defined twice or nowhere.
    pub fn of(before: &[Value], tree: &Value) -> Result<Self, String> {
        let mut builder = Builder { nodes: Vec::new(), known: HashMap::new() };
        for tree in before {
            builder.add(tree)?;
        }
        let root = builder.add(tree)?;
        Ok(Self { nodes: builder.nodes, root })
    }

    pub fn root(&self) -> Id {
        self.root
    }

    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }
}

struct Builder {
    nodes: Vec<Node>,
    known: HashMap<String, Id>,
}

impl Builder {
    fn add(&mut self, value: &Value) -> Result<Id, String> {
        match value {
            Value::String(name) => match (self.known.get(name), primitive(name)) {
                (Some(id), _) => Ok(*id),
                (None, Some(kind)) => {
                    let id = self.push(kind, String::new(), Vec::new());
                    self.known.insert(name.clone(), id);
                    Ok(id)
                }
                (None, None) => Err(format!("the type {name} is not defined before it is used")),
            },
            Value::Array(branches) => {
                let id = self.push("union", String::new(), Vec::new());
                let all = branches.iter().map(|branch| self.add(branch)).collect::<Result<_, _>>()?;
                self.nodes[id].shape = Shape::Union(self.branches(all));
                Ok(id)
            }
            Value::Object(members) => self.object(members),
            other => Err(format!("{other} is no schema")),
        }
    }

    fn branches(&self, all: Vec<Id>) -> Branches {
        let mut branches = Branches { all, ..Branches::default() };
        for id in &branches.all {
            let node = &self.nodes[*id];
            if node.name.is_empty() {
                branches.unnamed.push(*id);
                continue;
            }
            let mut names: Vec<&str> = node.aliases.iter().map(String::as_str).collect();
            names.push(node.short_name());
            names.sort_unstable();
            names.dedup();
            for name in names {
                branches.by_name.entry(name.to_owned()).or_default().push(*id);
            }
        }
        branches
    }

    fn push(&mut self, kind: &'static str, name: String, aliases: Vec<String>) -> Id {
        self.nodes.push(Node { kind, name, aliases, shape: Shape::Primitive });
        self.nodes.len() - 1
    }

    fn object(&mut self, members: &Map<String, Value>) -> Result<Id, String> {
        let kind = members.get("type").and_then(Value::as_str).unwrap_or_default();
        if let Some(kind) = primitive(kind) {
            return Ok(self.push(kind, String::new(), Vec::new()));
        }
        if let ("array", Some(inner)) | ("map", Some(inner)) =
            (kind, members.get(if kind == "array" { "items" } else { "values" }))
        {
            let id = self.push(if kind == "array" { "array" } else { "map" }, String::new(), Vec::new());
            let inner = self.add(inner)?;
            self.nodes[id].shape = if kind == "array" { Shape::Array(inner) } else { Shape::Map(inner) };
            return Ok(id);
        }
        let kind = match kind {
            "record" | "error" => "record",
            "enum" => "enum",
            "fixed" => "fixed",
            other => return Err(format!("{other} is no type")),
        };
        let name = members.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        // Noted first: what it consists of may refer to it.
        let id = self.push(kind, name.clone(), texts(members, "aliases"));
        if self.known.insert(name.clone(), id).is_some() {
            return Err(format!("the type {name} is defined twice"));
        }
        let shape = match kind {
            "record" => Shape::Record(self.fields(members)?),
            "enum" => Shape::Enum {
                symbols: texts(members, "symbols"),
                has_default: members.contains_key("default"),
            },
            _ => Shape::Fixed { size: members.get("size").and_then(Value::as_u64) },
        };
        self.nodes[id].shape = shape;
        Ok(id)
    }

    fn fields(&mut self, members: &Map<String, Value>) -> Result<Fields, String> {
        let mut fields = Fields::default();
        for field in members.get("fields").and_then(Value::as_array).into_iter().flatten() {
            let Value::Object(members) = field else { return Err(format!("{field} is no field")) };
            let name = members.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let kind =
                members.get("type").map_or_else(|| Err(format!("{name} lacks a type")), |t| self.add(t))?;
            fields.by_name.entry(name.clone()).or_insert(fields.all.len());
            let (aliases, default) = (texts(members, "aliases"), members.get("default").cloned());
            fields.all.push(Field { name, aliases, default, kind });
        }
        Ok(fields)
    }
}

fn primitive(name: &str) -> Option<&'static str> {
    PRIMITIVES.into_iter().find(|known| *known == name)
}

fn texts(members: &Map<String, Value>, member: &str) -> Vec<String> {
    let list = members.get(member).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}
