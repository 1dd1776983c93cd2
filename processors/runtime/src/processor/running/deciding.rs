//! What was read, decided into the next batch.

use std::sync::Arc;

use millrace_kernel::Domain;
use millrace_ports::TopicPartition;

use super::again::decide_carefully;
use super::{Running, place};
use crate::dead::Burial;
use crate::planted::{self, Bug};
use crate::processor::clock_watch::ClockWatch;
use crate::processor::decide::{Decider, Verdict};
use crate::processor::intake::Intake;
use crate::processor::lane::{LaneFault, Shared};
use crate::processor::lookup::LookupPartition;
use crate::processor::reading::{ask_for_schemas, read_ahead};
use crate::processor::repeats;
use crate::processor::schema_wait::Look;
use crate::processor::state::Layers;

impl<D: Domain> Running<D> {
    /// Begins a batch with answers that are due, in half of its room: so those who wait for them and those who send
    /// get on side by side.
    pub(super) fn answer_repeats(&mut self, shared: &Shared<D>) -> Result<bool, LaneFault> {
        if self.committed.kept().repeats == 0 || !self.batch.is_empty() {
            return Ok(false);
        }
        let place = place(shared, &self.names, self.partition);
        let layers = (&self.committed, self.pending.as_ref());
        let most = (self.pace.most() / 2).max(1);
        let given = repeats::answer(&mut self.batch, &shared.codecs, &place, layers, most)?;
        self.meter.repeated(given);
        Ok(given > 0)
    }

    /// Begins a batch with which secrets the keys of pseudonyms have, where that is not known yet: whoever comes with
    /// others will see it, also when nothing was claimed in this partition so far.
    pub(super) fn note_keys(&mut self, shared: &Shared<D>) -> bool {
        if self.are_keys_noted || !self.batch.is_empty() {
            return false;
        }
        let place = place(shared, &self.names, self.partition);
        let layers = Layers {
            committed: &self.committed,
            pending: self.pending.as_ref(),
            current: &self.batch.overlay,
        };
        let news = shared.pseudonyms.unknown::<D>(&layers);
        let recorded_at = place.clock_micros.max(layers.last_recorded_at() + 1);
        // only what is committed is known for good
        self.are_keys_noted = news.is_empty() && self.pending.is_none();
        let is_news = !news.is_empty();
        for (id, check) in news {
            self.batch.note(id, check, recorded_at);
        }
        is_news
    }

    /// Decides what was read, until a lookup is behind or the batch is full.
    pub(super) fn decide_held(&mut self, shared: &Shared<D>, watch: &ClockWatch) -> Result<bool, LaneFault> {
        if let Some(ahead_ms) = watch.too_far_ahead(&*shared.clock) {
            return Err(LaneFault::Clock { ahead_ms });
        }
        if self.held.is_empty() {
            return Ok(false);
        }
        self.meter.begin();
        let place = place(shared, &self.names, self.partition);
        let mut progress = false;
        while !self.batch.is_full(self.pace.most()) {
            if self.ahead.is_empty() {
                read_ahead(shared, &self.held, &self.gaps, &mut self.ahead, &self.committed);
            }
            let (Some((number, record)), Some(intake)) = (self.held.front(), self.ahead.front()) else {
                break;
            };
            if let Intake::NotYet { schema, .. } = intake {
                let age = shared.clock.now_micros() / 1_000 - record.timestamp_ms;
                match self.schemas.look(*schema, age, shared.clock.monotonic_micros()) {
                    Look::Ask => {
                        let asked = ask_for_schemas(shared, &self.held, &mut self.schemas);
                        if let Err(fault) = asked {
                            let at = TopicPartition::new(Arc::clone(&record.topic), record.partition);
                            self.unanswered = Some(LaneFault::Schema { at, offset: record.offset, fault });
                            break;
                        }
                        // some of them can be read now
                        self.ahead.clear();
                        continue;
                    }
                    Look::Wait => break,
                    Look::Final => {}
                }
            }
            if matches!(intake, Intake::Step(_))
                && place.says_keys.is_some()
                && let Err(fault) = shared.pseudonyms.agree(self.partition, record)
            {
                self.unanswered = Some(fault.into());
                break;
            }
            let number = *number;
            let layers = Layers {
                committed: &self.committed,
                pending: self.pending.as_ref(),
                current: &self.batch.overlay,
            };
            let is_covered = |at: LookupPartition| {
                self.covered.get(&at).is_some_and(|upto| number <= *upto)
                    || planted::is_on(Bug::LookupBarrierSkipped)
            };
            let mut decider = Decider {
                place: &place,
                layers: &layers,
                lookups: &shared.lookups,
                pseudonyms: &shared.pseudonyms,
                is_covered: &is_covered,
                unwritable: None,
                put_back: None,
            };
            let proven = match decider.needs_proof(record) {
                false => None,
                true if self.claims.knows(number) => {
                    let parked = decider.parked(record).map(|(_, parked)| parked);
                    self.claims.prove(record, intake, parked.as_ref())
                }
                true => {
                    // as with lookups, never while a transaction of ours is open
                    if self.pending.is_none() {
                        self.claims.ask(shared, self.partition, self.polled)?;
                    }
                    break;
                }
            };
            decider.put_back = proven.as_ref();
            let verdict = match self.is_careful(record) {
                true => decide_carefully(shared, decider, intake, record)?,
                false => decider.take(intake, record),
            };
            match verdict {
                Verdict::Behind(missed) => {
                    self.ask_barrier(shared, &missed)?;
                    break;
                }
                Verdict::Decided(decided) => {
                    let (Some((_, mut record)), Some(intake)) =
                        (self.held.pop_front(), self.ahead.pop_front())
                    else {
                        break;
                    };
                    if proven.is_some() {
                        self.claims.came(&record, decided.dead.as_ref().and_then(|burial| burial.line));
                    }
                    self.meter.decided(&intake, &mut record, &decided);
                    if let Some(Burial { reason, .. }) = &decided.dead {
                        tracing::warn!(
                            topic = %record.topic, partition = record.partition, offset = record.offset, reason,
                            "record goes to the dead topic, and the partition goes on; see `millrace dead list`"
                        );
                    }
                    if let Intake::Gap(_) = intake {
                        self.gaps.remove(&record.offset);
                    }
                    if self.schemas.is_waiting() {
                        self.schemas.end(shared.clock.monotonic_micros());
                    }
                    match self.batch.add(&shared.codecs, &place, &record, *decided) {
                        Ok(()) => progress = true,
                        Err(why) if why.is_unwritable() && !self.is_careful(&record) => {
                            let mut upto = self.batch.reached().to_vec();
                            upto.retain(|(topic, _)| *topic != record.topic);
                            upto.push((Arc::clone(&record.topic), record.offset + 1));
                            self.take_care(shared, upto, &why)?;
                            return Ok(true);
                        }
                        Err(why) => return Err(why.into()),
                    }
                }
            }
        }
        self.meter.pause();
        Ok(progress)
    }
}
