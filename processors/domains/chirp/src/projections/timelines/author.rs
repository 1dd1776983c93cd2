//! What a partition knows of one of its authors: chirps, audience, and times as a celebrity.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::people::Person;

/// A chirp that is not deleted.
#[derive(Clone, Debug)]
pub struct Chirp {
    pub posted_at: i64,
    pub chirp_id: Arc<str>,
    pub content: Arc<str>,
    pub edited_at: Option<i64>,
}

/// A time as a celebrity: from the event that crossed upwards to the one that crossed
/// downwards, `i64::MAX` while it lasts.
#[derive(Clone, Copy, Debug)]
struct Era {
    begin: i64,
    end: i64,
}

/// An author of this partition.
#[derive(Debug, Default)]
pub struct Author {
    pub username: Arc<str>,
    /// Readers, and when each follow was recorded: twelve bytes, as there are many.
    pub followers: BTreeMap<Person, i64>,
    /// Ordered by (posted_at, chirp_id), oldest first. A deque, as whoever deletes a long history begins at one of its ends.
    chirps: VecDeque<Chirp>,
    /// Where to find a chirp: an edit or a deletion names only its id.
    posted: HashMap<Arc<str>, i64>,
    eras: Vec<Era>,
}

impl Author {
    /// All chirps, oldest first.
    pub fn chirps(&self) -> &VecDeque<Chirp> {
        &self.chirps
    }

    pub fn post(&mut self, chirp: Chirp) {
        self.posted.insert(chirp.chirp_id.clone(), chirp.posted_at);
        // nearly always the end: recorded_at rises within a partition
        let place = self.place(chirp.posted_at, &chirp.chirp_id);
        self.chirps.insert(place, chirp);
    }

    /// Replaces the text of a chirp; returns its place.
    pub fn edit(&mut self, chirp_id: &str, content: Arc<str>, edited_at: i64) -> Option<usize> {
        let place = self.find(chirp_id)?;
        let chirp = self.chirps.get_mut(place)?;
        (chirp.content, chirp.edited_at) = (content, Some(edited_at));
        Some(place)
    }

    /// Where a chirp stands among all.
    pub fn find(&self, chirp_id: &str) -> Option<usize> {
        let posted_at = *self.posted.get(chirp_id)?;
        let place = self.place(posted_at, chirp_id);
        self.chirps.get(place).filter(|chirp| *chirp.chirp_id == *chirp_id).map(|_| place)
    }

    pub fn delete(&mut self, place: usize) -> Option<Chirp> {
        let chirp = self.chirps.remove(place)?;
        self.posted.remove(&chirp.chirp_id);
        Some(chirp)
    }

    fn place(&self, posted_at: i64, chirp_id: &str) -> usize {
        self.chirps.partition_point(|chirp| (chirp.posted_at, &*chirp.chirp_id) < (posted_at, chirp_id))
    }

    /// The place of the first chirp posted at `time` or later.
    pub fn first_since(&self, time: i64) -> usize {
        self.chirps.partition_point(|chirp| chirp.posted_at < time)
    }

    /// Chirps posted before this are pulled from `celebrity_chirps`, later ones were pushed
    /// to `home_timelines`.
    pub fn pulled_until(&self) -> i64 {
        self.eras.last().map_or(0, |era| era.end)
    }

    pub fn is_celebrity(&self) -> bool {
        self.pulled_until() == i64::MAX
    }

    pub fn become_celebrity(&mut self, at: i64) {
        self.eras.push(Era { begin: at, end: i64::MAX });
    }

    pub fn become_regular(&mut self, at: i64) {
        if let Some(era) = self.eras.last_mut() {
            era.end = at;
        }
    }

    /// The places of the chirps that `celebrity_chirps` holds: the newest `rows` of those that
    /// are pulled.
    pub fn pulled(&self, rows: usize) -> Range<usize> {
        let end = self.first_since(self.pulled_until());
        end.saturating_sub(rows)..end
    }

    /// Whether a chirp of that time was pushed to those who followed then.
    fn was_pushed(&self, posted_at: i64) -> bool {
        !self.eras.iter().any(|era| (era.begin..era.end).contains(&posted_at))
    }

    /// Chirps posted from here on were written to the timeline of a reader who follows `since`
    /// then, except in celebrity times and below the reader's floor. Who followed a celebrity got
    /// no older chirps, others those from after the last celebrity time before.
    pub fn copied_from(&self, since: i64) -> i64 {
        let Some(last) = self.eras.iter().rev().find(|era| era.begin <= since) else { return 0 };
        if since < last.end { since } else { last.end }
    }

    /// Whether a chirp of that time was written to the timeline of a reader who follows `since`
    /// then, as far as the author knows: the reader's floor may have gone above it.
    pub fn has_pushed(&self, since: i64, posted_at: i64) -> bool {
        self.was_pushed(posted_at) && self.copied_from(since) <= posted_at
    }

    /// Chirps from `time` on that were pushed, newest first.
    pub fn pushed_since(&self, time: i64) -> impl Iterator<Item = &Chirp> {
        self.chirps.range(self.first_since(time)..).rev().filter(|chirp| self.was_pushed(chirp.posted_at))
    }

    /// How many [`Author::pushed_since`] has.
    pub fn count_pushed_since(&self, time: i64) -> usize {
        let pulled: usize = self
            .eras
            .iter()
            .filter(|era| era.end > time)
            .map(|era| self.first_since(era.end) - self.first_since(era.begin.max(time)))
            .sum();
        self.chirps.len() - self.first_since(time) - pulled
    }

    /// Whether a chirp of that time was written to any timeline at all: then the audience must be
    /// walked, which most chirps of a celebrity spare.
    pub fn is_pushed(&self, posted_at: i64) -> bool {
        self.was_pushed(posted_at) && !self.followers.is_empty()
    }
}
