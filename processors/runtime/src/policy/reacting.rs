//! One event of another domain, and the steps that follow from it.

use bytes::Bytes;
use millrace_kernel::id::step_id;
use millrace_kernel::{Addressed, Domain, Heard, Metadata, Named, Step, StepSource, partition};
use millrace_ports::log::MAX_RECORD_BYTES;
use millrace_ports::{Outgoing, Record, TopicPartition};
use millrace_wire::DecodeFailure;

use super::{PolicyFault, PolicyShared};
use crate::planted::{self, Bug};
use crate::processor::decide::guarded;

/// The header that ties what follows to the trace of what asked for it.
const TRACE: &str = "traceparent";

impl<D: Domain> PolicyShared<D> {
    /// The records of the steps that follow from an event; none where it is of a type that nobody reads.
    pub(super) fn react(&self, record: &Record) -> Result<Vec<Outgoing>, PolicyFault> {
        let at = || TopicPartition::new(record.topic.clone(), record.partition);
        let unreadable = |why: String| PolicyFault::Unreadable { at: at(), offset: record.offset, why };
        let value = record.value.as_deref().ok_or_else(|| unreadable("it has no value".to_owned()))?;
        let heard = match self.reading.read(value, |input| self.policy.read(input)) {
            Ok(heard) => heard,
            Err(DecodeFailure::UnknownType(unknown)) if planted::is_on(Bug::UnknownEventStopsPolicy) => {
                return Err(unreadable(unknown.reason));
            }
            Err(DecodeFailure::UnknownType(_)) => return Ok(Vec::new()),
            Err(DecodeFailure::Registry(fault)) => return Err(fault.into()),
            Err(other) => return Err(unreadable(other.to_string())),
        };
        if self.policy.since.is_some_and(|since| heard.recorded_at < since) {
            return Ok(Vec::new());
        }
        let failed = |why: String| PolicyFault::Failed { at: at(), offset: record.offset, why };
        let steps = steps_of::<D>(self.policy.domain, heard, record.partition).map_err(failed)?;
        let trace: Vec<_> = record.headers.iter().filter(|(name, _)| name == TRACE).cloned().collect();
        let mut records = Vec::with_capacity(steps.len());
        for step in steps {
            let key = step.data.aggregate_id().routing_key().to_owned();
            let outgoing = Outgoing {
                topic: self.names.steps.clone(),
                partition: partition::of_key(key.as_bytes(), self.partitions),
                key: Some(Bytes::from(key)),
                value: Some(self.steps.encode(&step)),
                // when it was written, not when the event was: by this it is told how long a decided step is kept
                timestamp_ms: self.clock.now_micros() / 1_000,
                headers: trace.clone(),
            };
            if outgoing.size_bytes() > MAX_RECORD_BYTES {
                let bytes = outgoing.size_bytes();
                return Err(failed(format!(
                    "{} comes to {bytes} bytes, more than a record may",
                    step.data.name()
                )));
            }
            records.push(outgoing);
        }
        Ok(records)
    }
}

/// The steps that follow from an event of `partition` of the domain `of`, numbered by the event: it has one time in its
/// partition, whoever reads it and however often.
///
/// # Errors
/// Why that cannot be said: a bug in the reaction.
pub fn steps_of<D: Domain>(
    of: &str,
    heard: Heard<D::Step>,
    partition: i32,
) -> Result<Vec<Step<D::Step>>, String> {
    let (id, recorded_at) = (heard.id.clone(), heard.recorded_at);
    let metadata = Metadata {
        causation_id: Some(id.clone()),
        issued_at: Some(recorded_at),
        expected_version: None,
        ..heard.metadata.clone()
    };
    let steps = guarded(|| heard.react()).map_err(|failed| failed.0)?;
    if steps.len() > StepSource::MAX_STEPS {
        return Err(format!("one event asks for {} steps, more than {}", steps.len(), StepSource::MAX_STEPS));
    }
    let numbered = steps.into_iter().enumerate().map(|(index, data)| {
        let name = format!("{}/{}/{}/{index}", D::NAME, data.name(), data.aggregate_id());
        let source =
            StepSource { domain: Some(of.into()), ..StepSource::after(partition, recorded_at, index) };
        Step { id: step_id(&id, &name), metadata: metadata.clone(), source, process: None, data }
    });
    Ok(numbered.collect())
}
