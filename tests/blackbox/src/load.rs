//! The big load: sent and verified by the foreign client, with something done in the middle of it.

use std::fs;
use std::io::{BufRead, BufReader};
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

/// Sends the load and waits for every answer; calls `act` when each of `percents` is sent, while answers are pending.
pub fn run_load<S: System>(system: &mut S, load: &Load, percents: &[u64], mut act: impl FnMut(&mut S, u64)) {
    let errors = system.dir().join("load.err");
    let mut command = Command::new(python());
    command.arg(script("load.py")).args(load.arguments(system));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(fs::File::create(&errors).expect("a file for its errors"));
    let mut child = spawn(command).expect("Python starts");
    let mut to_come = percents.iter().copied().peekable();
    let mut last = String::new();
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        last = line.expect("it prints text");
        let percent = percent_of(&last).unwrap_or(0);
        while let Some(due) = to_come.next_if(|&due| percent >= due) {
            act(system, due);
        }
    }
    let status = child.wait().expect("it can be waited for");
    let errors = fs::read_to_string(&errors).unwrap_or_default();
    assert!(status.success(), "the load failed ({status}), last said `{last}`:\n{errors}");
    assert_eq!(to_come.next(), None, "the load ended before it came so far, in percent");
    println!("{last}");
}

/// How far `progress SENT TOTAL` says that it is.
fn percent_of(line: &str) -> Option<u64> {
    let (sent, total) = line.strip_prefix("progress ")?.split_once(' ')?;
    Some(sent.parse::<u64>().ok()? * 100 / total.parse::<u64>().ok()?)
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
