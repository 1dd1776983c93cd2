//! A view family rebuilt: beside the live one, through kills, to another projection, back, and dropped.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millrace_blackbox::{
    Cli, Cluster, Embedded, LATER, Process, SMALL_THRESHOLDS, SOON, System, millrace, workdir,
};
use millrace_services::{Services, wait_until};
use serde_json::{Value, json};

/// What a rebuild under the same rules must not change, and one under these must.
const SHORTER_TIMELINES: &str =
    "[chirp]\ncelebrity_above = 30\ncelebrity_below = 25\ntimeline_cap = 40\nfan_out_at_once = 5\n";

/// People of the network, of whom each follows a few and reads.
const PEOPLE: usize = 60;

fn line(kind: &str, data: Value) -> String {
    format!("{}\n", json!({"type": kind, "data": data}))
}

fn chirp(number: usize) -> String {
    let author = format!("p{}", (number * number + number / 7) % PEOPLE);
    line("PostChirp", json!({"chirp_id": format!("c{number}"), "author_id": author, "content": "Hello"}))
}

/// A network in which some are followed by nearly all, and `chirps` of it.
fn network(chirps: usize) -> String {
    let mut text = String::new();
    for person in 0..PEOPLE {
        text += &line(
            "RegisterUser",
            json!({"user_id": format!("p{person}"), "username": format!("name_{person}")}),
        );
    }
    text += "\n";
    for followee in 0..PEOPLE {
        let audience = if followee % 20 == 0 { PEOPLE } else { 4 + followee % 12 };
        for follower in (1..audience).map(|step| (followee + step) % PEOPLE) {
            let follow =
                json!({"follower_id": format!("p{follower}"), "followee_id": format!("p{followee}")});
            text += &line("FollowUser", follow);
        }
    }
    text += "\n";
    text.extend((0..chirps).map(chirp));
    text
}

fn load(cli: &Cli, dir: &Path, text: &str) {
    let file = dir.join("network.jsonl");
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let report = cli.ok(&["load", &file, "--wait", "--wait-for", "feed", "--timeout", "100", "--json"]);
    let last = report.json_lines().pop().unwrap();
    assert_eq!((&last["rejected"], &last["bad"]), (&json!(0), &json!(0)), "{last}");
}

/// The ids of a reader's feed, all of it.
fn feed(cli: &Cli, reader: &str) -> Vec<String> {
    let rows = cli.ok(&["feed", reader, "--limit", "100", "--json"]).json_lines();
    rows.iter().map(|row| format!("{}/{}", row["author_id"], row["chirp_id"])).collect()
}

fn live(cli: &Cli) -> (i64, BTreeSet<String>) {
    let mut names = BTreeSet::new();
    let mut version = 0;
    for view in ["chirps", "home_timelines", "timeline_floors", "celebrity_chirps", "following_by_user"] {
        let rows = cli.ok(&["query", "millrace_views", &format!("view={view}")]).json_lines();
        names.insert(rows[0]["table_name"].as_str().unwrap().to_owned());
        version = rows[0]["version"].as_i64().unwrap();
    }
    (version, names)
}

/// The steps that a rebuild has told, by name.
fn told(lines: &[Value], stage: &str) -> Vec<Value> {
    lines.iter().filter(|line| line["stage"] == stage).cloned().collect()
}

