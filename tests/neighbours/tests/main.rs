//! Two domains that depend on each other, in one process with servers of its own, seen through the command line.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long something may take to be seen.
const PATIENCE: Duration = Duration::from_secs(90);

struct Up {
    place: TempDir,
    child: Child,
}

/// What a call came to.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Up {
    fn start() -> Self {
        let place = tempfile::tempdir().unwrap();
        let child = Self::spawn(&place);
        Self { place, child }
    }

    fn spawn(place: &TempDir) -> Child {
        let log =
            std::fs::File::options().create(true).append(true).open(place.path().join("up.log")).unwrap();
        let mut child = neighbours(place)
            .args(["up", "--data", "data", "--kafka-port", "0", "--registry-port", "0", "--http-port", "0"])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let log = || std::fs::read_to_string(place.path().join("up.log")).unwrap_or_default();
        assert!(line.starts_with("ready kafka="), "not ready: {line:?}\n{}", log());
        child
    }

    /// Kills it and starts it again on the same data.
    fn restart(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        self.child = Self::spawn(&self.place);
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let Output { status, stdout, stderr } = neighbours(&self.place).args(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    fn ok(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}\n{}{}", ran.stdout, ran.stderr);
        ran
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.ok(arguments);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}\n{}", ran.stdout))
    }

    /// Waits until the history of an aggregate tells of an event.
    fn wait_for(&self, aggregate: &str, event: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let told = self.run(&["history", aggregate]);
            if told.stdout.contains(event) {
                return;
            }
            let said = format!("{}{}", told.stdout, told.stderr);
            assert!(Instant::now() < until, "no {event} of {aggregate}:\n{said}\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(200));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.place.path().join("up.log")).unwrap_or_default()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The binary, in an environment of its own.
fn neighbours(place: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_neighbours"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MILLRACE_")) {
        command.env_remove(name);
    }
    command.current_dir(place.path()).env("XDG_STATE_HOME", place.path().join("state"));
    command
}

#[test]
fn what_happens_in_one_domain_is_known_and_done_about_in_the_other() {
    let mut up = Up::start();
    up.ok(&["send", "AddPerson", "person_id=ann", "--wait"]);
    up.ok(&["send", "Join", "person_id=ann", "club_id=chess", "--wait"]);
    let unknown = up.run(&["send", "Join", "person_id=bob", "club_id=chess", "--wait"]);
    assert!(unknown.code == Some(1) && unknown.stdout.contains("NotFound"), "{}", unknown.stdout);
    up.ok(&["send", "RemovePerson", "person_id=ann", "--id", "ann-goes", "--wait"]);
    up.wait_for("Member/ann", "MembershipsEnded");
    // killed before or after anybody has reacted
    for person in ["bea", "cid", "dan"] {
        let person_id = format!("person_id={person}");
        up.ok(&["send", "AddPerson", &person_id, "--wait"]);
        up.ok(&["send", "Join", &person_id, "club_id=chess", "--wait"]);
        up.ok(&["send", "RemovePerson", &person_id, "--wait"]);
        up.restart();
        up.wait_for(&format!("Member/{person}"), "MembershipsEnded");
    }

    let told = up.json(&["explain", "people:ann-goes", "--json"]);
    let [story] = &told["elsewhere"].as_array().unwrap()[..] else { panic!("{told:#}") };
    assert_eq!(story["domain"], "clubs");
    let kinds: Vec<&str> =
        story["acts"].as_array().unwrap().iter().map(|act| act["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["EndMemberships", "NoteDeparture"]);
    let for_people = up.ok(&["explain", "people:ann-goes"]).stdout;
    assert!(
        for_people.contains("in clubs, for event") && for_people.contains("MembershipsEnded"),
        "{for_people}"
    );

    let audit = up.json(&["verify", "--json"]);
    assert!(audit["clean"] == true && audit["checked"]["clubs"]["reactions"] == 4, "{audit:#}");

    let status = up.json(&["status", "--json"]);
    let roles = status["roles"].as_array().unwrap();
    let policy = roles.iter().find(|role| role["role"] == "clubs.policy.people").expect("it is a role");
    assert!(policy["members"] == 1 && policy["lag_records"] == 0 && policy["healthy"] == true, "{policy:#}");
}

#[test]
fn a_plan_says_what_another_domain_does_not_publish_yet() {
    let up = Up::start();
    up.ok(&["topics", "plan"]);
    let plan = |domains: &[&str]| {
        let mut arguments = vec!["topics", "plan", "--topic-prefix", "other."];
        arguments.extend(domains);
        up.run(&arguments)
    };
    assert_eq!(plan(&[]).code, Some(0), "both come together");
    let alone = plan(&["clubs"]);
    assert_eq!(alone.code, Some(1), "{}{}", alone.stdout, alone.stderr);
    for word in [
        "other.people.person.lookup does not exist, and clubs looks up people.Person",
        "other.people.events does not exist, and clubs reacts to the events of people",
        "millrace topics apply people",
    ] {
        assert!(alone.stderr.contains(word), "`{word}` is missing in\n{}", alone.stderr);
    }
}
