//! JSON Schema from Avro.

use std::collections::HashMap;

use millrace_kernel::id::MAX_ID_LENGTH;
use millrace_kernel::sealed::{FINGERPRINT_LENGTH, LEAST_SECRET_BYTES, MOST_SECRET_BYTES, OVERHEAD_BYTES};
use millrace_kernel::{SealedRule, TextRule};
use serde_json::{Map, Value as Json, json};

/// How a 64-bit number stands in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Longs {
    /// As a number.
    Number,
    /// As a text: `Accept: application/json; longs=string`.
    Text,
    /// As whatever was asked for, where the media type does not tell.
    Either,
}

/// Whether a schema is of what clients write or of what they read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Unknown members are refused; those with a default may be left out.
    Asked,
    /// All members are there; others may come with later versions.
    Answered(Longs),
}

/// Translates schemas that share named types.
pub(super) struct Translator<'r> {
    side: Side,
    /// What the texts of a message may be, by field.
    rules: Vec<&'r TextRule>,
    /// Which of its fields hold secrets.
    sealed: Vec<&'r SealedRule>,
    /// Records and enums by their last name.
    named: HashMap<String, Json>,
}

impl<'r> Translator<'r> {
    /// For what clients write, whose texts keep to `rules`.
    pub(super) fn asked(rules: impl Iterator<Item = &'r TextRule>) -> Self {
        Self { side: Side::Asked, rules: rules.collect(), sealed: Vec::new(), named: HashMap::new() }
    }

    /// For what clients read.
    pub(super) fn answered(longs: Longs) -> Self {
        Self { side: Side::Answered(longs), rules: Vec::new(), sealed: Vec::new(), named: HashMap::new() }
    }

    /// The same, for a message with these secrets.
    pub(super) fn sealing(mut self, sealed: impl Iterator<Item = &'r SealedRule>) -> Self {
        self.sealed = sealed.collect();
        self
    }

    /// A record.
    pub(super) fn record(&mut self, record: &Json) -> Json {
        self.record_at(record, "")
    }

    fn record_at(&mut self, record: &Json, path: &str) -> Json {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        // the names of a secret and of its fingerprint
        let secrets: Vec<_> = self
            .sealed
            .iter()
            .filter_map(|rule| {
                let (inside, field) = rule.field.rsplit_once('.').unwrap_or(("", rule.field));
                (path.trim_end_matches('.') == inside).then_some((field, rule.fingerprint))
            })
            .collect();
        for field in list(&record["fields"]) {
            let name = field["name"].as_str().unwrap_or_default();
            let at = format!("{path}{name}");
            let is_secret = secrets.iter().any(|(field, _)| *field == name);
            let is_fingerprint = secrets.iter().any(|(_, fingerprint)| *fingerprint == name);
            let mut schema = match (is_secret, is_fingerprint) {
                (true, _) => secret(),
                (_, true) => fingerprint(),
                _ => self.value(&field["type"], &at),
            };
            if let Some(doc) = field["doc"].as_str() {
                let more = if is_secret {
                    SECRET
                } else if is_fingerprint {
                    FINGERPRINT
                } else {
                    ""
                };
                schema["description"] = Json::from(format!("{doc}{more}"));
            }
            match (self.side, field.get("default")) {
                // it is made where the secret is sealed
                _ if is_fingerprint => {}
                (Side::Asked, Some(default)) => schema["default"] = default.clone(),
                _ => required.push(name),
            }
            properties.insert(name.to_owned(), schema);
        }
        let mut schema = json!({"type": "object"});
        if let Some(doc) = record["doc"].as_str() {
            schema["description"] = Json::from(doc);
        }
        schema["properties"] = Json::Object(properties);
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        if self.side == Side::Asked {
            schema["additionalProperties"] = Json::from(false);
        }
        if !secrets.is_empty() {
            schema["allOf"] = secrets.into_iter().map(|(field, mark)| goes_with_a_box(field, mark)).collect();
        }
        schema
    }

