//! The topics of the broker: by name, created, changed and deleted.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use kafka_protocol::ResponseError;
use uuid::Uuid;

use super::config::{TopicSettings, check_together, setting};
use super::storage::fault::LogError;
use super::storage::flusher::Flusher;
use super::storage::log::Log;
use super::storage::metalog::MetaLog;
use super::storage::metastate::{Entry, MetaState, StoredTopic};
use super::storage::partition::Partition;
use super::storage::places::{DELETED, Places, at_once};
use super::storage::survey::{Survey, survey};
use crate::net::files;

/// More partitions than this in one topic are refused: each is a folder and an open file.
const MAX_PARTITIONS: i32 = 10_000;

/// A refusal with the words for the person who asked.
#[derive(Debug)]
pub(crate) struct Refused {
    pub error: ResponseError,
    pub message: String,
}

impl Refused {
    pub fn new(error: ResponseError, message: impl Into<String>) -> Self {
        Self { error, message: message.into() }
    }
}

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub name: String,
    pub id: Uuid,
    pub overrides: BTreeMap<String, String>,
    pub settings: Arc<TopicSettings>,
    pub partitions: Vec<Arc<Partition>>,
}

/// Looks at the logs of all partitions that the metadata names, in its order, and changes nothing.
///
/// # Errors
/// A log is damaged, or a folder is not there.
pub(crate) fn look(places: &Places, state: &MetaState) -> Result<Vec<Survey>, LogError> {
    for name in state.topics.keys() {
        if let Some(other) = places.same_folder(name, state.topics.keys()) {
            let (path, first, second) = (places.topics.join(name), name.clone(), other.clone());
            return Err(LogError::SameFolder { path, first, second });
        }
    }
    let partitions = state.topics.iter().flat_map(|(name, stored)| {
        let start = |index| stored.log_starts.get(&index).copied().unwrap_or(0);
        (0..stored.partitions).map(move |index| (places.of_partition(name, index), start(index)))
    });
    let partitions: Vec<_> = partitions.collect();
    at_once(&partitions, |(dir, log_start)| survey(dir, *log_start))
}

/// All topics. A change replaces the topic, so readers never see half of one.
#[derive(Debug)]
pub(crate) struct Topics {
    places: Places,
    by_name: RwLock<HashMap<String, Arc<Topic>>>,
    /// Names by id: every fetch of newer clients names its topics so.
    names: RwLock<HashMap<Uuid, String>>,
    metadata: Arc<MetaLog>,
    flusher: Arc<Flusher>,
}

impl Topics {
    /// Opens every topic that the metadata names, of which `found` was found.
    ///
    /// # Errors
    /// The system refuses.
    pub fn open(
        places: Places,
        state: &MetaState,
        found: Vec<Survey>,
        metadata: Arc<MetaLog>,
        flusher: Arc<Flusher>,
    ) -> Result<Self, LogError> {
        millrace_disk::make_folder(&places.topics).map_err(LogError::io(&places.topics))?;
        places.set_aside_leftovers(state)?;
        let read_bytes: u64 = found.iter().map(|found| found.read_bytes).sum();
        let mut found = found.into_iter();
        let mut by_name = HashMap::new();
        for (name, stored) in &state.topics {
            let of_topic = (0..stored.partitions).zip(&mut found);
            let partitions = of_topic.map(|(index, found)| {
                let log = found.settle(&places.aside)?;
                Ok(Arc::new(Partition::new(name, index, log, Arc::clone(&flusher))))
            });
            let partitions = partitions.collect::<Result<_, LogError>>()?;
            let bad = stored.configs.iter().filter_map(|(name, value)| setting(name)?.check(value).err());
            for problem in bad.chain(check_together(&stored.configs, flusher.policy()).err()) {
                tracing::warn!(
                    topic = name,
                    "a setting that an earlier build accepted is not honoured: {problem}"
                );
            }
            by_name.insert(name.clone(), Arc::new(topic(name, stored, partitions)));
        }
        tracing::info!(topics = by_name.len(), read_bytes, "opened the logs");
        let names = by_name.iter().map(|(name, topic)| (topic.id, name.clone())).collect();
        Ok(Self { places, by_name: RwLock::new(by_name), names: RwLock::new(names), metadata, flusher })
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, Arc<Topic>>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, Arc<Topic>>> {
        self.by_name.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.read().get(name).cloned()
    }

    pub fn by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        // Only one of the two locks at a time: whoever creates a topic takes them in the other order.
        let name = self.names.read().unwrap_or_else(PoisonError::into_inner).get(&id)?.clone();
        // A topic of the name may be another one by now.
        self.get(&name).filter(|topic| topic.id == id)
    }

