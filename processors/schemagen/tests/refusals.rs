//! What schemagen refuses, with the file and the field in its message.

use std::fs;
use std::path::{Path, PathBuf};

use millrace_schemagen::generate;

/// A copy of chirp's schemas with one file changed.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(file: &str, from: &str, to: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = tempfile::tempdir().unwrap();
        let schemas = folder.path().join("schemas/chirp");
        fs::create_dir_all(&schemas).unwrap();
        fs::create_dir_all(folder.path().join("topics")).unwrap();
        fs::copy(root.join("topics/chirp.toml"), folder.path().join("topics/chirp.toml")).unwrap();
        for entry in fs::read_dir(root.join("schemas/chirp")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let mut text = fs::read_to_string(&path).unwrap();
            if name == file {
                assert!(text.contains(from), "{file} has {from}");
                text = text.replacen(from, to, 1);
            }
            fs::write(schemas.join(name), text).unwrap();
        }
        Self(folder)
    }

    fn schemas(&self) -> PathBuf {
        self.0.path().join("schemas/chirp")
    }

    fn refusal(&self) -> String {
        generate(&self.schemas(), &self.0.path().join("out.rs")).unwrap_err().to_string()
    }
}

#[test]
fn what_is_wrong_is_named() {
    let rows = [
        ("commands.avsc", "\"record\"", "\"record", "commands.avsc", "not JSON"),
        ("commands.avsc", "\"name\": \"Command\"", "\"name\": \"Cmd\"", "Cmd", "expected Command"),
        ("commands.avsc", "millrace.chirp.commands", "millrace.chirp", "commands.avsc", "namespace"),
        (
            "commands.avsc",
            "\"name\": \"trace_id\"",
            "\"name\": \"trace\"",
            "Metadata.trace_id",
            "trace stands",
        ),
        (
            "commands.avsc",
            "\"name\": \"id\", \"type\": \"string\"",
            "\"name\": \"id\", \"type\": \"long\"",
            "Command.id",
            "is long, expected string",
        ),
        (
            "commands.avsc",
            "[\"null\", \"string\"], \"default\": null",
            "[\"null\", \"string\"]",
            "Metadata.trace_id",
            "\"default\": null",
        ),
        (
            "commands.avsc",
            "\"doc\": \"Publish a chirp. Routing key: author_id.\"",
            "\"doc\": \" \"",
            "PostChirp",
            "doc",
        ),
        (
            "commands.avsc",
            "\"name\": \"content\", \"type\": \"string\"",
            "\"name\": \"content\", \"type\": \"bytes\"",
            "PostChirp.content",
            "bytes",
        ),
        (
            "commands.avsc",
            "\"name\": \"content\", \"type\": \"string\"",
            "\"name\": \"content\", \"type\": \"Content\"",
            "PostChirp.content",
            "not defined",
        ),
        (
            "commands.avsc",
            "\"name\": \"PostChirp\"",
            "\"name\": \"RegisterUser\"",
            "RegisterUser",
            "defined twice",
        ),
        (
            "steps.avsc",
            "\"name\": \"positions\"",
            "\"name\": \"places\"",
            "ProcessContext.positions",
            "places stands",
        ),
        (
            "events.avsc",
            "\"name\": \"version\", \"type\": \"long\"",
            "\"name\": \"version\", \"type\": \"int\"",
            "Event.version",
            "expected long",
        ),
        ("events.avsc", "timestamp-micros", "timestamp-millis", "events.avsc", "timestamp-millis"),
        ("state.avsc", "\"name\": \"process\"", "\"name\": \"processes\"", "State.process", "missing"),
        (
            "state.avsc",
            "\"name\": \"command_type\"",
            "\"name\": \"kind\"",
            "Process.command_type",
            "kind stands",
        ),
        ("state.avsc", "\"name\": \"inbox\"", "\"name\": \"inboxes\"", "State.inbox", "missing"),
        ("state.avsc", "\"name\": \"newest\"", "\"name\": \"last\"", "ParkedKey.newest", "last stands"),
        (
            "steps.avsc",
            "\"name\": \"sequence\"",
            "\"name\": \"number\"",
            "StepSource.sequence",
            "number stands",
        ),
        (
            "outcomes.avsc",
            "\"symbols\": [\"accepted\"",
            "\"symbols\": [\"ok\"",
            "Outcome.status",
            "accepted, rejected",
        ),
        (
            "outcomes.avsc",
            "\"name\": \"duplicate\", \"type\": \"boolean\"",
            "\"name\": \"duplicate\", \"type\": \"int\"",
            "Outcome.duplicate",
            "boolean",
        ),
        (
            "lookup.avsc",
            "\"name\": \"version\"",
            "\"name\": \"revision\"",
            "Lookup.version",
            "revision stands",
        ),
        ("views.cql", "username text, -- The name", "username blob, -- The name", "views.cql", "blob"),
    ];
    for (file, from, to, place, word) in rows {
        let refusal = Folder::with(file, from, to).refusal();
        assert!(refusal.starts_with(file), "{refusal}");
        assert!(refusal.contains(place) && refusal.contains(word), "{refusal} (expected {place}, {word})");
    }
}

