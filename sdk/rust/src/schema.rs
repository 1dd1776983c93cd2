//! Schemas of somebody else.

use std::collections::HashMap;

use serde_json::Value;

/// A place among the nodes of a schema.
pub(crate) type At = usize;

/// A type.
pub(crate) enum Node {
    Primitive(&'static str),
    Array(At),
    Map(At),
    Union(Vec<At>),
    Fixed { name: String, size: usize },
    Enum { name: String, symbols: Vec<String>, default: Option<String> },
    Record { name: String, fields: Vec<Field> },
}

/// A field of a record.
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) of: At,
    pub(crate) default: Option<Value>,
}

impl Node {
    /// What kind of type it is, in Avro's words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Primitive(name) => name,
            Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Union(_) => "union",
            Self::Fixed { .. } => "fixed",
            Self::Enum { .. } => "enum",
            Self::Record { .. } => "record",
        }
    }

    /// The name without the namespace; empty where it has none.
    pub(crate) fn bare(&self) -> &str {
        match self {
            Self::Fixed { name, .. } | Self::Enum { name, .. } | Self::Record { name, .. } => {
                name.rsplit('.').next().unwrap_or_default()
            }
            _ => "",
        }
    }
}

/// A schema, whose names are resolved.
pub(crate) struct Schema {
    pub(crate) nodes: Vec<Node>,
    pub(crate) root: At,
}

/// Schemas and values are nested no deeper.
pub(crate) const DEEPEST: usize = 64;
const PRIMITIVES: [&str; 8] = ["null", "boolean", "int", "long", "float", "double", "string", "bytes"];

impl Schema {
    /// Reads a schema, or says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let json: Value =
            serde_json::from_str(text).map_err(|error| format!("the schema is not JSON: {error}"))?;
        let mut parser = Parser { nodes: Vec::new(), named: HashMap::new() };
        let root = parser.read(&json, "", 0)?;
        Ok(Self { nodes: parser.nodes, root })
    }
}

struct Parser {
    nodes: Vec<Node>,
    named: HashMap<String, At>,
}

impl Parser {
    fn push(&mut self, node: Node) -> At {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn read(&mut self, json: &Value, namespace: &str, depth: usize) -> Result<At, String> {
        if depth > DEEPEST {
            return Err(format!("the schema is nested deeper than {DEEPEST} levels"));
        }
        match json {
            Value::String(name) => self.by_name(name, namespace),
            Value::Array(branches) => {
                let read = branches.iter().map(|branch| self.read(branch, namespace, depth + 1));
                let read = read.collect::<Result<_, _>>()?;
                Ok(self.push(Node::Union(read)))
            }
            Value::Object(_) => match json["type"].as_str() {
                Some("array") => {
                    let of = self.read(&json["items"], namespace, depth + 1)?;
                    Ok(self.push(Node::Array(of)))
                }
                Some("map") => {
                    let of = self.read(&json["values"], namespace, depth + 1)?;
                    Ok(self.push(Node::Map(of)))
                }
                Some("record" | "error" | "enum" | "fixed") => self.define(json, namespace, depth),
                _ => self.read(&json["type"], namespace, depth + 1),
            },
            _ => Err(format!("{json} is no schema")),
        }
    }

    fn by_name(&mut self, name: &str, namespace: &str) -> Result<At, String> {
        if let Some(primitive) = PRIMITIVES.into_iter().find(|it| *it == name) {
            return Ok(self.push(Node::Primitive(primitive)));
        }
        let full = format!("{namespace}.{name}");
        let found = self.named.get(&full).or_else(|| self.named.get(name));
        found.copied().ok_or_else(|| format!("the schema does not define {name}"))
    }

    fn define(&mut self, json: &Value, namespace: &str, depth: usize) -> Result<At, String> {
        let own = json["name"].as_str().ok_or("a name is missing")?;
        let space = match own.rsplit_once('.') {
            Some((space, _)) => space.to_owned(),
            None => json["namespace"].as_str().unwrap_or(namespace).to_owned(),
        };
        let name =
            if own.contains('.') || space.is_empty() { own.to_owned() } else { format!("{space}.{own}") };
        let texts = |value: &Value| {
            let all = value.as_array().into_iter().flatten();
            all.map(|it| it.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        };
        let node = match json["type"].as_str() {
            Some("fixed") => {
                let size = json["size"].as_u64().and_then(|size| usize::try_from(size).ok());
                Node::Fixed { name: name.clone(), size: size.ok_or_else(|| format!("{name} has no size"))? }
            }
            Some("enum") => {
                let symbols =
                    texts(&json["symbols"]).ok_or_else(|| format!("{name} has symbols that are none"))?;
                let default = json["default"].as_str().map(str::to_owned);
                Node::Enum { name: name.clone(), symbols, default }
            }
            _ => Node::Record { name: name.clone(), fields: Vec::new() },
        };
        let at = self.push(node);
        // before its fields, which may hold it
        self.named.insert(name, at);
        let mut read = Vec::new();
        for field in json["fields"].as_array().into_iter().flatten() {
            let of = self.read(&field["type"], &space, depth + 1)?;
            let name = field["name"].as_str().ok_or("the name of a field is missing")?.to_owned();
            read.push(Field { name, of, default: field.get("default").cloned() });
        }
        if let Node::Record { fields, .. } = &mut self.nodes[at] {
            *fields = read;
        }
        Ok(at)
    }
}
