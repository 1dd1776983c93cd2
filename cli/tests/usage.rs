//! What is said and how it ends, without any server.

#[allow(dead_code, reason = "it uses less of it than others do")]
use crate::common;

use common::Place;

/// A port on which nobody listens.
const NOBODY: &str = "127.0.0.1:1";

#[test]
fn help_has_an_example_for_every_command() {
    let place = Place::new();
    let commands = [
        "up",
        "demo",
        "processor",
        "projector",
        "topics",
        "schemas",
        "tables",
        "send",
        "load",
        "feed",
        "query",
        "verify",
        "history",
        "explain",
        "dead",
        "status",
        "config",
        "completions",
        "seal-key",
        "unseal",
        "pseudonym-key",
    ];
    let help = place.run(&["--help"]).is(0, &["Exit codes: 0 done, 1 failed, 2 wrong usage"]);
    for command in commands {
        assert!(help.stdout.contains(&format!("  {command} ")), "{command} is missing in --help");
        let flags = ["Example", "--kafka", "--topic-prefix", "--set-kafka", "--health-port"];
        let own = place.run(&[command, "--help"]).is(0, &flags);
        assert!(own.stdout.contains(&format!("millrace {command}")), "{command} has no example");
    }
}

/// Wherever JSON is printed it is said how JavaScript reads what it would round.
#[test]
fn json_with_large_numbers_says_how_it_is_read() {
    let place = Place::new();
    let calls = [
        "topics",
        "schemas",
        "tables",
        "send",
        "load",
        "feed",
        "query",
        "verify",
        "history",
        "explain",
        "rebuild",
        "status",
        "config",
        "dead list",
        "dead show",
        "dead redrive",
        "dead skip",
    ];
    for call in calls {
        let arguments: Vec<&str> = call.split(' ').chain(["--help"]).collect();
        place.run(&arguments).is(0, &["--json", "2^53", "docs/analysts.md"]);
    }
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/analysts.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    assert!(manual.contains("2^53") && manual.contains("JSON.parse"));
}

/// What would be ignored is refused, with what there is instead.
#[test]
fn flags_that_would_not_be_heeded_are_refused() {
    let place = Place::new();
    let rows: [(&[&str], &[&str]); 10] = [
        (&["up", "--cql", "h:9042"], &["does not heed --cql", "SQLite", "--data", "millrace projector"]),
        (&["up", "--sqlite", "there"], &["does not heed --sqlite", "--data"]),
        (&["up", "--kafka", "h:9092"], &["does not heed --kafka", "--kafka-port"]),
        (&["up", "--registry", "http://h:1"], &["does not heed --registry", "--registry-port"]),
        (&["up", "--keyspace", "k"], &["does not heed --keyspace", "SQLite"]),
        (&["up", "--set-kafka", "linger.ms=1"], &["does not heed --set-kafka"]),
        (&["demo", "--cql", "h:9042"], &["does not heed --cql"]),
        (&["status", "--health-port", "1"], &["--health-port", "processor"]),
        (&["send", "RegisterUser", "--health-port", "1"], &["--health-port"]),
        (
            &["query", "user_profiles", "--sqlite", "d", "--keyspace", "k"],
            &["--keyspace", "SQLite", "--sqlite"],
        ),
    ];
    for (call, words) in rows {
        place.run(call).is(2, words);
    }
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "nothing was begun");
    // it may be meant for other commands
    let named = place.run_with(&["up", "--data", "/proc/no"], &[("MILLRACE_CQL", "h:9042")]);
    named.is(1, &["cql is set by environment MILLRACE_CQL", "does not heed it"]);
}

