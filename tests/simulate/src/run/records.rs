//! What happens to records: they are sent, delivered again, lost and brought back.

use std::sync::Arc;

use bytes::Bytes;
use millrace_kernel::{Command, Metadata};
use millrace_ports::TopicPartition;
use millrace_testkit::log::memory::Plain;
use millrace_testkit::pipeline::RoleKind;

use super::Running;
use crate::oracle::world::Failure;
use crate::plan::{DiskFate, Loss, Plan};
use crate::show;
use crate::workload::Workload;

impl<W: Workload> Running<'_, W> {
    /// Old changes of a view family are deleted, as a topic does whose records are kept for some time only.
    pub(super) fn expire(&mut self, family: u64, keep: i64) {
        let families: Vec<_> = (0..).map_while(|place| self.pipeline.family(place)).collect();
        let Some((family, _)) = families.get((family % families.len().max(1) as u64) as usize) else {
            return;
        };
        let plain = family.split_once('.').map_or(family.as_str(), |(_, plain)| plain);
        let topic = self.pipeline.names().changes(plain);
        for number in 0..self.pipeline.partition_count() {
            let at = TopicPartition::new(Arc::clone(&topic), number);
            let log = &self.pipeline.log;
            let begins_at = (log.committed_end(&at) - keep).max(log.start(&at));
            drop(log.forget_before(&at, begins_at));
        }
        self.luck.count(|tally| tally.expired_changes += 1);
        self.say(|| format!("of {topic} the newest {keep} are kept"));
    }

    /// Takes away what must not be taken away, and starts all processors anew: those at work have their
    /// state in memory, and have read ahead.
    pub(super) fn lose(&mut self, loss: Loss, partition: i32) {
        let names = self.pipeline.names();
        let topic = match loss {
            Loss::State => &names.state,
            Loss::Steps => &names.steps,
        };
        let at = TopicPartition::new(Arc::clone(topic), partition);
        let log = self.pipeline.log.clone();
        let is_lost = self.lost.is_none()
            && match loss {
                Loss::State => log.empty(&at).unwrap_or(false),
                Loss::Steps => log.forget_before(&at, log.committed_end(&at)).is_ok(),
            };
        if !is_lost {
            return;
        }
        self.say(|| format!("{at} is lost"));
        self.luck.count(|tally| tally.losses += 1);
        self.lost = Some(at);
        let mut count = 0;
        // from the end, as those behind one that is gone move up
        for process in (0..self.pipeline.instances()).rev() {
            if self.pipeline.process(process).is_some_and(|(_, kind)| kind == RoleKind::Processor) {
                self.crash(process, false, DiskFate::Kept, "is stopped");
                count += 1;
            }
        }
        (0..count).for_each(|_| self.pipeline.start(RoleKind::Processor));
    }

    pub(super) fn bring_back(&mut self) {
        if let Some(at) = &self.lost
            && self.pipeline.log.bring_back(at).unwrap_or(false)
        {
            let at = at.clone();
            self.lost = None;
            self.say(|| format!("{at} is brought back"));
        }
    }

    pub(super) fn send(&mut self, plan: &Plan<W>, command: &Command<W::CommandData>) -> Result<(), Failure> {
        let key = W::routing_key(&command.data).to_owned();
        let at = TopicPartition::new(
            Arc::clone(&self.pipeline.names().commands),
            W::partition(&command.data, plan.setup.partitions),
        );
        let now = millrace_ports::Clock::now_micros(&*self.pipeline.clock);
        let is_new = !self.ids.contains_key(&*command.id);
        // whoever sends a command again says the same
        let issued_at = command.metadata.issued_at.map(|before| now - before);
        let issued_at = *self.ids.entry(command.id.to_string()).or_insert(issued_at);
        let metadata = Metadata { issued_at, ..command.metadata.clone() };
        let command = &Command { metadata, ..command.clone() };
        let value = self.pipeline.encode(command);
        let offset = self.append(&at, Some(Bytes::from(key)), Some(value))?;
        self.diary.sent.insert((at.partition, offset), self.act);
        self.diary.appended.insert((at.partition, offset), now / 1_000 * 1_000);
        self.luck.count(|tally| {
            tally.commands += 1;
            tally.repeated += u64::from(!is_new);
        });
        self.say(|| format!("send {at} offset {offset}: {}", show::command(command)));
        Ok(())
    }

    pub(super) fn append(
        &self,
        at: &TopicPartition,
        key: Option<Bytes>,
        value: Option<Bytes>,
    ) -> Result<i64, Failure> {
        let timestamp_ms = millrace_ports::Clock::now_micros(&*self.pipeline.clock) / 1_000;
        let record = Plain { key, value, timestamp_ms, headers: Vec::new() };
        let appended = self.pipeline.log.append(at, record);
        appended.map_err(|why| Failure::new("commands can be sent", why.to_string()))
    }

    /// Delivers a committed step once more, as a writer without idempotence or an operator might.
    pub(super) fn repeat_step(&mut self, pick: u64) -> Result<(), Failure> {
        let steps = Arc::clone(&self.pipeline.names().steps);
        let all = self.pipeline.log.committed_records(&steps);
        if all.is_empty() {
            return Ok(());
        }
        let record = &all[(pick % all.len() as u64) as usize];
        let at = TopicPartition::new(steps, record.partition);
        let offset = self.append(&at, record.key.clone(), record.value.clone())?;
        self.diary.repeated_steps.insert((at.partition, offset));
        self.luck.count(|tally| tally.steps_repeated += 1);
        self.say(|| format!("step at {at} offset {} is delivered again at {offset}", record.offset));
        Ok(())
    }
}