    fn value(&mut self, schema: &Json, path: &str) -> Json {
        match schema {
            Json::String(name) => self.by_name(name, path),
            Json::Array(branches) => {
                let inner = branches.iter().find(|branch| *branch != "null");
                nullable(inner.map_or_else(|| json!({}), |inner| self.value(inner, path)))
            }
            _ => self.composed(schema, path),
        }
    }

    fn by_name(&mut self, name: &str, path: &str) -> Json {
        match name {
            "string" => self.text(path),
            "long" => self.long(),
            "int" => int(),
            "float" | "double" => json!({"type": "number", "format": "double"}),
            "boolean" => json!({"type": "boolean"}),
            // as serde writes them
            "bytes" => json!({"type": "string", "pattern": "^([0-9a-f]{2})*$"}),
            other => {
                let known = self.named.get(last(other)).cloned();
                known.map_or_else(|| json!({}), |known| self.composed(&known, path))
            }
        }
    }

    fn composed(&mut self, schema: &Json, path: &str) -> Json {
        if schema["logicalType"] == "timestamp-micros" {
            return self.time();
        }
        if let Some(name) = schema["name"].as_str() {
            self.named.insert(last(name).to_owned(), schema.clone());
        }
        match schema["type"].as_str() {
            Some("record") => self.record_at(schema, &format!("{path}.")),
            Some("enum") => json!({"type": "string", "enum": schema["symbols"]}),
            Some("array") => json!({"type": "array", "items": self.value(&schema["items"], path)}),
            Some("map") => {
                json!({"type": "object", "additionalProperties": self.value(&schema["values"], path)})
            }
            _ => self.value(&schema["type"], path),
        }
    }

    fn text(&self, path: &str) -> Json {
        match self.rules.iter().find(|rule| rule.field == path) {
            None => json!({"type": "string"}),
            Some(rule) if rule.is_id => id(rule.most),
            // both count Unicode scalar values
            Some(rule) => json!({"type": "string", "maxLength": rule.most}),
        }
    }

    fn long(&self) -> Json {
        match self.side {
            Side::Asked => long(Longs::Number),
            Side::Answered(longs) => long(longs),
        }
    }

    fn time(&self) -> Json {
        match self.side {
            Side::Asked => json!({"anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX,
                 "description": "Microseconds since the epoch."},
            ]}),
            Side::Answered(longs) => long(longs),
        }
    }
}

/// What is said of a secret behind what its author says.
const SECRET: &str = " It has two forms: `{\"plaintext\": …}`, which the gateway seals at once, so that nothing of it is kept or written; \
                      or a box that was sealed for the newest key of `GET /v1/keys`, in base64, with its fingerprint.";
/// The same of a fingerprint.
const FINGERPRINT: &str = " Only with a secret that is sealed already; the gateway makes it of one that it seals, and refuses another.";

fn secret() -> Json {
    json!({"oneOf": [
        {
            "type": "object",
            "properties": {"plaintext": {
                "type": "string", "minLength": LEAST_SECRET_BYTES, "maxLength": MOST_SECRET_BYTES, "writeOnly": true,
                "description": format!("The secret, {LEAST_SECRET_BYTES} to {MOST_SECRET_BYTES} bytes in UTF-8."),
            }},
            "required": ["plaintext"],
            "additionalProperties": false,
        },
        {
            "type": "string", "contentEncoding": "base64", "pattern": base64_of_a_box(),
            "description": format!(
                "A sealed box in base64 (RFC 4648 §4), with or without padding: {} to {} bytes.",
                OVERHEAD_BYTES + LEAST_SECRET_BYTES,
                OVERHEAD_BYTES + MOST_SECRET_BYTES
            ),
        },
    ]})
}

/// Base64 of as many bytes as a box has; what a last character says beyond the last byte is zero.
fn base64_of_a_box() -> String {
    const {
        assert!(
            (OVERHEAD_BYTES + LEAST_SECRET_BYTES) % 3 == 1 && (OVERHEAD_BYTES + MOST_SECRET_BYTES) % 3 == 1
        )
    };
    // groups of three bytes, each four characters; one byte is left over
    let (least, most) = ((OVERHEAD_BYTES + LEAST_SECRET_BYTES) / 3, (OVERHEAD_BYTES + MOST_SECRET_BYTES) / 3);
    let any = "[A-Za-z0-9+/]";
    let group = format!("{any}{{4}}");
    let one = format!("{any}[AQgw](?:==)?");
    let two = format!("{any}{{2}}[AEIMQUYcgkosw048]=?");
    format!("^(?:{group}){{{least},{}}}(?:{group}|{group}{one}|{one}|{two})$", most - 1)
}

