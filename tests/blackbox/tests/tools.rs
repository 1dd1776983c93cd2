//! `verify`, `history` and `explain` against a running system: while it works, at rest, and damaged.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use millrace_blackbox::{Cli, Embedded, LATER, SMALL_THRESHOLDS, System, python, script};
use serde_json::{Value, json};

/// Commands of a small network, as lines of `millrace load`; `round` makes their ids new.
fn network(round: usize) -> String {
    let mut lines = Vec::new();
    let mut add = |id: String, kind: &str, data: Value| {
        lines.push(json!({"id": id, "type": kind, "data": data}).to_string());
    };
    let user = |n: usize| format!("r{round}-u{n}");
    for n in 0..80 {
        let name = format!("r{round}_name_{n}");
        add(format!("register-{}", user(n)), "RegisterUser", json!({"user_id": user(n), "username": name}));
    }
    for n in 1..80 {
        // the first becomes a celebrity
        for to in [0, n / 2] {
            let data = json!({"follower_id": user(n), "followee_id": user(to)});
            add(format!("follow-{}-{to}", user(n)), "FollowUser", data);
        }
    }
    for n in 0..600 {
        let author = user(n % 7);
        let chirp = format!("c{}", n / 7);
        let data = json!({"author_id": author, "chirp_id": chirp, "content": format!("text {n}")});
        add(format!("post-{author}-{chirp}"), "PostChirp", data);
        if n % 11 == 0 {
            let data = json!({"author_id": author, "chirp_id": chirp});
            add(format!("delete-{author}-{chirp}"), "DeleteChirp", data);
        }
    }
    let registrations = lines.drain(..80).collect::<Vec<_>>().join("\n");
    format!("{registrations}\n\n{}\n", lines.join("\n"))
}

fn load(system: &dyn System, cli: &Cli, round: usize) {
    let file = system.dir().join(format!("round-{round}.jsonl"));
    fs::write(&file, network(round)).unwrap();
    cli.ok(&["load", file.to_str().unwrap(), "--wait"]);
}

/// What `damage.py` does to the system.
fn damage(system: &Embedded, acts: &[&str]) {
    let mut command = Command::new(python());
    let database = system.dir().join("data/tables/chirp.sqlite");
    command.arg(script("damage.py")).args(["--kafka", system.kafka(), "--registry", system.registry()]);
    command.arg("--sqlite").arg(database).args(acts);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_system_is_clean_while_it_works_and_damage_is_named() {
    let system = Embedded::start(SMALL_THRESHOLDS);
    let cli = system.cli();
    load(&system, &cli, 0);
    let is_loaded = AtomicBool::new(false);
    let audits = std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..4 {
                load(&system, &cli, round);
            }
            is_loaded.store(true, Ordering::SeqCst);
        });
        let mut audits = 0;
        while !is_loaded.load(Ordering::SeqCst) || audits == 0 {
            let report = cli.run(&["verify", "chirp", "--json"]);
            assert_eq!(report.code, Some(0), "under load: {report}");
            audits += 1;
        }
        audits
    });
    println!("{audits} audits under load");
    cli.wait_caught_up(LATER);
    let clean = cli.ok(&["verify", "--json"]).json();
    assert_eq!((&clean["clean"], &clean["differences"]), (&json!(true), &json!([])));
    assert!(clean["checked"]["chirp"]["rows"].as_u64().unwrap() > 5_000, "{clean}");
    assert!(clean["checked"]["chirp"]["commands"].as_u64().unwrap() > 3_000, "{clean}");
    cli.ok(&["verify", "chirp"]).says(&["chirp: clean", " rows"]);

    damage(
        &system,
        &[
            "--tombstone",
            "state",
            "User/r0-u3",
            "--repeat",
            "outcomes",
            "register-r1-u5",
            "--sql",
            "DELETE FROM followers_by_user WHERE followee_id = 'r0-u0' AND follower_id = 'r0-u9'",
            "--sql",
            "UPDATE chirps SET content = 'damaged' WHERE author_id = 'r0-u1' AND chirp_id = 'c1'",
            "--sql",
            "INSERT INTO user_profiles VALUES ('ghost', 'ghost', 1, 1)",
        ],
    );
    let found = cli.run(&["verify", "chirp", "--json"]).exits(1).json();
    assert_eq!((&found["clean"], &found["differences_total"]), (&json!(false), &json!(5)), "{found:#}");
    // in which bucket a row stands is a matter of when it came
    let without_bucket = |key: &str| {
        let parts = key.split(", ").filter(|part| !part.starts_with("bucket="));
        parts.collect::<Vec<_>>().join(", ")
    };
    let text = |d: &serde_json::Value, name: &str| d[name].as_str().unwrap().to_owned();
    let named = found["differences"].as_array().unwrap().iter();
    let mut named: Vec<_> =
        named.map(|d| (text(d, "place"), text(d, "kind"), without_bucket(&text(d, "key")))).collect();
    named.sort_unstable();
    let expected = [
        ("chirp.outcomes", "surplus", "register-r1-u5"),
        ("chirp.state", "missing", "User/r0-u3"),
        ("chirps", "different", "author_id=r0-u1, chirp_id=c1"),
        ("followers_by_user", "missing", "followee_id=r0-u0, follower_id=r0-u9"),
        ("user_profiles", "surplus", "user_id=ghost"),
    ];
    assert_eq!(named, expected.map(|(place, kind, key)| (place.to_owned(), kind.to_owned(), key.to_owned())));
    let row = found["differences"].as_array().unwrap().iter().find(|d| d["place"] == "chirps").unwrap();
    let column = &row["columns"][0];
    assert_eq!((&column["column"], &column["found"]), (&json!("content"), &json!("damaged")));
    assert_eq!(column["expected"], "text 8");
    assert_eq!(row["events"][0]["topic"], "chirp.events");
    let words = ["chirp.state: User/r0-u3", "expected", "damaged", "5 differences"];
    cli.run(&["verify", "chirp"]).exits(1).says(&words);
    let short = cli.run(&["verify", "chirp", "--limit", "1", "--json"]).exits(1).json();
    assert_eq!(short["differences_total"], 5);
}

