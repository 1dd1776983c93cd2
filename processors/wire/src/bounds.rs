//! What a foreign schema may ask of this machine: bytes are walked by it before anything is made of them.
//!
//! Whoever may register a schema says with it how bytes are read: a record that holds itself nests as deep as its
//! values do, and an array of nothing has as many items as it says in ten bytes. `apache-avro` takes memory and stack
//! for all of that. The walk takes neither, and refuses what goes beyond [`MOST_DEPTH`] and [`MOST_VALUES`].

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{InnerDecimalSchema, UuidSchema};

/// How deep values may be nested. This build's own messages come to a dozen levels.
const MOST_DEPTH: usize = 64;

/// How many values one message may hold; each takes some hundred bytes while it is resolved.
const MOST_VALUES: usize = 2_000_000;

/// How many bytes `apache-avro` may make room for at once. What the walk lets pass is smaller; should it read a value in
/// another way than the walk, its own bound of 512 MiB is too large.
pub(crate) const MOST_ROOM: usize = 128 << 20;

/// How many values there may be for each byte, and how many more than that: a value that takes no byte is read as
/// one like any other.
const VALUES_PER_BYTE: usize = 8;
const VALUES_BESIDES: usize = 10_000;

/// A schema as the walk needs it.
pub(crate) struct Shape {
    nodes: Vec<Node>,
    root: usize,
}

/// What is read at one place; others are named by their index.
enum Node {
    /// So many bytes.
    Fixed(usize),
    /// A number of variable length.
    Number,
    /// A length and as many bytes.
    Text,
    /// The same, and the bytes are again a length, as many bytes, and a number.
    Decimal,
    /// Blocks of items.
    Array(usize),
    /// Blocks of keys and values.
    Map(usize),
    /// The index of a branch, and the branch.
    Union(Vec<usize>),
    /// All of these.
    Record(Vec<usize>),
}

impl Shape {
    /// The shape of what is written with `schema`, or what it names and does not define.
    pub(crate) fn of(schema: &Schema) -> Result<Self, String> {
        let mut shaper = Shaper { nodes: Vec::new(), names: HashMap::new() };
        let root = shaper.node(schema, None)?;
        Ok(Self { nodes: shaper.nodes, root })
    }

    /// Whether `body` is one value of this shape, no byte more or less, within the bounds; or why not.
    pub(crate) fn check(&self, body: &[u8]) -> Result<(), String> {
        let most = (VALUES_BESIDES + body.len().saturating_mul(VALUES_PER_BYTE)).min(MOST_VALUES);
        let mut walk = Walk { shape: self, rest: body, left: most, most };
        walk.value(self.root, 0)?;
        match walk.rest.is_empty() {
            true => Ok(()),
            false => Err("bytes are left over behind the message".to_owned()),
        }
    }
}

/// Makes a shape of a schema.
struct Shaper {
    nodes: Vec<Node>,
    names: HashMap<String, usize>,
}

