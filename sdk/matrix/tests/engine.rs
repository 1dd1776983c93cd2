//! The engine's codec and what a gateway makes of JSON agree with the vectors, as the packages do.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use millrace_domain_accounting::Accounting;
use millrace_domain_calendar::Calendar;
use millrace_domain_chirp::Chirp;
use millrace_domain_estimation::Estimations;
use millrace_domain_guestbook::Guestbook;
use millrace_domain_identity::Identity;
use millrace_domain_orders::Orders;
use millrace_domain_projects::Projects;
use millrace_gateway::message::{MessageTypes, Sealing, check_metadata, data_problems};
use millrace_kernel::{Command, Datum, Domain, Event, Message, Outcome, id, partition};
use millrace_wire::{Codec, DecodeFailure, Latest, Registry, RegistryFault};
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

/// Numbers as their digits, and without what is null: whoever leaves it out says the same.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => number.to_string().into(),
        Value::Array(all) => all.into_iter().map(plain).collect(),
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, it)| (name, plain(it)))
            .collect(),
        other => other,
    }
}

/// A registry that has what the vectors name, under their ids.
#[derive(Default)]
struct OfVectors {
    ids: Mutex<HashMap<String, u32>>,
    schemas: Mutex<HashMap<u32, String>>,
}

impl Registry for OfVectors {
    fn register(&self, subject: &str, _: &str) -> Result<u32, RegistryFault> {
        panic!("{subject} is not in the vectors")
    }

    fn find(&self, subject: &str, schema: &str) -> Result<Option<u32>, RegistryFault> {
        let id = self.ids.lock().unwrap().get(subject.trim_end_matches("-value")).copied();
        if let Some(id) = id {
            self.schemas.lock().unwrap().insert(id, schema.to_owned());
        }
        Ok(id)
    }

    fn schema(&self, id: u32) -> Result<Option<String>, RegistryFault> {
        Ok(self.schemas.lock().unwrap().get(&id).cloned())
    }

    fn latest(&self, _: &str) -> Result<Option<Latest>, RegistryFault> {
        Ok(None)
    }

    fn is_compatible(&self, _: &str, _: &str) -> Result<bool, RegistryFault> {
        Ok(true)
    }

    fn set_compatibility(&self, _: &str, _: &str) -> Result<(), RegistryFault> {
        Ok(())
    }
}

/// What was read: as vectors have it, the frame that is written of it again, and for messages aggregate and routing key.
struct Shown {
    value: Value,
    framed: Vec<u8>,
    place: Option<(String, String)>,
}

/// Reads a frame of a topic, whatever it holds.
type Decode = Box<dyn Fn(&[u8]) -> Result<Shown, DecodeFailure>>;
/// The frame that a gateway makes of the id, the name and the body of a request.
type Submit = Box<dyn Fn(&str, &str, Value) -> Vec<u8>>;

struct Engine {
    registry: Arc<OfVectors>,
    topics: BTreeMap<String, Decode>,
    gateways: BTreeMap<String, Submit>,
    vectors: Vec<Value>,
}

impl Engine {
    fn new() -> Self {
        let mut engine = Self {
            registry: Arc::default(),
            topics: BTreeMap::new(),
            gateways: BTreeMap::new(),
            vectors: Vec::new(),
        };
        engine.add::<Accounting>();
        engine.add::<Calendar>();
        engine.add::<Chirp>();
        engine.add::<Estimations>();
        engine.add::<Guestbook>();
        engine.add::<Identity>();
        engine.add::<Orders>();
        engine.add::<Projects>();
        engine
    }

    fn codec<T: Datum>(&self, topic: &str, schema: &str) -> Codec<T> {
        let registry: Arc<dyn Registry> = Arc::clone(&self.registry) as _;
        Codec::find(registry, &format!("{topic}-value"), schema).unwrap().expect("the vectors have its id")
    }