#[test]
fn a_history_is_told_to_any_version_and_time() {
    let system = Embedded::start(SMALL_THRESHOLDS);
    let cli = system.cli();
    cli.ok(&["send", "RegisterUser", "user_id=ann", "username=Ann", "--wait", "--id", "register-ann"]);
    cli.ok(&["send", "PostChirp", "chirp_id=c1", "author_id=ann", "content=one", "--wait", "--user", "ann"]);
    cli.ok(&["send", "EditChirp", "chirp_id=c1", "author_id=ann", "content=two", "--wait"]);
    cli.ok(&["send", "DeleteChirp", "chirp_id=c1", "author_id=ann", "--wait"]);
    let told = cli.ok(&["history", "Chirp/ann/c1", "--json"]).json();
    let events = told["events"].as_array().unwrap();
    let kinds: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["ChirpPosted", "ChirpEdited", "ChirpDeleted"]);
    let fields =
        ["version", "type", "recorded_at", "place", "id", "command_id", "causation_id", "user_id", "data"];
    assert_eq!(events[0].as_object().unwrap().keys().collect::<Vec<_>>(), fields);
    assert_eq!((&events[0]["user_id"], &events[0]["data"]["content"]), (&json!("ann"), &json!("one")));
    assert_eq!((&told["version"], &told["state"]["deleted"]), (&json!(3), &json!(true)));

    let second = cli.ok(&["history", "chirp:Chirp/ann/c1", "--version", "2", "--json"]).json();
    assert_eq!((&second["state"]["content"], &second["version"]), (&json!("two"), &json!(2)));
    // to the microsecond: just before the second event and at it
    let at = events[1]["recorded_at"].as_i64().unwrap();
    for (micros, content) in [(at - 1, "one"), (at, "two")] {
        let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
        let time = utc(seconds, rest);
        let then = cli.ok(&["history", "Chirp/ann/c1", "--at", &time, "--json"]).json();
        assert_eq!(then["state"]["content"], content, "{time}");
    }
    let human =
        cli.ok(&["history", "Chirp/ann/c1"]).says(&["ChirpPosted", "content=one", "state at version 3"]);
    assert!(human.stdout.lines().all(|line| line.chars().count() <= 100), "{human}");

    cli.run(&["history", "Chirp/ann/c2"]).exits(1).says(&["Chirp/ann/c2 has no event", "Chirp/ann/c1"]);
    cli.run(&["history", "Chirp/nobody/c2"]).exits(1).says(&["chirp.events[", "nobody"]);
    cli.run(&["history", "Chirp/ann/c1", "--version", "9"]).exits(1).says(&["version 3"]);
    cli.run(&["history", "Chirp/ann/c1", "--at", "1999-01-01T00:00:00Z"]).exits(1).says(&["1999"]);
    cli.run(&["history", "Chirp/ann/c1", "--at", "yesterday"]).exits(2).says(&["RFC 3339"]);
    cli.run(&["history", "Chirp"]).exits(2).says(&["<Aggregate>/<id>"]);
    cli.run(&["history", "chrip:Chirp/ann/c1"]).exits(2).says(&["did you mean chirp"]);
}

