//! `celebrity_chirps`: the newest chirps of an author that are pulled, in one partition that is swept.
//!
//! What is deleted in front of a partition is walked by each of its readers for `gc_grace_seconds`, and every follower of a
//! celebrity is one. So after so many deletions the rows that are there are written once more, with the time of the event,
//! and then the whole partition is deleted as of the microsecond before: one deletion stands for all, and no row is
//! missing at any instant. No earlier event has written later than that, as times rise within a partition of events. What
//! falls out at the far end is deleted as a range, each of which takes in the ones before.

use millrace_kernel::{Known, Writes};

use super::Timelines;
use super::author::{Author, Chirp};
use super::rows::Of;
use crate::messages::rows::CelebrityChirpsRow;

/// What a deletion does to the chirps that are pulled.
pub enum Pulled {
    /// Nothing: it was not among them.
    Untouched,
    /// The next older one, if any, comes in.
    Next(Option<Chirp>),
    /// The partition is swept.
    Swept,
}

impl Timelines {
    /// How many rows `celebrity_chirps` holds of an author: one more than a feed can show.
    /// A post puts one and deletes one, a deletion likewise; with one to spare the newest
    /// `cap` are there whichever of the two is done first.
    fn pulled_rows(&self) -> usize {
        self.settings.timeline_cap.saturating_add(1)
    }

    /// Whether the chirp at `place` is pulled.
    pub(super) fn is_pulled(&self, known: &mut dyn Known, author: &Author, place: usize) -> bool {
        author.pulled(known, self.pulled_rows()).contains(&place)
    }

    /// A celebrity has posted a chirp.
    pub(super) fn pull(
        &self,
        known: &mut dyn Known,
        (author, of): (&Author, &Of),
        chirp: &Chirp,
        at: i64,
        writes: &mut Writes,
    ) {
        writes.push(of.celebrity(chirp, at));
        let oldest = author.pulled(known, self.pulled_rows()).start;
        if oldest > 0
            && let Some(oldest) = author.chirp_at(known, oldest)
        {
            writes.push(CelebrityChirpsRow::delete_after(of.author_id.clone(), oldest.posted_at, at));
        }
    }

    /// Deletes the chirp at `place` from what is known of its author.
    pub(super) fn unpost(
        &self,
        known: &mut dyn Known,
        author: &mut Author,
        (place, chirp): (usize, &Chirp),
    ) -> Pulled {
        let pulled = author.pulled(known, self.pulled_rows());
        if !pulled.contains(&place) {
            author.delete(known, chirp);
            return Pulled::Untouched;
        }
        // those that are pulled stay complete for the newest
        let older = pulled.start.checked_sub(1).and_then(|older| author.chirp_at(known, older));
        author.delete(known, chirp);
        let is_swept = author.count_unpulled() >= self.settings.bucket_rows;
        if is_swept {
            author.sweep();
        }
        author.keep(known);
        if is_swept { Pulled::Swept } else { Pulled::Next(older) }
    }

    /// Writes what is pulled once more, if an event of `at` sweeps the partition; [`Of::sweep`] in a stage behind.
    pub(super) fn pull_all(
        &self,
        known: &mut dyn Known,
        (author, of): (&Author, &Of),
        at: i64,
        writes: &mut Writes,
    ) {
        let pulled = author.pulled(known, self.pulled_rows());
        for chirp in author.chirps_at(known, pulled) {
            writes.push(of.celebrity(&chirp, at));
        }
    }
}