#[test]
fn wrong_usage_ends_with_2() {
    let place = Place::new();
    let rows: [(&[&str], &[&str]); 21] = [
        (&[], &["Usage"]),
        (&["sent"], &["send"]),
        (&["feed"], &["USER_ID"]),
        (&["send", "PostChirp", "--no-such"], &["--no-such"]),
        (&["send", "PostCirp", "a=b"], &["did you mean PostChirp?", "RegisterUser"]),
        (&["send", "chrip.PostChirp"], &["there is no domain chrip", "did you mean chirp?"]),
        (&["send", "PostChirp", "chirp_id=c", "author_id=a"], &["content is missing", "280"]),
        (
            &["send", "PostChirp", "chirp_id=c", "author_id=a", "kontent=x"],
            &["kontent", "did you mean content?"],
        ),
        (&["send", "PostChirp", "chirp_id"], &["FIELD=VALUE", "author_id"]),
        (&["send", "PostChirp", "chirp_id=c", "chirp_id=c"], &["chirp_id is given twice"]),
        (
            &["send", "RegisterUser", "user_id=a", "username=b", "--id", "a b"],
            &["--id", "1 to 64 characters"],
        ),
        (
            &["send", "RegisterUser", "user_id=a", "username=b", "--wait-for", "user_profile"],
            &["there is no view user_profile", "did you mean user_profiles?"],
        ),
        (&["send", "RegisterUser", "--expected-version", "-1"], &["--expected-version"]),
        (&["query", "chirp"], &["there is no view chirp", "chirps"]),
        (&["query", "chirps", "chirp_id=c"], &["author_id is missing"]),
        (&["feed", "ann", "--cursor", "x"], &["--cursor x", "not a cursor", "exactly as", "or none"]),
        (&["feed", "ann", "--limit", "801"], &["801", "--limit", "1 to 800 chirps", "--cursor"]),
        (&["feed", "ann", "--limit", "0"], &["--limit", "1 to 800 chirps"]),
        (&["feed", "ann", "--limit", "-1"], &["--limit", "1 to 800 chirps"]),
        (&["feed", "ann", "--limit", "99999999999999999999"], &["--limit", "1 to 800 chirps"]),
        (&["feed", "ann", "--limit", "many"], &["--limit", "1 to 800 chirps"]),
    ];
    for (arguments, words) in rows {
        place.run(arguments).is(2, words);
    }
    // a step would be a forged message of a process: only processors write those
    for (step, domain, command) in [
        ("ReserveFunds", "accounting", "Transfer"),
        ("accounting.CreditTransfer", "accounting", "Transfer"),
        ("ClaimUsername", "chirp", "RegisterUser"),
    ] {
        let words = ["a step of a process", domain, "only processors write steps", command];
        place.run(&["send", step, "transfer_id=t1", "from=a", "to=b"]).is(2, &words);
    }
    place.run(&["projector", "chirp.timeline"]).is(2, &["did you mean timelines?"]);
    place.run(&["processor", "chrip"]).is(2, &["did you mean chirp?"]);
    place.run(&["verify", "chrip"]).is(2, &["did you mean chirp?"]);
    place.run(&["history", "Chirp"]).is(2, &["<Aggregate>/<id>"]);
    place.run(&["history", "chrip:Chirp/a/c"]).is(2, &["did you mean chirp?"]);
    place.run(&["history", "Chirp/a/c", "--at", "noon"]).is(2, &["--at noon", "RFC 3339"]);
    place.run(&["history", "Chirp/a/c", "--version", "0"]).is(2, &["--version"]);
    place.run(&["explain", "c", "--since", "noon"]).is(2, &["--since noon", "RFC 3339"]);
    place.run(&["topics", "aply"]).is(2, &["apply"]);
    place.run(&["up", "--kafka-port", "70000"]).is(2, &["--kafka-port"]);
}

#[test]
fn a_server_that_is_away_is_named_with_its_address_and_flag() {
    let place = Place::new();
    let url = format!("http://{NOBODY}");
    let register: [&str; 4] = ["send", "RegisterUser", "user_id=a", "username=Abc"];
    for call in [
        &register[..],
        &["topics", "plan"],
        &["status"],
        &["load", "commands.jsonl"],
        &["verify"],
        &["history", "User/ann"],
        &["explain", "c"],
    ] {
        std::fs::write(place.path().join("commands.jsonl"), "{}\n").unwrap();
        let flags = ["--kafka", NOBODY, "--registry", &url, "--sqlite", "tables"];
        place.run(&[call, &flags].concat()).is(1, &[NOBODY, "Kafka", "--kafka", "connection refused"]);
    }
    place.run(&["schemas", "check", "--registry", &url]).is(1, &[NOBODY, "registry", "--registry"]);
    place.run(&["feed", "ann", "--cql", NOBODY]).is(1, &[NOBODY, "CQL", "--cql"]);
    place.run(&["feed", "ann"]).is(1, &["--cql HOSTS", "--sqlite DIR", "millrace up"]);
    place.run(&["schemas", "check", "--registry", "localhost:8081"]).is(2, &["http://localhost:8081"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    Place::new().run(&["load", "no-such.jsonl"]).is(1, &["no-such.jsonl", "No such file"]);
}

#[test]
fn no_error_is_a_debug_print() {
    let place = Place::new();
    for call in
        [&["send", "RegisterUser", "user_id=a", "username=Abc"][..], &["topics", "plan"], &["feed", "x"]]
    {
        let ran = place.run(&[call, &["--kafka", NOBODY]].concat());
        for sign in ["Error {", "Some(", "panicked", "Os {"] {
            assert!(!ran.stderr.contains(sign), "{}", ran.stderr);
        }
    }
}

#[test]
fn tables_in_a_folder_need_no_other_server() {
    let place = Place::with("sqlite = \"t\"\n");
    place.run(&["tables", "plan"]).is(0, &["CREATE TABLE", "user_profiles"]);
    place.run(&["tables", "apply"]).is(0, &["made chirp.user_profiles"]);
    place.run(&["tables", "apply"]).is(0, &["Nothing to do"]);
    place.run(&["feed", "nobody"]).is(1, &["there is no user nobody"]);
    let rows = place.run(&["query", "millrace_views", "view=chirps"]).is(0, &[]);
    let row: serde_json::Value = serde_json::from_str(&rows.stdout).unwrap();
    assert_eq!((&row["table_name"], &row["version"]), (&"chirps".into(), &1.into()));
}

#[test]
fn a_completion_script_knows_the_commands() {
    Place::new().run(&["completions", "bash"]).is(0, &["processor", "--topic-prefix"]);
}
