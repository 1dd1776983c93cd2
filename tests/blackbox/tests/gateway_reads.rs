//! One's own write through any replica, and what goes on while a server is away.

use std::thread;

use millrace_blackbox::{Answer, Embedded, Fragile, Gateway, Http, LATER, SOON, shared_cluster};
use millrace_services::{wait_for, wait_until};
use serde_json::json;

/// Pairs of a command and a query: `MILLRACE_TEST_HTTP_PAIRS`, else 400.
fn pairs() -> usize {
    let given = std::env::var("MILLRACE_TEST_HTTP_PAIRS").ok();
    given.map_or(400, |text| text.parse().expect("MILLRACE_TEST_HTTP_PAIRS is a number"))
}

#[test]
fn no_read_is_older_than_ones_own_write_on_embedded_servers() {
    let embedded = Embedded::start("");
    let other = Gateway::start(&embedded, "other");
    reads_are_never_stale(&[embedded.http().to_owned(), other.address()], "e");
}

#[test]
fn no_read_is_older_than_ones_own_write_on_real_servers() {
    let cluster = shared_cluster();
    let gateways = [Gateway::start(cluster, "reads-one"), Gateway::start(cluster, "reads-other")];
    reads_are_never_stale(&[gateways[0].address(), gateways[1].address()], "r");
}

/// Asks until there is an answer: on a machine that stands still for a while, 202 and 503 say that there is none yet.
fn until_told(mut ask: impl FnMut() -> Answer) -> Answer {
    let told = wait_for(LATER, "an answer", || {
        let answer = ask();
        (![202, 503].contains(&answer.status)).then_some(answer)
    });
    told.unwrap_or_else(|overdue| panic!("{overdue}"))
}

/// Writes through one gateway and reads through the other, at once.
fn reads_are_never_stale(gateways: &[String; 2], name: &str) {
    let clients = 8;
    thread::scope(|scope| {
        for client in 0..clients {
            scope.spawn(move || {
                let (mut one, mut other) =
                    (Http::at(&gateways[client % 2]), Http::at(&gateways[(client + 1) % 2]));
                let author = format!("{name}-author-{client}");
                let register = json!({"data": {"user_id": author, "username": author.replace('-', "_")}});
                one.post("/v1/commands/chirp/RegisterUser", &[], &register).is(200);
                for number in 0..pairs() / clients {
                    let (chirp, content) = (format!("c{number}"), format!("chirp {number}"));
                    let post = json!({"data": {"chirp_id": chirp, "author_id": author, "content": content}});
                    let key = [("Idempotency-Key", &*format!("{author}-{number}"))];
                    let posted = until_told(|| one.post("/v1/commands/chirp/PostChirp", &key, &post));
                    posted.is(200);
                    let path = format!("/v1/views/chirp/chirps_by_author?author_id={author}&limit=1");
                    let after = [("Millrace-After", posted.position())];
                    let read = until_told(|| other.get(&path, &after)).is(200);
                    assert_eq!(read["rows"][0]["content"], content, "stale: {read}");
                }
            });
        }
    });
}

/// On servers that have been broken before: to start others takes half a minute.
pub fn without_the_log_queries_go_on_and_without_tables_commands_do(system: &mut Fragile, gateway: &Gateway) {
    let mut http = gateway.http();
    let register = |http: &mut Http, user: &str| {
        let body = json!({"data": {"user_id": user, "username": user}});
        http.post(
            "/v1/commands/chirp/RegisterUser",
            &[("Idempotency-Key", &format!("register-{user}"))],
            &body,
        )
    };
    let ann = register(&mut http, "ann");
    ann.is(200);
    let profile = |user: &str| format!("/v1/views/chirp/user_profiles?user_id={user}");
    let there = http.get(&profile("ann"), &[("Millrace-After", ann.position())]).is(200);

    system.kafka.kill9().unwrap_or_else(|error| panic!("{error}"));
    let away = register(&mut http, "bob").is(503);
    assert_eq!(away["type"], "urn:millrace:problem:log-away", "{away}");
    assert_eq!(http.get(&profile("ann"), &[("Millrace-After", ann.position())]).is(200), there);
    http.get("/v1/feeds/ann", &[]).is(200);
    let later = [("Millrace-After", "chirp:c0.999999999"), ("Prefer", "wait=1")];
    http.get(&profile("ann"), &later).is(503);
    // nobody is sent elsewhere for that, and everybody is told
    let mut health = Http::at(&gateway.process.health_address());
    wait_until(SOON, "a gateway that says what is in its way", || {
        health.get("/health", &[]).status == 503 && health.get("/ready", &[]).status == 200
    })
    .unwrap();
    system.kafka.restart().unwrap_or_else(|error| panic!("{error}"));
    wait_until(LATER, "an answer to the same again", || register(&mut http, "bob").status == 200).unwrap();

    system.cql.kill9().unwrap_or_else(|error| panic!("{error}"));
    let cid = register(&mut http, "cid");
    cid.is(200);
    let away = http.get(&profile("cid"), &[("Prefer", "wait=1")]).is(503);
    assert_eq!(away["type"], "urn:millrace:problem:tables-away", "{away}");
    system.cql.restart().unwrap_or_else(|error| panic!("{error}"));
    wait_until(LATER, "the row, once the tables are back", || {
        let read = http.get(&profile("cid"), &[("Millrace-After", cid.position())]);
        read.status == 200 && read.json()["rows"][0]["username"] == "cid"
    })
    .unwrap();
}