    fn add<D: Domain>(&mut self) {
        let file = load(&format!("{}.json", D::NAME));
        for (name, topic) in file["topics"].as_object().unwrap() {
            self.registry
                .ids
                .lock()
                .unwrap()
                .insert(name.clone(), topic["schema_id"].as_u64().unwrap() as u32);
        }
        self.vectors.extend(all(&file).iter().cloned());
        let [commands, events, outcomes] =
            ["commands", "events", "outcomes"].map(|of| format!("{}.{of}", D::NAME));
        let codec = self.codec::<Command<D::Command>>(&commands, D::SCHEMAS.commands);
        let decode: Decode = Box::new(move |framed| {
            let command = codec.decode(framed)?;
            let mut value = json!({"id": command.id, "metadata": command.metadata});
            with_data(&mut value, &command.data);
            Ok(Shown { value, framed: codec.encode(&command).to_vec(), place: placed(&command.data) })
        });
        self.topics.insert(commands.clone(), decode);
        let codec = self.codec::<Event<D::Event>>(&events, D::SCHEMAS.events);
        let decode: Decode = Box::new(move |framed| {
            let event = codec.decode(framed)?;
            let mut value = serde_json::to_value(&event).unwrap();
            with_data(&mut value, &event.data);
            Ok(Shown { value, framed: codec.encode(&event).to_vec(), place: placed(&event.data) })
        });
        self.topics.insert(events, decode);
        let codec = self.codec::<Outcome>(&outcomes, D::SCHEMAS.outcomes);
        let decode: Decode = Box::new(move |framed| {
            let outcome = codec.decode(framed)?;
            let value = serde_json::to_value(&outcome).unwrap();
            let again: Outcome = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(again, outcome);
            Ok(Shown { value, framed: codec.encode(&outcome).to_vec(), place: None })
        });
        self.topics.insert(outcomes, decode);
        let types = MessageTypes::read(D::NAME, D::SCHEMAS.commands).unwrap().sealing(D::SCHEMAS.sealed);
        let codec = self.codec::<Command<D::Command>>(&commands, D::SCHEMAS.commands);
        let submit: Submit = Box::new(move |id, kind, mut body| {
            let metadata = check_metadata(&types.metadata, body["metadata"].take()).unwrap();
            let found = types.get(kind).unwrap();
            let given = body["data"].take();
            let data = match data_problems(found, given.clone(), Sealing::Nowhere) {
                Ok(data) => data,
                // a gateway looks whether a box is as long as one; the vectors have any bytes there
                Err(_) if given.get("sealed_token").is_some() => given,
                Err(problems) => panic!("{kind}: {}", problems[0]),
            };
            let data: D::Command = serde_json::from_value(json!({kind: data})).unwrap();
            codec.encode(&Command { id: id.into(), metadata, data }).to_vec()
        });
        self.gateways.insert(commands, submit);
    }

    fn decode(&self, topic: &str, framed: &[u8]) -> Result<Shown, DecodeFailure> {
        self.topics[topic](framed)
    }
}

/// The data of a message, as vectors have it: beside its type.
fn with_data(value: &mut Value, data: &impl Message) {
    let tagged = serde_json::to_value(data).unwrap();
    let (name, inner) = tagged.as_object().unwrap().iter().next().unwrap();
    value["type"] = name.as_str().into();
    value["data"] = inner.clone();
}

fn placed(data: &impl Message) -> Option<(String, String)> {
    Some((data.aggregate_id().to_string(), data.routing_key().into_owned()))
}

