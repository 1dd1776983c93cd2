//! What a person with curl alone can do: commands, outcomes, views and feeds over HTTP.

use millrace_blackbox::{Answer, Embedded, Gateway, Http, SOON, System, shared_cluster};
use serde_json::{Value, json};

#[test]
fn commands_and_queries_over_http_on_embedded_servers() {
    let embedded = Embedded::start("");
    everything_is_answered(&mut Http::at(embedded.http()), "e");
    what_is_wrong_is_said_and_nothing_is_sent(&mut Http::at(embedded.http()), &embedded, "w");
    // another gateway beside it says the same
    let other = Gateway::start(&embedded, "gateway");
    let status = std::fs::read_to_string(format!("/proc/{}/status", other.process.pid())).unwrap();
    assert!(
        status.contains("THP_enabled:\t0"),
        "many small things take half as much again in huge pages: {status}"
    );
    everything_is_answered(&mut other.http(), "o");
    ends_well(other);
}

#[test]
fn commands_and_queries_over_http_on_real_servers() {
    let cluster = shared_cluster();
    let gateway = Gateway::start(cluster, "gateway-api");
    everything_is_answered(&mut gateway.http(), "e");
    ends_well(gateway);
}

fn ends_well(mut gateway: Gateway) {
    let ended = gateway.process.end(libc::SIGTERM, SOON);
    assert!(ended.success(), "{ended}\n{}", gateway.process.tail());
}

fn register(http: &mut Http, user: &str) -> Answer {
    let body = json!({"data": {"user_id": user, "username": user.replace('-', "_")}});
    http.post("/v1/commands/chirp/RegisterUser", &[("Idempotency-Key", &format!("register-{user}"))], &body)
}

