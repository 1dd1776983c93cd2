//! One row per rule of Avro's schema resolution, read like its specification.

use super::compat::{Level, Steps, unreadable};
use super::schema::AvroSchema;

fn schema(text: &str) -> AvroSchema {
    AvroSchema::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn reads(reader: &str, writer: &str) -> bool {
    unreadable(&schema(reader), &schema(writer)).unwrap().is_empty()
}

fn problems(level: Level, new: &AvroSchema, old: &AvroSchema) -> Vec<String> {
    level.problems(new, old, &mut Steps::default()).unwrap()
}

fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","namespace":"n","fields":[{fields}]}}"#)
}

#[test]
fn primitives_promote_one_way() {
    let order = ["int", "long", "float", "double"];
    for (i, from) in order.iter().enumerate() {
        for (j, to) in order.iter().enumerate() {
            assert_eq!(reads(&format!("\"{to}\""), &format!("\"{from}\"")), i <= j, "{from} as {to}");
        }
    }
    assert!(reads(r#""string""#, r#""bytes""#) && reads(r#""bytes""#, r#""string""#));
    assert!(!reads(r#""string""#, r#""int""#) && !reads(r#""null""#, r#""boolean""#));
    assert!(reads(r#"{"type":"long","logicalType":"timestamp-micros"}"#, r#""long""#));
}

#[test]
fn fields_come_and_go_with_defaults() {
    let a = r#"{"name":"a","type":"int"}"#;
    let b = r#"{"name":"b","type":"int"}"#;
    let b_default = r#"{"name":"b","type":"int","default":0}"#;
    let b_null = r#"{"name":"b","type":["null","int"],"default":null}"#;
    let renamed = r#"{"name":"c","aliases":["b"],"type":"int"}"#;
    let rows = [
        // reader, writer, readable
        (format!("{a},{b}"), a.to_owned(), false),
        (format!("{a},{b_default}"), a.to_owned(), true),
        (format!("{a},{b_null}"), a.to_owned(), true),
        (a.to_owned(), format!("{a},{b}"), true),
        (format!("{a},{renamed}"), format!("{a},{b}"), true),
        (format!("{a},{b}"), format!("{a},{renamed}"), false), // a writer's aliases do not count
        (format!("{a},{b_null}"), format!("{a},{b}"), true),
        (format!("{a},{b}"), format!("{a},{b_null}"), false),
    ];
    for (reader, writer, readable) in rows {
        assert_eq!(reads(&record(&reader), &record(&writer)), readable, "{reader} reads {writer}");
    }
}

#[test]
fn unions_read_what_they_have_branches_for() {
    let rows = [
        (r#"["null","int","string"]"#, r#"["null","int"]"#, true),
        (r#"["null","int"]"#, r#"["null","int","string"]"#, false),
        (r#"["null","long"]"#, r#"["null","int"]"#, true),
        (r#"["null","int"]"#, r#""int""#, true),
        (r#""int""#, r#"["null","int"]"#, false),
        (r#""long""#, r#"["int"]"#, true),
        (r#""string""#, r#"["string","bytes"]"#, true),
    ];
    for (reader, writer, readable) in rows {
        assert_eq!(reads(reader, writer), readable, "{reader} reads {writer}");
    }
}

/// An envelope with a union of messages, as commands and events are.
fn envelope(messages: &[&str]) -> AvroSchema {
    let branches: Vec<String> = messages
        .iter()
        .map(|name| {
            format!(r#"{{"type":"record","name":"{name}","fields":[{{"name":"id","type":"string"}}]}}"#)
        })
        .collect();
    schema(&record(&format!(r#"{{"name":"data","type":[{}]}}"#, branches.join(","))))
}

#[test]
fn a_new_message_is_backward_only() {
    let old = envelope(&["Post", "Follow"]);
    let new = envelope(&["Post", "Follow", "Like"]);
    for (level, allowed) in [
        (Level::None, true),
        (Level::Backward, true),
        (Level::BackwardTransitive, true),
        (Level::Forward, false),
        (Level::ForwardTransitive, false),
        (Level::Full, false),
        (Level::FullTransitive, false),
    ] {
        let found = problems(level, &new, &old);
        assert_eq!(found.is_empty(), allowed, "{level}: {found:?}");
    }
    let found = problems(Level::Full, &new, &old);
    assert_eq!(found, ["FORWARD: /data: the reader's union lacks the branch record n.Like"]);
    // Taking a message away is the mirror image.
    assert!(!problems(Level::Backward, &old, &new).is_empty());
    assert!(problems(Level::Forward, &old, &new).is_empty());
}

#[test]
fn a_changed_message_in_a_union_is_named_with_its_field() {
    let old = schema(r#"[{"type":"record","name":"A","fields":[]},"null"]"#);
    let new = schema(r#"[{"type":"record","name":"A","fields":[{"name":"x","type":"int"}]},"null"]"#);
    assert_eq!(
        problems(Level::Backward, &new, &old),
        ["BACKWARD: /x: the reader's field has no default and the writer lacks it"]
    );
}

#[test]
fn enums_need_their_symbols_or_a_default() {
    let small = r#"{"type":"enum","name":"E","symbols":["a","b"]}"#;
    let large = r#"{"type":"enum","name":"E","symbols":["a","b","c"]}"#;
    let default = r#"{"type":"enum","name":"E","symbols":["a","b"],"default":"a"}"#;
    assert!(reads(large, small));
    assert!(!reads(small, large));
    assert!(reads(default, large));
}

#[test]
fn names_and_aliases_of_types_count() {
    let fixed = |name: &str, rest: &str| format!(r#"{{"type":"fixed","name":"{name}","size":4{rest}}}"#);
    assert!(reads(&fixed("a.F", ""), &fixed("b.F", "")), "namespaces do not count");
    assert!(!reads(&fixed("G", ""), &fixed("F", "")));
    assert!(reads(&fixed("a.G", r#","aliases":["F"]"#), &fixed("a.F", "")));
    assert!(
        !reads(&fixed("a.G", r#","aliases":["F"]"#), &fixed("b.F", "")),
        "an alias is in its type's namespace"
    );
    assert!(!reads(r#"{"type":"fixed","name":"F","size":5}"#, &fixed("F", "")));
}

#[test]
fn a_type_is_the_same_wherever_it_is_defined() {
    let point = r#"{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}"#;
    let longer =
        r#"{"type":"record","name":"P","fields":[{"name":"x","type":"int"},{"name":"y","type":"int"}]}"#;
    let two = |first: &str, second: &str| {
        record(&format!(
            r#"{{"name":"a","type":{first},"default":{{"x":0,"y":0}}}},{{"name":"b","type":{second}}}"#
        ))
    };
    let only_b = |b: &str| record(&format!(r#"{{"name":"b","type":{b}}}"#));
    // In one schema `b` is a name, in the other the definition.
    assert!(reads(&two(point, r#""P""#), &only_b(point)));
    // Both are names in the reader, and what stands behind them differs.
    assert!(!reads(&two(longer, r#""P""#), &only_b(point)));
}

#[test]
fn recursive_types_end() {
    let tree = |extra: &str| {
        format!(
            r#"{{"type":"record","name":"T","fields":[{{"name":"next","type":["null","T"]}},
               {{"name":"all","type":{{"type":"array","items":"T"}}}}{extra}]}}"#
        )
    };
    let wide = tree(r#",{"name":"m","type":{"type":"map","values":"long"},"default":{}}"#);
    assert!(reads(&wide, &tree("")));
    assert!(reads(&tree(""), &wide));
    assert!(!reads(&tree(r#",{"name":"v","type":"int"}"#), &tree("")));
}

#[test]
fn levels_have_names() {
    for name in [
        "NONE",
        "BACKWARD",
        "BACKWARD_TRANSITIVE",
        "FORWARD",
        "FORWARD_TRANSITIVE",
        "FULL",
        "FULL_TRANSITIVE",
    ] {
        let level: Level = name.parse().unwrap();
        assert_eq!(level.to_string(), name);
        assert_eq!(serde_json::to_string(&level).unwrap(), format!("\"{name}\""));
    }
    assert!("SIDEWAYS".parse::<Level>().is_err());
}
