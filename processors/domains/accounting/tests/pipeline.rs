//! The domain inside the whole engine, in memory: seeded histories with crashes between any
//! two steps, and naive code beside it that says what must come out.

use crate::common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use common::bank::Ledger;
use common::*;
use millrace_domain_accounting::messages::rows::{AccountBalancesRow, DailyTotalsRow};
use millrace_domain_accounting::{Accounting, CommandData, EventData};
use millrace_kernel::{Command, Metadata, Named, NoSettings, ProcessContext, Status, Step, codes};
use millrace_ports::{Log, TopicPartition};
use millrace_runtime::ProcessorSettings;
use millrace_testkit::log::memory::{Faults, Operation, Verdict};
use millrace_testkit::pipeline::Pipeline;
use millrace_testkit::tables::{Dice, rows};

const PARTITIONS: i32 = 3;
const COMMANDS: usize = 120;
const SEEDS: u64 = 20;

/// A command of a small bank in which accounts run dry, fill up and close.
fn random(dice: &mut Dice) -> CommandData {
    let account = |dice: &mut Dice| format!("account-{}", dice.below(6));
    let (one, other) = (account(dice), account(dice));
    let amount = if dice.below(60) == 0 { i64::MAX } else { 1 + dice.below(60) as i64 };
    match dice.below(12) {
        0 | 1 => open(&one, "user", if dice.below(8) == 0 { "USD" } else { "EUR" }),
        2..=4 => deposit(&one, amount, "EUR"),
        5 => withdraw(&one, amount, "EUR"),
        6 => close(&one),
        _ => transfer(&format!("t{}", dice.below(80)), &one, &other, amount, "EUR"),
    }
}

/// Sends commands while processes work, crash and start again, and lets all come to rest.
fn run(seed: u64) -> (Pipeline<Accounting>, Vec<Command<CommandData>>) {
    let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9));
    let engine = ProcessorSettings { batch_max_records: 4, ..ProcessorSettings::default() };
    let mut pipeline = Pipeline::<Accounting>::new(PARTITIONS, NoSettings::default(), engine);
    pipeline.start_processor();
    pipeline.start_processor();
    pipeline.start_projectors();
    let mut sent: Vec<Command<CommandData>> = Vec::new();
    while sent.len() < COMMANDS {
        match dice.below(6) {
            // some come twice
            0 if sent.len() > 5 && dice.below(4) == 0 => {
                let again = sent[dice.below(sent.len())].clone();
                pipeline.send(&again);
            }
            0 => {
                let id = format!("c{}", sent.len());
                let command =
                    Command { id: id.into(), metadata: Metadata::default(), data: random(&mut dice) };
                pipeline.send(&command);
                sent.push(command);
            }
            1 if dice.below(15) == 0 => pipeline.kill(dice.below(pipeline.instances())),
            _ => {
                let (instance, lane) = (dice.below(pipeline.instances()), dice.below(PARTITIONS as usize));
                pipeline.turn(instance, lane);
            }
        }
    }
    pipeline.settle();
    (pipeline, sent)
}

#[test]
fn money_survives_crashes_of_anything() {
    let mut ended: BTreeMap<&str, usize> = BTreeMap::new();
    let mut added_up = 0;
    for seed in 0..SEEDS {
        let (pipeline, sent) = run(seed);
        let events = pipeline.events();
        // events of several partitions are read one partition after the other: only the sums count
        let ledger = Ledger::summed(events.iter().map(|(_, event)| &event.data));
        for (_, event) in &events {
            *ended.entry(event.data.name()).or_default() += 1;
        }
        // no more and no fewer than what was answered
        let mut answered: BTreeMap<String, i128> = BTreeMap::new();
        let outcomes = pipeline.outcomes();
        for command in &sent {
            let firsts: Vec<_> =
                outcomes.iter().filter(|o| o.command_id == command.id && !o.duplicate).collect();
            assert_eq!(firsts.len(), 1, "seed {seed}: one first answer for {command:?}");
            if firsts[0].status == Status::Rejected {
                assert!(firsts[0].violations.iter().all(|v| v.code != codes::POISONED), "seed {seed}");
                continue;
            }
            let mut add = |account: &str, amount: i128| {
                *answered.entry(account.to_owned()).or_default() += amount;
            };
            match &command.data {
                CommandData::OpenAccount(c) => add(&c.account_id, 0),
                CommandData::Deposit(c) => add(&c.account_id, c.amount.into()),
                CommandData::Withdraw(c) => add(&c.account_id, -i128::from(c.amount)),
                CommandData::Transfer(c) => {
                    add(&c.from, -i128::from(c.amount));
                    add(&c.to, c.amount.into());
                }
                CommandData::CloseAccount(_) => {}
            }
        }
        assert_eq!(ledger, answered, "seed {seed}: the events");
        let balances = rows(&pipeline.store, AccountBalancesRow::TABLE, AccountBalancesRow::from_values);
        for row in &balances {
            assert_eq!(row.balance, row.available, "seed {seed}: nothing stays reserved: {row:?}");
        }
        let tables: BTreeMap<String, i128> =
            balances.into_iter().map(|row| (row.account_id.to_string(), row.balance.into())).collect();
        assert_eq!(tables, answered, "seed {seed}: the tables");
        // and what is there came in from outside (a sum that says "that much or more" says no more)
        let totals = rows(&pipeline.store, DailyTotalsRow::TABLE, DailyTotalsRow::from_values);
        if totals.iter().all(|row| row.deposits.max(row.withdrawals) < i64::MAX) {
            let net: i128 = totals.iter().map(|r| i128::from(r.deposits) - i128::from(r.withdrawals)).sum();
            assert_eq!(answered.values().sum::<i128>(), net, "seed {seed}: the daily totals");
            added_up += 1;
        }
    }
    assert!(added_up > SEEDS / 4, "totals that say what they are: {added_up}");
    assert_eq!(ended.len(), 13, "the histories are worth their name: {ended:?}");
}