/// A fingerprint stands beside a box, and not beside a secret that is still to be sealed.
fn goes_with_a_box(field: &str, fingerprint: &str) -> Json {
    json!({
        "if": {"properties": {field: {"type": "string"}}},
        "then": {"properties": {fingerprint: {}}, "required": [fingerprint]},
        "else": {"properties": {fingerprint: false}},
    })
}

fn fingerprint() -> Json {
    json!({
        "type": "string", "pattern": "^[A-Za-z0-9_-]+$",
        "minLength": FINGERPRINT_LENGTH, "maxLength": FINGERPRINT_LENGTH,
    })
}

/// An id of at most so many characters.
pub(super) fn id(most: usize) -> Json {
    let most = most.min(MAX_ID_LENGTH);
    json!({"type": "string", "pattern": "^[A-Za-z0-9_.:-]+$", "minLength": 1, "maxLength": most})
}

/// A 32-bit number.
pub(super) fn int() -> Json {
    json!({"type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX})
}

/// A 64-bit number.
pub(super) fn long(longs: Longs) -> Json {
    match longs {
        Longs::Number => {
            json!({"type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX})
        }
        Longs::Text => json!({"type": "string", "format": "int64", "pattern": WHOLE_NUMBER}),
        Longs::Either => json!({"type": ["integer", "string"], "format": "int64", "pattern": WHOLE_NUMBER}),
    }
}

const WHOLE_NUMBER: &str = "^-?[0-9]{1,19}$";

/// The same, or null.
pub(super) fn nullable(mut schema: Json) -> Json {
    if let Some(kinds) = schema.get_mut("anyOf").and_then(Json::as_array_mut) {
        kinds.push(json!({"type": "null"}));
        return schema;
    }
    match schema.get("type") {
        Some(Json::Array(kinds)) => {
            let kinds: Vec<Json> = kinds.iter().cloned().chain([Json::from("null")]).collect();
            schema["type"] = Json::Array(kinds);
        }
        Some(kind) => schema["type"] = json!([kind, "null"]),
        None => {}
    }
    if let Some(names) = schema.get_mut("enum").and_then(Json::as_array_mut) {
        names.push(Json::Null);
    }
    schema
}

/// A schema of Avro as it is registered.
pub(super) fn parsed(schema: &str) -> Json {
    // it is compiled in, and the build has read it
    serde_json::from_str(schema).unwrap_or_default()
}

/// The type of a field of a record.
pub(super) fn type_of<'s>(record: &'s Json, field: &str) -> &'s Json {
    list(&record["fields"]).iter().find(|it| it["name"] == field).map_or(&Json::Null, |it| &it["type"])
}

/// The items of a list; none of what is no list.
pub(super) fn list(json: &Json) -> &[Json] {
    json.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use millrace_kernel::Sealed;
    use regex_lite::Regex;

    use super::*;

    const SHIP: &str = r#"{"type":"record","name":"Ship","doc":"Ship it.","fields":[
        {"name":"order_id","type":"string","doc":"Which."},
        {"name":"note","type":["null","string"],"default":null},
        {"name":"total","type":"long"},
        {"name":"at","type":["null",{"type":"long","logicalType":"timestamp-micros"}],"default":null},
        {"name":"how","type":{"type":"enum","name":"How","symbols":["air","sea"]},"default":"sea"},
        {"name":"before","type":["null","millrace.shop.How"]},
        {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
            {"name":"sku","type":"string"},{"name":"count","type":"int"}]}}}]}"#;

    const RULES: [TextRule; 3] = [
        TextRule { command: "Ship", field: "order_id", most: 64, is_id: true },
        TextRule { command: "Ship", field: "note", most: 140, is_id: false },
        TextRule { command: "Ship", field: "lines.sku", most: 20, is_id: false },
    ];

    #[test]
    fn what_clients_write_is_as_narrow_as_what_is_taken() {
        let schema = Translator::asked(RULES.iter()).record(&parsed(SHIP));
        assert_eq!(schema["required"], json!(["order_id", "total", "before", "lines"]));
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(schema["description"], "Ship it.");
        let of = |name: &str| &schema["properties"][name];
        assert_eq!(of("order_id")["pattern"], "^[A-Za-z0-9_.:-]+$");
        assert_eq!(of("order_id")["description"], "Which.");
        assert_eq!(*of("note"), json!({"type": ["string", "null"], "maxLength": 140, "default": null}));
        assert_eq!(of("total")["maximum"], json!(i64::MAX));
        assert_eq!(of("at")["anyOf"][2], json!({"type": "null"}));
        assert_eq!(*of("how"), json!({"type": "string", "enum": ["air", "sea"], "default": "sea"}));
        assert_eq!(*of("before"), json!({"type": ["string", "null"], "enum": ["air", "sea", null]}));
        let line = &of("lines")["items"];
        assert_eq!(line["properties"]["sku"], json!({"type": "string", "maxLength": 20}));
        assert_eq!(
            (&line["required"], &line["additionalProperties"]),
            (&json!(["sku", "count"]), &json!(false))
        );
    }

    #[test]
    fn a_secret_has_two_forms_and_its_fingerprint_may_be_left_out() {
        const KEEP: &str = r#"{"type":"record","name":"Keep","fields":[
            {"name":"mark","type":"string","doc":"Which."},
            {"name":"token","type":"bytes","doc":"What."},
            {"name":"more","type":{"type":"array","items":{"type":"record","name":"Part","fields":[
                {"name":"token","type":"bytes"},{"name":"mark","type":"string"}]}}}]}"#;
        let rule = |field| SealedRule { command: "Keep", field, fingerprint: "mark" };
        let rules = [rule("token"), rule("more.token")];
        let schema = Translator::asked(std::iter::empty()).sealing(rules.iter()).record(&parsed(KEEP));
        assert_eq!(schema["required"], json!(["token", "more"]));
        let part = &schema["properties"]["more"]["items"];
        assert_eq!(part["required"], json!(["token"]));
        for record in [&schema, part] {
            let forms = list(&record["properties"]["token"]["oneOf"]);
            assert_eq!(forms[0]["required"], json!(["plaintext"]));
            let box_of = Regex::new(forms[1]["pattern"].as_str().unwrap()).unwrap();
            for bytes in (60..70).chain(4_090..4_100) {
                let sealed = Sealed::new(vec![0xff; bytes]);
                let (text, expected) = (sealed.to_string(), sealed.may_be_a_box());
                assert_eq!(box_of.is_match(&text), expected, "{bytes} bytes");
                assert_eq!(
                    box_of.is_match(text.trim_end_matches('=')),
                    expected,
                    "{bytes} bytes, no padding"
                );
            }
            assert_eq!(record["properties"]["mark"]["maxLength"], 43);
            assert_eq!(record["allOf"][0]["then"]["required"], json!(["mark"]));
        }
        let about = schema["properties"]["token"]["description"].as_str().unwrap();
        assert!(about.starts_with("What. ") && about.contains("/v1/keys"), "{about}");
    }

    #[test]
    fn what_clients_read_has_all_its_members_and_may_get_more() {
        for (longs, kind) in [
            (Longs::Number, json!("integer")),
            (Longs::Text, json!("string")),
            (Longs::Either, json!(["integer", "string"])),
        ] {
            let schema = Translator::answered(longs).record(&parsed(SHIP));
            assert_eq!(list(&schema["required"]).len(), 7);
            assert_eq!(schema.get("additionalProperties"), None);
            assert_eq!(schema["properties"]["total"]["type"], kind);
            assert_eq!(list(&schema["properties"]["at"]["type"]).last(), Some(&json!("null")));
        }
    }
}
