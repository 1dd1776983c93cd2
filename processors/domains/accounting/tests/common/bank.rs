//! Random histories of a small bank, and a ledger so naive that it is obviously right: it
//! knows what was answered, or what happened, and adds up.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain_accounting::{Accounting, CommandData, EventData, StepData};
use millrace_kernel::Event;
use millrace_testkit::world::{Answer, World};
use proptest::prelude::*;

use super::{close, deposit, open, transfer, withdraw};

/// Accounts that most of a history is about.
pub const ACCOUNTS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// What somebody tries.
#[derive(Clone, Debug)]
pub enum Act {
    /// A command, by this user.
    Send(CommandData, Option<String>),
    /// A waiting step is decided, and perhaps stays waiting as if that had been forgotten.
    Step(prop::sample::Index, bool),
    Tick,
}

fn account() -> impl Strategy<Value = &'static str> {
    // one that nobody ever opens
    prop_oneof![9 => prop::sample::select(&ACCOUNTS[..]), 1 => Just("nobody")]
}

fn currency() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => Just("EUR"), 2 => Just("USD")]
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![
        12 => 1i64..100,
        2 => (i64::MAX - 100)..=i64::MAX,
        1 => -1i64..1,
        1 => Just(i64::MIN),
    ]
}

fn owner(account: &str) -> String {
    if account < "c" { "ann".to_owned() } else { "bob".to_owned() }
}

fn command() -> impl Strategy<Value = CommandData> {
    prop_oneof![
        4 => (account(), currency()).prop_map(|(a, c)| open(a, &owner(a), c)),
        6 => (account(), amount(), currency()).prop_map(|(a, n, c)| deposit(a, n, c)),
        3 => (account(), amount(), currency()).prop_map(|(a, n, c)| withdraw(a, n, c)),
        // few ids, so that some are used again
        9 => (0u8..60, account(), account(), amount(), currency())
            .prop_map(|(t, from, to, n, c)| transfer(&format!("t{t}"), from, to, n, c)),
        2 => account().prop_map(close),
    ]
}

pub fn acts(length: usize) -> impl Strategy<Value = Vec<Act>> {
    let acting = prop_oneof![
        8 => Just(None),
        1 => Just(Some("ann".to_owned())),
        1 => Just(Some("bob".to_owned())),
    ];
    let one = prop_oneof![
        10 => (command(), acting).prop_map(|(command, acting)| Act::Send(command, acting)),
        16 => (any::<prop::sample::Index>(), proptest::bool::weighted(0.2))
            .prop_map(|(index, again)| Act::Step(index, again)),
        1 => Just(Act::Tick),
    ];
    // something to move to begin with
    proptest::collection::vec(one, 1..length).prop_map(|acts| {
        let opened = ACCOUNTS.iter().map(|a| open(a, &owner(a), "EUR"));
        let filled = ACCOUNTS[..3].iter().map(|a| deposit(a, 50, "EUR"));
        opened.chain(filled).map(|command| Act::Send(command, None)).chain(acts).collect()
    })
}

/// A history under way, with every command that was sent.
pub struct Bank {
    pub world: World<Accounting>,
    pub sent: Vec<(String, CommandData)>,
}

impl Bank {
    pub fn new(partitions: i32) -> Self {
        Self { world: World::new(partitions), sent: Vec::new() }
    }

    pub fn act(&mut self, act: &Act) {
        match act {
            Act::Send(command, acting) => {
                let id = self.world.send(acting.as_deref(), command.clone());
                self.sent.push((id, command.clone()));
            }
            Act::Step(index, again) => {
                let waiting = self.world.pending();
                if waiting.is_empty() {
                    return;
                }
                let index = index.index(waiting.len());
                // these know by the state that they were applied; of the others the engine knows
                let knows =
                    !matches!(waiting[index].step, StepData::CreditTransfer(_) | StepData::ReserveFunds(_));
                self.world.run_step(index, *again && knows);
            }
            Act::Tick => self.world.tick(1_000),
        }
    }
}

/// All that money has done, per account and altogether.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub balances: BTreeMap<String, i128>,
    pub reserved: BTreeMap<String, BTreeMap<String, i128>>,
    pub paid_in: i128,
    pub paid_out: i128,
    /// Credited at one end, not yet settled at the other.
    pub on_both_sides: BTreeMap<String, i128>,
    pub accounts: BTreeSet<String>,
    pub closed: BTreeSet<String>,
}