/// RFC 3339, by the civil calendar.
fn utc(seconds: i64, micros: i64) -> String {
    let output = Command::new("date")
        .args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%S"])
        .output()
        .unwrap();
    format!("{}.{micros:06}Z", String::from_utf8_lossy(&output.stdout).trim())
}

#[test]
fn a_command_is_explained() {
    let system = Embedded::start(SMALL_THRESHOLDS);
    let cli = system.cli();
    let register = |id: &str, user: &str| {
        let fields = [format!("user_id={user}"), "username=Ann".to_owned()];
        let call = [
            "send",
            "RegisterUser",
            &fields[0],
            &fields[1],
            "--id",
            id,
            "--user",
            user,
            "--wait-for",
            "user_profiles",
        ];
        cli.run(&call)
    };
    register("register-ann", "ann").exits(0);
    register("register-bob", "bob").exits(1);
    register("register-ann", "ann").exits(0);

    // a process over two partitions, its steps, its states and its rows
    let told = cli.ok(&["explain", "register-ann", "--json"]).json();
    assert_eq!(
        (&told["standing"]["state"], &told["standing"]["status"]),
        (&json!("answered"), &json!("accepted"))
    );
    assert!(told["standing"]["after_micros"].as_i64().unwrap() >= 0);
    assert_eq!((told["asked"].as_array().unwrap().len(), told["outcomes"].as_array().unwrap().len()), (2, 2));
    assert_eq!(told["asked"][0]["metadata"]["user_id"], "ann");
    let acts = told["acts"].as_array().unwrap();
    let names: Vec<(&Value, &Value)> =
        acts.iter().map(|act| (&act["type"], &act["events"][0]["type"])).collect();
    assert_eq!(
        names,
        [
            (&json!("RegisterUser"), &json!("RegistrationStarted")),
            (&json!("ClaimUsername"), &json!("UsernameClaimed")),
            (&json!("ConfirmRegistration"), &json!("UserRegistered")),
        ]
    );
    let last = &acts[2]["events"][0];
    assert_eq!((&last["aggregate_id"], &last["version"]), (&json!("User/ann"), &json!(2)));
    assert_eq!((&last["state"]["username"], &last["ends"]), (&json!("Ann"), &json!(true)));
    let users =
        last["rows"].as_array().unwrap().iter().find(|rows| rows["projection"] == "chirp.users").unwrap();
    assert_eq!((&users["applied"], &users["writes"][0]["table"]), (&json!(true), &json!("user_profiles")));
    assert_eq!(users["writes"][0]["key"], json!({"user_id": "ann"}));
    assert_eq!(users["writes"][0]["timestamp"], last["recorded_at"]);
    let human = cli.ok(&["explain", "register-ann"]);
    let human = human.says(&[
        "accepted after",
        "step ClaimUsername",
        "chirp.steps[",
        "+ user_profiles",
        "asked again",
    ]);
    assert!(human.stdout.lines().all(|line| line.chars().count() <= 100), "{human}");

    // refused by its process, and refused at once
    cli.ok(&["explain", "register-bob"]).says(&[
        "rejected after",
        "AlreadyExists on username",
        "RegistrationRefused",
    ]);
    let post =
        ["send", "PostChirp", "chirp_id=c", "author_id=nobody", "content= ", "--id", "post-1", "--wait"];
    cli.run(&post).exits(1);
    let told = cli.ok(&["explain", "chirp:post-1", "--json"]).json();
    let codes: Vec<&Value> =
        told["outcomes"][0]["violations"].as_array().unwrap().iter().map(|v| &v["code"]).collect();
    assert_eq!(codes, ["NotFound", "InvalidArgument"]);
    assert_eq!(told["acts"][0]["events"], json!([]));

    let ran = cli.run(&["explain", "no-such-command"]).exits(1);
    ran.says(&[
        "nothing is known of a command no-such-command",
        "chirp.outcomes:",
        "chirp.commands:",
        "back to",
    ]);
    cli.run(&["explain", "register-ann", "--since", "2999-01-01T00:00:00Z"]).exits(1).says(&["--since"]);
    cli.run(&["explain", "register-ann", "--since", "now"]).exits(2).says(&["--since now", "RFC 3339"]);
}
