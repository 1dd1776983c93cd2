//! The big load: sent and verified by the foreign client, with something done in the middle of it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::spawn::spawn;
use crate::{System, millrace, python, script};

/// A plan for the generator, and where the client notes what it sent where.
#[derive(Clone, Debug)]
pub struct Load {
    plan: PathBuf,
    places: PathBuf,
}

impl Load {
    /// A load of so many commands in so many waves; the thresholds are those of `SMALL_THRESHOLDS`.
    pub fn new(system: &dyn System, sendings: u64, waves: u64) -> Self {
        let load = Self { plan: system.dir().join("plan.json"), places: system.dir().join("places.json") };
        let plan = json!({"sendings": sendings, "waves": waves, "users": sendings / 22});
        fs::write(&load.plan, plan.to_string()).expect("the plan can be written");
        load
    }

    /// The size of the black-box tests: `MILLRACE_TEST_COMMANDS`, else 20,000.
    pub fn full(system: &dyn System) -> Self {
        let given = std::env::var("MILLRACE_TEST_COMMANDS").ok();
        let sendings = given.map_or(20_000, |text| text.parse().expect("MILLRACE_TEST_COMMANDS is a number"));
        Self::new(system, sendings, 40)
    }

    fn arguments(&self, system: &dyn System) -> Vec<String> {
        let path = |path: &PathBuf| path.display().to_string();
        let arguments =
            ["--kafka", system.kafka(), "--registry", system.registry(), "--prefix", system.prefix()];
        let files = ["--plan".to_owned(), path(&self.plan), "--places".to_owned(), path(&self.places)];
        arguments.map(str::to_owned).into_iter().chain(files).collect()
    }
}

/// The two halves of something done in mid-load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Before the client goes on: it sends into what this leaves.
    Break,
    /// While the client sends.
    Mend,
}

/// Sends the load and waits for every answer. When each of `percents` is sent, with answers pending, the client pauses
/// until `act` has broken something, and goes on while `act` mends it.
pub fn run_load<S: System>(
    system: &mut S,
    load: &Load,
    percents: &[u64],
    mut act: impl FnMut(&mut S, u64, Act),
) {
    let errors = system.dir().join("load.err");
    let mut command = Command::new(python());
    command.arg(script("load.py")).args(load.arguments(system));
    command.arg("--pause-at").args(percents.iter().map(u64::to_string));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(fs::File::create(&errors).expect("a file for its errors"));
    let mut child = spawn(command).expect("Python starts");
    let mut go_on = child.stdin.take().expect("it is piped");
    let mut acted = 0;
    let mut last = String::new();
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        last = line.expect("it prints text");
        if let Some(percent) = last.strip_prefix("paused ").and_then(|percent| percent.parse().ok()) {
            acted += 1;
            act(system, percent, Act::Break);
            writeln!(go_on, "go on").expect("the load waits for this");
            act(system, percent, Act::Mend);
        }
    }
    let status = child.wait().expect("it can be waited for");
    let errors = fs::read_to_string(&errors).unwrap_or_default();
    assert!(status.success(), "the load failed ({status}), last said `{last}`:\n{errors}");
    assert_eq!(acted, percents.len(), "the load did not pause as often as it should");
    println!("{last}");
}

/// Compares everything that the load left behind with the model; panics with the differences.
pub fn verify(system: &dyn System, load: &Load) {
    let mut command = Command::new(python());
    command.arg(script("verify.py")).args(load.arguments(system)).args(system.tables());
    command.arg("--millrace").arg(millrace()).arg("--").args(system.cli().flags());
    let output = command.current_dir(system.dir()).output().expect("Python starts");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the model disagrees ({}):\n{said}\n{errors}", output.status);
    println!("{said}");
}
