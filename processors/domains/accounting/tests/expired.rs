//! No money twice: what becomes of a command that comes again when nobody remembers its answer any more, and
//! that nobody is refused for what is not their fault.

use crate::common;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::*;
use millrace_domain_accounting::{Accounting, CommandData, EventData};
use millrace_kernel::{Command, Domain as _, Metadata, NoSettings, Outcome, Status};
use millrace_ports::{Clock, TopicPartition};
use millrace_runtime::ProcessorSettings;
use millrace_runtime::dead::headers::DeadKind;
use millrace_runtime::dead::{Action, DeadTopic, Selection};
use millrace_testkit::pipeline::{Pipeline, RoleKind};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;

struct Bank {
    pipeline: Pipeline<Accounting>,
}

fn settings(window_seconds: u64, window_ids: usize) -> ProcessorSettings {
    ProcessorSettings {
        batch_max_records: 10,
        dedup_window_seconds: window_seconds,
        dedup_window_ids: window_ids,
        checkpoint_interval_ms: 1_000,
        ..ProcessorSettings::default()
    }
}

impl Bank {
    /// A bank of one partition with the account `ann`.
    fn new(settings: ProcessorSettings) -> Self {
        let mut pipeline = Pipeline::new(1, NoSettings::default(), settings);
        pipeline.give_disks();
        pipeline.start_processor();
        let mut bank = Self { pipeline };
        bank.send("open", Some(0), open("ann", "ann", "EUR"));
        bank.pipeline.settle();
        bank
    }

    fn now(&self) -> i64 {
        self.pipeline.clock.now_micros()
    }

    /// Sends a command that was issued so long ago, if it says when.
    fn send(&mut self, id: &str, issued_before: Option<i64>, data: CommandData) -> Command<CommandData> {
        let issued_at = issued_before.map(|before| self.now() - before);
        let command =
            Command { id: id.into(), metadata: Metadata { issued_at, ..Metadata::default() }, data };
        self.pipeline.send(&command);
        command
    }

    /// Deposits 10 EUR, just issued, and waits for the answer.
    fn deposit(&mut self, id: &str) -> Command<CommandData> {
        let command = self.send(id, Some(0), deposit("ann", 10, "EUR"));
        self.pipeline.settle();
        command
    }

    fn again(&mut self, command: &Command<CommandData>) {
        self.pipeline.send(command);
        self.pipeline.settle();
    }

    fn answers(&self, id: &str) -> Vec<Outcome> {
        self.pipeline.outcomes().into_iter().filter(|outcome| outcome.command_id == id).collect()
    }

    /// How often a command was credited.
    fn credited(&self, id: &str) -> usize {
        let is_it = |data: &EventData| matches!(data, EventData::MoneyDeposited(_));
        self.pipeline
            .events()
            .iter()
            .filter(|(_, event)| event.command_id == id && is_it(&event.data))
            .count()
    }

    /// The code and field of the newest answer; none when it was accepted.
    fn newest(&self, id: &str) -> Option<(String, Option<String>)> {
        let newest = self.answers(id).pop().unwrap_or_else(|| panic!("{id} is answered"));
        assert_eq!(newest.status == Status::Accepted, newest.violations.is_empty());
        assert!(newest.violations.len() < 2, "it comes alone: {newest:?}");
        // what was first under the id was forgotten with it, or is known elsewhere
        let is_other = |code: &str| code == "Expired" || code == "Misrouted";
        let is_first = !newest.violations.iter().any(|violation| is_other(&violation.code));
        assert_eq!(newest.digest.is_some(), is_first, "{newest:?}");
        newest.violations.into_iter().next().map(|violation| (violation.code, violation.field))
    }

    fn is_expired(&self, id: &str) -> bool {
        self.newest(id).is_some_and(|(code, _)| code == "Expired")
    }
}

/// How a processor ends, and where the next one has its state from.
const ENDINGS: [&str; 6] =
    ["it goes on", "killed", "killed, no disk", "in order", "moved", "moved to a copy"];

