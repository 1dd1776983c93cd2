//! Breaks that are planted, each of which is refused with the message, the field and the way out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use millrace_release::version::Version;
use millrace_release::{api, changelog, record, schemas, tree, vectors, versions};

/// What the copies are released as.
const RELEASED: &str = "0.1.0";
/// What is to be released of them next, which says that no program has to be changed.
const NEXT: &str = "0.1.1";

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            // what is built, and what is not the package's own
            let skipped =
                ["node_modules", "dist", "build", "__pycache__", ".mypy_cache", "released", "target"];
            if !skipped.iter().any(|it| name == *it) {
                copy(&entry.path(), &to.join(name));
            }
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

/// A copy of what a release is about, released as 0.1.0.
struct Copy {
    folder: tempfile::TempDir,
}

impl Copy {
    fn of(parts: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = tempfile::tempdir().unwrap();
        for part in parts {
            let to = folder.path().join(part);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            copy(&root.join(part), &to);
        }
        let copy = Self { folder };
        copy.write(
            "CHANGELOG.md",
            "# Changelog\n\n## Unreleased\n\n- New.\n\n## 0.1.0, 2026-01-01\n\n- Old.\n",
        );
        copy
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        fs::write(self.at(name), text).unwrap();
    }

    /// Replaces `old`, which must be there.
    fn edit(&self, name: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.at(name)).unwrap();
        assert!(text.contains(old), "{name} has no {old}");
        fs::write(self.at(name), text.replacen(old, new, 1)).unwrap();
    }

    /// Edits a registered schema as JSON.
    fn schema(&self, name: &str, edit: impl FnOnce(&mut serde_json::Value)) {
        let path = self.at(name);
        let mut schema = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        edit(&mut schema);
        fs::write(path, serde_json::to_string_pretty(&schema).unwrap()).unwrap();
    }
}

/// Holds that all of `words` are in one of the refusals.
fn refused(what: &str, refusals: &[String], words: &[&str]) {
    let all = refusals.join("\n- ");
    assert!(
        refusals.iter().any(|why| words.iter().all(|word| why.contains(word))),
        "{what}: {words:?} are not said:\n- {all}"
    );
}

fn fields<'a>(schema: &'a mut serde_json::Value, message: &str) -> &'a mut Vec<serde_json::Value> {
    let data = schema["fields"].as_array_mut().unwrap().iter_mut().find(|it| it["name"] == "data").unwrap();
    let branch = data["type"].as_array_mut().unwrap().iter_mut().find(|it| it["name"] == message);
    branch.unwrap_or_else(|| panic!("no {message}"))["fields"].as_array_mut().unwrap()
}

fn branches(schema: &mut serde_json::Value) -> &mut Vec<serde_json::Value> {
    let data = schema["fields"].as_array_mut().unwrap().iter_mut().find(|it| it["name"] == "data").unwrap();
    data["type"].as_array_mut().unwrap()
}