#[test]
fn a_rebuild_by_the_same_rules_changes_nothing_and_readers_come_along() {
    let system = Embedded::start(SMALL_THRESHOLDS);
    let cli = system.cli();
    load(&cli, system.dir(), &network(2_000));
    let before: Vec<_> = (0..PEOPLE).map(|person| feed(&cli, &format!("p{person}"))).collect();
    let cursor = cli.ok(&["feed", "p1", "--limit", "10", "--json"]).json_lines()[9]["cursor"].clone();
    let behind = |cli: &Cli| cli.ok(&["feed", "p1", "--cursor", cursor.as_str().unwrap(), "--json"]).stdout;
    let page = behind(&cli);

    let lines = cli.ok(&["rebuild", "home_timelines", "--json"]).json_lines();
    let compared = told(&lines, "compared").pop().expect("it compares");
    assert_eq!(compared["differences_total"], 0, "{compared}");
    assert_eq!(compared["tables"].as_array().unwrap().len(), 11, "{compared}");
    assert!(compared["rows"].as_u64().unwrap() > 4_000, "{compared}");
    assert_eq!(told(&lines, "handed_over").len(), 1, "the projectors of `up` take it up: {lines:?}");
    let (version, names) = live(&cli);
    assert_eq!(version, 2);
    assert!(names.iter().all(|name| name.ends_with("_v2")), "{names:?}");
    let after: Vec<_> = (0..PEOPLE).map(|person| feed(&cli, &format!("p{person}"))).collect();
    assert_eq!(after, before);
    assert_eq!(behind(&cli), page, "a cursor goes on in the new tables where it was in the old");

    // both versions are kept up to date, whoever waits for the view waits for the one that answers
    let sent =
        cli.ok(&["send", "PostChirp", "chirp_id=late", "author_id=p0", "content=x", "--wait-for", "feed"]);
    assert_eq!(sent.code, Some(0));
    assert_eq!(feed(&cli, "p1")[0], "\"p0\"/\"late\"");
    cli.wait_caught_up(LATER);
    cli.ok(&["verify", "chirp"]);
    cli.ok(&["rebuild", "timelines", "--back"]).says(&["version 1 answers again"]);
    assert_eq!(live(&cli).0, 1);
    assert_eq!(feed(&cli, "p1")[0], "\"p0\"/\"late\"");
    cli.ok(&["verify", "chirp"]);
    cli.ok(&["rebuild", "timelines"]).says(&["going on with version 2", "no difference"]);

    let dropped = cli.ok(&["rebuild", "chirp.timelines", "--drop", "--json"]).json_lines();
    assert_eq!(told(&dropped, "dropped")[0]["version"], 1, "{dropped:?}");
    cli.ok(&["rebuild", "timelines", "--drop"]).says(&["nothing to drop"]);
    cli.run(&["rebuild", "timelines", "--back"]).exits(1).says(&["no version to go back to"]);
    cli.ok(&["tables", "plan"]).says(&["Nothing to do"]);
    cli.ok(&["verify", "chirp"]);
    let mut count = Command::new(millrace_blackbox::python());
    let file = file_of(&system);
    count.args(["-c", "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM chirps').fetchone()[0])"]);
    let count = count.arg(file).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&count.stdout).trim(), "2001", "the plain name shows the live table");

    // what is started again finds its version
    let mut system = system;
    system.up.kill9();
    system.up.restart();
    system.await_ready();
    let cli = system.cli();
    cli.ok(&["send", "PostChirp", "chirp_id=later", "author_id=p0", "content=x", "--wait-for", "feed"]);
    assert_eq!(feed(&cli, "p1")[0], "\"p0\"/\"later\"");
    cli.ok(&["rebuild", "timelines"]).says(&["building version 3"]);
    assert_eq!(live(&cli).0, 3);

    // whoever dropped version 2 died before its tables were gone
    let python = |code: &str| {
        let mut command = Command::new(millrace_blackbox::python());
        let ran = command.args(["-c", code]).arg(file_of(&system)).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).trim().to_owned()
    };
    python(
        "import sqlite3, sys; it = sqlite3.connect(sys.argv[1], timeout=30); \
         it.execute(\"UPDATE millrace_versions SET state = 'dropped' WHERE version = 2\"); it.commit()",
    );
    cli.ok(&["rebuild", "timelines", "--drop"]).says(&["dropped version 2"]);
    let left = python(
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(\"SELECT count(*) FROM sqlite_schema WHERE name GLOB '*_v2'\").fetchone()[0])",
    );
    assert_eq!(left, "0", "its tables");
    cli.ok(&["rebuild", "timelines", "--drop"]).says(&["nothing to drop"]);
}

fn file_of(system: &Embedded) -> std::path::PathBuf {
    Path::new(&system.tables()[1]).join("chirp.sqlite")
}

#[test]
fn what_cannot_be_rebuilt_is_named() {
    let system = Embedded::start(SMALL_THRESHOLDS);
    let cli = system.cli();
    cli.run(&["rebuild", "timeline"]).exits(2).says(&["there is no view timeline"]);
    cli.run(&["rebuild", "millrace_progress"]).exits(2).says(&["engine's own"]);
    cli.run(&["rebuild", "timelines", "--back"]).exits(1).says(&["no version to go back to"]);
    cli.run(&["rebuild", "timelines", "--back", "--drop"]).exits(2);
    // a row that no event has written is a difference, and the old version goes on answering
    load(&cli, system.dir(), &network(50));
    let file = Path::new(&system.tables()[1]).join("chirp.sqlite").display().to_string();
    let spoil = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], timeout=30); db.execute(\"DELETE FROM chirps WHERE chirp_id = 'c7'\"); db.commit()";
    let spoilt = Command::new(millrace_blackbox::python()).args(["-c", spoil, &file]).status().unwrap();
    assert!(spoilt.success());
    let differs = cli.run(&["rebuild", "timelines", "--json"]).exits(1).says(&["--switch", "--drop"]);
    let compared = told(&differs.json_lines(), "compared").pop().unwrap();
    assert_eq!(compared["differences_total"], 1, "{compared}");
    assert_eq!(compared["differences"][0]["kind"], "surplus", "{compared}");
    assert!(compared["differences"][0]["key"].as_str().unwrap().contains("chirp_id=c7"), "{compared}");
    assert_eq!(live(&cli).0, 1);
    cli.run(&["verify", "chirp"]).exits(1);
    cli.ok(&["rebuild", "timelines", "--switch"]).says(&["1 row differs", "version 2 answers"]);
    cli.wait_caught_up(LATER);
    cli.ok(&["verify", "chirp"]);
}

