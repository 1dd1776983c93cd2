//! The command line as scripts of other people rely on it: shapes of the JSON, exit codes, messages.

use std::fs;
use std::time::Instant;

use millrace_blackbox::{Cli, Embedded, LATER, SMALL_THRESHOLDS, SOON, System, shared_embedded, workdir};
use serde_json::{Value, json};

fn cli() -> Cli {
    shared_embedded().cli()
}

/// The names of a JSON object, in order.
fn names(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Registers a user and waits until it can be read.
fn register(user_id: &str, username: &str) {
    let fields = [format!("user_id={user_id}"), format!("username={username}")];
    cli().ok(&["send", "RegisterUser", &fields[0], &fields[1], "--wait", "--wait-for", "user_profiles"]);
}

#[test]
fn exit_codes_tell_wrong_usage_from_failure() {
    cli().run_bare(&["--help"]).exits(0).says(&[
        "up",
        "processor",
        "projector",
        "send",
        "load",
        "feed",
        "query",
    ]);
    cli().run_bare(&["--version"]).exits(0);
    cli().run_bare(&["no-such-command"]).exits(2);
    cli().run_bare(&["feed"]).exits(2);
    cli().run_bare(&["send", "--no-such-flag"]).exits(2);
    for command in ["up", "send", "load", "feed", "query", "status", "topics", "schemas", "tables"] {
        cli().run_bare(&[command, "--help"]).exits(0).says(&["millrace "]);
    }
}

#[test]
fn send_prints_the_place_or_the_outcome() {
    let sent =
        cli().ok(&["send", "RegisterUser", "user_id=send-1", "username=Send_1", "--id", "send-a", "--json"]);
    assert_eq!(names(&sent.json()), ["id", "topic", "partition", "offset"]);
    assert_eq!(sent.json()["id"], "send-a");
    assert_eq!(sent.json()["topic"], "chirp.commands");

    let call = ["send", "chirp.RegisterUser", "user_id=send-2", "username=Send_2", "--wait", "--json"];
    let outcome = cli().ok(&call).json();
    let fields = [
        "command_id",
        "status",
        "duplicate",
        "positions",
        "versions",
        "violations",
        "recorded_at",
        "command_type",
        "failure",
        "digest",
    ];
    assert_eq!(names(&outcome), fields);
    assert_eq!((&outcome["command_type"], &outcome["failure"]), (&json!("RegisterUser"), &json!(null)));
    assert_eq!(outcome["digest"].as_str().map(str::len), Some(64));
    assert_eq!((&outcome["status"], &outcome["duplicate"]), (&json!("accepted"), &json!(false)));
    assert_eq!(names(&outcome["positions"][0]), ["topic", "partition", "offset", "epoch"]);
    assert_eq!(names(&outcome["versions"][0]), ["aggregate_id", "version"]);
}

#[test]
fn a_rejected_command_is_exit_code_1() {
    register("reject-1", "Reject_1");
    let call =
        ["send", "PostChirp", "chirp_id=c", "author_id=reject-1", "content= ", "--user", "x", "--wait"];
    let human = cli().run(&call).exits(1);
    assert!(human.stdout.contains("content") && human.stdout.contains("NotPermitted"), "{human}");
    let outcome = cli().run(&[&call[..], &["--json"]].concat()).exits(1).json();
    let codes: Vec<&Value> = outcome["violations"].as_array().unwrap().iter().map(|v| &v["code"]).collect();
    assert_eq!(codes, ["NotPermitted", "InvalidArgument"]);
    assert_eq!(names(&outcome["violations"][0]), ["code", "message", "field"]);

    let call = ["send", "EditChirp", "chirp_id=c", "author_id=reject-1", "content=x", "--wait", "--json"];
    let outcome = cli().run(&[&call[..], &["--expected-version", "3"]].concat()).exits(1).json();
    assert_eq!(outcome["violations"][0]["code"], "VersionConflict");
}

#[test]
fn what_cannot_be_sent_is_named() {
    cli().run(&["send", "NoSuchCommand", "a=b"]).says(&["NoSuchCommand", "RegisterUser"]);
    let ran = cli().run(&["send", "PostChirp", "chirp_id=c", "author_id=a"]).says(&["content"]);
    assert!(matches!(ran.code, Some(1 | 2)), "{ran}");
    let ran = cli().run(&["send", "PostChirp", "chirp_id=c", "author_id=a", "content=x", "kontent=y"]);
    assert!(matches!(ran.clone().says(&["kontent"]).code, Some(1 | 2)), "{ran}");
}

#[test]
fn waiting_for_a_view_means_reading_ones_own_write() {
    register("own-1", "Own_1");
    register("own-2", "Own_2");
    cli().ok(&[
        "send",
        "FollowUser",
        "follower_id=own-1",
        "followee_id=own-2",
        "--wait-for",
        "home_timelines",
    ]);
    for round in 0..5 {
        let chirp = format!("chirp_id=c{round}");
        let content = format!("content=round {round}");
        cli().ok(&["send", "PostChirp", &chirp, "author_id=own-2", &content, "--wait-for", "home_timelines"]);
        let feed = cli().ok(&["feed", "own-1", "--json"]).json_lines();
        assert_eq!(feed[0]["content"], format!("round {round}"), "{feed:?}");
    }
}

#[test]
fn load_counts_and_names_bad_lines() {
    let dir = workdir("");
    let file = dir.path().join("commands.jsonl");
    let lines = [
        r#"{"type": "RegisterUser", "data": {"user_id": "load-1", "username": "Load_1"}}"#,
        r#"{"type": "RegisterUser", "id": "load-two", "metadata": {"trace_id": "t"}, "data": {"user_id": "load-2", "username": "Load_2"}}"#,
        "",
        r#"{"type": "PostChirp", "data": {"chirp_id": "c1", "author_id": "load-1", "content": "one"}}"#,
        r#"{"type": "PostChirp", "data": {"chirp_id": "c1", "author_id": "load-1", "content": "taken"}}"#,
        r#"{"type": "PostChirp", "data": {"chirp_id": "c2" "author_id": "load-1"}}"#,
        r#"{"type": "Nonsense", "data": {}}"#,
        r#"{"type": "PostChirp", "data": {"chirp_id": "c3", "author_id": "load-1"}}"#,
        r#"{"type": "PostChirp", "data": {"chirp_id": "c4", "author_id": "load-2", "content": "two"}}"#,
    ];
    fs::write(&file, lines.join("\n")).unwrap();
    let ran = cli().run(&["load", file.to_str().unwrap(), "--wait", "--json"]).exits(1);
    let last = ran.json_lines().pop().unwrap();
    assert_eq!(
        names(&last),
        ["sent", "accepted", "rejected", "bad", "unanswered", "other_content", "seconds"]
    );
    let counts = ["sent", "accepted", "rejected", "bad", "unanswered"].map(|name| last[name].as_i64());
    assert_eq!(counts, [Some(5), Some(4), Some(1), Some(3), Some(0)], "{ran}");
    for place in ["6:", "7:", "8:"] {
        assert!(ran.stderr.contains(place), "line and column of a bad line, like `{place}COLUMN`: {ran}");
    }

    let good = dir.path().join("good.jsonl");
    let line = r#"{"type": "PostChirp", "data": {"chirp_id": "c9", "author_id": "load-1", "content": "!"}}"#;
    fs::write(&good, format!("{line}\n{line}\n")).unwrap();
    let last = cli().ok(&["load", good.to_str().unwrap(), "--json"]).json_lines().pop().unwrap();
    assert_eq!(
        (&last["sent"], &last["accepted"], &last["unanswered"]),
        (&json!(2), &Value::Null, &Value::Null)
    );
    cli().run(&["load", "no-such-file.jsonl"]).exits(1).says(&["no-such-file.jsonl"]);
}

#[test]
fn feeds_show_what_was_promised() {
    register("feed-1", "Feed_1");
    register("feed-2", "Feed_2");
    cli().ok(&["send", "FollowUser", "follower_id=feed-1", "followee_id=feed-2", "--wait"]);
    for chirp in ["c1", "c2", "c3"] {
        let fields = [format!("chirp_id={chirp}"), format!("content=I am {chirp} \"ü\"")];
        cli().ok(&["send", "PostChirp", &fields[0], "author_id=feed-2", &fields[1], "--wait"]);
    }
    let edit = ["send", "EditChirp", "chirp_id=c2", "author_id=feed-2", "content=edited"];
    cli().ok(&[&edit[..], &["--wait-for", "home_timelines"]].concat());
    let feed = cli().ok(&["feed", "feed-1", "--json"]).json_lines();
    let fields = ["chirp_id", "author_id", "username", "content", "posted_at", "edited_at", "cursor"];
    assert_eq!(names(&feed[0]), fields);
    let contents: Vec<&Value> = feed.iter().map(|entry| &entry["content"]).collect();
    assert_eq!(contents, ["I am c3 \"ü\"", "edited", "I am c1 \"ü\""]);
    assert_eq!((&feed[0]["username"], &feed[0]["edited_at"]), (&json!("Feed_2"), &Value::Null));
    let time = feed[1]["edited_at"].as_str().unwrap();
    // 2026-01-02T03:04:05.000006Z
    assert_eq!((time.len(), &time[10..11], &time[19..20], &time[26..]), (27, "T", ".", "Z"), "{time}");
    let cursor = feed[0]["cursor"].as_str().unwrap();
    let rest = cli().ok(&["feed", "feed-1", "--limit", "1", "--cursor", cursor, "--json"]).json_lines();
    assert_eq!(rest, feed[1..2]);
    cli().ok(&["feed", "feed-1"]).says(&["edited", "Feed_2"]);
    cli().run(&["feed", "nobody-at-all"]).exits(1).says(&["nobody-at-all"]);
    let ran = cli().run(&["feed", "feed-1", "--cursor", "nonsense"]).says(&["cursor"]);
    assert!(matches!(ran.code, Some(1 | 2)), "{ran}");
}

#[test]
fn query_gives_rows() {
    register("query-1", "Query_1");
    let rows = cli().ok(&["query", "user_profiles", "user_id=query-1", "--json"]).json_lines();
    assert_eq!(names(&rows[0]), ["user_id", "username", "registered_at"]);
    assert_eq!((rows.len(), &rows[0]["username"]), (1, &json!("Query_1")));
    let rows = cli().ok(&["query", "users_by_username", "username_key=query_1", "--json"]).json_lines();
    assert_eq!(rows[0]["user_id"], "query-1");
    assert_eq!(
        cli().ok(&["query", "user_profiles", "user_id=nobody", "--json"]).json_lines(),
        [] as [Value; 0]
    );
    assert_eq!(cli().ok(&["query", "user_profiles", "--limit", "1", "--json"]).json_lines().len(), 1);
    let ran = cli().run(&["query", "no_such_view"]).says(&["no_such_view", "user_profiles"]);
    assert!(matches!(ran.code, Some(1 | 2)), "{ran}");
    let ran = cli().run(&["query", "user_profiles", "no_such_column=1"]).says(&["no_such_column"]);
    assert!(matches!(ran.code, Some(1 | 2)), "{ran}");
}

#[test]
fn status_tells_how_far_the_projections_are() {
    register("status-1", "Status_1");
    let status = cli().ok(&["status", "--json"]).json();
    // the last is there where it is known how to ask processes, as beside an `up`
    assert_eq!(names(&status), ["healthy", "roles", "projections", "processes"]);
    assert_eq!(status["healthy"], true);
    let fields = ["view", "partition", "position", "lag_records", "lag_seconds"];
    assert_eq!(names(&status["projections"][0]), fields);
    cli().ok(&["status"]);
}

#[test]
fn a_second_start_shows_the_same_feeds() {
    let mut embedded = Embedded::start(SMALL_THRESHOLDS);
    let cli = embedded.cli();
    for user in ["ann", "bob"] {
        cli.ok(&["send", "RegisterUser", &format!("user_id={user}"), &format!("username={user}"), "--wait"]);
    }
    cli.ok(&["send", "FollowUser", "follower_id=ann", "followee_id=bob", "--wait"]);
    for chirp in 0..3 {
        let chirp = format!("chirp_id=c{chirp}");
        cli.ok(&["send", "PostChirp", &chirp, "author_id=bob", "content=hi", "--wait-for", "home_timelines"]);
    }
    let before = cli.ok(&["feed", "ann", "--json"]).json_lines();
    assert_eq!(before.len(), 3);
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let status = embedded.up.end(signal, SOON);
        assert_eq!(status.code(), Some(0), "{}", embedded.up.tail());
        let start = Instant::now();
        embedded.up.restart();
        embedded.await_ready();
        println!("ready again after {:?}", start.elapsed());
        assert_eq!(cli.ok(&["feed", "ann", "--json"]).json_lines(), before);
    }
    let call =
        ["send", "PostChirp", "chirp_id=last", "author_id=bob", "content=!", "--wait-for", "home_timelines"];
    cli.ok(&call);
    let after = cli.ok(&["feed", "ann", "--json"]).json_lines();
    // A cursor may count what lies before it.
    let contents = |feed: &[Value]| feed.iter().map(|entry| entry["chirp_id"].clone()).collect::<Vec<_>>();
    assert_eq!(contents(&after), [&[json!("last")], &contents(&before)[..]].concat());
    cli.wait_caught_up(LATER);
}
