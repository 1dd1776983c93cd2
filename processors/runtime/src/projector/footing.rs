//! Whether the tables hold what the group says was applied to them, and the log what the tables hold.
//!
//! A group's offsets live in the broker and the rows in a database: either can be deleted, restored from an older copy
//! or exchanged without the other. Who went on from the group's offset would leave out events without a word.

use millrace_kernel::Event;
use millrace_ports::{Log, TopicPartition, ViewStore};

use super::fault::ProjectorFault;
use crate::progress::{Cause, Progress, read_progress};

/// What tables must hold of a partition.
pub struct Footing {
    projection: String,
    at: TopicPartition,
    /// The group says that every event before this offset is in the tables.
    committed: i64,
    /// The tables say so of this one.
    applied: i64,
    /// The cause of the newest event that was folded, and where that event ends.
    newest: Option<(Cause, i64)>,
}

impl Footing {
    /// Looks whether the log goes as far as the tables and the group.
    ///
    /// # Errors
    /// [`ProjectorFault::EventsGone`], and what the store or the log says.
    pub fn new(
        log: &dyn Log,
        store: &dyn ViewStore,
        projection: &str,
        at: &TopicPartition,
        committed: i64,
    ) -> Result<Self, ProjectorFault> {
        let applied = applied(store, projection, at.partition)?;
        let (claimed, end) = (applied.max(committed), log.high_watermark(at)?);
        if claimed > end {
            let (at, projection) = (at.clone(), projection.to_owned());
            return Err(ProjectorFault::EventsGone { at, projection, applied: claimed, end });
        }
        Ok(Self { projection: projection.to_owned(), at: at.clone(), committed, applied, newest: None })
    }

    /// Up to which offset the tables hold the events, as far as was asked.
    #[must_use]
    pub fn applied(&self) -> i64 {
        self.applied
    }

    /// Asks the tables once more up to where they hold the events.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn look(&mut self, store: &dyn ViewStore) -> Result<(), ProjectorFault> {
        self.applied = applied(store, &self.projection, self.at.partition)?;
        Ok(())
    }

    /// Before an event is folded or applied. A cause behind which another follows was published before the group was
    /// told of the other, so the tables know it, whenever their projector ended.
    ///
    /// # Errors
    /// [`ProjectorFault::TablesBehind`], and what the store says.
    pub fn before<E>(
        &mut self,
        store: &dyn ViewStore,
        event: &Event<E>,
        offset: i64,
    ) -> Result<(), ProjectorFault> {
        let cause = cause_of(event);
        if offset >= self.committed {
            return self.at_end(store);
        }
        if let Some((newest, end)) = self.newest
            && newest != cause
        {
            self.hold(store, end)?;
        }
        self.newest = Some((cause, offset + 1));
        Ok(())
    }

    /// When everything before the group's offset is folded. The last cause was published, too, if the group was told of
    /// the mark behind it.
    ///
    /// # Errors
    /// As [`Footing::before`].
    pub fn at_end(&mut self, store: &dyn ViewStore) -> Result<(), ProjectorFault> {
        if let Some((_, end)) = self.newest.filter(|(_, end)| *end < self.committed) {
            self.hold(store, end)?;
        }
        self.newest = None;
        Ok(())
    }

    fn hold(&mut self, store: &dyn ViewStore, upto: i64) -> Result<(), ProjectorFault> {
        if self.applied >= upto {
            return Ok(());
        }
        // they may have been put right meanwhile, and the replica that was asked first may have been behind
        self.applied = applied(store, &self.projection, self.at.partition)?;
        if self.applied >= upto {
            return Ok(());
        }
        let (at, projection) = (self.at.clone(), self.projection.clone());
        let (applied, committed) = (self.applied, self.committed);
        Err(ProjectorFault::TablesBehind { at, projection, applied, committed })
    }
}

/// What the tables say of a partition; nothing when they say nothing.
pub(super) fn published(
    store: &dyn ViewStore,
    projection: &str,
    partition: i32,
) -> Result<Option<Progress>, ProjectorFault> {
    Ok(read_progress(store, projection)?.into_iter().find(|it| it.partition == partition))
}

/// Up to where they say that they hold its events.
fn applied(store: &dyn ViewStore, projection: &str, partition: i32) -> Result<i64, ProjectorFault> {
    Ok(published(store, projection, partition)?.map_or(0, |it| it.events_offset))
}

/// What an event came of.
pub(super) fn cause_of<E>(event: &Event<E>) -> Cause {
    Cause { is_step: event.is_caused_by_step(), offset: event.command_offset }
}