/// `name` begins all ids, so that systems can be shared.
fn everything_is_answered(http: &mut Http, name: &str) {
    let (ann, bob) = (format!("{name}-ann"), format!("{name}-bob"));
    let registered = register(http, &ann);
    let outcome = registered.is(200);
    assert_eq!(outcome["status"], "accepted", "{outcome}");
    assert_eq!(
        (&outcome["command_id"], &outcome["duplicate"]),
        (&json!(format!("register-{ann}")), &json!(false))
    );
    register(http, &bob).is(200);

    // one's own write is there at once
    let profile = format!("/v1/views/chirp/user_profiles?user_id={ann}");
    let rows = http.get(&profile, &[("Millrace-After", registered.position())]).is(200);
    assert_eq!(rows["rows"][0]["user_id"], ann, "{rows}");

    // the same again is the same answer, and other content under the key is refused
    let again = register(http, &ann);
    assert_eq!(again.is(200)["duplicate"], true);
    for member in ["positions", "versions", "recorded_at", "status"] {
        assert_eq!(again.json()[member], outcome[member], "{member}");
    }
    let key = format!("register-{ann}");
    let other = json!({"data": {"user_id": ann, "username": "somebody_else"}});
    let refused = http.post("/v1/commands/chirp/RegisterUser", &[("Idempotency-Key", &key)], &other).is(422);
    assert_eq!(refused["type"], "urn:millrace:problem:key-reused", "{refused}");

    // a rejection has every violation, with its place, and the name that the business has for it
    let taken = json!({"data": {"user_id": "no id", "username": "somebody"}, "metadata": {"user_id": bob}});
    let rejected = http.post("/v1/commands/chirp/RegisterUser", &[], &taken).is(422);
    assert_eq!(rejected["type"], "urn:millrace:problem:rejected", "{rejected}");
    assert_eq!(rejected["failure"], "RegistrationFailed", "{rejected}");
    let codes: Vec<&Value> =
        rejected["violations"].as_array().unwrap().iter().map(|it| &it["code"]).collect();
    assert_eq!(codes, ["NotPermitted", "InvalidArgument"], "{rejected}");
    assert_eq!(rejected["violations"][1]["pointer"], "/data/user_id", "{rejected}");

    // who does not wait looks later, with the key
    let follow = json!({"data": {"follower_id": bob, "followee_id": ann}});
    let key = format!("follow {name} #1");
    let headers = [("Prefer", "respond-async"), ("Idempotency-Key", &*key)];
    let accepted = http.post("/v1/commands/chirp/FollowUser", &headers, &follow);
    accepted.is(202);
    let location = accepted.header("location").expect("a place to look").to_owned();
    let followed = http.get(&location, &[]);
    assert_eq!(followed.is(200)["status"], "accepted");
    // also when it has long been there, and never by another key
    assert_eq!(http.get(&location, &[]).is(200), followed.json());
    let stranger = location.replace("%231", "%232") + "&timeout=0";
    http.get(&stranger, &[]).is(404);

    let mut after = followed.position().to_owned();
    for number in 0..5 {
        let chirp = json!({"data": {"chirp_id": format!("c{number}"), "author_id": ann, "content": format!("chirp {number}")}});
        let posted = http.post("/v1/commands/chirp/PostChirp", &[], &chirp);
        posted.is(200);
        assert!(posted.header("idempotency-key").is_some(), "who had no key is told it: {posted:?}");
        after = format!("{after},{}", posted.position());
    }
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let path = format!("/v1/feeds/{bob}?limit=2{cursor}");
        let page = http.get(&path, &[("Millrace-After", &after)]).is(200);
        seen.extend(page["rows"].as_array().unwrap().iter().map(|row| row["content"].clone()));
        let Some(next) = page["cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ["chirp 4", "chirp 3", "chirp 2", "chirp 1", "chirp 0"]);

    // a view by its logical key, page by page, longs as they are wanted
    let path = format!("/v1/views/chirp/chirps_by_author?author_id={ann}&limit=3");
    let first = http.get(&path, &[("Accept", "application/json; longs=string")]).is(200);
    assert_eq!(first["rows"].as_array().unwrap().len(), 3, "{first}");
    assert!(first["rows"][0]["posted_at"].is_string() && first["rows"][0].get("bucket").is_none(), "{first}");
    let rest = http.get(&format!("{path}&cursor={}", first["cursor"].as_str().unwrap()), &[]).is(200);
    assert_eq!(rest["rows"].as_array().unwrap().len(), 2, "{rest}");
    assert!(rest["rows"][0]["posted_at"].is_i64() && rest.get("cursor").is_none(), "{rest}");

    money(http, name);
}

/// A domain that never does a thing twice wants to know when.
fn money(http: &mut Http, name: &str) {
    let open = json!({"data": {"account_id": format!("{name}-a"), "owner_id": "ann", "currency": "EUR"}});
    let path = "/v1/commands/accounting/OpenAccount";
    let refused = http.post(path, &[("Idempotency-Key", "open")], &open).is(400);
    assert_eq!(refused["errors"][0]["pointer"], "/metadata/issued_at", "{refused}");
    http.post(path, &[], &open).is(200);
    let large = i64::MAX - 7;
    let deposit = json!({"data": {"account_id": format!("{name}-a"), "amount": large, "currency": "EUR", "reference": ""}});
    let paid = http.post("/v1/commands/accounting/Deposit", &[], &deposit);
    paid.is(200);
    let balance = format!("/v1/views/accounting/account_balances?account_id={name}-a");
    let rows = http.get(&balance, &[("Millrace-After", paid.position())]).is(200);
    assert_eq!(rows["rows"][0]["balance"], large, "a long comes right: {rows}");
}

/// Method, path, headers and body of a request; the status of its answer, and a word in it.
type Row<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, &'a str, u16, &'a str);

