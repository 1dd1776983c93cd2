//! What `docs/analysts.md` tells analysts to write works as it stands, on both kinds of tables.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use millrace_blackbox::{Cli, System, python, shared_cluster, shared_embedded};

/// The blocks of code in one language, in the document's order.
fn blocks(language: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/analysts.md");
    let text = fs::read_to_string(file).expect("the document");
    let begin = format!("```{language}\n");
    text.split(&begin)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().trim().to_owned())
        .collect()
}

/// A small network with one author who follows somebody.
fn fill(cli: &Cli, author: &str) {
    let reader = format!("{author}-reader");
    for user in [author, &reader] {
        cli.ok(&[
            "send",
            "RegisterUser",
            &format!("user_id={user}"),
            &format!("username={user}").replace('-', "_"),
            "--wait-for",
            "users_by_username",
        ]);
    }
    cli.ok(&[
        "send",
        "FollowUser",
        &format!("follower_id={author}"),
        &format!("followee_id={reader}"),
        "--wait",
    ]);
    let author_id = format!("author_id={author}");
    for chirp in ["chirp_id=one", "chirp_id=two"] {
        cli.ok(&["send", "PostChirp", chirp, &author_id, "content=Hello", "--wait-for", "feed"]);
    }
}

/// Deposits of nine trillion millions in accounts of two partitions. Gives the day on which they are booked.
fn fill_to_the_edge(system: &dyn System) -> String {
    let cli = system.cli();
    let mut partitions = BTreeSet::new();
    for number in 0..100 {
        let account = format!("account_id=edge-{number}");
        let opened =
            cli.ok(&["send", "OpenAccount", &account, "owner_id=ann", "currency=XTS", "--wait", "--json"]);
        if partitions.insert(opened.json()["positions"][0]["partition"].to_string()) {
            let amount = "amount=9000000000000000000";
            let paid = [
                "send",
                "Deposit",
                &account,
                amount,
                "currency=XTS",
                "reference=",
                "--wait-for",
                "daily_totals",
            ];
            cli.ok(&paid);
        }
        if partitions.len() == 2 {
            let row = cli.ok(&["query", "account_statements", &account, "--json"]).json_lines().remove(0);
            let micros = row["recorded_at"].to_string();
            let day = "import datetime, sys; print(datetime.datetime.fromtimestamp(int(sys.argv[1]) // 10**6, datetime.timezone.utc).date())";
            return run(&["-c", day, &micros], &[]);
        }
    }
    panic!("all accounts are in one partition");
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = Command::new(python()).args(arguments).envs(environment.iter().copied()).output();
    let output = output.expect("Python starts");
    assert!(output.status.success(), "{arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn analysts_of_one_machine_get_what_the_document_says() {
    let system = shared_embedded();
    fill(&system.cli(), "anna");
    let tables = &system.tables()[1];
    let file = Path::new(tables).join("chirp.sqlite").display().to_string();
    let ask = "import sqlite3, sys; print(len(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))";
    let statements = blocks("sql");
    assert!(statements.len() >= 5, "{statements:?}");
    for statement in statements {
        let rows: u64 = run(&["-c", ask, &file, &statement], &[]).parse().expect("a number");
        assert!(rows > 0, "{statement}");
    }
    assert_eq!(run(&["-c", &blocks("python")[0], "anna"], &[("TABLES", tables)]), "2 1");
    // the same after a rebuild, while the old version is there and when it is not
    for step in [&["rebuild", "timelines"][..], &["rebuild", "timelines", "--drop"]] {
        system.cli().ok(step);
        assert_eq!(run(&["-c", &blocks("python")[0], "anna"], &[("TABLES", tables)]), "2 1");
    }
}

#[test]
fn analysts_of_a_shop_get_what_the_document_says() {
    let system = shared_embedded();
    let cli = system.cli();
    cli.ok(&[
        "send",
        "CreateOrder",
        "order_id=o1",
        "user_id=ann",
        "total=4990",
        "--wait-for",
        "orders_by_day",
    ]);
    cli.ok(&["send", "CancelOrder", "order_id=o1", "reason=No", "--wait-for", "shop_orders"]);
    cli.ok(&["send", "CreateCalendar", "calendar_id=ann", "--wait"]);
    // the document's week
    let times = ["start=2025-12-28T10:00:00+01:00", "end=2025-12-28T09:30:00Z"];
    let slot = ["send", "ScheduleTimeslot", "calendar_id=ann", "timeslot_id=s1", "title=Talk"];
    cli.ok(&[&slot[..], &times, &["--wait-for", "calendar_timeslots"]].concat());
    let tables = &system.tables()[1];
    let ask = "import sqlite3, sys; print(len(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))";
    for (domain, count) in [("orders", 2), ("calendar", 1)] {
        let file = Path::new(tables).join(format!("{domain}.sqlite")).display().to_string();
        let statements = blocks(&format!("sql {domain}"));
        assert_eq!(statements.len(), count, "{statements:?}");
        for statement in statements {
            let rows: u64 = run(&["-c", ask, &file, &statement], &[]).parse().expect("a number");
            assert!(rows > 0, "{statement}");
        }
    }
}

#[test]
fn sums_are_right_at_the_edge_of_their_range() {
    for (system, kind) in
        [(shared_embedded() as &dyn System, "sql accounting"), (shared_cluster(), "cql accounting")]
    {
        let day = fill_to_the_edge(system);
        let [statement] = blocks(kind).try_into().expect("one of each kind");
        let statement: String = statement.replace("2026-01-02", &day).replace("EUR", "XTS");
        let tables = system.tables();
        let sum = match kind {
            "sql accounting" => {
                let file = Path::new(&tables[1]).join("accounting.sqlite").display().to_string();
                let ask = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])";
                run(&["-c", ask, &file, &statement], &[])
            }
            _ => {
                let ask = "import os, sys\nfrom cassandra.cluster import Cluster\nhost, port = os.environ['CQL'].rsplit(':', 1)\n\
                           print(Cluster([host], port=int(port)).connect(os.environ['KEYSPACE']).execute(sys.argv[1]).one()[0])";
                run(
                    &["-c", ask, &statement],
                    &[("CQL", tables[1].as_str()), ("KEYSPACE", tables[2].as_str())],
                )
            }
        };
        assert_eq!(sum, "18000000000000000000", "{statement}");
    }
}

#[test]
fn analysts_of_a_cluster_get_what_the_document_says() {
    let system = shared_cluster();
    fill(&system.cli(), "ann");
    let tables = system.tables();
    let environment = [("CQL", tables[1].as_str()), ("KEYSPACE", tables[2].as_str())];
    let ask = "import os, sys\nfrom cassandra.cluster import Cluster\nhost, port = os.environ['CQL'].rsplit(':', 1)\n\
               print(*Cluster([host], port=int(port)).connect(os.environ['KEYSPACE']).execute(sys.argv[1]).one()[:1])";
    let statements = blocks("cql");
    assert!(statements.len() >= 3, "{statements:?}");
    let mut found = String::new();
    for statement in statements {
        // what a statement needs is what the one before it has found
        found = run(&["-c", ask, &statement.replace('?', &found)], &environment);
        assert!(!found.is_empty(), "{statement}");
    }
    assert_eq!(run(&["-c", &blocks("python")[0], "ann"], &environment), "2 1");
    system.cli().ok(&["rebuild", "timelines"]);
    assert_eq!(run(&["-c", &blocks("python")[0], "ann"], &environment), "2 1");
}