/// The group's offsets are in the broker and the rows in a folder of their own: whoever goes on from the one without
/// looking at the other leaves out all that lies between.
#[test]
fn tables_that_were_deleted_are_named_and_filled_anew() {
    let mut system = Embedded::start(SMALL_THRESHOLDS);
    let cli = system.cli();
    load(&cli, system.dir(), &network(200));
    let before: Vec<_> = (0..PEOPLE).map(|person| feed(&cli, &format!("p{person}"))).collect();
    // what is left of this version is a group that has applied everything
    cli.ok(&["rebuild", "timelines"]).says(&["version 2 answers"]);
    cli.ok(&["rebuild", "timelines", "--back"]);
    cli.ok(&["rebuild", "timelines", "--drop"]);
    cli.ok(&[
        "send",
        "OpenAccount",
        "account_id=a1",
        "owner_id=ann",
        "currency=EUR",
        "--wait-for",
        "account_balances",
    ]);

    system.up.kill9();
    std::fs::remove_dir_all(&system.tables()[1]).unwrap();
    system.up.restart();
    system.await_ready();
    let cli = system.cli();
    let faulted = "hold them up to offset 0 only";
    wait_until(LATER, "the status to name the tables", || cli.run(&["status"]).stdout.contains(faulted))
        .unwrap();
    cli.run(&["status"]).exits(1).says(&["rebuild"]);
    cli.run(&["verify"]).exits(1);

    for family in ["timelines", "users", "accounts", "totals"] {
        cli.ok(&["rebuild", family, "--switch"]).says(&["version 2 answers"]);
        cli.ok(&["rebuild", family, "--drop"]);
    }
    cli.wait_caught_up(LATER);
    cli.ok(&["verify"]);
    let after: Vec<_> = (0..PEOPLE).map(|person| feed(&cli, &format!("p{person}"))).collect();
    assert_eq!(after, before);
    wait_until(LATER, "a healthy status", || cli.run(&["status"]).code == Some(0)).unwrap();
}

/// Chirps at an even pace, until it is dropped.
struct Stream {
    goes_on: std::sync::Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    sent: std::sync::Arc<std::sync::atomic::AtomicUsize>,
    began: Instant,
}

impl Stream {
    /// So many a second, the first of which has this number.
    fn start(cli: &Cli, dir: &Path, first: usize, per_second: usize) -> Self {
        let mut load: Child = Command::new(millrace())
            .args(["load", "-"])
            .args(cli.flags())
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let goes_on = std::sync::Arc::new(AtomicBool::new(true));
        let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let (of_thread, counted) = (goes_on.clone(), sent.clone());
        let thread = std::thread::spawn(move || {
            let mut input = load.stdin.take().unwrap();
            let began = Instant::now();
            while of_thread.load(Ordering::Relaxed) {
                // an even pace is what is tested, not something that is waited for
                std::thread::sleep(Duration::from_millis(50));
                let due = (began.elapsed().as_secs_f64() * per_second as f64) as usize;
                let from = counted.swap(due, Ordering::Relaxed);
                let text: String = (from..due).map(|number| chirp(first + number)).collect();
                input.write_all(text.as_bytes()).unwrap();
                input.flush().unwrap();
            }
            drop(input);
            assert!(load.wait().unwrap().success());
        });
        Self { goes_on, thread: Some(thread), sent, began: Instant::now() }
    }

    fn per_second(&self) -> f64 {
        self.sent.load(Ordering::Relaxed) as f64 / self.began.elapsed().as_secs_f64()
    }

