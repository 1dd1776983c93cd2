//! Checkpoints: what was committed goes to the store of a partition together with the offsets it
//! reaches, on a thread beside the lane.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use millrace_ports::{Change, LocalFault, LocalStore, Space};
use serde::{Deserialize, Serialize};

use super::aggregates::AggregatesPart;
use super::answers::Answers;
use super::window::{WindowMark, WindowPart};

/// The version of all that is written to a store: keys, values and checkpoints.
pub const FORMAT: u32 = 3;

/// Offsets of the two topics a partition's state comes from: everything below is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// Of the state topic.
    pub state: i64,
    /// Of the outcomes topic; `None` while the states are not whole, as they say where the
    /// window begins.
    pub outcomes: Option<i64>,
}

impl Reached {
    /// Whether all that lies below `other` is known.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.state >= other.state && self.outcomes >= other.outcomes
    }
}

/// What a store says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// How far it reaches.
    pub(super) reached: Reached,
    /// The newest `recorded_at`, microseconds since the epoch.
    pub(super) last_recorded_at: i64,
    /// When the offsets were last known to be the ends of the topics, microseconds since the epoch.
    pub(super) taken_at: i64,
    /// What it says of the window.
    pub(super) window: WindowMark,
}

impl Checkpoint {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a struct of numbers and texts is JSON")
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        // an error quotes what it has found, which may be anything and of any length
        serde_json::from_slice(bytes).map_err(|error| error.to_string().chars().take(200).collect())
    }
}

/// All that one checkpoint writes. Readable until it is written.
#[derive(Debug)]
pub(super) struct Frozen {
    pub(super) aggregates: AggregatesPart,
    pub(super) window: WindowPart,
    pub(super) checkpoint: Checkpoint,
}

impl Frozen {
    fn write(&self, store: &dyn LocalStore) -> Result<(), LocalFault> {
        let (aggregates, answers) = (&self.aggregates.changes, self.window.all());
        let count: usize = answers.clone().map(Answers::len).sum();
        let mut changes = Vec::with_capacity(aggregates.len() + count);
        changes.extend(aggregates.iter());
        let space = Space::Answers;
        let answers = answers.flat_map(Answers::iter);
        changes.extend(answers.map(|(key, value)| Change { space, key, value: Some(value) }));
        store.write(&changes, self.window.answered, &self.checkpoint.to_bytes())
    }
}

/// Writes checkpoints, one at a time.
pub(super) enum Writer {
    /// By the caller, when it looks whether it is done: a simulation has one thread.
    Stepwise { store: Arc<dyn LocalStore>, given: Option<Arc<Frozen>> },
    /// On a thread of its own.
    Beside(Beside),
}

pub(super) struct Beside {
    path: PathBuf,
    /// Taken away to end the thread.
    give: Option<Sender<Arc<Frozen>>>,
    done: Receiver<Result<(), LocalFault>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn new(store: Arc<dyn LocalStore>, is_stepwise: bool) -> Self {
        if is_stepwise {
            return Self::Stepwise { store, given: None };
        }
        let (give, given) = channel::<Arc<Frozen>>();
        let (say, done) = channel();
        let path = store.path();
        let thread = std::thread::Builder::new().name("checkpoints".to_owned()).spawn(move || {
            while let Ok(frozen) = given.recv() {
                let written = frozen.write(&*store);
                // whoever is told has it for itself
                drop(frozen);
                if say.send(written).is_err() {
                    return;
                }
            }
        });
        let thread = thread.expect("the system has room for a thread");
        Self::Beside(Beside { path, give: Some(give), done, thread: Some(thread) })
    }

    /// Begins to write; one that was given before must be done.
    pub(super) fn begin(&mut self, frozen: Arc<Frozen>) {
        match self {
            Self::Stepwise { given, .. } => *given = Some(frozen),
            Self::Beside(beside) => {
                // a thread that is gone is found when the end of this is asked for
                let _ = beside.give.as_ref().map(|give| give.send(frozen));
            }
        }
    }

    /// How what was begun has ended, if it has.
    pub(super) fn end(&mut self) -> Option<Result<(), LocalFault>> {
        match self {
            Self::Stepwise { store, given } => given.take().map(|frozen| frozen.write(&**store)),
            Self::Beside(beside) => match beside.done.try_recv() {
                Ok(result) => Some(result),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => {
                    let why = "the thread that writes it ended by a panic".to_owned();
                    Some(Err(LocalFault::Damaged { path: beside.path.clone(), why }))
                }
            },
        }
    }
}

impl Drop for Beside {
    /// What was begun is written to the end: whoever opens the store next finds it whole and closed.
    fn drop(&mut self) {
        self.give = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("writing local state ended by a panic, which is a bug; the topics have it all");
        }
    }
}
