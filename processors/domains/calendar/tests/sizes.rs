//! What an accepted command writes, at worst: in the events topic, the state topic and the outcomes topic together.

use crate::common;

use common::*;
use millrace_domain_calendar::messages::commands::{RescheduleTimeslot, ScheduleTimeslot};
use millrace_domain_calendar::{Calendar, CommandData};
use millrace_kernel::{Command, Metadata, NoSettings, Status};
use millrace_runtime::ProcessorSettings;
use millrace_testkit::pipeline::Pipeline;

/// What a command may write, with keys.
const MOST_BYTES: usize = 64 * 1024;

struct Measured {
    pipeline: Pipeline<Calendar>,
    sent: usize,
    written: usize,
}

impl Measured {
    fn new() -> Self {
        let mut pipeline = Pipeline::<Calendar>::new(1, NoSettings {}, ProcessorSettings::default());
        pipeline.start_processor();
        Self { pipeline, sent: 0, written: 0 }
    }

    fn total(&self) -> usize {
        let names = self.pipeline.names();
        let topics = [&names.events, &names.state, &names.outcomes];
        let records = topics.into_iter().flat_map(|topic| self.pipeline.log.committed_records(topic));
        let size = |it: &Option<bytes::Bytes>| it.as_ref().map_or(0, bytes::Bytes::len);
        records.map(|record| size(&record.key) + size(&record.value)).sum()
    }

    /// Decides a command with the longest ids and metadata that there can be, and says how much that wrote.
    fn write(&mut self, data: CommandData) -> usize {
        self.sent += 1;
        let longest = |letter: char| Some(letter.to_string().repeat(64).as_str().into());
        let metadata = Metadata {
            user_id: longest('c'),
            trace_id: longest('t'),
            correlation_id: longest('r'),
            causation_id: longest('s'),
            ..Metadata::default()
        };
        self.pipeline.send(&Command { id: format!("{:x>64}", self.sent).as_str().into(), metadata, data });
        self.pipeline.settle();
        let outcome = self.pipeline.outcomes().pop().expect("it is answered");
        assert_eq!(outcome.status, Status::Accepted, "{outcome:?}");
        let total = self.total();
        total - std::mem::replace(&mut self.written, total)
    }
}

fn calendar() -> String {
    "c".repeat(64)
}

fn slot(n: usize) -> String {
    format!("{n:s>64}")
}

fn long(n: usize, from: i64, to: i64) -> CommandData {
    let text = "🐦".repeat(256);
    ScheduleTimeslot {
        calendar_id: calendar().as_str().into(),
        timeslot_id: slot(n).as_str().into(),
        title: text.as_str().into(),
        start: at(from),
        end: at(to),
        location: Some(text.as_str().into()),
        description: Some(text.as_str().into()),
    }
    .into()
}

#[test]
fn a_command_writes_at_most_64_kilobytes() {
    let mut measured = Measured::new();
    let mut most = measured.write(create(&calendar()));
    let mut slots = 0;
    // two full days, but for one slot each, at either end of a month
    for day in [0, 31] {
        for n in 0..499 {
            // so that the last one of the first day and the first one of the last are free
            let from = day * DAY + n * 2 + if day == 0 { 0 } else { 2 };
            slots += 1;
            let wrote = measured.write(long(slots, from, from + 1));
            most = most.max(wrote);
        }
    }
    // over all the days between, touching both
    slots += 1;
    let whole = long(slots, DAY - 1, 31 * DAY + 1);
    most = most.max(measured.write(whole));
    // and from one full day to the other
    most = most.max(
        measured.write(
            RescheduleTimeslot {
                calendar_id: calendar().as_str().into(),
                timeslot_id: slot(slots).as_str().into(),
                start: at(32 * DAY - 1),
                end: at(32 * DAY),
            }
            .into(),
        ),
    );
    let removed = measured.write(remove(&calendar(), &slot(slots)));
    let ended = measured.write(end(&calendar()));
    println!("at most {most} bytes; {removed} to remove a slot, {ended} to end a calendar of {slots} slots");
    assert!(most.max(removed) <= MOST_BYTES / 2, "{most}");
    assert!(ended < 2_000, "however many slots there are: {ended}");
}
