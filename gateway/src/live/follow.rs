//! The one reader of the changes of a domain: of all its view families, from when somebody first wants to hear of some.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_kernel::Change;
use millrace_ports::{LogFault, Reader, Record, Start, TopicPartition};
use millrace_runtime::health::ROLE_ITSELF;
use millrace_runtime::{Health, Stop};
use millrace_wire::{Codec, DecodeFailure};

use crate::log::Channel;
use crate::ports::Trouble;

/// How many changes are taken at once.
const MOST: usize = 5_000;
/// How long the reader waits before it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);
/// How soon is looked again for a log that was away, and for the versions that answer.
const AGAIN: Duration = Duration::from_millis(500);
/// How far back it begins, so that those who were cut off by a restart of the gateway find what came meanwhile in memory.
const BACK: Duration = Duration::from_secs(60);
/// How often a schema is asked for that the registry does not know yet.
const ASK_TIMES: usize = 20;

/// What goes on while changes cannot be read.
const MEANWHILE: &str =
    "streams of this domain wait, and go on where they are when it is back; commands and queries go on";

/// The codecs of changes, by the full name of their topic.
type Codecs = Vec<(Arc<str>, Arc<Codec<Change>>)>;

impl Channel {
    /// Follows the changes until `stop`, once somebody has subscribed.
    pub(crate) fn follow_changes(&self, health: &Health, stop: &Stop) {
        let role = format!("{}.gateway.streams", self.description.name);
        while !stop.is_requested() {
            if !self.hub.is_wanted(LOOK) {
                continue;
            }
            let ended = self
                .changes()
                .and_then(|(codecs, reader)| self.pass_on(&codecs, reader, health, &role, stop));
            self.hub.end();
            if let Err(Trouble(why)) = ended {
                health.impair(&role, ROLE_ITSELF, &why, MEANWHILE);
                stop.wait(AGAIN);
            }
        }
    }

    fn changes(&self) -> Result<(Codecs, Box<dyn Reader>), Trouble> {
        let trouble = |fault: LogFault| Trouble(fault.to_string());
        let (mut codecs, mut from) = (Codecs::new(), Vec::new());
        let back_ms = self.clock.now_micros() / 1_000 - i64::try_from(BACK.as_millis()).unwrap_or(0);
        for (family, topic) in self.live_families() {
            codecs.push((Arc::clone(&topic), Arc::new(self.link.changes(&family)?)));
            for partition in 0..self.log.partitions(&topic).map_err(trouble)? {
                let at = TopicPartition::new(Arc::clone(&topic), partition);
                let offset = self.log.offset_at(&at, back_ms).map_err(trouble)?;
                from.push((at, offset));
            }
        }
        let starts: Vec<_> = from.iter().map(|(at, offset)| (at.clone(), Start::Offset(*offset))).collect();
        let reader = self.log.reader(&starts).map_err(trouble)?;
        self.look_for_versions();
        self.hub.begin(&from);
        Ok((codecs, reader))
    }

    /// Reads until `stop`, or until the reader has to be made anew.
    fn pass_on(
        &self,
        codecs: &Codecs,
        mut reader: Box<dyn Reader>,
        health: &Health,
        role: &str,
        stop: &Stop,
    ) -> Result<(), Trouble> {
        let partitions = self.hub.partitions();
        let meter = health.metrics().gateway().outcomes(self.description.name);
        let mut looked_at = Instant::now();
        let mut is_away = false;
        while !stop.is_requested() {
            if looked_at.elapsed() >= AGAIN {
                looked_at = Instant::now();
                self.look_for_versions();
            }
            match reader.poll(MOST, LOOK) {
                Ok(records) => {
                    if std::mem::take(&mut is_away) {
                        health.remove(role, ROLE_ITSELF);
                    }
                    meter.changed(records.len() as u64, self.hub.listeners() as u64);
                    for record in records {
                        let codec = codecs.iter().find(|(topic, _)| *topic == record.topic);
                        self.hub.pass_on(record, |record| read(&codec?.1, record, stop));
                    }
                    partitions.iter().for_each(|at| self.hub.passed(at, reader.position(at)));
                }
                Err(LogFault::Undecodable { partition, offset, message }) => {
                    // somebody may miss what stood there, so all begin anew
                    tracing::error!(%partition, offset, "a batch of changes is passed over: {message}");
                    let end = self.log.batch_end(&partition, offset);
                    end.and_then(|end| reader.seek(&partition, end))
                        .map_err(|fault| Trouble(fault.to_string()))?;
                    self.hub.lose(&partition);
                }
                Err(fault @ LogFault::Unavailable { .. }) => {
                    is_away = true;
                    health.impair(role, ROLE_ITSELF, fault.to_string(), MEANWHILE);
                    stop.wait(AGAIN);
                }
                Err(fault) => return Err(Trouble(fault.to_string())),
            }
        }
        Ok(())
    }

    fn look_for_versions(&self) {
        match self.link.versions() {
            Ok(versions) => self.hub.set_versions(versions),
            // streams say themselves that the tables are away
            Err(fault) => tracing::debug!("the versions that answer cannot be looked up: {fault}"),
        }
    }

    /// Reads a change that stands in `topic`, where nobody waits for the log.
    pub(crate) fn change_reader(
        &self,
        family: &str,
    ) -> Result<impl Fn(&Record) -> Option<Change> + Clone + use<>, Trouble> {
        let codec = Arc::new(self.link.changes(family)?);
        Ok(move |record: &Record| read(&codec, record, &Stop::new()))
    }
}

/// The change in a record; none where it cannot be read, which is said in the log.
fn read(codec: &Codec<Change>, record: &Record, stop: &Stop) -> Option<Change> {
    let value = record.value.as_deref()?;
    for _ in 0..ASK_TIMES {
        match codec.decode_fresh(value) {
            Ok(change) => return Some(change),
            // a projector of a newer build may have registered a moment ago what it writes by
            Err(DecodeFailure::Registry(_) | DecodeFailure::NotYet { .. }) if !stop.wait(LOOK) => {}
            Err(failure) => {
                let Record { topic, partition, offset, .. } = record;
                tracing::error!(%topic, partition, offset, "a change cannot be read: {failure}");
                return None;
            }
        }
    }
    None
}
