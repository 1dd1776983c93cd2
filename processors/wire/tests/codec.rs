//! What a codec makes of its own bytes, of other versions' and of what is no message.

use crate::support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use apache_avro::types::Value as V;
use millrace_kernel::avro::{BadDatum, Input, write_index};
use millrace_kernel::{Command, Datum, Metadata, avro_record};
use millrace_wire::{Codec, DecodeFailure, MemoryRegistry, Registry};
use support::Lagging;

#[derive(Clone, Debug, PartialEq)]
struct Pair {
    a: String,
    b: Option<i64>,
}

avro_record!(Pair { a, b });

/// Two messages of one shape: only the branch's name tells them apart.
#[derive(Clone, Debug, PartialEq)]
enum Data {
    Follow(Pair),
    Unfollow(Pair),
}

impl Datum for Data {
    fn write(&self, out: &mut Vec<u8>) {
        let (index, pair) = match self {
            Self::Follow(pair) => (0, pair),
            Self::Unfollow(pair) => (1, pair),
        };
        write_index(index, out);
        pair.write(out);
    }

    fn read(input: &mut Input<'_>) -> Result<Self, BadDatum> {
        match input.index()? {
            0 => Pair::read(input).map(Self::Follow),
            1 => Pair::read(input).map(Self::Unfollow),
            _ => Err(input.bad("neither of the two")),
        }
    }
}

const METADATA: &str = r#"{"type":"record","name":"Metadata","fields":[
  {"name":"trace_id","type":["null","string"],"default":null},
  {"name":"user_id","type":["null","string"],"default":null},
  {"name":"correlation_id","type":["null","string"],"default":null},
  {"name":"causation_id","type":["null","string"],"default":null},
  {"name":"issued_at","type":["null",{"type":"long","logicalType":"timestamp-micros"}],"default":null},
  {"name":"expected_version","type":["null","long"],"default":null}]}"#;

fn schema(name: &str, branches: &[&str]) -> String {
    let branches: Vec<String> = branches
        .iter()
        .map(|branch| {
            let (name, extra) = branch.split_once('+').unwrap_or((branch, ""));
            let extra = if extra.is_empty() {
                String::new()
            } else {
                format!(r#",{{"name":"{extra}","type":"string","default":""}}"#)
            };
            format!(
                r#"{{"type":"record","name":"{name}","fields":[{{"name":"a","type":"string"}},
                {{"name":"b","type":["null","long"],"default":null}}{extra}]}}"#
            )
        })
        .collect();
    format!(
        r#"{{"type":"record","name":"{name}","namespace":"test.commands","fields":[{{"name":"id","type":"string"}},
        {{"name":"metadata","type":{METADATA}}},{{"name":"data","type":[{}]}}]}}"#,
        branches.join(",")
    )
}

fn codec(registry: &Arc<MemoryRegistry>, schema: &str) -> Codec<Command<Data>> {
    Codec::register(Arc::clone(registry) as Arc<dyn Registry>, "t-value", schema).unwrap()
}

/// A command of the schema with this id, as a foreign client writes it.
fn written(registry: &dyn Registry, id: u32, branch: u32, fields: &[(&str, V)]) -> Vec<u8> {
    let avro = apache_avro::Schema::parse_str(&registry.schema(id).unwrap().unwrap()).unwrap();
    let null = || V::Union(0, Box::new(V::Null));
    let names = ["trace_id", "user_id", "correlation_id", "causation_id", "issued_at", "expected_version"];
    let metadata = V::Record(names.iter().map(|n| ((*n).to_owned(), null())).collect());
    let data = V::Record(fields.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect());
    let message = V::Record(vec![
        ("id".to_owned(), V::String("c9".to_owned())),
        ("metadata".to_owned(), metadata),
        ("data".to_owned(), V::Union(branch, Box::new(data))),
    ]);
    let writer = apache_avro::writer::datum::GenericDatumWriter::builder(&avro).build().unwrap();
    let mut bytes = vec![0, 0, 0, 0, id as u8];
    bytes.extend(writer.write_value_to_vec(message).unwrap());
    bytes
}

