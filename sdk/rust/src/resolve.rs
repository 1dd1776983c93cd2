//! What was written with one version of a schema, as another one would have written it: Avro's rules of resolution.

use serde_json::Value;

use crate::schema::{At, DEEPEST, Node, Schema};
use crate::{BadMessage, Input, Output, Sink as _, Source as _};

/// Two versions of a schema.
pub(crate) struct Resolution {
    writer: Schema,
    reader: Schema,
}

impl Resolution {
    /// Of two schemas, or what is wrong with one of them.
    pub(crate) fn new(writer: &str, reader: &str) -> Result<Self, String> {
        Ok(Self { writer: Schema::parse(writer)?, reader: Schema::parse(reader)? })
    }

    /// The bytes, and the name of the message's type where the reader does not have it, of which nothing is in the bytes then.
    pub(crate) fn resolve(&self, body: &[u8]) -> Result<(Vec<u8>, Option<String>), BadMessage> {
        let mut walk = Walk {
            from: &self.writer.nodes,
            to: &self.reader.nodes,
            left: 64 * body.len() + 1024,
            unknown: None,
        };
        let (mut input, mut out) = (Input::new(body), Output::default());
        walk.value(&mut input, &mut out, self.writer.root, self.reader.root, "", 0)?;
        input.end()?;
        Ok((out.into_bytes(), walk.unknown))
    }
}

struct Walk<'a> {
    from: &'a [Node],
    to: &'a [Node],
    /// How many more values there may be: those that take no byte could be without end.
    left: usize,
    unknown: Option<String>,
}

type Done = Result<(), BadMessage>;

