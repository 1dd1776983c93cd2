//! The steady loads: foreign producers that send until they are told to stop, and then wait for every answer.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use millrace_services::wait_for;
use serde_json::Value;

use super::journal::Journal;
use crate::spawn::spawn;
use crate::{python, script};

/// How far a load has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// Commands handed to the producer.
    pub sent: u64,
    /// Those that have been answered.
    pub answered: u64,
}

/// A running load; killed when dropped.
#[derive(Debug)]
pub struct SteadyLoad {
    name: String,
    child: Child,
    told: Option<ChildStdin>,
    errors: PathBuf,
    count: Arc<Mutex<Count>>,
    reader: Option<JoinHandle<()>>,
}

impl SteadyLoad {
    /// Starts a script that prints `{"sent", "answered"}` and `{"gap", "partition"}` lines and stops when its input ends.
    pub fn start(name: &str, dir: &Path, file: &str, arguments: &[String], journal: &Arc<Journal>) -> Self {
        let errors = dir.join(format!("load-{name}.log"));
        let mut command = Command::new(python());
        command.arg(script(file)).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create(&errors).expect("a file for its errors"));
        let mut child = spawn(command).expect("Python starts");
        let told = child.stdin.take();
        let said = BufReader::new(child.stdout.take().expect("it is piped"));
        let count = Arc::new(Mutex::new(Count::default()));
        let (counting, journal) = (Arc::clone(&count), Arc::clone(journal));
        let reader = std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                take(&line, &counting, &journal);
            }
        });
        Self { name: name.to_owned(), child, told, errors, count, reader: Some(reader) }
    }

    /// How far it has come.
    pub fn count(&self) -> Count {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has ended before it was told to: then it has failed.
    pub fn has_failed(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Why it failed.
    pub fn errors(&self) -> String {
        let errors = fs::read_to_string(&self.errors).unwrap_or_default();
        format!("the {} load failed:\n{errors}", self.name)
    }

    /// Tells it to send no more, and waits until everything it sent is answered.
    pub fn finish(&mut self, deadline: Duration) -> Result<Count, String> {
        drop(self.told.take());
        let child = &mut self.child;
        let what = format!("every answer to the {} load", self.name);
        let ended = wait_for(deadline, &what, || child.try_wait().ok().flatten());
        let status = ended.map_err(|overdue| format!("{overdue}\n{}", self.errors()))?;
        if let Some(reader) = self.reader.take() {
            // Nothing of it is missed: its pipe has ended with it.
            let _ = reader.join();
        }
        if status.success() { Ok(self.count()) } else { Err(self.errors()) }
    }
}

fn take(line: &str, count: &Mutex<Count>, journal: &Journal) {
    let Ok(said) = serde_json::from_str::<Value>(line) else { return };
    if let (Some(sent), Some(answered)) = (said["sent"].as_u64(), said["answered"].as_u64()) {
        *count.lock().unwrap_or_else(PoisonError::into_inner) = Count { sent, answered };
    }
    if let Some(latency) = said["latency"].as_object() {
        let quantiles = latency.iter().map(|(quantile, seconds)| format!("{quantile}: {seconds} s"));
        journal.say(&format!("latency of answers by quantile: {}", quantiles.collect::<Vec<_>>().join(", ")));
    }
    if let Some(text) = said["said"].as_str() {
        journal.say(text);
    }
    if let (Some(length), Some(partition)) = (said["gap"].as_f64(), said["partition"].as_i64()) {
        journal.gap(partition, Duration::from_secs_f64(length));
    }
}

impl Drop for SteadyLoad {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