fn plain_fields() -> [(&'static str, V); 2] {
    [("a", V::String("x".into())), ("b", V::Union(1, Box::new(V::Long(3))))]
}

fn command(data: Data) -> Command<Data> {
    let metadata = Metadata { user_id: Some("u".into()), issued_at: Some(7), ..Metadata::default() };
    Command { id: "c1".into(), metadata, data }
}

fn pair() -> Pair {
    Pair { a: "ä".into(), b: Some(-1) }
}

#[test]
fn own_bytes_come_back_and_carry_the_schema_id() {
    let registry = Arc::new(MemoryRegistry::default());
    let codec = codec(&registry, &schema("Command", &["Follow", "Unfollow"]));
    for data in [Data::Follow(pair()), Data::Unfollow(pair())] {
        let bytes = codec.encode(&command(data.clone()));
        assert_eq!(bytes[..5], [0, 0, 0, 0, codec.schema_id() as u8]);
        assert_eq!(codec.decode(&bytes).unwrap(), command(data));
    }
}

#[test]
fn another_version_is_resolved_by_branch_name() {
    let registry = Arc::new(MemoryRegistry::default());
    let own = codec(&registry, &schema("Command", &["Follow", "Unfollow"]));
    // the branches in another order, with a field more, after a branch that is not known here
    let newer = codec(&registry, &schema("Command", &["Block", "Unfollow+why", "Follow"]));
    let write = |branch: u32, fields: &[(&str, V)]| written(&*registry, newer.schema_id(), branch, fields);
    let fields = plain_fields();
    let with_why = [fields[0].clone(), fields[1].clone(), ("why", V::String("y".into()))];
    let expected = Pair { a: "x".into(), b: Some(3) };
    assert_eq!(own.decode(&write(1, &with_why)).unwrap().data, Data::Unfollow(expected.clone()));
    assert_eq!(own.decode(&write(2, &fields)).unwrap().data, Data::Follow(expected));
    // cut off within the field that only the newer version has
    let whole = write(1, &with_why);
    match own.decode(&whole[..whole.len() - 1]) {
        Err(DecodeFailure::Unreadable(why)) => assert!(why.contains("cut off"), "{why}"),
        other => panic!("half a message is none: {other:?}"),
    }
    match own.decode(&write(0, &fields)) {
        Err(DecodeFailure::UnknownType(unknown)) => assert_eq!(unknown.id, "c9"),
        other => panic!("a newer type must be told apart from bad bytes: {other:?}"),
    }
}

#[test]
fn what_is_no_message_says_why() {
    let registry = Arc::new(MemoryRegistry::default());
    let codec = codec(&registry, &schema("Command", &["Follow", "Unfollow"]));
    let alien = registry.register("x", &schema("Event", &["Follow"])).unwrap() as u8;
    let good = codec.encode(&command(Data::Follow(pair()))).to_vec();
    let id = codec.schema_id() as u8;
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        bytes
    };
    let rows: Vec<(Vec<u8>, &str)> = vec![
        (b"{}".to_vec(), "zero byte"),
        (vec![], "zero byte"),
        (b"{\"type\": \"Follow\"}".to_vec(), "zero byte"),
        (with(&|b| b[4] = alien), "test.commands.Event"),
        (vec![0, 0, 0, 0, id], "test.commands.Command"),
        (with(&|b| b.truncate(b.len() - 1)), "test.commands.Command"),
        (with(&|b| b.push(0)), "left over"),
        (with(&|b| *b.iter_mut().rev().nth(3).unwrap() = 0xff), "test.commands.Command"),
    ];
    for (bytes, word) in rows {
        match codec.decode(&bytes) {
            Err(DecodeFailure::Unreadable(why)) => assert!(why.contains(word), "{why} ({word})"),
            other => panic!("{bytes:?} ({word}): {other:?}"),
        }
    }
}

