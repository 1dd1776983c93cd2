//! A retry is safe anywhere: gateways, broker and processors are killed, and clients ask again at another gateway.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use millrace_blackbox::{Answer, Embedded, Fragile, Gateway, Http, SMALL_THRESHOLDS, SOON};
use millrace_services::{wait_for, wait_until};
use serde_json::{Value, json};

use super::gateway_reads::without_the_log_queries_go_on_and_without_tables_commands_do;

/// Clients at work at once, each on an account of its own.
const CLIENTS: usize = 6;

/// Who is killed is waited for no longer than brokers insist on.
const SHORT_SESSIONS: &str =
    "[processor]\nsession_timeout_ms = 6000\n[projector]\nsession_timeout_ms = 6000\n";

/// Commands of all clients together: `MILLRACE_TEST_HTTP_COMMANDS`, else 600.
fn commands() -> usize {
    let given = std::env::var("MILLRACE_TEST_HTTP_COMMANDS").ok();
    given.map_or(600, |text| text.parse().expect("MILLRACE_TEST_HTTP_COMMANDS is a number"))
}

#[test]
fn retries_through_another_gateway_on_embedded_servers() {
    let mut embedded = Embedded::start("");
    let mut other = Gateway::start(&embedded, "other");
    let gateways = [embedded.http().to_owned(), other.address()];
    let struck = run(&gateways, &mut |share| match share {
        0 => embedded.up.restart(),
        1 => other.process.restart(),
        _ => {
            embedded.up.restart();
            other.process.restart();
        }
    });
    embedded.await_ready();
    other.await_ready();
    judge(&gateways, &struck);
}

#[test]
fn retries_through_another_gateway_on_real_servers() {
    let mut system = Fragile::with("retries", &format!("{SMALL_THRESHOLDS}{SHORT_SESSIONS}"));
    system.cluster.start_roles(2);
    let mut gateways = [Gateway::start(&system, "one"), Gateway::start(&system, "other")];
    let addresses = [gateways[0].address(), gateways[1].address()];
    let struck = run(&addresses, &mut |share| match share {
        0 => {
            system.kafka.kill9().unwrap_or_else(|error| panic!("{error}"));
            gateways[0].process.restart();
            system.kafka.restart().unwrap_or_else(|error| panic!("{error}"));
        }
        1 => {
            system.cluster.processors[0].restart();
            gateways[1].process.restart();
        }
        _ => system.cluster.processors.iter_mut().for_each(|processor| processor.restart()),
    });
    gateways.iter().for_each(Gateway::await_ready);
    judge(&addresses, &struck);
    without_the_log_queries_go_on_and_without_tables_commands_do(&mut system, &gateways[0]);
}

/// What a client was answered, in its order.
type Answered = Vec<(String, Value)>;

/// Deposits of all clients; every quarter of them `strike` breaks something.
fn run(gateways: &[String; 2], strike: &mut dyn FnMut(usize)) -> Vec<Answered> {
    let each = commands() / CLIENTS;
    for client in 0..CLIENTS {
        let open = json!({"data": {"account_id": account(client), "owner_id": "ann", "currency": "EUR"}});
        Http::at(&gateways[0]).post("/v1/commands/accounting/OpenAccount", &[], &open).is(200);
    }
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let done = &done;
                scope.spawn(move || {
                    let mut each_in_turn = Vec::new();
                    for number in 0..each {
                        let key = format!("deposit-{client}-{number}");
                        each_in_turn.push((key.clone(), deposit(gateways, client, number, &key)));
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    each_in_turn
                })
            })
            .collect();
        for share in 0..3 {
            let upto = each * CLIENTS * (share + 1) / 4;
            wait_until(SOON * 3, "a part of the commands", || done.load(Ordering::Relaxed) >= upto).unwrap();
            strike(share);
        }
        clients.into_iter().map(|client| client.join().expect("a client that has ended well")).collect()
    })
}

fn account(client: usize) -> String {
    format!("account-{client}")
}

fn send(gateway: &str, client: usize, key: &str) -> Option<Answer> {
    let body = json!({
        "data": {"account_id": account(client), "amount": 1, "currency": "EUR", "reference": key},
        "metadata": {"issued_at": issued_at()},
    });
    let headers = [("Idempotency-Key", key), ("Prefer", "wait=5")];
    let answer = Http::at(gateway).try_post("/v1/commands/accounting/Deposit", &headers, &body).ok()?;
    // not answered yet, or nobody knows
    (![202, 503].contains(&answer.status)).then_some(answer)
}

/// The same for all commands of a run, as a retry must say what was said first.
fn issued_at() -> &'static str {
    static NOW: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    NOW.get_or_init(|| {
        let now = std::process::Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]).output();
        String::from_utf8(now.expect("date runs").stdout).expect("text").trim().to_owned()
    })
}

/// Asks one gateway after the other until one has an answer.
fn deposit(gateways: &[String; 2], client: usize, number: usize, key: &str) -> Value {
    let mut turn = client + number;
    let answer = wait_for(SOON * 3, "an answer", || {
        turn += 1;
        send(&gateways[turn % 2], client, key)
    });
    answer.unwrap_or_else(|error| panic!("{key}: {error}")).is(200)
}

/// Every command was done once, and whoever asks again, anywhere, gets the first answer.
fn judge(gateways: &[String; 2], answered: &[Answered]) {
    for (client, answered) in answered.iter().enumerate() {
        let mut last = None;
        for (number, (key, outcome)) in answered.iter().enumerate() {
            assert_eq!(outcome["status"], "accepted", "{key}: {outcome}");
            // one event for each: none lost, none doubled, in the client's order
            assert_eq!(outcome["versions"][0]["version"], number + 2, "{key}: {outcome}");
            let every_tenth_and_the_last = number % 10 == 0 || number + 1 == answered.len();
            if every_tenth_and_the_last {
                let again = send(&gateways[number / 10 % 2], client, key);
                let again = again.unwrap_or_else(|| panic!("{key} is not answered again"));
                assert_eq!(again.is(200)["duplicate"], true, "{key}");
                for member in ["command_id", "status", "positions", "versions", "recorded_at"] {
                    assert_eq!(again.json()[member], outcome[member], "{key}: {member}");
                }
                last = Some(again);
            }
        }
        let after = last.expect("some commands were sent");
        let path = format!("/v1/views/accounting/account_balances?account_id={}", account(client));
        for gateway in gateways {
            let headers = [("Millrace-After", after.position()), ("Prefer", "wait=60")];
            let rows = Http::at(gateway).get(&path, &headers).is(200);
            assert_eq!(rows["rows"][0]["balance"], answered.len(), "{rows}");
        }
    }
}
