//! Runs the binary in a folder and an environment of its own.

use std::path::Path;
use std::process::{Command, Output};

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