#[test]
fn a_namespace_makes_no_difference() {
    let registry = Arc::new(MemoryRegistry::default());
    let own = codec(&registry, &schema("Command", &["Follow", "Unfollow"]));
    let theirs = schema("Command", &["Follow", "Unfollow"]).replace("test.commands", "com.acme");
    let id = registry.register("t-value", &theirs).unwrap();
    let read = own.decode(&written(&*registry, id, 1, &plain_fields())).unwrap();
    assert_eq!((read.id.as_str(), read.data), ("c9", Data::Unfollow(Pair { a: "x".into(), b: Some(3) })));
}

#[test]
fn a_name_that_a_type_had_before_is_still_its_name() {
    let registry = Arc::new(MemoryRegistry::default());
    let renamed = schema("Command", &["Follow", "Unfollow"])
        .replace(r#""name":"Follow","#, r#""name":"Follow","aliases":["Watch"],"#);
    let own = codec(&registry, &renamed);
    let id = registry.register("t-value", &schema("Command", &["Watch"])).unwrap();
    let read = own.decode(&written(&*registry, id, 0, &plain_fields())).unwrap();
    assert_eq!(read.data, Data::Follow(Pair { a: "x".into(), b: Some(3) }));
}

/// A record that holds itself, and a value that does so 2,000 times, in 2 KB.
#[test]
fn what_nests_without_end_is_refused() {
    let registry = Arc::new(MemoryRegistry::default());
    let own = codec(&registry, &schema("Command", &["Follow", "Unfollow"]));
    let recursive = r#"{"type":"record","name":"Command","namespace":"test.commands","fields":[
        {"name":"next","type":["null","Command"]}]}"#;
    let id = registry.register("t-value", recursive).unwrap() as u8;
    let bytes = [vec![0, 0, 0, 0, id], vec![2; 2_000], vec![0]].concat();
    match own.decode(&bytes) {
        Err(DecodeFailure::Unreadable(why)) => assert!(why.contains("nested deeper than 64"), "{why}"),
        other => panic!("{other:?}"),
    }
}