impl Bank {
    fn end(&mut self, how: &str) {
        match how {
            "killed" => self.pipeline.kill(0),
            "killed, no disk" => {
                self.pipeline.take_disks();
                self.pipeline.kill(0);
            }
            "in order" => {
                self.pipeline.leave(0);
                self.pipeline.start(RoleKind::Processor);
            }
            "moved" => {
                self.pipeline.start_processor();
                self.pipeline.settle();
                self.pipeline.leave(0);
            }
            "moved to a copy" => {
                self.pipeline.keep_copies();
                self.pipeline.start_processor();
                while self.pipeline.stand_by(1, 0).progress {}
                self.pipeline.crash(0);
            }
            _ => {}
        }
        self.pipeline.settle();
    }
}

#[test]
fn a_deposit_that_comes_again_behind_the_window_is_not_credited_twice() {
    for how in ENDINGS {
        let mut bank = Bank::new(settings(5, 5_000_000));
        let pay = bank.deposit("pay-77");
        bank.pipeline.clock.pass(6 * SECOND);
        bank.deposit("other");
        bank.end(how);
        bank.pipeline.clock.pass(4 * SECOND);
        bank.again(&pay);
        assert_eq!(bank.credited("pay-77"), 1, "{how}");
        assert!(bank.is_expired("pay-77"), "{how}: {:?}", bank.answers("pay-77"));
        // with a new time on it, as from a tool that sets it at each sending
        bank.send("pay-77", Some(0), deposit("ann", 10, "EUR"));
        bank.pipeline.settle();
        assert_eq!(bank.credited("pay-77"), 1, "{how}");
        bank.deposit("new");
        assert_eq!(bank.newest("new"), None, "{how}: nobody else is refused");
    }
}

#[test]
fn nor_when_nothing_is_known_of_it_any_more() {
    for how in ENDINGS {
        let mut bank = Bank::new(settings(5, 5_000_000));
        let pay = bank.deposit("pay-77");
        for number in 0..12 {
            bank.pipeline.clock.pass(2 * MINUTE);
            bank.deposit(&format!("other-{number}"));
        }
        bank.end(how);
        bank.again(&pay);
        assert_eq!(bank.credited("pay-77"), 1, "{how}");
        let expired = ("Expired".to_owned(), Some("metadata.issued_at".to_owned()));
        assert_eq!(bank.newest("pay-77"), Some(expired), "{how}: by its time, not by its id");
        bank.again(&pay);
        assert!(bank.answers("pay-77")[2].duplicate, "{how}: which is answered again like any answer");
        bank.deposit("new");
        assert_eq!(bank.newest("new"), None, "{how}");
    }
}

#[test]
fn nor_when_retention_has_taken_every_answer() {
    for gone in [0, 1, 5] {
        let mut bank = Bank::new(settings(3_600, 5_000_000));
        let paid: Vec<_> = (0..6).map(|number| bank.deposit(&format!("pay-{number}"))).collect();
        // a day without commands, and a machine without its disk
        bank.pipeline.clock.pass(25 * 60 * MINUTE);
        let outcomes = TopicPartition::new(Arc::clone(&bank.pipeline.names().outcomes), 0);
        let records = bank.pipeline.log.committed_records(&outcomes.topic);
        let kept = &records[records.len() - gone..];
        let oldest = kept.first().map_or_else(|| bank.pipeline.log.committed_end(&outcomes), |it| it.offset);
        bank.pipeline.log.forget_before(&outcomes, oldest).unwrap();
        bank.end("killed, no disk");
        for pay in &paid {
            bank.again(pay);
            assert_eq!(bank.credited(&pay.id), 1, "{} with {gone} answers left", pay.id);
        }
        bank.deposit("new");
        assert_eq!(bank.newest("new"), None, "{gone} left");
    }
}