fn field<'a>(all: &'a mut [serde_json::Value], name: &str) -> &'a mut serde_json::Value {
    all.iter_mut().find(|it| it["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

type Edit = fn(&mut serde_json::Value);

/// A break of a registered schema: the file, what is done to it, and what the refusal says.
const SCHEMAS: [(&str, &str, Edit, &[&str]); 15] = [
    (
        "a command gets a field that must be there",
        "chirp/registered/commands.avsc",
        |it| fields(it, "PostChirp").push(serde_json::json!({"name": "reply_to", "type": "string"})),
        &["chirp.commands", "PostChirp.reply_to", "\"default\": null"],
    ),
    (
        "an event gets a field that must be there",
        "orders/registered/events.avsc",
        |it| fields(it, "OrderShipped").insert(0, serde_json::json!({"name": "parcels", "type": "int"})),
        &["orders.events", "OrderShipped.parcels", "\"default\": null"],
    ),
    (
        "a field of an event is called otherwise",
        "chirp/registered/events.avsc",
        |it| field(fields(it, "ChirpPosted"), "content")["name"] = "text".into(),
        &["chirp.events", "ChirpPosted.text", "keep the old name"],
    ),
    (
        "a text becomes a number",
        "accounting/registered/commands.avsc",
        |it| field(fields(it, "Deposit"), "reference")["type"] = "long".into(),
        &["accounting.commands", "Deposit.reference", "Leave the type of reference"],
    ),
    (
        "a long becomes an int",
        "accounting/registered/events.avsc",
        |it| field(fields(it, "MoneyDeposited"), "amount")["type"] = "int".into(),
        &["accounting.events", "MoneyDeposited.amount", "Leave the type of amount"],
    ),
    (
        "what may be null may not any more",
        "identity/registered/commands.avsc",
        |it| {
            let picture = field(fields(it, "UpdateUser"), "picture").as_object_mut().unwrap();
            picture.insert("type".to_owned(), "string".into());
            picture.remove("default");
        },
        &["identity.commands", "UpdateUser.picture", "Let picture be null"],
    ),
    (
        "a command is gone",
        "chirp/registered/commands.avsc",
        |it| branches(it).retain(|branch| branch["name"] != "DeleteChirp"),
        &["chirp.commands", "DeleteChirp", "Keep it with all its fields"],
    ),
    (
        "an event is called otherwise",
        "guestbook/registered/events.avsc",
        |it| branches(it)[0]["name"] = "GuestSigned".into(),
        &["guestbook.events", "Signed", "Keep it with all its fields"],
    ),
    (
        "a command belongs elsewhere",
        "orders/registered/commands.avsc",
        |it| branches(it)[0]["aggregate"] = "Order/{user_id}".into(),
        &["orders.commands", "CreateOrder", "{user_id}", "another key and partition", "of another name"],
    ),
    (
        "a secret is sent openly",
        "identity/commands.avsc",
        |it| {
            let messages = it.as_array_mut().unwrap();
            let token =
                field(field(messages, "EnableAccounting")["fields"].as_array_mut().unwrap(), "sealed_token");
            *token = serde_json::json!({"name": "sealed_token", "type": "string", "maxLength": 140, "doc": "The token."});
        },
        &["identity.commands", "EnableAccounting.sealed_token", "Put \"sealed\" back"],
    ),
    (
        "a field of the envelope must be there",
        "calendar/registered/events.avsc",
        |it| {
            it["fields"]
                .as_array_mut()
                .unwrap()
                .insert(0, serde_json::json!({"name": "tenant", "type": "string"}))
        },
        &["calendar.events", "Event.tenant", "\"default\": null"],
    ),
    (
        "a state loses a field",
        "guestbook/registered/state.avsc",
        |it| it["fields"].as_array_mut().unwrap().retain(|field| field["name"] != "recorded_at"),
        &["guestbook.state", "State.recorded_at", "Keep the field recorded_at"],
    ),
    (
        "outcomes have a status more",
        "chirp/registered/outcomes.avsc",
        |it| {
            let status = field(it["fields"].as_array_mut().unwrap(), "status");
            status["type"]["symbols"].as_array_mut().unwrap().push("postponed".into());
        },
        &["chirp.outcomes", "Outcome.status", "Readers of then know no other symbol"],
    ),
    (
        "outcomes have a status less",
        "chirp/registered/outcomes.avsc",
        |it| {
            let status = field(it["fields"].as_array_mut().unwrap(), "status");
            status["type"]["symbols"].as_array_mut().unwrap().remove(0);
        },
        &["chirp.outcomes", "Outcome.status", "Keep the symbols"],
    ),
    (
        "a look-up says less",
        "identity/registered/lookup.avsc",
        |it| drop(it["fields"].as_array_mut().unwrap().remove(0)),
        &["identity.user.lookup", "Lookup.aggregate_id", "Keep the field aggregate_id"],
    ),
];

#[test]
fn breaks_of_schemas_are_refused() {
    let copy = Copy::of(&["schemas", "topics"]);
    record::schemas(copy.root(), version(RELEASED)).unwrap();
    assert_eq!(schemas::refusals(copy.root(), version(NEXT)), Ok(Vec::new()));
    for (what, name, edit, words) in SCHEMAS {
        let path = format!("schemas/{name}");
        let before = fs::read_to_string(copy.at(&path)).unwrap();
        copy.schema(&path, edit);
        refused(what, &schemas::refusals(copy.root(), version(NEXT)).unwrap(), words);
        copy.write(&path, &before);
    }
    // no version excuses it, neither one that says that programs have to be changed
    copy.schema("schemas/guestbook/registered/events.avsc", |it| drop(branches(it).remove(0)));
    refused("a break that is said", &schemas::refusals(copy.root(), version("0.2.0")).unwrap(), &["Signed"]);
}

/// What may be done.
#[test]
fn what_is_compatible_is_not_refused() {
    let copy = Copy::of(&["schemas", "topics"]);
    record::schemas(copy.root(), version(RELEASED)).unwrap();
    copy.schema("schemas/chirp/registered/commands.avsc", |it| {
        let null = serde_json::json!({"name": "reply_to", "type": ["null", "string"], "default": null});
        fields(it, "PostChirp").push(null);
        let new = serde_json::json!({"type": "record", "name": "PinChirp", "fields": [{"name": "chirp_id", "type": "string"}]});
        branches(it).push(new);
    });
    copy.schema("schemas/chirp/registered/state.avsc", |it| {
        let null = serde_json::json!({"name": "pinned", "type": ["null", "string"], "default": null});
        it["fields"].as_array_mut().unwrap().push(null);
    });
    assert_eq!(schemas::refusals(copy.root(), version(NEXT)), Ok(Vec::new()));
}

#[test]
fn every_released_version_counts_not_the_last_alone() {
    let copy = Copy::of(&["schemas/guestbook", "topics"]);
    record::schemas(copy.root(), version(RELEASED)).unwrap();
    let name = "schemas/guestbook/registered/events.avsc";
    copy.schema(name, |it| {
        let null = serde_json::json!({"name": "mood", "type": ["null", "string"], "default": null});
        fields(it, "Signed").push(null);
    });
    record::schemas(copy.root(), version("0.1.1")).unwrap();
    assert_eq!(schemas::refusals(copy.root(), version("0.1.2")), Ok(Vec::new()));
    // it goes with 0.1.1, which always writes it, and not with 0.1.0, which did not know it
    copy.schema(name, |it| {
        drop(field(fields(it, "Signed"), "mood").as_object_mut().unwrap().remove("default"))
    });
    let refusals = schemas::refusals(copy.root(), version("0.1.2")).unwrap();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    refused(
        "a default is taken away",
        &refusals,
        &["guestbook.events", "Signed.mood", "0.1.0", "\"default\": null"],
    );
}

#[test]
fn rules_and_released_schemas_are_not_softened() {
    let copy = Copy::of(&["schemas", "topics", "sdk/vectors"]);
    record::schemas(copy.root(), version(RELEASED)).unwrap();
    record::messages(copy.root(), version(RELEASED)).unwrap();
    let refusals = || schemas::refusals(copy.root(), version(NEXT)).unwrap();
    let events = "compatibility = \"BACKWARD_TRANSITIVE\"";
    copy.edit("topics/chirp.toml", events, "compatibility = \"NONE\"");
    refused("a rule is weaker", &refusals(), &["chirp.", "NONE", "BACKWARD_TRANSITIVE", "put that back"]);
    copy.edit("topics/chirp.toml", "compatibility = \"NONE\"", events);
    copy.edit("topics/chirp.toml", "[topics.events]", "[topics.happenings]");
    refused("a topic is gone", &refusals(), &["chirp.events", "no topic any more", "Keep it"]);
    copy.edit("topics/chirp.toml", "[topics.happenings]", "[topics.events]");
    let released = "schemas/guestbook/released/0.1.0/events.avsc";
    copy.edit(released, "Signed", "GuestSigned");
    refused(
        "a released schema is edited",
        &refusals(),
        &[released, "not what was released", "put the file back"],
    );
    fs::remove_dir_all(copy.at("schemas/guestbook")).unwrap();
    refused("a domain is gone", &refusals(), &[released, "is gone", "put the file back"]);
}

#[test]
fn changed_vectors_are_refused() {
    let copy = Copy::of(&["schemas", "topics", "sdk/vectors"]);
    record::schemas(copy.root(), version(RELEASED)).unwrap();
    record::messages(copy.root(), version(RELEASED)).unwrap();
    let refusals = || vectors::refusals(copy.root(), version(NEXT)).unwrap();
    assert_eq!(refusals(), Vec::<String>::new());
    let name = "sdk/vectors/chirp.json";
    let before = fs::read_to_string(copy.at(name)).unwrap();
    let vector = before.lines().find(|line| line.contains("\"chirp.commands/PostChirp/3\"")).unwrap();
    copy.edit(name, vector, &vector.replace("\"bytes\":\"", "\"bytes\":\"00"));
    refused("bytes differ", &refusals(), &["chirp.commands/PostChirp/3", "bytes", "Undo"]);
    copy.write(name, &before);
    copy.edit(name, vector, &vector.replace("\"partition\":{\"1\":0", "\"partition\":{\"1\":7"));
    refused("a partition differs", &refusals(), &["chirp.commands/PostChirp/3", "partition", "Undo"]);
    copy.write(name, &before);
    copy.edit(name, &format!("{vector}\n"), "");
    refused("a vector is gone", &refusals(), &["chirp.commands/PostChirp/3", "is gone", "put it back"]);
    copy.write(name, &before);
    copy.edit("sdk/vectors/keys.json", "\"key\":\"key-7\",\"murmur2\":", "\"key\":\"key-7\",\"murmur2\":1");
    refused("a hash differs", &refusals(), &["key-7", "key or partition", "Undo"]);
    // one more is none of these, and a message with a field more has other bytes
    copy.edit(
        "sdk/vectors/keys.json",
        "{\"key\":\"key-7\"",
        "{\"key\":\"another\",\"murmur2\":1},\n{\"key\":\"key-7\"",
    );
    copy.edit("sdk/vectors/keys.json", "\"key\":\"key-7\",\"murmur2\":1", "\"key\":\"key-7\",\"murmur2\":");
    copy.edit(name, vector, &vector.replace("\"bytes\":\"", "\"bytes\":\"00"));
    copy.schema("schemas/chirp/registered/commands.avsc", |it| {
        let null = serde_json::json!({"name": "reply_to", "type": ["null", "string"], "default": null});
        fields(it, "PostChirp").push(null);
    });
    assert_eq!(refusals(), Vec::<String>::new());
}

/// A break of a package's interface: language, file, what is replaced by what, and what the refusal says.
const INTERFACES: [(&str, &str, &str, &str, &[&str]); 8] = [
    (
        "rust",
        "rust/src/partition.rs",
        "pub fn partition_of",
        "pub fn partition",
        &["partition_of", "is gone", "VERSION=0.2.0"],
    ),
    (
        "rust",
        "rust/src/generated/guestbook.rs",
        "    pub text: String,",
        "    pub text: String,\n    pub mood: Option<String>,",
        &["Sign.mood", "has to be said", "VERSION=0.2.0"],
    ),
    (
        "python",
        "python/src/millrace_sdk/domains/guestbook.py",
        "    guest_id: str\n",
        "    guest: str\n",
        &["Sign.guest_id", "is gone", "VERSION=0.2.0"],
    ),
    (
        "python",
        "python/src/millrace_sdk/ids.py",
        "def is_id(text: str)",
        "def is_id(text: str, strict: bool)",
        &["is_id", "strict", "has to be said", "VERSION=0.2.0"],
    ),
    (
        "typescript",
        "typescript/src/generated/guestbook.ts",
        "  readonly text: string;",
        "  readonly text: string | null;",
        &["Sign.text: string", "is gone", "VERSION=0.2.0"],
    ),
    (
        "typescript",
        "typescript/src/index.ts",
        "export { frame, unframe } from './framing.ts';",
        "export { frame } from './framing.ts';",
        &["unframe", "is gone", "VERSION=0.2.0"],
    ),
    (
        "go",
        "go/partition.go",
        "func PartitionOf(",
        "func PartitionFor(",
        &["PartitionOf", "is gone", "VERSION=0.2.0"],
    ),
    (
        "go",
        "go/domains/guestbook/guestbook.go",
        "\tGuestID string",
        "\tGuestID *string",
        &["guestbook.Sign.GuestID: string", "is gone", "VERSION=0.2.0"],
    ),
];

#[test]
fn breaks_of_interfaces_are_refused_unless_the_version_says_them() {
    // the interface of TypeScript is read with TypeScript's own parser
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/sdk-setup");
    assert!(Command::new(setup).status().unwrap().success(), "scripts/sdk-setup failed");
    let copy = Copy::of(&["schemas", "topics", "sdk"]);
    record::schemas(copy.root(), version(RELEASED)).unwrap();
    record::packages(copy.root(), version(RELEASED)).unwrap();
    for language in api::LANGUAGES {
        assert_eq!(api::refusals(copy.root(), language, version(NEXT)), Ok(Vec::new()), "{language}");
    }
    for (language, name, old, new, words) in INTERFACES {
        let name = format!("sdk/{name}");
        let before = fs::read_to_string(copy.at(&name)).unwrap();
        copy.edit(&name, old, new);
        let refusals = |next| api::refusals(copy.root(), language, version(next)).unwrap();
        refused(&format!("{name}: {old}"), &refusals(NEXT), words);
        assert_eq!(refusals("0.2.0"), Vec::<String>::new());
        copy.write(&name, &before);
    }
}

#[test]
fn numbers_trees_and_changelogs_that_do_not_do_are_refused() {
    let copy = Copy::of(&["schemas", "topics"]);
    record::schemas(copy.root(), version("0.3.1")).unwrap();
    for next in ["0.3.1", "0.3.0", "0.2.9"] {
        refused(
            next,
            &versions::refusals(copy.root(), version(next)).unwrap(),
            &["0.3.1", "VERSION=0.3.2", "VERSION=0.4.0"],
        );
    }
    assert_eq!(versions::refusals(copy.root(), version("0.10.0")), Ok(Vec::new()));
    for text in ["0.4", "v0.4.0", "0.4.0-rc1"] {
        assert!(Version::parse(text).unwrap_err().contains("VERSION="), "{text}");
    }
    let git = |arguments: &[&str]| {
        let named = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
        let output =
            Command::new("git").arg("-C").arg(copy.root()).args(named).args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "All"]);
    let refusals = || tree::refusals(copy.root(), version("0.4.0")).unwrap();
    assert_eq!(refusals(), Vec::<String>::new());
    copy.edit("topics/chirp.toml", "partitions = 4", "partitions = 8");
    refused("a file is changed", &refusals(), &["not clean", "topics/chirp.toml", "commit it"]);
    git(&["commit", "-q", "-a", "-m", "More"]);
    copy.write("new", "new");
    refused("a file is not added", &refusals(), &["not clean", "new", "commit it"]);
    fs::remove_file(copy.at("new")).unwrap();
    git(&["tag", "sdk/go/v0.4.0"]);
    refused("a tag is there", &refusals(), &["sdk/go/v0.4.0", "next version"]);
    assert_eq!(changelog::refusals(copy.root(), version("0.4.0")), Ok(Vec::new()));
    copy.edit("CHANGELOG.md", "- New.\n", "");
    refused(
        "nothing is new",
        &changelog::refusals(copy.root(), version("0.4.0")).unwrap(),
        &["says nothing", "0.4.0"],
    );
}

/// A version that was begun is no promise: it is recorded anew until the changelog has it.
#[test]
fn a_version_that_was_not_cut_may_be_recorded_anew() {
    let copy = Copy::of(&["schemas", "topics", "sdk/vectors"]);
    record::schemas(copy.root(), version("0.2.0")).unwrap();
    record::messages(copy.root(), version("0.2.0")).unwrap();
    copy.schema("schemas/guestbook/registered/events.avsc", |it| drop(branches(it).remove(0)));
    let all = |next| {
        let root = copy.root();
        [
            versions::refusals(root, version(next)),
            schemas::refusals(root, version(next)),
            vectors::refusals(root, version(next)),
        ]
        .into_iter()
        .flat_map(Result::unwrap)
        .collect::<Vec<_>>()
    };
    assert_eq!(all("0.2.0"), Vec::<String>::new());
    assert!(!all("0.3.0").is_empty());
    let changelog = fs::read_to_string(copy.at("CHANGELOG.md")).unwrap();
    copy.write("CHANGELOG.md", &changelog::cut(&changelog, version("0.2.0"), "2026-12-31").unwrap());
    refused("it is cut", &all("0.2.0"), &["0.2.0 does not follow 0.2.0"]);
}