/// What the parser behind it would look at for years, or hold many times over.
#[test]
fn a_schema_that_takes_more_than_its_length_is_read_or_refused_at_once() {
    let registry = Arc::new(MemoryRegistry::default());
    let own = codec(&registry, &schema("Command", &["Follow", "Unfollow"]));
    let why = |schema: &str, body: &[u8]| {
        let id = registry.register("t-value", schema).unwrap() as u8;
        match own.decode(&[&[0, 0, 0, 0, id], body].concat()) {
            Err(DecodeFailure::Unreadable(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    // Each record has two fields of the one before, whose defaults leave everything to its own defaults: 2^40 ways.
    let mut fields = r#"{"name":"f0","type":{"type":"record","name":"R0","fields":[]}}"#.to_owned();
    for level in 1..40 {
        let below = format!(r#""type":"R{}","default":{{}}"#, level - 1);
        fields += &format!(
            r#",{{"name":"f{level}","default":{{}},"type":{{"type":"record","name":"R{level}","fields":[
                {{"name":"a",{below}}},{{"name":"b",{below}}}]}}}}"#
        );
    }
    let defaults =
        format!(r#"{{"type":"record","name":"Command","namespace":"test.commands","fields":[{fields}]}}"#);
    assert!(why(&defaults, &[]).contains("more than 10000 values"), "{}", why(&defaults, &[]));
    // A record that is kept once more under each of its aliases.
    let aliases: Vec<String> = (0..20_000).map(|n| format!("\"A{n}\"")).collect();
    let fields: Vec<String> = (0..1_000).map(|n| format!(r#"{{"name":"f{n}","type":"null"}}"#)).collect();
    let many = format!(
        r#"{{"type":"record","name":"Command","namespace":"test.commands","aliases":[{}],"fields":[{}]}}"#,
        aliases.join(","),
        fields.join(",")
    );
    assert!(why(&many, &[]).contains("too deeply"), "{}", why(&many, &[]));
}

/// A number of any length says its length again within its bytes.
#[test]
fn a_length_within_a_value_makes_no_room() {
    let registry = Arc::new(MemoryRegistry::default());
    let own = codec(&registry, &schema("Command", &["Follow", "Unfollow"]));
    assert_eq!(apache_avro::util::max_allocation_bytes(usize::MAX), 128 << 20, "of any value at once");
    let decimal = r#"{"type":"record","name":"Command","namespace":"test.commands","fields":[
        {"name":"d","type":{"type":"bytes","logicalType":"big-decimal"}}]}"#;
    let id = registry.register("t-value", decimal).unwrap() as u8;
    let bytes = [0, 0, 0, 0, id, 10, 0x80, 0x80, 0x80, 0x80, 0x01];
    match own.decode(&bytes) {
        Err(DecodeFailure::Unreadable(why)) => assert!(why.ends_with("it is cut off"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_schema_of_another_subject_is_not_this_topics() {
    let registry = Arc::new(MemoryRegistry::default());
    let own = codec(&registry, &schema("Command", &["Follow", "Unfollow"]));
    let newer = schema("Command", &["Follow", "Unfollow+why"]);
    let id = registry.register("somewhere-else", &newer).unwrap();
    let bytes = written(&*registry, id, 0, &plain_fields());
    match own.decode(&bytes) {
        Err(DecodeFailure::NotYet { id: told, why }) => {
            assert_eq!(told, id);
            assert!(why.contains("registered under somewhere-else, not under t-value"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    // it may become one
    registry.register("t-value", &newer).unwrap();
    own.ask_again(&[id]).unwrap();
    assert_eq!(own.decode(&bytes).unwrap().data, Data::Follow(Pair { a: "x".into(), b: Some(3) }));
}

#[test]
fn a_registry_that_cannot_tell_subjects_is_believed_by_the_name() {
    let registry = Arc::new(Lagging::default());
    registry.tells_subjects.store(false, Ordering::SeqCst);
    let own = lagging_codec(&registry);
    let id = registry.register("somewhere-else", &schema("Command", &["Follow"])).unwrap();
    assert!(own.decode(&written(&registry.inner, id, 0, &plain_fields())).is_ok());
}

fn lagging_codec(registry: &Arc<Lagging>) -> Codec<Command<Data>> {
    let schema = schema("Command", &["Follow", "Unfollow"]);
    Codec::register(Arc::clone(registry) as Arc<dyn Registry>, "t-value", &schema).unwrap()
}

#[test]
fn an_id_that_is_not_known_yet_is_told_apart_and_asked_for_again_when_told() {
    let registry = Arc::new(Lagging::default());
    let own = lagging_codec(&registry);
    registry.lags.store(true, Ordering::SeqCst);
    let id = registry.register("t-value", &schema("Command", &["Follow"])).unwrap();
    let bytes = written(&registry.inner, id, 0, &plain_fields());
    for _ in 0..1_000 {
        match own.decode(&bytes) {
            Err(DecodeFailure::NotYet { id: told, why }) => {
                assert_eq!(told, id);
                assert!(why.contains("is unknown to the registry"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(registry.asked.load(Ordering::SeqCst), 1, "it is remembered for a while");
    registry.lags.store(false, Ordering::SeqCst);
    own.ask_again(&[id, 77]).unwrap();
    assert!(own.decode(&bytes).is_ok());
    assert_eq!(registry.asked.load(Ordering::SeqCst), 3);
}

#[test]
fn a_slow_answer_for_one_id_holds_up_nobody_else() {
    let registry = Arc::new(Lagging::default());
    let own = Arc::new(lagging_codec(&registry));
    let known = registry.register("t-value", &schema("Command", &["Follow"])).unwrap();
    let good = written(&registry.inner, known, 0, &plain_fields());
    own.decode(&good).unwrap();
    let held = registry.hold(99);
    let (told, tells) = mpsc::channel();
    let garbage = std::thread::spawn({
        let own = Arc::clone(&own);
        move || own.decode(&[0, 0, 0, 0, 99, 1]).unwrap_err()
    });
    held.wait_until_asked();
    let other = std::thread::spawn(move || told.send(own.decode(&good).is_ok()));
    assert_eq!(
        tells.recv_timeout(Duration::from_secs(10)),
        Ok(true),
        "no lock is held while the registry is asked"
    );
    drop(held);
    assert!(matches!(garbage.join().unwrap(), DecodeFailure::NotYet { id: 99, .. }));
    other.join().unwrap().unwrap();
}
