//! The picture of a running system: everything that is declared is there, strangers are warned of within ten seconds, and what
//! is stopped becomes grey.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use millrace_blackbox::{
    Cli, Cluster, Embedded, Foreign, Gateway, LATER, Process, SMALL_THRESHOLDS, SOON, System, millrace,
    python, script,
};
use millrace_services::wait_for;
use serde_json::{Value as Json, json};

/// How soon a stranger is to be seen.
const SEEN_WITHIN: Duration = Duration::from_secs(10);

/// A consumer group that nobody has declared, with one member; it leaves when dropped.
struct Stranger {
    child: Child,
    joined: Instant,
}

impl Stranger {
    /// One that has joined.
    fn join(system: &dyn System, group: &str, topic: &str, protocol: &str) -> Self {
        let mut command = Command::new(python());
        command.arg(script("stranger.py")).args(["--kafka", system.kafka(), "--group", group]);
        command.args(["--topic", topic, "--protocol", protocol]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "assigned\n", "{group} has not joined");
        Self { child, joined: Instant::now() }
    }

    /// Says good-bye.
    fn leave(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn drawn(cli: &Cli) -> Json {
    cli.ok(&["architecture", "--json"]).json()
}

fn element<'a>(drawn: &'a Json, id: &str) -> Option<&'a Json> {
    drawn["elements"].as_array().unwrap().iter().find(|it| it["id"] == id)
}

fn standing(drawn: &Json, id: &str) -> String {
    element(drawn, id).map_or("absent", |it| it["standing"].as_str().unwrap()).to_owned()
}

fn edge<'a>(drawn: &'a Json, from: &str, to: &str) -> Option<&'a Json> {
    drawn["edges"].as_array().unwrap().iter().find(|it| it["from"] == from && it["to"] == to)
}

/// A picture that is as it is wanted; panics when none is in time.
fn until(cli: &Cli, what: &str, deadline: Duration, is: impl Fn(&Json) -> bool) -> Json {
    let found = wait_for(deadline, what, || Some(drawn(cli)).filter(&is));
    found.unwrap_or_else(|overdue| {
        let text = cli.ok(&["architecture"]).stdout;
        panic!("{overdue}\n{text}")
    })
}

/// Joins as a stranger, and demands that it is warned of in time, and grey once it is gone.
fn a_stranger_is_seen(system: &dyn System, group: &str, protocol: &str) {
    let (cli, id) = (system.cli(), format!("group:{group}"));
    let stranger = Stranger::join(system, group, &format!("{}chirp.events", system.prefix()), protocol);
    let seen =
        until(&cli, &format!("{group} to be seen"), SEEN_WITHIN, |it| standing(it, &id) == "undeclared");
    assert!(stranger.joined.elapsed() < SEEN_WITHIN, "seen after {:?}", stranger.joined.elapsed());
    let reads = edge(&seen, "topic:chirp.events", &id).expect("what it reads");
    assert_eq!((&reads["declared"], &reads["observed"]), (&json!(false), &json!(true)), "{reads}");
    let it = element(&seen, &id).unwrap();
    assert_eq!(
        (&it["instance_count"], &it["instances"][0]["client"]),
        (&json!(1), &json!("a stranger")),
        "{it}"
    );
    // what a terminal would obey is written out
    let shown = group.split('\u{1b}').next().unwrap();
    let text = cli.ok(&["architecture"]).says(&["UNDECLARED", shown, "chirp.events"]).stdout;
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert!(text.contains("127.0.0.1"), "where it connects from: {text}");
    stranger.leave();
    let gone =
        until(&cli, &format!("{group} to be gone"), SEEN_WITHIN, |it| standing(it, &id) != "undeclared");
    // it has committed, so it is remembered
    assert_eq!(standing(&gone, &id), "gone");
}

