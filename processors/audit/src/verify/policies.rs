//! Policies: what follows from another domain's events was written, all of it and nothing else.
//!
//! That it was taken once is seen by the events: those of a step that was decided twice would have the same ids.

use std::collections::BTreeMap;

use millrace_kernel::bookkeeping::{Bookkeeping, inbox};
use millrace_kernel::{Addressed, Domain, Named, Policy, StateData, Step, StepSource, partition};
use millrace_ports::{Record, TopicPartition};
use millrace_runtime::Topology;
use millrace_runtime::policy::steps_of;
use millrace_wire::{DecodeFailure, Reading};

use super::Scene;
use super::image::text;
use super::states::Remembered;
use crate::book::Book;
use crate::difference::{Check, Difference, EventPlace, Kind};
use crate::fault::AuditFault;
use crate::reading::{between, decode};
use crate::shelf::spoilt;

/// Up to which number the steps of other domains' events were taken, by partition and inbox.
pub(super) type Taken = BTreeMap<(i32, String), i64>;

/// Behind every difference: a reaction that was changed since looks like one that was left out.
const UNLESS: &str = "unless the policy was another one then";

/// How a written step is found again: by its source.
fn key_of(source: &StepSource) -> Vec<u8> {
    let mut key = source.partition.to_be_bytes().to_vec();
    key.extend(source.sequence.to_be_bytes());
    key
}

fn source_of(key: &[u8]) -> Result<(i32, i64), AuditFault> {
    let cut_off = || spoilt("a step", "its key is cut off");
    let (partition, sequence) = key.split_first_chunk().ok_or_else(cut_off)?;
    let sequence = sequence.try_into().map_err(|_| cut_off())?;
    Ok((i32::from_be_bytes(*partition), i64::from_be_bytes(sequence)))
}

/// Where a written step stands, and its id.
fn written(record: &Record, id: &str) -> Vec<u8> {
    let mut bytes = record.partition.to_le_bytes().to_vec();
    bytes.extend(record.offset.to_le_bytes());
    bytes.extend(id.as_bytes());
    bytes
}

fn stands(bytes: &[u8]) -> Result<(i32, i64, String), AuditFault> {
    let cut_off = || spoilt("a step", "it is cut off");
    let (partition, rest) = bytes.split_first_chunk().ok_or_else(cut_off)?;
    let (offset, id) = rest.split_first_chunk().ok_or_else(cut_off)?;
    Ok((i32::from_le_bytes(*partition), i64::from_le_bytes(*offset), text(id).into_owned()))
}

impl<'a, D: Domain> Scene<'a, D> {
    /// Notes up to where a partition has taken the steps of other domains' events.
    pub(super) fn note_taken(&mut self, partition: i32, remembered: &Remembered<D::State>) {
        for (id, stated) in &remembered.newest {
            if let Some(Bookkeeping::Inbox(inbox)) = stated.state.as_ref().and_then(StateData::as_bookkeeping)
            {
                self.taken.insert((partition, id.to_string()), inbox.sequence);
            }
        }
    }

    /// Checks every policy of the domain, after all partitions.
    pub(super) fn policies(&mut self) -> Result<(), AuditFault> {
        D::policies().iter().try_for_each(|policy| self.policy(policy))
    }

    fn policy(&mut self, policy: &Policy<D::Step>) -> Result<(), AuditFault> {
        let (log, watcher) = (self.audit.log, self.audit.watcher);
        let events = self.names.events_elsewhere(policy.domain);
        let places: Vec<_> = (0..log.partitions(&events)?).map(|number| self.at(&events, number)).collect();
        // first how far it has come: what follows from all before was written by then
        let reacted = (self.audit.committed)(&self.names.policy_group(policy.domain), &places)?;
        let mut steps = self.written_steps(policy.domain)?;
        let subject = Topology::subject(&events);
        let reading = Reading::new(std::sync::Arc::clone(self.audit.registry), &subject, policy.schema)?;
        let mut newest = BTreeMap::new();
        for at in &places {
            let Some(upto) = reacted.get(at) else { continue };
            watcher.stage(&format!("reacting to {at}"), upto.unsigned_abs());
            between(log, at, (0, *upto), watcher, &mut |record| {
                let last = self.reaction(policy, &reading, record, &mut steps)?;
                newest.extend(last.map(|sequence| (at.partition, sequence)));
                Ok(())
            })?;
        }
        self.surplus_steps(policy.domain, &newest, steps)
    }

