//! When what a projector knows is written to its disk, and how the next one goes on with what was under way.

use millrace_kernel::Domain;
use millrace_ports::{LocalFault, TopicPartition};

use super::begin::Point;
use super::fault::ProjectorFault;
use super::lane::ProjectorShared;
use super::parked::Stored;
use super::running::{MOST_ROWS, Running};
use crate::planted::{self, Bug};

/// How often it is said that the disk refuses what is known: it is tried every few seconds.
const SAY_AGAIN_MICROS: i64 = 60_000_000;

impl<D: Domain> Running<D> {
    /// Writes what the projector knows, when that is due: all of it is as of one event, and the rows of that and all before
    /// are in the tables, or on disk with it.
    pub(super) fn keep(
        &mut self,
        shared: &ProjectorShared<D>,
        at: &TopicPartition,
        now: bool,
    ) -> Result<(), ProjectorFault> {
        let is_possible =
            self.unapplied.is_none() && self.background.is_settled() && self.background.untold().is_empty();
        if !is_possible || !(self.is_keeping_due(shared, at) || (now && self.has_news(at))) {
            return Ok(());
        }
        let time = shared.clock.now_micros();
        self.kept_at = time;
        match self.write(shared, at) {
            Err(ProjectorFault::Local(fault)) if !fault.is_lasting() => {
                self.say_refused(&fault, time, shared.settings.checkpoint_interval_ms);
                Ok(())
            }
            other => other,
        }
    }

    pub(super) fn is_keeping_due(&self, shared: &ProjectorShared<D>, at: &TopicPartition) -> bool {
        let settings = &shared.settings;
        let since = shared.clock.now_micros() - self.kept_at;
        // a clock that was set back must not keep it from being written
        let is_over = !(0..settings.checkpoint_interval_ms as i64 * 1_000).contains(&since);
        // while the disk refuses it, more of it does not make it be tried more often
        let is_much =
            self.kept.unwritten() >= settings.checkpoint_max_changes && self.refusal_said_at.is_none();
        self.has_news(at) && (is_over || is_much)
    }

    /// Whether there is something to be kept. What was kept goes up to the first event that is read.
    fn has_news(&self, at: &TopicPartition) -> bool {
        let is_news = self.position(at) > self.kept_upto || self.kept.unwritten() > 0;
        self.kept.is_on_disk() && self.proof.is_none() && self.newest.is_some() && is_news
    }

    pub(super) fn write(
        &mut self,
        shared: &ProjectorShared<D>,
        at: &TopicPartition,
    ) -> Result<(), ProjectorFault> {
        let position = self.position(at);
        let published = self.published.as_ref().map_or(0, |it| it.events_offset);
        let point = Point {
            revision: shared.revision.clone(),
            position,
            published: published.max(self.footing.applied()),
            newest: self.newest.clone(),
            progress: self.progress.clone(),
            open: self.open,
        };
        let point = serde_json::to_vec(&point).expect("numbers and texts are JSON");
        self.kept.write(&self.background.turns.changed(), &point)?;
        self.background.turns.kept();
        self.kept_upto = position;
        if self.refusal_said_at.take().is_some() {
            tracing::info!(projection = shared.projection, "what is known of {at} is written again");
        }
        Ok(())
    }

    /// Rows go on all the same: what is kept is there to begin sooner.
    fn say_refused(&mut self, fault: &LocalFault, now: i64, again_ms: u64) {
        if self.refusal_said_at.is_none_or(|at| !(0..SAY_AGAIN_MICROS).contains(&(now - at))) {
            self.refusal_said_at = Some(now);
            tracing::warn!(
                "{fault}; rows are written all the same, and it is tried again in {} s: until then what has changed stays in \
                 memory, and a restart reads more",
                again_ms / 1_000
            );
        }
    }

    /// Goes on with the events that were being written in turns, by their offsets. Those that the group knows to be in the
    /// tables another one has written meanwhile.
    pub(super) fn resume(
        &mut self,
        parked: Vec<(i64, Stored)>,
        views: &[&'static str],
    ) -> Result<(), LocalFault> {
        for (offset, stored) in parked {
            if offset < self.committed || planted::is_on(Bug::ParkedForgotten) {
                self.let_go(offset, &stored);
                continue;
            }
            if planted::is_on(Bug::FanOutResumedAhead) {
                for fan_out in stored.fan_outs() {
                    self.projector.fan_out(fan_out, 1, &mut self.kept, &mut Vec::new());
                }
            }
            let restored = stored.restore(offset, views).ok_or_else(|| LocalFault::Damaged {
                path: self.kept.path(),
                why: format!("the event at offset {offset} writes to tables of others"),
            })?;
            // somebody else may have gone on with it since
            let (_, recorded_at, parked) = &restored;
            let at = (offset, *recorded_at);
            self.places.go_on(at, &parked.stages, &mut *self.projector, &mut self.kept);
            self.background.turns.restore(restored);
        }
        self.kept.take_fault().map_or(Ok(()), Err)
    }

    /// Of an event whose rows another one has written nothing but its fan-outs is left, which end here.
    pub(super) fn let_go(&mut self, offset: i64, stored: &Stored) {
        let mut written = Vec::new();
        for fan_out in stored.fan_outs() {
            while self.projector.fan_out(fan_out, MOST_ROWS, &mut self.kept, &mut written) {
                written.clear();
            }
        }
        self.background.turns.forget(offset);
    }
}