impl Shaper {
    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The node of `schema` where names without a namespace are of `namespace`.
    fn node(&mut self, schema: &Schema, namespace: Option<&str>) -> Result<usize, String> {
        let node = match schema {
            Schema::Null => Node::Fixed(0),
            Schema::Boolean => Node::Fixed(1),
            Schema::Float => Node::Fixed(4),
            Schema::Double => Node::Fixed(8),
            Schema::Int
            | Schema::Long
            | Schema::Date
            | Schema::TimeMillis
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Node::Number,
            Schema::Bytes | Schema::String => Node::Text,
            Schema::BigDecimal => Node::Decimal,
            Schema::Uuid(UuidSchema::String | UuidSchema::Bytes) => Node::Text,
            Schema::Decimal(decimal) => match &decimal.inner {
                InnerDecimalSchema::Bytes => Node::Text,
                InnerDecimalSchema::Fixed(fixed) => return Ok(self.named(schema, namespace, fixed.size)),
            },
            Schema::Uuid(UuidSchema::Fixed(fixed)) | Schema::Fixed(fixed) | Schema::Duration(fixed) => {
                return Ok(self.named(schema, namespace, fixed.size));
            }
            Schema::Enum(symbols) => {
                let name = symbols.name.fullname(namespace);
                let at = self.push(Node::Number);
                self.names.insert(name, at);
                return Ok(at);
            }
            Schema::Array(array) => Node::Array(self.node(&array.items, namespace)?),
            Schema::Map(map) => Node::Map(self.node(&map.types, namespace)?),
            Schema::Union(union) => {
                let branches = union.variants().iter().map(|branch| self.node(branch, namespace));
                Node::Union(branches.collect::<Result<_, _>>()?)
            }
            Schema::Record(record) => {
                let full = record.name.fully_qualified_name(namespace).into_owned();
                let at = self.push(Node::Record(Vec::new()));
                // before its fields, which may hold it
                self.names.insert(full.fullname(None), at);
                let fields = record.fields.iter().map(|field| self.node(&field.schema, full.namespace()));
                self.nodes[at] = Node::Record(fields.collect::<Result<_, _>>()?);
                return Ok(at);
            }
            Schema::Ref { name } => {
                let name = name.fullname(namespace);
                return self.names.get(&name).copied().ok_or_else(|| format!("{name} is not defined in it"));
            }
        };
        Ok(self.push(node))
    }

    fn named(&mut self, schema: &Schema, namespace: Option<&str>, size: usize) -> usize {
        let at = self.push(Node::Fixed(size));
        if let Some(name) = schema.name() {
            self.names.insert(name.fullname(namespace), at);
        }
        at
    }
}

/// A walk through bytes.
struct Walk<'a> {
    shape: &'a Shape,
    rest: &'a [u8],
    /// How many more values there may be.
    left: usize,
    most: usize,
}

impl<'a> Walk<'a> {
    fn value(&mut self, node: usize, depth: usize) -> Result<(), String> {
        if depth > MOST_DEPTH {
            return Err(format!("its values are nested deeper than {MOST_DEPTH} levels"));
        }
        self.count(1)?;
        let shape = self.shape;
        match &shape.nodes[node] {
            Node::Fixed(size) => self.skip(*size).map(drop),
            Node::Number => self.number().map(drop),
            Node::Text => self.text().map(drop),
            Node::Decimal => {
                let (shape, most) = (self.shape, self.most);
                let mut within = Walk { shape, rest: self.text()?, left: 0, most };
                within.text()?;
                within.number().map(drop)
            }
            Node::Array(items) => self.blocks(|walk| walk.value(*items, depth + 1)),
            Node::Map(values) => self.blocks(|walk| {
                walk.text()?;
                walk.value(*values, depth + 1)
            }),
            Node::Union(branches) => {
                let index = self.number()?;
                let branch = usize::try_from(index).ok().and_then(|index| branches.get(index));
                let Some(branch) = branch else {
                    return Err(format!(
                        "a union of {} branches has none with number {index}",
                        branches.len()
                    ));
                };
                self.value(*branch, depth + 1)
            }
            Node::Record(fields) => fields.iter().try_for_each(|field| self.value(*field, depth + 1)),
        }
    }