impl Ledger {
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event<EventData>>) -> Self {
        let mut ledger = Self::default();
        events.into_iter().for_each(|event| ledger.book(&event.data));
        ledger
    }

    /// Balances alone, whatever the order of the events: what was added and taken altogether.
    pub fn summed<'a>(events: impl IntoIterator<Item = &'a EventData>) -> BTreeMap<String, i128> {
        let mut ledger = Self::default();
        for event in events {
            match event {
                EventData::AccountOpened(e) => ledger.add(&e.account_id, 0),
                EventData::MoneyDeposited(e) => ledger.add(&e.account_id, e.amount.into()),
                EventData::MoneyWithdrawn(e) => ledger.add(&e.account_id, -i128::from(e.amount)),
                EventData::TransferCredited(e) => ledger.add(&e.to, e.amount.into()),
                EventData::ReservationSettled(e) => ledger.add(&e.from, -i128::from(e.amount)),
                _ => {}
            }
        }
        ledger.balances
    }

    fn add(&mut self, account: &str, amount: i128) {
        *self.balances.entry(account.to_owned()).or_default() += amount;
    }

    pub fn book(&mut self, event: &EventData) {
        match event {
            EventData::AccountOpened(e) => {
                assert!(self.accounts.insert(e.account_id.to_string()), "opened twice: {e:?}");
                self.add(&e.account_id, 0);
            }
            EventData::AccountClosed(e) => {
                assert_eq!(self.balances[&*e.account_id], 0, "{e:?}");
                assert!(self.closed.insert(e.account_id.to_string()), "closed twice: {e:?}");
            }
            EventData::MoneyDeposited(e) => {
                self.add(&e.account_id, e.amount.into());
                self.paid_in += i128::from(e.amount);
            }
            EventData::MoneyWithdrawn(e) => {
                self.add(&e.account_id, -i128::from(e.amount));
                self.paid_out += i128::from(e.amount);
            }
            EventData::FundsReserved(e) => {
                let reserved = self.reserved.entry(e.from.to_string()).or_default();
                assert_eq!(reserved.insert(e.transfer_id.to_string(), e.amount.into()), None, "{e:?}");
            }
            EventData::TransferCredited(e) => {
                self.add(&e.to, e.amount.into());
                let twice = self.on_both_sides.insert(e.transfer_id.to_string(), e.amount.into());
                assert_eq!(twice, None, "credited twice: {e:?}");
            }
            EventData::ReservationSettled(e) => {
                self.add(&e.from, -i128::from(e.amount));
                let reserved = self.reserved.get_mut(&*e.from).and_then(|r| r.remove(&*e.transfer_id));
                assert_eq!(reserved, Some(e.amount.into()), "{e:?}");
                assert_eq!(self.on_both_sides.remove(&*e.transfer_id), Some(e.amount.into()), "{e:?}");
            }
            EventData::ReservationReleased(e) => {
                let reserved = self.reserved.get_mut(&*e.from).and_then(|r| r.remove(&*e.transfer_id));
                assert_eq!(reserved, Some(e.amount.into()), "{e:?}");
            }
            EventData::TransferRequested(_)
            | EventData::ReservationRefused(_)
            | EventData::CreditRefused(_)
            | EventData::TransferCompleted(_)
            | EventData::TransferFailed(_) => {}
        }
    }

    pub fn reserved_of(&self, account: &str) -> i128 {
        self.reserved.get(account).into_iter().flat_map(BTreeMap::values).sum()
    }

    /// No money from nowhere, none lost.
    pub fn check(&self) {
        let balances: i128 = self.balances.values().sum();
        let twice: i128 = self.on_both_sides.values().sum();
        assert_eq!(balances - twice, self.paid_in - self.paid_out, "{self:?}");
        for (account, balance) in &self.balances {
            assert!(self.accounts.contains(account), "money without an account: {account}");
            let reserved = self.reserved_of(account);
            assert!((0..=i128::from(i64::MAX)).contains(balance), "{account}: {balance}");
            assert!(reserved <= *balance, "{account}: {reserved} of {balance} is reserved");
        }
    }
}

/// The balances that must come out, from nothing but what was asked and what was answered.
pub fn answered_balances(bank: &Bank) -> BTreeMap<String, i128> {
    let mut balances = BTreeMap::new();
    let mut add = |account: &str, amount: i128| *balances.entry(account.to_owned()).or_default() += amount;
    for (id, command) in &bank.sent {
        if bank.world.answer(id) != Some(&Answer::Accepted) {
            continue;
        }
        match command {
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
    balances
}
