//! Rows that are written beside the batches of events: those of [`Turns`], a piece after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_kernel::{Domain, StagedProjector, Write};
use millrace_ports::{StoreFault, Submitted};

use super::fault::ProjectorFault;
use super::kept::Kept;
use super::lane::ProjectorShared;
use super::turns::{Ended, Turns};
use super::unapplied::Tally;
use crate::changes::Noted;
use crate::metrics::Meter;
use crate::versions::Destination;

/// What is written in turns, and how far that is.
pub(super) struct Background {
    pub(super) turns: Turns,
    destination: Destination,
    /// The piece that the store does not have yet.
    piece: Option<Arc<Vec<Write>>>,
    /// What that piece changes for those who have subscribed to a view.
    noted: Vec<Noted>,
    /// The same of pieces that the store has, of which nobody has been told.
    untold: Vec<Noted>,
    /// The same, when the store is at it, and since when.
    submitted: Option<(Box<dyn Submitted>, Instant)>,
    /// Whether the store has failed with the piece: it is then waited for, so that nobody is told
    /// that all is well while it is not.
    is_in_doubt: bool,
    /// Causes that have ended, which is not said yet.
    ended: Vec<Ended>,
}

impl Background {
    pub(super) fn new(turns: Turns, destination: Destination) -> Self {
        let (piece, submitted, is_in_doubt) = (None, None, false);
        let (noted, untold, ended) = Default::default();
        Self { turns, destination, piece, noted, untold, submitted, is_in_doubt, ended }
    }

    /// Whether the store is at no piece: what is left to write is what [`Turns`] has.
    pub(super) fn is_settled(&self) -> bool {
        self.submitted.is_none() && self.piece.is_none()
    }

    /// Whether there is nothing to write and nothing to say.
    pub(super) fn is_idle(&self) -> bool {
        self.turns.is_empty() && self.ended.is_empty()
    }

    /// Takes note of what the store has acknowledged, waiting for it up to `wait`.
    ///
    /// # Errors
    /// [`StoreFault`]: the piece is written once more by [`Background::go_on`].
    pub(super) fn settle(&mut self, wait: Duration, meter: &Meter) -> Result<(), StoreFault> {
        let Some((submitted, since)) = &mut self.submitted else { return Ok(()) };
        let (settled, took) = (submitted.settle(wait), since.elapsed());
        self.is_in_doubt = settled.is_err();
        if !matches!(settled, Ok(false)) {
            self.submitted = None;
        }
        if settled? {
            self.written(took, meter);
        }
        Ok(())
    }

    fn written(&mut self, took: Duration, meter: &Meter) {
        let mut tally = Tally::default();
        tally.count(self.piece.as_deref().map_or(&[], std::slice::from_ref));
        tally.report(meter, took);
        self.piece = None;
        self.untold.append(&mut self.noted);
        self.ended.extend(self.turns.acknowledged());
    }

    /// Gives the store the next piece, if it is not at one. All rows of the batches before must
    /// have been acknowledged: earlier events of the same line may be among them.
    ///
    /// # Errors
    /// What the store says: the next call tries again. And what is in the way of what the projector knows: then nothing
    /// of this is to be used again.
    pub(super) fn go_on<D: Domain>(
        &mut self,
        shared: &ProjectorShared<D>,
        partition: i32,
        projector: &mut dyn StagedProjector<D::Event>,
        kept: &mut Kept,
        meter: &Meter,
    ) -> Result<(), ProjectorFault> {
        if self.submitted.is_some() || self.turns.is_empty() {
            return Ok(());
        }
        let store = &*shared.store;
        let piece = match &self.piece {
            Some(piece) => piece,
            None => {
                let mut piece = self.turns.next(projector, kept);
                // what was made of something that could not be read is no row
                kept.take_fault().map_or(Ok(()), Err)?;
                if let Some(changes) = &shared.changes {
                    for (rows, offset) in piece.by_event() {
                        // those who follow such rows read the view's sources; what is told of them is of no trace
                        changes.note(rows, (partition, offset), None, &mut self.noted);
                    }
                }
                self.destination.redirect(&mut piece.rows);
                self.piece.insert(Arc::new(piece.rows))
            }
        };
        let now = Instant::now();
        if self.is_in_doubt {
            store.apply(piece)?;
            self.is_in_doubt = false;
            self.written(now.elapsed(), meter);
        } else {
            self.submitted = Some((store.submit(Arc::clone(piece))?, now));
        }
        Ok(())
    }

    /// What the pieces that the store has change, of which nobody has been told yet.
    pub(super) fn untold(&self) -> &[Noted] {
        &self.untold
    }

    /// They have been told.
    pub(super) fn told(&mut self) {
        self.untold.clear();
    }

    /// What says that causes have ended, to be written before anything is published or committed
    /// that lets nobody look at them again; call [`Background::said`] then.
    pub(super) fn to_say(&self, projection: &str, partition: i32) -> Vec<Write> {
        let ended = self.ended.iter();
        ended.map(|it| it.cause.ended(projection, partition, it.recorded_at)).collect()
    }

    /// It has been said.
    pub(super) fn said(&mut self) {
        self.ended.clear();
    }

    /// The offset of the oldest event that is not wholly written.
    pub(super) fn oldest(&self) -> i64 {
        self.turns.oldest().unwrap_or(i64::MAX)
    }
}