#[test]
fn the_engine_reads_and_writes_the_vectors() {
    let engine = Engine::new();
    assert!(engine.vectors.len() >= 2000);
    for vector in &engine.vectors {
        let name = text(&vector["name"]);
        let framed = unhex(&vector["framed"]);
        let shown = engine.decode(text(&vector["topic"]), &framed);
        let shown = shown.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert_eq!(plain(shown.value), plain(vector["value"].clone()), "{name}");
        assert_eq!(hex(&shown.framed), text(&vector["framed"]), "{name}");
        if let Some((aggregate_id, key)) = shown.place {
            assert_eq!(aggregate_id, text(&vector["aggregate_id"]), "{name}");
            assert_eq!(key, text(&vector["key"]), "{name}");
            for (of, at) in vector["partition"].as_object().unwrap() {
                let found = partition::of_key(key.as_bytes(), of.parse().unwrap());
                assert_eq!(Some(i64::from(found)), at.as_i64(), "{name}");
            }
        }
    }
    for vector in all(&load("ids.json")) {
        let found = match text(&vector["of"]) {
            "event" => id::event_id(text(&vector["message"]), vector["index"].as_u64().unwrap() as usize),
            _ => id::step_id(text(&vector["process"]), text(&vector["step"])),
        };
        assert_eq!(found, text(&vector["id"]), "{vector}");
    }
}

#[test]
fn a_gateway_makes_the_same_bytes_of_the_json() {
    let engine = Engine::new();
    for vector in &engine.vectors {
        let (name, topic) = (text(&vector["name"]), text(&vector["topic"]));
        let json: Value = serde_json::from_str(text(&vector["json"])).unwrap();
        if let Some(submit) = engine.gateways.get(topic) {
            let value = &vector["value"];
            let framed = submit(text(&value["id"]), text(&value["type"]), json);
            assert_eq!(hex(&framed), text(&vector["framed"]), "{name}");
        } else if topic.ends_with(".outcomes") {
            // what a gateway answers is the outcome by the names of its schema
            let shown = engine.decode(topic, &unhex(&vector["framed"])).unwrap();
            assert_eq!(plain(shown.value), plain(json), "{name}");
        }
    }
}

#[test]
fn the_engine_refuses_what_is_no_message() {
    let engine = Engine::new();
    let ids = engine.registry.ids.lock().unwrap().clone();
    for vector in all(&load("invalid.json")) {
        let topic = text(&vector["topic"]);
        let framed = [&[0][..], &ids[topic].to_be_bytes(), &unhex(&vector["bytes"])].concat();
        let refused = engine.decode(topic, &framed);
        assert!(matches!(refused, Err(DecodeFailure::Unreadable(_))), "{}", vector["name"]);
    }
    for vector in &engine.vectors {
        let framed = unhex(&vector["framed"]);
        for cut in 0..framed.len() {
            assert!(
                engine.decode(text(&vector["topic"]), &framed[..cut]).is_err(),
                "{} {cut}",
                vector["name"]
            );
        }
    }
}

#[test]
fn the_engine_reads_what_other_versions_have_written() {
    let engine = Engine::new();
    let file = load("evolution.json");
    for schema in file["schemas"].as_array().unwrap() {
        let id = schema["id"].as_u64().unwrap() as u32;
        engine.registry.schemas.lock().unwrap().insert(id, text(&schema["schema"]).to_owned());
    }
    let mut unknown = 0;
    for vector in all(&file) {
        let name = text(&vector["name"]);
        match (engine.decode(text(&vector["topic"]), &unhex(&vector["framed"])), vector.get("unknown")) {
            (Ok(shown), None) => assert_eq!(plain(shown.value), plain(vector["value"].clone()), "{name}"),
            (Err(DecodeFailure::UnknownType(found)), Some(expected)) => {
                unknown += 1;
                let told = json!({"id": found.id, "type": found.message_type, "metadata": found.metadata});
                let members = ["id", "type", "metadata"].map(|it| (it.to_owned(), expected[it].clone()));
                assert_eq!(plain(told), plain(Value::Object(members.into_iter().collect())), "{name}");
            }
            (Ok(_), Some(_)) => panic!("{name}: it is read, though nothing here has its type"),
            (Err(failure), _) => panic!("{name}: {failure}"),
        }
    }
    assert!(unknown > 20, "{unknown}");
}