    fn end(mut self) {
        self.goes_on.store(false, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn lines(process: &Process) -> Vec<Value> {
    process.output().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn rebuild(cli: &Cli, dir: &Path) -> Process {
    let mut arguments: Vec<String> =
        ["rebuild", "timelines", "--switch", "--json"].map(str::to_owned).to_vec();
    arguments.extend(cli.flags().iter().cloned());
    Process::start("rebuild", dir, millrace(), arguments)
}

/// A projection under other rules is built beside the live one under load, killed in the middle, and takes over; the
/// projectors of the old rules keep the old version until it is dropped.
#[test]
fn a_changed_projection_takes_over_under_load() {
    let server = |error| -> String { panic!("{error}") };
    let kafka = Services::kafka().map_or_else(server, |it| it.bootstrap.clone());
    let registry = Services::registry().map_or_else(server, |it| it.url.clone());
    let cql = Services::cql().map_or_else(server, |it| it.contact_point.clone());
    let mut system = Cluster::on("rebuild", SMALL_THRESHOLDS, &kafka, &registry, &cql);
    system.set_up();
    system.start_roles(1);
    let cli = system.cli();
    let backlog = 4_000;
    load(&cli, system.dir(), &network(backlog));

    // the same servers and names, other rules
    let changed_dir = workdir(SHORTER_TIMELINES);
    let changed = Cli::new(changed_dir.path(), cli.flags().to_vec());
    let stream = Stream::start(&cli, system.dir(), backlog, 60);
    let mut process = rebuild(&changed, changed_dir.path());
    let half_way = || {
        told(&lines(&process), "building")
            .iter()
            .any(|it| it["offsets"].as_f64().unwrap() > it["of"].as_f64().unwrap() / 4.0)
    };
    wait_until(LATER, "a quarter of the replay", half_way).unwrap();
    process.kill9();
    let mut seen = lines(&process);
    assert!(told(&seen, "built").is_empty(), "killed in the middle: {seen:?}");
    process.restart();
    wait_until(3 * LATER, "the switch", || !told(&lines(&process), "switched").is_empty())
        .unwrap_or_else(|overdue| panic!("{overdue}\n{}", process.tail()));
    let resumed = lines(&process);
    assert_eq!(told(&resumed, "resumed").len(), 1, "{resumed:?}");
    seen.extend(resumed);

    // it goes at a multiple of the pace at which events come, and those who read do not notice
    let building = told(&seen, "building");
    let replay = building.iter().map(|it| it["per_second"].as_f64().unwrap()).fold(0.0, f64::max);
    let worst = building.iter().map(|it| it["live_lag_seconds"].as_f64().unwrap()).fold(0.0, f64::max);
    let arrival = stream.per_second();
    println!(
        "replayed {replay:.0} offsets a second; {arrival:.0} chirps a second arrived, at most {worst:.2} s behind"
    );
    assert!(worst < 5.0, "the live version was {worst:.1} s behind");
    // the backlog came in large transactions: few of its offsets are their marks
    assert!(replay >= 5.0 * arrival, "{replay:.0} offsets a second for {arrival:.0} chirps");
    let compared = told(&seen, "compared").pop().unwrap();
    assert!(compared["differences_total"].as_u64().unwrap() > 0, "other rules make other rows: {compared}");

    // nobody of the new rules is there yet, so the rebuild keeps its version up to date by itself
    wait_until(LATER, "it to say that it waits", || !told(&lines(&process), "waiting").is_empty()).unwrap();
    stream.end();
    changed.wait_caught_up(LATER);
    changed.ok(&["verify", "chirp"]);
    assert_eq!(live(&cli).0, 2);
    // whoever looks with the old rules at the new tables is told so
    cli.run(&["verify", "chirp"]).exits(1).says(&["timeline_cap=40", "timeline_cap=100"]);

    // a projector of the new rules takes over; those of the old ones keep the old version
    let successor_dir = workdir(SHORTER_TIMELINES);
    let mut arguments = vec!["projector".to_owned()];
    arguments.extend(changed.flags().iter().cloned());
    let mut successor = Process::start("successor", successor_dir.path(), millrace(), arguments);
    assert_eq!(process.ended(LATER).code(), Some(0), "{}", process.tail());
    cli.ok(&["send", "PostChirp", "chirp_id=after", "author_id=p0", "content=x", "--wait-for", "feed"]);
    assert_eq!(feed(&changed, "p1")[0], "\"p0\"/\"after\"");
    cli.wait_caught_up(LATER);
    cli.ok(&["rebuild", "timelines", "--back"]);
    cli.ok(&["verify", "chirp"]);
    assert_eq!(feed(&cli, "p1").len(), 100);
    changed.ok(&["rebuild", "timelines", "--switch"]);
    assert_eq!(feed(&changed, "p1").len(), 40);

    // the old ones are told to stop by the drop itself, and say what they wait for
    changed.ok(&["rebuild", "timelines", "--drop"]).says(&["dropped version 1"]);
    system.projectors[0].says("there are no tables that this process may fill", SOON);
    assert!(system.projectors[0].is_running() && successor.is_running());
    changed.ok(&["send", "PostChirp", "chirp_id=last", "author_id=p0", "content=x", "--wait-for", "feed"]);
    changed.wait_caught_up(LATER);
    changed.ok(&["verify", "chirp"]);
}
