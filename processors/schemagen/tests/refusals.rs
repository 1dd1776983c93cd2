//! What schemagen refuses, with the file, the record and the way out in its message.

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
            if path.is_dir() {
                continue;
            }
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

    fn generate(&self) -> Result<String, String> {
        let out = self.0.path().join("out.rs");
        generate(&self.schemas(), None, &out).map_err(|error| error.to_string())?;
        Ok(fs::read_to_string(out).unwrap())
    }

    fn refusal(&self) -> String {
        self.generate().unwrap_err()
    }
}

/// Each row: what is changed in which file, and what the message must say: the place, and the way out.
fn refused(file: &str, rows: &[(&str, &str, &str, &str)]) {
    for (from, to, place, way_out) in rows {
        let refusal = Folder::with(file, from, to).refusal();
        assert!(refusal.starts_with(file), "{refusal}");
        assert!(
            refusal.contains(place) && refusal.contains(way_out),
            "{refusal} (expected {place}, {way_out})"
        );
    }
}

const POST: &str = "\"aggregate\": \"Chirp/{author_id}/{chirp_id}\"";
const CHIRP_ID: &str = "\"name\": \"chirp_id\", \"type\": \"string\"";
const CONTENT: &str = "\"name\": \"content\", \"type\": \"string\", \"maxLength\": 280";

#[test]
fn files_that_hold_no_records_are_refused() {
    refused(
        "commands.avsc",
        &[
            ("[", "", "commands.avsc", "not JSON"),
            ("\"record\"", "\"record", "commands.avsc", "not JSON"),
            ("\"type\": \"record\"", "\"type\": \"enum\"", "entry 1", "defined in place"),
            ("\"name\": \"PostChirp\"", "\"name\": \"RegisterUser\"", "RegisterUser", "defined twice"),
            ("\"name\": \"PostChirp\"", "\"name\": \"Metadata\"", "record Metadata", "choose another name"),
            (
                "\"name\": \"PostChirp\"",
                "\"name\": \"CommandData\"",
                "record CommandData",
                "choose another name",
            ),
            ("\"doc\": \"Publish a chirp. Routing key: author_id.\"", "\"doc\": \" \"", "PostChirp", "doc"),
            (
                CHIRP_ID,
                "\"name\": \"chirp_id\", \"type\": \"string\", \"personal\": \"author_id\"",
                "PostChirp.chirp_id",
                "key by an id that says nothing",
            ),
            (
                CONTENT,
                "\"name\": \"content\", \"type\": {\"type\": \"map\", \"values\": \"string\"}",
                "PostChirp.content",
                "there are string, bytes, long",
            ),
            (
                CONTENT,
                "\"name\": \"content\", \"type\": \"Content\"",
                "PostChirp.content",
                "not defined before",
            ),
            (
                CONTENT,
                "\"name\": \"content\", \"type\": {\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}",
                "PostChirp.content",
                "timestamp-millis is not supported",
            ),
            (
                CONTENT,
                "\"name\": \"content\", \"type\": [\"null\", \"string\"]",
                "PostChirp.content",
                "needs \"default\": null",
            ),
        ],
    );
    let whole = r#"{"type": "record", "name": "Command", "fields": []}"#;
    let folder = Folder::with("", "", "");
    fs::write(folder.schemas().join("commands.avsc"), whole).unwrap();
    assert!(folder.refusal().contains("what was in its union `data`"), "{}", folder.refusal());
    fs::write(folder.schemas().join("commands.avsc"), "[]").unwrap();
    assert!(folder.refusal().contains("at least one"), "{}", folder.refusal());
    refused(
        "views.cql",
        &[
            ("username text, -- The name", "username blob, -- The name", "views.cql", "blob"),
            ("Bound: one row for each whom one", "One row for each whom one", "following_by_user", "Bound:"),
        ],
    );
}

