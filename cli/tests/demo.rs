//! `millrace demo`: what it shows leads to what it has started.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::common::Place;

#[test]
fn the_demo_shows_a_feed_and_where_others_send() {
    let place = Place::new();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_millrace"))
        .args(["demo", "--data", "data", "--kafka-port", "0", "--registry-port", "0", "--http-port", "0"])
        .args(["--people", "20", "--commands", "200"])
        .current_dir(place.path())
        .env("XDG_STATE_HOME", place.path().join("state"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut shown = Vec::new();
    for line in BufReader::new(demo.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let is_last = line.contains("Ctrl-C ends it");
        shown.push(line);
        if is_last {
            break;
        }
    }
    // what its people buy, plan and pay is there, too
    for (domain, view, key) in [
        ("orders", "shop_orders", "user_id=ada"),
        ("calendar", "calendar_timeslots", "calendar_id=ada"),
        ("accounting", "account_balances", "account_id=ada"),
        ("identity", "users", "user_id=ada"),
        ("projects", "project_board", "project_id=mill-race"),
        ("estimation", "estimations_by_project", "project_id=mill-race"),
        ("estimation", "estimates", "estimation_id=weir"),
    ] {
        assert!(place.path().join(format!("data/demo-{domain}.jsonl")).exists());
        let listed = place.run(&["query", view, key, "--json"]).is(0, &[]).stdout;
        assert!(listed.lines().count() >= 1, "{view}");
        // of the estimation that is open, the rows tell who has said something, and not what
        assert!(view != "estimates" || listed.lines().all(|row| row.contains("\"points\":null")), "{listed}");
    }
    drop(demo.kill());
    drop(demo.wait());
    let ready = shown.iter().find_map(|line| line.strip_prefix("ready kafka="));
    let kafka = ready.and_then(|rest| rest.split(' ').next()).unwrap_or_else(|| panic!("{shown:#?}"));
    let says = |what: &str| shown.iter().any(|line| line.contains(what));
    assert!(says(&format!("{kafka}, topic chirp.commands")), "{shown:#?}");
    assert!(
        says("reads, newest first") && says("all of them in the tables") && says("Ctrl-C ends it"),
        "{shown:#?}"
    );
    assert!(shown.iter().any(|line| line.starts_with('@')), "{shown:#?}");
}
