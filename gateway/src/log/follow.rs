//! The one reader of a domain's outcomes: from their end, all partitions, each outcome decoded only if somebody waits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_ports::{LogFault, Reader, Record, Start, TopicPartition};
use millrace_runtime::health::{LaneState, Pulse, ROLE_ITSELF};
use millrace_runtime::metrics::OutcomeMeter;
use millrace_runtime::{Health, Stop};
use millrace_wire::DecodeFailure;

use super::channel::{Away, Channel, Line};
use crate::ports::Trouble;

/// How many outcomes are taken at once.
const MOST: usize = 10_000;
/// How long the reader waits before it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);
/// How soon is looked again for a log that was away.
const AGAIN: Duration = Duration::from_millis(500);
/// How often a schema is asked for that the registry does not know yet.
const ASK_TIMES: usize = 20;

/// What goes on while the log is away.
const MEANWHILE: &str = "commands of this domain are answered with 503 until it is back, which is looked for all the time; queries go on";

/// Where the follower says how it is.
struct Report<'a> {
    health: &'a Health,
    role: &'a str,
    pulse: Pulse,
    meter: &'a OutcomeMeter,
}

impl Report<'_> {
    fn works(&self) {
        self.health.set(self.role, ROLE_ITSELF, LaneState::Running, "answers commands");
    }

    fn is_away(&self, why: &str) {
        self.health.impair(self.role, ROLE_ITSELF, why, MEANWHILE);
    }
}

impl Channel {
    /// Follows the outcomes until `stop`, and says at `health` how that goes.
    pub(crate) fn follow(&self, health: &Health, stop: &Stop) {
        let role = format!("{}.gateway", self.description.name);
        let meter = health.metrics().gateway().outcomes(self.description.name);
        health.set(&role, ROLE_ITSELF, LaneState::Starting, "looking for its topics and schemas");
        while !stop.is_requested() {
            match self.connect() {
                Ok((line, reader)) => {
                    let pulse = health.pulse(&role, ROLE_ITSELF);
                    let report = Report { health, role: &role, pulse, meter: &meter };
                    self.read(&line, reader, &report, stop);
                }
                Err(Trouble(why)) => {
                    health.impair(&role, ROLE_ITSELF, &why, MEANWHILE);
                    self.set(Err(Away(why)));
                    stop.wait(AGAIN);
                }
            }
        }
        self.set(Err(Away("this gateway is ending".to_owned())));
    }

    fn connect(&self) -> Result<(Arc<Line>, Box<dyn Reader>), Trouble> {
        let trouble = |fault: LogFault| Trouble(fault.to_string());
        let topology = &self.description.topology;
        let partitions = self.log.partitions(&topology.commands).map_err(trouble)?;
        let (encoder, outcomes) = (self.link.encoder()?, self.link.outcomes()?);
        let (mut from, mut ends) = (Vec::new(), Vec::new());
        for partition in 0..partitions {
            let at = TopicPartition::new(Arc::clone(&topology.outcomes), partition);
            let end = self.log.high_watermark(&at).map_err(trouble)?;
            ends.push(end);
            from.push((at, Start::Offset(end)));
        }
        let reader = self.log.reader(&from).map_err(trouble)?;
        Ok((Arc::new(Line::new(encoder, outcomes, &ends)), reader))
    }

    /// Reads until `stop`, or until the reader has to be made anew.
    fn read(&self, line: &Arc<Line>, mut reader: Box<dyn Reader>, report: &Report<'_>, stop: &Stop) {
        self.set(Ok(Arc::clone(line)));
        report.works();
        while !stop.is_requested() {
            report.pulse.beat();
            let fault = match reader.poll(MOST, LOOK) {
                Ok(records) => {
                    self.tell(line, &records, report.meter, stop);
                    match self.take_suspicion() {
                        false => continue,
                        true => match self.probe() {
                            Ok(()) => continue,
                            Err(fault) => fault,
                        },
                    }
                }
                Err(LogFault::Undecodable { partition, offset, message }) => {
                    tracing::error!(%partition, offset, "a batch of outcomes is passed over: {message}");
                    let end = self.log.batch_end(&partition, offset);
                    match end.and_then(|end| reader.seek(&partition, end)) {
                        Ok(()) => continue,
                        Err(fault) => fault,
                    }
                }
                Err(fault @ LogFault::Unavailable { .. }) => fault,
                Err(fault) => {
                    tracing::warn!("the outcomes are read anew from their end: {fault}");
                    return;
                }
            };
            report.is_away(&fault.to_string());
            self.set(Err(Away(fault.to_string())));
            while self.probe().is_err() {
                report.pulse.beat();
                if stop.wait(AGAIN) {
                    return;
                }
            }
            self.set(Ok(Arc::clone(line)));
            report.works();
        }
    }

    /// Asks the log something that it knows if it is there.
    fn probe(&self) -> Result<(), LogFault> {
        let at = TopicPartition::new(Arc::clone(&self.description.topology.outcomes), 0);
        self.log.high_watermark(&at).map(drop)
    }

    fn tell(&self, line: &Line, records: &[Record], meter: &OutcomeMeter, stop: &Stop) {
        // before it is asked who waits: whoever is not among them yet finds these records by a search, which goes up to here
        let reached: BTreeMap<i32, i64> = records.iter().map(|it| (it.partition, it.offset + 1)).collect();
        reached.into_iter().for_each(|(partition, offset)| line.advance(partition, offset));
        // most outcomes are other gateways', or of commands that came by Kafka: their keys say so
        let ids = records.iter().map(|it| (it.partition, it.key.as_deref().unwrap_or_default()));
        let wanted = self.waiting.wanted(ids);
        let mut told = 0;
        for (record, _) in records.iter().zip(wanted).filter(|(_, is_wanted)| *is_wanted) {
            if let Some(outcome) = self.outcome(line, record, stop) {
                self.waiting.tell(record.partition, outcome);
                told += 1;
            }
        }
        meter.read(records.len() as u64, told, self.waiting.count() as u64);
    }

    /// The outcome in a record; none where it cannot be read, which is said in the log.
    pub(super) fn outcome(
        &self,
        line: &Line,
        record: &Record,
        stop: &Stop,
    ) -> Option<millrace_kernel::Outcome> {
        let value = record.value.as_deref()?;
        for _ in 0..ASK_TIMES {
            match line.outcomes.decode_fresh(value) {
                Ok(outcome) => return Some(outcome),
                // a processor of a newer build may have registered a moment ago what it writes by
                Err(DecodeFailure::Registry(_) | DecodeFailure::NotYet { .. }) if !stop.wait(LOOK) => {}
                Err(failure) => {
                    let Record { topic, partition, offset, .. } = record;
                    tracing::error!(%topic, partition, offset, "an outcome cannot be read: {failure}");
                    return None;
                }
            }
        }
        None
    }
}