#[test]
fn a_wrong_aggregate_is_refused() {
    let aggregate = |text: &str| format!("\"aggregate\": {text}");
    let rows = [
        (
            "\"Chirp/{autor_id}/{chirp_id}\"",
            "names {autor_id}",
            "its fields are chirp_id, author_id, content",
        ),
        ("[\"Chirp/{author_id}\", \"User/{author_id}\"]", "two routing keys", "a step of a process"),
        ("\"Chirp/{author_id}{chirp_id}\"", "two routing keys", "Chirp/{author_id}/{chirp_id}"),
        ("\"Chirp/{author_id}/{author_id}\"", "stands in it twice", "Chirp/{author_id}/{chirp_id}"),
        ("\"Chirp\"", "no field", "Chirp/{author_id}/{chirp_id}"),
        ("\"Chirp/author_id\"", "no field in braces", "Chirp/{author_id}/{chirp_id}"),
        ("\"Chirp/{}\"", "no field in braces", "Chirp/{author_id}/{chirp_id}"),
        ("\"chirp/{author_id}/{chirp_id}\"", "no kind of aggregate", "named like a record"),
        (
            "\"Chrip/{author_id}/{chirp_id}\"",
            "is of kind Chrip",
            "it has User, Username, Chirp, FollowRelationship",
        ),
        (
            "\"Inbox/{author_id}/{chirp_id}\"",
            "the engine keeps its own under Inbox",
            "Chirp/{author_id}/{chirp_id}",
        ),
        ("\"Chirp/{author_id|upper}\"", "|upper is not known", "only |lower is"),
        ("7", "is 7", "Chirp/{author_id}/{chirp_id}"),
    ];
    for file in ["commands.avsc", "events.avsc"] {
        for (text, what, way_out) in rows {
            refused(
                file,
                &[(POST, &aggregate(text), "record", what), (POST, &aggregate(text), what, way_out)],
            );
        }
        refused(
            file,
            &[(&format!("{POST},"), "", "\"aggregate\" is missing", "Chirp/{author_id}/{chirp_id}")],
        );
    }
    refused(
        "steps.avsc",
        &[("{username|lower}", "{user}", "record ClaimUsername", "its fields are user_id, username")],
    );
    let long = "\"name\": \"author_id\", \"type\": \"long\"";
    let from = "\"name\": \"author_id\", \"type\": \"string\"";
    refused("events.avsc", &[(from, long, "field ChirpPosted.author_id", "a long cannot be keyed")]);
    let nullable = "\"name\": \"author_id\", \"default\": null, \"type\": [\"null\", \"string\"]";
    refused("events.avsc", &[(from, nullable, "ChirpPosted.author_id", "are of type string")]);
}

#[test]
fn a_wrong_annotation_is_refused() {
    let content = |rest: &str| format!("\"name\": \"content\", {rest}");
    let text = |rest: &str| content(&format!("\"type\": \"string\"{rest}"));
    let on_post = |rest: &str| format!("{POST}, {rest}");
    let place = "field PostChirp.content";
    refused(
        "commands.avsc",
        &[
            (CONTENT, &text(""), place, "every text of a command has a limit"),
            (CONTENT, &text(", \"maxlength\": 280"), place, "nobody knows \"maxlength\"; there are"),
            (CONTENT, &text(", \"maxLength\": 0"), place, "a whole number from 1"),
            (CONTENT, &text(", \"maxLength\": \"280\""), place, "a whole number from 1"),
            (
                CONTENT,
                &content("\"type\": \"long\", \"maxLength\": 280"),
                place,
                "is for texts, and this is long",
            ),
            (CONTENT, &text(", \"id\": true, \"maxLength\": 65"), place, "at most 64"),
            (CONTENT, &text(", \"id\": \"yes\""), place, "write true, or leave it out"),
            (CONTENT, &content("\"type\": \"long\", \"id\": true"), place, "is for texts, and this is long"),
            (
                CONTENT,
                &format!("{CONTENT}, \"personal\": \"user_id\""),
                place,
                "it may be chirp_id, author_id",
            ),
            (CONTENT, &format!("{CONTENT}, \"personal\": \"content\""), place, "names the field itself"),
            (CONTENT, &format!("{CONTENT}, \"personal\": true"), place, "such as \"user_id\""),
            (CONTENT, &format!("{CONTENT}, \"secret\": false"), place, "write true, or leave it out"),
            (POST, &on_post("\"failure\": \"post failed\""), "record PostChirp", "write a name such as"),
            (POST, &on_post("\"lookup\": true"), "record PostChirp", "move it to the record in state.avsc"),
            (
                POST,
                &on_post("\"routingKey\": \"author_id\""),
                "record PostChirp",
                "nobody knows \"routingKey\"",
            ),
            (POST, &on_post("\"namespace\": \"a.b\""), "record PostChirp", "leave it out"),
        ],
    );
    let on_event = on_post("\"failure\": \"PostFailed\"");
    refused("events.avsc", &[(POST, &on_event, "record ChirpPosted", "move it to commands.avsc")]);
    let secret = "\"name\": \"content\", \"type\": \"string\", \"secret\": true";
    let plain = "\"name\": \"content\", \"type\": \"string\"";
    refused("events.avsc", &[(plain, secret, "field ChirpPosted.content", "leave the field out here")]);
    refused("state.avsc", &[(plain, secret, "field Chirp.content", "leave the field out here")]);
    refused(
        "state.avsc",
        &[
            ("\"lookup\": true", "\"lookup\": \"yes\"", "record User", "write true, or leave it out"),
            ("\"name\": \"User\"", "\"name\": \"Inbox\"", "record Inbox", "choose another name"),
            ("\"name\": \"User\"", "\"name\": \"Revision\"", "record Revision", "choose another name"),
        ],
    );
}