    /// All topics, by name.
    pub fn all(&self) -> Vec<Arc<Topic>> {
        let mut all: Vec<_> = self.read().values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// A partition and its topic, when both exist.
    pub fn partition(&self, name: &str, index: i32) -> Option<(Arc<Topic>, Arc<Partition>)> {
        let topic = self.get(name)?;
        let partition = topic.partitions.get(usize::try_from(index).ok()?).cloned()?;
        Some((topic, partition))
    }

    /// Creates a topic, or only says whether it could be.
    pub fn create(
        &self,
        name: &str,
        partitions: i32,
        overrides: BTreeMap<String, String>,
        validate_only: bool,
    ) -> Result<(Uuid, i32), Refused> {
        check_name(name)?;
        if !(1..=MAX_PARTITIONS).contains(&partitions) {
            let message = format!("a topic has between 1 and {MAX_PARTITIONS} partitions");
            return Err(Refused::new(ResponseError::InvalidPartitions, message));
        }
        self.check_overrides(&overrides, &BTreeMap::new())?;
        let mut by_name = self.write();
        if by_name.contains_key(name) {
            let message = format!("topic '{name}' already exists");
            return Err(Refused::new(ResponseError::TopicAlreadyExists, message));
        }
        if let Some(other) = self.places.same_folder(name, by_name.keys()) {
            let message = format!(
                "there is a topic '{other}', and the disk does not tell capital letters from small ones: both would \
                 have the same folder. Choose another name"
            );
            return Err(Refused::new(ResponseError::InvalidTopicException, message));
        }
        have_files(partitions)?;
        let id = Uuid::new_v4();
        if validate_only {
            return Ok((id, partitions));
        }
        let stored = StoredTopic { id, partitions, configs: overrides, log_starts: BTreeMap::new() };
        let opened = self.make_partitions(name, 0..partitions)?;
        self.metadata
            .append(&[Entry::Topic(name.to_owned(), stored.clone())])
            .map_err(|error| storage_refused("note the topic", &error))?;
        by_name.insert(name.to_owned(), Arc::new(topic(name, &stored, opened)));
        self.names.write().unwrap_or_else(PoisonError::into_inner).insert(id, name.to_owned());
        Ok((id, partitions))
    }

    /// Makes the logs of partitions that the metadata does not name yet.
    fn make_partitions(
        &self,
        name: &str,
        range: std::ops::Range<i32>,
    ) -> Result<Vec<Arc<Partition>>, Refused> {
        let refused = |error: &dyn std::error::Error| storage_refused("create the partitions", error);
        range
            .map(|index| {
                let path = self.places.of_partition(name, index);
                // Of a topic that was deleted, or never came to be: its records are not this one's.
                if path.exists() {
                    self.places
                        .set_aside(&path, &format!("{name}-{index}"))
                        .map_err(|error| refused(&error))?;
                }
                let log = Log::create(&path).map_err(|error| refused(&error))?;
                Ok(Arc::new(Partition::new(name, index, log, Arc::clone(&self.flusher))))
            })
            .collect()
    }

    /// Raises the number of partitions.
    pub fn add_partitions(&self, name: &str, count: i32, validate_only: bool) -> Result<(), Refused> {
        let mut by_name = self.write();
        let old = by_name.get(name).cloned().ok_or_else(|| unknown_topic(name))?;
        let have = old.partitions.len() as i32;
        if count <= have || count > MAX_PARTITIONS {
            let message = format!(
                "topic '{name}' has {have} partitions; it can only be given more, up to {MAX_PARTITIONS}"
            );
            return Err(Refused::new(ResponseError::InvalidPartitions, message));
        }
        if validate_only {
            return Ok(());
        }
        have_files(count - have)?;
        let mut partitions = old.partitions.clone();
        partitions.extend(self.make_partitions(name, have..count)?);
        self.replace(&mut by_name, &old, old.overrides.clone(), partitions)
    }

    /// Replaces the overrides of a topic's settings.
    pub fn configure(
        &self,
        name: &str,
        change: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), Refused>,
        validate_only: bool,
    ) -> Result<(), Refused> {
        let mut by_name = self.write();
        let old = by_name.get(name).cloned().ok_or_else(|| unknown_topic(name))?;
        let mut overrides = old.overrides.clone();
        change(&mut overrides)?;
        self.check_overrides(&overrides, &old.overrides)?;
        if validate_only || overrides == old.overrides {
            return Ok(());
        }
        let partitions = old.partitions.clone();
        self.replace(&mut by_name, &old, overrides, partitions)
    }

