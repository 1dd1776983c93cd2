//! Where a projector begins: from what it has kept, from what the group knows, or from what the tables say.
//!
//! | what there is | where it begins |
//! |---|---|
//! | a projection that keeps nothing | at the group's offset |
//! | what it keeps by key, on disk | where that was written, folding without writing up to the group's offset |
//! | no such disk, or one that cannot be trusted | at the first event, likewise |
//! | tables that are filled, but no offset of the group | the tables' own progress takes its place |
//!
//! What is kept on disk is written after the rows of all events in it were acknowledged, but for those that are written in
//! turns, which are on disk with it. So it may be ahead of the group, and of the tables never.

use std::path::PathBuf;
use std::sync::Arc;

use millrace_kernel::{Domain, Keeps};
use millrace_ports::{Group, Identity, LocalFault, TopicPartition};
use serde::{Deserialize, Serialize};

use super::fault::ProjectorFault;
use super::footing::{Footing, published};
use super::kept::Kept;
use super::lane::ProjectorShared;
use super::parked::Stored;
use super::running::OpenCause;
use crate::local::{CacheBudget, LocalState};
use crate::progress::Progress;

/// The version of what keys, values and points look like on disk.
const FORMAT: u32 = 1;

/// What is written with what is kept: as of when that is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Point {
    /// Of the projection that has kept it.
    pub(super) revision: String,
    /// Every event before this offset is folded in, and its rows are in the tables.
    pub(super) position: i64,
    /// Up to where the tables said so themselves.
    pub(super) published: i64,
    /// The newest event of those.
    pub(super) newest: Option<Newest>,
    /// As of that event.
    pub(super) progress: Progress,
    /// The command or step of it, which may have more.
    pub(super) open: Option<OpenCause>,
}

/// The newest event that was folded: where it stands, and which it is. Whoever goes on reads it once more, as a topic of the
/// same name may be another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Newest {
    pub(super) offset: i64,
    pub(super) event_id: String,
}

/// Where a projector begins.
pub(super) struct Begin {
    /// Read from here on.
    pub(super) from: i64,
    /// Events before this offset are folded without asking for their rows.
    pub(super) folded_upto: i64,
    /// Rows of events before this offset are in the tables.
    pub(super) applied: i64,
    /// The group has been told of this one.
    pub(super) committed: i64,
    /// The first event that is read, if what is kept goes up to it.
    pub(super) proof: Option<Newest>,
    pub(super) progress: Progress,
    pub(super) open: Option<OpenCause>,
    pub(super) kept: Kept,
    /// Events whose rows were being written in turns, by their offsets.
    pub(super) parked: Vec<(i64, Stored)>,
    pub(super) footing: Footing,
}

impl Begin {
    /// Finds it.
    ///
    /// # Errors
    /// [`ProjectorFault`]: tables, group and log that do not belong together, and what those say.
    pub(super) fn find<D: Domain>(
        shared: &ProjectorShared<D>,
        group: &dyn Group,
        at: &TopicPartition,
        keeps: Keeps,
    ) -> Result<Self, ProjectorFault> {
        let published = published(&*shared.store, &shared.projection, at.partition)?;
        let known = committed(group, at)?;
        // Whether `rebuild` has made the tables and nobody has filled them yet: version numbers begin again where the
        // tables were deleted, and a group of that name may be left of the one before.
        let is_new = shared.is_building && published.is_none();
        let committed = match known.filter(|_| !is_new) {
            Some(offset) => offset,
            None => adopt(shared, group, at, published.as_ref())?,
        };
        Self::at(shared, at, keeps, committed, published, |local| &local.budget)
    }