#[test]
fn a_field_too_many_is_named() {
    let extra =
        "{\"name\": \"extra\", \"type\": \"string\", \"doc\": \"More.\"}, {\"name\": \"aggregate_id\"";
    let refusal = Folder::with("lookup.avsc", "{\"name\": \"aggregate_id\"", extra).refusal();
    assert!(refusal.contains("Lookup.aggregate_id") && refusal.contains("extra stands"), "{refusal}");
}

#[test]
fn a_missing_file_is_named() {
    for file in ["steps.avsc", "views.cql"] {
        let folder = Folder::with("", "", "");
        fs::remove_file(folder.schemas().join(file)).unwrap();
        assert!(folder.refusal().contains(file), "{}", folder.refusal());
    }
    let folder = Folder::with("", "", "");
    fs::remove_file(folder.0.path().join("topics/chirp.toml")).unwrap();
    assert!(folder.refusal().contains("chirp.toml"), "{}", folder.refusal());
}

#[test]
fn a_new_kind_of_aggregate_and_all_types_are_fine() {
    let kind = r#"{"name": "badge", "default": null, "doc": "Badge/<id>.", "type": ["null", {
        "type": "record", "name": "Badge", "doc": "A badge.", "fields": [
          {"name": "type", "type": {"type": "enum", "name": "Colour", "doc": "Which.", "symbols": ["RED", "dark_blue"]}, "doc": "Its colour."},
          {"name": "weight", "type": ["null", "double"], "default": null, "doc": "In <grams> [g]."},
          {"name": "owners", "type": {"type": "array", "items": "Colour"}, "doc": "Whose."}
        ]}]},
      {"name": "process","#;
    let folder = Folder::with("state.avsc", "\"name\": \"process\",", "\"name\": \"process\",");
    let path = folder.schemas().join("state.avsc");
    let text = fs::read_to_string(&path).unwrap();
    let place = text.find("\"name\": \"process\",").unwrap();
    let begin = text[..place].rfind('{').unwrap();
    fs::write(
        &path,
        format!("{}{}{}", &text[..begin], kind, &text[place + "\"name\": \"process\",".len()..]),
    )
    .unwrap();
    let out = folder.0.path().join("out.rs");
    generate(&folder.schemas(), &out).unwrap();
    let code = fs::read_to_string(out).unwrap();
    for part in [
        "Badge(Badge)",
        "pub r#type: Colour",
        "pub weight: Option<f64>",
        "pub owners: Vec<Colour>",
        "DarkBlue,",
        "Red,",
    ] {
        assert!(code.contains(part), "{part} in\n{code}");
    }
}
