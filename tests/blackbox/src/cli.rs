//! Calls of the command line that end by themselves.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use millrace_services::wait_until;
use serde_json::Value;

use crate::{millrace, spawn::spawn};

/// A call takes no longer than this, or hangs.
const CALL_DEADLINE: Duration = Duration::from_secs(120);

/// The binary with the flags that lead it to one system.
#[derive(Clone, Debug)]
pub struct Cli {
    dir: PathBuf,
    flags: Vec<String>,
    /// A process whose disks are seen.
    within: Option<u32>,
}

/// What a call came to.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The arguments, for messages.
    pub call: String,
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`millrace {}`: exit {:?}\n{}{}", self.call, self.code, self.stdout, self.stderr)
    }
}

impl Cli {
    /// Calls run in `dir`, whose `millrace.toml` they read, with `flags` behind their own arguments.
    pub fn new(dir: &Path, flags: Vec<String>) -> Self {
        Self { dir: dir.to_path_buf(), flags, within: None }
    }

    /// The same, which sees the disks that a process was started with.
    pub fn within(self, pid: u32) -> Self {
        Self { within: Some(pid), ..self }
    }

    /// The flags that lead to the system.
    pub fn flags(&self) -> &[String] {
        &self.flags
    }

    /// The same with another value for a flag it has, or with the flag if it has it not.
    pub fn with(&self, flag: &str, value: &str) -> Self {
        let mut other = self.clone();
        match other.flags.iter().position(|known| known == flag) {
            Some(place) => other.flags[place + 1] = value.to_owned(),
            None => other.flags.extend([flag.to_owned(), value.to_owned()]),
        }
        other
    }

    /// Runs `millrace ARGUMENTS… FLAGS…` to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let mut all: Vec<&str> = arguments.to_vec();
        all.extend(self.flags.iter().map(String::as_str));
        self.run_bare(&all)
    }

    /// Runs `millrace ARGUMENTS…` to its end, without the flags.
    pub fn run_bare(&self, arguments: &[&str]) -> Ran {
        let outputs = tempfile::tempdir().expect("a temporary folder");
        // Files, not pipes: a call that says much must not wait for its reader.
        let file = |name: &str| std::fs::File::create(outputs.path().join(name)).expect("a temporary file");
        let mut command = self.command();
        command.args(arguments).current_dir(&self.dir).stdin(Stdio::null());
        command.env("XDG_STATE_HOME", self.dir.join("state"));
        command.stdout(file("out")).stderr(file("err"));
        let mut child = spawn(command).expect("the binary starts");
        let call = arguments.join(" ");
        let mut status = None;
        let ended = wait_until(CALL_DEADLINE, &format!("`millrace {call}` to end"), || {
            status = child.try_wait().expect("a child can be asked");
            status.is_some()
        });
        let text = |name: &str| {
            String::from_utf8_lossy(&std::fs::read(outputs.path().join(name)).unwrap_or_default())
                .into_owned()
        };
        if let Err(overdue) = ended {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{overdue}\n{}{}", text("out"), text("err"));
        }
        Ran { call, code: status.and_then(|status| status.code()), stdout: text("out"), stderr: text("err") }
    }

    fn command(&self) -> Command {
        let Some(pid) = self.within else { return Command::new(millrace()) };
        let mut command = Command::new("nsenter");
        command.args(["--target", &pid.to_string(), "--user", "--mount", "--preserve-credentials"]);
        // whoever enters is at the root of what is mounted there
        command.args(["sh", "-c", "cd \"$0\" && exec \"$@\""]).arg(&self.dir).arg(millrace());
        command
    }

    /// Runs a call that must succeed.
    pub fn ok(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{ran}");
        ran
    }

    /// Whether everything is healthy and every projection has applied everything.
    pub fn is_caught_up(&self) -> bool {
        let ran = self.run(&["status", "--json"]);
        let Ok(status) = serde_json::from_str::<Value>(&ran.stdout) else { return false };
        let projections = status["projections"].as_array().map_or(&[][..], Vec::as_slice);
        status["healthy"] == true
            && !projections.is_empty()
            && projections.iter().all(|projection| projection["lag_records"] == 0)
    }

    /// Waits until the views show everything that has been answered.
    pub fn wait_caught_up(&self, deadline: Duration) {
        let caught_up = wait_until(deadline, "the projections to catch up", || self.is_caught_up());
        caught_up.unwrap_or_else(|overdue| panic!("{overdue}\n{}", self.run(&["status", "--json"])));
    }
}

impl Ran {
    /// The one JSON document of standard output.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON: {error}\n{self}"))
    }

    /// Standard output as one JSON document a line.
    pub fn json_lines(&self) -> Vec<Value> {
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON: {error}\n{self}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Asserts the exit code and gives itself back.
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Asserts that something a person reads contains all of `words`.
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.stdout.contains(word) || self.stderr.contains(word),
                "`{word}` is missing in {self}"
            );
        }
        self
    }
}