    /// The same for a copy that stands by. It tells the group nothing: that is for whoever owns the partition. Where the
    /// group knows nothing, there is nothing to follow yet.
    ///
    /// # Errors
    /// As [`Begin::find`].
    pub(super) fn of_copy<D: Domain>(
        shared: &ProjectorShared<D>,
        group: &dyn Group,
        at: &TopicPartition,
        keeps: Keeps,
    ) -> Result<Self, ProjectorFault> {
        let published = published(&*shared.store, &shared.projection, at.partition)?;
        let committed = written(shared, group, at)?;
        Self::at(shared, at, keeps, committed, published, |local| &local.budget_of_copies)
    }

    fn at<D: Domain>(
        shared: &ProjectorShared<D>,
        at: &TopicPartition,
        keeps: Keeps,
        committed: i64,
        published: Option<Progress>,
        budget: fn(&LocalState) -> &Arc<CacheBudget>,
    ) -> Result<Self, ProjectorFault> {
        let footing = Footing::new(&*shared.log, &*shared.store, &shared.projection, at, committed)?;
        let none = || Progress::none(&shared.projection, at.partition);
        let mut begin = Self {
            from: 0,
            folded_upto: committed,
            applied: committed,
            committed,
            proof: None,
            progress: none(),
            open: None,
            kept: Kept::default(),
            parked: Vec::new(),
            footing,
        };
        match (keeps, &shared.local) {
            (Keeps::Nothing, _) => {
                // events of a cause whose end was not seen are folded once more, to see it
                begin.from = committed.min(begin.footing.applied());
                begin.progress = published.unwrap_or_else(none);
            }
            (Keeps::ByKey, Some(local)) => {
                let Opened { kept, point, parked } =
                    open(shared, local, budget(local), at, begin.footing.applied())?;
                (begin.kept, begin.parked) = (kept, parked);
                if let Some(point) = point {
                    begin.from = point.newest.as_ref().map_or(point.position, |newest| newest.offset);
                    begin.folded_upto = committed.max(point.position);
                    // what is written in turns is in the tables when it has ended
                    if begin.parked.is_empty() {
                        begin.applied = begin.folded_upto;
                    }
                    (begin.proof, begin.progress, begin.open) = (point.newest, point.progress, point.open);
                }
            }
            (Keeps::ByKey, None) | (Keeps::Fold, _) => {}
        }
        Ok(begin)
    }
}

/// The offset that the group knows of a partition, if any.
fn committed(group: &dyn Group, at: &TopicPartition) -> Result<Option<i64>, ProjectorFault> {
    Ok(group.committed(std::slice::from_ref(at))?.get(at).copied())
}

/// Before which offset the events of a partition are in the tables, as its owner has told the group. Of tables that
/// `rebuild` has made and nobody has filled yet, a group of that name may be left of the ones before.
pub(super) fn written<D: Domain>(
    shared: &ProjectorShared<D>,
    group: &dyn Group,
    at: &TopicPartition,
) -> Result<i64, ProjectorFault> {
    if shared.is_building && published(&*shared.store, &shared.projection, at.partition)?.is_none() {
        return Ok(0);
    }
    Ok(committed(group, at)?.unwrap_or(0))
}

/// Where a group without an offset goes on: where the tables say that they are, or at the first event. The group is told
/// before anything is published, or who dies right after that would look like one that has lost its offset.
fn adopt<D: Domain>(
    shared: &ProjectorShared<D>,
    group: &dyn Group,
    at: &TopicPartition,
    published: Option<&Progress>,
) -> Result<i64, ProjectorFault> {
    let applied = published.map_or(0, |progress| progress.events_offset);
    if applied > 0 {
        tracing::warn!(
            projection = shared.projection,
            "the group has no offset for {at}: the broker has forgotten it (offsets.retention.minutes), or the group was \
             deleted; it goes on at {applied}, up to where the tables say that they have its events"
        );
    }
    group.commit(&std::collections::BTreeMap::from([(at.clone(), applied)]))?;
    Ok(applied)
}

/// What is kept of a partition, as its disk has it.
struct Opened {
    kept: Kept,
    point: Option<Point>,
    parked: Vec<(i64, Stored)>,
}

