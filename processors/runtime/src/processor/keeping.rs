//! When the checkpoints of a partition are taken, and what becomes of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_ports::{LocalFault, LocalStore};

use super::checkpoint::{Frozen, Writer};
use crate::settings::ProcessorSettings;

/// Changes of so many bytes are written before their number or the time asks for it: they are in memory
/// twice, as others come while these are written.
const MOST_BYTES: usize = 48 << 20;

/// How often it is said that the disk refuses checkpoints: each partition tries every few seconds.
const SAY_AGAIN_MICROS: i64 = 60_000_000;

/// What has changed since the last checkpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changed {
    /// Aggregates and answers.
    pub(super) count: usize,
    /// What they take in memory.
    pub(super) bytes: usize,
}

/// Keeps a partition's store up to date.
pub(super) struct Keeping {
    path: PathBuf,
    writer: Writer,
    stage: Stage,
    interval_micros: i64,
    max_changes: usize,
    /// A store that is not touched grows old, though nothing has changed.
    refresh_micros: i64,
    last_taken_at: i64,
    /// When it was said last that the disk refuses checkpoints; nothing since it has taken one.
    said_at: Option<i64>,
}

enum Stage {
    Idle,
    /// Set apart, and not to be written yet.
    Frozen(Arc<Frozen>),
    Writing(Arc<Frozen>),
    /// Refused for now; tried again at this time.
    Refused(Arc<Frozen>, i64),
}

impl Keeping {
    pub(super) fn new(
        store: Arc<dyn LocalStore>,
        is_stepwise: bool,
        settings: &ProcessorSettings,
        last_taken_at: i64,
    ) -> Self {
        Self {
            path: store.path(),
            writer: Writer::new(store, is_stepwise),
            stage: Stage::Idle,
            interval_micros: micros(settings.checkpoint_interval_ms, 1_000),
            max_changes: settings.checkpoint_max_changes,
            refresh_micros: micros(settings.state_max_age_seconds, 1_000_000) / 24,
            last_taken_at,
            said_at: None,
        }
    }

    /// What is set apart or being written: the store does not have it yet.
    pub(super) fn writing(&self) -> Option<&Frozen> {
        match &self.stage {
            Stage::Idle => None,
            Stage::Frozen(frozen) | Stage::Writing(frozen) | Stage::Refused(frozen, _) => Some(frozen),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_due(&self, changed: Changed, now: i64) -> bool {
        let since = now - self.last_taken_at;
        // a clock that was set back must not keep the store from being written
        let is_over = |limit: i64| !(0..limit).contains(&since);
        matches!(self.stage, Stage::Idle)
            && (changed.count >= self.max_changes
                || changed.bytes >= MOST_BYTES
                || (changed.count > 0 && is_over(self.interval_micros))
                || is_over(self.refresh_micros))
    }

    /// Sets a checkpoint apart, now.
    pub(super) fn freeze(&mut self, frozen: Frozen, now: i64) {
        self.last_taken_at = now;
        self.stage = Stage::Frozen(Arc::new(frozen));
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Idle)
    }

    pub(super) fn write(&mut self) {
        let stage = std::mem::replace(&mut self.stage, Stage::Idle);
        self.stage = match stage {
            Stage::Frozen(frozen) | Stage::Refused(frozen, _) => {
                self.writer.begin(Arc::clone(&frozen));
                Stage::Writing(frozen)
            }
            other => other,
        };
    }

    /// Looks after the write under way; what was frozen, once it is written.
    pub(super) fn tend(&mut self, now: i64) -> Result<Option<Frozen>, LocalFault> {
        match &self.stage {
            Stage::Idle | Stage::Frozen(_) => return Ok(None),
            Stage::Refused(_, at) if now < *at => return Ok(None),
            Stage::Refused(..) => {
                self.write();
                return Ok(None);
            }
            Stage::Writing(_) => {}
        }
        let Some(written) = self.writer.end() else { return Ok(None) };
        let Stage::Writing(frozen) = std::mem::replace(&mut self.stage, Stage::Idle) else { return Ok(None) };
        match written {
            Ok(()) => {
                if self.said_at.take().is_some() {
                    tracing::info!("{}: checkpoints are taken again", self.path.display());
                }
                Ok(Arc::into_inner(frozen))
            }
            Err(fault) if fault.is_lasting() => Err(fault),
            Err(fault) => {
                let is_said = self.said_at.is_some_and(|at| (0..SAY_AGAIN_MICROS).contains(&(now - at)));
                if !is_said {
                    self.said_at = Some(now);
                    tracing::warn!(
                        "{fault}; commands are decided all the same, and the checkpoint is tried again in {} s: until then a restart reads more, and what has changed stays in memory",
                        self.interval_micros / 1_000_000
                    );
                }
                self.stage = Stage::Refused(frozen, now + self.interval_micros);
                Ok(None)
            }
        }
    }
}

fn micros(count: u64, unit: u64) -> i64 {
    i64::try_from(count.saturating_mul(unit)).unwrap_or(i64::MAX)
}
