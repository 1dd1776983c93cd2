//! YAML as JSON values: anchors, aliases and merge keys (`<<`) taken in, within bounds.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};
use serde_json::{Map, Value as Json};

/// So many values may come of a file: an alias in an alias in an alias is soon more than a machine holds.
const MOST_VALUES: usize = 100_000;
/// So deep may they lie in one another.
const DEEPEST: usize = 64;

/// Reads the first document of `text`. Keys are texts; what is no number, truth value or null is a text.
///
/// # Errors
/// What is wrong with it, with line and column.
pub fn read(text: &str) -> Result<Json, String> {
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), count: 0 };
    loop {
        match reader.next()? {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::StreamEnd => return Ok(Json::Null),
            event => return reader.value(event, 0),
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    /// What an anchor stands for, and how many values that are.
    anchors: HashMap<usize, (Json, usize)>,
    count: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Event<'t>, String> {
        match self.parser.next_event() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => Err(where_and_what(&error)),
            None => Err("it ends too early".to_owned()),
        }
    }

    fn taken(&mut self, count: usize) -> Result<(), String> {
        self.count += count;
        match self.count > MOST_VALUES {
            true => Err(format!("it comes to more than {MOST_VALUES} values")),
            false => Ok(()),
        }
    }

    fn value(&mut self, event: Event<'t>, depth: usize) -> Result<Json, String> {
        if depth > DEEPEST {
            return Err(format!("values lie in one another more than {DEEPEST} deep"));
        }
        self.taken(1)?;
        let before = self.count;
        let (value, anchor) = match event {
            Event::Alias(anchor) => {
                let (value, count) = self.anchors.get(&anchor).cloned().unwrap_or_default();
                self.taken(count)?;
                return Ok(value);
            }
            Event::Scalar(text, style, anchor, _) => (scalar(&text, style), anchor),
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break,
                        event => items.push(self.value(event, depth + 1)?),
                    }
                }
                (Json::Array(items), anchor)
            }
            Event::MappingStart(anchor, _) => (self.mapping(depth)?, anchor),
            _ => (Json::Null, 0),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), 1 + self.count - before));
        }
        Ok(value)
    }

    fn mapping(&mut self, depth: usize) -> Result<Json, String> {
        let mut own = Map::new();
        let mut merged = Vec::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => break,
                event => self.value(event, depth + 1)?,
            };
            let event = self.next()?;
            let value = self.value(event, depth + 1)?;
            match key {
                Json::String(key) if key == "<<" => match value {
                    Json::Array(several) => merged.extend(several),
                    one => merged.push(one),
                },
                Json::String(key) => drop(own.insert(key, value)),
                other => drop(own.insert(other.to_string(), value)),
            }
        }
        for map in merged {
            let Json::Object(map) = map else { continue };
            for (key, value) in map {
                own.entry(key).or_insert(value);
            }
        }
        Ok(Json::Object(own))
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Json {
    if style != ScalarStyle::Plain {
        return text.into();
    }
    match text {
        "" | "~" | "null" => Json::Null,
        "true" => true.into(),
        "false" => false.into(),
        text => text.parse::<i64>().map_or_else(|_| text.into(), Json::from),
    }
}

fn where_and_what(error: &ScanError) -> String {
    let at = error.marker();
    format!("line {}, column {}: {}", at.line(), at.col() + 1, error.info())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn anchors_are_taken_in_and_merged_below_what_stands_there() {
        let text = "x: &x\n  a: 1\n  b: [one, 'two', \"3\"]\ny: &y\n  <<: *x\n  a: no\nz:\n  <<: [*y, *x]\n  c: ~\n  d: |\n    m\n    n\n";
        let b = json!(["one", "two", "3"]);
        assert_eq!(
            read(text).unwrap(),
            json!({"x": {"a": 1, "b": b}, "y": {"a": "no", "b": b}, "z": {"c": null, "d": "m\nn\n", "a": "no", "b": b}})
        );
        assert_eq!(read("").unwrap(), Json::Null);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let wrong = read("a:\n  - b\n c: d\n").unwrap_err();
        assert!(wrong.starts_with("line 3, column "), "{wrong}");
        assert!(read("a: *nobody\n").is_err());
        assert!(read("a: [1, 2").is_err());
    }

    /// Whatever stands in a file, it is read or refused.
    #[test]
    fn no_text_is_too_much_for_it() {
        use rand::rngs::StdRng;
        use rand::{Rng as _, SeedableRng as _};
        const BITS: &[&str] = &[
            "a",
            ": ",
            "\n",
            "  ",
            "- ",
            "&x ",
            "*x",
            "<<: ",
            "[",
            "]",
            "{",
            "}",
            ",",
            "\"",
            "'",
            "|",
            ">",
            "#",
            "!t ",
            "%",
            "? ",
            "---",
            "...",
            "\t",
            "\u{feff}",
            "é",
            "0x1",
            "-1",
            "~",
            "\0",
            "\r",
            "@",
            "`",
            "services:",
            "\\",
        ];
        let (mut taken, mut refused) = (0, 0);
        for seed in 0..20_000 {
            let mut random = StdRng::seed_from_u64(seed);
            let text: String =
                (0..random.random_range(0..40)).map(|_| BITS[random.random_range(0..BITS.len())]).collect();
            match read(&text) {
                Ok(_) => taken += 1,
                Err(_) => refused += 1,
            }
        }
        assert!(taken > 500 && refused > 500, "{taken} taken, {refused} refused");
    }

    #[test]
    fn little_text_does_not_become_very_much() {
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            laughs.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        assert!(read(&laughs).unwrap_err().contains("100000 values"));
        assert!(read(&"[".repeat(100_000)).is_err());
    }
}