    fn blocks(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), String>) -> Result<(), String> {
        loop {
            let count = self.number()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                // others may say how many bytes the block takes
                self.number()?;
            }
            let count = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
            if count > self.left {
                return Err(self.too_many());
            }
            for _ in 0..count {
                item(self)?;
            }
        }
    }

    fn count(&mut self, values: usize) -> Result<(), String> {
        self.left = self.left.checked_sub(values).ok_or_else(|| self.too_many())?;
        Ok(())
    }

    fn too_many(&self) -> String {
        format!("it holds more than {} values, the most for its length", self.most)
    }

    fn skip(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (skipped, rest) = self.rest.split_at_checked(count).ok_or("it is cut off")?;
        self.rest = rest;
        Ok(skipped)
    }

    fn text(&mut self) -> Result<&'a [u8], String> {
        let length = self.number()?;
        let length = usize::try_from(length).map_err(|_| "a negative length")?;
        self.skip(length)
    }

    fn number(&mut self) -> Result<i64, String> {
        let mut number = 0_u64;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            number |= u64::from(byte & 0x7f).wrapping_shl(7 * index as u32);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err(if self.rest.len() < 10 { "it is cut off" } else { "a number of more than 64 bits" }.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(schema: &str) -> Shape {
        Shape::of(&Schema::parse_str(schema).unwrap()).unwrap()
    }

    fn refusal(schema: &str, body: &[u8]) -> String {
        shape(schema).check(body).unwrap_err()
    }

    const CHAIN: &str = r#"{"type":"record","name":"Chain","namespace":"a.b","fields":[
        {"name":"next","type":["null","Chain"]}]}"#;

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| [vec![2; depth], vec![0]].concat();
        assert_eq!(shape(CHAIN).check(&nested(20)), Ok(()));
        assert!(refusal(CHAIN, &nested(2_000)).contains("deeper than 64"));
    }

    #[test]
    fn what_takes_no_byte_is_counted() {
        // 2^60 items of nothing, all at once and in blocks
        let all = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0];
        let nothing = r#"{"type":"array","items":"null"}"#;
        assert!(refusal(nothing, &all).contains("more than"));
        let block = [0x80, 0x80, 0x01]; // 8,192
        assert!(refusal(nothing, &block.repeat(1_000)).contains("more than"));
        assert_eq!(shape(nothing).check(&[6, 0]), Ok(()));
        // each level doubles what an empty body holds
        let mut doubling = r#"{"type":"record","name":"R0","fields":[]}"#.to_owned();
        for level in 1..20 {
            doubling = format!(
                r#"{{"type":"record","name":"R{level}","fields":[{{"name":"a","type":{doubling}}},
                {{"name":"b","type":"R{}"}}]}}"#,
                level - 1
            );
        }
        assert!(refusal(&doubling, &[]).contains("more than"));
    }

    #[test]
    fn what_is_claimed_and_not_there_is_cut_off() {
        let long = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
        for kind in [r#""string""#, r#""bytes""#, r#"{"type":"map","values":"null"}"#] {
            let why = refusal(kind, &long);
            assert!(why == "it is cut off" || why.contains("more than"), "{kind}: {why}");
        }
        assert_eq!(refusal(r#""string""#, &[1]), "a negative length");
        assert_eq!(refusal(r#""long""#, &[0xff; 11]), "a number of more than 64 bits");
        assert!(refusal(r#"["null","long"]"#, &[4]).contains("none with number 2"));
        assert!(refusal(r#""long""#, &[2, 2]).contains("left over"));
        assert_eq!(refusal(r#"{"type":"fixed","name":"F","size":1000000000000}"#, &[1]), "it is cut off");
    }

    #[test]
    fn whole_values_of_every_kind_pass() {
        let all = r#"{"type":"record","name":"All","namespace":"n","fields":[
            {"name":"flag","type":"boolean"},{"name":"f","type":"float"},{"name":"d","type":"double"},
            {"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},{"name":"e2","type":"E"},
            {"name":"x","type":{"type":"fixed","name":"X","size":2}},{"name":"x2","type":"n.X"},
            {"name":"t","type":{"type":"long","logicalType":"timestamp-micros"}},
            {"name":"m","type":{"type":"map","values":"int"}},
            {"name":"a","type":{"type":"array","items":"string"}}]}"#;
        let mut body = vec![1];
        body.extend([0; 12]);
        body.extend([2, 0, 7, 7, 8, 8, 14]);
        body.extend([2, 2, b'k', 4, 0]);
        body.extend([1, 4, 2, b'z', 0]); // a block with its size
        assert_eq!(shape(all).check(&body), Ok(()));
        for cut in 0..body.len() {
            assert!(shape(all).check(&body[..cut]).is_err(), "{cut}");
        }
    }
}
