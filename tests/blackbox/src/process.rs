//! A process of the system under test: started, killed, started again, and its output kept.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use millrace_services::{Port, wait_for, wait_until};

use crate::metrics::Metrics;
use crate::spawn::spawn;

/// How many lines of a log a failure shows.
const TAIL_LINES: usize = 40;
/// Of how many starts.
const TAIL_STARTS: usize = 3;

/// A long-running `millrace`; killed when dropped, and if that is because the test fails, its log's end is shown.
#[derive(Debug)]
pub struct Process {
    name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    dir: PathBuf,
    child: Option<Child>,
    starts: usize,
    /// Where it was told to serve its health and metrics, if it was.
    health: Option<Port>,
}

impl Process {
    /// Starts `program` in `dir`, which also takes its output.
    pub fn start<A: Into<OsString>>(
        name: &str,
        dir: &Path,
        program: PathBuf,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let mut process = Self {
            name: name.to_owned(),
            program,
            arguments: arguments.into_iter().map(Into::into).collect(),
            dir: dir.to_path_buf(),
            child: None,
            starts: 0,
            health: None,
        };
        process.restart();
        process
    }

    /// The same, which was told to serve its health and metrics on `port`.
    pub fn serving(mut self, port: Port) -> Self {
        self.health = Some(port);
        self
    }

    /// What it says at `/metrics`; panics when it was not told where.
    pub fn metrics(&self) -> Metrics {
        Metrics::at(&self.health_address())
    }

    /// Where it says how it is, `host:port`; panics when it was not told where.
    pub fn health_address(&self) -> String {
        let port = self.health.as_ref().unwrap_or_else(|| panic!("{} serves no metrics", self.name));
        format!("127.0.0.1:{}", port.number())
    }

    /// Starts it again with the same arguments; one that still runs is killed first.
    pub fn restart(&mut self) {
        self.kill9();
        self.starts += 1;
        // A file for each start: what the new one says must not be mistaken for the old one's.
        let log =
            File::create(self.log()).unwrap_or_else(|error| panic!("{}: {error}", self.log().display()));
        let copy = log.try_clone().expect("a file can be opened twice");
        let mut command = Command::new(&self.program);
        // where `up` says where it is: not in the home of who runs the tests, where the others' are
        command.env("XDG_STATE_HOME", self.dir.join("state"));
        if self.arguments.first().is_some_and(|role| role == "processor") {
            command.env("MILLRACE_PROCESSOR_PSEUDONYM_KEYS_FILE", self.pseudonym_keys());
        }
        command.args(&self.arguments).current_dir(&self.dir).stdin(Stdio::null()).stdout(log).stderr(copy);
        self.child = Some(spawn(command).unwrap_or_else(|error| panic!("start {}: {error}", self.name)));
    }

    /// The keys of pseudonyms that all processors of the tests have, in a file for nobody else.
    fn pseudonym_keys(&self) -> PathBuf {
        let path = self.dir.join("pseudonym-keys");
        let mut file = File::options();
        file.write(true).create(true).truncate(true).mode(0o600);
        let line = format!("k1 {}\n", "A".repeat(43));
        let written = file.open(&path).and_then(|mut file| file.write_all(line.as_bytes()));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Kills it as a power cut would.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to end with `signal` and gives its exit status; panics when it does not end in time.
    pub fn end(&mut self, signal: libc::c_int, deadline: Duration) -> ExitStatus {
        self.signal(signal);
        self.ended(deadline)
    }

    /// Freezes it: its connections stay open, its sessions run out, and it does not know.
    pub fn freeze(&self) {
        self.signal(libc::SIGSTOP);
    }

    /// Wakes a frozen one, which takes itself for what it was.
    pub fn thaw(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: libc::c_int) {
        let child = self.child.as_ref().expect("the process runs");
        // SAFETY: kill takes two numbers; the pid is ours, as the child has not been waited for.
        assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, signal) }, 0);
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number; panics when it does not run.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the process runs").id()
    }

    /// The most memory it has held since it was last started, in bytes.
    pub fn peak_bytes(&self) -> u64 {
        let pid = self.pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux tells of processes");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
        peak.and_then(|kib| kib.trim().parse::<u64>().ok()).expect("a number of kB") * 1_024
    }

    /// Waits until it ends by itself.
    pub fn ended(&mut self, deadline: Duration) -> ExitStatus {
        let child = self.child.as_mut().expect("the process runs");
        let ended =
            wait_for(deadline, "the process to end", || child.try_wait().expect("a child can be asked"));
        let status = ended.unwrap_or_else(|overdue| panic!("{}: {overdue}\n{}", self.name, self.tail()));
        self.child = None;
        status
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().ok().flatten().is_none())
    }

    /// Waits for a line of its output that begins with `beginning`, and gives it; panics when it ends before that.
    pub fn line(&mut self, beginning: &str, deadline: Duration) -> String {
        let log = self.log();
        let mut ended = false;
        let found = wait_for(deadline, &format!("the line `{beginning}…`"), || {
            // Asked before reading: what it says with its last breath counts.
            let running = self.is_running();
            let text = fs::read_to_string(&log).unwrap_or_default();
            let complete = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
            let line = complete.lines().find(|line| line.starts_with(beginning)).map(str::to_owned);
            ended = !running;
            if line.is_some() || ended { Some(line) } else { None }
        });
        match found {
            Ok(Some(line)) => line,
            Ok(None) => panic!("{} ended before it said `{beginning}…`:\n{}", self.name, self.tail()),
            Err(overdue) => panic!("{}: {overdue}\n{}", self.name, self.tail()),
        }
    }

    /// Waits until its output contains `text`.
    pub fn says(&self, text: &str, deadline: Duration) {
        let log = self.log();
        let said = wait_until(deadline, &format!("{} to say `{text}`", self.name), || {
            fs::read_to_string(&log).unwrap_or_default().contains(text)
        });
        said.unwrap_or_else(|overdue| panic!("{overdue}\n{}", self.tail()));
    }

    /// All it has said since it was last started.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log()).unwrap_or_default()).into_owned()
    }

    /// The file of its newest start's output.
    fn log(&self) -> PathBuf {
        self.dir.join(format!("{}-{}.log", self.name, self.starts))
    }

    /// The files of its output, one for each start.
    pub fn logs(&self) -> impl Iterator<Item = PathBuf> + '_ {
        (1..=self.starts).map(|start| self.dir.join(format!("{}-{start}.log", self.name)))
    }

    /// The end of the output of its last starts.
    pub fn tail(&self) -> String {
        let mut text = String::new();
        for start in self.starts.saturating_sub(TAIL_STARTS - 1).max(1)..=self.starts {
            let log = self.dir.join(format!("{}-{start}.log", self.name));
            let all = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
            let lines: Vec<&str> = all.lines().collect();
            let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
            text += &format!("--- {}, start {start} ---\n{}\n", self.name, tail.join("\n"));
        }
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        }
        self.kill9();
    }
}
