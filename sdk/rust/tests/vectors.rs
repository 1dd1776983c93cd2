//! The vectors: our code, apache-avro and the files agree.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use millrace_sdk::envelope::{Metadata, Outcome};
use millrace_sdk::names::{commands, events};
use millrace_sdk::{
    BadMessage, Command, Event, Failure, Messages, Read, Reading, Record, Topic, Versions, command_to_json,
    decode_command, decode_event, decode_outcome, encode_command, encode_event, encode_outcome, event_id,
    frame, is_id, murmur2, new_id, outcome_from_json, partition_of, record_from_json, record_to_json,
    step_id, unframe,
};
use serde_json::{Value, json};

fn load(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn all(file: &Value) -> &Vec<Value> {
    file["vectors"].as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn unhex(value: &Value) -> Vec<u8> {
    let digits = text(value);
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Numbers as their digits, as vectors have longs.
fn texts(value: Value) -> Value {
    match value {
        Value::Number(number) => number.to_string().into(),
        Value::Array(all) => all.into_iter().map(texts).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, texts(value))).collect(),
        other => other,
    }
}

/// What a topic is to these tests, whatever it holds.
trait Any {
    fn topic(&self) -> Topic;
    /// Reads a body, and says what was read, what it is written as again, and its JSON.
    fn decode(&self, body: &[u8]) -> Result<Shown, BadMessage>;
    /// What is written of a value of the vectors.
    fn encode(&self, value: &Value) -> Vec<u8>;
    /// Reads a frame by all schemas that are known; the second says that its type is unknown.
    fn read(&self, framed: &[u8]) -> Result<(Value, bool), Failure>;
    fn learn(&mut self, id: u32, schema: &str);
}

struct Shown {
    value: Value,
    bytes: Vec<u8>,
    json: Option<Value>,
    place: Option<(String, String)>,
}

#[derive(Default)]
struct Commands<D: Messages>(Reading<D>);
#[derive(Default)]
struct Events<D: Messages>(Reading<D>);
struct Outcomes(Topic, Versions);

/// The data of a message out of JSON.
type FromJson<D> = fn(&str, &Value) -> D;

struct Of<R, D> {
    reading: R,
    from_json: FromJson<D>,
}

fn envelope(event: &Event<()>, name: &str) -> Value {
    json!({
        "id": event.id, "type": name, "metadata": record_to_json(&event.metadata), "aggregate_id": event.aggregate_id,
        "version": event.version, "command_id": event.command_id, "command_offset": event.command_offset,
        "recorded_at": event.recorded_at,
    })
}

fn shown_command<D: Messages>(command: &Command<D>) -> Value {
    let data = command_to_json(command)["data"].take();
    texts(
        json!({"id": command.id, "type": command.data.name(), "metadata": record_to_json(&command.metadata), "data": data}),
    )
}

fn shown_event<D: Messages + Clone>(event: &Event<D>) -> Value {
    let about = Event {
        id: event.id.clone(),
        metadata: event.metadata.clone(),
        aggregate_id: event.aggregate_id.clone(),
        version: event.version,
        command_id: event.command_id.clone(),
        command_offset: event.command_offset,
        recorded_at: event.recorded_at,
        data: (),
    };
    let mut whole = envelope(&about, event.data.name());
    let as_command = Command { id: String::new(), metadata: Metadata::default(), data: event.data.clone() };
    whole["data"] = command_to_json(&as_command)["data"].take();
    texts(whole)
}

fn placed(data: &impl Messages) -> Option<(String, String)> {
    Some((data.aggregate_id(), data.routing_key().into_owned()))
}

impl<D: Messages> Any for Of<Commands<D>, D> {
    fn topic(&self) -> Topic {
        D::TOPIC
    }

    fn decode(&self, body: &[u8]) -> Result<Shown, BadMessage> {
        let command = decode_command::<D>(body)?;
        Ok(Shown {
            value: shown_command(&command),
            bytes: encode_command(&command),
            json: Some(command_to_json(&command)),
            place: placed(&command.data),
        })
    }

    fn encode(&self, value: &Value) -> Vec<u8> {
        let data = (self.from_json)(text(&value["type"]), &value["data"]);
        let metadata = record_from_json(&value["metadata"]).unwrap();
        encode_command(&Command { id: text(&value["id"]).to_owned(), metadata, data })
    }

    fn read(&self, framed: &[u8]) -> Result<(Value, bool), Failure> {
        Ok(match self.reading.0.command(framed)? {
            Read::Known(command) => (shown_command(&command), false),
            Read::Unknown(it) => {
                (texts(json!({"id": it.id, "type": it.name, "metadata": record_to_json(&it.metadata)})), true)
            }
        })
    }

    fn learn(&mut self, id: u32, schema: &str) {
        self.reading.0.learn(id, schema);
    }
}

impl<D: Messages + Clone> Any for Of<Events<D>, D> {
    fn topic(&self) -> Topic {
        D::TOPIC
    }

    fn decode(&self, body: &[u8]) -> Result<Shown, BadMessage> {
        let event = decode_event::<D>(body)?;
        Ok(Shown {
            value: shown_event(&event),
            bytes: encode_event(&event),
            json: None,
            place: placed(&event.data),
        })
    }

    fn encode(&self, value: &Value) -> Vec<u8> {
        let long = |name: &str| text(&value[name]).parse().unwrap();
        let own = |name: &str| text(&value[name]).to_owned();
        encode_event(&Event {
            id: own("id"),
            metadata: record_from_json(&value["metadata"]).unwrap(),
            aggregate_id: own("aggregate_id"),
            version: long("version"),
            command_id: own("command_id"),
            command_offset: long("command_offset"),
            recorded_at: long("recorded_at"),
            data: (self.from_json)(text(&value["type"]), &value["data"]),
        })
    }

    fn read(&self, framed: &[u8]) -> Result<(Value, bool), Failure> {
        Ok(match self.reading.0.event(framed)? {
            Read::Known(event) => (shown_event(&event), false),
            Read::Unknown(it) => (texts(envelope(&it.event.unwrap(), &it.name)), true),
        })
    }

    fn learn(&mut self, id: u32, schema: &str) {
        self.reading.0.learn(id, schema);
    }
}

impl Any for Outcomes {
    fn topic(&self) -> Topic {
        self.0
    }

    fn decode(&self, body: &[u8]) -> Result<Shown, BadMessage> {
        let outcome = decode_outcome(body)?;
        let json = record_to_json(&outcome);
        assert_eq!(outcome_from_json(&json).as_ref(), Ok(&outcome));
        let (value, bytes) = (texts(json.clone()), encode_outcome(&outcome));
        Ok(Shown { value, bytes, json: Some(json), place: None })
    }

    fn encode(&self, value: &Value) -> Vec<u8> {
        encode_outcome(&record_from_json::<Outcome>(value).unwrap())
    }

    fn read(&self, framed: &[u8]) -> Result<(Value, bool), Failure> {
        Ok((texts(record_to_json(&self.1.outcome(framed)?)), false))
    }

    fn learn(&mut self, id: u32, schema: &str) {
        self.1.learn(id, schema);
    }
}

/// The data of a message, by its name: through the one function that all messages have.
fn from_json<D: Messages>(name: &str, data: &Value) -> D {
    millrace_sdk::messages_from_json(name, data).unwrap()
}

type Topics = BTreeMap<&'static str, Box<dyn Any>>;

/// All topics by name, the ids of their schemas, and all vectors.
fn everything() -> (Topics, HashMap<String, u32>, Vec<Value>) {
    let (mut topics, mut ids, mut vectors) = (Topics::new(), HashMap::new(), Vec::new());
    macro_rules! add {
        ($domain:ident, $command:ident, $event:ident) => {{
            use millrace_sdk::$domain::{OUTCOMES, $command, $event};
            let file = load(concat!(stringify!($domain), ".json"));
            let commands = Of { reading: Commands(Reading::<$command>::default()), from_json };
            let events = Of { reading: Events(Reading::<$event>::default()), from_json };
            let outcomes = Outcomes(OUTCOMES, Versions::new(OUTCOMES));
            for topic in [Box::new(commands) as Box<dyn Any>, Box::new(events), Box::new(outcomes)] {
                topics.insert(topic.topic().name, topic);
            }
            for (name, topic) in file["topics"].as_object().unwrap() {
                ids.insert(name.clone(), topic["schema_id"].as_u64().unwrap() as u32);
            }
            vectors.extend(all(&file).iter().cloned());
        }};
    }
    millrace_sdk::for_each_domain!(add);
    (topics, ids, vectors)
}

#[test]
fn every_domain_has_vectors() {
    let (topics, ids, vectors) = everything();
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors")).unwrap().count();
    assert_eq!((topics.len(), ids.len()), (3 * (files - 4), 3 * (files - 4)));
    assert!(vectors.len() >= 2000, "{}", vectors.len());
    assert_eq!((commands::PostChirp, events::ChirpPosted), ("PostChirp", "ChirpPosted"));
}

#[test]
fn values_are_the_bytes_of_the_vectors() {
    let (topics, ids, vectors) = everything();
    for vector in &vectors {
        let name = text(&vector["name"]);
        let topic = &topics[text(&vector["topic"])];
        let body = unhex(&vector["bytes"]);
        let shown = topic.decode(&body).unwrap_or_else(|bad| panic!("{name}: {bad}"));
        assert_eq!(shown.value, texts(vector["value"].clone()), "{name}");
        assert_eq!(hex(&shown.bytes), text(&vector["bytes"]), "{name}");
        assert_eq!(hex(&topic.encode(&vector["value"])), text(&vector["bytes"]), "{name}");
        let id = ids[text(&vector["topic"])];
        assert_eq!(hex(&frame(id, &body)), text(&vector["framed"]), "{name}");
        assert_eq!(unframe(&unhex(&vector["framed"])), Ok((id, &body[..])), "{name}");
        if let Some(json) = shown.json {
            assert_eq!(json.to_string(), text(&vector["json"]), "{name}");
        }
        if let Some((aggregate_id, key)) = shown.place {
            assert_eq!(
                (aggregate_id.as_str(), key.as_str()),
                (text(&vector["aggregate_id"]), text(&vector["key"]))
            );
            partitions(&key, &vector["partition"]);
        }
    }
}

fn partitions(key: &str, partition: &Value) {
    for (of, at) in partition.as_object().unwrap() {
        assert_eq!(i64::from(partition_of(key, of.parse().unwrap())), at.as_i64().unwrap(), "{key} of {of}");
    }
}

#[test]
fn keys_and_ids_are_those_of_the_vectors() {
    for vector in all(&load("keys.json")) {
        let key = text(&vector["key"]);
        assert_eq!(u64::from(murmur2(key.as_bytes())), vector["murmur2"].as_u64().unwrap(), "{key}");
        partitions(key, &vector["partition"]);
    }
    for vector in all(&load("ids.json")) {
        let id = match text(&vector["of"]) {
            "event" => event_id(text(&vector["message"]), vector["index"].as_u64().unwrap() as usize),
            _ => step_id(text(&vector["process"]), text(&vector["step"])),
        };
        assert_eq!(id, text(&vector["id"]), "{vector}");
    }
    assert!(new_id() != new_id() && is_id(&new_id()) && new_id().as_bytes()[14] == b'7' && !is_id("a/b"));
}

#[test]
fn apache_avro_reads_and_writes_the_same() {
    let (topics, _, vectors) = everything();
    let schemas: BTreeMap<&str, _> = topics
        .iter()
        .map(|(name, topic)| (*name, apache_avro::Schema::parse_str(topic.topic().schema).unwrap()))
        .collect();
    for vector in &vectors {
        let (name, schema) = (text(&vector["name"]), &schemas[text(&vector["topic"])]);
        let body = unhex(&vector["bytes"]);
        let mut rest = &body[..];
        let read = GenericDatumReader::builder(schema).build().unwrap().read_value(&mut rest).unwrap();
        assert!(rest.is_empty(), "{name}");
        let written =
            GenericDatumWriter::builder(schema).build().unwrap().write_value_to_vec(read.clone()).unwrap();
        assert_eq!(hex(&written), text(&vector["bytes"]), "{name}");
        let mut value = vector["value"].clone();
        value.as_object_mut().unwrap().shift_remove("type");
        if let Some(sealed) = value.get_mut("data").and_then(|data| data.get_mut("sealed_token")) {
            use base64::Engine as _;
            *sealed = hex(&base64::engine::general_purpose::STANDARD.decode(text(sealed)).unwrap()).into();
        }
        assert_eq!(plain(read), texts(value), "{name}");
    }
}

/// What apache-avro has read, as the vectors have it; bytes as hexadecimal digits.
fn plain(value: Avro) -> Value {
    match value {
        Avro::Null => Value::Null,
        Avro::Boolean(value) => value.into(),
        Avro::Int(value) => value.to_string().into(),
        Avro::Long(value) => value.to_string().into(),
        Avro::TimestampMicros(value) => value.to_string().into(),
        Avro::String(value) | Avro::Enum(_, value) => value.into(),
        Avro::Bytes(value) => hex(&value).into(),
        Avro::Array(all) => all.into_iter().map(plain).collect(),
        Avro::Union(_, inner) => plain(*inner),
        Avro::Record(fields) => fields.into_iter().map(|(name, value)| (name, plain(value))).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_message_is_refused() {
    let (topics, _, vectors) = everything();
    for vector in all(&load("invalid.json")) {
        assert!(
            topics[text(&vector["topic"])].decode(&unhex(&vector["bytes"])).is_err(),
            "{}",
            vector["name"]
        );
    }
    for vector in &vectors {
        let body = unhex(&vector["bytes"]);
        for cut in 0..body.len() {
            assert!(topics[text(&vector["topic"])].decode(&body[..cut]).is_err(), "{} {cut}", vector["name"]);
        }
    }
}

#[test]
fn an_error_names_the_field() {
    let (topics, _, vectors) = everything();
    let vector = vectors.iter().find(|it| it["name"] == "chirp.commands/PostChirp/5").unwrap();
    let body = unhex(&vector["bytes"]);
    let Err(bad) = topics["chirp.commands"].decode(&body[..body.len() - 1]) else { panic!("it is read") };
    assert!(bad.field.starts_with("data.") && bad.reason.contains("cut off, at byte"), "{bad}");
    let bad = record_from_json::<Metadata>(&json!({"issued_at": 1.5})).unwrap_err();
    assert_eq!(bad.to_string(), "issued_at: expected a whole number of 64 bits");
}

#[test]
fn what_other_versions_have_written_is_read() {
    let (mut topics, _, _) = everything();
    let file = load("evolution.json");
    for schema in file["schemas"].as_array().unwrap() {
        let topic = topics.get_mut(text(&schema["topic"])).unwrap();
        topic.learn(schema["id"].as_u64().unwrap() as u32, text(&schema["schema"]));
    }
    let mut unknown = 0;
    for vector in all(&file) {
        let (name, framed) = (&vector["name"], unhex(&vector["framed"]));
        let topic = &topics[text(&vector["topic"])];
        let (value, is_unknown) = topic.read(&framed).unwrap_or_else(|failure| panic!("{name}: {failure}"));
        let expected = vector.get("unknown").or(vector.get("value")).unwrap();
        assert_eq!(value, texts(expected.clone()), "{name}");
        assert_eq!(is_unknown, vector.get("unknown").is_some(), "{name}");
        unknown += usize::from(is_unknown);
        for cut in 5..framed.len() {
            assert!(matches!(topic.read(&framed[..cut]), Err(Failure::Bad(_))), "{name} cut at {cut}");
        }
    }
    assert!(unknown > 20, "{unknown}");
    assert_eq!(topics["chirp.events"].read(&[0, 0, 0, 9, 9]), Err(Failure::UnknownSchema(0x909)));
}

#[test]
fn inputs_that_were_changed_are_read_or_refused() {
    let count = std::env::var("MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000_usize);
    let (mut topics, ids, vectors) = everything();
    let file = load("evolution.json");
    let mut newer = HashMap::new();
    for schema in file["schemas"].as_array().unwrap() {
        let (name, id) = (text(&schema["topic"]), schema["id"].as_u64().unwrap() as u32);
        topics.get_mut(name).unwrap().learn(id, text(&schema["schema"]));
        if schema["version"] == "newer" {
            newer.insert(name, id);
        }
    }
    for (name, topic) in &mut topics {
        let schema = topic.topic().schema;
        topic.learn(ids[*name], schema);
    }
    let mut state = 1_u64;
    let mut below = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % end
    };
    let mut refused = 0;
    for _ in 0..count {
        let vector = &vectors[below(vectors.len())];
        let name = text(&vector["topic"]);
        let mut framed = unhex(&vector["framed"]);
        if below(2) == 0 {
            framed[1..5].copy_from_slice(&newer[name].to_be_bytes());
        }
        for _ in 0..=below(4) {
            let at = below(framed.len());
            match below(4) {
                0 => framed.truncate(at + 1),
                _ => framed[at] = [0, 1, 0x7f, 0x80, 0xff, below(256) as u8][below(6)],
            }
        }
        refused += usize::from(topics[name].read(&framed).is_err());
    }
    assert!(count / 4 < refused && refused < count, "{refused} of {count} were refused");
}

/// Every record can be read of nothing but what may be null.
#[test]
fn what_may_be_null_may_be_left_out() {
    assert_eq!(record_from_json::<Metadata>(&json!({})), Ok(Metadata::default()));
    assert_eq!(Metadata::read(&mut millrace_sdk::Input::new(&[0; 6])), Ok(Metadata::default()));
}
