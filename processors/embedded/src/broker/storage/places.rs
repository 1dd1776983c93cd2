//! The folders of the broker: which topics have one, and what becomes of those that nobody names.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use uuid::Uuid;

use super::fault::LogError;
use super::metastate::MetaState;

/// What the name of a topic's folder ends with while it is deleted; its id stands before.
pub(crate) const DELETED: &str = ".deleted";

/// Folders of the broker.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// Holds a folder a topic.
    pub topics: PathBuf,
    /// Where goes what nobody needs and nobody has deleted.
    pub aside: PathBuf,
}

impl Places {
    /// Those in a data folder.
    pub fn of(data: &Path) -> Self {
        Self { topics: data.join("topics"), aside: data.join("set-aside") }
    }

    /// The folder of a partition.
    pub fn of_partition(&self, topic: &str, index: i32) -> PathBuf {
        self.topics.join(topic).join(index.to_string())
    }

    /// Of `names` one whose topic has, on this disk, the folder that the topic `name` would have: the disk does not tell
    /// capital letters from small ones.
    pub fn same_folder<'a>(
        &self,
        name: &str,
        names: impl IntoIterator<Item = &'a String>,
    ) -> Option<&'a String> {
        let mut alike = names.into_iter().filter(|other| *other != name && other.eq_ignore_ascii_case(name));
        let own = fs::metadata(self.topics.join(name)).ok()?;
        alike.find(|other| {
            let found = fs::metadata(self.topics.join(other.as_str()));
            found.is_ok_and(|found| (found.dev(), found.ino()) == (own.dev(), own.ino()))
        })
    }

    /// Whether there is a folder of any topic.
    pub fn have_topics(&self) -> Result<bool, LogError> {
        Ok(!folders(&self.topics)?.is_empty())
    }

    /// Gets folders out of the way that the metadata does not name: a creation that was interrupted, or
    /// metadata that was cut or brought back from a copy. Only what a deletion has begun to remove is removed.
    pub fn set_aside_leftovers(&self, state: &MetaState) -> Result<(), LogError> {
        for (name, path) in folders(&self.topics)? {
            if let Some(stored) = state.topics.get(&name) {
                for (index, path) in folders(&path)? {
                    let is_named = index.parse::<i32>().is_ok_and(|at| (0..stored.partitions).contains(&at));
                    if !is_named {
                        self.set_aside(&path, &format!("{name}-{index}"))?;
                    }
                }
                continue;
            }
            let deleted = name.strip_suffix(DELETED).and_then(|id| id.parse::<Uuid>().ok());
            match deleted {
                Some(id) if state.topics.values().all(|topic| topic.id != id) => {
                    tracing::info!(path = %path.display(), "ending the deletion of a topic");
                    millrace_disk::remove_folder(&path).map_err(LogError::io(&path))?;
                }
                _ => self.set_aside(&path, &name)?,
            }
        }
        Ok(())
    }

    /// Moves a folder that the metadata does not name out of the way, under `name`.
    pub fn set_aside(&self, path: &Path, name: &str) -> Result<(), LogError> {
        let to = millrace_disk::set_aside(path, &self.aside, name).map_err(LogError::io(path))?;
        tracing::warn!(
            path = %path.display(),
            set_aside = %to.display(),
            "set a folder aside that the metadata does not name; nothing of it is read. Delete it when it is not \
             missed"
        );
        Ok(())
    }
}

/// The folders in a folder, by their names; none when that is not there.
fn folders(dir: &Path) -> Result<Vec<(String, PathBuf)>, LogError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(LogError::io(dir))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(LogError::io(dir))?.path();
        if path.is_dir() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.push((name, path));
        }
    }
    found.sort();
    Ok(found)
}

/// What `act` makes of each item, in their order, by as many threads as the machine has processors; of
/// several errors the first.
pub(crate) fn at_once<T: Sync, R: Send, E: Send>(
    items: &[T],
    act: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, Result<R, E>)> = std::thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(at) else { return done };
                done.push((at, act(item)));
            }
        };
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