/// Requests that nobody can answer well, and that leave nothing in the log.
fn what_is_wrong_is_said_and_nothing_is_sent(http: &mut Http, system: &dyn System, name: &str) {
    register(http, &format!("{name}-ann")).is(200);
    // of the routing key that they all have
    let offset = || {
        let sent = system.cli().ok(&["send", "RegisterUser", "user_id=x", "username=X", "--json"]).json();
        sent["offset"].as_i64().expect("an offset")
    };
    let before = offset();
    let json = ("Content-Type", "application/json");
    let post = "/v1/commands/chirp/RegisterUser";
    let good = r#"{"data": {"user_id": "x", "username": "X"}}"#;
    let large = format!(r#"{{"data": {{"user_id": "x", "username": "{}"}}}}"#, "x".repeat(3 << 20));
    let long_key = "k".repeat(300);
    let rows: Vec<Row<'_>> = vec![
        ("POST", post, vec![json], "{", 400, "malformed"),
        ("POST", post, vec![json], r#"{"data": {}, "data": {}}"#, 400, "given twice"),
        ("POST", post, vec![json], "[]", 400, "object"),
        ("POST", post, vec![json], r#"{"data": {"user_id": "x"}}"#, 400, "/data/username"),
        ("POST", post, vec![json], r#"{"data": {"user_id": 7, "username": "X"}}"#, 400, "/data/user_id"),
        (
            "POST",
            post,
            vec![json],
            r#"{"data": {"user_id": "x", "username": "X", "more": 1}}"#,
            400,
            "/data/more",
        ),
        ("POST", post, vec![json], r#"{"data": {}, "extra": 1}"#, 400, "/extra"),
        (
            "POST",
            post,
            vec![json],
            r#"{"data": {}, "metadata": {"expected_version": 9223372036854775808}}"#,
            400,
            "/metadata/expected_version",
        ),
        ("POST", post, vec![json, ("Idempotency-Key", "")], good, 400, "Idempotency-Key"),
        ("POST", post, vec![json, ("Idempotency-Key", &long_key)], good, 400, "Idempotency-Key"),
        ("POST", post, vec![json, ("Idempotency-Key", "a"), ("Idempotency-Key", "b")], good, 400, "twice"),
        ("POST", post, vec![("Content-Type", "text/plain")], good, 415, "application/json"),
        ("POST", post, vec![], good, 415, "application/json"),
        ("POST", post, vec![json], &large, 413, "bytes"),
        ("POST", "/v1/commands/chirp/RegisterUsr", vec![json], good, 404, "RegisterUser"),
        ("POST", "/v1/commands/chrip/RegisterUser", vec![json], good, 404, "chirp"),
        ("GET", post, vec![], "", 405, "Allow"),
        ("DELETE", "/v1/views/chirp/chirps", vec![], "", 405, "Allow"),
        ("GET", "/v1/views/chirp/nothing", vec![], "", 404, "no view"),
        ("GET", "/v1/views/chirp/chirps_by_author_buckets", vec![], "", 404, "no view"),
        ("GET", "/v1/views/chirp/millrace_progress", vec![], "", 404, "no view"),
        ("GET", "/v1/views/chirp/chirps?author_id=x", vec![], "", 400, "chirp_id"),
        ("GET", "/v1/views/chirp/chirps?content=x", vec![], "", 400, "content"),
        ("GET", "/v1/views/chirp/chirps_by_author?author_id=x&bucket=1", vec![], "", 400, "bucket"),
        ("GET", "/v1/views/chirp/user_profiles?limit=0", vec![], "", 400, "limit"),
        ("GET", "/v1/views/chirp/user_profiles?limit=5&limit=6", vec![], "", 400, "twice"),
        ("GET", "/v1/views/chirp/user_profiles?cursor=abc", vec![], "", 400, "cursor"),
        (
            "GET",
            "/v1/views/chirp/user_profiles",
            vec![("Millrace-After", "nonsense")],
            "",
            400,
            "Millrace-After",
        ),
        ("GET", "/v1/feeds/nobody-at-all", vec![], "", 404, "nobody-at-all"),
        ("GET", "/v1/feeds/nobody?cursor=x", vec![], "", 400, "cursor"),
        ("GET", "/v1/outcomes/chirp/x", vec![], "", 400, "at"),
        ("GET", "/v1/outcomes/chirp/x?at=99.0.0", vec![], "", 400, "at"),
        ("GET", "/v1/outcomes/chirp/x?at=0.0.0&timeout=61", vec![], "", 400, "timeout"),
        ("GET", "/nothing", vec![], "", 404, "nothing"),
    ];
    for (method, path, headers, body, status, word) in rows {
        let answer =
            http.ask(method, path, &headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        answer.is(status);
        assert!(answer.body.contains(word), "{method} {path} does not say {word}: {answer:?}");
    }
    // not yet, and never: the position is one that nobody has reached
    let headers = [("Millrace-After", "chirp:c0.999999999"), ("Prefer", "wait=1")];
    let late = http.get("/v1/views/chirp/user_profiles", &headers).is(503);
    assert_eq!(late["type"], "urn:millrace:problem:not-yet", "{late}");
    assert_eq!(offset(), before + 1, "something was sent");
}