#[test]
fn who_waits_in_the_log_for_two_hours_is_not_refused() {
    for (window_seconds, window_ids) in [(3_600, 5_000_000), (5, 5_000_000), (3_600, 20)] {
        let mut bank = Bank::new(settings(window_seconds, window_ids));
        for number in 0..8 {
            bank.deposit(&format!("before-{number}"));
        }
        bank.pipeline.crash(0);
        let ids: Vec<String> = (0..240).map(|number| format!("waits-{number}")).collect();
        for id in &ids {
            bank.send(id, Some(2 * SECOND), deposit("ann", 10, "EUR"));
            bank.pipeline.clock.pass(30 * SECOND);
        }
        bank.pipeline.take_disks();
        bank.pipeline.start_processor();
        // it dies in the middle of it, too
        while bank.pipeline.outcomes().len() < 60 {
            bank.pipeline.turn(0, 0);
        }
        let half = bank.pipeline.outcomes().len();
        assert!(half < 200, "{half} are answered");
        bank.pipeline.clock.pass(MINUTE);
        bank.pipeline.kill(0);
        bank.pipeline.settle();
        for id in &ids {
            assert_eq!((bank.newest(id), bank.credited(id)), (None, 1), "{id}, window {window_seconds} s");
        }
    }
}

#[test]
fn a_window_full_of_ids_refuses_no_new_ones() {
    let mut bank = Bank::new(settings(3_600, 10));
    let paid: Vec<_> = (0..100)
        .map(|number| bank.send(&format!("pay-{number}"), Some(SECOND), deposit("ann", 1, "EUR")))
        .collect();
    bank.pipeline.settle();
    for pay in &paid {
        assert_eq!(bank.newest(&pay.id), None, "{}", pay.id);
    }
    bank.end("killed, no disk");
    // the newest first: what is answered to the others is remembered, too
    for pay in paid.iter().rev() {
        bank.pipeline.send(pay);
    }
    bank.pipeline.settle();
    for (number, pay) in paid.iter().enumerate() {
        assert_eq!(bank.credited(&pay.id), 1);
        assert_eq!(bank.is_expired(&pay.id), number < 90, "{}: {:?}", pay.id, bank.answers(&pay.id));
    }
}

#[test]
fn a_producer_whose_clock_is_wrong_is_told_so() {
    let mut bank = Bank::new(settings(5, 5_000_000));
    bank.send("early", Some(60 * MINUTE), deposit("ann", 10, "EUR"));
    bank.pipeline.settle();
    assert_eq!(bank.newest("early"), None, "while nothing was forgotten it cannot be a repeat");
    bank.deposit("one");
    bank.deposit("two");
    let minutes = |ahead: i64| Some(-ahead * MINUTE);
    let rows = [
        ("behind by less than five minutes", minutes(-4), None),
        ("behind by an hour", minutes(-60), Some(("Expired", "issued 3600 s before it was sent"))),
        ("ahead by less than five minutes", minutes(4), None),
        ("ahead by more", minutes(6), Some(("InvalidArgument", "more than 300 seconds ahead"))),
    ];
    for (number, (what, issued_before, expected)) in rows.into_iter().enumerate() {
        let id = format!("clock-{number}");
        bank.send(&id, issued_before, deposit("ann", 10, "EUR"));
        bank.pipeline.settle();
        let violation = bank.answers(&id)[0].violations.first().cloned();
        let Some((code, words)) = expected else {
            assert_eq!(violation, None, "{what}");
            continue;
        };
        let violation = violation.unwrap_or_else(|| panic!("{what}"));
        assert_eq!(violation.code, code, "{what}");
        assert_eq!(violation.field.as_deref(), Some("metadata.issued_at"), "{what}");
        assert!(violation.message.contains(words), "{what}: {}", violation.message);
        assert!(code != "Expired" || violation.message.contains("the producer's clock"), "{what}");
    }
}

#[test]
fn who_does_not_say_when_is_protected_by_the_window_alone() {
    let mut bank = Bank::new(settings(5, 5_000_000));
    let pay = bank.send("pay-77", None, deposit("ann", 10, "EUR"));
    bank.pipeline.settle();
    bank.again(&pay);
    assert_eq!(bank.credited("pay-77"), 1);
    for number in 0..12 {
        bank.pipeline.clock.pass(2 * MINUTE);
        bank.deposit(&format!("other-{number}"));
    }
    bank.again(&pay);
    assert_eq!(bank.credited("pay-77"), 2, "the documents say so");
}

