//! Money is credited once, also when a deposit comes again after everybody has forgotten its answer.

use millrace_blackbox::{Cluster, Embedded, System};
use serde_json::Value;

/// Accounting remembers four answers of each partition, so a few deposits more make it forget one.
const SHORT_MEMORY: &str = "[processor]\ndedup_window_ids = 4\n";

#[test]
fn a_deposit_that_comes_again_behind_the_window_is_expired_on_embedded_servers() {
    is_credited_once(&Embedded::start(SHORT_MEMORY));
}

#[test]
fn a_deposit_that_comes_again_behind_the_window_is_expired_on_real_servers() {
    is_credited_once(&Cluster::start("expired", SHORT_MEMORY, 1));
}

fn is_credited_once(system: &dyn System) {
    let cli = system.cli();
    let send = |arguments: &[&str]| -> Value {
        let all = [&["send"], arguments, &["--wait-for", "account_balances", "--json"]].concat();
        cli.run(&all).json()
    };
    let deposit = |id: &str, more: &[&str]| -> Value {
        let fields =
            ["accounting.Deposit", "account_id=ann", "amount=10", "currency=EUR", "reference=", "--id", id];
        send(&[&fields, more].concat())
    };
    let open = send(&["OpenAccount", "account_id=ann", "owner_id=ann", "currency=EUR"]);
    assert_eq!(open["status"], "accepted", "{open}");
    let line = ["--issued-at", "2026-01-02T03:04:05Z"];
    let first = deposit("pay-77", &line);
    assert_eq!(first["status"], "accepted", "{first}");
    // while it is remembered the answer is the first one
    let again = deposit("pay-77", &line);
    assert_eq!((&again["status"], &again["duplicate"]), (&first["status"], &Value::Bool(true)), "{again}");
    let others = 12;
    for number in 0..others {
        let other = deposit(&format!("other-{number}"), &[]);
        assert_eq!(other["status"], "accepted", "an honest deposit is never refused: {other}");
    }
    let again = deposit("pay-77", &line);
    assert_eq!(again["status"], "rejected", "{again}");
    assert_eq!(again["violations"][0]["code"], "Expired", "{again}");
    let account = cli.ok(&["query", "account_balances", "account_id=ann", "--json"]).json();
    assert_eq!(account["balance"], 10 * (1 + others), "{account}");
}
