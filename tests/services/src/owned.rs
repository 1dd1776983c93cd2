//! A server that belongs to its test: started, killed, frozen and restarted at will.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::fetch::last_lines;
use crate::spawn::{signal, spawn, stop_files};
use crate::{ServiceError, wait_for};

/// How one kind of server is started and recognised as ready.
pub trait Recipe {
    /// Its name in messages.
    const NAME: &'static str;

    /// Where clients reach it.
    fn address(&self) -> String;

    /// The command that runs it in the foreground.
    fn command(&self) -> Result<Command, ServiceError>;

    /// Asks it once, briefly, whether it serves.
    fn is_ready(&self) -> bool;
}

/// How long a server may take until it serves; far more than it needs, for machines that do much else.
const START_DEADLINE: Duration = Duration::from_secs(300);
/// How long a server may take to end in good order.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// A running (or killed, or frozen) server of one test; killed when dropped.
#[derive(Debug)]
pub struct Owned<R: Recipe> {
    pub(crate) recipe: R,
    child: Option<Child>,
    log: PathBuf,
}

impl<R: Recipe> Owned<R> {
    /// Starts the server and waits until it serves; its output goes to `<dir>/server.log`.
    pub(crate) fn launch(recipe: R, dir: &Path) -> Result<Self, ServiceError> {
        let mut owned = Self { recipe, child: None, log: dir.join("server.log") };
        owned.restart()?;
        Ok(owned)
    }

    /// Starts it again on the same data and ports and waits until it serves; a running one is stopped first.
    pub fn restart(&mut self) -> Result<(), ServiceError> {
        self.stop_term()?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(ServiceError::io(format!("open {}", self.log.display())))?;
        let copy = log.try_clone().map_err(ServiceError::io(format!("open {} twice", self.log.display())))?;
        let mut command = self.recipe.command()?;
        command.stdin(Stdio::null()).stdout(log).stderr(copy);
        self.child = Some(spawn(command).map_err(ServiceError::io(format!("start {}", R::NAME)))?);
        self.wait_ready()
    }

    /// Kills it as a power cut would: no flush, no goodbye.
    pub fn kill9(&mut self) -> Result<(), ServiceError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let doing = format!("kill {}", R::NAME);
        child.kill().and_then(|()| child.wait()).map_err(ServiceError::io(doing))?;
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits until it has; an error if it had to be killed.
    pub fn stop_term(&mut self) -> Result<(), ServiceError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if ended(&mut child).is_some() {
            return Ok(());
        }
        signal(&child, libc::SIGTERM).map_err(ServiceError::io(format!("stop {}", R::NAME)))?;
        if wait_for(STOP_DEADLINE, "the server to end", || ended(&mut child)).is_ok() {
            return Ok(());
        }
        let pid = child.id();
        self.child = Some(child);
        self.kill9()?;
        Err(ServiceError::DidNotStop { server: R::NAME, pid, waited: STOP_DEADLINE })
    }

    /// Freezes it: connections stay open and nothing answers.
    pub fn sigstop(&self) -> Result<(), ServiceError> {
        self.send(libc::SIGSTOP, "freeze")
    }

    /// Lets a frozen one go on.
    pub fn sigcont(&self) -> Result<(), ServiceError> {
        self.send(libc::SIGCONT, "unfreeze")
    }

    /// From now on no file of it grows, as on a full disk: what it writes behind the end of one fails ("File too large"
    /// in place of "No space left on device"). Needs neither a disk of its own nor rights that tests may lack. A server
    /// that is started again has room.
    pub fn fill_disk(&self) -> Result<(), ServiceError> {
        let Some(child) = &self.child else { return Ok(()) };
        stop_files(child).map_err(ServiceError::io(format!("fill the disk of {}", R::NAME)))
    }

    /// Whether it serves right now.
    pub fn is_ready(&self) -> bool {
        self.child.is_some() && self.recipe.is_ready()
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The file all of its output goes to.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The end of that file.
    pub fn log_tail(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        last_lines(&String::from_utf8_lossy(&bytes), 40)
    }

    fn send(&self, number: libc::c_int, what: &str) -> Result<(), ServiceError> {
        match &self.child {
            Some(child) => signal(child, number).map_err(ServiceError::io(format!("{what} {}", R::NAME))),
            None => Ok(()),
        }
    }

    fn wait_ready(&mut self) -> Result<(), ServiceError> {
        let start = Instant::now();
        let recipe = &self.recipe;
        let child = &mut self.child;
        let answer = wait_for(START_DEADLINE, "the server to serve", || {
            if let Some(status) = child.as_mut().and_then(ended) {
                return Some(Err(status));
            }
            recipe.is_ready().then_some(Ok(()))
        });
        let what = match answer {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(status)) => format!("ended ({status})"),
            Err(_) => "was not ready".to_owned(),
        };
        let failed = ServiceError::NotReady {
            server: R::NAME,
            address: self.recipe.address(),
            what,
            waited: start.elapsed(),
            log: self.log.as_path().into(),
            tail: self.log_tail(),
        };
        self.kill9()?;
        Err(failed)
    }
}

impl<R: Recipe> Drop for Owned<R> {
    fn drop(&mut self) {
        // Its data are a test's: nothing is worth waiting for an orderly end.
        let _ = self.kill9();
    }
}

/// How the process ended, if it has. A process that cannot be asked counts as running.
fn ended(child: &mut Child) -> Option<ExitStatus> {
    child.try_wait().ok().flatten()
}