#[test]
fn expired_stands_behind_a_repeated_id_and_before_all_else() {
    let mut bank = Bank::new(settings(60, 5_000_000));
    let old = |id: &str, now: i64, data| Command {
        id: id.into(),
        metadata: Metadata {
            issued_at: Some(now - 120 * MINUTE),
            expected_version: Some(99),
            ..Metadata::default()
        },
        data,
    };
    for number in 0..12 {
        bank.pipeline.clock.pass(2 * MINUTE);
        bank.deposit(&format!("other-{number}"));
    }
    let now = bank.now();
    // a conflict and a currency that is none come to the same
    bank.again(&old("late", now, deposit("ann", -1, "XXX")));
    assert_eq!(bank.newest("late"), Some(("Expired".into(), Some("metadata.issued_at".into()))));
    // a repeat is a repeat, whatever its time
    bank.again(&old("other-11", now, deposit("ann", 10, "EUR")));
    let again = bank.answers("other-11");
    assert!(again[1].duplicate && again[1].status == Status::Accepted, "{again:?}");
    // and what came the wrong way is not looked at
    let commands = Arc::clone(&bank.pipeline.names().commands);
    let value = bank.pipeline.encode(&old("lost", now, deposit("ann", 10, "EUR")));
    bank.pipeline.send_raw(&commands, Some(Bytes::from_static(b"bob")), Some(value));
    bank.pipeline.settle();
    assert_eq!(bank.newest("lost").map(|(code, _)| code).as_deref(), Some("Misrouted"));
}

#[test]
fn a_transfer_that_runs_while_the_window_forgets_is_taken_once() {
    for how in ENDINGS {
        let mut bank = Bank::new(settings(5, 5_000_000));
        bank.deposit("money");
        bank.send("open-bob", Some(0), open("bob", "bob", "EUR"));
        bank.pipeline.settle();
        let pay = bank.send("move", Some(0), transfer("t1", "ann", "bob", 3, "EUR"));
        bank.pipeline.settle();
        for number in 0..8 {
            bank.pipeline.clock.pass(2 * MINUTE);
            bank.deposit(&format!("other-{number}"));
        }
        bank.end(how);
        bank.again(&pay);
        assert!(bank.is_expired("move"), "{how}: {:?}", bank.answers("move"));
    }
}

impl Bank {
    fn dead(&self) -> DeadTopic<Accounting> {
        let log = Arc::new(self.pipeline.log.clone());
        DeadTopic::open(log, self.pipeline.registry(), "").unwrap().with_patience(Duration::ZERO)
    }

    /// How many records were put back, or dropped.
    fn act(&mut self, selection: &Selection, action: Action) -> usize {
        let (clock, mut done) = (Arc::clone(&self.pipeline.clock), 0);
        self.dead().act(selection, action, &*clock, &mut |moved| done += moved.len()).unwrap();
        self.pipeline.settle();
        done
    }

    /// Drops the oldest record that cannot be read.
    fn drop_garbage(&mut self) {
        let all = self.dead().list(&Selection::default()).unwrap();
        let oldest = all.iter().find(|it| it.kind == DeadKind::Unreadable && it.done.is_none()).unwrap();
        let only = Selection { offset: Some(oldest.place.offset), ..Selection::default() };
        assert_eq!(self.act(&only, Action::Skip), 1);
    }

    /// A record for `ann` that nothing can be made of.
    fn garbage(&mut self) {
        let commands = Arc::clone(&self.pipeline.names().commands);
        let (key, value) = (Bytes::from_static(b"ann"), Bytes::from_static(b"garbage"));
        self.pipeline.send_raw(&commands, Some(key), Some(value));
        self.pipeline.settle();
    }