/// What somebody writes into the commands topic never becomes a step.
#[test]
fn a_step_cannot_be_forged_as_a_command() {
    let mut pipeline = Pipeline::<Accounting>::new(1, NoSettings::default(), ProcessorSettings::default());
    pipeline.start_processor();
    let money = [open("ann", "u", "EUR"), open("eve", "u", "EUR"), deposit("ann", 100, "EUR")];
    for (n, data) in money.into_iter().enumerate() {
        pipeline.send(&Command { id: format!("c{n}").into(), metadata: Metadata::default(), data });
    }
    pipeline.settle();
    let (events, outcomes) = (pipeline.events().len(), pipeline.outcomes().len());
    let forged = Step {
        id: "forged".into(),
        metadata: Metadata::default(),
        source: Default::default(),
        process: Some(ProcessContext { command_id: "c9".into(), ..ProcessContext::default() }),
        data: moving("t1", "ann", "eve", 1_000_000).credit(),
    };
    let value = pipeline.codecs().steps.as_ref().unwrap().encode(&forged);
    let (key, names) = (Bytes::from("eve"), pipeline.names().clone());
    pipeline.send_raw(&names.commands, Some(key), Some(value));
    pipeline.settle();
    assert_eq!(pipeline.log.committed_records(&names.dead).len(), 1, "it lies in the dead topic");
    assert_eq!(
        (pipeline.events().len(), pipeline.outcomes().len()),
        (events, outcomes),
        "and has done nothing"
    );
    let credited = |(_, event): &(i32, millrace_kernel::Event<EventData>)| {
        matches!(event.data, EventData::TransferCredited(_))
    };
    assert!(!pipeline.events().iter().any(credited));
}

#[test]
fn where_nothing_is_left_the_offsets_say_so() {
    let mut pipeline =
        Pipeline::<Accounting>::new(PARTITIONS, NoSettings::default(), ProcessorSettings::default());
    pipeline.start_processor();
    pipeline.start_projectors();
    let all = [
        open("ann", "user", "EUR"),
        open("bob", "user", "EUR"),
        deposit("ann", 9, "EUR"),
        transfer("t", "ann", "bob", 3, "EUR"),
    ];
    for (number, data) in all.into_iter().enumerate() {
        pipeline.send(&Command { id: format!("c{number}").into(), metadata: Metadata::default(), data });
    }
    pipeline.settle();
    let lag = |topic: &Arc<str>, partition: i32| {
        let at = TopicPartition::new(Arc::clone(topic), partition);
        pipeline.log.high_watermark(&at).unwrap() - pipeline.committed(&at).unwrap_or(0)
    };
    let names = pipeline.names();
    let lags = (0..PARTITIONS).map(|it| (lag(&names.commands, it), lag(&names.steps, it)));
    assert_eq!(lags.collect::<Vec<_>>(), vec![(0, 0); PARTITIONS as usize]);
    // and that once is enough
    let commits: Arc<AtomicUsize> = Arc::default();
    pipeline.log.inject(Box::new(Counting(Arc::clone(&commits))));
    pipeline.clock.pass(60_000_000);
    pipeline.settle();
    assert_eq!(commits.load(Ordering::SeqCst), 0);
}

#[test]
fn who_leaves_with_nothing_in_hand_is_gone_at_once() {
    let mut pipeline = Pipeline::<Accounting>::new(1, NoSettings::default(), ProcessorSettings::default());
    for _ in 0..3 {
        pipeline.start_processor();
    }
    pipeline.settle();
    let idle = (0..pipeline.instances()).find(|at| pipeline.lanes(*at).is_empty());
    pipeline.leave(idle.expect("one partition is not for all three"));
    assert_eq!(pipeline.instances(), 2);
}

/// Counts transactions that are committed.
struct Counting(Arc<AtomicUsize>);

impl Faults for Counting {
    fn before(&mut self, operation: &Operation<'_>) -> Verdict {
        if matches!(operation, Operation::Commit { .. }) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        Verdict::Proceed
    }
}