    /// What was there before is not refused any more: a build that accepted it made it so.
    fn check_overrides(
        &self,
        overrides: &BTreeMap<String, String>,
        before: &BTreeMap<String, String>,
    ) -> Result<(), Refused> {
        let refused = |message: String| Refused::new(ResponseError::InvalidConfig, message);
        let changed = || overrides.iter().filter(|(name, value)| before.get(*name) != Some(value));
        for (name, value) in changed() {
            let known =
                setting(name).ok_or_else(|| refused(format!("'{name}' is not a setting of topics")))?;
            known.check(value).map_err(refused)?;
        }
        if changed().next().is_none() {
            return Ok(());
        }
        check_together(overrides, self.flusher.policy()).map_err(refused)
    }

    fn replace(
        &self,
        by_name: &mut HashMap<String, Arc<Topic>>,
        old: &Topic,
        configs: BTreeMap<String, String>,
        partitions: Vec<Arc<Partition>>,
    ) -> Result<(), Refused> {
        let log_starts = partitions.iter().map(|p| (p.index, p.log().log_start)).filter(|(_, s)| *s > 0);
        let stored = StoredTopic {
            id: old.id,
            partitions: partitions.len() as i32,
            configs,
            log_starts: log_starts.collect(),
        };
        self.metadata
            .append(&[Entry::Topic(old.name.clone(), stored.clone())])
            .map_err(|error| storage_refused("note the change", &error))?;
        by_name.insert(old.name.clone(), Arc::new(topic(&old.name, &stored, partitions)));
        Ok(())
    }

    /// Deletes a topic and its records.
    pub fn delete(&self, name: &str) -> Result<(), Refused> {
        let mut by_name = self.write();
        let old = by_name.get(name).cloned().ok_or_else(|| unknown_topic(name))?;
        self.metadata
            .append(&[Entry::TopicDeleted(name.to_owned())])
            .map_err(|error| storage_refused("note the deletion", &error))?;
        by_name.remove(name);
        self.names.write().unwrap_or_else(PoisonError::into_inner).remove(&old.id);
        // Else a loss of power could leave a topic that is named and has no folder. The broker halts when
        // this fails, and the folder stays.
        let noted = self.metadata.sync();
        for partition in &old.partitions {
            let _log = partition.log();
            partition.deleted.store(true, Ordering::Release);
        }
        for partition in &old.partitions {
            partition.wake();
        }
        noted.map_err(|error| storage_refused("note the deletion", &error))?;
        let path = self.places.topics.join(name);
        // A new topic of the name may come at once, so the old folder gets out of the way first.
        let gone = self.places.topics.join(format!("{}{DELETED}", old.id));
        let removed = millrace_disk::rename(&path, &gone).and_then(|()| millrace_disk::remove_folder(&gone));
        if let Err(error) = removed {
            tracing::warn!(topic = name, %error, "the folder of a deleted topic stays for now");
        }
        Ok(())
    }
}

fn topic(name: &str, stored: &StoredTopic, partitions: Vec<Arc<Partition>>) -> Topic {
    Topic {
        name: name.to_owned(),
        id: stored.id,
        settings: Arc::new(TopicSettings::from_overrides(&stored.configs)),
        overrides: stored.configs.clone(),
        partitions,
    }
}

fn storage_refused(action: &str, error: &dyn std::error::Error) -> Refused {
    tracing::error!(%error, "cannot {action}");
    Refused::new(ResponseError::KafkaStorageError, format!("cannot {action}: {error}"))
}

pub(crate) fn unknown_topic(name: &str) -> Refused {
    let message = format!("there is no topic '{name}'");
    Refused::new(ResponseError::UnknownTopicOrPartition, message)
}

fn check_name(name: &str) -> Result<(), Refused> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let good = !name.is_empty()
        && name.len() <= 249
        && name != "."
        && name != ".."
        && name.chars().all(legal)
        && !name.ends_with(DELETED);
    if good {
        return Ok(());
    }
    let message = "a topic's name has up to 249 letters, digits, '.', '_' or '-', \
                   is not '.' or '..' and does not end in '.deleted'";
    Err(Refused::new(ResponseError::InvalidTopicException, message))
}

/// Each partition keeps a file open at least. Without any left, nothing could be written any more.
fn have_files(partitions: i32) -> Result<(), Refused> {
    files::have_room_for(u64::from(partitions.unsigned_abs())).map_err(|short| {
        let message = format!("{partitions} partitions are too many: {short}");
        Refused::new(ResponseError::InvalidPartitions, message)
    })
}