/// Opens what is kept of a partition; sets it aside and begins with nothing when it cannot be trusted.
fn open<D: Domain>(
    shared: &ProjectorShared<D>,
    local: &LocalState,
    budget: &Arc<CacheBudget>,
    at: &TopicPartition,
    applied: i64,
) -> Result<Opened, ProjectorFault> {
    let identity = identity(shared, at);
    if let Some(why) = local.take_condemned(at.partition) {
        local.set_aside(&identity, &why)?;
    }
    let why = match open_trusted(shared, local, budget, at, &identity, applied) {
        Ok(Ok(opened)) => return Ok(opened),
        Ok(Err(why)) => why,
        Err(ProjectorFault::Local(fault)) if fault.is_lasting() => fault.to_string(),
        Err(fault) => return Err(fault),
    };
    local.set_aside(&identity, &why)?;
    let store = local.stores.open(&identity)?;
    Ok(Opened { kept: Kept::over(store, Arc::clone(budget)), point: None, parked: Vec::new() })
}

/// What is kept, or why it is not to be trusted.
fn open_trusted<D: Domain>(
    shared: &ProjectorShared<D>,
    local: &LocalState,
    budget: &Arc<CacheBudget>,
    at: &TopicPartition,
    identity: &Identity,
    applied: i64,
) -> Result<Result<Opened, String>, ProjectorFault> {
    let store = local.stores.open(identity)?;
    let point = match store.checkpoint()? {
        None => None,
        Some(bytes) => match serde_json::from_slice::<Point>(&bytes) {
            Ok(point) => Some(point),
            Err(error) => return Ok(Err(format!("its checkpoint cannot be read: {error}"))),
        },
    };
    if let Some(point) = &point {
        let end = shared.log.high_watermark(at)?;
        let why = if point.revision != shared.revision {
            Some(format!("it is of the revision {:?}, and this is {:?}", point.revision, shared.revision))
        } else if point.position > end {
            Some(format!("it reaches to offset {} of {at}, which ends at {end}", point.position))
        } else if point.published > applied {
            Some(format!(
                "its rows were in the tables up to offset {} of {at}, and these have them up to {applied}",
                point.published
            ))
        } else {
            None
        };
        if let Some(why) = why {
            return Ok(Err(why));
        }
    }
    let mut parked = Vec::new();
    let mut unread = None;
    store.scan_kept(&mut |key, value| {
        let offset = key.try_into().map(i64::from_be_bytes);
        match (offset, serde_json::from_slice::<Stored>(value)) {
            (Ok(offset), Ok(stored)) => parked.push((offset, stored)),
            (_, Err(error)) => {
                unread = Some(format!("an event that waits for its rows cannot be read: {error}"))
            }
            (Err(_), _) => unread = Some("an event that waits for its rows has no offset".to_owned()),
        }
    })?;
    if let Some(why) = unread {
        return Ok(Err(why));
    }
    Ok(Ok(Opened { kept: Kept::over(store, Arc::clone(budget)), point, parked }))
}

/// The name under which a version of a projection keeps what it knows of any partition.
pub(crate) fn place<D: Domain>(events: &str, projection: &str) -> String {
    let family = projection.strip_prefix(D::NAME).unwrap_or(projection);
    format!("{events}{family}")
}

fn identity<D: Domain>(shared: &ProjectorShared<D>, at: &TopicPartition) -> Identity {
    Identity {
        topic: place::<D>(&shared.names.events, &shared.projection).into(),
        partition: at.partition,
        partitions: shared.partitions,
        format: FORMAT,
    }
}

/// What is said of a store whose events are not those of the topic.
pub(super) fn of_another_log(path: PathBuf, at: &TopicPartition, proof: &Newest) -> LocalFault {
    LocalFault::Damaged {
        path,
        why: format!(
            "it goes up to event {} at offset {} of {at}, which is another one there: the topic was made anew",
            proof.event_id, proof.offset
        ),
    }
}