    /// The steps that stand in the topic for events of the domain `of`, the first of each.
    fn written_steps(&self, of: &str) -> Result<Book<'a>, AuditFault> {
        let (log, watcher) = (self.audit.log, self.audit.watcher);
        let mut found = Book::new(self.audit.shelf);
        let Some(codec) = &self.codecs.steps else { return Ok(found) };
        for number in 0..self.partitions {
            let at = self.at(&self.names.steps, number);
            let end = log.high_watermark(&at)?;
            watcher.stage(&format!("reading {at}"), (end - log.low_watermark(&at)?).unsigned_abs());
            between(log, &at, (0, end), watcher, &mut |record| {
                let Ok(step) = decode(codec, record)? else { return Ok(()) };
                let key = key_of(&step.source);
                if step.source.domain.as_deref() == Some(of) && found.get(&key)?.is_none() {
                    found.put(&key, written(record, &step.id))?;
                }
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// Looks for what follows from an event, and takes it out of `steps`; the greatest number that the event may give.
    fn reaction(
        &mut self,
        policy: &Policy<D::Step>,
        reading: &Reading,
        record: &Record,
        steps: &mut Book<'a>,
    ) -> Result<Option<i64>, AuditFault> {
        let at = || TopicPartition::new(std::sync::Arc::clone(&record.topic), record.partition);
        let unreadable = |why: String| AuditFault::Unreadable { at: at(), offset: record.offset, why };
        let value = record.value.as_deref().unwrap_or_default();
        let heard = match reading.read(value, |input| policy.read(input)) {
            Ok(heard) => heard,
            Err(DecodeFailure::UnknownType(_)) => return Ok(None),
            Err(DecodeFailure::Registry(fault)) => return Err(fault.into()),
            Err(other) => return Err(unreadable(other.to_string())),
        };
        if policy.since.is_some_and(|since| heard.recorded_at < since) {
            return Ok(None);
        }
        self.checked.reactions += 1;
        let last = StepSource::after(record.partition, heard.recorded_at, StepSource::MAX_STEPS - 1).sequence;
        let event = EventPlace {
            topic: record.topic.to_string(),
            partition: record.partition,
            offset: record.offset,
        };
        for step in steps_of::<D>(policy.domain, heard, record.partition).map_err(unreadable)? {
            let key = key_of(&step.source);
            let found = steps.get(&key)?.map(stands).transpose()?;
            steps.remove(&key)?;
            let home = partition::of_key(step.data.aggregate_id().routing_key().as_bytes(), self.partitions);
            self.compare_step(&step, home, found, &event)?;
        }
        Ok(Some(last))
    }

    fn compare_step(
        &self,
        step: &Step<D::Step>,
        home: i32,
        found: Option<(i32, i64, String)>,
        event: &EventPlace,
    ) -> Result<(), AuditFault> {
        let topic = self.names.steps.to_string();
        let (name, target) = (step.data.name(), step.data.aggregate_id());
        let (kind, message) = match &found {
            Some((partition, _, id)) if *partition == home && *id == *step.id => return Ok(()),
            Some(_) => (
                Kind::Different,
                format!("another step than {name} to {target} follows from this event, {UNLESS}"),
            ),
            None if self.may_be_trimmed(step, home)? => return Ok(()),
            None => (Kind::Missing, format!("{name} to {target} should follow from this event, {UNLESS}")),
        };
        let mut difference = self.difference(Check::Policies, kind, &topic, &step.id, message);
        difference.events.push(event.clone());
        let stood = found.map(|(partition, offset, _)| EventPlace { topic, partition, offset });
        difference.events.extend(stood);
        self.findings.add(difference);
        Ok(())
    }

    /// Whether a step that does not stand there was taken and then deleted, as those are that were decided long ago.
    fn may_be_trimmed(&self, step: &Step<D::Step>, home: i32) -> Result<bool, AuditFault> {
        let taken = self.taken.get(&(home, inbox(&step.source).as_str().to_owned()));
        let begins_at = self.audit.log.low_watermark(&self.at(&self.names.steps, home))?;
        Ok(begins_at > 0 && taken.is_some_and(|newest| step.source.sequence <= *newest))
    }

    /// What is left follows from no event before the last that was read.
    fn surplus_steps(
        &self,
        of: &str,
        newest: &BTreeMap<i32, i64>,
        mut steps: Book<'a>,
    ) -> Result<(), AuditFault> {
        let topic = self.names.steps.to_string();
        let mut cursor = steps.cursor()?;
        loop {
            let page = steps.page(&mut cursor)?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, step) in page {
                let (source, sequence) = source_of(&key)?;
                if newest.get(&source).is_none_or(|last| sequence > *last) {
                    continue;
                }
                let (partition, offset, id) = stands(&step)?;
                let message = format!("no event of {of}[{source}] asks for this step, {UNLESS}");
                let difference = self.difference(Check::Policies, Kind::Surplus, &topic, &id, message);
                let events = vec![EventPlace { topic: topic.clone(), partition, offset }];
                self.findings.add(Difference { events, ..difference });
            }
        }
    }
}