impl<'a> Walk<'a> {
    fn count(&mut self, input: &Input<'_>, name: &str, depth: usize) -> Done {
        if depth > DEEPEST {
            return Err(input.bad(name, &format!("values are nested deeper than {DEEPEST} levels")));
        }
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| input.bad(name, "it holds more values than its length allows"))?;
        Ok(())
    }

    fn value(
        &mut self,
        input: &mut Input<'_>,
        out: &mut Output,
        from: At,
        to: At,
        name: &str,
        depth: usize,
    ) -> Done {
        self.count(input, name, depth)?;
        let (old, new): (&'a Node, &'a Node) = (&self.from[from], &self.to[to]);
        match (old, new) {
            (Node::Union(branches), _) => {
                let branch = branches[input.index(name, branches.len())?];
                let node = &self.from[branch];
                if let (Node::Record { .. }, Node::Union(own), "data", 1) = (node, new, name, depth)
                    && !own.iter().any(|own| matches(node, &self.to[*own]))
                {
                    // the messages of a topic: here a newer one may have come
                    self.unknown = Some(node.bare().to_owned());
                    self.skip(input, branch, name, depth + 1)?;
                    out.count(own.len());
                    return Ok(());
                }
                self.value(input, out, branch, to, name, depth + 1)
            }
            (_, Node::Union(branches)) => {
                let find = |fits: fn(&Node, &Node) -> bool| {
                    branches.iter().position(|own| fits(old, &self.to[*own]))
                };
                let Some(at) = find(matches).or_else(|| find(promotes)) else {
                    let reason = format!("the writer's {} is none of what this version has here", old.kind());
                    return Err(input.bad(name, &reason));
                };
                out.count(at);
                self.value(input, out, from, branches[at], name, depth + 1)
            }
            (Node::Record { .. }, Node::Record { .. }) => self.record(input, out, from, to, name, depth),
            (Node::Array(of), Node::Array(own)) => self.items(input, out, (*of, *own), false, name, depth),
            (Node::Map(of), Node::Map(own)) => self.items(input, out, (*of, *own), true, name, depth),
            (Node::Enum { symbols, .. }, Node::Enum { symbols: own, default, .. }) => {
                let symbol = &symbols[input.index(name, symbols.len())?];
                let place = |of: &String| own.iter().position(|it| it == of);
                let at = place(symbol).or_else(|| default.as_ref().and_then(place));
                let at =
                    at.ok_or_else(|| input.bad(name, &format!("{symbol} is none of {}", own.join(", "))))?;
                out.count(at);
                Ok(())
            }
            (Node::Fixed { size, .. }, Node::Fixed { size: own, .. }) if size == own => {
                out.raw(input.skip(name, *size)?);
                Ok(())
            }
            (Node::Primitive(of), Node::Primitive(own)) => {
                self.primitive(input, out, (from, of, own), name, depth)
            }
            _ => Err(input.bad(name, &format!("the writer's {} is no {}", old.kind(), new.kind()))),
        }
    }

    fn primitive(
        &mut self,
        input: &mut Input<'_>,
        out: &mut Output,
        (from, of, own): (At, &str, &str),
        name: &str,
        depth: usize,
    ) -> Done {
        match (of, own) {
            // an int is written like a long
            _ if of == own || (of, own) == ("int", "long") => {
                let before = input.rest();
                self.skip(input, from, name, depth)?;
                out.raw(&before[..before.len() - input.rest().len()]);
            }
            ("int" | "long", "double") => out.double(name, input.long(name)? as f64),
            ("float", "double") => {
                let bytes = input.skip(name, 4)?.try_into().unwrap_or_default();
                out.double(name, f32::from_le_bytes(bytes).into());
            }
            ("bytes", "string") => out.text(name, &input.text(name)?),
            ("string", "bytes") => out.sealed(name, &input.sealed(name)?),
            _ => return Err(input.bad(name, &format!("the writer's {of} is no {own}"))),
        }
        Ok(())
    }

    fn record(
        &mut self,
        input: &mut Input<'_>,
        out: &mut Output,
        from: At,
        to: At,
        name: &str,
        depth: usize,
    ) -> Done {
        let (Node::Record { fields, .. }, Node::Record { fields: own, .. }) =
            (&self.from[from], &self.to[to])
        else {
            return Ok(());
        };
        let mut read: Vec<Option<Vec<u8>>> = vec![None; own.len()];
        for field in fields {
            let within = |bad: BadMessage| bad.within(name);
            match own.iter().position(|own| own.name == field.name) {
                None => self.skip(input, field.of, &field.name, depth + 1).map_err(within)?,
                Some(at) => {
                    let mut value = Output::default();
                    self.value(input, &mut value, field.of, own[at].of, &field.name, depth + 1)
                        .map_err(within)?;
                    read[at] = Some(value.into_bytes());
                }
            }
        }
        for (own, value) in own.iter().zip(read) {
            match (value, &own.default) {
                (Some(value), _) => out.raw(&value),
                (None, Some(default)) => {
                    self.default(out, own.of, default).map_err(|reason| input.bad(name, &reason))?;
                }
                (None, None) => {
                    let reason = format!(
                        "the writer has no field {}, and there is no value to take instead",
                        own.name
                    );
                    return Err(input.bad(name, &reason));
                }
            }
        }
        Ok(())
    }

    fn items(
        &mut self,
        input: &mut Input<'_>,
        out: &mut Output,
        (of, own): (At, At),
        is_map: bool,
        name: &str,
        depth: usize,
    ) -> Done {
        let (mut items, mut count) = (Output::default(), 0);
        input.each(name, |input| {
            count += 1;
            if is_map {
                items.text("", &input.text("")?);
            }
            self.value(input, &mut items, of, own, "", depth + 1)
        })?;
        if count > 0 {
            out.count(count);
            out.raw(&items.into_bytes());
        }
        out.count(0);
        Ok(())
    }

    /// Passes over a value.
    fn skip(&mut self, input: &mut Input<'_>, of: At, name: &str, depth: usize) -> Done {
        self.count(input, name, depth)?;
        match &self.from[of] {
            Node::Primitive("null") => {}
            Node::Primitive("boolean") => drop(input.boolean(name)?),
            Node::Primitive("int") => drop(input.int(name)?),
            Node::Primitive("long") => drop(input.long(name)?),
            Node::Primitive("float") => drop(input.skip(name, 4)?),
            Node::Primitive("double") => drop(input.skip(name, 8)?),
            Node::Primitive("string") => drop(input.text(name)?),
            Node::Primitive(_) => {
                let length = input.length(name)?;
                input.skip(name, length)?;
            }
            Node::Fixed { size, .. } => drop(input.skip(name, *size)?),
            Node::Enum { symbols, .. } => drop(input.index(name, symbols.len())?),
            Node::Union(branches) => {
                let branch = branches[input.index(name, branches.len())?];
                self.skip(input, branch, name, depth + 1)?;
            }
            Node::Array(of) => input.each(name, |input| self.skip(input, *of, "", depth + 1))?,
            Node::Map(of) => input.each(name, |input| {
                input.text("")?;
                self.skip(input, *of, "", depth + 1)
            })?,
            Node::Record { fields, .. } => {
                for field in fields {
                    self.skip(input, field.of, &field.name, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    /// Writes the value of a field that the writer did not have.
    fn default(&self, out: &mut Output, of: At, value: &Value) -> Result<(), String> {
        match (&self.to[of], value) {
            (Node::Primitive("null"), _) => {}
            (Node::Primitive("boolean"), Value::Bool(value)) => out.boolean("", *value),
            (Node::Primitive("int" | "long"), value) if value.is_i64() => {
                out.long("", value.as_i64().unwrap_or_default());
            }
            (Node::Primitive("double"), value) if value.is_number() => {
                out.double("", value.as_f64().unwrap_or_default());
            }
            (Node::Primitive("string"), Value::String(value)) => out.text("", value),
            (Node::Union(branches), value) if !branches.is_empty() => {
                // a default is of the first branch
                out.count(0);
                self.default(out, branches[0], value)?;
            }
            (Node::Enum { symbols, .. }, Value::String(value)) if symbols.contains(value) => {
                out.count(symbols.iter().position(|symbol| symbol == value).unwrap_or_default());
            }
            (Node::Array(_), Value::Array(all)) if all.is_empty() => out.count(0),
            (Node::Record { fields, .. }, Value::Object(members)) => {
                for field in fields {
                    let given = members.get(&field.name).or(field.default.as_ref()).unwrap_or(&Value::Null);
                    self.default(out, field.of, given)?;
                }
            }
            (node, _) => return Err(format!("a default of type {} is not supported", node.kind())),
        }
        Ok(())
    }
}

/// Whether the one is read as the other by its type, and of records by its name without the namespace.
fn matches(from: &Node, to: &Node) -> bool {
    from.kind() == to.kind() && from.bare() == to.bare()
}

fn promotes(from: &Node, to: &Node) -> bool {
    matches!(
        (from.kind(), to.kind()),
        ("int", "long" | "double") | ("long" | "float", "double") | ("bytes", "string") | ("string", "bytes")
    )
}