    /// Two days in which nobody but `bob` deposits anything.
    fn days_pass(&mut self) {
        let from = self.pipeline.outcomes().len();
        for number in from..from + 48 {
            self.pipeline.clock.pass(60 * MINUTE);
            self.send(&format!("bob-{number}"), Some(0), deposit("bob", 10, "EUR"));
            self.pipeline.settle();
        }
    }
}

#[test]
fn what_waited_in_the_dead_topic_for_days_is_taken_once_when_it_is_redriven() {
    let mut bank = Bank::new(settings(3_600, 5_000_000));
    bank.send("open-bob", Some(0), open("bob", "bob", "EUR"));
    // a record that nothing can be made of parks the key, and what comes behind it waits
    bank.garbage();
    let waits = bank.deposit("waits");
    bank.garbage();
    bank.again(&waits);
    bank.days_pass();
    bank.drop_garbage();
    assert_eq!(bank.act(&Selection::default(), Action::Redrive), 3);
    let answers = bank.answers("waits");
    assert_eq!(answers.len(), 1, "the second waits behind the other that cannot be read: {answers:?}");
    assert_eq!(answers[0].status, Status::Accepted, "{answers:?}");
    // it is a repeat, also days later
    bank.days_pass();
    bank.drop_garbage();
    assert_eq!(bank.act(&Selection::default(), Action::Redrive), 1);
    assert_eq!(bank.credited("waits"), 1);
    assert!(bank.is_expired("waits"), "{:?}", bank.answers("waits"));
}

#[test]
fn what_could_not_be_read_keeps_its_time_when_it_is_redriven() {
    let mut bank = Bank::new(settings(3_600, 5_000_000));
    bank.send("open-bob", Some(0), open("bob", "bob", "EUR"));
    let paid = bank.deposit("pay");
    assert_eq!(bank.credited("pay"), 1);
    bank.days_pass();
    // the same again, by a producer whose schema the registry has lost; it comes back as the next one
    let names = bank.pipeline.names().clone();
    let (registry, subject) = (Arc::clone(bank.pipeline.registry()), format!("{}-value", names.commands));
    let newest = registry.register("something-value", r#""string""#).unwrap();
    let lost = newest + 1;
    let bytes = bank.pipeline.encode(&paid);
    let foreign = [&[0][..], &lost.to_be_bytes(), &bytes[5..]].concat();
    bank.pipeline.send_raw(&names.commands, Some(Bytes::from_static(b"ann")), Some(foreign.into()));
    bank.pipeline.settle();
    bank.pipeline.clock.pass(MINUTE);
    bank.pipeline.settle();
    let dead = bank.dead().list(&Selection::default()).unwrap();
    assert_eq!(dead.iter().map(|it| it.kind).collect::<Vec<_>>(), [DeadKind::Unreadable]);
    let mut schema: serde_json::Value = serde_json::from_str(Accounting::SCHEMAS.commands).unwrap();
    schema["doc"] = "The same, said in other words.".into();
    assert_eq!(registry.register(&subject, &schema.to_string()).unwrap(), lost);
    assert_eq!(bank.act(&Selection::default(), Action::Redrive), 1);
    assert!(bank.is_expired("pay"), "{:?}", bank.answers("pay"));
    assert_eq!(bank.credited("pay"), 1);
}

#[test]
fn a_repeat_of_what_was_forgotten_does_not_wait_behind_a_dead_command() {
    let mut bank = Bank::new(settings(3_600, 5_000_000));
    bank.send("open-bob", Some(0), open("bob", "bob", "EUR"));
    let pay = bank.deposit("pay");
    bank.days_pass();
    // waiting, it would be redriven with a new time of issue, and nobody would know that it is a repeat
    bank.garbage();
    bank.again(&pay);
    bank.pipeline.settle();
    assert!(bank.is_expired("pay"), "{:?}", bank.answers("pay"));
    bank.drop_garbage();
    bank.act(&Selection::default(), Action::Redrive);
    assert_eq!(bank.credited("pay"), 1);
}
