//! A partition's state from its compacted topic and its outcomes, before the first decision.

use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::{AggregateId, Domain, StateData, codes};
use millrace_ports::{Log, LogFault, Reader, Record, Start, TopicPartition};
use millrace_wire::{DecodeFailure, RegistryFault};
use thiserror::Error;

use super::codecs::Codecs;
use super::state::{PartitionState, Versioned};
use super::window::Window;
use crate::settings::ProcessorSettings;
use crate::topology::Topology;

/// Most records taken from the log at once while restoring.
const RESTORE_AT_ONCE: usize = 5_000;

/// Why a restore cannot go on.
#[derive(Debug, Error)]
pub enum RestoreFault {
    /// The log does not answer.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// The registry does not answer.
    #[error(transparent)]
    Registry(#[from] RegistryFault),
    /// A record of our own topic cannot be read; deciding without it could be wrong.
    #[error("{at} offset {offset} cannot be read: {why}; nothing is decided in this partition until it can")]
    Unreadable {
        /// Where it stands.
        at: TopicPartition,
        /// Its offset.
        offset: i64,
        /// What is wrong with it.
        why: String,
    },
}

enum Source {
    State,
    Outcomes,
}

/// A restore under way. It ends at the high watermark that stood when it began: markers of
/// transactions and all.
pub struct Restore<D: Domain> {
    state: PartitionState<D::State>,
    source: Source,
    at: TopicPartition,
    target: i64,
    reader: Box<dyn Reader>,
    records: u64,
}

impl<D: Domain> Restore<D> {
    /// Begins with the compacted states of `partition`. The predecessor must be fenced off.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn start(
        log: &dyn Log,
        names: &Topology,
        partition: i32,
        settings: &ProcessorSettings,
    ) -> Result<Self, LogFault> {
        let at = TopicPartition::new(Arc::clone(&names.state), partition);
        let target = log.high_watermark(&at)?;
        let reader = log.reader(&[(at.clone(), Start::Beginning)])?;
        let window = Window::new(settings.dedup_window_seconds, settings.dedup_window_ids);
        Ok(Self { state: PartitionState::new(window), source: Source::State, at, target, reader, records: 0 })
    }

    /// Reads on, waiting up to `wait`; the state once it is whole.
    ///
    /// # Errors
    /// [`RestoreFault`].
    pub fn turn(
        &mut self,
        log: &dyn Log,
        names: &Topology,
        codecs: &Codecs<D>,
        settings: &ProcessorSettings,
        wait: Duration,
    ) -> Result<Option<PartitionState<D::State>>, RestoreFault> {
        if self.reader.position(&self.at) < self.target {
            let records = self.reader.poll(RESTORE_AT_ONCE, wait)?;
            self.records += records.len() as u64;
            for record in &records {
                match self.source {
                    Source::State => self.take_state(codecs, record)?,
                    Source::Outcomes => self.take_outcome(codecs, record)?,
                }
            }
            return Ok(None);
        }
        match self.source {
            Source::State => {
                self.begin_outcomes(log, names, settings)?;
                Ok(None)
            }
            Source::Outcomes => {
                let window = Window::new(0, 0);
                Ok(Some(std::mem::replace(&mut self.state, PartitionState::new(window))))
            }
        }
    }

    /// How many records were read so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The window reaches back from the newest `recorded_at`. The states know one that is
    /// no newer than that, so what is read is at least the window.
    fn begin_outcomes(
        &mut self,
        log: &dyn Log,
        names: &Topology,
        settings: &ProcessorSettings,
    ) -> Result<(), LogFault> {
        self.at = TopicPartition::new(Arc::clone(&names.outcomes), self.at.partition);
        self.target = log.high_watermark(&self.at)?;
        let since_ms = self.state.last_recorded_at / 1_000 - settings.dedup_window_seconds as i64 * 1_000;
        let start = log.offset_at(&self.at, since_ms.max(0))?;
        self.reader = log.reader(&[(self.at.clone(), Start::Offset(start))])?;
        self.source = Source::Outcomes;
        Ok(())
    }

    fn take_state(&mut self, codecs: &Codecs<D>, record: &Record) -> Result<(), RestoreFault> {
        let Some(id) =
            record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()).and_then(AggregateId::parse)
        else {
            return Err(self.unreadable(record, "its key is no aggregate id".to_owned()));
        };
        let Some(value) = record.value.as_deref() else {
            self.state.set(id, None);
            return Ok(());
        };
        let (_, version, recorded_at, state) = match codecs.state.decode(value) {
            Ok(decoded) => D::State::from_record(decoded),
            Err(failure) => return Err(self.failure(record, failure)),
        };
        self.state.last_recorded_at = self.state.last_recorded_at.max(recorded_at);
        self.state.set(id, Some(Versioned { version, recorded_at, state: state.map(Arc::new) }));
        Ok(())
    }

    fn take_outcome(&mut self, codecs: &Codecs<D>, record: &Record) -> Result<(), RestoreFault> {
        let Some(value) = record.value.as_ref() else { return Ok(()) };
        let outcome = codecs.outcomes.decode(value).map_err(|failure| self.failure(record, failure))?;
        self.state.last_recorded_at = self.state.last_recorded_at.max(outcome.recorded_at);
        let is_misrouted = outcome.violations.iter().any(|violation| violation.code == codes::MISROUTED);
        if !outcome.duplicate && !is_misrouted {
            self.state.window.remember(outcome.command_id.into(), outcome.recorded_at, value.clone());
        }
        Ok(())
    }

    fn failure(&self, record: &Record, failure: DecodeFailure) -> RestoreFault {
        match failure {
            DecodeFailure::Registry(fault) => RestoreFault::Registry(fault),
            other => self.unreadable(record, other.to_string()),
        }
    }

    fn unreadable(&self, record: &Record, why: String) -> RestoreFault {
        RestoreFault::Unreadable { at: self.at.clone(), offset: record.offset, why }
    }
}
