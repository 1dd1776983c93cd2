//! Bringing written bytes to the disk itself: one thread syncs what is dirty, for many at once.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::halt::Halt;
use super::room::Room;
use crate::broker::config::SyncPolicy;
use crate::broker::util::lock;

#[derive(Debug, Default)]
struct State {
    dirty: HashMap<i32, Arc<File>>,
    /// Number of the newest write that is not synced yet.
    wanted: u64,
    waiting: bool,
    stop: bool,
}

/// The thread that syncs files, and its queue.
#[derive(Debug)]
pub(crate) struct Flusher {
    policy: SyncPolicy,
    state: Mutex<State>,
    wake: Condvar,
    done: watch::Sender<Done>,
    halt: Halt,
    room: Room,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Done {
    up_to: u64,
    failed: bool,
}

/// A sync failed: nothing can be promised any more.
#[derive(Debug, thiserror::Error)]
#[error("data could not be brought to the disk")]
pub(crate) struct FlushFailed;

impl Flusher {
    /// One that never syncs, for what is not to be kept.
    #[cfg(feature = "fuzzing")]
    pub fn idle() -> Arc<Self> {
        Arc::new(Self {
            room: Room::of(Path::new("")),
            policy: SyncPolicy::default(),
            state: Mutex::new(State::default()),
            wake: Condvar::new(),
            done: watch::Sender::new(Done::default()),
            halt: Halt::default(),
            thread: Mutex::new(None),
        })
    }

    /// Starts the thread, for files below `folder`.
    pub fn start(policy: SyncPolicy, folder: &Path) -> std::io::Result<Arc<Self>> {
        let flusher = Arc::new(Self {
            room: Room::of(folder),
            policy,
            state: Mutex::new(State::default()),
            wake: Condvar::new(),
            done: watch::Sender::new(Done::default()),
            halt: Halt::default(),
            thread: Mutex::new(None),
        });
        let running = Arc::clone(&flusher);
        let thread = std::thread::Builder::new().name("kafka-flush".into()).spawn(move || running.run())?;
        *lock(&flusher.thread) = Some(thread);
        Ok(flusher)
    }

    /// When it syncs.
    pub fn policy(&self) -> SyncPolicy {
        self.policy
    }

    /// Ends all acceptance, for everybody who writes with this.
    pub fn halt(&self) -> &Halt {
        &self.halt
    }

    /// Whether the disk takes writes, for everybody who writes with this.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Notes that a file was written to.
    pub fn dirty(&self, file: &Arc<File>) {
        let mut state = lock(&self.state);
        let was_clean = state.dirty.is_empty();
        state.wanted += 1;
        // The handle is held here, so its descriptor cannot come to mean another file.
        state.dirty.entry(file.as_raw_fd()).or_insert_with(|| Arc::clone(file));
        if was_clean {
            self.wake.notify_one();
        }
    }

    /// Returns when everything written so far is as safe as the policy demands.
    pub async fn settled(&self) -> Result<(), FlushFailed> {
        if !matches!(self.policy, SyncPolicy::Always) {
            return Ok(());
        }
        let wanted = {
            let mut state = lock(&self.state);
            state.waiting = true;
            state.wanted
        };
        self.wake.notify_one();
        let mut done = self.done.subscribe();
        let reached = done.wait_for(|done| done.failed || done.up_to >= wanted).await;
        match reached {
            Ok(done) if !done.failed => Ok(()),
            _ => Err(FlushFailed),
        }
    }

    fn run(&self) {
        loop {
            let mut state = lock(&self.state);
            while state.dirty.is_empty() && !state.stop {
                state = self.wake.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
            }
            if let SyncPolicy::Every(interval) = self.policy {
                let (waited, _) = self
                    .wake
                    .wait_timeout_while(state, interval, |state| !state.stop)
                    .unwrap_or_else(|poisoned| poisoned.into_inner());
                state = waited;
            }
            let files = std::mem::take(&mut state.dirty);
            let up_to = state.wanted;
            let stop = state.stop;
            state.waiting = false;
            drop(state);
            let mut failed = false;
            for file in files.values() {
                // What the system could not write it may have dropped: another try would prove nothing.
                if let Err(error) = file.sync_data() {
                    self.halt.now("bringing data to the disk", error);
                    failed = true;
                }
            }
            self.done.send_modify(|done| {
                done.up_to = up_to;
                done.failed |= failed;
            });
            if stop {
                return;
            }
        }
    }

    /// Syncs what is left and ends the thread.
    pub fn stop(&self) {
        lock(&self.state).stop = true;
        self.wake.notify_one();
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("the flushing thread ended early");
        }
    }
}
