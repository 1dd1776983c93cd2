//! Runs the binary in a folder and an environment of its own.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// What a call came to.
pub struct Ran {
    /// The exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A folder with nothing of this machine's user in it.
pub struct Place {
    dir: TempDir,
}

impl Place {
    /// An empty one.
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// One with this `millrace.toml`.
    pub fn with(settings: &str) -> Self {
        let place = Self::new();
        std::fs::write(place.path().join("millrace.toml"), settings).unwrap();
        place
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Runs `millrace` here.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    /// Runs `millrace` here with these variables.
    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
        command.args(arguments).current_dir(self.path());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MILLRACE_")) {
            command.env_remove(name);
        }
        command.env("XDG_STATE_HOME", self.path().join("state")).envs(environment.iter().copied());
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

impl Ran {
    /// Asserts the exit code, and that all of `words` are said.
    pub fn is(self, code: i32, words: &[&str]) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "{stdout}{stderr}");
        for word in words {
            assert!(
                stdout.contains(word) || stderr.contains(word),
                "`{word}` is missing in\n{stdout}{stderr}"
            );
        }
        self
    }
}

/// `millrace up` in a folder; it ends with the test.
pub struct Up {
    /// The folder.
    pub place: Place,
    /// Where its broker listens, `host:port`.
    pub kafka: String,
    /// Where its registry listens, as a URL.
    pub registry: String,
    /// Where its gateway is, as a URL.
    pub http: String,
    child: Child,
}

impl Up {
    /// One that is ready.
    pub fn start() -> Self {
        Self::start_in(Place::new())
    }

    /// One in this folder, that is ready; what it logs is in `up.log`.
    pub fn start_in(place: Place) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(place.path().join("up.log")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_millrace"))
            .args(["up", "--data", "data", "--kafka-port", "0", "--registry-port", "0", "--http-port", "0"])
            .current_dir(place.path())
            .env("XDG_STATE_HOME", place.path().join("state"))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = |name: &str| {
            let found = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            found.unwrap_or_else(|| panic!("not ready: {line:?}\n{}", logged(&place))).to_owned()
        };
        Self { kafka: said("kafka="), registry: said("registry="), http: said("http="), place, child }
    }

    /// Ends it and starts it again on the same data.
    pub fn restart(&mut self) {
        self.end();
        let place = std::mem::replace(&mut self.place, Place::new());
        *self = Self::start_in(place);
    }

    /// What it has logged.
    pub fn logged(&self) -> String {
        logged(&self.place)
    }

    fn end(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn logged(place: &Place) -> String {
    std::fs::read_to_string(place.path().join("up.log")).unwrap_or_default()
}

impl Drop for Up {
    fn drop(&mut self) {
        self.end();
    }
}