#[test]
fn a_whole_system_is_drawn_and_a_stranger_is_seen() {
    let system = Embedded::start(SMALL_THRESHOLDS);
    let cli = system.cli();
    cli.ok(&["send", "RegisterUser", "user_id=ann", "username=Ann", "--wait"]);
    let drawn = until(&cli, "every role to be there", LATER, |it| {
        let roles = it["elements"].as_array().unwrap().iter();
        let mut roles = roles.filter(|it| {
            ["processor", "policy", "projector", "gateway"].iter().any(|kind| it["kind"] == *kind)
        });
        roles.all(|it| it["standing"] == "live")
    });
    let contexts: Vec<&str> =
        drawn["contexts"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    for domain in ["accounting", "calendar", "chirp", "guestbook", "identity", "orders", "projects"] {
        assert!(contexts.contains(&domain), "{domain} is missing in {contexts:?}");
        assert_eq!(standing(&drawn, &format!("processor:{domain}")), "live");
    }
    assert_eq!(standing(&drawn, "policy:projects.identity"), "live");
    let gateway = element(&drawn, "gateway").unwrap();
    assert_eq!(gateway["instances"][0]["name"], json!(format!("http://{}", system.http())), "{gateway}");
    for it in drawn["elements"].as_array().unwrap().iter().filter(|it| it["kind"] == "topic") {
        assert_eq!((&it["standing"], it["partitions"].as_i64() > Some(0)), (&json!("live"), true), "{it}");
    }
    let reads = edge(&drawn, "topic:chirp.events", "projector:chirp.timelines").unwrap();
    assert_eq!(reads["observed"], true, "{reads}");
    until(&cli, "nobody to be behind", LATER, |it| {
        it["edges"].as_array().unwrap().iter().all(|edge| edge.get("lag_records").is_none_or(|lag| *lag == 0))
    });
    assert!(drawn["sources"]["window_seconds"].as_f64() > Some(0.5), "{}", drawn["sources"]);
    a_stranger_is_seen(&system, "reports", "classic");
    a_stranger_is_seen(&system, "a \"b\" ${HOME} \\ | ]\u{1b}[2J", "classic");
    for format in ["dsl", "mermaid"] {
        let said = cli.ok(&["architecture", "--format", format]).stdout;
        assert!(said.contains("a %22b%22") && !said.contains('\u{1b}') && !said.contains("${"), "{said}");
    }
}

#[test]
fn rates_and_lag_are_those_of_a_load_and_a_watcher_keeps_a_file_up_to_date() {
    let system = Embedded::start(SMALL_THRESHOLDS);
    let file = system.dir().join("picture.json");
    let mut arguments =
        vec!["architecture", "--watch", "--every", "1", "--format", "json", "--out", "picture.json"];
    let cli = system.cli();
    arguments.extend(cli.flags().iter().map(String::as_str));
    let mut watcher = Process::start("watcher", system.dir(), millrace(), arguments);
    let picture = || {
        let text = std::fs::read_to_string(&file).ok()?;
        Some(serde_json::from_str::<Json>(&text).expect("written whole or not at all"))
    };
    wait_for(SOON, "a picture", picture).unwrap_or_else(|overdue| panic!("{overdue}\n{}", watcher.tail()));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut foreign = Foreign::of(&system);
            for round in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let user = |n: usize| {
                    let name = format!("u{round}_{n}");
                    json!({"id": name, "type": "RegisterUser", "data": {"user_id": name, "username": name}})
                };
                foreign.send_all(&(0..50).map(user).collect::<Vec<_>>());
            }
        });
        let is_moving = || {
            let it = picture()?;
            let commands =
                edge(&it, "topic:chirp.commands", "processor:chirp")?["records_per_second"].as_f64()?;
            let events = element(&it, "topic:chirp.events")?["records_per_second"].as_f64()?;
            (commands > 0.0 && events > 0.0).then_some(())
        };
        let moving = wait_for(LATER, "rates", is_moving);
        stop.store(true, Ordering::Relaxed);
        load.join().unwrap();
        moving.unwrap_or_else(|overdue| panic!("{overdue}\n{}", watcher.tail()));
    });
    let status = watcher.end(libc::SIGTERM, SOON);
    assert!(status.success(), "{status}");
}

#[test]
fn on_kafka_roles_that_stop_are_grey_and_strangers_of_both_protocols_are_seen() {
    let mut system = Cluster::start("architecture", SMALL_THRESHOLDS, 1);
    let gateway = Gateway::start(&system, "gateway0");
    let cli = system.cli();
    let is_there = |it: &Json| {
        ["processor:chirp", "policy:projects.identity", "projector:chirp.timelines"]
            .iter()
            .all(|id| standing(it, id) == "live")
    };
    until(&cli, "every role to be there", LATER, is_there);
    drop(gateway);
    a_stranger_is_seen(&system, &format!("{}reports", system.prefix()), "classic");
    a_stranger_is_seen(&system, &format!("{}newer", system.prefix()), "consumer");
    let projector = &mut system.projectors[0];
    assert!(projector.end(libc::SIGTERM, LATER).success());
    let grey = until(&cli, "the projectors to be silent", LATER, |it| {
        standing(it, "projector:chirp.timelines") == "silent"
    });
    assert_eq!(standing(&grey, "processor:chirp"), "live");
    let reads = edge(&grey, "topic:chirp.events", "projector:chirp.timelines").unwrap();
    assert_eq!(reads["observed"], false, "{reads}");
    cli.ok(&["architecture"]).says(&["SILENT"]);
    system.projectors[0].restart();
    until(&cli, "the projectors to be back", LATER, |it| standing(it, "projector:chirp.timelines") == "live");
}
