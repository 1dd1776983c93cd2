//! An outcome that was not waited for, looked for where it may stand.

use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::{Outcome, Text};
use millrace_ports::{LogFault, Start, TopicPartition};
use millrace_runtime::Stop;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::channel::{Away, Channel, Line};
use super::submit::drained;
use crate::token::At;

/// How many outcomes are taken at once.
const MOST: usize = 10_000;
/// How long one look into the log may take.
const LOOK: Duration = Duration::from_millis(100);
/// So many look into the log of a domain at once; each has a connection of its own meanwhile.
pub(super) const SEARCHERS: usize = 8;

/// What was found.
pub(crate) enum Searched {
    /// The outcome.
    Found(Arc<Outcome>),
    /// None, in the time there was.
    Nothing,
    /// No such partition.
    NoSuchPlace,
    /// The log is away.
    Away(Away),
    /// So many wait or look already.
    Busy,
}

impl Channel {
    /// The outcome of the command `id`, which stands at or behind `at`, once it is there.
    pub(crate) async fn outcome_of(
        self: &Arc<Self>,
        id: &Text,
        at: At,
        wait: Duration,
        mut ending: watch::Receiver<bool>,
    ) -> Searched {
        let line = match self.line() {
            Ok(line) => line,
            Err(why) => return Searched::Away(why),
        };
        if at.partition >= line.partitions {
            return Searched::NoSuchPlace;
        }
        let deadline = Instant::now() + wait;
        let Some(mut waiter) = self.waiting.register(at.partition, id) else { return Searched::Busy };
        // what comes from now on the waiter is told; what has come stands in front of this
        let until = line.reached(at.partition);
        if at.offset < until {
            let Ok(Ok(permit)) =
                timeout_at(deadline.max(Instant::now() + LOOK), Arc::clone(&self.searchers).acquire_owned())
                    .await
            else {
                return Searched::Busy;
            };
            let (channel, id, line) = (Arc::clone(self), id.clone(), Arc::clone(&line));
            // a look that was begun is ended, also when nobody waits for it any more
            let stop = Stop::new();
            let ends = StopOnDrop(stop.clone());
            let search = tokio::task::spawn_blocking(move || {
                let found = channel.search(&line, &id, at, until, &stop);
                drop(permit);
                found
            });
            let found = tokio::select! {
                outcome = waiter.told() => return Searched::Found(outcome),
                found = timeout_at(deadline.max(Instant::now() + Duration::from_secs(5)), search) => found,
            };
            drop(ends);
            match found {
                Ok(Ok(Ok(Some(outcome)))) => return Searched::Found(Arc::new(outcome)),
                Ok(Ok(Ok(None))) => {}
                Ok(Ok(Err(fault))) => {
                    self.suspect();
                    return Searched::Away(Away(fault.to_string()));
                }
                Ok(Err(_)) => return Searched::Away(Away("looking for the outcome has failed".to_owned())),
                Err(_) => return Searched::Nothing,
            }
        }
        tokio::select! {
            biased;
            outcome = waiter.told() => Searched::Found(outcome),
            () = tokio::time::sleep_until(deadline) => Searched::Nothing,
            () = drained(&mut ending) => Searched::Nothing,
        }
    }

    /// Looks through the partition from `at` until the offset `until`.
    fn search(
        &self,
        line: &Line,
        id: &Text,
        at: At,
        until: i64,
        stop: &Stop,
    ) -> Result<Option<Outcome>, LogFault> {
        let place = TopicPartition::new(Arc::clone(&self.description.topology.outcomes), at.partition);
        let from = at.offset.max(self.log.low_watermark(&place)?);
        if from >= until {
            return Ok(None);
        }
        let mut reader = self.log.reader(&[(place.clone(), Start::Offset(from))])?;
        while reader.position(&place) < until && !stop.is_requested() {
            let records = reader.poll(MOST, LOOK)?;
            let found = records.iter().find(|record| record.key.as_deref() == Some(id.as_bytes()));
            if let Some(outcome) = found.and_then(|record| self.outcome(line, record, stop)) {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }
}

/// Ends a look when whoever wanted it has gone.
struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.request();
    }
}
