//! What a codec makes of its own bytes, of other versions' and of what is no message.

use std::sync::Arc;

use millrace_kernel::avro::{BadDatum, Input, write_index};
use millrace_kernel::{Command, Datum, Metadata, avro_record};
use millrace_wire::{Codec, DecodeFailure, MemoryRegistry, Registry};

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
    let text = registry.schema(newer.schema_id()).unwrap().unwrap();
    let avro = apache_avro::Schema::parse_str(&text).unwrap();
    let write = |branch: u32, fields: &[(&str, apache_avro::types::Value)]| {
        use apache_avro::types::Value as V;
        let null = || V::Union(0, Box::new(V::Null));
        let names =
            ["trace_id", "user_id", "correlation_id", "causation_id", "issued_at", "expected_version"];
        let metadata = V::Record(names.iter().map(|n| ((*n).to_owned(), null())).collect());
        let data = V::Record(fields.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect());
        let message = V::Record(vec![
            ("id".to_owned(), V::String("c9".to_owned())),
            ("metadata".to_owned(), metadata),
            ("data".to_owned(), V::Union(branch, Box::new(data))),
        ]);
        let writer = apache_avro::writer::datum::GenericDatumWriter::builder(&avro).build().unwrap();
        let mut bytes = vec![0, 0, 0, 0, newer.schema_id() as u8];
        bytes.extend(writer.write_value_to_vec(message).unwrap());
        bytes
    };
    use apache_avro::types::Value as V;
    let fields = [("a", V::String("x".into())), ("b", V::Union(1, Box::new(V::Long(3))))];
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
        (vec![0, 0, 0, 0, 99, 1], "schema id 99 is unknown"),
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