/// The kind of a command's aggregate that has no state is named with the command, in the file of the command.
#[test]
fn a_kind_without_state_is_named_where_it_is_used() {
    let refusal = Folder::with("state.avsc", "\"name\": \"User\"", "\"name\": \"Person\"").refusal();
    assert!(
        refusal.starts_with("commands.avsc: record RegisterUser") && refusal.contains("Person"),
        "{refusal}"
    );
}

#[test]
fn what_is_inside_a_message_is_no_message() {
    let inner = r#""name": "content", "type": {"type": "record", "name": "Content", "aggregate": "Chirp/{text}", "doc": "What.", "fields": [{"name": "text", "type": "string", "maxLength": 3, "doc": "It."}]}"#;
    refused("commands.avsc", &[(CONTENT, inner, "record Content", "no message")]);
    let unlimited = inner.replace("\"aggregate\": \"Chirp/{text}\", ", "").replace(", \"maxLength\": 3", "");
    refused(
        "commands.avsc",
        &[(CONTENT, &unlimited, "field Content.text", "every text of a command has a limit")],
    );
}

#[test]
fn a_missing_file_is_named() {
    for file in ["commands.avsc", "events.avsc", "state.avsc", "views.cql"] {
        let folder = Folder::with("", "", "");
        fs::remove_file(folder.schemas().join(file)).unwrap();
        assert!(folder.refusal().contains(file), "{}", folder.refusal());
    }
}

/// Where topics are not declared, they are what the schemas need.
#[test]
fn topics_may_be_left_to_the_engine() {
    let folder = Folder::with("state.avsc", "\"lookup\": true, ", "");
    fs::remove_file(folder.0.path().join("topics/chirp.toml")).unwrap();
    let code = folder.generate().unwrap();
    assert!(code.contains("[topics.steps]") && !code.contains("user.lookup"), "{code}");
}

#[test]
fn steps_and_lookups_may_be_absent() {
    let folder = Folder::with("state.avsc", "\"lookup\": true, ", "");
    fs::remove_file(folder.schemas().join("steps.avsc")).unwrap();
    let code = folder.generate().unwrap();
    for part in ["pub type StepData = ::millrace_kernel::NoStep;", "steps: None,", "lookup: None,", "= &[];"]
    {
        assert!(code.contains(part), "{part} in\n{code}");
    }
}

#[test]
fn a_new_kind_of_aggregate_and_all_types_are_fine() {
    let kind = r#"[{"type": "record", "name": "Badge", "aggregate": "Badge/<colour>", "doc": "A badge.", "fields": [
          {"name": "type", "type": {"type": "enum", "name": "Colour", "doc": "Which.", "symbols": ["RED", "dark_blue"]}, "doc": "Its colour."},
          {"name": "weight", "type": ["null", "double"], "default": null, "doc": "In <grams> [g]."},
          {"name": "owners", "type": {"type": "array", "items": "Colour"}, "doc": "Whose."}
        ]},"#;
    let code = Folder::with("state.avsc", "[", kind).generate().unwrap();
    for part in [
        "Badge(Badge)",
        "/// Badge/\\<colour>.",
        "pub r#type: Colour",
        "pub weight: Option<f64>",
        "pub owners: Vec<Colour>",
        "DarkBlue,",
        "Red,",
    ] {
        assert!(code.contains(part), "{part} in\n{code}");
    }
}
